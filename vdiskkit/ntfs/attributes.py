"""Values of resident attributes: times, $STANDARD_INFORMATION, $FILE_NAME, reparse points."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError
from vdiskkit.ntfs.record import FileReference

if TYPE_CHECKING:
    from vdiskkit.location import Location

__all__ = [
    "FileName",
    "ReparsePoint",
    "StandardInformation",
    "parse_file_name",
    "parse_reparse_point",
    "parse_standard_information",
    "time_from_filetime",
]

MAX_REPARSE_DATA = 16 * 1024 + 8  # MAXIMUM_REPARSE_DATA_BUFFER_SIZE and its header

SYMLINK = 0xA000000C
MOUNT_POINT = 0xA0000003
WOF = 0x80000017

_TAG_NAMES = {
    0x80000007: "single instance storage (SIS)",
    0x80000008: "WIM mount",
    0x80000009: "cluster shared volume",
    0x8000000A: "DFS",
    0x80000012: "DFS replication",
    0x80000013: "data deduplication",
    0x80000014: "NFS special file",
    0x80000016: "Dev Drive or file placeholder",
    WOF: "Windows Overlay Filter (WOF) compression",
    0x80000018: "Windows container isolation",
    0x8000001B: "app execution alias",
    0x80000023: "Unix socket",
    0x80000024: "Linux named pipe",
    0x80000025: "Linux character device",
    0x80000026: "Linux block device",
    0x9000001C: "projected file system",
    0xA0000019: "global reparse point",
    0xA000001D: "Linux symbolic link",
    0xA0000027: "WCI link",
    0xC0000004: "hierarchical storage (HSM)",
    0x80000006: "hierarchical storage (HSM2)",
    SYMLINK: "symbolic link",
    MOUNT_POINT: "junction or mount point",
}
_CLOUD_MASK, _CLOUD = 0xFFFF0FFF, 0x9000001A
_WOF_ALGORITHMS = {0: "XPRESS4K", 1: "LZX", 2: "XPRESS8K", 3: "XPRESS16K"}

_FILE_NAME = struct.Struct("<QQQQQQQIIBB")
_STANDARD = struct.Struct("<QQQQI")
_REPARSE = struct.Struct("<IHH")
_LINK = struct.Struct("<HHHH")
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_LAST_FILETIME = 2650467743999999999  # 9999-12-31T23:59:59.9999999, the last that datetime can tell


class FileName(NamedTuple):
    """A $FILE_NAME: one name of a file in one directory. Sizes and times are copies and may be out of date."""

    parent: FileReference
    created: int
    modified: int
    changed: int
    accessed: int
    allocated_size: int
    size: int
    attributes: int
    reparse_tag: int
    namespace: int
    name: str


class StandardInformation(NamedTuple):
    """$STANDARD_INFORMATION: times as FILETIME (100 ns since 1601, UTC) and file attributes."""

    created: int
    modified: int
    changed: int
    accessed: int
    attributes: int


class ReparsePoint(NamedTuple):
    """What a reparse point says.

    Attributes:
        tag: The reparse tag.
        target: Where a symbolic link or junction leads (substitute name), None for other tags.
        relative: Whether the target counts from the folder of the link.
        detail: More about it, such as the compression algorithm of WOF.
    """

    tag: int
    target: str | None
    relative: bool
    detail: str | None

    @property
    def tag_name(self) -> str:
        """What the tag stands for."""
        if self.tag & _CLOUD_MASK == _CLOUD:
            return "cloud file (OneDrive and the like)"
        return _TAG_NAMES.get(self.tag, f"reparse tag {self.tag:#010x}")

    @property
    def is_cloud(self) -> bool:
        """Whether a cloud provider keeps the file."""
        return self.tag & _CLOUD_MASK == _CLOUD


def time_from_filetime(filetime: int) -> datetime | None:
    """Convert 100-ns ticks since 1601 to an aware datetime, truncated to microseconds.

    Returns:
        None for 0, which NTFS uses for "not set", and for times that a datetime cannot hold.
    """
    if not 0 < filetime <= _LAST_FILETIME:
        return None
    return _EPOCH + timedelta(microseconds=filetime // 10)


def parse_file_name(value: bytes, location: Location) -> FileName:
    """Decode a $FILE_NAME value or index key.

    Raises:
        CorruptStructureError: The name lies outside of the value.
    """
    if len(value) >= _FILE_NAME.size:
        parent, *times_and_sizes, length, namespace = _FILE_NAME.unpack_from(value)
        end = _FILE_NAME.size + 2 * length
        if length and end <= len(value):
            created, modified, changed, accessed, allocated, size, attributes, tag = times_and_sizes
            name = value[_FILE_NAME.size : end].decode("utf-16-le", "surrogatepass")
            return FileName(
                FileReference.decode(parent),
                created,
                modified,
                changed,
                accessed,
                allocated,
                size,
                attributes,
                tag,
                namespace,
                name,
            )
    raise CorruptStructureError("a file name is damaged: it lies outside of its attribute", location=location)


def parse_standard_information(value: bytes, location: Location) -> StandardInformation:
    """Decode a $STANDARD_INFORMATION value.

    Raises:
        CorruptStructureError: It is too short.
    """
    if len(value) < _STANDARD.size:
        raise CorruptStructureError(f"$STANDARD_INFORMATION has only {len(value)} bytes", location=location)
    return StandardInformation(*_STANDARD.unpack_from(value))


def parse_reparse_point(value: bytes, location: Location) -> ReparsePoint:
    """Decode a $REPARSE_POINT value (MS-FSCC 2.1.2).

    Raises:
        CorruptStructureError: Lengths inside do not fit.
    """
    if len(value) < _REPARSE.size:
        raise CorruptStructureError(f"a reparse point has only {len(value)} bytes", location=location)
    tag, length, _ = _REPARSE.unpack_from(value)
    data = value[_REPARSE.size : _REPARSE.size + length]
    if len(data) < length:
        raise CorruptStructureError(f"a reparse point has {len(data)} bytes of {length}", location=location)
    if tag in (SYMLINK, MOUNT_POINT):
        target, relative = _link_target(data, tag == SYMLINK, location)
        return ReparsePoint(tag, target, relative, None)
    detail = None
    if tag == WOF and len(data) >= 16:
        provider, algorithm = struct.unpack_from("<I4xI", data, 4)
        detail = _WOF_ALGORITHMS.get(algorithm, f"algorithm {algorithm}") if provider == 2 else "WIM-backed"
    return ReparsePoint(tag, None, False, detail)  # noqa: FBT003 - a named tuple in its order


def _link_target(data: bytes, symlink: bool, location: Location) -> tuple[str, bool]:  # noqa: FBT001 - private
    header = 12 if symlink else 8
    if len(data) < header:
        raise CorruptStructureError(f"a link has only {len(data)} bytes", location=location)
    offset, length, _, _ = _LINK.unpack_from(data)
    relative = symlink and bool(data[8] & 1)
    start = header + offset
    if not length or length % 2 or start + length > len(data):
        raise CorruptStructureError("the target of a link lies outside of its reparse point", location=location)
    return data[start : start + length].decode("utf-16-le", "surrogatepass"), relative
