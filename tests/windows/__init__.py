"""What only Windows can show: its paths, its sharing of files, its code pages, and the same answers as on Linux."""
