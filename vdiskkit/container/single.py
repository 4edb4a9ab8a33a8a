"""Opening one VHD or VHDX file, without its parents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import ChecksumError, CorruptStructureError, FormatError, UnsupportedFeatureError

if TYPE_CHECKING:
    from vdiskkit.container.detect import Probe
    from vdiskkit.container.disk import VirtualDisk

__all__ = ["open_single"]

_HINTS = (
    ((ChecksumError, CorruptStructureError), "the file is damaged or was cut; copy it again from its source"),
    ((UnsupportedFeatureError,), "convert a copy of it in Hyper-V (Convert-VHD), or with the program that made it"),
)
"""What to do where the error itself does not say it."""


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
    try:
        return _open(probe, path, as_parent=as_parent)
    except FormatError as exc:
        exc.hint = exc.hint or next((hint for kinds, hint in _HINTS if isinstance(exc, kinds)), None)
        raise


def _open(probe: Probe, path: str | None, *, as_parent: bool) -> VirtualDisk:
    if probe.is_vhdx:
        from vdiskkit.container.vhdx.disk import VhdxDisk

        return VhdxDisk(probe, path, glance=as_parent)
    from vdiskkit.container.vhd.disk import open_vhd

    return open_vhd(probe, path)
