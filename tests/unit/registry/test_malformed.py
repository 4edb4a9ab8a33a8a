"""Malformed hives: every one a clear error with its place, none a crash, a hang or a silent answer."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING, Any

import pytest

from tests.build.hive import REG_SZ, HiveBuilder, utf16
from tests.build.hive_faults import FAULTS
from vdiskkit.errors import CorruptStructureError, FormatError, ReadLimitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.registry import Hive

    OpenHive = Callable[[HiveBuilder | bytes], Hive]

BIG = bytes(range(256)) * 160  # three segments


def sample(**options: Any) -> HiveBuilder:
    builder = HiveBuilder(**options)
    builder.set(r"Top\Key", "text", REG_SZ, utf16("some text that is not inline"))
    builder.dword(r"Top\Key", "number", 7)
    builder.binary(r"Top\Key", "big", BIG)
    builder.key(r"Top\Key\Child")
    builder.key(r"Top\Other", class_name="a class")
    return builder


def read_all(hive: Hive) -> None:
    for key in hive.walk():
        _ = key.class_name, key.last_written
        for value in key.values():
            _ = value.data


def rejected(open_hive: OpenHive, builder: HiveBuilder, message: str) -> FormatError:
    hive = open_hive(builder)
    with pytest.raises(FormatError, match=message) as caught:
        read_all(hive)
    assert str(caught.value.location).startswith("x.hive > hive:0x")
    errors: list[FormatError] = []
    list(hive.walk(on_error=errors.append))  # going on past it must end as well
    return caught.value


def test_the_sample_is_healthy_without_a_fault(open_hive: OpenHive) -> None:
    read_all(open_hive(sample()))


@pytest.mark.parametrize(
    ("fault", "argument", "message"),
    [
        ("bin-signature", None, "a hive bin should begin here, but there is no 'hbin' signature"),
        ("bin-zeros", None, r"no 'hbin' signature \(it is all zeros\)"),
        ("bin-ff-block", None, "a hive bin should begin here, but there is no 'hbin' signature"),
        ("bin-offset", None, "the hive bin here says that it begins at 0x7000"),
        ("bin-size", 0, "is 0x0 bytes long, which cannot be"),
        ("bin-size", 4100, "is 0x1004 bytes long, which cannot be"),
        ("bin-size", 0x10000000, "is 0x10000000 bytes long, which cannot be"),
        ("bin-size", 0xFFFFF000, "is 0xfffff000 bytes long, which cannot be"),
    ],
)
def test_hive_bins(open_hive: OpenHive, fault: str, argument: int | None, message: str) -> None:
    rejected(open_hive, sample().fault(fault, argument=argument), message)


def test_a_damaged_bin_behind_healthy_ones(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.fill("Classes", 400)
    builder.key("Last")
    builder.fault("bin-zeros", "Last")
    error = rejected(open_hive, builder, "should begin here")
    assert error.hint or error.location


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (0, "its cell size is 0|no cell begins there"),
        (-4 & 0xFFFFFFFF, "its cell size is 4|no cell begins there"),
        (-20 & 0xFFFFFFFF, "its cell size is 20|no cell begins there"),
        (-8 & 0xFFFFFFFF, "the cell there holds 4 bytes and 76 are needed"),
        (-8192 & 0xFFFFFFFF, "runs past the end of its hive bin"),
        (0x80000000, "runs past the end of its hive bin"),
        (0x80000008, "runs past the end of its hive bin"),
    ],
)
def test_cell_sizes(open_hive: OpenHive, size: int, message: str) -> None:
    rejected(open_hive, sample().fault("cell-size", r"Top\Key", argument=size), message)


@pytest.mark.parametrize(
    ("fault", "path", "value", "message"),
    [
        ("cell-free", r"Top\Key", "", "a subkey cannot be read: the cell there is free"),
        ("list-cell-free", "Top", "", "a subkey list cannot be read: the cell there is free"),
        ("data-cell-free", r"Top\Key", "text", r"the data of value 'text' \(58 bytes\) cannot be read: .* is free"),
        ("key-signature", r"Top\Key", "", "a subkey cannot be read: the record there begins with b'Nk'"),
        ("value-signature", r"Top\Key", "text", "the value is damaged: it begins with b'xx' instead of 'vk'"),
        ("list-signature", "Top", "", "a subkey list cannot be read: it begins with b'lx'"),
        ("db-signature", r"Top\Key", "big", "40960 bytes of data need a big data record, and there is none"),
        ("db-count-zero", r"Top\Key", "big", "has 0 segments where 40960 bytes need 3"),
        ("db-table", r"Top\Key", "big", "the segment list of the big data .* cannot be read: the pointer is empty"),
        ("db-segment", r"Top\Key", "big", "a segment of the big data .* cannot be read: the pointer is empty"),
    ],
)
def test_wrong_cells(open_hive: OpenHive, fault: str, path: str, value: str, message: str) -> None:
    rejected(open_hive, sample().fault(fault, path, value), message)


@pytest.mark.parametrize("pointer", ["list-entry", "value-pointer", "subkey-list", "value-list", "data-pointer"])
@pytest.mark.parametrize(
    ("target", "message"),
    [
        (0xFFFFFFFF, "the pointer is empty"),
        (0x0FFFFFF8, "is outside the hive bins"),
        (0x24, "is not a multiple of 8"),
        (0x0, "no cell begins there"),
        (0x28, "no cell begins there"),  # the middle of the root key
    ],
)
def test_pointers_to_nowhere(open_hive: OpenHive, pointer: str, target: int, message: str) -> None:
    rejected(open_hive, sample().fault(pointer, r"Top\Key", "text", target), message)


@pytest.mark.parametrize(
    ("pointer", "message"),
    [
        ("list-entry", "begins with b'sk' instead of 'nk'"),
        ("value-pointer", "begins with b'sk' instead of 'vk'"),
        ("subkey-list", "begins with b'sk' instead of 'lf'"),
    ],
)
def test_pointers_to_the_wrong_kind(open_hive: OpenHive, pointer: str, message: str) -> None:
    security = 0x20 + 88  # the cell behind the root key
    rejected(open_hive, sample().fault(pointer, r"Top\Key", "text", security), message)


@pytest.mark.parametrize("lists", ["lh", "lf", "li"])
def test_subkey_lists_that_nest_or_loop(open_hive: OpenHive, lists: str) -> None:
    nested = sample(lists=lists)
    nested.key("Top", lists="ri-nested")
    rejected(open_hive, nested, r"a list of subkey lists \(ri\) contains another one, or itself")
    with pytest.raises(CorruptStructureError):
        open_hive(nested).find(r"Top\Key")
    itself = sample(lists=lists, leaf_limit=1).fault("ri-self", "Top")
    rejected(open_hive, itself, r"a list of subkey lists \(ri\) contains another one, or itself")
    with pytest.raises(CorruptStructureError):
        open_hive(itself).find(r"Top\Key")


@pytest.mark.parametrize("ancestor", ["", "Top", r"Top\Key"])
def test_a_key_below_itself(open_hive: OpenHive, ancestor: str) -> None:
    rejected(open_hive, sample().fault("subkey-is-ancestor", r"Top\Key", argument=ancestor), "is listed in two places")


def test_parent_pointers_are_not_followed(open_hive: OpenHive) -> None:
    builder = sample()
    builder.build()
    builder.fault("key-parent", r"Top\Key", argument=builder.find(r"Top\Key\Child").offset)
    hive = open_hive(builder)
    read_all(hive)
    assert hive.key(r"Top\Key\Child").path == r"Top\Key\Child"


@pytest.mark.parametrize(
    ("fault", "path", "argument", "error", "message"),
    [
        (
            "value-count",
            r"Top\Key",
            0xFFFFFFFF,
            CorruptStructureError,
            "4294967295 values, and a hive of this size",
        ),
        ("value-count", r"Top\Key", 999, CorruptStructureError, "holds 12 bytes and 3996 are needed"),
        ("subkey-count", "Top", 0xFFFFFFFF, CorruptStructureError, "4294967295 subkeys, and a hive of this size"),
        ("subkey-count", "Top", 3, CorruptStructureError, "'Top' says that it has 3 subkeys, but its list holds 2"),
        ("subkey-count", "Top", 1, CorruptStructureError, "'Top' says that it has 1 subkeys, but its list holds more"),
        ("list-count", "Top", 0xFFFF, CorruptStructureError, "are needed"),
        ("list-count", "Top", 1, CorruptStructureError, "says that it has 2 subkeys, but its list holds 1"),
        ("list-count", "Top", 0, CorruptStructureError, "says that it has 2 subkeys, but its list holds 0"),
        ("key-name-length", r"Top\Key", 0xFFFF, CorruptStructureError, "its name of 65535 bytes does not fit"),
        ("key-flags", r"Top\Key", 0, CorruptStructureError, "its UTF-16 name has an odd length of 3 bytes"),
    ],
)
def test_counts_and_lengths_of_keys(
    open_hive: OpenHive, fault: str, path: str, argument: int, error: type[FormatError], message: str
) -> None:
    assert isinstance(rejected(open_hive, sample().fault(fault, path, "", argument), message), error)


def test_many_pointers_to_one_leaf_are_not_all_read(open_hive: OpenHive) -> None:
    builder = HiveBuilder(leaf_limit=500)
    for number in range(65_000):
        builder.key(f"{number:05d}")
    data = bytearray(builder.build())
    at = 4096 + builder.root.list_offset + 8
    data[at : at + 4 * 130] = data[at : at + 4] * 130
    hive = open_hive(bytes(data))
    assert hive.find("zzz") is None
    errors: list[FormatError] = []
    found = [key.offset for key in hive.root.subkeys(on_error=errors.append)]
    assert len(found) == len(set(found))
    count = hive.root.subkey_count
    assert [error.message for error in errors] == [
        f"of the {count} subkeys of 'ROOT' {count - len(found)} are listed in two places"
    ]
    with pytest.raises(CorruptStructureError, match="listed in two places"):
        list(hive.walk())


@pytest.mark.parametrize(
    ("fault", "value", "argument", "error", "message"),
    [
        ("value-name-length", "text", 0xFFFF, CorruptStructureError, "its name of 65535 bytes does not fit"),
        ("value-name-length", "text", 0x1001, CorruptStructureError, "does not fit into its cell"),
        ("value-flags", "big", 0, CorruptStructureError, "its UTF-16 name has an odd length of 3 bytes"),
        ("data-length", "text", 16000, CorruptStructureError, "the cell there holds 60 bytes and 16000 are needed"),
        ("data-length", "text", 20000, CorruptStructureError, "need a big data record, and there is none"),
        ("data-length", "text", 0x7FFFFFFF, ReadLimitError, "has 2147483647 bytes of data, the limit is 8388608"),
        ("data-length", "number", 0x80000005, CorruptStructureError, "5 bytes are said to lie in a field of 4 bytes"),
        ("data-length", "number", 0xFFFFFFFF, CorruptStructureError, "2147483647 bytes are said to lie in a field"),
        ("data-length", "big", 16344 * 4, CorruptStructureError, "has 3 segments where 65376 bytes need 4"),
        ("data-length", "big", 16344 * 3, CorruptStructureError, "a segment of the big data"),
        ("data-cell-size", "text", 0, CorruptStructureError, "its cell size is 0|no cell begins there"),
    ],
)
def test_values(
    open_hive: OpenHive, fault: str, value: str, argument: int, error: type[FormatError], message: str
) -> None:
    assert isinstance(rejected(open_hive, sample().fault(fault, r"Top\Key", value, argument), message), error)


@pytest.mark.parametrize(("value", "length"), [("big", len(BIG)), ("page", 4000)])
def test_data_that_many_values_share(open_hive: OpenHive, value: str, length: int) -> None:
    """Each is sound by itself; with a thousand of them a small hive would fill the memory of its reader."""
    builder = sample()
    builder.binary(r"Top\Key", "page", bytes(4000))
    for number in range(1000):
        builder.binary(rf"Top\Other\{number}", "same", bytes(8))
    data = bytearray(builder.build())
    cells = [vk_of(builder, data, rf"Top\Other\{number}") for number in range(1000)]
    key = builder.find(r"Top\Key")
    (source,) = (vk for vk in values_of(data, key.offset) if data[vk + 20 :].startswith(value.encode()))
    for cell in cells:
        data[cell + 4 : cell + 12] = data[source + 4 : source + 12]
    hive = open_hive(bytes(data))
    found = [hive.key(rf"Top\Other\{number}").value("same") for number in range(1000)]
    assert found[0] is not None
    assert len(found[0].raw) == length
    for other in found[1:]:
        assert other is not None
        with pytest.raises(CorruptStructureError, match=f"its {length} bytes of data are those of another value, too"):
            _ = other.data
    assert len(found[0].raw) == length
    again = hive.key(r"Top\Other\0").value("same")
    assert again is not None
    assert again.raw == found[0].raw


def values_of(data: bytearray, key: int) -> list[int]:
    """Where in the file the values of a key begin."""
    count, place = struct.unpack_from("<II", data, 4096 + key + 4 + 36)
    return [4096 + 4 + offset for offset in struct.unpack_from(f"<{count}I", data, 4096 + place + 4)]


def vk_of(builder: HiveBuilder, data: bytearray, path: str) -> int:
    (cell,) = values_of(data, builder.find(path).offset)
    return cell


def test_a_list_that_has_one_value_many_times(open_hive: OpenHive) -> None:
    builder = sample()
    for number in range(50):
        builder.dword(r"Top\Many", f"v{number}", number)
    data = bytearray(builder.build())
    (place,) = struct.unpack_from("<I", data, 4096 + builder.find(r"Top\Many").offset + 4 + 40)
    start = 4096 + place + 4
    data[start + 4 : start + 4 * 50] = data[start : start + 4] * 49
    hive = open_hive(bytes(data))
    errors: list[FormatError] = []
    assert len(list(hive.key(r"Top\Many").values(on_error=errors.append))) == 1
    assert [error.message for error in errors] == ["of the 50 values in a list 49 are there before"]
    assert hive.key(r"Top\Many").value("v0") is not None
    with pytest.raises(CorruptStructureError, match="of the 50 values in a list 49 are there before"):
        hive.key(r"Top\Many").value("v1")


def test_a_class_name_elsewhere(open_hive: OpenHive) -> None:
    rejected(open_hive, sample().fault("key-class", r"Top\Other", argument=0xFFFFFFFF), "the class name of key 'Other'")


def test_pages_in_the_middle_of_large_bins_are_read(open_hive: OpenHive) -> None:
    # A bin of many pages whose data looks like the header of another bin on every page.
    page = b"hbin" + (0x5000).to_bytes(4, "little") + (4096).to_bytes(4, "little")
    content = (bytes(8) + page * 2000)[:16340]
    builder = HiveBuilder()
    builder.binary("K", "v", content)
    builder.fill("K", 50)
    hive = open_hive(builder)
    read_all(hive)
    value = hive.key("K").value("v")
    assert value is not None
    assert value.raw == content


def test_names_from_the_hive_are_escaped_in_messages(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.binary("K", "a\x1b[31m\n::error::\u202e\ud800", bytes(100))
    builder.fault("data-cell-free", "K", "a\x1b[31m\n::error::\u202e\ud800")
    message = str(rejected(open_hive, builder, "is free"))
    assert message.isprintable()


def test_every_fault_by_name_ends_in_an_answer_or_an_error(open_hive: OpenHive) -> None:
    for name in FAULTS:
        for argument in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF):
            builder = sample()
            wide = name in {
                "key-name-length",
                "key-flags",
                "list-count",
                "ri-count",
                "value-name-length",
                "value-flags",
            }
            if name == "subkey-is-ancestor":
                builder.fault(name, r"Top\Key", "big", "")
            elif name == "version":
                builder.fault(name, argument=(argument, argument))
            else:
                builder.fault(name, r"Top\Key", "big", argument & 0xFFFF if wide else argument)
            with contextlib.suppress(FormatError):
                hive = open_hive(builder)
                hive.find(r"Top\Key\Child")
                read_all(hive)
