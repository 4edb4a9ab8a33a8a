"""The versions of a vDisk as a chain: every file from the named one down to its base, and what lies beside it."""

from vdiskkit.chain.read import read_chain

__all__ = ["read_chain"]
