"""Reading a .pvp side-car and building it again, byte for byte.

No magic is public, so none is demanded: a file of at least 4,608 bytes is read, and what makes it implausible stands
in a list beside the values. Nothing here writes a file.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from vdiskkit.errors import CorruptStructureError, UnsupportedFeatureError
from vdiskkit.location import Location

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from vdiskkit.pvp.facts import PvpFacts, PvpProblem

__all__ = ["FIXED_SIZE", "LARGEST_SIZE", "Pvp", "read_pvp"]

FIXED_SIZE = 4608
"""Bytes of header and footer: the smallest side-car there can be."""

LARGEST_SIZE = 16 * 1024 * 1024
"""A larger file is no side-car: known ones have about half a mebibyte."""

_LARGEST_DISK = 64 << 40  # what VHDX allows
_PRIVATE = frozenset({0, 10})
_LAST_CACHE_TYPE = 12
_LICENSE_MODES = ("none", "mak", "kms")


class Pvp:
    """The properties side-car of one vDisk file.

    Attributes:
        fields: Every field of header and footer by its name in :mod:`vdiskkit.pvp.layout`: integers, or the raw bytes
            of texts and unknown areas.
        tail: What follows the footer, unchanged.
        location: The file, for messages.
    """

    def __init__(self, fields: Mapping[str, Any], tail: bytes, location: Location) -> None:
        self.fields = fields
        self.tail = tail
        self.location = location

    @classmethod
    def parse(cls, data: bytes, *, location: Location | None = None) -> Pvp:
        """Read a side-car from its bytes.

        Args:
            data: The whole file.
            location: Where the bytes are from, for errors.

        Raises:
            CorruptStructureError: Fewer than 4,608 bytes.
            UnsupportedFeatureError: More than 16 MiB.
        """
        location = location or Location("")
        _check_size(len(data), location)
        from vdiskkit.pvp.layout import FIXED

        parsed = FIXED.parse(data[:FIXED_SIZE])
        fields = {field.name: parsed[field.name] for field in FIXED.subcons}
        return cls(fields, bytes(data[FIXED_SIZE:]), location)

    def build(self) -> bytes:
        """Return the file's bytes, made from the fields and the tail: equal to what was parsed."""
        from vdiskkit.pvp.layout import FIXED

        fixed: bytes = FIXED.build(dict(self.fields))
        return fixed + self.tail

    @property
    def size(self) -> int:
        """File size in bytes."""
        return FIXED_SIZE + len(self.tail)

    @property
    def write_cache_type(self) -> int:
        """The write cache type number; its names are in :data:`vdiskkit.pvp.facts.WRITE_CACHE_TYPES`."""
        return int(self.fields["write_cache_type"])

    @property
    def mode(self) -> str:
        """``private`` (write cache type 0 or 10), ``standard``, or ``unknown`` for a number that has no meaning."""
        if self.write_cache_type in _PRIVATE:
            return "private"
        return "standard" if self.write_cache_type <= _LAST_CACHE_TYPE else "unknown"

    @property
    def license_mode(self) -> str:
        """``none``, ``mak``, ``kms``, or ``unknown`` for another number."""
        number = int(self.fields["license_mode"])
        return _LICENSE_MODES[number] if number < len(_LICENSE_MODES) else "unknown"

    @property
    def total_sectors(self) -> int:
        """Disk size in sectors, from its low and high part."""
        return int(self.fields["total_sectors_low"]) | int(self.fields["total_sectors_high"]) << 32

    @property
    def disk_size_bytes(self) -> int | None:
        """Disk size in bytes; None when the sector size is not 512 or 4096, or when no disk can be that large."""
        sector_size = int(self.fields["sector_size"])
        if sector_size not in {512, 4096} or self.total_sectors > _LARGEST_DISK // sector_size:
            return None
        return self.total_sectors * sector_size

    def text(self, name: str) -> str:
        """Return a text field up to its end mark. Lone surrogates stay in it; it is untrusted.

        Raises:
            KeyError: There is no such field.
        """
        raw: bytes = self.fields[name]
        return decode_text(raw)[0]

    @cached_property
    def problems(self) -> tuple[PvpProblem, ...]:
        """What makes this file implausible as a side-car; empty when all fields make sense."""
        from vdiskkit.pvp.plausibility import find_problems

        return find_problems(self)

    def facts(self) -> PvpFacts:
        """Return all fields as typed facts."""
        from vdiskkit.pvp.describe import describe

        return describe(self)

    def __repr__(self) -> str:
        return f"Pvp({str(self.location)!r}, mode={self.mode!r}, license_mode={self.license_mode!r})"


def decode_text(raw: bytes) -> tuple[str, bytes | None]:
    """Split a UTF-16LE field into its text and what stands behind the end mark (None without an end mark)."""
    end = raw.find(b"\0\0")
    while end >= 0 and end % 2:
        end = raw.find(b"\0\0", end + 1)
    text = raw[:end] if end >= 0 else raw
    return text.decode("utf-16-le", "surrogatepass"), raw[end + 2 :] if end >= 0 else None


def read_pvp(path: str | os.PathLike[str]) -> Pvp:
    """Read the side-car at ``path``.

    Raises:
        SourceError: The file cannot be opened or read.
        CorruptStructureError: It has fewer than 4,608 bytes.
        UnsupportedFeatureError: It has more than 16 MiB.
    """
    from vdiskkit.io.paths import open_source

    with open_source(path) as source:
        _check_size(source.size, source.location)
        return Pvp.parse(source.read_at(0, source.size), location=source.location)


def _check_size(size: int, location: Location) -> None:
    if size < FIXED_SIZE:
        raise CorruptStructureError(
            f"not a .pvp side-car: {size} bytes, header and footer alone take {FIXED_SIZE}",
            location=location,
            hint="copy the .pvp again from the PVS server; without it PVS loses licence mode and cache type",
        )
    if size > LARGEST_SIZE:
        raise UnsupportedFeatureError(
            f"not a .pvp side-car: {size} bytes, larger than {LARGEST_SIZE}",
            location=location,
            hint="name the .pvp file, not the disk",
        )
