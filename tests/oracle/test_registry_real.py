"""Every key and value of the real hives, in order and byte for byte, as hivex and libregf read them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.oracle.samples import real_sample
from tests.oracle.tools import python_with
from vdiskkit.errors import CorruptStructureError, FormatError
from vdiskkit.io import BytesSource
from vdiskkit.registry import Hive
from vdiskkit.registry.upcase import upcase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.registry import RegistryKey

pytestmark = [pytest.mark.oracle, pytest.mark.real]

HERE = Path(__file__).parent
LARGE = ["SYSTEM", "SYSTEM_WIN_10_1709", "NTUSER_BAGMRU.DAT", "ntuser_software_partial"]
SMALL = [
    "BCD",
    "hivex_minimal",
    "hivex_rlenvalue_test_hive",
    "hivex_special",
    "offreg_testhive",
    "UsrClass.dat",
    "yarp/BadListHive",
    "yarp/BadLogHive1/BadLogHive",
    "yarp/BadSubkeyHive",
    "yarp/BigDataHive",
    "yarp/BogusKeyNamesHive",
    "yarp/CompHive",
    "yarp/DeletedTreeHive",
    "yarp/DupNameHive",
    "yarp/DuplicateSubkeysHive",
    "yarp/EmptyHive",
    "yarp/ExtendedASCIIHive",
    "yarp/HealedHive",
    "yarp/InvalidParentHive",
    "yarp/ManySubkeysHive",
    "yarp/NewDirtyHive1/NewDirtyHive",
    "yarp/NewDirtyHive1/RecoveredHive_Windows10",
    "yarp/NewFlagsHive",
    "yarp/OldDirtyHive/OldDirtyHive",
    "yarp/OldDirtyHive/RecoveredHive_Windows7",
    "yarp/RemnantsHive",
    "yarp/SlackHive",
    "yarp/StringValuesHive",
    "yarp/UnicodeHive",
    "yarp/WrongOrderHive",
]
# Subkey lists that name one key twice: listed as they are by key, refused by a walk over all.
LOOPING = {"yarp/BadListHive", "yarp/BadSubkeyHive"}

Row = tuple[Any, ...]


def ours(data: bytes) -> Iterator[Row]:
    hive = Hive(BytesSource(data))
    stack: list[tuple[RegistryKey, list[str]]] = [(hive.root, [])]
    while stack:
        key, names = stack.pop()
        yield tuple(names), key._node.written
        for value in key.values():
            yield tuple(names), value.name, value.type, value.raw.hex()
            _ = value.data, value.problem
        stack += [(child, [*names, child.name]) for child in reversed(list(key.subkeys()))]


def theirs(data: bytes, module: str, script: str, folder: Path) -> list[Row]:
    file = folder / "hive"
    file.write_bytes(data)
    python = python_with(module)
    done = subprocess.run([python, str(HERE / script), str(file)], capture_output=True, check=True)
    rows = []
    for text in done.stdout.decode().splitlines():
        row = json.loads(text)
        rest = (row["name"], row["type"], row["data"]) if "name" in row else (row["written"],)
        rows.append((tuple(row["path"]), *rest))
    return rows


@pytest.mark.parametrize("name", SMALL + LARGE)
def test_equals_hivex(name: str, tmp_path: Path) -> None:
    data = real_sample(name)
    assert list(ours(data)) == theirs(data, "hivex", "dump_hivex.py", tmp_path)


@pytest.mark.parametrize("name", ["offreg_testhive", "yarp/BigDataHive", "yarp/ExtendedASCIIHive"])
def test_equals_libregf(name: str, tmp_path: Path) -> None:
    data = real_sample(name)
    # Chosen without texts of an odd number of bytes: libregf leaves the last byte of those out.
    assert list(ours(data)) == theirs(data, "pyregf", "dump_libregf.py", tmp_path)


@pytest.mark.parametrize("name", ["BCD", "offreg_testhive", "yarp/StringValuesHive", "yarp/UnicodeHive"])
def test_numbers_and_texts_equal_regipy(name: str, tmp_path: Path) -> None:
    data = real_sample(name)
    file = tmp_path / "hive"
    file.write_bytes(data)
    python = python_with("regipy")
    done = subprocess.run([python, str(HERE / "dump_regipy.py"), str(file)], capture_output=True, check=True)
    rows = [json.loads(text) for text in done.stdout.decode().splitlines()]
    hive = Hive(BytesSource(data))
    compared = 0
    for row in rows:
        if not (row["name"].isascii() and all(part.isascii() for part in row["path"])):
            continue  # regipy replaces what is not ASCII in compressed names
        key = hive.key("\\".join(row["path"]))
        value = key.value("" if row["name"] == "(default)" else row["name"])
        assert value is not None
        assert value.type_name == row["type"]
        if value.problem is None and value.size:
            assert value.data == (tuple(row["data"]) if isinstance(row["data"], list) else row["data"])
            compared += 1
    assert compared or not rows


@pytest.mark.parametrize("name", [name for name in SMALL if name not in LOOPING] + ["SYSTEM_WIN_10_1709"])
def test_every_key_is_found_by_its_name(name: str) -> None:
    hive = Hive(BytesSource(real_sample(name)))
    for parent in hive.walk():
        seen = set()
        for key in parent.subkeys():
            folded = upcase(key.name)
            if folded in seen:
                continue  # twice in one list: the first one counts
            seen.add(folded)
            for asked in (key.name, folded):
                found = parent.subkey(asked)
                assert found is not None, key.path
                assert found.offset == key.offset or name.endswith(("DupNameHive", "DuplicateSubkeysHive"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SYSTEM_WIN_10_1709", "the sequence numbers 4317 and 4316 differ"),
        ("SYSTEM_B", "the sequence numbers 1622 and 1621 differ"),
        ("UsrClass.dat", "the sequence numbers 256 and 255 differ"),
        ("SYSTEM", ""),
        ("BCD", ""),
    ],
)
def test_dirty_state(name: str, reason: str) -> None:
    block = Hive(BytesSource(real_sample(name))).base_block
    assert block.checksum_ok
    assert block.dirty_reason == reason


@pytest.mark.parametrize("name", sorted(LOOPING))
def test_a_key_in_two_lists_is_refused_by_a_walk(name: str) -> None:
    with pytest.raises(CorruptStructureError, match="listed in two places"):
        list(Hive(BytesSource(real_sample(name))).walk())


def test_a_corrupted_hive_ends_in_errors_and_gives_what_is_left() -> None:
    hive = Hive(BytesSource(real_sample("corrupted_system_hive")))
    with pytest.raises(CorruptStructureError):
        _ = [value.data for key in hive.walk() for value in key.values()]
    errors: list[FormatError] = []
    assert sum(1 for _ in hive.walk(on_error=errors.append)) > 1500
    assert errors


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("yarp/TruncatedNameHive", "its name of 22 bytes does not fit into its cell"),
        ("yarp/EffectiveSizeHive", "says that it has 5000 subkeys, and a hive of this size has room for 48 at most"),
        ("yarp/BadBaseBlockHive/BadBaseBlockHive", "the base block is damaged"),
    ],
)
def test_other_damage_is_an_error(name: str, message: str) -> None:
    data = real_sample(name)
    with pytest.raises(FormatError, match=message):
        list(Hive(BytesSource(data)).walk())


def test_the_folding_table_is_the_one_of_a_volume_made_by_windows() -> None:
    import io
    import struct

    from dissect.ntfs import NTFS

    raw = NTFS(io.BytesIO(real_sample("ntfs/dissect_ntfs.bin"))).mft.get(10).open().read()
    table = struct.unpack("<65536H", raw)
    assert [unit for unit in range(0x10000) if ord(upcase(chr(unit))) != table[unit]] == []
