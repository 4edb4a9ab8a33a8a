"""Hives and keys that are not edited, each with its reason; a refused edit has written nothing."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.build.hive import BASE_BLOCK, FLAG_LATIN1, FLAG_LINK, FLAG_NO_DELETE, HiveBuilder, seal
from tests.unit.patch.registry.model import NOW, edited
from vdiskkit.errors import (
    CorruptStructureError,
    FormatError,
    LogReplayNeededError,
    UnknownFormatError,
    UnsupportedFeatureError,
    VDiskError,
    WriteRefusedError,
)
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import HiveEditor
from vdiskkit.patch.staging import StagedFile
from vdiskkit.registry import Hive

if TYPE_CHECKING:
    from collections.abc import Callable

PREDEFINED = 0x40


def tree(**options: int) -> HiveBuilder:
    builder = HiveBuilder(**options)
    builder.dword("A\\B", "v", 1)
    builder.binary("A", "data", bytes(50))
    builder.binary("A", "more", bytes(60))
    builder.key("C")
    return builder


def opened(data: bytes, *, refuse_ktm: bool = False) -> HiveEditor:
    staged = StagedFile(BytesSource(data))
    return HiveEditor(staged, name="SOFTWARE", now=NOW, grow=staged.extend, refuse_ktm=refuse_ktm)


def refused(
    data: bytes, change: Callable[[HiveEditor], object], kind: type[VDiskError] = WriteRefusedError
) -> VDiskError:
    """The error of an edit; neither it nor what is tried afterwards has written anything."""
    staged = StagedFile(BytesSource(data))
    editor = HiveEditor(staged, name="SOFTWARE", now=NOW, grow=staged.extend)
    with pytest.raises(kind) as caught:
        change(editor)
    if not editor._broken:
        editor.commit()
    assert staged.changes() == []
    assert staged.size == len(data)
    return caught.value


# -- whole hives -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", ["dirty", "wrong-checksum"])
def test_a_dirty_hive(fault: str) -> None:
    with pytest.raises(LogReplayNeededError) as caught:
        opened(tree().fault(fault).build())
    assert "the hive SOFTWARE was not closed cleanly: " in caught.value.message
    assert "what its logs held is lost or cannot be used: there is no log beside it" in caught.value.message
    assert caught.value.hint is not None
    assert "start the image once and shut it down" in caught.value.hint


def test_a_pending_transaction_is_a_mark_that_most_hives_carry() -> None:
    data = tree().fault("ktm-pending").build()
    assert opened(data).base_block.ktm_pending
    with pytest.raises(LogReplayNeededError, match="SOFTWARE is marked as having pending transactions of the kernel"):
        opened(data, refuse_ktm=True)


def test_layered_hives() -> None:
    with pytest.raises(WriteRefusedError, match="the hive SOFTWARE is a layered one"):
        opened(tree(minor=6).build())
    data = bytearray(tree().build())
    struct.pack_into("<I", data, 144, 2)
    seal(data)
    with pytest.raises(WriteRefusedError, match="what an edit would mean is decided by the hives below it"):
        opened(bytes(data))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", UnknownFormatError),
        (bytes(8192), UnknownFormatError),
        (tree().build()[:6000], CorruptStructureError),
        (tree().fault("version", argument=(1, 2)).build(), UnsupportedFeatureError),
        (tree().fault("file-type", argument=6).build(), UnsupportedFeatureError),
        (tree().fault("root-cell", argument=0x28).build(), FormatError),
        (tree().fault("bin-signature", "A").build(), CorruptStructureError),
        (tree().fault("bin-zeros", "A").build(), CorruptStructureError),
        (tree().fault("cell-size", "A", argument=-4).build(), CorruptStructureError),
        (tree().fault("cell-size", "A", argument=1 << 30).build(), CorruptStructureError),
    ],
)
def test_what_is_no_sound_hive(data: bytes, kind: type[VDiskError]) -> None:
    with pytest.raises(kind):
        opened(data)


def test_no_sequence_number_is_left() -> None:
    staged = StagedFile(BytesSource(tree().build()))
    editor = HiveEditor(staged, name="SOFTWARE", now=NOW)
    editor.set_value("A\\B", "v", 4, 2)
    with pytest.raises(WriteRefusedError, match="0xffffffff in the hive or its logs is the highest there can be"):
        editor.commit([2**32 - 1])
    assert staged.changes() == []
    with pytest.raises(WriteRefusedError, match="an earlier change of the hive SOFTWARE failed half-way"):
        editor.set_value("A\\B", "v", 4, 3)


# -- keys that stand for others --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("flags", "reason"),
    [(FLAG_LINK, "is a symbolic link to another key"), (PREDEFINED, "stands for a predefined handle")],
)
def test_keys_that_stand_for_others(flags: int, reason: str) -> None:
    data = tree().fault("key-flags", "A\\B", argument=flags | FLAG_LATIN1).build()
    for change in (
        lambda e: e.set_value("a\\b", "v", 4, 2),
        lambda e: e.create_key("A\\B\\New"),
        lambda e: e.delete_value("A\\B", "v"),
        lambda e: e.delete_key("A\\B"),
    ):
        assert refused(data, change).message == f"'A\\\\B' {reason}; it is not edited, nor is anything below it"
    assert refused(data, lambda e: e.delete_key("A")).message.startswith(f"'B below A' {reason}")


@pytest.mark.parametrize("minor", [3, 5])
def test_a_reserved_byte_makes_no_layered_key(minor: int) -> None:
    """Layered keys exist in hives of version 1.6; older ones hold in that byte what was there before."""
    data = bytearray(tree(minor=minor).build())
    data[BASE_BLOCK + 4 + Hive(BytesSource(bytes(data))).key("A").offset + 13] = 1
    editor = opened(bytes(data))
    editor.create_key("A\\x")
    editor.delete_key("A\\B")
    assert editor.commit() is not None


def test_values_that_are_marked_as_deleted() -> None:
    marked = tree().fault("value-flags", "A\\B", "v", 3).build()
    for change in (lambda e: e.set_value("A\\B", "v", 4, 2), lambda e: e.delete_value("A\\B", "v")):
        assert "the value 'v' is marked as deleted in a layered key" in refused(marked, change).message


def test_keys_that_may_not_be_deleted() -> None:
    data = tree().fault("key-flags", "A\\B", argument=FLAG_NO_DELETE | FLAG_LATIN1).build()
    for path in ("A", "A\\B"):
        message = refused(data, lambda e, key=path: e.delete_key(key)).message
        assert message == "the key 'B' is marked as one that may not be deleted"
    assert refused(data, lambda e: e.delete_key("")).message == "the root key of a hive cannot be deleted"
    error = refused(tree().build(), lambda e: e.delete_key("A", recursive=False))
    assert error.message == "the key 'A' has 1 subkeys"


# -- names and sizes -------------------------------------------------------------------------------------------------
@pytest.mark.thorough
def test_names_that_windows_would_not_take() -> None:
    data = tree().build()
    long = "x" * 256
    assert "has 256 characters; Windows allows 255" in refused(data, lambda e: e.create_key(long)).message
    assert "has 256 characters" in refused(data, lambda e: e.create_key("\U00010428" * 128)).message
    assert "contains a NUL character" in refused(data, lambda e: e.create_key("a\0b")).message
    assert "nested more than 512 deep" in refused(data, lambda e: e.create_key("\\".join("k" * 512))).message
    error = refused(data, lambda e: e.set_value("A", "v" * 16384, 4, 1))
    assert "has 16384 characters; Windows allows 16383" in error.message
    assert "contains a NUL character" in refused(data, lambda e: e.set_value("A", "a\0", 4, 1)).message
    deepest = "\\".join("k" * 511)
    edited(data, lambda e: (e.create_key(deepest), e.create_key("x" * 255), e.set_value("A", "v" * 16383, 4, 1)))


@pytest.mark.parametrize(("minor", "limit"), [(3, 1024 * 1024 - 4), (5, 8 * 1024 * 1024)])
def test_sizes_that_windows_or_our_readers_would_not_take(minor: int, limit: int) -> None:
    data = tree(minor=minor).build()
    error = refused(data, lambda e: e.set_value("A", "v", 3, bytes(limit + 1)))
    assert f"the limit in a hive of version 1.{minor} is {limit}" in error.message
    edited(data, lambda e: e.set_value("A", "v", 3, bytes(limit)))


# -- damage ----------------------------------------------------------------------------------------------------------
def wide(count: int, lists: str = "lh") -> HiveBuilder:
    builder = HiveBuilder(lists=lists)
    for number in range(count):
        builder.key(f"M\\k{number:04}").set("v", 4, bytes(4))
    return builder


@pytest.mark.parametrize("lists", ["lh", "lf", "li"])
@pytest.mark.parametrize("count", [4, 100])
def test_lists_out_of_order(lists: str, count: int) -> None:
    data = wide(count, lists).fault("unsorted", "M").build()
    for change in (lambda e: e.create_key("M\\k0001x"), lambda e: e.create_key("M\\zzz")):
        assert "the subkeys of 'M' are not in Windows' order" in refused(data, change).message
    # What Windows' order does not lead to is not taken for missing.
    assert "order" in refused(data, lambda e: e.delete_key("M\\k0000")).message


def test_a_key_that_is_there_out_of_order_is_not_made_twice() -> None:
    data = bytearray(wide(100).build())
    hive = Hive(BytesSource(bytes(data)))
    at = BASE_BLOCK + 4 + struct.unpack_from("<I", data, BASE_BLOCK + 4 + hive.key("M").offset + 28)[0] + 4
    entries = [bytes(data[at + 8 * number : at + 8 * number + 8]) for number in range(100)]
    entries.insert(90, entries.pop(10))
    data[at : at + 800] = b"".join(entries)
    assert "order" in refused(bytes(data), lambda e: e.create_key("M\\k0010")).message


@pytest.mark.parametrize(
    ("fault", "path", "argument", "message"),
    [
        ("subkey-count", "M", 3, "says that it has 3 subkeys, but its list holds 4"),
        ("subkey-count", "M", 2**31, "says that it has 2147483648 subkeys"),
        ("list-signature", "M", None, "a subkey list begins with b'lx'"),
        ("list-count", "M", 400, "but its list holds 400"),
        ("list-entry", "M", 0x28, "a subkey cannot be"),
        ("list-cell-free", "M", None, "a subkey list cannot be used: the cell there is free"),
        ("subkey-list", "M", 0xFFFFFFFF, "a subkey list cannot be used: the pointer is empty"),
        ("subkey-list", "M", 0x7FFFFF0, "is no place for a cell"),
        ("key-signature", "M\\k0001", None, "instead of 'nk'"),
        ("key-name-length", "M\\k0001", 4000, "its name of 4000 bytes does not fit"),
        ("key-parent", "M\\k0001", 0x20, "the key 'k0001' does not name the key above it as its parent"),
        ("cell-free", "M\\k0001", None, "the cell there is free"),
        ("subkey-is-ancestor", "M", "", "does not name the key above it as its parent"),
    ],
)
def test_damage_on_the_way(fault: str, path: str, argument: object, message: str) -> None:
    data = wide(4).fault(fault, path, argument=argument).build()
    for change in (
        lambda e: e.set_value("M\\k0001", "new", 4, 1),
        lambda e: e.create_key("M\\k0000x"),
        lambda e: e.delete_key("M"),
    ):
        assert message in refused(data, change, FormatError).message


@pytest.mark.parametrize(
    ("fault", "value", "argument", "message"),
    [
        ("value-count", "data", 2**30, "says that it has 1073741824 values"),
        ("value-count", "data", 90, "the list of the 90 values"),
        ("value-list", "data", 0x24, "is no place for a cell"),
        ("value-pointer", "data", 0xFFFFFFFF, "a value cannot be used: the pointer is empty"),
        ("value-signature", "data", None, "instead of 'vk'"),
        ("value-name-length", "data", 300, "its name of 300 bytes does not fit"),
        ("data-length", "data", 0x80000005, "5 bytes are said to lie in a field of 4 bytes"),
        ("data-length", "data", 500, "the data of the value 'data' cannot be used: the cell there holds"),
        ("data-length", "data", 9 * 1024 * 1024, "has 9437184 bytes of data, the limit is"),
        ("data-length", "data", 20000, "20000 bytes need a big data record of 2 segments, and there is none"),
        ("data-pointer", "data", 0x28, "no cell begins there"),
        ("data-cell-free", "data", None, "the cell there is free"),
    ],
)
def test_damaged_values(fault: str, value: str, argument: object, message: str) -> None:
    data = tree().fault(fault, "A", value, argument).build()
    error = refused(data, lambda e: e.set_value("A", value, 3, b"x" * 5000), VDiskError)
    assert message in error.message
    refused(data, lambda e: e.delete_key("A"), VDiskError)


def test_two_values_of_one_name() -> None:
    builder = tree()
    builder.set("C", "name", 4, bytes(4))
    builder.set("C", "nama", 4, bytes(4))
    data = builder.build().replace(b"nama", b"NAME")
    error = refused(data, lambda e: e.set_value("C", "name", 4, 1))
    assert error.message == ("the key 'C' has 2 values of the name 'name': which one Windows uses is not known")


def test_cells_that_two_things_share() -> None:
    data = bytearray(tree().build())
    hive = Hive(BytesSource(bytes(data)))
    first, second = hive.key("A").values()
    at = BASE_BLOCK + 4 + second._offset
    struct.pack_into("<II", data, at + 4, first.size, first._where)
    error = refused(bytes(data), lambda e: e.delete_key("A"), CorruptStructureError)
    assert (
        error.message
        == "the data of the value 'more' cannot be used: something else used the same cell, and has given it back"
    )


@pytest.mark.parametrize(
    ("at", "number", "message"),
    [
        (0, 0x7878, "instead of 'sk'"),
        (12, 1, "says that 1 keys use it, but 2 of those to be deleted do"),
        (12, 2, "a security descriptor would be deleted, but it is the only one"),
    ],
)
def test_damaged_security_descriptors(at: int, number: int, message: str) -> None:
    data = bytearray(tree().build())
    (security,) = struct.unpack_from("<I", data, BASE_BLOCK + 4 + Hive(BytesSource(bytes(data))).root.offset + 44)
    struct.pack_into("<H" if at == 0 else "<I", data, BASE_BLOCK + 4 + security + at, number)
    assert message in refused(bytes(data), lambda e: e.delete_key("A"), CorruptStructureError).message


def test_a_broken_ring_of_security_descriptors() -> None:
    builder = tree()
    builder.key("S", security=builder.security[:-4] + b"\x21\2\0\0")
    builder.key("T", security=builder.security[:-4] + b"\x22\2\0\0")
    data = bytearray(builder.build())
    hive = Hive(BytesSource(bytes(data)))
    (security,) = struct.unpack_from("<I", data, BASE_BLOCK + 4 + hive.key("S").offset + 44)
    (other,) = struct.unpack_from("<I", data, BASE_BLOCK + 4 + hive.key("T").offset + 44)
    struct.pack_into("<I", data, BASE_BLOCK + 4 + other + 8, other)
    error = refused(bytes(data), lambda e: e.delete_key("S"), CorruptStructureError)
    assert "the ring of security descriptors is broken" in error.message
    struct.pack_into("<I", data, BASE_BLOCK + 4 + security + 12, 0xFFFFFFFF)
    error = refused(bytes(data), lambda e: e.create_key("S\\x"), CorruptStructureError)
    assert error.message == "a security descriptor says that 4294967295 keys use it"
