"""Edited hives in the eyes of other programs: what they read is what was written, and nothing else has changed."""

from __future__ import annotations

import json
import os
import random
import struct
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from tests.build.hive import REG_BINARY, REG_DWORD, REG_NONE, REG_QWORD, REG_SZ, HiveBuilder, seal, utf16
from tests.oracle.samples import real_sample, strictcheck
from tests.oracle.tools import python_with, require
from tests.unit.patch.registry.model import NOW, Flat, Node, flat, judge, load_model
from vdiskkit.errors import LogReplayNeededError, WriteRefusedError
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import HiveEditor, RegAction, check_hive, check_touched, parse_reg
from vdiskkit.patch.staging import StagedFile
from vdiskkit.registry import Hive
from vdiskkit.registry.upcase import upcase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.oracle

HERE = Path(__file__).parent
ROOT = r"HKEY_LOCAL_MACHINE\SOFTWARE"
ASCII = [*"abCDeF_-{9 .", "Microsoft", "zz"]
WIDE = [*ASCII, "ä", "ß", "Ω", "ключ", "日本"]
SIZES = (5, 8, 100, 4060, 16344, 16345, 40000)


def random_value(rng: random.Random, sizes: tuple[int, ...]) -> tuple[int, bytes]:
    kind = rng.choice([REG_NONE, REG_SZ, REG_BINARY, REG_DWORD, REG_QWORD])
    if kind == REG_SZ:
        return kind, utf16("text" * rng.randrange(20))
    if kind in (REG_DWORD, REG_QWORD):
        return kind, rng.randbytes(4 if kind == REG_DWORD else 8)
    return kind, rng.randbytes(rng.choice(sizes))


def random_edits(
    data: bytes, seed: int, *, rounds: int, parts: list[str], sizes: tuple[int, ...] = SIZES
) -> tuple[bytes, Node]:
    """Many random edits, committed now and then, beside the same in a model."""
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    model, staged = load_model(data), StagedFile(BytesSource(data))
    editor = HiveEditor(staged, name="TEST", now=NOW, grow=staged.extend)
    for step in range(rounds):
        names, node = rng.choice(list(model.walk()))
        path = "\\".join(names)
        match rng.randrange(10):
            case 0 | 1 | 2 | 3:
                name, kind_data = "".join(rng.choices(parts, k=rng.randrange(1, 6))), random_value(rng, sizes)
                old = node.values.get(upcase(name))
                node.values[upcase(name)] = (old[0] if old else name, *kind_data)
                editor.set_value(path, name, *kind_data)
            case 4 | 5 if node.values:
                folded = rng.choice(list(node.values))
                editor.delete_value(path, node.values.pop(folded)[0])
            case 6 | 7 | 8:
                for _ in range(rng.randrange(1, 30)):
                    name = "".join(rng.choices(parts, k=rng.randrange(1, 8)))
                    node.child(name)
                    editor.create_key(f"{path}\\{name}")
            case 9 if names and len(list(node.walk())) < 40:
                parent = model
                for part in names[:-1]:
                    parent = parent.children[upcase(part)]
                del parent.children[upcase(names[-1])]
                editor.delete_key(path)
        if step % 50 == 49:
            editor.commit([step])
            editor = HiveEditor(staged, name="TEST", now=NOW, grow=staged.extend)
    editor.commit()
    return staged.read_at(0, staged.size), model


def start(minor: int) -> bytes:
    builder = HiveBuilder(minor=minor)
    for number in range(505):
        builder.key(rf"Many\Key{number:04}")
    builder.sz("Microsoft", "ProductName", "Windows")
    return builder.build()


@pytest.fixture(scope="module", params=[3, 5], ids=["1.3", "1.5"])
def ascii_hive(request: Any) -> tuple[bytes, Flat]:
    data, model = random_edits(start(request.param), request.param, rounds=400, parts=ASCII)
    assert flat(data) == model.flat()
    judge(data)
    return data, model.flat()


@pytest.fixture(scope="module", params=[3, 4, 5], ids=["1.3", "1.4", "1.5"])
def wide_hive(request: Any) -> tuple[bytes, Flat]:
    data, model = random_edits(start(request.param), 10 + request.param, rounds=400, parts=WIDE)
    assert flat(data) == model.flat()
    judge(data)
    return data, model.flat()


@pytest.fixture
def save(tmp_path: Path) -> Callable[[bytes], str]:
    def write(data: bytes) -> str:
        file = tmp_path / "hive"
        file.write_bytes(data)
        return str(file)

    return write


def dumped(file: str, module: str, script: str) -> Flat:
    done = subprocess.run([python_with(module), str(HERE / script), file], capture_output=True, check=True)
    found: Flat = {}
    for text in done.stdout.decode().splitlines():
        row = json.loads(text)
        values = found.setdefault(tuple(row["path"]), {})
        if "name" in row:
            values[row["name"]] = (row["type"], bytes.fromhex(row["data"]))
    return found


def strict_lines(file: str, *options: str) -> list[str]:
    command = [sys.executable, strictcheck(), file, "--verbose", *options]
    done = subprocess.run(command, capture_output=True, check=False)
    return [line for line in done.stdout.decode().splitlines() if not line.startswith("#")]


def test_strictcheck_finds_nothing(wide_hive: tuple[bytes, Flat], save: Callable[[bytes], str]) -> None:
    assert strict_lines(save(wide_hive[0]), "--strict") == ["0 errors, 0 warnings, 0 infos"]


@pytest.mark.parametrize(("module", "script"), [("hivex", "dump_hivex.py"), ("pyregf", "dump_libregf.py")])
def test_libraries_read_what_was_written(
    wide_hive: tuple[bytes, Flat], save: Callable[[bytes], str], module: str, script: str
) -> None:
    data, expected = wide_hive
    found = dumped(save(data), module, script)
    if struct.unpack_from("<I", data, 24) == (4,) and module == "pyregf":
        # libregf knows big data from version 1.5 on only; all else must be as written.
        long = {
            (key, name) for key, values in expected.items() for name, (_, raw) in values.items() if len(raw) > 16344
        }
        assert long
        found, expected = (
            {
                key: {name: value for name, value in values.items() if (key, name) not in long}
                for key, values in flat.items()
            }
            for flat in (found, expected)
        )
    assert found == expected


def test_regipy_reads_what_was_written(ascii_hive: tuple[bytes, Flat], save: Callable[[bytes], str]) -> None:
    data, expected = ascii_hive
    command = [python_with("regipy"), str(HERE / "dump_regipy.py"), save(data)]
    done = subprocess.run(command, capture_output=True, check=True)
    rows = [json.loads(line) for line in done.stdout.decode().splitlines()]
    hive = Hive(BytesSource(data))
    for row in rows:
        value = hive.key("\\".join(row["path"])).value("" if row["name"] == "(default)" else row["name"])
        assert value is not None
        assert (value.type_name, value.data) == (row["type"], row["data"])
    kinds = (REG_SZ, REG_DWORD, REG_QWORD)
    assert len(rows) == sum(kind in kinds for values in expected.values() for kind, _ in values.values())


def test_hivexml_walks_all_of_it(ascii_hive: tuple[bytes, Flat], save: Callable[[bytes], str]) -> None:
    data, expected = ascii_hive
    done = subprocess.run([require("hivexml"), save(data)], capture_output=True, check=True)
    assert done.stderr == b""
    tree = ET.fromstring(done.stdout)  # noqa: S314 - of a hive that was built here
    assert len(list(tree.iter("node"))) == len(expected)
    assert len(list(tree.iter("value"))) == sum(len(values) for values in expected.values())


def test_reglookup_lists_all_of_it(ascii_hive: tuple[bytes, Flat], save: Callable[[bytes], str]) -> None:
    data, expected = ascii_hive
    done = subprocess.run([require("reglookup"), "-H", save(data)], capture_output=True, check=True)
    assert done.stderr == b""
    kinds = [line.split(b",")[1] for line in done.stdout.splitlines()]
    assert kinds.count(b"KEY") == len(expected)
    assert len(kinds) == len(expected) + sum(len(values) for values in expected.values())


def exported(text: bytes) -> Flat:
    """What .reg text says, by our own parser."""
    found: Flat = {}
    for edit in parse_reg(text):
        values = found.setdefault(tuple(part for part in edit.key[len(ROOT) :].split("\\") if part), {})
        if edit.action is RegAction.SET_VALUE and edit.value is not None:
            values[edit.value] = (edit.type, edit.data)
    return found


def test_hivexregedit_exports_what_was_written(ascii_hive: tuple[bytes, Flat], save: Callable[[bytes], str]) -> None:
    data, expected = ascii_hive
    command = [require("hivexregedit"), "--export", "--prefix", ROOT, save(data), "\\"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert exported(done.stdout) == expected


def test_reged_exports_what_was_written(save: Callable[[bytes], str], tmp_path: Path) -> None:
    # Without big data and REG_NONE, which chntpw's tool neither reads nor names right.
    data, model = random_edits(start(5), 77, rounds=300, parts=ASCII[:6], sizes=(5, 8, 100, 4060))
    for _, node in model.walk():
        node.values = {key: value for key, value in node.values.items() if value[1] != REG_NONE}
    target = tmp_path / "out.reg"
    command = [require("reged"), "-x", save(data), ROOT, "\\", str(target)]
    subprocess.run(command, capture_output=True, check=False)
    theirs = exported(target.read_bytes())
    assert theirs.keys() == model.flat().keys()
    for names, values in model.flat().items():
        for name, value in values.items():
            assert theirs[names][name] == value, (names, name)


@pytest.mark.parametrize("minor", [3, 5])
def test_another_writer_goes_on(minor: int, save: Callable[[bytes], str], tmp_path: Path) -> None:
    """hivexregedit adds to a hive that was edited here, and it is edited here again."""
    data, model = random_edits(start(minor), minor, rounds=60, parts=ASCII, sizes=(5, 100))
    file, text = save(data), tmp_path / "x.reg"
    keys = f"[{ROOT}\\Added]\n\n[{ROOT}\\Added\\By others]\n"
    text.write_text(f'Windows Registry Editor Version 5.00\n\n{keys}"v"=dword:00000007\n\n')
    command = [require("hivexregedit"), "--merge", "--prefix", ROOT, file, str(text)]
    subprocess.run(command, capture_output=True, check=True)
    model.child("Added").child("By others").values["V"] = ("v", REG_DWORD, b"\7\0\0\0")
    data = Path(file).read_bytes()
    assert flat(data) == model.flat()
    data, model = random_edits(data, minor + 1, rounds=60, parts=ASCII, sizes=(5, 100))
    assert flat(data) == model.flat()
    assert dumped(save(data), "hivex", "dump_hivex.py") == model.flat()


# -- real hives ------------------------------------------------------------------------------------------------------
CLEAN = [
    "BCD",
    "hivex_minimal",
    "hivex_special",
    "offreg_testhive",
    "ntuser_software_partial",
    "SYSTEM",
    "yarp/BigDataHive",
    "yarp/BogusKeyNamesHive",
    "yarp/CompHive",
    "yarp/DeletedTreeHive",
    "yarp/EmptyHive",
    "yarp/ExtendedASCIIHive",
    "yarp/HealedHive",
    "yarp/ManySubkeysHive",
    "yarp/NewDirtyHive1/RecoveredHive_Windows10",
    "yarp/NewFlagsHive",
    "yarp/OldDirtyHive/RecoveredHive_Windows7",
    "yarp/RemnantsHive",
    "yarp/SlackHive",
    "yarp/StringValuesHive",
    "yarp/UnicodeHive",
]
DIRTY = [
    "NTUSER_BAGMRU.DAT",
    "SYSTEM_2",
    "SYSTEM_B",
    "SYSTEM_WIN_10_1709",
    "UsrClass.dat",
    "yarp/BadLogHive1/BadLogHive",
    "yarp/NewDirtyHive1/NewDirtyHive",
    "yarp/OldDirtyHive/OldDirtyHive",
]
LARGE = {"SYSTEM", "SYSTEM_WIN_10_1709"}
NEW = {
    "dword": (REG_DWORD, b"\1\0\0\0"),
    "text": (REG_SZ, utf16("KMS.example")),
    "": (REG_SZ, utf16("default")),
    "big": (REG_BINARY, bytes(range(256)) * 200),
}


def cleaned(data: bytes) -> bytes:
    """A dirty hive as if its logs had been empty."""
    copy = bytearray(data)
    struct.pack_into("<I", copy, 8, struct.unpack_from("<I", copy, 4)[0])
    seal(copy)
    return bytes(copy)


def sound_before(editor: HiveEditor, staged: StagedFile, before: bytes) -> bytes:
    """Commit; what is wrong with the hive was wrong before."""
    editor.commit([1, 2])
    data = staged.read_at(0, staged.size)
    known = {problem.code for problem in check_hive(BytesSource(before))}
    assert {problem.code for problem in check_hive(BytesSource(data))} <= known
    assert check_touched(BytesSource(data), editor.touched) == ()
    return data


def plain(names: tuple[str, ...]) -> bool:
    return all(name and "\\" not in name and "\0" not in name for name in names)


def places(found: Flat) -> Iterator[tuple[str, ...]]:
    """The root, a key with the most subkeys, one with the most values, a deep one."""
    names = [path for path in found if plain(path)]
    counts: dict[tuple[str, ...], int] = {}
    for path in found:
        counts[path[:-1]] = counts.get(path[:-1], 0) + 1
    yield ()
    yield max(names, key=lambda path: counts.get(path, 0))
    yield max(names, key=lambda path: len(found[path]))
    yield max(names, key=len)


def records(data: bytes) -> dict[str, tuple[bytes, str]]:
    """The record of each key, its place in the hive included, and its class name."""
    return {
        key.path: (key.offset.to_bytes(4) + data[(at := 4100 + key.offset) : at + 76], key.class_name)
        for key in Hive(BytesSource(data)).walk()
    }


@pytest.mark.real
@pytest.mark.parametrize("name", DIRTY)
def test_a_real_hive_that_is_dirty_is_refused(name: str) -> None:
    with pytest.raises(LogReplayNeededError, match=r"was not closed cleanly: the sequence numbers \d+ and \d+ differ"):
        HiveEditor(StagedFile(BytesSource(real_sample(name))), name="X", now=NOW)


@pytest.mark.real
@pytest.mark.parametrize("name", [*CLEAN, "SYSTEM_WIN_10_1709", "UsrClass.dat", "yarp/OldDirtyHive/OldDirtyHive"])
def test_set_add_and_delete_in_a_real_hive(name: str, save: Callable[[bytes], str]) -> None:
    data = real_sample(name)
    if name in DIRTY:
        data = cleaned(data)
    before = flat(data, look_up=False)
    findings = strict_lines(save(data)) if "VDISKKIT_STRICTCHECK" in os.environ else []
    staged = StagedFile(BytesSource(data))

    editor = HiveEditor(staged, name="X", now=NOW, grow=staged.extend)
    expected = {names: dict(values) for names, values in before.items()}
    for names in dict.fromkeys(places(before)):
        path = "\\".join(names)
        for value, new in NEW.items():
            if value or "" not in expected[names]:
                editor.set_value(path, f"new {value}" if value else "", *new)
                expected[names][f"new {value}" if value else ""] = new
        editor.set_value(f"{path}\\new key\\ключ", "v", *NEW["text"], create_keys=True)
        expected[*names, "new key"] = {}
        expected[*names, "new key", "ключ"] = {"v": NEW["text"]}
        old = next(((value, *known) for value, known in before[names].items() if "\0" not in value), None)
        if old:
            editor.set_value(path, old[0], old[1], old[2] + b"more")
            expected[names][old[0]] = (old[1], old[2] + b"more")
    changed = sound_before(editor, staged, data)
    assert flat(changed, look_up=name not in LARGE) == expected
    old_records, new_records = records(data), records(changed)
    assert old_records.keys() <= new_records.keys()
    assert {path for path, record in old_records.items() if new_records[path] != record} <= set(editor.touched.keys)
    assert dumped(save(changed), "hivex", "dump_hivex.py") == expected

    editor = HiveEditor(staged, name="X", now=NOW, grow=staged.extend)
    for names in dict.fromkeys(places(before)):
        path = "\\".join(names)
        for value in expected[names].keys() - before[names].keys():
            editor.delete_value(path, value)
        editor.delete_key(f"{path}\\NEW KEY")
        for value, known in before[names].items():
            if expected[names].get(value) != known:
                editor.set_value(path, value, *known)
    restored = sound_before(editor, staged, changed)
    assert flat(restored, look_up=False) == before
    if name not in LARGE:
        assert dumped(save(restored), "hivex", "dump_hivex.py") == before
    if findings:
        assert strict_lines(save(restored)) == findings


@pytest.mark.real
@pytest.mark.parametrize(
    "name", ["BCD", "SYSTEM", "offreg_testhive", "ntuser_software_partial", "yarp/ManySubkeysHive"]
)
def test_deleting_all_of_a_real_hive(name: str) -> None:
    data = real_sample(name)
    staged = StagedFile(BytesSource(data))
    editor = HiveEditor(staged, name="X", now=NOW, grow=staged.extend)
    for key in list(Hive(BytesSource(data)).root.subkeys()):
        try:
            editor.delete_key(key.path)
        except WriteRefusedError as exc:
            assert "is a symbolic link to another key" in exc.message  # noqa: PT017 - some have none
    emptied = sound_before(editor, staged, data)
    left = flat(emptied, look_up=False)
    assert left.keys() <= flat(data, look_up=False).keys()
    assert name == "SYSTEM" or left.keys() == {()}


def lines_of(command: list[str]) -> list[bytes]:
    # Some of the programs complain about names or data that were in the real hive before; that is not compared.
    return subprocess.run(command, capture_output=True, check=False).stdout.splitlines()


def reged_lines(file: str) -> list[bytes]:
    target = Path(f"{file}.reg")
    subprocess.run([require("reged"), "-x", file, ROOT, "\\", str(target)], capture_output=True, check=False)
    # Between the prefix and the keys it puts the name of the root key, where there is one.
    return target.read_bytes().replace(rb"\SOFTWARE\ROOT", rb"\SOFTWARE").splitlines()


JUDGES: dict[str, tuple[Callable[[str], list[bytes]], bytes, bytes]] = {
    "hivexregedit": (
        lambda file: lines_of([require("hivexregedit"), "--export", "--prefix", ROOT, file, "\\"]),
        rb"[HKEY_LOCAL_MACHINE\SOFTWARE\A new key]",
        b'"SkipRearm"=dword:00000001',
    ),
    "reglookup": (
        lambda file: [line.rpartition(b",")[0] for line in lines_of([require("reglookup"), "-H", file])],
        b"/A new key,KEY,",
        b"/A new key/SkipRearm,DWORD,0x00000001",
    ),
    "reged": (reged_lines, rb"[HKEY_LOCAL_MACHINE\SOFTWARE\A new key]", b'"SkipRearm"=dword:00000001'),
    "regipy": (
        lambda file: lines_of([python_with("regipy"), str(HERE / "dump_regipy.py"), file]),
        b"",
        b'{"path": ["A new key"], "name": "SkipRearm", "type": "REG_DWORD", "data": 1}',
    ),
}


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "program"),
    [
        (name, program)
        for name in ("BCD", "offreg_testhive", "ntuser_software_partial", "yarp/SlackHive")
        for program in JUDGES
        # reged takes the ends of big data from elsewhere in the hive; regipy takes half a minute for so many keys.
        if (name, program) not in {("offreg_testhive", "reged"), ("ntuser_software_partial", "regipy")}
    ],
)
def test_other_programs_see_the_edit_of_a_real_hive_and_nothing_else(
    name: str, program: str, save: Callable[[bytes], str]
) -> None:
    judge_lines, key_line, value_line = JUDGES[program]
    data = real_sample(name)
    before = judge_lines(save(data))
    staged = StagedFile(BytesSource(data))
    for change in (
        lambda editor: editor.set_value("A new key", "SkipRearm", REG_DWORD, 1, create_keys=True),
        lambda editor: editor.delete_key("A new key"),
    ):
        editor = HiveEditor(staged, name="X", now=NOW, grow=staged.extend)
        change(editor)
        editor.commit()
        after = judge_lines(save(staged.read_at(0, staged.size)))
        added = [line for line in after if b"new key" in line or b"SkipRearm" in line]
        assert added == ([line for line in (key_line, value_line) if line] if editor.has_key("A new key") else [])
        assert sorted(set(after) - set(added)) == sorted(set(before))
