"""Growing an attribute: inside its clusters, with more clusters, or out of its record.

The order is that of formats whose half states are harmless: zeros first, where nothing is visible yet; then the bits
in $Bitmap and new extension records, a leak at worst; then the record that makes the new size and runlist true.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import WriteRefusedError
from vdiskkit.ntfs.record import COMPRESSION_MASK, DATA, ENCRYPTED, SPARSE
from vdiskkit.ntfs.runs import Run, parse_runs
from vdiskkit.patch.ntfs.content import AttributeContent
from vdiskkit.patch.ntfs.layout import Sizes, non_resident_attribute
from vdiskkit.patch.ntfs.mapping import encode_runs, merge_runs, pieces
from vdiskkit.patch.ntfs.records import FileRecords
from vdiskkit.patch.ntfs.surgery import (
    put_value,
    replace_attribute,
    replace_pairs,
    room,
    set_sizes,
    value_offset,
)
from vdiskkit.patch.staging import SECTOR, Phase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.patch.ntfs.records import HeldAttribute, RecordStore
    from vdiskkit.patch.ntfs.space import ClusterSpace
    from vdiskkit.patch.ntfs.spread import Spread

__all__ = ["Growth", "grow", "write_initialized"]

_MAX_SIZE = 1 << 40
"""Beyond every hive, whose offsets have 32 bits: what asks for more does not mean it."""
_CHUNK = 1 << 20


class Growth(NamedTuple):
    """What growing did.

    Attributes:
        taken: (offset, length) in bytes of the volume of the clusters that were added to the stream.
        allocated_size: Bytes of clusters now, 0 for a resident stream.
        data_size: Bytes now.
        records: Extension records that were added.
        freed: (offset, length) of clusters that are free now: an attribute list lay there.
    """

    taken: tuple[tuple[int, int], ...]
    allocated_size: int
    data_size: int
    records: tuple[int, ...] = ()
    freed: tuple[tuple[int, int], ...] = ()


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
        WriteRefusedError: Sparse, compressed or encrypted; no room on the volume, or in the record and no free one; or
            smaller.
        CorruptStructureError: The attribute is damaged.
    """
    records = FileRecords(store, number)
    content = AttributeContent.of(store, records, kind, name)
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
        return _grow_resident(store, space, records, content, size, what)
    cluster_size = store.boot.cluster_size
    chosen: list[tuple[int, int]] = []
    spread = None
    missing = -(-size // cluster_size) - content.allocated // cluster_size
    if missing > 0:
        last = content.runs[-1] if content.runs else None
        chosen = space.choose(missing, None if last is None or last.lcn is None else last.lcn + last.clusters)
        if not _put_pairs(store, content.parts[-1], chosen, trial=True):
            spread = _spread(store, space, records, content, chosen, size, what)
    runs = merge_runs(content.runs, chosen)
    _zero(store, runs, content.attribute.initialized_size, _up_to_sector(size, runs, cluster_size))
    first = content.first
    # Where sizes and runs stand in two records, the runs come first, and their bits before them: sizes that promise
    # more than there is would make the file unreadable.
    apart = spread is None and content.parts[-1].record != first.record
    space.claim(chosen, Phase.DATA if apart else Phase.CLAIM)
    added: tuple[int, ...] = ()
    if spread is not None:
        added = spread.run()
        first = AttributeContent(store, FileRecords(store, number).find(kind, name)).first
    elif chosen:
        _put_pairs(store, content.parts[-1], chosen, trial=False, early=apart)
    allocated = (runs[-1].vcn + runs[-1].clusters) * cluster_size if runs else 0
    record = store.load(first.record)
    set_sizes(record, first.offset, allocated, size, size)
    store.store(first.record, record, Phase.LINK)
    return Growth(_bytes(store, chosen), allocated, size, added, _freed(store, space, spread))


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


def _grow_resident(
    store: RecordStore, space: ClusterSpace, records: FileRecords, content: AttributeContent, size: int, what: str
) -> Growth:
    held = content.first
    record = store.load(held.record)
    value = held.attribute.value
    start = value_offset(record, held.offset) - held.offset
    if ((start + size + 7) & ~7) - held.length <= room(record):
        put_value(record, held.offset, value.ljust(size, b"\0"), store.where(held.record))
        store.store(held.record, record, Phase.LINK)
        return Growth((), 0, size)
    return _move_out(store, space, records, content, size, what)


def _move_out(
    store: RecordStore, space: ClusterSpace, records: FileRecords, content: AttributeContent, size: int, what: str
) -> Growth:
    """Make a resident attribute non-resident."""
    held, attribute = content.first, content.attribute
    cluster_size = store.boot.cluster_size
    chosen = space.choose(-(-size // cluster_size), None)
    runs = merge_runs((), chosen)
    sizes = Sizes((runs[-1].vcn + runs[-1].clusters) * cluster_size, size, size)
    block = non_resident_attribute(attribute.type, attribute.name, attribute.flags, attribute.instance, runs, sizes)
    record = store.load(held.record)
    spread = None
    if len(block) - held.length > room(record):
        spread = _spread(store, space, records, content, chosen, size, what)
    done = 0
    value = attribute.value.ljust(size, b"\0")
    for place, part in pieces(runs, cluster_size, 0, size):
        store.source.write_at(place or 0, value[done : done + part], Phase.DATA)
        done += part
    _zero(store, runs, size, _up_to_sector(size, runs, cluster_size))
    space.claim(chosen)
    added: tuple[int, ...] = ()
    if spread is not None:
        added = spread.run()
    else:
        replace_attribute(record, held.offset, block, store.where(held.record))
        store.store(held.record, record, Phase.LINK)
    return Growth(_bytes(store, chosen), sizes.allocated, size, added, _freed(store, space, spread))


def _put_pairs(
    store: RecordStore, held: HeldAttribute, chosen: Sequence[tuple[int, int]], *, trial: bool, early: bool = False
) -> bool:
    """Write the longer runlist, or only see whether it fits, while nothing has been written yet."""
    where = store.where(held.record)
    record = store.load(held.record)
    runs = merge_runs(parse_runs(held.attribute, store.boot.total_clusters, where), chosen)
    pairs = encode_runs(runs)
    start = struct.unpack_from("<H", record, held.offset + 32)[0]
    if ((start + len(pairs) + 7) & ~7) - held.length > room(record):
        return False
    if not trial:
        replace_pairs(record, held.offset, pairs, runs[-1].vcn + runs[-1].clusters - 1, where)
        store.store(held.record, record, Phase.CLAIM if early else Phase.LINK, early=early)
    return True


def _spread(
    store: RecordStore,
    space: ClusterSpace,
    records: FileRecords,
    content: AttributeContent,
    chosen: Sequence[tuple[int, int]],
    size: int,
    what: str,
) -> Spread:
    """Prepare extension records for the runs that the stream's own record has no room for."""
    from vdiskkit.patch.ntfs.spread import Spread  # rarely needed

    held = content.parts[-1]
    if held.attribute.type != DATA:
        left = room(store.load(held.record))
        raise WriteRefusedError(
            f"the runlist of {what} no longer fits its MFT record, which has {left} bytes left",
            location=store.where(held.record),
            hint="free some space inside Windows",
        )
    runs = merge_runs(content.runs, chosen)
    end = runs[-1].vcn + runs[-1].clusters
    if records.listed:
        # The last run stays as it is, though the first new one may follow it on the volume.
        vcn = content.allocated // store.boot.cluster_size
        runs = []
        for lcn, clusters in chosen:
            runs.append(Run(vcn, lcn, clusters))
            vcn += clusters
    sizes = Sizes(end * store.boot.cluster_size, size, size)
    return Spread(store, space, records, held, runs, sizes, taken=chosen, what=what)


def _freed(store: RecordStore, space: ClusterSpace, spread: Spread | None) -> tuple[tuple[int, int], ...]:
    if spread is None or not spread.freed:
        return ()
    space.release(spread.freed)
    return _bytes(store, spread.freed)


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


def _bytes(store: RecordStore, chosen: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    cluster_size = store.boot.cluster_size
    return tuple((first * cluster_size, count * cluster_size) for first, count in chosen)
