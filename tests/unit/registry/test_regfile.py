from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.build.hive import HiveBuilder, utf16
from vdiskkit.errors import CorruptStructureError, FormatError
from vdiskkit.registry.regfile import HEADER, export_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.registry import Hive

    OpenHive = Callable[[HiveBuilder | bytes], Hive]

ROOT = r"HKEY_LOCAL_MACHINE\SOFTWARE"


def exported(hive: Hive, path: str = "") -> list[str]:
    text = "".join(export_keys(hive.key(path), ROOT))
    assert text.startswith(HEADER)
    assert text.endswith("\r\n\r\n")
    assert "\n" not in text.replace("\r\n", "")
    return text.split("\r\n")[2:-2]


def test_as_regedit_writes_it(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    path = r"Microsoft\Windows NT"
    builder.sz(path, "", "default")
    builder.sz(path, 'qu"ote\\', 'C:\\dir "x"')
    builder.dword(path, "number", 0xABC)
    builder.qword(path, "long", 2)
    builder.expand(path, "expand", "%a%")
    builder.multi(path, "multi", ["a", "b"])
    builder.binary(path, "binary", b"\1\xff")
    builder.binary(path, "nothing", b"")
    builder.set(path, "none", 0, b"")
    builder.set(path, "odd dword", 4, b"\1")
    builder.set(path, "unterminated", 1, utf16("a", terminated=False))
    builder.set(path, "empty text", 1, b"")
    builder.set(path, "device", 0xFFFF0012, b"\1")
    builder.sz(path, "ключ", "значение")
    builder.key(rf"{path}\Empty")
    assert exported(open_hive(builder), "microsoft") == [
        r"[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft]",
        "",
        r"[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT]",
        '@="default"',
        r'"qu\"ote\\"="C:\\dir \"x\""',
        '"number"=dword:00000abc',
        '"long"=hex(b):02,00,00,00,00,00,00,00',
        '"expand"=hex(2):25,00,61,00,25,00,00,00',
        '"multi"=hex(7):61,00,00,00,62,00,00,00,00,00',
        '"binary"=hex:01,ff',
        '"nothing"=hex:',
        '"none"=hex(0):',
        '"odd dword"=hex(4):01',
        '"unterminated"=hex(1):61,00',
        '"empty text"=hex(1):',
        '"device"=hex(ffff0012):01',
        '"ключ"="значение"',
        "",
        r"[HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\Empty]",
    ]


def test_the_root_itself(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.dword("", "v", 1)
    assert exported(open_hive(builder)) == [f"[{ROOT}]", '"v"=dword:00000001']


def test_lines_wrap_as_regedit_wraps_them(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.binary("K", "DigitalProductId", bytes.fromhex("a4000000030000003535303431" + "00" * 60))
    lines = exported(open_hive(builder), "K")[1:]
    assert lines[0] == '"DigitalProductId"=hex:a4,00,00,00,03,00,00,00,35,35,30,34,31,00,00,00,00,00,\\'
    assert lines[1] == "  " + "00," * 25 + "\\"
    assert lines[2] == "  " + "00," * 25 + "\\"
    assert lines[3] == "  00,00,00,00,00"


@pytest.mark.parametrize("length", range(1, 120, 7))
def test_no_line_is_longer_than_80_and_nothing_is_lost(open_hive: OpenHive, length: int) -> None:
    builder = HiveBuilder()
    for name in ("x" * size for size in range(1, 64)):
        builder.binary("K", name, bytes(range(length)))
    lines = exported(open_hive(builder), "K")[1:]
    assert max(len(line) for line in lines) <= 80
    joined = "".join(lines).replace("\\  ", "")
    assert joined.count(bytes(range(length)).hex(",")) == 63


def test_a_name_longer_than_the_line_keeps_one_byte_beside_it(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.binary("K", "n" * 200, b"\1\2\3")
    assert exported(open_hive(builder), "K")[1:] == ['"' + "n" * 200 + '"=hex:01,\\', "  02,03"]


@pytest.mark.parametrize("text", ["a\r\n[H]", "\x1b[31m", "a\0b", "\u202eabc", "x\ud800", "\u2028"])
def test_text_that_would_leave_its_line_is_written_as_bytes(open_hive: OpenHive, text: str) -> None:
    builder = HiveBuilder()
    builder.sz("K", "v", text)
    assert exported(open_hive(builder), "K")[1:] == [f'"v"=hex(1):{utf16(text).hex(",")}']


@pytest.mark.parametrize("name", ["a\r\n[HKEY_X]", "\x1b[31m", "a\0b", "\u202eabc", "x\ud800"])
def test_names_that_would_leave_their_line_are_said_in_a_comment(open_hive: OpenHive, name: str) -> None:
    builder = HiveBuilder()
    builder.dword("K", name, 1)
    builder.dword("K", "good", 2)
    builder.dword(("K", name, "below"), "v", 3)
    lines = exported(open_hive(builder), "K")
    assert lines[0] == r"[HKEY_LOCAL_MACHINE\SOFTWARE\K]"
    assert lines[1].startswith("; left out, its name cannot stand in .reg text: value ")
    assert lines[2] == '"good"=dword:00000002'
    assert all(line.startswith("; left out") or not line for line in lines[3:])
    "\n".join(lines).encode("utf-8")


def test_damage_is_raised_or_reported(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.binary("K", "bad", bytes(100))
    builder.dword("K", "good", 1)
    builder.fault("data-cell-free", "K", "bad")
    hive = open_hive(builder)
    with pytest.raises(CorruptStructureError):
        "".join(export_keys(hive.root, ROOT))
    errors: list[FormatError] = []
    text = "".join(export_keys(hive.root, ROOT, on_error=errors.append))
    assert '"good"=dword:00000001' in text
    assert len(errors) == 1
