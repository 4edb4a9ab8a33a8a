"""Dirty hives, replayed and edited, in the eyes of other programs: they show what was in the log, and the edit."""

from __future__ import annotations

import json
import struct
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

import vdiskkit
from tests.build.dirty_disk import LAST_HOST, dirty_disk, dirty_software
from tests.build.hive import REG_DWORD, REG_SZ, utf16
from tests.build.hive_log import DirtyHive, new_format, old_format, recover, sequences, with_base
from tests.oracle.samples import real_sample
from tests.oracle.test_hive_edits import HERE, dumped, strict_lines
from tests.oracle.tools import python_with, require
from tests.unit.patch.registry.dirty import NEW, SPP, history, open_dirty
from tests.unit.patch.registry.model import NOW, as_dissect, by_dissect, flat
from vdiskkit import SetValue
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import HiveEditor, check_hive, check_touched
from vdiskkit.patch.staging import StagedFile
from vdiskkit.registry.replay import replay

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.patch.registry.model import Flat

pytestmark = pytest.mark.oracle

MADE: dict[str, Callable[[], DirtyHive]] = {
    "new": lambda: new_format(history(), split=1, swapped=True),
    "grown": lambda: new_format(history(large=20000)),
    "old": lambda: old_format(history()),
}


@pytest.fixture
def save(tmp_path: Path) -> Callable[[bytes], str]:
    def write(data: bytes) -> str:
        file = tmp_path / "hive"
        file.write_bytes(data)
        return str(file)

    return write


@pytest.fixture(scope="module", params=MADE)
def made(request: pytest.FixtureRequest) -> tuple[bytes, Flat]:
    """A hive after replay and edit, and what it must hold."""
    dirty = MADE[request.param]()
    editor, staged = open_dirty(dirty)
    editor.set_value(SPP, "SkipRearm", REG_DWORD, 77)
    editor.set_value(f"{NEW}\\Made", "Host", REG_SZ, "kms.example.com", create_keys=True)
    editor.commit()
    expected = flat(dirty.after)
    expected[tuple(SPP.split("\\"))]["SkipRearm"] = (REG_DWORD, struct.pack("<I", 77))
    expected[NEW, "Made"] = {"Host": (REG_SZ, utf16("kms.example.com"))}
    return staged.read_at(0, staged.size), expected


def test_strictcheck_finds_nothing(made: tuple[bytes, Flat], save: Callable[[bytes], str]) -> None:
    assert strict_lines(save(made[0]), "--strict") == ["0 errors, 0 warnings, 0 infos"]


@pytest.mark.parametrize(("module", "script"), [("hivex", "dump_hivex.py"), ("pyregf", "dump_libregf.py")])
def test_libraries(made: tuple[bytes, Flat], save: Callable[[bytes], str], module: str, script: str) -> None:
    assert dumped(save(made[0]), module, script) == made[1]


def test_dissect(made: tuple[bytes, Flat]) -> None:
    assert by_dissect(made[0]) == as_dissect(made[1])


def test_hivexsh(made: tuple[bytes, Flat], save: Callable[[bytes], str]) -> None:
    """In the middle: replayed and not edited; in the others: edited."""
    script = f"cd \\{SPP}\nlsval SkipRearm\ncd \\{NEW}\\Key3\nlsval Number\ncd \\{NEW}\\Made\nlsval Host\n"
    command = [require("hivexsh"), save(made[0])]
    done = subprocess.run(command, input=script.encode(), capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == ["77", "3", "kms.example.com"]


def test_reglookup(made: tuple[bytes, Flat], save: Callable[[bytes], str]) -> None:
    done = subprocess.run([require("reglookup"), "-H", save(made[0])], capture_output=True, check=True)
    assert done.stderr == b""
    lines = {line.rpartition(b",")[0] for line in done.stdout.splitlines()}
    assert f"/{NEW}/Key3/Number,DWORD,0x00000003".encode() in lines
    assert f"/{NEW}/Made/Host,SZ,kms.example.com".encode() in lines
    assert f"/{SPP}/SkipRearm,DWORD,0x0000004D".replace("\\", "/").encode() in lines
    assert len(lines) == len(made[1]) + sum(len(values) for values in made[1].values())


def test_regipy(made: tuple[bytes, Flat], save: Callable[[bytes], str]) -> None:
    command = [python_with("regipy"), str(HERE / "dump_regipy.py"), save(made[0])]
    done = subprocess.run(command, capture_output=True, check=True)
    rows = [json.loads(line) for line in done.stdout.decode().splitlines()]
    found = {("\\".join(row["path"]), row["name"]): row["data"] for row in rows}
    assert found[SPP, "SkipRearm"] == 77
    assert found[f"{NEW}\\Key3", "Number"] == 3
    assert found[f"{NEW}\\Made", "Host"] == "kms.example.com"


@pytest.mark.parametrize(
    ("product", "arguments"),
    [("win10", {}), ("win10", {"large": 9000, "split": 1}), ("win7", {"old": True})],
    ids=["new", "grown", "old"],
)
def test_a_hive_in_a_disk(product: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    """The file system is sound, and the hive as sleuthkit finds it."""
    dirty = dirty_software(product, **arguments)
    disk = dirty_disk(tmp_path, dirty, product=product, kind="fixed", table="none")
    before = strict_lines(str(disk))
    assert any("regf.dirty" in line for line in before)
    key = rf"HKLM\SOFTWARE\{SPP}"
    operation = SetValue(key=key, name="SkipRearm", type=REG_DWORD, data=bytes(4))
    vdiskkit.apply(vdiskkit.plan(disk, [operation], now=NOW))
    after = strict_lines(str(disk))
    assert not any("regf.dirty" in line for line in after)
    assert set(after[:-1]) <= set(before[:-1])  # the last line counts
    listing = subprocess.run([require("fls"), "-rp", disk], capture_output=True, check=True).stdout.decode()
    (entry,) = [line for line in listing.splitlines() if line.endswith("Windows/System32/config/SOFTWARE")]
    inode = entry.split()[1].rstrip(":")
    data = subprocess.run([require("icat"), disk, inode], capture_output=True, check=True).stdout
    (tmp_path / "hive").write_bytes(data)
    values = dumped(str(tmp_path / "hive"), "hivex", "dump_hivex.py")[tuple(SPP.split("\\"))]
    assert values["SkipRearm"] == (REG_DWORD, bytes(4))
    assert values["KeyManagementServiceName"] == (REG_SZ, utf16(LAST_HOST))


# -- real hives and their logs ----------------------------------------------------------------------------------------
REAL = {
    "yarp/NewDirtyHive1/NewDirtyHive": "yarp/NewDirtyHive1/RecoveredHive_Windows10",
    "yarp/OldDirtyHive/OldDirtyHive": "yarp/OldDirtyHive/RecoveredHive_Windows7",
    "yarp/BadBaseBlockHive/BadBaseBlockHive": "yarp/OldDirtyHive/RecoveredHive_Windows7",
    "SYSTEM_B": None,
    "UsrClass.dat": None,
}
"""Dirty hives, and what Windows made of them where that is known."""


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_real_hives_and_logs(name: str, save: Callable[[bytes], str]) -> None:
    primary = real_sample(name)
    raw = [real_sample(f"{name}.LOG{number}") for number in (1, 2)]
    logs = [(f"X.LOG{number}", BytesSource(data)) for number, data in enumerate(raw, start=1)]
    recovered_by_windows = REAL[name]
    after = recover(primary, raw) if recovered_by_windows is None else real_sample(recovered_by_windows)
    expected = flat(after, look_up=False)
    known = {problem.code for problem in check_hive(BytesSource(after))}

    staged = StagedFile(BytesSource(primary))
    editor = HiveEditor(staged, name="X", now=NOW, grow=staged.extend, logs=logs)
    assert editor.replayed is not None
    editor.set_value("New key", "SkipRearm", REG_DWORD, 1, create_keys=True)
    expected["New key",] = {"SkipRearm": (REG_DWORD, b"\1\0\0\0")}
    names = max((path for path in expected if all(part and "\\" not in part for part in path)), key=len)
    editor.set_value("\\".join(names), "New value", REG_SZ, "text")
    expected[names] = {**expected[names], "New value": (REG_SZ, utf16("text"))}
    editor.commit()
    data = staged.read_at(0, staged.size)

    assert flat(data, look_up=False) == expected
    assert dumped(save(data), "hivex", "dump_hivex.py") == expected
    assert {problem.code for problem in check_hive(BytesSource(data))} <= known
    assert check_touched(BytesSource(data), editor.touched) == ()
    for again in (data, with_base(data, sequence_1=sequences(data)[0] + 1)):
        assert recover(again, raw) == again
        found = replay(BytesSource(again), logs, "X")
        assert found.entries == 0


@pytest.mark.real
@pytest.mark.parametrize("name", ["yarp/NewDirtyHive1/NewDirtyHive", "yarp/OldDirtyHive/OldDirtyHive"])
def test_real_hives_by_strictcheck(name: str, save: Callable[[bytes], str]) -> None:
    """Nothing is wrong with them that is not wrong with what Windows recovered."""
    windows = REAL[name]
    assert windows is not None
    before = strict_lines(save(real_sample(windows)))
    logs = [(f"X.LOG{number}", BytesSource(real_sample(f"{name}.LOG{number}"))) for number in (1, 2)]
    staged = StagedFile(BytesSource(real_sample(name)))
    editor = HiveEditor(staged, name="X", now=NOW, grow=staged.extend, logs=logs)
    editor.set_value("", "New value", REG_DWORD, 1)
    editor.commit()
    data = staged.read_at(0, staged.size)
    assert strict_lines(save(data)) == before
