"""vdiskkit as one file, and the tools that make such files."""
