"""The VHD format, read."""
