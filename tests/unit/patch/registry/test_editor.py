"""What one edit does to a hive, byte for byte where that is promised."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.build.hive import BASE_BLOCK, DEFAULT_SECURITY, KEY_NODE, HiveBuilder, filetime, seal, utf16
from tests.unit.patch.registry.model import NOW, Recorder, edited, flat, judge
from vdiskkit.errors import KeyMissingError, UsageError, ValueMissingError, WriteRefusedError
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import ChangeKind, HiveChange, HiveEditor, ValueData, encode
from vdiskkit.patch.staging import Phase, StagedFile
from vdiskkit.registry import Hive
from vdiskkit.registry.base_block import checksum
from vdiskkit.registry.upcase import sort_key

if TYPE_CHECKING:
    from vdiskkit.registry import RegistryKey

SPP = r"Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
DWORD, SZ, BINARY = 4, 1, 3


def software(**options: int) -> HiveBuilder:
    builder = HiveBuilder(**options)
    builder.dword(SPP, "SkipRearm", 0)
    builder.sz(SPP, "KeyManagementServiceName", "kms.old")
    builder.binary(SPP, "blob", bytes(range(100)))
    return builder


def opened(data: bytes, *, grow: bool = True) -> tuple[HiveEditor, StagedFile]:
    staged = StagedFile(BytesSource(data))
    return HiveEditor(staged, name="SOFTWARE", now=NOW, grow=staged.extend if grow else None), staged


def key(data: bytes, path: str) -> RegistryKey:
    return Hive(BytesSource(data)).key(path)


def differing(before: bytes, after: bytes) -> list[int]:
    assert len(before) == len(after)
    return [at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]


def node(data: bytes, path: str) -> tuple[int, ...]:
    """The fields of a key node behind its signature."""
    at = BASE_BLOCK + 4 + key(data, path).offset
    return KEY_NODE.unpack_from(data, at)[1:]


# -- values ----------------------------------------------------------------------------------------------------------
def test_a_dword_changes_four_bytes_the_time_of_its_key_and_the_base_block() -> None:
    before = software().build()
    after = edited(before, lambda editor: editor.set_value(SPP, "skiprearm", DWORD, 0x01020304), old_format_logs=False)
    at = key(before, SPP).offset + BASE_BLOCK
    value = key(before, SPP).value("SkipRearm")
    assert value is not None
    data_at = BASE_BLOCK + value._offset + 4 + 8
    allowed = {*range(512), *range(at + 8, at + 16), *range(data_at, data_at + 4)}
    assert set(differing(before, after)) <= allowed
    assert after[data_at : data_at + 4] == b"\4\3\2\1"
    assert key(after, SPP).last_written == NOW
    # In the base block: both sequence numbers; their changes cancel out in the checksum.
    assert {at for at in differing(before, after) if at < 512} == {4, 8}


def test_the_base_block_is_sealed_above_all_sequence_numbers() -> None:
    before = software().build()
    after = edited(before, lambda editor: editor.set_value(SPP, "SkipRearm", DWORD, 1), logs=(12, 4711, 5))
    block = Hive(BytesSource(after)).base_block
    assert (block.sequence_1, block.sequence_2, block.checksum_ok, block.last_written) == (4712, 4712, True, NOW)
    assert struct.unpack_from("<Q", after, BASE_BLOCK + 20)[0] == filetime(NOW)
    assert Hive(BytesSource(edited(before, lambda e: e.create_key("n")))).base_block.sequence_1 == 188


@pytest.mark.parametrize("old_format_logs", [True, False])
def test_times_that_are_not_kept_stay_zero(old_format_logs: bool) -> None:
    before = bytearray(software().build())
    before[12:20] = before[BASE_BLOCK + 20 : BASE_BLOCK + 28] = bytes(8)
    seal(before)
    after = edited(bytes(before), lambda e: e.create_key("n"), old_format_logs=old_format_logs)
    assert after[12:20] == after[BASE_BLOCK + 20 : BASE_BLOCK + 28] == bytes(8)


@pytest.mark.parametrize("special", [0, 0xFFFFFFFF])
def test_the_two_special_checksums(special: int) -> None:
    before = bytearray(software().build())
    # Choose a reserved word so that the plain XOR of the edited block becomes the special value.
    after = bytearray(edited(bytes(before), lambda e: e.set_value(SPP, "SkipRearm", DWORD, 1), old_format_logs=False))
    value = 0
    for word in struct.unpack_from("<127I", after):
        value ^= word
    struct.pack_into("<I", before, 200, value ^ special)
    struct.pack_into("<I", before, 508, checksum(bytes(before)))
    result = edited(bytes(before), lambda e: e.set_value(SPP, "SkipRearm", DWORD, 1), old_format_logs=False)
    assert struct.unpack_from("<I", result, 508)[0] == {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}[special]


def test_what_is_so_already_writes_nothing() -> None:
    before = software().build()
    editor, staged = opened(before)
    assert editor.set_value(SPP, "SKIPREARM", DWORD, 0) is None
    assert editor.set_value(SPP, "KeyManagementServiceName", SZ, "kms.old") is None
    assert editor.set_value(SPP, "blob", BINARY, bytes(range(100))) is None
    assert editor.create_key(SPP.upper()) == ()
    assert editor.commit([999]) is None
    assert (staged.changes(), editor.changes) == ([], ())


def test_changes_are_told_with_values_before_and_after() -> None:
    editor, _ = opened(software().build())
    editor.set_value(SPP.lower(), "SKIPREARM", DWORD, 1)
    editor.set_value("New\\Key", "", SZ, "x", create_keys=True)
    editor.delete_value(SPP, "blob")
    editor.delete_key("Microsoft")
    assert editor.changes == (
        HiveChange(ChangeKind.SET_VALUE, SPP, "SkipRearm", ValueData(DWORD, bytes(4)), ValueData(DWORD, b"\1\0\0\0")),
        HiveChange(ChangeKind.CREATE_KEY, "New"),
        HiveChange(ChangeKind.CREATE_KEY, "New\\Key"),
        HiveChange(ChangeKind.SET_VALUE, "New\\Key", "", None, ValueData(SZ, utf16("x"))),
        HiveChange(ChangeKind.DELETE_VALUE, SPP, "blob", ValueData(BINARY, bytes(range(100))), values=1),
        HiveChange(ChangeKind.DELETE_KEY, "Microsoft", keys=4, values=2),
    )
    assert editor.changes[0].after is not None
    assert (editor.changes[0].after.type_name, editor.changes[0].after.data) == ("REG_DWORD", 1)
    assert editor.touched.keys == ("", "New", "New\\Key")


def test_data_that_fits_its_cell_is_written_in_place() -> None:
    before = software().build()
    after = edited(before, lambda e: e.set_value(SPP, "blob", 9, b"y" * 60), old_format_logs=False)
    old, new = key(before, SPP).value("blob"), key(after, SPP).value("blob")
    assert old is not None
    assert new is not None
    assert (new._where, new._offset, new.size, new.type) == (old._where, old._offset, 60, 9)
    # What was behind the new data is left in the cell.
    assert after[BASE_BLOCK + new._where + 64 : BASE_BLOCK + new._where + 104] == bytes(range(60, 100))


@pytest.mark.parametrize("old", [0, 4, 5, 100, 16344, 16345, 50000])
@pytest.mark.parametrize("new", [0, 4, 5, 100, 16344, 16345, 32688, 32689, 50000])
@pytest.mark.parametrize("minor", [3, 4, 5])
def test_no_cell_is_lost_or_left_behind(old: int, new: int, minor: int) -> None:
    """Among others: all segments of big data are given back, and none is one too many."""
    builder = software(minor=minor)
    builder.binary(SPP, "blob", b"o" * old)
    data = edited(builder.build(), lambda e: e.set_value(SPP, "blob", BINARY, b"n" * new))
    value = key(data, SPP).value("blob")
    assert value is not None
    assert value.raw == b"n" * new
    judge(edited(data, lambda e: e.delete_value(SPP, "blob")))


def test_repeated_edits_do_not_swell_the_hive() -> None:
    data = software().build()
    sizes = set()
    for number in range(40):
        data = edited(data, lambda e, n=number: e.set_value(SPP, "big", BINARY, bytes([n]) * (20000 + 50 * (n % 3))))
        sizes.add(len(data))
    assert len(sizes) <= 2


def test_small_data_lies_in_the_value_itself() -> None:
    data = edited(software().build(), lambda e: e.set_value(SPP, "t", SZ, "x"))
    value = key(data, SPP).value("t")
    assert value is not None
    at = BASE_BLOCK + 4 + value._offset
    assert struct.unpack_from("<II", data, at + 4) == (0x80000004, 0x78)
    data = edited(data, lambda e: e.set_value(SPP, "t", SZ, b""))
    assert struct.unpack_from("<II", data, at + 4) == (0x80000000, 0)


def test_the_maximum_fields_are_raised_and_what_lies_beside_them_is_left() -> None:
    builder = software()
    builder.key("A\\B")
    data = bytearray(builder.build())
    at = BASE_BLOCK + 4 + key(bytes(data), "A").offset
    data[at + 54 : at + 56] = b"\x05\x80"  # user flags and debug byte

    def change(editor: HiveEditor) -> None:
        editor.set_value("A", "Ωx", SZ, "long data")
        editor.create_key("A\\Long name Ω")

    after = edited(bytes(data), change)
    fields = node(after, "A")
    names, values, sizes = fields[12], fields[14], fields[15]
    assert (names, values, sizes) == (22 | 0x8005 << 16, 4, 20)
    again = edited(after, lambda e: e.delete_value("A", "Ωx"))
    assert node(again, "A")[14:16] == (4, 20)


def test_type_alone_changes() -> None:
    data = edited(software().build(), lambda e: e.set_value(SPP, "SkipRearm", 11, bytes(4)))
    assert flat(data)[tuple(SPP.split("\\"))]["SkipRearm"] == (11, bytes(4))


@pytest.mark.parametrize("name", ["ключ", "Ångström", "\U00010428", "日本", "ÿ", "Ÿ"])
def test_names_in_any_script(name: str) -> None:
    """Names of one byte per character are marked so, others not; both are hashed and sorted in code units."""
    data = edited(software().build(), lambda e: e.set_value(f"{name}\\{name}", name, SZ, name, create_keys=True))
    found = key(data, f"{name}\\{name}")
    assert found.name == name
    latin1 = all(ord(char) < 256 for char in name)
    assert bool(found.flags & 0x20) is latin1
    value = found.value(name)
    assert value is not None
    assert struct.unpack_from("<H", data, BASE_BLOCK + 4 + value._offset + 16)[0] == int(latin1)
    assert value.data == name


# -- keys ------------------------------------------------------------------------------------------------------------
def test_a_new_key_gets_security_and_flags_of_its_parent() -> None:
    builder = software()
    builder.key("Other", security=DEFAULT_SECURITY[:-4] + b"\x21\2\0\0")
    data = bytearray(builder.build())
    at = BASE_BLOCK + 4 + key(bytes(data), "Other").offset
    data[at + 54] = 0xA7  # virtualisation flags that are handed down, and user flags that are not
    after = edited(bytes(data), lambda e: e.create_key("Other\\New\\Newer"))
    for path in ("Other\\New", "Other\\New\\Newer"):
        fields = node(after, path)
        assert fields[10] == node(after, "Other")[10]
        assert fields[12] >> 16 == 0xA0
        assert key(after, path).last_written == NOW
    assert key(after, "Other").last_written == NOW
    assert struct.unpack_from("<I", after, BASE_BLOCK + 4 + node(after, "Other")[10] + 12)[0] == 3


def test_a_security_descriptor_leaves_the_ring_with_its_last_key() -> None:
    builder = software()
    for number in range(4):
        builder.key(f"K{number}\\x", security=DEFAULT_SECURITY[:-4] + struct.pack("<I", 512 + number))
    data = edited(builder.build(), lambda e: (e.delete_key("K1"), e.delete_key("K3")))
    judge(data)
    judge(edited(data, lambda e: [e.delete_key(f"K{number}") for number in (0, 2)]))


@pytest.mark.parametrize(("minor", "kind"), [(3, b"lf"), (4, b"lf"), (5, b"lh")])
def test_a_first_subkey_gets_a_list_of_the_hives_kind(minor: int, kind: bytes) -> None:
    data = edited(software(minor=minor).build(), lambda e: e.create_key(f"{SPP}\\New"))
    at = BASE_BLOCK + 4 + node(data, SPP)[6]
    assert data[at : at + 4] == kind + b"\1\0"


@pytest.mark.parametrize("lists", ["lf", "lh", "li"])
def test_a_list_keeps_its_kind(lists: str) -> None:
    builder = HiveBuilder(lists=lists)
    for name in ("a", "c", "_", "Z"):
        builder.key(name)
    data = edited(builder.build(), lambda e: (e.create_key("B"), e.delete_key("z")))
    at = BASE_BLOCK + 4 + node(data, "")[6]
    assert data[at : at + 4] == lists.encode() + b"\4\0"
    assert [found.name for found in key(data, "").subkeys()] == ["a", "B", "c", "_"]


def leaves(data: bytes, path: str) -> tuple[bytes, list[tuple[bytes, int]]]:
    """Signature of a key's list, and signature and length of its leaves."""
    at = BASE_BLOCK + 4 + node(data, path)[6]
    kind, count = struct.unpack_from("<2sH", data, at)
    if kind != b"ri":
        return kind, [(kind, count)]
    found = struct.unpack_from(f"<{count}I", data, at + 4)
    return kind, [struct.unpack_from("<2sH", data, BASE_BLOCK + 4 + offset) for offset in found]


def test_keys_in_ascending_order_fill_leaves_as_windows_7_does() -> None:
    data = edited(software().build(), lambda e: [e.create_key(f"M\\k{number:04}") for number in range(1100)])
    assert leaves(data, "M") == (b"ri", [(b"lh", 507), (b"lh", 507), (b"lh", 86)])


def test_a_full_leaf_is_halved() -> None:
    builder = software()
    for number in range(0, 1014, 2):
        builder.key(f"M\\k{number:04}")
    data = edited(builder.build(), lambda e: e.create_key("M\\k0001"))
    assert leaves(data, "M") == (b"ri", [(b"lh", 254), (b"lh", 254)])


def test_a_leaf_that_a_newer_windows_let_grow_goes_on_to_its_limit() -> None:
    builder = HiveBuilder(leaf_limit=1012)
    for number in range(0, 2022, 2):
        builder.key(f"M\\k{number:04}")
    data = edited(builder.build(), lambda e: e.create_key("M\\k0001"))
    assert leaves(data, "M") == (b"lh", [(b"lh", 1012)])
    data = edited(data, lambda e: e.create_key("M\\k0003"))
    assert leaves(data, "M") == (b"ri", [(b"lh", 506), (b"lh", 507)])


def test_a_full_lf_list_becomes_li_and_is_split_later() -> None:
    builder = software(minor=3)
    for number in range(0, 1014, 2):
        builder.key(f"M\\k{number:04}")
    data = edited(builder.build(), lambda e: e.create_key("M\\k0001"))
    assert leaves(data, "M") == (b"li", [(b"li", 508)])
    data = edited(data, lambda e: [e.create_key(f"M\\k{number:04}x") for number in range(505)])
    assert leaves(data, "M") == (b"ri", [(b"li", 506), (b"li", 507)])


@pytest.mark.parametrize("lists", ["lf", "lh", "li"])
def test_leaves_that_become_empty_go_and_the_list_with_the_last(lists: str) -> None:
    builder = HiveBuilder(lists=lists, leaf_limit=3)
    names = [f"k{number:02}" for number in range(10)]
    for name in names:
        builder.key(f"M\\{name}")
    data = builder.build()
    for number, name in enumerate(names[3:6] + names[9:] + names[:3]):
        data = edited(data, lambda e, n=name: e.delete_key(f"M\\{n}"))
        assert key(data, "M").subkey_count == 9 - number
    assert leaves(data, "M") == (b"ri", [(lists.encode(), 3)])
    data = edited(data, lambda e: [e.delete_key(f"M\\{name}") for name in names[6:9]])
    assert node(data, "M")[4:7] == (0, 0, 0xFFFFFFFF)


def test_order_is_that_of_upper_cased_code_units() -> None:
    """`_` sorts behind letters, which lower-casing would put before them; case does not count."""
    names = ["_x", "Zz", "aa", "AB", "ß", "ss", "µ", "Μ", "ı", "I1", "[", "0", "ÿ", "Ÿ1", "\U00010428", "\uffee"]
    data = edited(HiveBuilder().build(), lambda e: [e.create_key(name) for name in names])
    assert [found.name for found in key(data, "").subkeys()] == sorted(names, key=sort_key)
    found = [found.name for found in key(data, "").subkeys()]
    assert found.index("Zz") < found.index("_x")
    assert found.index("\U00010428") < found.index("\uffee")


def test_a_deleted_tree_leaves_nothing_behind() -> None:
    builder = software()
    builder.key("T", class_name="Klasse")
    for number in range(600):
        builder.key(f"T\\k{number}\\deep", class_name="X" * 9).set("v", BINARY, bytes(number * 40))
    data = edited(builder.build(), lambda e: e.delete_key("T"))
    assert ("T",) not in flat(data)


def test_what_a_freed_cell_held_is_left_in_it() -> None:
    builder = software()
    builder.sz("Gone", "name", "this text is left")
    data = edited(builder.build(), lambda e: e.delete_key("Gone"))
    assert utf16("this text is left") in data


# -- where cells go --------------------------------------------------------------------------------------------------
def test_new_first_then_pointers_then_what_is_given_back() -> None:
    builder = software()
    builder.binary(SPP, "blob", bytes(200))
    before = builder.build()
    source = Recorder(before)
    editor = HiveEditor(source, now=NOW, grow=source.staged.extend)
    editor.set_value(SPP, "blob", BINARY, b"n" * 3000)
    editor.create_key("New")
    assert source.writes == []
    editor.commit()
    phases = [phase for _, _, phase in source.writes]
    assert phases == sorted(phases)
    assert set(phases) == {Phase.DATA, Phase.HIVE_OPEN, Phase.HIVE_CLAIM, Phase.HIVE_LINK, Phase.RELEASE}
    # After the first phase the old state is whole: nothing it refers to has been overwritten.
    partly = bytearray(before.ljust(source.size, b"\0"))
    for offset, data, phase in source.writes:
        if phase is Phase.DATA:
            partly[offset : offset + len(data)] = data
    assert flat(bytes(partly)) == flat(before)


def test_a_new_cell_goes_near_its_key_into_the_smallest_fitting_gap() -> None:
    builder = software()
    for number in range(200):
        builder.key(f"Fill{number:03}").set("v", BINARY, bytes(60))
    data = edited(builder.build(), lambda e: [e.delete_value(f"Fill{number:03}", "v") for number in (20, 21, 150)])
    after = edited(data, lambda e: e.set_value("Fill020", "v", BINARY, bytes(60)))
    value = key(after, "Fill020").value("v")
    assert value is not None
    assert value._offset >> 12 == value._where >> 12 == key(after, "Fill020").offset >> 12
    assert len(after) == len(data)


def test_what_looks_like_a_bin_inside_a_large_cell_is_left_alone() -> None:
    """Windows joins free bins; in the cells that come to lie over them whole old bins can be left behind."""
    builder = HiveBuilder(minor=3)
    builder.binary("A", "large", bytes(26000))
    for number in range(60):
        builder.key(f"B{number:02}").set("v", BINARY, bytes(70))
    data = bytearray(builder.build())
    value = key(bytes(data), "A").value("large")
    assert value is not None
    start = BASE_BLOCK + value._where + 4
    remnants = range(-(-start // 4096) * 4096, start + 26000 - 4096, 4096)
    for at in remnants:
        struct.pack_into("<4sIIQQIi", data, at, b"hbin", at - BASE_BLOCK, 4096, 0, 0, 0, 4064)
    assert len(remnants) > 4
    large = flat(bytes(data))["A",]["large"]

    def change(editor: HiveEditor) -> None:
        for number in range(60):
            editor.set_value(f"B{number:02}", "new", BINARY, bytes(300))
        editor.create_key("A\\New")

    assert flat(edited(bytes(data), change))["A",]["large"] == large


def test_a_change_in_a_large_hive_reads_little() -> None:
    builder = software()
    builder.fill("Classes", 30_000)
    source = Recorder(builder.build())
    editor = HiveEditor(source, now=NOW, grow=source.staged.extend)
    editor.set_value(SPP, "New value", BINARY, bytes(3000))
    editor.create_key("Zzz\\New")
    editor.commit()
    assert source.reads < 500
    assert source.size < 15_000_000


def test_without_room_the_file_grows_by_pages_or_the_edit_is_refused() -> None:
    data = software().build()
    editor, staged = opened(data, grow=False)
    with pytest.raises(WriteRefusedError, match="the hive has no room left for the change, and its file of 8192 bytes"):
        editor.set_value(SPP, "big", BINARY, bytes(9000))
    assert staged.changes() == []
    grown = edited(data, lambda e: e.set_value(SPP, "big", BINARY, bytes(9000)))
    assert len(grown) == len(data) + 12288


def test_room_behind_the_hive_bins_is_cleared_and_used_first() -> None:
    data = software(file_size=65536).build()
    end = BASE_BLOCK + Hive(BytesSource(data)).base_block.hive_bins_size
    data = data[:end] + b"\xee" * (65536 - end)
    editor, staged = opened(data, grow=False)
    editor.set_value(SPP, "big", BINARY, b"x" * 9000)
    editor.commit()
    after = staged.read_at(0, staged.size)
    judge(after)
    assert Hive(BytesSource(after)).base_block.hive_bins_size == end - BASE_BLOCK + 12288
    assert b"\xee" not in after[end : end + 12288]
    assert after[end + 12288 :] == data[end + 12288 :]


def test_a_file_that_does_not_grow_when_asked_is_noticed() -> None:
    staged = StagedFile(BytesSource(software().build()))
    editor = HiveEditor(staged, now=NOW, grow=lambda size: None)
    editor.set_value(SPP, "big", BINARY, bytes(9000))
    with pytest.raises(WriteRefusedError, match="the hive file should have grown to 20480 bytes, it has 8192"):
        editor.commit()
    assert staged.changes() == []


def test_an_edit_goes_on_after_a_commit() -> None:
    editor, staged = opened(software().build())
    editor.set_value(SPP, "a", DWORD, 1)
    assert editor.commit() == 188
    editor.set_value(SPP, "b", DWORD, 2)
    assert editor.value(SPP, "B") == ValueData(DWORD, b"\2\0\0\0")
    assert editor.commit([500]) == 501
    assert editor.base_block.sequence_1 == 501
    data = staged.read_at(0, staged.size)
    judge(data, editor.touched)
    assert {"a", "b"} <= flat(data)[tuple(SPP.split("\\"))].keys()


# -- what is asked for wrongly ---------------------------------------------------------------------------------------
def test_what_is_missing() -> None:
    editor, staged = opened(software().build())
    with pytest.raises(KeyMissingError, match=r"there is no key 'Microsoft\\\\X' in the hive SOFTWARE"):
        editor.set_value(r"Microsoft\X", "v", DWORD, 1)
    with pytest.raises(KeyMissingError, match="there is no key"):
        editor.delete_value("X", "v")
    with pytest.raises(KeyMissingError, match="there is no key"):
        editor.delete_key("X")
    with pytest.raises(ValueMissingError, match=r"the key 'Microsoft' has no value 'v'"):
        editor.delete_value("microsoft", "v")
    with pytest.raises(KeyMissingError):
        editor.delete_key("x" * 300)
    assert editor.value("X", "v") is editor.value("Microsoft", "v") is None
    assert (editor.has_key("X"), editor.has_key(SPP)) == (False, True)
    assert editor.commit() is None
    assert staged.changes() == []


@pytest.mark.parametrize("now", [0, -1, 2**63, datetime(2026, 1, 1)])  # noqa: DTZ001 - the fault that is meant
def test_impossible_times(now: int | datetime) -> None:
    with pytest.raises(UsageError, match="time"):
        HiveEditor(StagedFile(BytesSource(software().build())), now=now)


def test_times_as_filetime_or_datetime() -> None:
    when = datetime(2020, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    stamps = []
    for now in (when, filetime(when), when.astimezone(tz=None)):
        staged = StagedFile(BytesSource(software().build()))
        editor = HiveEditor(staged, now=now)
        editor.set_value(SPP, "SkipRearm", DWORD, 1)
        editor.commit()
        stamps.append(key(staged.read_at(0, staged.size), SPP).last_written)
    assert stamps == [when] * 3


@pytest.mark.parametrize(
    ("kind", "data", "raw"),
    [
        (DWORD, 2**32 - 1, b"\xff" * 4),
        (5, 1, b"\0\0\0\1"),
        (11, 2, b"\2" + bytes(7)),
        (SZ, "a", b"a\0\0\0"),
        (SZ, "a\0", b"a\0\0\0"),
        (2, "%a", b"%\0a\0\0\0"),
        (6, "a", b"a\0"),
        (7, ("a", "b"), b"a\0\0\0b\0\0\0\0\0"),
        (7, (), b"\0\0"),
        (DWORD, b"raw", b"raw"),
        (0xFFFF0012, b"raw", b"raw"),
    ],
)
def test_data_by_type(kind: int, data: int | str | tuple[str, ...] | bytes, raw: bytes) -> None:
    assert encode(kind, data) == raw


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (DWORD, 2**32, "4294967296 does not fit into a REG_DWORD"),
        (DWORD, -1, "-1 does not fit into a REG_DWORD"),
        (11, 2**64, "does not fit into a REG_QWORD"),
        (DWORD, "1", "a REG_DWORD cannot be made from a value of type str"),
        (SZ, 1, "a REG_SZ cannot be made from a value of type int"),
        (BINARY, "x", "a REG_BINARY cannot be made from a value of type str"),
        (SZ, "a\0b", "text for a REG_SZ contains a NUL character"),
        (7, ("a", ""), "a REG_MULTI_SZ cannot hold an empty text"),
        (7, ("a\0",), "text for a REG_MULTI_SZ contains a NUL character"),
        (-1, b"", "-1 is no value type"),
        (2**32, b"", "4294967296 is no value type"),
    ],
)
def test_data_that_does_not_fit_its_type(kind: int, data: int | str | tuple[str, ...] | bytes, message: str) -> None:
    editor, _ = opened(software().build())
    with pytest.raises(UsageError, match=message):
        editor.set_value(SPP, "v", kind, data)


def test_the_clock_of_a_key_is_that_of_its_last_change() -> None:
    data = software().build()
    later = NOW + timedelta(days=1)
    staged = StagedFile(BytesSource(data))
    for when in (NOW, later):
        editor = HiveEditor(staged, now=when)
        editor.set_value(SPP, "SkipRearm", DWORD, 1 if when == NOW else 2)
        editor.commit()
    after = staged.read_at(0, staged.size)
    assert key(after, SPP).last_written == later
    assert key(after, "Microsoft").last_written == key(data, "Microsoft").last_written
