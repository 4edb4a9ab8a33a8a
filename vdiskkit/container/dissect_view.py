"""A VHD or VHDX through the eyes of dissect.hypervisor, as second opinion on what this package reads or has written."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any, cast

from vdiskkit.io import GuardedSource, ReadBudget, SourceFile

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.container.disk import VirtualDisk
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["open_with_dissect", "read_with_dissect"]

_PACKAGE = "dissect.hypervisor"
_FEATURES_BEFORE_END = 512 - 11  # the lowest byte of four in big-endian order, behind the cookie
_RESERVED = 2


def open_with_dissect(source: ByteSource, budget: ReadBudget) -> Any:  # noqa: ANN401 - dissect has no type information
    """Open a fixed or dynamic VHD; dissect cannot look through a differencing one.

    Args:
        source: The file.
        budget: How much may be read: dissect checks little of what the file says.

    Returns:
        A ``dissect.hypervisor.disk.vhd.VHD``, a readable and seekable file object. It raises what dissect raises.
    """
    _put_off_other_formats()
    from dissect.hypervisor.disk.vhd import VHD

    return VHD(SourceFile(GuardedSource(_WithReservedFeature(source), budget)))


def read_with_dissect(source: ByteSource, disk: VirtualDisk, budget: ReadBudget) -> Callable[[int, int], bytes] | None:
    """Return a function that reads (offset, length) of a fixed or dynamic VHD or VHDX.

    Args:
        source: The file.
        disk: The same file as we see it.
        budget: How much may be read.

    Returns:
        The function; None when dissect cannot open the file: it does not know all that a VHDX may hold.
    """
    if disk.format == "vhd":
        vhd = open_with_dissect(source, budget)

        def read(offset: int, length: int) -> bytes:
            vhd.seek(offset)
            return cast("bytes", vhd.read(length))

        return read
    _put_off_other_formats()
    from dissect.hypervisor.disk.vhdx import VHDX

    try:
        vhdx = VHDX(SourceFile(GuardedSource(source, budget)))
    except KeyError:  # of a metadata item of another program
        return None
    size, block_size = disk.sector_size, disk.block_size or disk.size

    def read_by_blocks(offset: int, length: int) -> bytes:
        """Read whole sectors of one block at a time: what crosses blocks, dissect reads wrongly."""
        parts, at, end = [], offset - offset % size, offset + length
        while at < end:
            part = min(block_size - at % block_size, -(-(end - at) // size) * size)
            parts.append(vhdx.read_sectors(at // size, part // size))
            at += part
        return b"".join(parts)[offset % size :][:length]

    return read_by_blocks


class _WithReservedFeature:
    """A VHD whose footer has the reserved feature set: dissect takes the footer of any other for one of 511 bytes."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._at = source.size - _FEATURES_BEFORE_END

    @property
    def size(self) -> int:
        return self._source.size

    @property
    def location(self) -> Location:
        return self._source.location

    def read_at(self, offset: int, length: int) -> bytes:
        data = self._source.read_at(offset, length)
        if not offset <= self._at < offset + length:
            return data
        changed = bytearray(data)
        changed[self._at - offset] |= _RESERVED
        return bytes(changed)


def _put_off_other_formats() -> None:
    """Have the package's own imports happen at the first use of one of its names, not with its VHD module.

    They are the readers of a dozen other formats, and take as long as a whole change of a disk. Whoever imports the
    package meets all of its names as ever.
    """
    if _PACKAGE in sys.modules:
        return
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.loader is None:
        return
    module, loader = importlib.util.module_from_spec(spec), spec.loader

    def load(name: str) -> object:
        vars(module).pop("__getattr__", None)
        loader.exec_module(module)
        return getattr(module, name)

    cast("Any", module).__getattr__ = load
    sys.modules[_PACKAGE] = module
    parent, _, name = _PACKAGE.rpartition(".")
    setattr(sys.modules[parent], name, module)  # as an import does
