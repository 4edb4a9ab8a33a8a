"""The VHDX format, written."""
