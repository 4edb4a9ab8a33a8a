"""Whole disks for trying changes on, and the programs that judge a changed disk beside the one it was before."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree as ET

import pytest

import vdiskkit
from tests.build.hive import REG_NONE, HiveBuilder
from tests.build.image import MIB, PartitionSpec, build_disk
from tests.build.pair import PRIVATE, SMALL_BLOCKS, side_car, write_pair
from tests.build.scenario import windows_volume
from tests.build.vhdx import BAT_REGION, PAGE, Page, build_vhdx, link_to, put_log
from tests.build.volume_edit import VolumeEditor
from tests.oracle.ntfs_volumes import STRICTCHECK, contents, mounted, strict_complaints
from tests.oracle.test_container_libvhdi import READ_CHAIN
from tests.oracle.test_hive_edits import HERE, ROOT, dumped
from tests.oracle.test_ntfs_edits import fragment, restore
from tests.oracle.tools import python_with, require
from vdiskkit.patch.registry import parse_reg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.unit.patch.registry.model import Flat

KINDS = {
    "fixed": ("fixed", 2 * MIB),
    "dynamic 512K": ("dynamic", SMALL_BLOCKS),
    "dynamic 2M": ("dynamic", 2 * MIB),
    "dynamic 16M": ("dynamic", 16 * MIB),
    "differencing": ("differencing", SMALL_BLOCKS),
}
VHDX_KINDS = {
    "VHDX fixed": ("fixed", 2 * MIB),
    "VHDX dynamic": ("dynamic", MIB),
    "VHDX differencing": ("differencing", MIB),
    "VHDX pending log": ("differencing", 2 * MIB),
}
SOFTWARE = "Windows/System32/config/SOFTWARE"
STORE = "Windows/System32/spp/store"
EXAMPLE = r"HKLM\SOFTWARE\Example"
START = MIB
"""First byte of the one partition."""
REGIPY_KINDS = (1, 2, 4, 7, 11)
"""Numbers and texts, which regipy decodes."""

# Reads a disk through the strict checker's own VHD reader.
READ_STRICTLY = """
import sys
sys.path.insert(0, sys.argv[1])
import report, vhd
disk = vhd.VhdDisk(sys.argv[2], report.Report())
with open(sys.argv[3], "wb") as target:
    target.write(disk.read(0, disk.size))
"""
READ_VHDI = """
import sys, pyvhdi
file = pyvhdi.file()
file.open(sys.argv[2])
with open(sys.argv[1], "wb") as target:
    target.write(file.read_buffer_at_offset(file.get_media_size(), 0))
"""


# -- the disks --------------------------------------------------------------------------------------------------------


def put_examples(builder: HiveBuilder) -> None:
    """Values and keys to change, beside others that must stay."""
    builder.dword("Example", "number", 1)
    builder.sz("Example", "text", "before")
    builder.binary("Example", "large", bytes(range(256)) * 80)
    builder.multi("Example", "list", ("a", "b"))
    for number in range(40):
        builder.dword(rf"Example\Deep\Key {number:02}\Below", "value", number)
        builder.sz(rf"Example\Wide\Key {number:03}", "", "default")
    builder.fill(r"Example\Many", 400)


def make_raw(folder: Path) -> bytes:
    """A raw disk with one NTFS volume: a Windows with a token store in 500 runs, and files of every kind."""
    path = folder / "volume.raw"
    path.write_bytes(windows_volume("win8", software={"skip_rearm": 1, "keys": 100, "edit": put_examples}))
    with mounted(path) as root:
        data = root / "Data"
        data.mkdir()
        for number in range(300):
            (data / f"a file with a rather long name, number {number:04}").write_bytes(bytes([number % 251]) * 20)
        (data / "linked").write_bytes(b"linked" * 3000)
        os.link(data / "linked", root / "Users" / "second name")
        (root / STORE / "tokens.dat").unlink()
        (root / "Data" / "room").mkdir()
        for number in range(60):  # room in the table, which cannot grow while space is in pieces
            (root / "Data" / "room" / f"{number}").touch()
        shutil.rmtree(root / "Data" / "room")
    taken = fragment(path)
    with mounted(path) as root, (root / STORE / "tokens.dat").open("wb", buffering=0) as file:
        for number in range(500):
            file.write(bytes([number % 256]) * 4096)
    restore(path, taken)
    return build_disk([PartitionSpec(path.read_bytes(), active=True)])


class World(NamedTuple):
    """A disk before any change, in a folder of its own, and what others say of it."""

    kind: str
    disk: Path
    raw: bytes
    files: dict[str, str]
    names: frozenset[str]
    complaints: frozenset[str]
    hive: Path

    def copy(self, folder: Path) -> Path:
        """A copy to change."""
        for path in self.disk.parent.iterdir():
            if path.suffix in {".vhd", ".avhd", ".vhdx", ".avhdx", ".pvp"}:
                shutil.copy2(path, folder)
        return folder / self.disk.name


def make_world(kind: str, raw: bytes, folder: Path) -> World:
    """Put the raw disk into a container."""
    name, block_size = {**KINDS, **VHDX_KINDS}[kind]
    pvp = {"write_cache_type": PRIVATE, "license_mode": 0}
    if kind in VHDX_KINDS:
        disk = write_vhdx(folder, kind, raw)
        disk.with_suffix(".pvp").write_bytes(side_car(disk.stem, len(raw), block_size, **pvp))
    elif name == "differencing":
        older = older_disk(raw)
        parent = write_pair(folder, "disk", bytes(older), block_size=block_size, pvp=pvp)
        disk = write_pair(
            folder, "disk.1", raw, block_size=block_size, pvp=pvp, extension="avhd", parent=parent,
            parent_raw=bytes(older),
        )  # fmt: skip
    else:
        disk = write_pair(folder, "disk", raw, kind=name, block_size=block_size, pvp=pvp)
    volume_path = folder / "volume.raw"
    volume_path.write_bytes(raw[START : len(raw) - MIB])
    hive = folder / "SOFTWARE"
    with mounted(volume_path, "ro") as root:
        files = contents(root)
        shutil.copyfile(root / SOFTWARE, hive)
    return World(kind, disk, raw, files, listed(volume_path), frozenset(strict_lines(disk)), hive)


def older_disk(raw: bytes) -> bytes:
    """The disk when two of its files were others."""
    older = bytearray(raw)
    volume = VolumeEditor(bytearray(raw[START : len(raw) - MIB]))
    for path in ("windows\\explorer.exe", "windows\\system32\\ntoskrnl.exe"):
        for start, length in volume.runs(path):
            older[START + start : START + start + length] = b"older" * (length // 5) + bytes(length % 5)
    return bytes(older)


def write_vhdx(folder: Path, kind: str, raw: bytes) -> Path:
    """Write the disk as VHDX, a differencing one with its parent, and one with its table in a pending log."""
    name, block_size = VHDX_KINDS[kind]
    if name != "differencing":
        used = {at: raw[at : at + MIB] for at in range(0, len(raw), MIB) if any(raw[at : at + MIB])}
        return build_vhdx(name, len(raw), block_size, used).save(folder / "disk.vhdx")
    older = older_disk(raw)
    parent = build_vhdx("dynamic", len(raw), block_size, older)
    parent.save(folder / "disk.vhdx")
    # Windows writes whole clusters, not single sectors.
    changed = {
        at: raw[at : at + 4096] for at in range(0, len(raw), 4096) if raw[at : at + 4096] != older[at : at + 4096]
    }
    child = build_vhdx(name, len(raw), block_size, changed, parent=link_to(parent, r".\disk.vhdx"))
    if "log" in kind:
        table = child.region(BAT_REGION)
        put_log(child, [[Page(table, child.read_at(table, PAGE))]], start=250 * PAGE)
        child.write(table, bytes(PAGE))
    return child.save(folder / "disk.1.avhdx")


# -- judges of disk and volume --------------------------------------------------------------------------------------


def run(*command: str | Path, may_say: str = "") -> str:
    """Run a program that must succeed, and say nothing on standard error but one thing; return what it says."""
    done = subprocess.run(command, capture_output=True, check=False)
    text, errors = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    assert done.returncode == 0, f"{command}: {done.returncode}\n{text[-2000:]}\n{errors}"
    said = [line for line in errors.splitlines() if not may_say or may_say not in line]
    assert said == [], f"{command}: {said}"
    return text


class Judges:
    """Lets judges speak one by one, and remembers those that are not there, so that the others are heard."""

    def __init__(self) -> None:
        self.absent: list[str] = []

    @contextlib.contextmanager
    def speak(self) -> Iterator[None]:
        """Run what needs a program that may be missing."""
        try:
            yield
        except pytest.skip.Exception as exc:
            self.absent.append(str(exc.msg))

    def close(self) -> None:
        """Skip by name for want of those that were not there."""
        if self.absent:
            pytest.skip("; ".join(sorted(set(self.absent))))


@functools.cache
def python(module: str) -> str:
    """A Python that has a module, looked for once."""
    return python_with(module)


def strict_lines(disk: Path, before: Path | None = None) -> list[str]:
    """Errors and warnings of the strict checker, volume and hives; nothing where it is not named.

    It reads no VHDX: that is converted, by qemu-img where it can read it.
    """
    if not STRICTCHECK:
        return []
    with tempfile.TemporaryDirectory(dir=disk.parent.parent) as folder:
        if before is not None:
            before = as_read_strictly(before, Path(folder) / "before.raw")
        command = [sys.executable, STRICTCHECK, str(as_read_strictly(disk, Path(folder) / "disk.raw")), "--strict"]
        if before is not None:
            command += ["--before", str(before)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith(("ERROR", "WARN"))]


def as_read_strictly(disk: Path, target: Path) -> Path:
    """A VHDX as a raw disk; any other disk as it is."""
    if not disk.suffix.endswith("x"):
        return disk
    if disk.suffix == ".vhdx":
        run(require("qemu-img"), "convert", "-f", "vhdx", "-O", "raw", str(disk), str(target))
    else:
        with vdiskkit.open_vdisk(disk) as opened:
            target.write_bytes(opened.container.read_at(0, opened.container.size))
    return target


def vhdx_read_by_others(disk: Path, judges: Judges) -> bytes:
    """The virtual disk as we read it: by qemu-img and dissect where they can, libvhdi for a chain."""
    target = disk.parent.with_name("read.raw")
    with vdiskkit.open_vdisk(disk) as opened:
        assert opened.container.notices == ()
        ours = opened.container.read_at(0, opened.container.size)
    paths = [disk]
    with judges.speak():
        if disk.suffix == ".vhdx":
            said = run(require("qemu-img"), "check", "-f", "vhdx", str(disk))
            assert "No errors were found" in said
            run(require("qemu-img"), "convert", "-f", "vhdx", "-O", "raw", str(disk), str(target))
            assert target.read_bytes() == ours, "qemu-img reads another disk"
        else:
            paths.insert(0, disk.with_name("disk.vhdx"))
    with judges.speak():
        run(python("pyvhdi"), "-c", READ_CHAIN, str(target), *map(str, paths))
        assert target.read_bytes() == ours, "libvhdi reads another disk"
    target.unlink(missing_ok=True)
    return ours


def read_by_others(world: World, disk: Path, judges: Judges, *, libvhdi: bool) -> bytes:
    """The virtual disk as we read it; others that can must agree.

    Of a differencing disk that is the strict checker's reader only: libvhdi takes sectors for present that are not
    (within one byte of a bitmap), qemu-img and dissect read no chains.
    """
    if world.kind in VHDX_KINDS:
        return vhdx_read_by_others(disk, judges)
    target = disk.parent.with_name("read.raw")
    with vdiskkit.open_vdisk(disk) as opened:
        ours = opened.container.read_at(0, opened.container.size)
    if STRICTCHECK:
        run(sys.executable, "-c", READ_STRICTLY, STRICTCHECK, str(disk), str(target))
        assert target.read_bytes() == ours, "the strict checker reads another disk"
    if world.kind != "differencing":
        with judges.speak():
            run(require("qemu-img"), "convert", "-f", "vpc", "-O", "raw", str(disk), str(target))
            assert target.read_bytes() == ours, "qemu-img reads another disk"
            run(require("qemu-img"), "compare", "-f", "raw", "-F", "vpc", str(target), str(disk))
        if libvhdi:
            with judges.speak():
                run(python("pyvhdi"), "-c", READ_VHDI, str(target), str(disk))
                assert target.read_bytes() == ours, "libvhdi reads another disk"
    with judges.speak():
        run(require("vhdiinfo"), str(disk))
    target.unlink(missing_ok=True)
    return ours


def listed(volume: Path) -> frozenset[str]:
    """Names that sleuthkit finds, deleted ones left out."""
    return frozenset(numbers(volume))


def numbers(volume: Path) -> dict[str, str]:
    """The same, with the numbers of their records."""
    found = {}
    for line in run(require("fls"), "-r", "-p", "-u", "-F", "-f", "ntfs", str(volume)).splitlines():
        about, _, name = line.partition("\t")
        if not name.startswith("$"):
            found[name] = about.split()[-1].partition("-")[0]
    return found


def judge_names(world: World, volume: Path, gone: set[str]) -> None:
    """sleuthkit finds every name but those that are gone.

    What stands in index blocks that are free again it takes for names, whoever deleted them; not so their records.
    """
    found = numbers(volume)
    ghosts = sorted(name for name in found if name.partition(":")[0] in gone)
    assert found.keys() - set(ghosts) == {name for name in world.names if name.partition(":")[0] not in gone}
    for name in ghosts[:5]:
        assert "Not Allocated File" in run(require("istat"), "-f", "ntfs", str(volume), found[name])


def judge_volume(world: World, volume: Path, changed: Iterable[str], deleted: Iterable[str], judges: Judges) -> Path:
    """ntfsfix, sleuthkit, and ntfs-3g reading all and writing; returns the SOFTWARE hive as ntfs-3g reads it."""
    done = subprocess.run([require("ntfsfix"), "-n", str(volume)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout, done.stdout
    gone = set(deleted)
    with judges.speak():
        judge_names(world, volume, gone)
    hive = volume.with_name("SOFTWARE")
    with mounted(volume) as root:
        assert_same_files(contents(root), world, changed, gone)
        shutil.copyfile(root / SOFTWARE, hive)
        new = {}
        for number in range(20):
            path = root / "Data" / f"new file with a longer name {number:04}"
            path.write_bytes(bytes([number]) * (number * 700))
            new[f"Data/{path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
        store = root / "Windows" / "System32" / "spp" / "store"
        (store / "tokens.new").write_bytes(b"new" * 100_000)
        new[f"{STORE}/tokens.new"] = hashlib.sha256(b"new" * 100_000).hexdigest()
    with judges.speak():
        record = run(require("ifind"), "-f", "ntfs", "-n", f"/{SOFTWARE}", str(volume)).strip()
        icat = [require("icat"), "-f", "ntfs", str(volume), record]
        assert subprocess.run(icat, capture_output=True, check=True).stdout == hive.read_bytes()
    with mounted(volume, "ro") as root:
        left = contents(root)
        assert {path: left.pop(path) for path in new} == new
        assert_same_files(left, world, changed, gone)
    assert strict_complaints(volume) == []
    return hive


def assert_same_files(found: dict[str, str], world: World, changed: Iterable[str], gone: set[str]) -> None:
    """Every file but the named ones has the hash it had."""
    expected = {path: digest for path, digest in world.files.items() if path not in gone}
    assert found.keys() == expected.keys()
    differing = {path for path, digest in expected.items() if found[path] != digest}
    assert differing == set(changed)


# -- judges of the hive ---------------------------------------------------------------------------------------------

Place = tuple[tuple[str, ...], str | None]
"""A key, and the name of one of its values, or None for the key itself."""
Answer = dict[Place, object]
"""What a program says of each."""


def judge_hive(before: Path, after: Path, change: Callable[[Flat], object], judges: Judges) -> None:
    """hivex reads exactly the change; every other program sees what it saw before and the same difference."""
    flat = hivex_reads(before)
    new_flat = {key: dict(values) for key, values in flat.items()}
    change(new_flat)
    assert dumped(str(after), "hivex", "dump_hivex.py") == new_flat
    old, new = as_answer(flat), as_answer(new_flat)
    touched = differences(old, new)
    assert touched
    for ask in (hivexml, hivexregedit, reglookup, reged, regipy):
        if ask is reged and any(is_of_kind(new.get(place), REG_NONE) for place in touched):
            continue  # chntpw's tool writes no text that can be read for it
        with judges.speak():
            one, other = known(ask, before), ask(after)
            told = {place for place in touched if is_told(ask, place, old, new)}
            found = differences(one, other)
            assert found == told, f"{ask.__name__}: {sorted(map(str, found ^ told))[:10]}"
            if ask in (hivexregedit, reged):
                for place in told & new.keys():
                    if place[1] is not None:
                        assert value_of(str(other[place])) == new[place], (ask.__name__, place)


@functools.cache
def known(ask: Callable[[Path], Answer], hive: Path) -> Answer:
    """The answer about a hive that stays as it is."""
    return ask(hive)


@functools.cache
def hivex_reads(hive: Path) -> Flat:
    """The same for all of it."""
    return dumped(str(hive), "hivex", "dump_hivex.py")


def as_answer(flat: Flat) -> Answer:
    """Keys and values in one."""
    found: Answer = {}
    for key, values in flat.items():
        found[key, None] = True
        found |= {(key, name): value for name, value in values.items()}
    return found


def differences(one: Answer, other: Answer) -> set[Place]:
    """What only one has, or both differently."""
    return {place for place in one.keys() | other.keys() if one.get(place) != other.get(place)}


def is_of_kind(value: object, *kinds: int) -> bool:
    """Whether this is a value of one of these types."""
    return isinstance(value, tuple) and value[0] in kinds


def is_told(ask: object, place: Place, old: Answer, new: Answer) -> bool:
    """Whether a program tells this difference."""
    key, name = place
    values = [answer[place] for answer in (old, new) if name is not None and place in answer]
    if ask in (reglookup, reged) and not "".join(key).isascii():
        return False  # they spell such names in ways of their own
    if ask in (hivexml, reglookup):
        # They are asked for names only, which a new content does not change.
        return (place in old) != (place in new)
    if ask is regipy:
        return name is not None and all(is_of_kind(value, *REGIPY_KINDS) for value in values)
    if ask is reged:
        return not any(is_large(value) for value in values)
    return True


def is_large(value: object) -> bool:
    """Whether this is big data, which chntpw's tool does not read."""
    return isinstance(value, tuple) and len(value[1]) > 16344


def hivexml(hive: Path) -> Answer:
    """Every node and value of a full walk."""
    found: Answer = {}
    root = ET.fromstring(run(require("hivexml"), str(hive)))  # noqa: S314 - of a hive that was built here
    stack: list[tuple[Any, tuple[str, ...]]] = [(root.find("node"), ())]
    while stack:
        node, key = stack.pop()
        found[key, None] = True
        for value in node.findall("value"):
            found[key, value.get("key", "")] = True
        stack += [(child, (*key, child.get("name"))) for child in node.findall("node")]
    return found


def hivexregedit(hive: Path) -> Answer:
    """The export."""
    command = [require("hivexregedit"), "--export", "--prefix", ROOT, str(hive), "\\"]
    return as_written(run(*command, may_say="Wide character"))


def reged(hive: Path) -> Answer:
    """chntpw's export."""
    target = hive.with_name("reged.reg")
    target.unlink(missing_ok=True)
    subprocess.run([require("reged"), "-x", str(hive), ROOT, "\\", str(target)], capture_output=True, check=False)
    found = as_written(target.read_text("latin-1"))
    return {
        place: value
        for place, value in found.items()
        if "".join(place[0]).isascii() and len(str(value)) < 3 * 16344  # a byte takes three characters
    }


def as_written(text: str) -> Answer:
    """Keys and values of .reg text, the data as they are written there."""
    found: Answer = {}
    key: tuple[str, ...] = ()
    for line in text.replace("\r\n", "\n").replace("\\\n", "").splitlines():
        if line.startswith("["):
            key = tuple(part for part in line[1 + len(ROOT) : -1].split("\\") if part)
            found[key, None] = True
        elif match := re.match(r'(?:@|"((?:[^"\\]|\\.)*)")=(.*)', line):
            found[key, re.sub(r"\\(.)", r"\1", match[1] or "")] = match[2]
    return found


def value_of(written: str) -> tuple[int, bytes]:
    """Type and data of a value as it is written in .reg text."""
    (edit,) = parse_reg(f'Windows Registry Editor Version 5.00\r\n\r\n[{ROOT}]\r\n"x"={written}\r\n'.encode())[-1:]
    return edit.type, edit.data


def reglookup(hive: Path) -> Answer:
    """Its list: a line for each key and value."""
    found: Answer = {}
    # It shows text that is not ASCII as bytes, and says so.
    listed = run(require("reglookup"), "-H", str(hive), may_say="WARN: ")
    for line in listed.splitlines():
        path, kind = line.split(",")[:2]
        parts = tuple(path.split("/")[1:]) if path != "/" else ()
        if "%" in path:
            continue
        if kind == "KEY":
            found[parts, None] = True
        else:
            found[parts[:-1], parts[-1]] = True
    return found


def regipy(hive: Path) -> Answer:
    """Numbers and texts, decoded by regipy."""
    rows = run(python("regipy"), str(HERE / "dump_regipy.py"), str(hive)).splitlines()
    found: Answer = {}
    for row in map(json.loads, rows):
        name = "" if row["name"] == "(default)" else row["name"]
        found[tuple(row["path"]), name] = (row["type"], str(row["data"]))
    return found
