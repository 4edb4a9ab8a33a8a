from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.unit.ntfs import volumes
from tests.unit.patch.ntfs.staged import Staged, contents, without
from vdiskkit.errors import CorruptStructureError, FileMissingError, VDiskError, WriteRefusedError
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from vdiskkit.ntfs import NtfsVolume

DATA = 0x80
NOW = 132_000_000_000_000_000


def read(volume: NtfsVolume, path: str) -> bytes:
    source = volume.lookup(path).open()
    return source.read_at(0, source.size)


def hole_free(lcn: int | None) -> int:
    assert lcn is not None
    return lcn


def test_overwriting_changes_no_metadata() -> None:
    staged = Staged("basic", now=NOW)
    before = contents(staged.volume)
    stream = staged.editor.open_stream("windows/system32/config/software")
    expected = bytearray(read(staged.volume, "Windows\\System32\\config\\SOFTWARE"))
    stream.write_at(4090, b"0123456789", Phase.LINK)
    expected[4090:4100] = b"0123456789"
    assert stream.read_at(4080, 30) == expected[4080:4110]
    assert read(staged.volume, "Windows\\System32\\config\\SOFTWARE") == expected
    place = hole_free(staged.volume.lookup(stream.path).open().runs()[0].lcn) * 4096
    assert [(change.phase, change.offset) for change in staged.changes] == [(Phase.LINK, place + 7 * 512)]
    after = contents(staged.volume)
    assert without(after, stream.path) == without(before, stream.path)
    staged.check()


def test_a_resident_stream_is_overwritten_in_its_record() -> None:
    staged = Staged("basic")
    stream = staged.editor.open_stream("resident.txt")
    stream.write_at(6, b"CONTENT", Phase.LINK)
    assert read(staged.volume, "resident.txt") == b"short CONTENT stays in the record"
    assert stream.read_at(0, stream.size) == b"short CONTENT stays in the record"
    assert stream.extents() == []
    staged.check()


def test_named_streams() -> None:
    staged = Staged("basic")
    large = staged.editor.open_stream("streams\\host.txt:LARGE")
    large.write_at(5000, b"changed", Phase.DATA)
    small = staged.editor.open_stream("streams\\host.txt:Zone.Identifier")
    small.grow(300)
    small.write_at(290, b"the end", Phase.LINK)
    assert large.path == "streams\\host.txt"
    volume = staged.volume
    assert volume.lookup("streams\\host.txt").open("large").read_at(5000, 7) == b"changed"
    assert volume.lookup("streams\\host.txt").open("Zone.Identifier").read_at(285, 15) == bytes(5) + b"the end" + bytes(
        3
    )
    assert volume.lookup("streams\\host.txt").size == 18
    staged.check()


def test_a_stream_in_many_runs_over_extension_records() -> None:
    staged = Staged("fragmented")
    content = bytearray(read(staged.volume, "scattered.bin"))
    stream = staged.editor.open_stream("scattered.bin")
    patch = bytes(range(256)) * 1200
    stream.write_at(100_001, patch, Phase.DATA)
    content[100_001 : 100_001 + len(patch)] = patch
    assert read(staged.volume, "scattered.bin") == content
    staged.check()


def test_writing_behind_the_initialized_size_zeroes_the_gap() -> None:
    editor = volumes.editor("basic")
    editor.set_size("plain.bin", 40960, 10_000)
    start = editor.runs("plain.bin")[0][0]
    editor.data[start + 10_000 : start + 40_960] = b"\xee" * 30_960
    staged = Staged(editor.data)
    stream = staged.editor.open_stream("plain.bin")
    assert stream.read_at(9_990, 20)[10:] == bytes(10)
    stream.write_at(20_000, b"far", Phase.DATA)
    expected = bytes(10_000) + b"far" + bytes(20_957)
    assert read(staged.volume, "plain.bin")[10_000:] == expected
    attribute = staged.volume.mft.record(editor.number("plain.bin")).first(DATA)
    assert attribute is not None
    assert attribute.initialized_size == 20_003
    staged.check()


def test_sparse_files_are_written_where_they_have_clusters() -> None:
    staged = Staged("basic")
    stream = staged.editor.open_stream("sparse.bin")
    stream.write_at(10, b"here", Phase.DATA)
    assert read(staged.volume, "sparse.bin")[10:14] == b"here"
    with pytest.raises(WriteRefusedError, match=r"sparse\.bin is sparse and has no clusters"):
        stream.write_at(500_000, b"there", Phase.DATA)
    with pytest.raises(WriteRefusedError, match=r"sparse\.bin is sparse"):
        stream.grow(stream.size + 1)
    staged.check()


def retag(staged: Staged, tag: int) -> None:
    """Make a link to nowhere another kind of reparse point."""
    store = staged.editor.store
    number = staged.volume.lookup("jumps\\dangling", follow=False).record_number
    held = next(one for one in store.attributes(number) if one.attribute.type == 0xC0)
    record = store.load(number)
    start = held.offset + struct.unpack_from("<H", record, held.offset + 20)[0]
    struct.pack_into("<IHHIIII", record, start, tag, 16, 0, 1, 2, 1, 0)
    struct.pack_into("<I", record, held.offset + 16, 24)
    store.store(number, record, Phase.LINK)


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("nowhere", FileMissingError, "no file"),
        ("links", FileMissingError, "is a directory"),
        ("plain.bin:none", FileMissingError, "no stream"),
        ("packed\\text.log", WriteRefusedError, r"packed\\text\.log is compressed by NTFS \(LZNT1\)"),
        ("$MFT", WriteRefusedError, r"\$MFT is part of NTFS itself"),
        ("$Bitmap", WriteRefusedError, r"\$Bitmap is part of NTFS itself"),
        ("jumps\\dangling", WriteRefusedError, r"Windows Overlay Filter \(WOF\)"),
    ],
)
def test_refusals(path: str, error: type[VDiskError], message: str) -> None:
    staged = Staged("basic")
    retag(staged, 0x80000017)
    staged = Staged(staged.after)
    with pytest.raises(error, match=message):
        staged.editor.open_stream(path)
    assert not staged.changes


@pytest.mark.parametrize(
    ("tag", "message"), [(0x80000013, "data deduplication"), (0x9000601A, "cloud file"), (0x80001234, "0x80001234")]
)
def test_other_reparse_points_are_refused_by_name(tag: int, message: str) -> None:
    staged = Staged("basic")
    retag(staged, tag)
    with pytest.raises(WriteRefusedError, match=rf"jumps\\dangling is a reparse point: .*{message}"):
        Staged(staged.after).editor.open_stream("jumps\\dangling")


@pytest.mark.parametrize(
    ("flags", "message"), [(0x4000, r"encrypted \(EFS\)"), (0x0002, "compressed by unknown method 2")]
)
def test_encrypted_and_oddly_compressed_files_are_refused(flags: int, message: str) -> None:
    editor = volumes.editor("basic")
    number = editor.number("plain.bin")
    volumes.poke(editor, number, volumes.attribute_offset(editor, number, DATA) + 12, "<H", flags)
    with pytest.raises(WriteRefusedError, match=message):
        Staged(editor.data).editor.open_stream("plain.bin")


def test_nothing_outside_of_a_stream_is_touched() -> None:
    stream = Staged("basic").editor.open_stream("plain.bin")
    for offset, length in ((stream.size, 1), (-1, 1), (stream.size - 1, 2)):
        with pytest.raises(CorruptStructureError, match="reaches outside"):
            stream.write_at(offset, bytes(length), Phase.DATA)
        with pytest.raises(CorruptStructureError, match="reaches outside"):
            stream.read_at(offset, length)


# -- growing ------------------------------------------------------------------------------------------------------


def test_growing_inside_the_clusters_zeroes_what_was_there() -> None:
    editor = volumes.editor("basic")
    editor.set_size("Windows\\System32\\config\\SYSTEM", 5000, 4500)
    start = editor.runs("Windows\\System32\\config\\SYSTEM")[0][0]
    editor.data[start + 4500 : start + 12_288] = b"\xee" * 7788
    staged = Staged(editor.data, now=NOW)
    before = contents(staged.volume)
    stream = staged.editor.open_stream("Windows\\System32\\config\\SYSTEM")
    assert stream.allocated_size == 12_288
    grown = stream.grow(9000)
    assert (grown.old_size, grown.size, grown.taken) == (5000, 9000, ())
    assert stream.size == 9000
    content = read(staged.volume, stream.path)
    assert len(content) == 9000
    assert content[4500:] == bytes(4500)
    assert staged.after[start + 9000 : start + 9216] == bytes(216)  # up to the end of the sector
    assert without(contents(staged.volume), stream.path) == without(before, stream.path)
    assert staged.volume.lookup(stream.path).standard_information.modified == NOW
    staged.check()


def test_sizes_follow_in_every_name_and_index() -> None:
    staged = Staged("basic")
    grown = staged.editor.open_stream("links\\second.txt").grow(200_000)
    assert sorted(grown.names) == ["original.txt", "second.txt", "third.txt"]
    volume = staged.volume
    for path in ("links", "Windows"):
        for entry in volume.listdir(path):
            if entry.name in grown.names:
                assert (entry.size, entry.allocated_size) == (200_000, grown.allocated_size)
    for name in volume.lookup("links\\second.txt").names():
        assert (name.size, name.allocated_size) == (200_000, grown.allocated_size)
    staged.check()


def test_growing_takes_clusters_right_behind_the_last_one_where_it_can() -> None:
    staged = Staged("basic")
    space = staged.editor.space
    stream = staged.editor.open_stream("plain.bin")
    content = read(staged.volume, "plain.bin")
    offset, length = stream.extents()[-1]
    follows = space._free_from((offset + length) // 4096, 20, [])
    grown = stream.grow(stream.allocated_size + (follows + 3) * 4096 - 1)
    if follows:
        assert grown.taken[0][0] == offset + length
    assert sum(size for _, size in grown.taken) == (follows + 3) * 4096
    assert read(staged.volume, "plain.bin") == content.ljust(stream.size, b"\0")
    phases = {change.phase for change in staged.changes}
    assert phases <= {Phase.DATA, Phase.CLAIM, Phase.LINK}
    assert Phase.CLAIM in phases
    staged.check()


def test_new_clusters_lie_where_they_are_preferred() -> None:
    asked: list[int] = []

    def prefer(offset: int, length: int) -> bool:
        asked.append(offset)
        return offset >= 12 << 20

    staged = Staged("basic", prefer=prefer)
    grown = staged.editor.open_stream("resident.txt").grow(100_000)
    assert asked
    assert all(offset >= 12 << 20 for offset, _ in grown.taken)
    staged.check()


def test_old_disk_content_does_not_show_in_new_clusters() -> None:
    editor = volumes.editor("basic")
    free = Staged("basic").editor.space._free_around(0, [])
    for first, count in free:
        editor.data[first * 4096 : (first + count) * 4096] = b"\xdd" * (count * 4096)
    staged = Staged(editor.data)
    staged.editor.open_stream("one cluster.bin").grow(50_001)
    assert read(staged.volume, "one cluster.bin")[4096:] == bytes(50_001 - 4096)
    staged.check()


def test_a_resident_stream_grows_in_its_record_and_then_out_of_it() -> None:
    staged = Staged("basic")
    stream = staged.editor.open_stream("resident.txt")
    content = stream.read_at(0, stream.size)
    grown = stream.grow(200)
    assert (grown.allocated_size, grown.taken) == (0, ())
    assert "resident" in staged.volume.lookup("resident.txt").storage
    staged.check()
    grown = stream.grow(4097)
    assert grown.allocated_size == 8192
    assert "resident" not in staged.volume.lookup("resident.txt").storage
    stream.write_at(4090, b"x" * 7, Phase.DATA)
    assert read(staged.volume, "resident.txt") == content.ljust(4090, b"\0") + b"x" * 7
    staged.check()


def test_an_empty_file_grows() -> None:
    staged = Staged("basic")
    stream = staged.editor.open_stream("empty.txt")
    stream.grow(1)
    assert read(staged.volume, "empty.txt") == b"\0"
    stream.grow(70_000)
    assert read(staged.volume, "empty.txt") == bytes(70_000)
    staged.check()


@pytest.mark.parametrize("name", ["fragmented", "clusters65536", "records4096"])
def test_growing_again_and_again(name: str) -> None:
    staged = Staged(name)
    path = next(
        path for path in ("scattered.bin", "file.bin", "Windows\\System32\\kernel.bin") if staged.volume.find(path)
    )
    before = contents(staged.volume)
    content = read(staged.volume, path)
    stream = staged.editor.open_stream(path)
    for step in (1, 700, 5000, 70_000, 1):
        stream.grow(stream.size + step)
        content = content.ljust(stream.size, b"\0")
        assert read(staged.volume, path) == content
    assert without(contents(staged.volume), path) == without(before, path)
    staged.check()


def test_a_full_volume_is_refused_before_anything_is_written() -> None:
    staged = Staged("basic")
    stream = staged.editor.open_stream("plain.bin")
    with pytest.raises(WriteRefusedError, match="no room for"):
        stream.grow(1 << 30)
    assert not staged.changes
    with pytest.raises(WriteRefusedError, match=r"plain\.bin has 40960 bytes and cannot grow to 5"):
        stream.grow(5)
    assert not staged.changes


def test_a_name_without_its_entry_is_refused_before_anything_is_written() -> None:
    editor = volumes.editor("basic")
    number = editor.number("links\\original.txt")
    start = next(start for start, _, _, name in editor.names(editor.record(number)) if name == "third.txt")
    volumes.poke(editor, number, start + 66, "<H", ord("T"))
    staged = Staged(editor.data)
    stream = staged.editor.open_stream("links\\original.txt")
    with pytest.raises(WriteRefusedError, match=r"no entry for Third\.txt"):
        stream.grow(100_000)
    assert not staged.changes
