"""The files around a disk: side-car, locks, versions and merged bases, export manifest."""

from vdiskkit.pair.folder import disk_for_sidecar, read_pair
from vdiskkit.pair.versions import Identity

__all__ = ["Identity", "disk_for_sidecar", "read_pair"]
