"""Growing an attribute: inside its clusters, with more clusters, or out of its record.

The order is that of formats whose half states are harmless: zeros first, where nothing is visible yet; then the bits
in $Bitmap, a leak at worst; then the record that makes the new size and runlist true.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import WriteRefusedError
from vdiskkit.ntfs.record import COMPRESSION_MASK, ENCRYPTED, SPARSE
from vdiskkit.ntfs.runs import Run, parse_runs
from vdiskkit.patch.ntfs.content import AttributeContent
from vdiskkit.patch.ntfs.mapping import encode_runs, merge_runs, pieces
from vdiskkit.patch.ntfs.records import FileRecords
from vdiskkit.patch.ntfs.surgery import put_value, replace_attribute, replace_pairs, room, set_sizes
from vdiskkit.patch.staging import SECTOR, Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.location import Location
    from vdiskkit.patch.ntfs.records import HeldAttribute, RecordStore
    from vdiskkit.patch.ntfs.space import ClusterSpace

__all__ = ["Growth", "grow", "write_initialized"]

_MAX_SIZE = 1 << 40
_CHUNK = 1 << 20
_NON_RESIDENT = struct.Struct("<IIBBHHHqqHB5xQQQ")
_NON_RESIDENT_SIZE = 64


class Growth(NamedTuple):
    """What growing did: clusters taken as (offset, length) in bytes of the volume, and allocated and data size now."""

    taken: tuple[tuple[int, int], ...]
    allocated_size: int
    data_size: int


def grow(store: RecordStore, space: ClusterSpace, number: int, kind: int, name: str, size: int, *, what: str) -> Growth:
    """Make an attribute ``size`` bytes long; the new part is zeros and counts as initialized.

    Args:
        store: The records of the volume.
        space: Its clusters.
        number: The file's base record.
        kind: Type of the attribute.
        name: Its name.
        size: The new size in bytes, not below the old one.
        what: What grows, for messages.

    Raises:
        WriteRefusedError: Sparse, compressed or encrypted; no room in the record or on the volume; or smaller.
        CorruptStructureError: The attribute is damaged.
    """
    content = AttributeContent.of(store, FileRecords(store, number), kind, name)
    where = store.where(number)
    if content is None:
        raise WriteRefusedError(f"{what} has no attribute {kind:#x} to grow", location=where)
    if not content.size <= size <= _MAX_SIZE:
        raise WriteRefusedError(f"{what} has {content.size} bytes and cannot grow to {size}", location=where)
    for flag, form in ((SPARSE, "sparse"), (COMPRESSION_MASK, "compressed"), (ENCRYPTED, "encrypted (EFS)")):
        if content.attribute.flags & flag:
            raise WriteRefusedError(
                f"{what} is {form}, so it cannot grow here", location=where, hint="change it inside Windows"
            )
    if content.resident:
        return _grow_resident(store, space, content, size, what)
    old_runs, chosen = content.runs, list[tuple[int, int]]()
    missing = _clusters(store, size) - content.allocated // store.boot.cluster_size
    if missing > 0:
        last = old_runs[-1] if old_runs else None
        chosen = space.choose(missing, None if last is None or last.lcn is None else last.lcn + last.clusters)
        _put_pairs(store, content.parts[-1], chosen, what, trial=True)
    runs = merge_runs(old_runs, chosen)
    _zero(store, runs, content.attribute.initialized_size, _up_to_sector(size, runs, store.boot.cluster_size))
    if chosen:
        space.claim(chosen)
        _put_pairs(store, content.parts[-1], chosen, what, trial=False)
    return _finish(store, content.first, runs, size, chosen)


def write_initialized(store: RecordStore, number: int, kind: int, name: str, end: int) -> None:
    """Zero what was never written up to ``end``, inside the data size, and count it as initialized."""
    content = AttributeContent.of(store, FileRecords(store, number), kind, name)
    if content is None or content.resident or content.attribute.initialized_size >= end:
        return
    _zero(store, content.runs, content.attribute.initialized_size, end)
    held = content.first
    record = store.load(held.record)
    set_sizes(record, held.offset, held.attribute.allocated_size, held.attribute.data_size, end)
    store.store(held.record, record, Phase.LINK)


def _finish(
    store: RecordStore, first: HeldAttribute, runs: Sequence[Run], size: int, chosen: Sequence[tuple[int, int]]
) -> Growth:
    cluster_size = store.boot.cluster_size
    allocated = (runs[-1].vcn + runs[-1].clusters) * cluster_size if runs else 0
    record = store.load(first.record)
    set_sizes(record, first.offset, allocated, size, size)
    store.store(first.record, record, Phase.LINK)
    return Growth(_bytes(chosen, cluster_size), allocated, size)


def _grow_resident(store: RecordStore, space: ClusterSpace, content: AttributeContent, size: int, what: str) -> Growth:
    held = content.first
    record = store.load(held.record)
    value = held.attribute.value
    start = struct.unpack_from("<H", record, held.offset + 20)[0]
    if ((start + size + 7) & ~7) - held.length <= room(record):
        put_value(record, held.offset, value.ljust(size, b"\0"), store.where(held.record))
        store.store(held.record, record, Phase.LINK)
        return Growth((), 0, size)
    return _move_out(store, space, held, size, what)


def _move_out(store: RecordStore, space: ClusterSpace, held: HeldAttribute, size: int, what: str) -> Growth:
    """Make a resident attribute non-resident."""
    cluster_size = store.boot.cluster_size
    chosen = space.choose(_clusters(store, size), None)
    runs = merge_runs((), chosen)
    allocated = _clusters(store, size) * cluster_size
    attribute = held.attribute
    name = attribute.name.encode("utf-16-le", "surrogatepass")
    pairs_at = (_NON_RESIDENT_SIZE + len(name) + 7) & ~7
    pairs = encode_runs(runs)
    length = (pairs_at + len(pairs) + 7) & ~7
    header = _NON_RESIDENT.pack(
        attribute.type,
        length,
        1,
        len(name) // 2,
        _NON_RESIDENT_SIZE,
        attribute.flags,
        attribute.instance,
        0,
        allocated // cluster_size - 1,
        pairs_at,
        0,
        allocated,
        size,
        size,
    )
    block = (header + name).ljust(pairs_at, b"\0") + pairs
    record = store.load(held.record)
    _refuse_unless(length - held.length <= room(record), record, what, store.where(held.record))
    replace_attribute(record, held.offset, block.ljust(length, b"\0"), store.where(held.record))
    done = 0
    content = attribute.value.ljust(size, b"\0")
    for place, part in pieces(runs, cluster_size, 0, size):
        store.source.write_at(place or 0, content[done : done + part], Phase.DATA)
        done += part
    _zero(store, runs, size, _up_to_sector(size, runs, cluster_size))
    space.claim(chosen)
    store.store(held.record, record, Phase.LINK)
    return Growth(_bytes(chosen, cluster_size), allocated, size)


def _put_pairs(
    store: RecordStore, held: HeldAttribute, chosen: Sequence[tuple[int, int]], what: str, *, trial: bool
) -> None:
    """Write the longer runlist, or only see whether it fits, while nothing has been written yet."""
    where = store.where(held.record)
    record = store.load(held.record)
    runs = merge_runs(parse_runs(held.attribute, store.boot.total_clusters, where), chosen)
    pairs = encode_runs(runs)
    start = struct.unpack_from("<H", record, held.offset + 32)[0]
    _refuse_unless(((start + len(pairs) + 7) & ~7) - held.length <= room(record), record, what, where)
    if not trial:
        replace_pairs(record, held.offset, pairs, _highest(runs), where)
        store.store(held.record, record, Phase.LINK)


def _refuse_unless(fits: bool, record: bytearray, what: str, where: Location) -> None:  # noqa: FBT001 - private
    if not fits:
        raise WriteRefusedError(
            f"the runlist of {what} no longer fits its MFT record, which has {room(record)} bytes left; a new "
            "extension record would be needed",
            location=where,
            hint="defragment the file or free some space inside Windows",
        )


def _highest(runs: Sequence[Run]) -> int:
    return runs[-1].vcn + runs[-1].clusters - 1


def _zero(store: RecordStore, runs: Sequence[Run], start: int, end: int) -> None:
    """Write zeros over a range of a stream, hole or not allocated yet excluded by the caller."""
    offset = start
    for place, length in pieces(runs, store.boot.cluster_size, start, end - start) if end > start else ():
        if place is None:
            raise WriteRefusedError(f"the stream has a hole at {offset:#x}", location=store.location)
        for done in range(0, length, _CHUNK):
            store.source.write_at(place + done, bytes(min(_CHUNK, length - done)), Phase.DATA)
        offset += length


def _up_to_sector(size: int, runs: Sequence[Run], cluster_size: int) -> int:
    """The end of the sector that holds the last byte: what is stale behind it is zeroed too."""
    end = (runs[-1].vcn + runs[-1].clusters) * cluster_size if runs else 0
    return min(-(-size // SECTOR) * SECTOR, end)


def _clusters(store: RecordStore, size: int) -> int:
    return -(-size // store.boot.cluster_size)


def _bytes(chosen: Sequence[tuple[int, int]], cluster_size: int) -> tuple[tuple[int, int], ...]:
    return tuple((first * cluster_size, count * cluster_size) for first, count in chosen)
