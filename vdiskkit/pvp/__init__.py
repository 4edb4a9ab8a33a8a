"""The .pvp properties side-car of a vDisk: every field read, every unknown byte kept."""

from vdiskkit.pvp.sidecar import Pvp, read_pvp

__all__ = ["Pvp", "read_pvp"]
