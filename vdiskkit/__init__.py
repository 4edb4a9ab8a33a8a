"""vdiskkit: look inside Citrix Provisioning (PVS) vDisks without mounting them."""

from vdiskkit._version import __version__

__all__ = ["__version__"]
