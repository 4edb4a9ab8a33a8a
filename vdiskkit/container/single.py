"""Opening one VHD or VHDX file, without its parents."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vdiskkit.container.detect import Probe
    from vdiskkit.container.disk import VirtualDisk

__all__ = ["open_single"]


def open_single(probe: Probe, path: str | None, *, as_parent: bool = False) -> VirtualDisk:
    """Open a file that is one of the two by content. Only the code of its own format is loaded.

    Args:
        probe: Head and tail of the file.
        path: The file, as the user named it; None for a file object without a name.
        as_parent: Leave to :meth:`VirtualDisk.check_rest` what costs much and does not change how the disk is read.

    Raises:
        FormatError: The file contradicts itself.
        SourceError: The operating system could not read.
    """
    if probe.is_vhdx:
        from vdiskkit.container.vhdx import VhdxDisk

        return VhdxDisk(probe, path, glance=as_parent)
    from vdiskkit.container.vhd import open_vhd

    return open_vhd(probe, path)
