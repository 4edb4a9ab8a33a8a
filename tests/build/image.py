"""Disk images for tests, in pure Python: a base volume, what a test wants inside, a partition table around it.

    raw = build_image("win10", hives={"SOFTWARE": software_hive(...)}, files={"Windows/explorer.exe": b"MZ..."})
    vhd = build_vhd("dynamic", len(raw), content=raw)          # tests.build.vhd

Paths use ``/`` or a backslash. Nothing is created: files and folders are those of the base
(``make_base_volumes.py`` lists them), and content must fit into what the base has allocated.
"""

from __future__ import annotations

import functools
import lzma
import struct
import uuid
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.build.volume_edit import Names, VolumeEditor
from tests.build.volume_remove import remove

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence

MIB = 1 << 20
BASE_FOLDER = Path(__file__).parent.parent / "data" / "base"
DISK_SIGNATURE = 0x1C2D3E4F
_NAMESPACE = uuid.UUID("b3a7a3c2-1de0-4f1b-9d4e-5a0c7f6e1d20")

BASIC_DATA = uuid.UUID("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7")
EFI_SYSTEM = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
MICROSOFT_RESERVED = uuid.UUID("e3c9e316-0b5c-4db8-817d-f92df00215ae")
LINUX_DATA = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")


class PartitionSpec(NamedTuple):
    """One partition to be: its bytes and how the table describes it."""

    data: bytes | bytearray
    mbr_type: int = 7
    gpt_type: uuid.UUID = BASIC_DATA
    name: str = "Basic data partition"
    active: bool = False


@functools.lru_cache(maxsize=4)
def _base(name: str) -> bytes:
    return lzma.decompress((BASE_FOLDER / f"{name}.ntfs.xz").read_bytes())


@functools.cache
def _names(name: str) -> Names:
    editor = VolumeEditor(bytearray(_base(name)))
    return Names(editor.paths, editor.extensions)


def load_volume(base: str) -> VolumeEditor:
    """A fresh, changeable copy of a base volume."""
    names = _names(base)
    return VolumeEditor(bytearray(_base(base)), Names(dict(names.paths), names.extensions))


def build_volume(
    base: str = "win10",
    *,
    hives: Mapping[str, bytes] | None = None,
    files: Mapping[str, bytes] | None = None,
    times: Mapping[str, dt.datetime] | None = None,
    renames: Mapping[str, str] | None = None,
    removed: Iterable[str] = (),
    volume_flags: int = 0,
    edit: Callable[[VolumeEditor], object] | None = None,
) -> bytearray:
    """Return one NTFS volume.

    Args:
        base: Name of a base volume.
        hives: Content of files in ``Windows\\System32\\config``. The file keeps its allocated size, as Windows grows
            hives in large steps: what follows the hive bins is zero.
        files: Content by path; the file gets the size of the content.
        times: Modification time by path; the other three times are set to the same.
        renames: New last name by path; it must be as long as the old one and sort to the same place, such as
            ``{".../tokens.dat": "tokens.bar"}``, what Microsoft's own instruction does.
        removed: Files and folders to delete.
        volume_flags: 1 is "dirty".
        edit: Called last with the editor, for anything else.
    """
    editor = load_volume(base)
    for name, content in (hives or {}).items():
        path = f"Windows\\System32\\config\\{name}"
        editor.write(path, content.ljust(editor.size(path), b"\0"))
    for path, content in (files or {}).items():
        editor.write(path.replace("/", "\\"), content)
    for path, when in (times or {}).items():
        editor.set_times(path.replace("/", "\\"), modified=when)
    for path, name in (renames or {}).items():
        editor.rename(path.replace("/", "\\"), name)
    for path in removed:
        remove(editor, path)
    if volume_flags:
        editor.set_volume_flags(volume_flags)
    if edit is not None:
        edit(editor)
    return editor.data


def build_image(
    base: str = "win10",
    *,
    hives: Mapping[str, bytes] | None = None,
    files: Mapping[str, bytes] | None = None,
    times: Mapping[str, dt.datetime] | None = None,
    renames: Mapping[str, str] | None = None,
    removed: Iterable[str] = (),
    volume_flags: int = 0,
    edit: Callable[[VolumeEditor], object] | None = None,
    table: str = "mbr",
    sector_size: int = 512,
) -> bytes:
    """Return a raw disk with one volume; see :func:`build_volume` and :func:`build_disk`."""
    data = build_volume(
        base,
        hives=hives,
        files=files,
        times=times,
        renames=renames,
        removed=removed,
        volume_flags=volume_flags,
        edit=edit,
    )
    return build_disk([PartitionSpec(data, active=True)], table=table, sector_size=sector_size)


def build_disk(
    partitions: Sequence[PartitionSpec | bytes | bytearray], *, table: str = "mbr", sector_size: int = 512
) -> bytes:
    """Put partitions on a disk, the first at 1 MiB, each on a multiple of 1 MiB, 1 MiB free at the end.

    Args:
        partitions: Their content in order.
        table: ``mbr``; ``extended``, an MBR where all but the first (or the only one) are logical partitions; ``gpt``;
            ``none``, the one partition from byte 0.
        sector_size: 512 or 4096.
    """
    specs = [one if isinstance(one, PartitionSpec) else PartitionSpec(one) for one in partitions]
    if table == "none":
        (spec,) = specs
        data = bytearray(spec.data)
        _set_hidden_sectors(data, 0, len(data), 0)
        return bytes(data)
    starts, at = [], MIB
    for index, spec in enumerate(specs):
        if table == "extended" and (index or len(specs) == 1):
            at += MIB  # the extended boot record lies in front of its partition
        starts.append(at)
        at += -(-len(spec.data) // MIB) * MIB
    disk = bytearray(at + MIB)
    for start, spec in zip(starts, specs, strict=True):
        disk[start : start + len(spec.data)] = spec.data
        _set_hidden_sectors(disk, start, len(spec.data), start // sector_size)
    placed = list(zip(starts, specs, strict=True))
    if table == "gpt":
        _write_gpt(disk, placed, sector_size)
    elif table == "extended":
        first_logical = 1 if len(placed) > 1 else 0
        _write_extended(disk, placed[:first_logical], placed[first_logical:], sector_size)
    else:
        assert table == "mbr"
        _write_mbr(disk, [_mbr_entry(start, spec, sector_size) for start, spec in placed], DISK_SIGNATURE)
    return bytes(disk)


def _set_hidden_sectors(disk: bytearray, start: int, size: int, hidden: int) -> None:
    """A boot sector says where its partition begins; so does its copy in the partition's last sector."""
    if disk[start + 3 : start + 11] == b"NTFS    ":
        sector = struct.unpack_from("<H", disk, start + 11)[0]
        for at in (start, start + size - sector):
            struct.pack_into("<I", disk, at + 28, hidden)


def _mbr_entry(start: int, spec: PartitionSpec, sector: int, base: int = 0) -> bytes:
    # Cylinder, head and sector are "beyond", as on every disk that is addressed by block.
    beyond = b"\xfe\xff\xff"
    place = struct.pack("<II", (start - base) // sector, len(spec.data) // sector)
    return bytes([0x80 if spec.active else 0]) + beyond + bytes([spec.mbr_type]) + beyond + place


def _write_mbr(disk: bytearray, entries: Iterable[bytes], signature: int, at: int = 0) -> None:
    struct.pack_into("<I", disk, at + 440, signature)
    table = b"".join(entries).ljust(64, b"\0")
    disk[at + 446 : at + 512] = table + b"\x55\xaa"


def _write_extended(
    disk: bytearray,
    primary: list[tuple[int, PartitionSpec]],
    logical: list[tuple[int, PartitionSpec]],
    sector: int,
) -> None:
    first = logical[0][0] - MIB
    end = len(disk) - MIB
    container = PartitionSpec(memoryview(disk)[first:end].tobytes(), mbr_type=0x0F)
    entries = [_mbr_entry(start, spec, sector) for start, spec in primary]
    _write_mbr(disk, [*entries, _mbr_entry(first, container, sector)], DISK_SIGNATURE)
    for index, (start, spec) in enumerate(logical):
        record = start - MIB
        entries = [_mbr_entry(start, spec, sector, base=record)]
        if index + 1 < len(logical):
            following, after = logical[index + 1]
            link = PartitionSpec(bytes(MIB + len(after.data)), mbr_type=0x05)
            entries.append(_mbr_entry(following - MIB, link, sector, base=first))
        _write_mbr(disk, entries, 0, record)


def _write_gpt(disk: bytearray, placed: list[tuple[int, PartitionSpec]], sector: int) -> None:
    last = len(disk) // sector - 1
    protective = b"\0\0\x02\0\xee\xff\xff\xff" + struct.pack("<II", 1, min(last, 0xFFFFFFFF))
    _write_mbr(disk, [protective], 0)
    entries = b"".join(
        spec.gpt_type.bytes_le
        + uuid.uuid5(_NAMESPACE, f"partition {number}").bytes_le
        + struct.pack("<QQQ", start // sector, (start + len(spec.data)) // sector - 1, 0)
        + spec.name.encode("utf-16-le").ljust(72, b"\0")
        for number, (start, spec) in enumerate(placed)
    ).ljust(128 * 128, b"\0")
    span = len(entries) // sector
    first_usable, last_usable = 2 + span, last - 1 - span
    for here, other, table_at in ((1, last, 2), (last, 1, last - span)):
        header = struct.pack(
            "<8sIIIIQQQQ16sQIII",
            b"EFI PART",
            0x00010000,
            92,
            0,
            0,
            here,
            other,
            first_usable,
            last_usable,
            uuid.uuid5(_NAMESPACE, "disk").bytes_le,
            table_at,
            128,
            128,
            zlib.crc32(entries),
        )
        header = header[:16] + struct.pack("<I", zlib.crc32(header)) + header[20:]
        disk[here * sector : here * sector + len(header)] = header
        disk[table_at * sector : table_at * sector + len(entries)] = entries
