from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.unit.ntfs import volumes
from tests.unit.patch.ntfs.staged import Staged
from vdiskkit.errors import CorruptStructureError, WriteRefusedError
from vdiskkit.location import Location
from vdiskkit.ntfs.record import ATTRIBUTE_LIST
from vdiskkit.patch.ntfs.content import AttributeContent
from vdiskkit.patch.ntfs.fixups import protect
from vdiskkit.patch.ntfs.records import FileRecords
from vdiskkit.patch.ntfs.surgery import (
    free_record,
    next_sequence,
    put_value,
    remove_attribute,
    room,
    value_offset,
)
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Location("x")


@pytest.mark.parametrize("name", volumes.NAMES)
def test_a_record_comes_back_as_it_was_stored(name: str) -> None:
    staged = Staged(name)
    store = staged.editor.store
    record = store.load(30)
    record[-2:] = b"zz"  # under the update sequence
    store.store(30, record, Phase.LINK)
    again = store.load(30)
    usa = struct.unpack_from("<H", record, 4)[0]
    assert again[:usa] == record[:usa]
    assert again[usa + 2 :][-2:] == b"zz"
    assert struct.unpack_from("<H", again, usa)[0] == struct.unpack_from("<H", record, usa)[0] % 0xFFFE + 1


@pytest.mark.parametrize(("number", "following"), [(1, 2), (0xFFFD, 0xFFFE), (0xFFFE, 1), (0xFFFF, 1), (0, 1)])
def test_update_sequence_numbers_leave_out_0_and_ffff(number: int, following: int) -> None:
    block = bytearray(1024)
    struct.pack_into("<4sHHQ", block, 0, b"FILE", 0x30, 3, 0)
    struct.pack_into("<H", block, 0x30, number)
    block[510:512] = b"ab"
    block[1022:1024] = b"cd"
    stamped = protect(block)
    assert struct.unpack_from("<H", stamped, 0x30)[0] == following
    assert stamped[510:512] == stamped[1022:1024] == following.to_bytes(2, "little")
    assert stamped[0x32:0x36] == b"abcd"


@pytest.mark.parametrize("name", volumes.NAMES)
def test_the_first_records_go_into_the_mirror_byte_for_byte(name: str) -> None:
    staged = Staged(name)
    store = staged.editor.store
    assert store.mirrored == max(4, store.boot.cluster_size // store.record_size)
    for number in (0, 3, store.mirrored - 1, store.mirrored):
        before = staged.file.read_at(store.boot.mft_mirror_lcn * store.boot.cluster_size, 65536)
        record = store.load(number) if number < 16 or store.mirrored <= 16 else None
        if record is None:
            continue
        store.store(number, record, Phase.LINK)
        after = staged.file.read_at(store.boot.mft_mirror_lcn * store.boot.cluster_size, 65536)
        assert (before != after) == (number < store.mirrored)
        if number < store.mirrored:
            assert store.mirror_equals(number)


def test_records_outside_of_the_table_are_errors() -> None:
    store = Staged("basic").editor.store
    with pytest.raises(CorruptStructureError, match="the table ends at"):
        store.load(store.count)
    with pytest.raises(CorruptStructureError, match="records have 1024"):
        store.store(30, b"short", Phase.LINK)


def test_a_volume_without_a_mirror_is_refused() -> None:
    editor = volumes.editor("basic")
    volumes.patch_record(editor, 1, lambda record: struct.pack_into("<H", record, 22, 0))
    with pytest.raises(WriteRefusedError, match=r"\$MFTMirr is damaged"):
        Staged(editor.data)


def test_a_value_grows_and_shrinks_in_its_record() -> None:
    staged = Staged("basic")
    store = staged.editor.store
    number = staged.volume.lookup("resident.txt").record_number
    held = next(one for one in store.attributes(number) if one.attribute.type == 0x80)
    record = store.load(number)
    left = room(record)
    put_value(record, held.offset, b"x" * (len(held.attribute.value) + left // 2), HERE)
    assert room(record) < left
    put_value(record, held.offset, held.attribute.value, HERE)
    assert room(record) == left
    assert record == store.load(number)
    put_value(record, held.offset, b"", HERE)
    assert value_offset(record, held.offset) < held.offset + 32
    with pytest.raises(WriteRefusedError, match="extension record"):
        put_value(record, held.offset, bytes(2000), HERE)


def test_an_attribute_goes_and_the_others_stay() -> None:
    staged = Staged("basic")
    store = staged.editor.store
    number = staged.volume.lookup("streams\\host.txt").record_number
    before = store.attributes(number)
    record = store.load(number)
    remove_attribute(record, before[1].offset)
    store.store(number, record, Phase.LINK)
    after = store.attributes(number)
    expected = [one.attribute for one in before if one is not before[1]]
    assert [(one.attribute.type, one.attribute.name, one.attribute.instance) for one in after] == [
        (one.type, one.name, one.instance) for one in expected
    ]


def test_a_freed_record_moves_on() -> None:
    assert [next_sequence(number) for number in (1, 0xFFFE, 0xFFFF, 0)] == [2, 0xFFFF, 1, 1]
    store = Staged("basic").editor.store
    record = store.load(30)
    sequence, flags = struct.unpack_from("<H4xH", record, 16)
    free_record(record)
    assert struct.unpack_from("<H4xH", record, 16) == (sequence + 1, flags & ~1)


def test_extension_records_are_gathered() -> None:
    staged = Staged("fragmented")
    store = staged.editor.store
    file = staged.volume.lookup("scattered.bin")
    records = FileRecords(store, file.record_number)
    assert records.listed
    assert records.extensions
    assert len(records.find(0x80)) > 1
    with pytest.raises(CorruptStructureError, match="is no file"):
        FileRecords(store, records.extensions[0])


def test_an_extension_of_another_file_is_an_error() -> None:
    staged = Staged("fragmented")
    store = staged.editor.store
    number = staged.volume.lookup("scattered.bin").record_number
    extension = FileRecords(store, number).extensions[0]
    record = store.load(extension)
    struct.pack_into("<Q", record, 32, 25 | 1 << 48)
    store.store(extension, record, Phase.LINK)
    with pytest.raises(CorruptStructureError, match="does not belong to this file"):
        FileRecords(store, number)


def list_of(staged: Staged, number: int) -> tuple[AttributeContent, bytes]:
    store = staged.editor.store
    held = next(one for one in store.attributes(number) if one.attribute.type == ATTRIBUTE_LIST)
    content = AttributeContent(store, [held])
    return content, content.read(0, content.size)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:24] + b"\x99\x99" + data[26:], "which has none such"),
        (lambda data: data[:-32] + data[-64:-32], "does not name every attribute"),
    ],
)
def test_a_list_that_does_not_fit_the_records_is_an_error(change: Callable[[bytes], bytes], message: str) -> None:
    staged = Staged("edits")
    number = staged.volume.lookup("ids\\linked").record_number
    content, data = list_of(staged, number)
    content.write(0, change(data).ljust(len(data), b"\0")[: len(data)], Phase.LINK)
    with pytest.raises(CorruptStructureError, match=message):
        FileRecords(staged.editor.store, number)
