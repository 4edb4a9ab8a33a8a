"""Raw images: the file is the disk. Only taken when the user or the file's extension says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.container.disk import Extent, ExtentKind, VirtualDisk
from vdiskkit.container.vhd.layout import SECTOR_SIZE
from vdiskkit.errors import UnknownFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.container.detect import Probe
    from vdiskkit.container.facts import ContainerFacts

__all__ = ["RawDisk"]


class RawDisk(VirtualDisk):
    """A raw image.

    Raises:
        UnknownFormatError: The file holds less than one sector.
    """

    format = "raw"
    subformat = "fixed"

    def __init__(self, probe: Probe, path: str | None) -> None:
        size = probe.source.size
        if size < SECTOR_SIZE:
            raise UnknownFormatError(
                f"this is no disk: the file holds only {size} bytes, less than one sector",
                location=probe.location,
                hint="copy the file again from its source and compare the sizes",
            )
        super().__init__(probe.source, path, size)
        if size % SECTOR_SIZE:
            self.notice(
                "raw.size_unaligned",
                f"the length of {size} bytes is no multiple of 512: the file may have been cut",
                probe.location,
            )
        if probe.is_vhdx or probe.is_vhd:
            name = "VHDX" if probe.is_vhdx else "VHD"
            self.notice(
                "raw.other_format",
                f"the content is {name}, but it is read as raw because that was asked for",
                probe.location,
            )

    def map(self, offset: int, length: int) -> Iterator[Extent]:
        """Yield where the bytes of a virtual range are; see :meth:`VirtualDisk.map`."""
        self.check_range(offset, length)
        if length:
            yield Extent(offset, length, ExtentKind.FILE, offset)

    def facts(self) -> ContainerFacts:
        """Return what is known about the file."""
        from vdiskkit.container.facts import ContainerFacts

        return ContainerFacts(
            format=self.format,
            type=self.subformat,
            virtual_size=self.size,
            file_size=self.source.size,
            sector_size=self.sector_size,
        )
