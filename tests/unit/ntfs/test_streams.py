from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

import pytest

from tests.unit.ntfs.volumes import NAMES, attribute_offset, editor, guarded, judged, opened, patch_record, poke
from vdiskkit.errors import CorruptStructureError, FileMissingError, UnsupportedFeatureError
from vdiskkit.io import BytesSource
from vdiskkit.location import Location
from vdiskkit.ntfs import NtfsVolume, Run
from vdiskkit.ntfs.attributes import parse_reparse_point
from vdiskkit.ntfs.streams import CompressedSource, NonResidentSource

if TYPE_CHECKING:
    from tests.build.volume_edit import VolumeEditor

WHERE = Location("x")
SPARSE_FLAG, ENCRYPTED_FLAG = 0x8000, 0x4000


@pytest.mark.parametrize("name", NAMES)
def test_contents_equal_what_ntfs_3g_read(name: str) -> None:
    volume = opened(name)
    for path, expected in judged(name).items():
        if isinstance(expected, int):
            assert sum(1 for _ in volume.listdir(path)) == expected
            continue
        source = volume.lookup(path).open()
        content = source.read_at(0, source.size)
        assert [len(content), hashlib.sha256(content).hexdigest()[:32]] == expected, path
    assert volume.notices == ()


@pytest.mark.parametrize(
    ("path", "storage"),
    [
        ("resident.txt", ("resident",)),
        ("sparse.bin", ("sparse",)),
        ("packed\\text.log", ("compressed",)),
        ("plain.bin", ()),
        ("Windows", ()),
    ],
)
def test_storage(path: str, storage: tuple[str, ...]) -> None:
    assert opened("basic").lookup(path).storage == storage


def test_sizes_on_disk() -> None:
    volume = opened("basic")
    sparse = volume.lookup("sparse.bin")
    assert (sparse.size, sparse.allocated_size) == (2 * (1 << 20) + 3, 16384)
    assert volume.lookup("resident.txt").allocated_size == 0
    assert volume.lookup("plain.bin").allocated_size == 40960
    assert 0 < volume.lookup("packed\\text.log").allocated_size < 200 * 1024
    assert volume.lookup("packed\\zeros.bin").allocated_size == 0


def test_what_was_never_written_reads_as_zeros() -> None:
    """Behind the initialized size the disk still holds what other files left there."""
    volume = editor("basic")
    volume.set_size("plain.bin", 40 * 1024, initialized=1000)
    source = opened(volume.data).lookup("plain.bin").open()
    start, _ = volume.runs("plain.bin")[0]
    assert any(volume.data[start + 1000 : start + 40960])
    assert source.size == 40 * 1024
    assert source.read_at(0, source.size) == bytes(volume.data[start : start + 1000]) + bytes(39960)
    assert source.read_at(990, 20) == bytes(volume.data[start + 990 : start + 1000]) + bytes(10)
    assert source.read_at(5000, 100) == bytes(100)
    assert source.read_at(40960, 0) == b""


def test_a_range_outside_is_refused() -> None:
    source = opened("basic").lookup("plain.bin").open()
    for offset, length in ((40960, 1), (-1, 1), (0, 40961), (1 << 60, 1)):
        with pytest.raises(CorruptStructureError, match="points outside"):
            source.read_at(offset, length)


def test_runs_tell_where_the_clusters_lie() -> None:
    volume = opened("basic")
    source = volume.lookup("plain.bin").open()
    ((vcn, lcn, clusters),) = source.runs()
    assert (vcn, clusters) == (0, 10)
    assert lcn is not None
    assert volume.source.read_at(lcn * 4096, 100) == source.read_at(0, 100)
    assert volume.lookup("resident.txt").open().runs() == ()
    holes = [run for run in volume.lookup("sparse.bin").open().runs() if run.lcn is None]
    assert holes


def test_neighbouring_clusters_are_read_together() -> None:
    data = guarded(bytes(range(256)) * 64)
    runs = [Run(0, 2, 1), Run(1, 3, 2), Run(3, 9, 1), Run(4, None, 1), Run(5, 5, 3)]
    source = NonResidentSource(data, runs, 512, 8 * 512 - 9, 8 * 512 - 9, holes=True, location=WHERE)
    whole = source.read_at(0, source.size)
    assert data.budget.spent_calls == 3  # two neighbours, one apart, one behind the hole
    expected = data.read_at(1024, 1536) + data.read_at(9 * 512, 512) + bytes(512) + data.read_at(5 * 512, 1536)
    assert whole == expected[: source.size]


def test_a_hole_in_a_stream_that_is_not_sparse() -> None:
    volume = editor("basic")
    number = volume.number("sparse.bin")
    poke(volume, number, attribute_offset(volume, number, 0x80) + 12, "<H", 0)
    source = opened(volume.data).lookup("sparse.bin").open()
    assert source.read_at(0, 100)
    with pytest.raises(CorruptStructureError, match="has a hole at byte"):
        source.read_at(0, source.size)


# -- named streams


def test_alternate_data_streams() -> None:
    volume = opened("basic")
    file = volume.lookup("streams\\host.txt")
    assert [(stream.name, stream.size) for stream in file.streams()] == [
        ("", 18),
        ("Zone.Identifier", 26),
        ("large", 20 * 1024),
    ]
    assert file.open("zone.identifier").read_at(0, 14) == b"[ZoneTransfer]"
    by_path = volume.lookup("Streams\\HOST.txt:ZONE.identifier:$DATA")
    assert (by_path.stream, by_path.size) == ("ZONE.identifier", 26)
    assert by_path.open().size == 26
    assert by_path.open("").read_at(0, 3) == b"the"
    assert str(by_path.open().location).endswith("stream:Zone.Identifier")
    assert volume.lookup("streams\\host.txt::$DATA").size == 18
    assert volume.lookup("streams:folder note").open().read_at(0, 8) == b"a stream"
    assert volume.find("streams\\host.txt:none") is None
    with pytest.raises(FileMissingError, match="no stream none"):
        volume.lookup("streams\\host.txt:none")
    with pytest.raises(FileMissingError, match="no stream 'none'"):
        file.open("none")


# -- content that is not in the clusters


def with_reparse(tag: int, data: bytes = b"") -> VolumeEditor:
    """``will be wof.dll`` as a reparse point: the last attribute of its record becomes the buffer's neighbour."""
    volume = editor("basic")
    number = volume.number("will be wof.dll")
    buffer = struct.pack("<IHH", tag, len(data), 0) + data
    value = buffer.ljust((len(buffer) + 7) // 8 * 8, b"\0")
    attribute = struct.pack("<IIBBHHHIHH", 0xC0, 24 + len(value), 0, 0, 0, 0, 50, len(buffer), 24, 0) + value

    def add(record: bytearray) -> None:
        used = struct.unpack_from("<I", record, 24)[0]
        record[used - 8 : used - 8 + len(attribute) + 8] = attribute + b"\xff\xff\xff\xff\0\0\0\0"
        struct.pack_into("<I", record, 24, used + len(attribute))

    patch_record(volume, number, add)
    return volume


WOF_LZX = struct.pack("<IIII", 1, 2, 1, 1)


@pytest.mark.parametrize(
    ("tag", "data", "message"),
    [
        (0x80000017, WOF_LZX, r"Windows Overlay Filter \(WOF, LZX\)"),
        (0x80000017, struct.pack("<IIII", 1, 2, 1, 0), r"WOF, XPRESS4K"),
        (0x80000017, struct.pack("<IIII", 1, 2, 1, 9), r"WOF, algorithm 9"),
        (0x80000017, struct.pack("<IIII", 1, 1, 0, 0), r"WOF, WIM-backed"),
        (0x80000017, b"", r"\(WOF\)"),
        (0x80000013, b"", "data deduplication"),
        (0x80000007, b"", "single instance storage"),
        (0xC0000004, b"", "hierarchical storage"),
        (0x12345678, b"", "reparse tag 0x12345678"),
    ],
)
def test_content_elsewhere_is_named_and_never_read_as_zeros(tag: int, data: bytes, message: str) -> None:
    file = opened(with_reparse(tag, data).data).lookup("will be wof.dll")
    with pytest.raises(UnsupportedFeatureError, match=message) as caught:
        file.open()
    assert caught.value.exit_code == 5
    assert ("wof" if tag == 0x80000017 else "reparse") in file.storage
    assert file.size == 30 * 1024


@pytest.mark.parametrize(
    ("flags", "attributes", "readable"),
    [(0, 0x420, True), (SPARSE_FLAG, 0x620, False), (0, 0x401420, False), (0, 0x40420, False)],
)
def test_a_cloud_file_is_readable_when_it_is_here(flags: int, attributes: int, readable: bool) -> None:
    volume = with_reparse(0x9000601A)
    number = volume.number("will be wof.dll")
    poke(volume, number, attribute_offset(volume, number, 0x80) + 12, "<H", flags)
    poke(volume, number, attribute_offset(volume, number, 0x10) + 24 + 32, "<I", attributes)
    file = opened(volume.data).lookup("will be wof.dll")
    if readable:
        assert file.open().read_at(0, 8) == b"wof line"
    else:
        with pytest.raises(UnsupportedFeatureError, match="cloud file"):
            file.open()


def test_encrypted() -> None:
    volume = editor("basic")
    number = volume.number("plain.bin")
    poke(volume, number, attribute_offset(volume, number, 0x80) + 12, "<H", ENCRYPTED_FLAG)
    file = opened(volume.data).lookup("plain.bin")
    assert file.storage == ("encrypted",)
    with pytest.raises(UnsupportedFeatureError, match=r"plain.bin is encrypted \(EFS\)"):
        file.open()


def test_unknown_compression() -> None:
    volume = editor("basic")
    number = volume.number("plain.bin")
    poke(volume, number, attribute_offset(volume, number, 0x80) + 12, "<H", 7)
    with pytest.raises(UnsupportedFeatureError, match="unknown method 7"):
        opened(volume.data).lookup("plain.bin").open()


@pytest.mark.parametrize("size", [0, 7])
def test_short_reparse_points(size: int) -> None:
    with pytest.raises(CorruptStructureError, match=f"only {size} bytes"):
        parse_reparse_point(bytes(size), WHERE)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (struct.pack("<IHH", 0xA000000C, 40, 0) + bytes(39), "39 bytes of 40"),
        (struct.pack("<IHH", 0xA000000C, 4, 0) + bytes(4), "only 4 bytes"),
        (struct.pack("<IHHHHHHI", 0xA000000C, 12, 0, 0, 0, 0, 0, 0), "target of a link"),
        (struct.pack("<IHHHHHHI", 0xA000000C, 12, 0, 0, 2, 0, 0, 0), "target of a link"),
        (struct.pack("<IHHHHHHI", 0xA000000C, 12, 0, 0xFFFF, 2, 0, 0, 0), "target of a link"),
        (struct.pack("<IHHHHHHI", 0xA000000C, 13, 0, 0, 1, 0, 0, 0) + b"x", "target of a link"),
    ],
)
def test_damaged_links(data: bytes, message: str) -> None:
    with pytest.raises(CorruptStructureError, match=message):
        parse_reparse_point(data, WHERE)


def test_a_reparse_point_of_gigabytes() -> None:
    volume = with_reparse(0x80000017, WOF_LZX)
    number = volume.number("will be wof.dll")
    # The stream's runlist taken for the reparse point's: sizes are checked before anything is read.
    at = attribute_offset(volume, number, 0xC0)

    def swap(record: bytearray) -> None:
        data = volume.find(record, 0x80).offset
        record[data : data + 4] = struct.pack("<I", 0xC0)
        struct.pack_into("<I", record, at, 0x100)

    patch_record(volume, number, swap)
    with pytest.raises(CorruptStructureError, match="reparse point of 30720 bytes"):
        opened(volume.data).lookup("will be wof.dll")


# -- LZNT1


def compressed(packed: bytes, *, size: int = 65536, clusters: int | None = None) -> CompressedSource:
    stored = clusters if clusters is not None else (len(packed) + 4095) // 4096
    runs = [Run(0, 0, stored), Run(stored, None, 16 - stored)]
    data = BytesSource(packed.ljust(stored * 4096, b"\0"))
    return CompressedSource(data, runs, 4096, size, size, unit_shift=4, location=WHERE)


def test_chunks() -> None:
    literal = struct.pack("<H", 0x3000 | 4095) + bytes(range(256)) * 16
    run = struct.pack("<H", 0xB000 | 3) + b"\x02A" + struct.pack("<H", 4092)  # A, then 4095 times the byte before
    source = compressed(literal + run, size=8192)
    assert source.read_at(0, 8192) == bytes(range(256)) * 16 + b"A" * 4096
    assert source.read_at(4090, 10) == bytes(range(250, 256)) + b"AAAA"


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (b"\0\0", "chunk 0 has an impossible header"),  # a lost cluster is not a run of zeros
        (struct.pack("<H", 0x8003) + b"\x02A\0\0", "impossible header"),
        (struct.pack("<H", 0xB003) + b"\x01" + struct.pack("<H", 0x123) + b"A", "reference out of bounds"),
        (struct.pack("<H", 0xB003) + b"\x02A" + struct.pack("<H", 0x1FFF), "reference out of bounds"),
        (struct.pack("<H", 0xB003) + b"\x02A" + struct.pack("<H", 4093), "reference out of bounds"),
        (struct.pack("<H", 0xB001) + b"\x01\x00", "is cut off"),
        (struct.pack("<H", 0xB004) + b"\x02A" + struct.pack("<H", 4092) + b"B", "more than 4096 bytes"),
        (struct.pack("<H", 0x3000 | 4093) + b"A" * 4094, "yields 0x1000 bytes of 0x10000"),
    ],
)
def test_damaged_chunks(packed: bytes, message: str) -> None:
    with pytest.raises(CorruptStructureError, match=message):
        compressed(packed).read_at(0, 65536)


def test_an_explicit_end_is_zeros() -> None:
    literal = struct.pack("<H", 0x3000 | 4095) + b"z" * 4096
    assert compressed(literal).read_at(0, 65536) == b"z" * 4096 + bytes(61440)


def test_a_unit_that_goes_on_behind_its_hole() -> None:
    runs = [Run(0, 0, 2), Run(2, None, 10), Run(12, 2, 4)]
    source = CompressedSource(BytesSource(bytes(6 * 4096)), runs, 4096, 65536, 65536, unit_shift=4, location=WHERE)
    with pytest.raises(CorruptStructureError, match="goes on behind the hole"):
        source.read_at(0, 10)


def test_an_impossible_compression_unit() -> None:
    volume = editor("basic")
    number = volume.number("packed\\text.log")
    poke(volume, number, attribute_offset(volume, number, 0x80) + 34, "<B", 60)
    with pytest.raises(CorruptStructureError, match="compression unit of 2"):
        opened(volume.data).lookup("packed\\text.log").open()


def test_small_steps_decompress_a_unit_once() -> None:
    volume = opened("basic")
    assert isinstance(volume, NtfsVolume)
    source = volume.lookup("packed\\text.log").open()
    source.read_at(0, 10)
    before = volume.source.budget.spent_calls  # type: ignore[attr-defined]
    for offset in range(0, 60_000, 1000):
        source.read_at(offset, 1000)
    assert volume.source.budget.spent_calls == before  # type: ignore[attr-defined]
