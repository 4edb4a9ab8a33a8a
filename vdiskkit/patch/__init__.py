"""Changing a vDisk: staged on a copy-on-write overlay, verified, journaled, applied, verified, and taken back.

This is the only package that writes. Everything below it is read-only by type.
"""
