"""Writers of containers: each turns writes to a virtual disk into staged writes to its file."""
