"""The Windows installation inside a volume: its hives, files, versions and PVS target software."""
