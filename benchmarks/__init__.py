"""How fast vdiskkit is and how little it reads; see README.md in this folder."""
