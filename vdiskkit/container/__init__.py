"""Containers: VHD and VHDX files and raw images as virtual disks with one block map."""

from vdiskkit.container.disk import DiskNotice, Extent, ExtentKind, VirtualDisk
from vdiskkit.container.opener import open_container

__all__ = ["DiskNotice", "Extent", "ExtentKind", "VirtualDisk", "open_container"]
