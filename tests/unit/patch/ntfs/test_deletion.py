from __future__ import annotations

import struct
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.unit.ntfs import volumes
from tests.unit.patch.ntfs.staged import Staged, contents, without
from vdiskkit.errors import CorruptStructureError, FileMissingError, VDiskError, WriteRefusedError
from vdiskkit.location import Location
from vdiskkit.patch.ntfs.blocks import IndexBlocks
from vdiskkit.patch.ntfs.records import FileRecords
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.build.volume_edit import VolumeEditor

MFT_BITMAP, DATA, FILE_NAME = 0xB0, 0x80, 0x30
NOW = 132_000_000_000_000_000


@pytest.mark.parametrize(
    "path",
    [
        "empty.txt",
        "resident.txt",
        "one cluster.bin",
        "plain.bin",
        "sparse.bin",
        "packed\\text.log",
        "names\\Straße",
        "names\\ısız",
        "names\\emoji😀",
        "streams\\host.txt",
        "jumps\\relative file",
        "jumps\\dangling",
        "will be wof.dll",
        "Windows\\System32\\config\\SOFTWARE",
        "Program Files\\inside.txt",
    ],
)
def test_a_file_goes_and_all_else_stays(path: str) -> None:
    staged = Staged("basic")
    before = contents(staged.volume)
    record = staged.volume.lookup(path, follow=False).record_number
    deleted = staged.editor.delete_file("".join(one.upper() if one.isascii() else one for one in path))
    assert deleted.path == path
    assert deleted.records == (record,)
    assert deleted.links == 0
    assert staged.volume.find(path, follow=False) is None
    assert contents(staged.volume) == without(before, path)
    staged.check()


def test_everything_that_has_a_name_can_go() -> None:
    staged = Staged("basic")
    paths = {key.rpartition(":")[0] for key, value in contents(staged.volume).items() if value != "folder"}
    for path in sorted(paths, key=len):
        if (
            staged.volume.find(path, follow=False) is not None
            and not staged.volume.lookup(path, follow=False).is_directory
        ):
            staged.editor.delete_file(path)
    staged.check()
    assert set(contents(staged.volume).values()) <= {"folder", "no stream"} | {
        value for key, value in contents(staged.volume).items() if key.startswith("streams:")
    }


def test_what_was_freed_is_told() -> None:
    staged = Staged("basic")
    runs = staged.volume.lookup("plain.bin").open().runs()
    free = staged.volume.free_bytes(deep=True)
    deleted = staged.editor.delete_file("plain.bin")
    assert deleted.extents == tuple((run.lcn * 4096, run.clusters * 4096) for run in runs if run.lcn is not None)
    assert free is not None
    assert staged.volume.free_bytes(deep=True) == free + deleted.freed_bytes
    assert deleted.names == (("plain.bin", "POSIX"),)
    assert sum(deleted.cases.values()) == 1
    assert staged.editor.touched.freed_records == {deleted.record}


def test_sequence_numbers_move_on() -> None:
    staged = Staged("basic")
    record = staged.volume.lookup("plain.bin").record_number
    before = staged.volume.mft.record(record).sequence
    staged.editor.delete_file("plain.bin")
    after = staged.volume.mft.record(record)
    assert not after.in_use
    assert after.sequence == before + 1


def test_names_go_first_then_the_record_then_the_bitmaps() -> None:
    staged = Staged("basic")
    staged.editor.delete_file("plain.bin")
    assert {change.phase for change in staged.changes} == {Phase.LINK, Phase.HIVE_UNLINK, Phase.RELEASE}
    link = [change for change in staged.changes if change.phase is Phase.LINK]
    assert all(b"INDX" in change.after or b"FILE" in change.after for change in link)


def test_every_hard_link_goes() -> None:
    staged = Staged("basic")
    before = contents(staged.volume)
    deleted = staged.editor.delete_file("links\\second.txt")
    gone = {"links\\original.txt", "links\\second.txt", "Windows\\third.txt"}
    assert {name for name, _ in deleted.names} == gone
    assert len(deleted.directories) == 2
    assert contents(staged.volume) == without(before, *gone)
    staged.check()


def test_one_hard_link_after_the_other() -> None:
    staged = Staged("basic")
    before = contents(staged.volume)
    first = staged.editor.delete_file("links\\second.txt", all_links=False)
    assert (first.links, first.records, first.extents) == (2, (), ())
    assert contents(staged.volume) == without(before, "links\\second.txt")
    assert staged.volume.mft.record(first.record).link_count == 2
    staged.check()
    staged.editor.delete_file("links\\original.txt", all_links=False)
    last = staged.editor.delete_file("Windows\\third.txt", all_links=False)
    assert last.records == (first.record,)
    assert last.extents
    staged.check()


@pytest.mark.parametrize("path", ["A Long Name.configuration", "ALONGN~1.CON"])
@pytest.mark.parametrize("all_links", [True, False])
def test_a_dos_name_goes_with_its_long_name(path: str, all_links: bool) -> None:
    staged = Staged("basic")
    deleted = staged.editor.delete_file(path, all_links=all_links)
    assert {space for _, space in deleted.names} == {"Win32", "DOS"}
    assert staged.volume.find("ALONGN~1.CON") is None
    assert staged.volume.find("A Long Name.configuration") is None
    staged.check()


def test_names_that_differ_in_case_are_different_files() -> None:
    staged = Staged("basic")
    staged.editor.delete_file("names\\README")
    assert staged.volume.lookup("names\\readme").open().read_at(0, 5) == b"lower"
    assert [entry.name for entry in staged.volume.listdir("names") if entry.name.lower() == "readme"] == ["readme"]
    staged.check()


def test_a_file_in_many_runs_goes_with_its_extension_records() -> None:
    staged = Staged("fragmented")
    file = staged.volume.lookup("scattered.bin")
    count = file.extent_count()
    deleted = staged.editor.delete_file("scattered.bin")
    assert deleted.record == deleted.records[-1]
    assert len(deleted.records) > 1
    assert count is not None
    assert len(deleted.extents) >= count - 1
    staged.check()


def test_links_go_without_being_followed() -> None:
    staged = Staged("basic")
    staged.editor.delete_file("jumps\\absolute file")
    assert staged.volume.lookup("Windows\\third.txt").size == 9000
    staged.editor.delete_file("jumps\\to config\\SOFTWARE")  # a junction on the way is
    assert staged.volume.find("Windows\\System32\\config\\SOFTWARE") is None
    staged.check()


def test_reparse_points_leave_their_index() -> None:
    staged = Staged("basic")
    reparse = staged.volume.lookup("$Extend\\$Reparse").record_number
    deleted = staged.editor.delete_file("jumps\\relative file")
    assert reparse in deleted.directories
    staged.check()


def test_directories_are_given_the_time() -> None:
    staged = Staged("basic", now=NOW)
    before = staged.volume.lookup("links").standard_information
    staged.editor.delete_file("links\\second.txt", all_links=False)
    after = staged.volume.lookup("links").standard_information
    assert (after.modified, after.changed) == (NOW, NOW)
    assert (after.created, after.accessed) == (before.created, before.accessed)
    quiet = Staged("basic")
    quiet.editor.delete_file("links\\second.txt", all_links=False)
    assert quiet.volume.lookup("links").standard_information == before


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("nowhere.txt", FileMissingError, "no file"),
        ("streams\\host.txt:large", WriteRefusedError, "only whole files"),
        ("links", WriteRefusedError, "links is a directory"),
        ("jumps\\to config", WriteRefusedError, "is a directory"),
        ("\\", WriteRefusedError, "is a directory"),
        ("$MFT", WriteRefusedError, "part of NTFS"),
        ("$LogFile", WriteRefusedError, "part of NTFS"),
        ("$Extend\\$ObjId", WriteRefusedError, "part of NTFS"),
        ("$Extend\\$Reparse", WriteRefusedError, "part of NTFS"),
    ],
)
def test_refusals(path: str, error: type[VDiskError], message: str) -> None:
    staged = Staged("basic")
    with pytest.raises(error, match=message):
        staged.editor.delete_file(path)
    assert not staged.changes


def clear_cluster(editor: VolumeEditor) -> None:
    start = editor.runs("plain.bin")[0][0]
    place = editor.runs("$Bitmap")[0][0] + start // 4096 // 8
    editor.data[place] &= ~(1 << start // 4096 % 8)


def clear_record(editor: VolumeEditor) -> None:
    record = editor.record(0)
    number = editor.number("plain.bin")
    place = next(editor.record_runs(record, editor.find(record, MFT_BITMAP)))[0] + number // 8
    editor.data[place] &= ~(1 << number % 8)


def count_links(editor: VolumeEditor) -> None:
    volumes.poke(editor, editor.number("plain.bin"), 18, "<H", 2)


def rename_one(editor: VolumeEditor) -> None:
    """The name in the record is another one than the one in the index."""
    number = editor.number("plain.bin")
    start = next(start for start, *_ in editor.names(editor.record(number)))
    volumes.poke(editor, number, start + 66 + 2, "<H", ord("L"))


def point_at(editor: VolumeEditor, lcn: int) -> None:
    number = editor.number("one cluster.bin")
    offset = volumes.attribute_offset(editor, number, DATA)
    record = editor.record(number)
    pairs = offset + struct.unpack_from("<H", record, offset + 32)[0]
    run = b"\x31\x01" + lcn.to_bytes(3, "little") + b"\0"
    volumes.patch_record(editor, number, lambda data: data.__setitem__(slice(pairs, pairs + len(run)), run))


def stale_parent(editor: VolumeEditor) -> None:
    number = editor.number("links\\original.txt")
    for start, parent, *_ in editor.names(editor.record(number)):
        if parent == editor.number("links"):
            volumes.poke(editor, number, start + 6, "<H", 77)


@pytest.mark.parametrize(
    ("path", "fault", "message"),
    [
        ("plain.bin", clear_cluster, "says that clusters"),
        ("plain.bin", clear_record, "free in the bitmap of"),
        ("plain.bin", count_links, "counts 2 names and has 1"),
        ("one cluster.bin", lambda editor: point_at(editor, 4), "belongs to one cluster.bin and to MFT record"),
        ("plain.bin", rename_one, "which has no such name"),
        ("Windows\\third.txt", stale_parent, "which is another one now"),
    ],
)
def test_damage_is_refused_before_anything_is_written(
    path: str, fault: Callable[[VolumeEditor], None], message: str
) -> None:
    editor = volumes.editor("basic")
    fault(editor)
    staged = Staged(editor.data)
    with pytest.raises((WriteRefusedError, CorruptStructureError), match=message):
        staged.editor.delete_file(path)
    assert not staged.changes


def test_runs_that_share_a_cluster_are_refused() -> None:
    editor = volumes.editor("basic")
    number = editor.number("plain.bin")
    offset = volumes.attribute_offset(editor, number, DATA)
    record = editor.record(number)
    pairs = offset + struct.unpack_from("<H", record, offset + 32)[0]
    start = editor.runs("plain.bin")[0][0] // 4096
    run = b"\x21\x05" + start.to_bytes(2, "little") + b"\x11\x05\x01\0"
    volumes.patch_record(editor, number, lambda data: data.__setitem__(slice(pairs, pairs + len(run)), run))
    staged = Staged(editor.data)
    with pytest.raises(WriteRefusedError, match=r"two runs of plain\.bin share cluster"):
        staged.editor.delete_file("plain.bin")
    assert not staged.changes


# -- attribute lists, object ids, indexes that grow ---------------------------------------------------------------


def test_names_in_extension_records_go_one_by_one() -> None:
    staged = Staged("edits")
    number = staged.volume.lookup("ids\\linked").record_number
    extensions = FileRecords(staged.editor.store, number).extensions
    freed: list[int] = []
    names = [entry.name for entry in staged.volume.listdir("aliases")]
    for count, name in enumerate(names):
        deleted = staged.editor.delete_file(f"aliases\\{name}", all_links=False)
        assert deleted.links == len(names) - count
        freed += deleted.records
        if count % 15 == 0:
            staged.check()
    assert set(freed) <= set(extensions)
    assert freed  # records that held nothing but names
    staged.check()
    assert staged.volume.lookup("ids\\linked").open().read_at(0, 6) == b"linked"
    last = staged.editor.delete_file("ids\\linked", all_links=False)
    assert set(freed) | set(last.records) == {number, *extensions}
    staged.check()


def test_all_names_in_extension_records_go_at_once() -> None:
    staged = Staged("edits")
    deleted = staged.editor.delete_file("ids\\linked")
    assert len(deleted.names) == 61
    assert list(staged.volume.listdir("aliases")) == []
    assert deleted.records[-1] == deleted.record
    staged.check()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_object_ids_leave_their_index(order: tuple[int, ...]) -> None:
    staged = Staged("edits")
    view = staged.volume.lookup("$Extend\\$ObjId").record_number
    for number in order:
        assert view in staged.editor.delete_file(f"ids\\with id {number}").directories
        staged.check()
    blocks = IndexBlocks(staged.editor.store, staged.editor.space, view, "$O", Location("x"))
    assert blocks.root().empty


def test_an_object_id_of_another_file_stays() -> None:
    staged = Staged("edits")
    store = staged.editor.store
    number = staged.volume.lookup("ids\\with id 0").record_number
    held = next(one for one in store.attributes(number) if one.attribute.type == 0x40)
    record = store.load(number)
    start = held.offset + struct.unpack_from("<H", record, held.offset + 20)[0]
    record[start : start + 16] = bytes([2]) * 16
    store.store(number, record, Phase.LINK)
    view = staged.volume.lookup("$Extend\\$ObjId").record_number
    assert view not in Staged(staged.after).editor.delete_file("ids\\with id 0").directories


def test_an_index_grows_when_a_longer_key_must_go_up() -> None:
    staged = Staged("edits")
    before = contents(staged.volume)
    short = [entry.name for entry in staged.volume.listdir("mixed") if len(entry.name) == 3]
    cases = Counter[str]()
    for name in short:
        cases.update(staged.editor.delete_file(f"mixed\\{name}").cases)
    assert cases["index grown by a block"] == 1
    assert cases["index block split"] == 1
    assert contents(staged.volume) == without(before, *(f"mixed\\{name}" for name in short))
    staged.check()
    for entry in list(staged.volume.listdir("mixed")):
        staged.editor.delete_file(entry.path)
    staged.check()


def test_a_full_volume_refuses_an_index_that_must_grow() -> None:
    staged = Staged("edits")
    staged.editor.space.claim(list(staged.editor.space.free_runs(0, staged.editor.store.boot.total_clusters)))
    full = Staged(staged.after)

    def delete() -> None:
        for entry in list(full.volume.listdir("mixed")):
            if len(entry.name) == 3:
                full.editor.delete_file(entry.path)

    with pytest.raises(WriteRefusedError, match="no room for 1 more clusters"):
        delete()


def test_the_bitmap_of_an_index_grows_too() -> None:
    staged = Staged("edits")
    number = staged.volume.lookup("mixed").record_number

    def blocks() -> IndexBlocks:
        return IndexBlocks(staged.editor.store, staged.editor.space, number, "$I30", Location("x"))

    index = blocks()
    used = index.used_blocks()
    vcns = [index.allocate() for _ in range(100)]
    assert len(set(vcns)) == 100
    index.flush([])
    grown = blocks()
    assert len(grown.used_blocks()) == len(used) + 100 > 64
    for vcn in vcns:
        grown.free(vcn)
    grown.flush([])
    assert blocks().used_blocks() == used
    staged.check()
