"""What the hive builder makes is healthy in the eyes of other programs, and the same as we read."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.build.hive import DEFAULT_SECURITY, HiveBuilder, utf16
from tests.oracle.samples import strictcheck
from tests.oracle.tools import python_with, require
from vdiskkit.io import BytesSource
from vdiskkit.registry import Hive
from vdiskkit.registry.regfile import export_keys

pytestmark = pytest.mark.oracle

HERE = Path(__file__).parent


def rich(**options: Any) -> HiveBuilder:
    builder = HiveBuilder(**options)
    path = r"Microsoft\Windows NT\CurrentVersion"
    builder.sz(path, "ProductName", 'Windows 10 "Enterprise" C:\\')
    builder.sz(path, "", "default")
    builder.dword(path, "n", 7)
    builder.qword(path, "q", 2**50)
    builder.multi(path, "m", ["a", "b"])
    builder.expand(path, "e", "%x%")
    builder.binary(path, "empty", b"")
    builder.binary(path, "long", bytes(range(256)) * 20)
    builder.set(path, "none", 0, b"\1")
    builder.set(path, "odd", 1, b"\1\2\3")
    builder.set(path, "unterminated", 1, utf16("abc", terminated=False))
    builder.key(r"Classes", class_name="Class")
    builder.key(r"Other", security=DEFAULT_SECURITY[:-4] + b"\x21\2\0\0")
    for number in range(1200):
        builder.key(rf"Classes\CLSID\k{number}").set("v", 4, b"1234")
    return builder


def with_unicode(**options: Any) -> HiveBuilder:
    builder = rich(**options)
    for name in ("abcd_äöüß", "ключ", "\u0131x", "日本", "\U00010428"):
        builder.key(("Names", name)).set(name, 1, utf16(name))
    builder.binary("Big", "big", bytes(range(256)) * 300)
    return builder


@pytest.mark.parametrize("minor", [3, 4, 5, 6])
@pytest.mark.parametrize("lists", [None, "li"])
def test_strictcheck_finds_nothing(minor: int, lists: str | None, tmp_path: Path) -> None:
    file = tmp_path / "hive"
    file.write_bytes(with_unicode(minor=minor, lists=lists, file_size=2**20).build())
    done = subprocess.run([sys.executable, strictcheck(), str(file), "--strict"], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode()
    assert b"0 errors, 0 warnings" in done.stdout


@pytest.mark.parametrize("minor", [3, 5])
@pytest.mark.parametrize("program", ["hivexml", "reglookup"])
def test_other_programs_accept_it(minor: int, program: str, tmp_path: Path) -> None:
    file = tmp_path / "hive"
    builder = rich(minor=minor)
    del builder.find(r"Microsoft\Windows NT\CurrentVersion").values["ODD"]  # reglookup warns of it, rightly
    file.write_bytes(builder.build())
    done = subprocess.run([require(program), str(file)], capture_output=True, check=True)
    assert done.stderr == b""
    assert b"k1199" in done.stdout


def test_hivex_reads_the_same(tmp_path: Path) -> None:
    file = tmp_path / "hive"
    data = with_unicode().build()
    file.write_bytes(data)
    python = python_with("hivex")
    done = subprocess.run([python, str(HERE / "dump_hivex.py"), str(file)], capture_output=True, check=True)
    rows = [json.loads(text) for text in done.stdout.decode().splitlines()]
    theirs = [(row["path"], row["name"], row["type"], row["data"]) for row in rows if "name" in row]
    ours = [
        (key.path.split("\\") if key.path else [], value.name, value.type, value.raw.hex())
        for key in Hive(BytesSource(data)).walk()
        for value in key.values()
    ]
    assert ours == theirs


def parse_reg(text: str) -> dict[str, dict[str, tuple[str, bytes]]]:
    """A .reg text as keys and values, whatever the way it is written in."""
    keys: dict[str, dict[str, tuple[str, bytes]]] = {}
    values: dict[str, tuple[str, bytes]] = {}
    text = re.sub(r",\\\r?\n\s*", ",", text)
    for line in text.splitlines():
        if line.startswith("["):
            values = keys.setdefault(line[1:-1], {})
        elif match := re.fullmatch(r'(?:@|"((?:[^"\\]|\\.)*)")=(.*)', line):
            name = re.sub(r"\\(.)", r"\1", match[1] or "")
            values[name] = parse_data(match[2])
    return keys


def parse_data(text: str) -> tuple[str, bytes]:
    if text.startswith('"'):
        return "1", utf16(re.sub(r"\\(.)", r"\1", text[1:-1]))
    kind, _, rest = text.partition(":")
    if kind == "dword":
        return "4", int(rest, 16).to_bytes(4, "little")
    match = re.fullmatch(r"hex(?:\((\w+)\))?", kind)
    assert match, text
    return (match[1] or "3"), bytes.fromhex(rest.replace(",", ""))


def test_reg_text_means_the_same_as_that_of_hivexregedit(tmp_path: Path) -> None:
    file = tmp_path / "hive"
    data = rich().build()
    file.write_bytes(data)
    command = [require("hivexregedit"), "--export", "--prefix", r"HKEY_LOCAL_MACHINE\SOFTWARE", str(file), "\\"]
    theirs = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    ours = "".join(export_keys(Hive(BytesSource(data)).root, r"HKEY_LOCAL_MACHINE\SOFTWARE"))
    assert parse_reg(ours) == parse_reg(theirs.replace(r"SOFTWARE\]", "SOFTWARE]"))


def test_reg_text_comes_back_through_hivexregedit(tmp_path: Path) -> None:
    original, copy, text = tmp_path / "a", tmp_path / "b", tmp_path / "x.reg"
    data = rich().build()
    original.write_bytes(data)
    copy.write_bytes(HiveBuilder().build())
    text.write_text("".join(export_keys(Hive(BytesSource(data)).root, "HKLM\\S")), encoding="utf-8", newline="")
    command = [require("hivexregedit"), "--merge", "--prefix", "HKLM\\S", str(copy), str(text)]
    subprocess.run([*command, "--encoding", "UTF-16LE"], capture_output=True, check=True)

    def content(file: Path) -> list[tuple[Any, ...]]:
        hive = Hive(BytesSource(file.read_bytes()))
        rows = [(key.path, {v.name: (v.type, v.raw) for v in key.values()}) for key in hive.walk()]
        return sorted(rows, key=lambda row: row[0])

    assert content(copy) == content(original)
