from __future__ import annotations

import codecs
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.hive import HiveBuilder, utf16
from tests.unit.patch.registry.model import edited, flat
from vdiskkit.errors import UsageError, VDiskError, WriteRefusedError
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import HiveEditor, RegAction, RegEdit, apply_edits, parse_reg
from vdiskkit.registry import Hive
from vdiskkit.registry.regfile import export_keys

if TYPE_CHECKING:
    from collections.abc import Callable

UNICODE = "Windows Registry Editor Version 5.00\r\n\r\n"
ROOT = "HKEY_LOCAL_MACHINE\\SOFTWARE"
KEY = f"[{ROOT}\\K]\r\n"


def located(key: str) -> str:
    assert key.upper().startswith(ROOT)
    return key[len(ROOT) :]


def one(line: str, *, header: str = UNICODE, encoding: str | None = None) -> tuple[str | None, int, bytes]:
    created, edit = parse_reg(
        (header + KEY + line).encode("utf-8" if encoding is None else encoding), encoding=encoding
    )
    assert created.action is RegAction.CREATE_KEY
    assert edit.action is RegAction.SET_VALUE
    return edit.value, edit.type, edit.data


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('"a"="text"', ("a", 1, utf16("text"))),
        ('@="x"', ("", 1, utf16("x"))),
        ('""="x"', ("", 1, utf16("x"))),
        ('"a"=""', ("a", 1, utf16(""))),
        (r'"q\"\\"="C:\\x \"y\""', ('q"\\', 1, utf16('C:\\x "y"'))),
        ('"a"="b=;c" ; comment', ("a", 1, utf16("b=;c"))),
        (' "a" = "b"  ', ("a", 1, utf16("b"))),
        ('"a"="one  \r\ntwo"', ("a", 1, utf16("one  \r\ntwo"))),
        ('"a"=dword:0000000f', ("a", 4, b"\x0f\0\0\0")),
        ('"a"=DWORD:F ; x', ("a", 4, b"\x0f\0\0\0")),
        ('"a"=hex:', ("a", 3, b"")),
        ('"a"=hex:01,fF', ("a", 3, b"\x01\xff")),
        ('"a"=hex:1,2,', ("a", 3, b"\1\2")),
        ('"a"=hex:01,\\\r\n  02,03,\\\r\n  04', ("a", 3, b"\1\2\3\4")),
        ('"a"=hex:01\\\r\n  ,02 ; x', None),
        ('"a"=hex(b):01,00,00,00,00,00,00,00', ("a", 11, b"\1" + bytes(7))),
        ('"a"=hex(2):25,00,00,00', ("a", 2, utf16("%"))),
        ('"a"=hex(7):61,00,00,00,00,00', ("a", 7, utf16("a") + b"\0\0")),
        ('"a"=hex(0):', ("a", 0, b"")),
        ('"a"=hex(ffff0012):aa', ("a", 0xFFFF0012, b"\xaa")),
        ('"a"=hex(3):00,01', ("a", 3, b"\0\1")),
        ('"a"=str:"x"', ("a", 1, utf16("x"))),
        ('"a"=str(2):"%x%\\\\"', ("a", 2, utf16("%x%\\"))),
    ],
)
def test_values(line: str, expected: tuple[str, int, bytes] | None) -> None:
    if expected is None:
        with pytest.raises(UsageError, match="line 5: '' is no byte"):
            one(line)
    else:
        assert one(line) == expected


@pytest.mark.parametrize("wrong", ["", "0102", "g0", "000"])
@pytest.mark.parametrize("before", [0, 1, 21_844, 21_845, 21_846, 60_000])
def test_bytes_on_one_long_line(before: int, wrong: str) -> None:
    data = bytes(number & 0xFF for number in range(before + 1))
    assert one(f'"a"=hex:{data.hex(",")}') == ("a", 3, data)
    assert one(f'"a"=hex:{data.hex(",")} , ') == ("a", 3, data)
    assert one(f'"a"=hex: 1,{data.hex(",").replace(",", " ,  ")}') == ("a", 3, b"\1" + data)
    text = f'"a"=hex:{"".join(f"{byte:02x}," for byte in data[:before])}{wrong},{data.hex(",")}'
    with pytest.raises(UsageError, match=f"line 4: '{wrong}' is no byte"):
        one(text)


@pytest.mark.parametrize("line", ['"a"=hex:{}', '"a"="{}"', '"{}"=dword:1', "; {}"])
def test_a_file_of_one_line_takes_memory_for_its_text(line: str) -> None:
    """Text, line and value are there at a time, not a list of all characters."""
    size = 1_500_000
    data = (UNICODE + KEY + line.format("ab," * (size // 3 - 1) + "ab")).encode("utf-8")
    tracemalloc.start()
    try:
        parse_reg(data)
        assert tracemalloc.get_traced_memory()[1] < 12 * size
    finally:
        tracemalloc.stop()


def test_everything_in_order() -> None:
    text = (
        "; first\r\n# also\r\n" + UNICODE + KEY + '"a"=-\r\n@=-\r\n'
        f"[-{ROOT}\\Gone]\r\n\r\n[{ROOT}\\]\r\n  \r\n[{ROOT}\\a]b] ; c\r\n"
    )
    assert parse_reg(text.encode()) == [
        RegEdit(RegAction.CREATE_KEY, 5, f"{ROOT}\\K"),
        RegEdit(RegAction.DELETE_VALUE, 6, f"{ROOT}\\K", "a"),
        RegEdit(RegAction.DELETE_VALUE, 7, f"{ROOT}\\K", ""),
        RegEdit(RegAction.DELETE_KEY, 8, f"{ROOT}\\Gone"),
        RegEdit(RegAction.CREATE_KEY, 10, ROOT),
        RegEdit(RegAction.CREATE_KEY, 12, f"{ROOT}\\a]b"),
    ]


@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF16_LE + (UNICODE + KEY + '"ä日"="ß\ud801"').encode("utf-16-le", "surrogatepass"),
        codecs.BOM_UTF16_BE + (UNICODE + KEY + '"ä日"="ß\ud801"').encode("utf-16-be", "surrogatepass"),
        (UNICODE + KEY + '"ä日"="ß\ud801"').encode("utf-16-le", "surrogatepass"),
        codecs.BOM_UTF8 + (UNICODE + KEY + '"ä日"="ß"').encode(),
        (UNICODE + KEY + '"ä日"="ß"').replace("\r\n", "\n").encode(),
    ],
)
def test_encodings(data: bytes) -> None:
    edit = parse_reg(data)[-1]
    assert edit.value == "ä日"
    assert edit.data.startswith(utf16("ß", terminated=False))


def test_narrow_files_hold_narrow_text() -> None:
    header = "REGEDIT4\r\n\r\n"
    assert one('"a"=hex(2):25,41,00', header=header) == ("a", 2, utf16("%A"))
    assert one('"a"=hex(7):41,00,00', header=header) == ("a", 7, utf16("A") + b"\0\0")
    assert one('"a"=hex:e4', header=header) == ("a", 3, b"\xe4")
    assert one('"ä"=hex(1):e4,00', header=header, encoding="cp1252") == ("ä", 1, utf16("ä"))


def failure(text: str | bytes, **options: str) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(UsageError) as caught:
        parse_reg(data, "x.reg", **options)
    assert str(caught.value.location or "x.reg").startswith("x.reg")
    return f"{caught.value.message} | {caught.value.hint}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: this is no .reg text: it is empty | it begins with 'Windows Registry Editor Version 5.00'"),
        ("Windows Registry Editor Version 5.0\r\n", "did you mean 'Windows Registry Editor Version 5.00'?"),
        ("REGEDIT5", "did you mean 'REGEDIT4'?"),
        ("[K]", "it begins with [K] | it begins with 'Windows Registry"),
        (UNICODE + '"a"="b"', 'line 3: the value "a"="b" stands before any [key]'),
        (UNICODE + f"[-{ROOT}]\n" + '"a"="b"', "line 4: the value \"a\"=\"b\" stands below [-HKEY_LOCAL_MACHINE"),
        (UNICODE + "[HKEY_LOCAL_MACHINE\\SOFTWARE", "is no key | a key stands in brackets"),
        (UNICODE + "[HKLM\\\\SOFTWARE]", "doubled or leading backslash | in [key] a backslash is not doubled"),
        (UNICODE + "[]", "[] names no key"),
        (UNICODE + "HKEY_LOCAL_MACHINE\\SOFTWARE", "a key stands in brackets: [HKEY_LOCAL_MACHINE\\SOFTWARE]"),
        (UNICODE + KEY + "SkipRearm=dword:1", 'a value | a name stands in quotes: "SkipRearm"=dword:1'),
        (UNICODE + KEY + "rubbish", "a line is [key], [-key]"),
        (UNICODE + KEY + '"a" "b"', "is not followed by '='"),
        (UNICODE + KEY + '"a', "has no closing quote"),
        (UNICODE + KEY + '"a"="b\r\n\r\n', 'line 4: the string "b has no closing quote'),
        (UNICODE + KEY + '"a"="C:\\Windows"', 'line 4: a single backslash in "C:\\Windows" | write \\\\ for'),
        (UNICODE + KEY + '"a"="b" c', "behind the closing quote of a text stands  c"),
        (UNICODE + KEY + '"a"="b\n"c"="d"', "line 5: behind the closing quote of a text stands c\"=\"d\" | the text"),
        (UNICODE + KEY + '"a"=dowrd:1', "line 4: 'dowrd:1' is no data of a known kind | did you mean 'dword:'?"),
        (UNICODE + KEY + '"a"=dword:0x1', "'0x1' is no number for dword: | it is 1 to 8 hexadecimal digits without 0x"),
        (UNICODE + KEY + '"a"=dword:', "'' is no number for dword:"),
        (UNICODE + KEY + '"a"=dword:123456789', "is no number for dword:"),
        (UNICODE + KEY + '"a"=qword:1', "for that write hex(b):, eight bytes, lowest first"),
        (UNICODE + KEY + '"a"=1', "for a number write dword:1"),
        (UNICODE + KEY + '"a"=text', "data is \"text\", dword:"),
        (UNICODE + KEY + '"a"=hex(g):00', "(g) is no type number | it is hexadecimal"),
        (UNICODE + KEY + '"a"=hex:0102', "'0102' is no byte | bytes are two hexadecimal digits each"),
        (UNICODE + KEY + '"a"=hex:01,\\', "the bytes should go on behind a backslash, but the text ends"),
        (UNICODE + KEY + '"a"=str:b', "is not followed by a quoted text"),
        (UNICODE + KEY + '"a"="\0"', "a text contains a NUL character"),
        (UNICODE.encode() + b"\r\n\xe4", "line 4: this is no utf-8 text: "),
        (b"REGEDIT4\r\n\r\n;\xc3\xa4",
         "line 3: this is no ascii text: ordinal not in range(128) (c3 a4 at byte 13) | save the file as Unicode"),
        (codecs.BOM_UTF16_LE + b"abc", "line 1: this is no utf-16-le text: truncated data"),
        ('REGEDIT4\r\n[K]\r\n"a"=hex(2):e4', "line 3: the bytes of hex(2):e4 are no ascii text"),
    ],
)  # fmt: skip
def test_errors_name_the_line_and_what_was_meant(text: str | bytes, message: str) -> None:
    assert message in failure(text)


def test_wrong_encodings_and_sizes() -> None:
    assert "no encoding of text has the name 'klingon'" in failure(b"REGEDIT4", encoding="klingon")
    assert "no encoding of text has the name 'rot13'" in failure(b"REGEDIT4", encoding="rot13")
    assert "is too long" in failure(bytes(64 * 1024 * 1024 + 1))


@given(st.text(max_size=80), st.sampled_from(["", UNICODE, UNICODE + KEY, UNICODE + KEY + '"a"=', "REGEDIT4\n" + KEY]))
def test_any_text_is_parsed_or_refused(text: str, before: str) -> None:
    try:
        parse_reg((before + text).encode("utf-16-le", "surrogatepass"))
    except VDiskError as exc:
        assert isinstance(exc, UsageError)  # noqa: PT017 - nothing else may come out


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        parse_reg(data)
    except VDiskError as exc:
        assert isinstance(exc, UsageError)  # noqa: PT017 - nothing else may come out


def applied(data: bytes, text: str) -> bytes:
    return edited(data, lambda editor: apply_edits(editor, parse_reg(text.encode()), located))


def test_edits_are_made_as_regedit_makes_them() -> None:
    builder = HiveBuilder()
    builder.dword("Old", "x", 1)
    builder.dword("Keep", "y", 1)
    data = applied(
        builder.build(),
        UNICODE + f'[{ROOT}\\New\\Deep]\n@="d"\n"a"=dword:1\n[-{ROOT}\\Old]\n[-{ROOT}\\Missing\\X]\n[{ROOT}\\KEEP]\n'
        f'"y"=-\n"z"=-\n"Y2"=hex(7):\n[{ROOT}\\Missing]\n"z"=-\n',
    )
    assert flat(data) == {
        (): {},
        ("Keep",): {"Y2": (7, b"")},
        ("Missing",): {},
        ("New",): {},
        ("New", "Deep"): {"": (1, utf16("d")), "a": (4, b"\1\0\0\0")},
    }


def test_an_edit_that_fails_names_its_line() -> None:
    text = UNICODE + f"[{ROOT}\\{'x' * 300}]\n"

    def change(editor: HiveEditor) -> None:
        apply_edits(editor, parse_reg(text.encode()), located)

    with pytest.raises(WriteRefusedError, match=r"^line 3: the key name 'xxx.* has 300 characters; Windows allows 255"):
        edited(HiveBuilder().build(), change)


def _odd_values(builder: HiveBuilder) -> None:
    builder.sz("A", "", 'x "y" \\z')
    builder.sz("A", 'n"\\', "line\r\nbreak")
    builder.set("A", "odd", 1, b"abc")
    builder.set("A", "none", 0, b"")
    builder.set("A", "huge type", 0xFFFF0012, b"\1")
    builder.multi("B", "m", ["a", "日"])
    builder.expand("B\\C", "e", "%x%")
    builder.qword("B\\C", "q", 2**60)
    builder.dword("B\\C", "d", 2**32 - 1)
    builder.binary("B\\C", "b", bytes(range(256)))
    builder.set("B\\C", "bad dword", 4, b"\1")


@pytest.mark.parametrize("fill", [_odd_values])
def test_an_export_is_imported_as_it_was(fill: Callable[[HiveBuilder], None]) -> None:
    builder = HiveBuilder()
    fill(builder)
    data = builder.build()
    text = "".join(export_keys(Hive(BytesSource(data)).root, ROOT))
    for encoded in (text.encode(), codecs.BOM_UTF16_LE + text.encode("utf-16-le")):
        again = edited(HiveBuilder().build(), lambda editor, raw=encoded: apply_edits(editor, parse_reg(raw), located))
        assert flat(again) == flat(data)
