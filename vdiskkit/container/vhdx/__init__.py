"""The VHDX format, read."""
