"""Every operation on every kind of disk, judged afterwards by every program that can read a part of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import vdiskkit
from tests.build.hive import (
    REG_BINARY,
    REG_DWORD,
    REG_EXPAND_SZ,
    REG_MULTI_SZ,
    REG_NONE,
    REG_QWORD,
    REG_SZ,
    utf16,
)
from tests.build.image import MIB
from tests.oracle.changed_disks import (
    EXAMPLE,
    KINDS,
    SOFTWARE,
    START,
    STORE,
    VHDX_KINDS,
    Judges,
    World,
    judge_hive,
    judge_volume,
    make_raw,
    make_world,
    read_by_others,
    strict_lines,
)
from vdiskkit import CreateKey, DeleteFile, DeleteKey, DeleteValue, SetPvpField, SetValue
from vdiskkit.cli.run import run as run_command_line
from vdiskkit.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.patch.registry.model import Flat
    from vdiskkit.patch.operations import Operation

pytestmark = pytest.mark.oracle

NOW = dt.datetime(2026, 11, 24, 9, 12, 3, tzinfo=dt.UTC)
SPP = ("Microsoft", "Windows NT", "CurrentVersion", "SoftwareProtectionPlatform")
TOKENS, CACHE = f"{STORE}/tokens.dat", f"{STORE}/cache/cache.dat"
LARGE = bytes(range(256)) * 3900
REG_FILE = f"""Windows Registry Editor Version 5.00

[HKEY_LOCAL_MACHINE\\SOFTWARE\\Example]
"number"=dword:00000007
"text"=-
@="the default"
"new"=hex(2):25,00,61,00,25,00,00,00

[-HKEY_LOCAL_MACHINE\\SOFTWARE\\Example\\Deep]

[HKEY_LOCAL_MACHINE\\SOFTWARE\\Example\\Wide\\Key 0005\\New]
"q"=hex(b):{",".join(["01"] * 8)}
"""


class Case(NamedTuple):
    """One change.

    Attributes:
        name: What it is.
        act: Makes it.
        change: The same in the flat picture of SOFTWARE; None when the hive stays as it is.
        deleted: Paths that are gone afterwards, every name of a file.
        fields: Side-car fields that change, as facts.
        grows: Whether the disk file gets new blocks.
    """

    name: str
    act: Callable[[Path], object]
    change: Callable[[Flat], object] | None = None
    deleted: tuple[str, ...] = ()
    fields: dict[str, Any] = {}  # noqa: RUF012 - never changed
    grows: bool = False


def doing(*operations: Operation) -> Callable[[Path], object]:
    return lambda disk: vdiskkit.apply(vdiskkit.plan(disk, operations, now=NOW))


def setting(*values: tuple[str, int, bytes], key: str = "Example") -> Case:
    """Set values of a key, which is created when it is not there."""
    names = tuple(key.split("\\"))

    def change(flat: Flat) -> None:
        for count in range(1, len(names) + 1):
            flat.setdefault(names[:count], {})
        for name, kind, data in values:
            flat[names][name] = (kind, data)

    operations = [
        SetValue(key=rf"HKLM\SOFTWARE\{key}", name=name, type=kind, data=data, create_keys=True)
        for name, kind, data in values
    ]
    return Case(", ".join(name or "default" for name, _, _ in values), doing(*operations), change)


def without(flat: Flat, *names: str) -> None:
    for key in [key for key in flat if key[: len(names)] == names]:
        del flat[key]


def delete_value(flat: Flat) -> None:
    del flat["Example",]["large"]
    del flat["Example",]["list"]


def create_keys(flat: Flat) -> None:
    flat["Example", "Many", "AAA first"] = {}
    flat["Example", "Ключ"] = {}
    flat["Example", "Ключ", "below"] = {}


def import_file(disk: Path) -> None:
    source = disk.with_name("import.reg")
    source.write_bytes(REG_FILE.replace("\n", "\r\n").encode("utf-16"))
    code = run_command_line(["reg", "import", str(disk), str(source), "--yes", "-q"], Session(clock=lambda: NOW))
    source.unlink()
    assert code == 0


def imported(flat: Flat) -> None:
    values = flat["Example",]
    del values["text"]
    values |= {
        "number": (REG_DWORD, b"\7\0\0\0"),
        "": (REG_SZ, utf16("the default")),
        "new": (REG_EXPAND_SZ, utf16("%a%")),
    }
    without(flat, "Example", "Deep")
    flat["Example", "Wide", "Key 0005"] = {}
    flat["Example", "Wide", "Key 0005", "New"] = {"q": (REG_QWORD, b"\1" * 8)}


def prepare(disk: Path) -> None:
    made = vdiskkit.plan_kms_prep(
        disk, skip_rearm=0, kms_host="kms.example.com", kms_port=1689, remove_tokens=True, now=NOW
    )
    vdiskkit.apply(made)


def prepared(flat: Flat) -> None:
    flat[SPP] |= {
        "SkipRearm": (REG_DWORD, bytes(4)),
        "KeyManagementServiceName": (REG_SZ, utf16("kms.example.com")),
        "KeyManagementServicePort": (REG_SZ, utf16("1689")),
    }


def all_at_once(disk: Path) -> None:
    operations: list[Operation] = [
        SetValue(key=EXAMPLE, name="text", type=REG_SZ, data=utf16("after " * 40)),
        DeleteKey(key=rf"{EXAMPLE}\Wide"),
        DeleteFile(path=TOKENS.replace("/", "\\")),
        SetPvpField(field="license_mode", value="kms"),
        SetPvpField(field="description", value="geändert"),
    ]
    vdiskkit.apply(vdiskkit.plan(disk, operations, now=NOW))


def changed_at_once(flat: Flat) -> None:
    flat["Example",]["text"] = (REG_SZ, utf16("after " * 40))
    without(flat, "Example", "Wide")


def deleting(*paths: str) -> Callable[[Path], object]:
    return doing(*(DeleteFile(path=path.replace("/", "\\")) for path in paths))


MANY = tuple(f"Data/a file with a rather long name, number {number:04}" for number in range(20, 260))
KMS_PREP = Case("kms-prep", prepare, prepared, (TOKENS, CACHE))
PVP = Case(
    "pvp",
    doing(SetPvpField(field="license_mode", value="kms"), SetPvpField(field="build", value="77")),
    fields={"license_mode": "kms", "license_mode_value": 2, "build": 77},
)
ALL = Case(
    "all at once",
    all_at_once,
    changed_at_once,
    (TOKENS,),
    {"license_mode": "kms", "license_mode_value": 2, "description": "geändert"},
)
CASES = [
    ("fixed", setting(("number", REG_DWORD, b"\2\0\0\0"))._replace(name="DWORD in place")),
    (
        "dynamic 512K",
        setting(
            ("new", REG_QWORD, bytes(8)), ("", REG_SZ, utf16("default")), ("b", REG_BINARY, bytes(range(200)))
        )._replace(name="QWORD, SZ, BINARY"),
    ),
    (
        "differencing",
        setting(
            ("e", REG_EXPAND_SZ, utf16("%x%")), ("list", REG_MULTI_SZ, utf16("c\0d\0")), key=r"Example\New\Key"
        )._replace(name="EXPAND_SZ, MULTI_SZ in new keys"),
    ),
    ("dynamic 2M", setting(("none", REG_NONE, b""), ("more", REG_NONE, b"123456"))._replace(name="NONE")),
    ("dynamic 16M", setting(("db", REG_BINARY, LARGE[:100_000]))._replace(name="big data")),
    ("dynamic 512K", setting(("huge", REG_BINARY, LARGE))._replace(name="beyond the allocation", grows=True)),
    ("differencing", setting(("huge", REG_BINARY, LARGE))._replace(name="beyond the allocation", grows=True)),
    (
        "dynamic 2M",
        Case(
            "delete values", doing(*(DeleteValue(key=EXAMPLE, name=name) for name in ("LARGE", "list"))), delete_value
        ),
    ),
    (
        "dynamic 16M",
        Case(
            "create keys",
            doing(CreateKey(key=rf"{EXAMPLE}\Many\AAA first"), CreateKey(key=rf"{EXAMPLE}\Ключ\below")),
            create_keys,
        ),
    ),
    (
        "fixed",
        Case("delete keys", doing(DeleteKey(key=rf"{EXAMPLE}\Many")), lambda flat: without(flat, "Example", "Many")),
    ),
    ("dynamic 512K", Case(".reg import", import_file, imported)),
    ("dynamic 2M", Case("tokens in 500 runs", deleting(TOKENS), None, (TOKENS,))),
    ("differencing", Case("tokens in 500 runs", deleting(TOKENS), None, (TOKENS,))),
    ("dynamic 16M", Case("240 files of a folder", deleting(*MANY), None, MANY)),
    ("fixed", Case("one link", deleting("Data/linked"), None, ("Data/linked",))),
    (
        "dynamic 512K",
        Case(
            "all links",
            doing(DeleteFile(path="Data\\linked", all_links=True)),
            None,
            ("Data/linked", "Users/second name"),
        ),
    ),
    ("dynamic 512K", PVP),
    ("differencing", ALL),
    *((kind, KMS_PREP) for kind in KINDS),
    ("VHDX fixed", setting(("number", REG_DWORD, b"\2\0\0\0"))._replace(name="DWORD in place")),
    ("VHDX dynamic", setting(("huge", REG_BINARY, LARGE))._replace(name="beyond the allocation", grows=True)),
    ("VHDX differencing", setting(("huge", REG_BINARY, LARGE))._replace(name="beyond the allocation", grows=True)),
    ("VHDX dynamic", Case(".reg import", import_file, imported)),
    ("VHDX differencing", Case("tokens in 500 runs", deleting(TOKENS), None, (TOKENS,))),
    ("VHDX fixed", Case("240 files of a folder", deleting(*MANY), None, MANY)),
    ("VHDX differencing", PVP),
    ("VHDX pending log", ALL),
    *((kind, KMS_PREP) for kind in VHDX_KINDS),
]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], World]:
    made: dict[str, World] = {}
    raw: list[bytes] = []

    def world(kind: str) -> World:
        if kind not in made:
            if not raw:
                raw.append(make_raw(tmp_path_factory.mktemp("raw")))
            made[kind] = make_world(kind, raw[0], tmp_path_factory.mktemp(kind.replace(" ", "-")))
        return made[kind]

    return world


@pytest.mark.parametrize(
    ("kind", "case"), [pytest.param(kind, case, id=f"{kind}: {case.name}") for kind, case in CASES]
)
def test_after_an_operation(tmp_path: Path, worlds: Callable[[str], World], kind: str, case: Case) -> None:
    world = worlds(kind)
    folder = tmp_path / "disk"
    folder.mkdir()
    disk = world.copy(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    facts = vdiskkit.read_pvp(disk.with_suffix(".pvp")).facts()

    judges = Judges()

    case.act(disk)

    assert {name for name, data in before.items() if (folder / name).read_bytes() != data} == {
        *([disk.name] if case.change or case.deleted else []),
        *([disk.with_suffix(".pvp").name] if case.fields else []),
    }
    if case.grows:
        assert disk.stat().st_size > len(before[disk.name])
    if case.fields:
        found = vdiskkit.read_pvp(disk.with_suffix(".pvp")).facts()
        expected = dataclasses.replace(facts, **case.fields, properties_update_time=found.properties_update_time)
        assert found == expected
    if case.change or case.deleted:
        assert set(strict_lines(disk, world.disk)) <= world.complaints
        # libvhdi takes seconds for a disk with large blocks.
        raw = read_by_others(world, disk, judges, libvhdi=kind != "dynamic 16M" or case is KMS_PREP)
        assert raw[:START] == world.raw[:START]
        assert raw[-MIB:] == world.raw[-MIB:]
        volume = tmp_path / "volume.raw"
        volume.write_bytes(raw[START:-MIB])
        hive = judge_volume(world, volume, [SOFTWARE] if case.change else [], case.deleted, judges)
        if case.change:
            judge_hive(world.hive, hive, case.change, judges)
    vdiskkit.undo(disk)
    assert {name: (folder / name).read_bytes() for name in before} == before
    shutil.rmtree(tmp_path)
    judges.close()
