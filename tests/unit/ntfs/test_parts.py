"""Files of very many runs, over many extension records: what they cost, and their faults."""

from __future__ import annotations

import struct
import tracemalloc

import pytest

from tests.build.volume_edit import BITMAP, DATA, VolumeEditor
from tests.build.volume_parts import free_clusters, line, move_out, non_resident, put_extension, spread
from tests.unit.ntfs.volumes import attribute_offset, editor, opened, poke
from vdiskkit.errors import CorruptStructureError
from vdiskkit.io import GuardedSource, PageCache
from vdiskkit.ntfs import NtfsVolume

FILE = "many\\many entry number 00007"
OTHER = "many\\many entry number 00008"
MANY = 100_000


def huge() -> VolumeEditor:
    """A file of 100,000 runs of one cluster each; only a few clusters, again and again."""
    volume = editor("directory")
    free = free_clusters(volume)
    runs = [(free[number * 7 % 500], 1) for number in range(MANY)]
    listed_in = [(cluster, 1) for cluster in free[500:520]]
    spread(volume, FILE, runs, size=MANY * 4096, listed_in=listed_in, owned=False)
    for number, cluster in enumerate(free[:500]):
        volume.data[cluster * 4096 : cluster * 4096 + 2] = number.to_bytes(2, "little")
    return volume


def source_of(volume: NtfsVolume) -> GuardedSource:
    source = volume.source
    assert isinstance(source, GuardedSource)
    return source


def test_what_a_file_of_100000_runs_costs() -> None:
    """Looking it up and asking for its size reads the list, and none of its 1,112 extension records."""
    volume = opened(huge().data)
    budget = source_of(volume).budget
    volume = NtfsVolume(PageCache(volume.source))
    tracemalloc.start()
    try:
        file = volume.lookup(FILE)
        assert (file.size, file.has_stream(""), file.storage) == (MANY * 4096, True, ())
        assert [stream.size for stream in file.streams()] == [MANY * 4096]
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
        assert budget.spent_bytes < 200 << 10
    finally:
        tracemalloc.stop()
    source = file.open()
    assert budget.spent_bytes < (1112 + 400) * 1024  # 90 runs in each record, which is read once
    for number in (0, 77_777, MANY - 1):
        assert source.read_at(number * 4096, 2) == (number * 7 % 500).to_bytes(2, "little")
    assert len(source.runs()) == MANY


def small() -> tuple[VolumeEditor, list[int]]:
    """A file of 700 runs in 8 extension records, its list in the base record."""
    volume = editor("directory")
    runs = [(cluster, 1) for cluster in free_clusters(volume)[:1400:2]]
    return volume, spread(volume, FILE, runs, size=len(runs) * 4096 - 9)


def sole(
    runs: bytes, *, highest: int, flags: int = 0, sizes: tuple[int, int, int] = (1 << 20, 1 << 20, 1 << 20)
) -> bytes:
    """A volume whose file has one part with that runlist, in an extension record."""
    volume = editor("directory")
    (holder,) = spread(volume, FILE, [(2200, 256)], size=1 << 20)
    record = volume.record(holder)
    at = volume.find(record, DATA).offset
    block = bytearray(non_resident(DATA, 0, 0, [(2200, 256)], sizes))
    block = block[:64] + runs.ljust(24, b"\0")
    struct.pack_into("<I", block, 4, len(block))
    struct.pack_into("<H", block, 12, flags)
    struct.pack_into("<q", block, 24, highest)
    record[at : at + len(block) + 8] = block + b"\xff\xff\xff\xff\0\0\0\0"
    struct.pack_into("<I", record, 24, at + len(block) + 8)
    volume.put_record(holder, record)
    return bytes(volume.data)


@pytest.mark.parametrize(
    ("pairs", "highest", "message"),
    [
        ("20 9808 00", 255, "described by 0 and 2 bytes"),
        ("21 80 9808 00", 255, "-128 clusters"),
        ("21 00 9808 00", 255, "0 clusters"),
        ("12 0001 ff 00", 255, "covers clusters"),
        ("32 0001 ffff7f 00", 255, "covers clusters"),
        ("22 0001 9808", 255, "no end|described by|cut off|ends at VCN"),
        ("22 0001 9808 00", 256, "ends at VCN 0xff"),
        ("22 0001 9808 00", 254, "ends at VCN 0xff"),
    ],
)
def test_runlists_in_extension_records_are_checked_too(pairs: str, highest: int, message: str) -> None:
    volume = opened(sole(bytes.fromhex(pairs).ljust(24, b"\x0f" if pairs.endswith("9808") else b"\0"), highest=highest))
    with pytest.raises(CorruptStructureError, match=message):
        volume.lookup(FILE).open()


def test_a_hole_longer_than_the_volume() -> None:
    """Only a sparse file may have holes; it may be larger than the volume then, and is read in parts."""
    pairs = b"\x06" + (1 << 44).to_bytes(6, "little") + b"\0"
    size = (1 << 44) * 4096
    volume = opened(sole(pairs, highest=(1 << 44) - 1, sizes=(size, size, size)))
    with pytest.raises(CorruptStructureError, match="not sparse has a hole"):
        volume.lookup(FILE).open().read_at(0, 4096)
    sparse = opened(sole(pairs, highest=(1 << 44) - 1, flags=0x8000, sizes=(size, size, size)))
    assert sparse.lookup(FILE).open().read_at(size - 4096, 4096) == bytes(4096)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((1 << 20, (1 << 20) + 1, 0), "only 0x100000 bytes of clusters"),
        ((1 << 20, 1 << 63, 0), "only 0x100000 bytes of clusters"),
        ((1 << 20, 1 << 20, (1 << 20) + 1), "said to be written up to"),
    ],
)
def test_sizes_in_extension_records_are_checked_too(sizes: tuple[int, int, int], message: str) -> None:
    volume = opened(sole(bytes.fromhex("22 0001 9808 00"), highest=255, sizes=sizes))
    with pytest.raises(CorruptStructureError, match=message):
        volume.lookup(FILE).open()


# -- lists --------------------------------------------------------------------------------------------------------


def lines_at(volume: VolumeEditor) -> tuple[int, int]:
    """Where in the base record the lines begin, and how many bytes there are."""
    record = volume.record(volume.number(FILE))
    return volume.value(record, volume.find(record, 0x20))


def with_line(volume: VolumeEditor, index: int, new: bytes) -> bytes:
    """The volume with one line of the list, counted from the first of the content, replaced."""
    number = volume.number(FILE)
    record = volume.record(number)
    start, size = lines_at(volume)
    lines = [bytes(record[at : at + 32]) for at in range(start, start + size, 32)]
    first = next(at for at, one in enumerate(lines) if one[0] == DATA)
    record[start + 32 * (first + index) : start + 32 * (first + index + 1)] = new
    volume.put_record(number, record)
    return bytes(volume.data)


def test_the_same_part_twice() -> None:
    volume, extensions = small()
    again = line(DATA, 180, extensions[2], sequence(volume, extensions[2]), 0)
    with pytest.raises(CorruptStructureError, match="no part that starts at VCN 0x10e"):
        opened(with_line(volume, 3, again)).lookup(FILE).open()


def test_an_extension_that_says_it_belongs_to_another_extension() -> None:
    """Records that lead to each other in a circle are none of the file's, and nothing follows them."""
    volume, extensions = small()
    for one, other in ((extensions[1], extensions[2]), (extensions[2], extensions[1])):
        poke(volume, one, 32, "<Q", other | sequence(volume, other) << 48)
    with pytest.raises(CorruptStructureError, match="does not belong to this file"):
        opened(volume.data).lookup(FILE).open()


def test_a_list_that_names_itself_or_a_free_record() -> None:
    volume, extensions = small()
    number = volume.number(FILE)
    with pytest.raises(CorruptStructureError, match="names itself"):
        opened(with_line(volume, 0, line(0x20, 0, number, sequence(volume, number), 99))).lookup(FILE)
    volume, extensions = small()
    poke(volume, extensions[4], 22, "<H", 0)
    with pytest.raises(CorruptStructureError, match="does not belong to this file"):
        opened(volume.data).lookup(FILE).open()


def test_a_list_without_end_is_read_up_to_its_limit() -> None:
    """A list of a mebibyte of the same line ends at the second part, and nothing is read twice for it."""
    volume = editor("directory")
    start = next(one for one in free_clusters(volume) if set(range(one, one + 256)) <= set(free_clusters(volume)))
    (holder,) = spread(volume, FILE, [(2200, 16)], size=65536, listed_in=[(start, 256)])
    number = volume.number(FILE)
    at = attribute_offset(volume, number, 0x20)
    poke(volume, number, at + 48, "<QQ", 1 << 20, 1 << 20)
    repeated = line(DATA, 0, holder, sequence(volume, holder), 0)
    volume.data[start * 4096 + 96 : (start + 256) * 4096] = repeated * ((1 << 20) // 32 - 3)
    found = opened(volume.data, max_bytes=16 << 20, max_calls=2000)
    with pytest.raises(CorruptStructureError, match="no part that starts at VCN 0x10"):
        found.lookup(FILE).open()


def sequence(volume: VolumeEditor, number: int) -> int:
    return int(struct.unpack_from("<H", volume.record(number), 16)[0])


# -- $MFT ---------------------------------------------------------------------------------------------------------


def test_the_bitmap_of_the_table_in_an_extension_record() -> None:
    volume = editor("directory")
    move_out(volume, 0, BITMAP, 20)
    healed = opened(volume.data)
    bitmap = healed.mft.open(healed.mft.record(0), BITMAP)
    assert bitmap is not None
    assert bitmap.size * 8 >= healed.mft.record_count
    assert bitmap.read_at(0, 1) == b"\xff"
    assert sum(1 for _ in healed.listdir("many")) == 3000


@pytest.mark.parametrize(("holder", "message"), [(0, "names attribute 0xb0 in MFT record 0"), (5, "does not belong")])
def test_a_table_whose_bitmap_is_told_wrongly(holder: int, message: str) -> None:
    volume = editor("directory")
    extension = move_out(volume, 0, BITMAP, 20)
    record = volume.record(0)
    at = record.index(struct.pack("<Q", extension))
    own = struct.unpack_from("<H", volume.record(holder), 16)[0]
    struct.pack_into("<Q", record, at, holder | own << 48)
    volume.put_record(0, record)
    healed = opened(volume.data)
    with pytest.raises(CorruptStructureError, match=message):
        healed.mft.open(healed.mft.record(0), BITMAP)
    assert healed.lookup(OTHER).size == 0  # nothing that is read needs it


def test_put_extension_keeps_the_sequence_number() -> None:
    volume, extensions = small()
    before = sequence(volume, extensions[0])
    assert put_extension(volume, extensions[0], 5, non_resident(DATA, 0, 0, [(1, 1)], (0, 0, 0))) == before
