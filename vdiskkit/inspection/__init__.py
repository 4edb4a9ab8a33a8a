"""Gathering: everything known about a vDisk pair, as frozen facts."""
