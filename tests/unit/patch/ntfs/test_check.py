"""Every fault that the check is there for is found, and healthy volumes have none."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.unit.ntfs import volumes
from tests.unit.patch.ntfs.staged import Staged
from vdiskkit.io import BytesSource
from vdiskkit.patch.ntfs import Touched, check_touched, check_volume
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.build.volume_edit import VolumeEditor

DATA, INDEX_ROOT, INDEX_BITMAP, FILE_NAME = 0x80, 0x90, 0xB0, 0x30
NOTHING = Touched(frozenset(), frozenset(), ())


@pytest.mark.parametrize("name", volumes.NAMES)
def test_healthy_volumes(name: str) -> None:
    steps: list[tuple[int, int]] = []
    assert check_volume(BytesSource(volumes.image(name)), lambda done, total: steps.append((done, total))) == []
    assert steps[0][0] == 0


def bit(editor: VolumeEditor, path: str, number: int) -> None:
    editor.data[editor.runs(path)[0][0] + number // 8] ^= 1 << number % 8


def mft_bit(editor: VolumeEditor, number: int) -> None:
    record = editor.record(0)
    editor.data[next(editor.record_runs(record, editor.find(record, INDEX_BITMAP)))[0] + number // 8] ^= 1 << number % 8


def names(editor: VolumeEditor, path: str) -> int:
    return next(start for start, *_ in editor.names(editor.record(editor.number(path))))


def poke(editor: VolumeEditor, path: str, kind: int, offset: int, layout: str, value: int, name: str = "") -> None:
    number = editor.number(path)
    volumes.poke(editor, number, volumes.attribute_offset(editor, number, kind, name) + offset, layout, value)


def swap_entries(editor: VolumeEditor) -> None:
    """Two entries of a block in the wrong order."""

    def change(block: bytearray) -> None:
        first = 24 + struct.unpack_from("<I", block, 24)[0]
        size = struct.unpack_from("<H", block, first + 8)[0]
        other = struct.unpack_from("<H", block, first + size + 8)[0]
        assert size == other
        block[first : first + 2 * size] = block[first + size : first + 2 * size] + block[first : first + size]

    number = editor.number("many")
    volumes.patch_block(editor, volumes.index_block(editor, number, 0), change)


def other_vcn(editor: VolumeEditor) -> None:
    volumes.patch_block(
        editor, volumes.index_block(editor, editor.number("many"), 0), lambda block: block.__setitem__(16, 99)
    )


def stale_entry(editor: VolumeEditor) -> None:
    """An entry whose file has another name."""
    path = "many\\many entry number 00100"
    volumes.poke(editor, editor.number(path), names(editor, path) + 66, "<H", ord("n"))


FAULTS: list[tuple[str, str, Callable[[VolumeEditor], None], str]] = [
    (
        "basic",
        "bitmap.free",
        lambda editor: bit(editor, "$Bitmap", editor.runs("plain.bin")[0][0] // 4096),
        "calls free",
    ),
    ("basic", "bitmap.lost", lambda editor: bit(editor, "$Bitmap", 4000), "belong to nothing"),
    ("basic", "mft.bitmap", lambda editor: mft_bit(editor, editor.number("plain.bin")), "free in the bitmap"),
    ("basic", "mft.bitmap", lambda editor: mft_bit(editor, 40), "used in the bitmap"),
    ("basic", "names.count", lambda editor: volumes.poke(editor, editor.number("plain.bin"), 18, "<H", 3), "counts 3"),
    ("basic", "runs.allocated", lambda editor: poke(editor, "plain.bin", DATA, 40, "<Q", 1 << 20), "its runs"),
    ("basic", "damaged", lambda editor: poke(editor, "plain.bin", DATA, 48, "<Q", 1 << 30), "bytes of clusters"),
    ("basic", "damaged", lambda editor: poke(editor, "plain.bin", DATA, 56, "<Q", 1 << 30), "said to be written"),
    ("basic", "runs.hole", lambda editor: poke(editor, "sparse.bin", DATA, 12, "<H", 0), "without being sparse"),
    ("directory", "index", swap_entries, "does not sort after"),
    ("directory", "damaged", other_vcn, "says it is at"),
    ("directory", "index.stale", stale_entry, "a name that record"),
    ("directory", "names.entry", stale_entry, "does not list"),
]


@pytest.mark.parametrize(("name", "code", "fault", "message"), FAULTS)
def test_faults_are_found(name: str, code: str, fault: Callable[[VolumeEditor], None], message: str) -> None:
    editor = volumes.editor(name)
    fault(editor)
    found = check_volume(BytesSource(editor.data))
    assert any(problem.code == code and message in problem.message for problem in found), found


def test_clusters_of_two_files_are_found() -> None:
    editor = volumes.editor("basic")
    number = editor.number("one cluster.bin")
    record = editor.record(number)
    offset = volumes.attribute_offset(editor, number, DATA)
    pairs = offset + struct.unpack_from("<H", record, offset + 32)[0]
    run = b"\x21\x01" + (editor.runs("plain.bin")[0][0] // 4096 + 1).to_bytes(2, "little") + b"\0"
    volumes.patch_record(editor, number, lambda data: data.__setitem__(slice(pairs, pairs + 5), run))
    codes = {problem.code for problem in check_volume(BytesSource(editor.data))}
    assert codes == {"runs.shared", "bitmap.lost"}


def test_a_mirror_that_differs_is_found() -> None:
    editor = volumes.editor("basic")
    mirror = struct.unpack_from("<Q", editor.data, 56)[0] * 4096
    editor.data[mirror + 3 * 1024 + 300] ^= 1
    found = check_volume(BytesSource(editor.data))
    assert [problem.code for problem in found] == ["mft.mirror"]
    assert [problem.code for problem in check_touched(BytesSource(editor.data), NOTHING)] == ["mft.mirror"]


def test_an_unused_index_block_that_is_marked_is_found() -> None:
    editor = volumes.editor("directory")
    number = editor.number("thinned")
    record = editor.record(number)
    attribute = editor.find(record, INDEX_BITMAP, "$I30")
    start, size = editor.value(record, attribute)
    assert attribute.resident
    bits = int.from_bytes(record[start : start + size], "little")
    lowest = ((~bits & (bits + 1)).bit_length() - 1) // 8
    volumes.poke(editor, number, start + lowest, "<B", 0xFF)
    found = check_volume(BytesSource(editor.data))
    assert any("not in the tree" in problem.message for problem in found), found


def test_a_volume_that_does_not_open_is_a_problem_too() -> None:
    data = bytearray(volumes.image("basic"))
    data[64] = 7
    assert [problem.code for problem in check_volume(BytesSource(data))] == ["damaged"]
    assert [problem.code for problem in check_touched(BytesSource(data), NOTHING)] == ["damaged"]


def test_what_was_touched_is_checked() -> None:
    staged = Staged("basic")
    deleted = staged.editor.delete_file("plain.bin")
    touched = staged.editor.touched
    assert check_touched(staged.file, touched) == []
    record = deleted.record
    assert {problem.code for problem in check_touched(BytesSource(staged.data), touched)} == {
        "mft.in_use",
        "mft.bitmap",
        "index.freed",
        "bitmap.used",
    }
    assert touched.freed_records == {record}
    assert 5 in touched.files


def test_a_grown_file_is_checked_against_its_directory() -> None:
    staged = Staged("basic")
    staged.editor.open_stream("links\\second.txt").grow(100_000)
    number = staged.volume.lookup("links\\second.txt").record_number
    assert check_touched(staged.file, staged.editor.touched) == []
    only = Touched(frozenset({number}), frozenset(), ())
    assert check_touched(staged.file, only) == []
    editor = volumes.editor("basic")
    volumes.poke(editor, number, names(editor, "links\\original.txt") + 66, "<H", ord("#"))
    assert [problem.code for problem in check_touched(BytesSource(editor.data), only)] == ["names.entry"]


def test_a_reparse_point_of_a_freed_record_is_found() -> None:
    staged = Staged("basic")
    view = staged.volume.lookup("$Extend\\$Reparse").record_number
    kept = staged.editor.store.load(view)
    deleted = staged.editor.delete_file("jumps\\dangling")
    staged.editor.store.store(view, kept, Phase.LINK)
    assert [problem.code for problem in check_volume(staged.file)] == ["view.stale"]
    touched = staged.editor.touched
    assert [problem.code for problem in check_touched(staged.file, touched)] == ["view.stale"]
    assert deleted.record in touched.freed_records


def test_faults_that_were_there_before_are_left_out_on_request() -> None:
    editor = volumes.editor("directory")
    number = editor.number("thinned")
    record = editor.record(number)
    start, _ = editor.value(record, editor.find(record, INDEX_BITMAP, "$I30"))
    volumes.poke(editor, number, start + 7, "<B", record[start + 7] | 0x01)
    staged = Staged(editor.data)
    name = next(staged.volume.listdir("thinned")).name
    staged.editor.delete_file(f"thinned\\{name}")
    touched = staged.editor.touched
    found = check_touched(staged.file, touched)
    assert found
    assert all("not in the tree" in problem.message for problem in found)
    assert check_touched(staged.file, touched, before=BytesSource(staged.data)) == []
