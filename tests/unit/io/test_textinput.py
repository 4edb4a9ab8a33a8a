"""Text as people and their shells write it: told by its first bytes, or refused with its line and byte."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdiskkit.errors import PolicyError, UsageError
from vdiskkit.io.textinput import decode_input, has_mark

TEXT = "größe\r\nzwei 漢字 \U0001f4bf\n"
MARKED = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


@pytest.mark.parametrize("encoding", MARKED)
def test_a_byte_order_mark_decides(encoding: str) -> None:
    data = MARKED[encoding] + TEXT.encode(encoding)
    assert has_mark(data)
    assert decode_input(data, "x", encoding="cp1252") == TEXT
    assert decode_input(MARKED[encoding], "x") == ""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_without_a_mark(encoding: str) -> None:
    data = TEXT.encode(encoding)
    assert not has_mark(data)
    assert decode_input(data, "x") == TEXT


def test_nul_between_names_makes_no_utf_16() -> None:
    assert decode_input(b"a\0b\0", "x", guess_utf16=False) == "a\0b\0"
    assert decode_input(b"", "x") == ""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"one\ntwo\n\xe4\xf6\n", "line 3: this is no utf-8 text: invalid continuation byte (e4 f6 at byte 8)"),
        (codecs.BOM_UTF8 + b"\xff", "line 1: this is no utf-8 text: invalid start byte (ff at byte 3)"),
        (codecs.BOM_UTF16_LE + b"a\0\n\0b", "line 2: this is no utf-16-le text: truncated data (62 at byte 6)"),
        (codecs.BOM_UTF16_BE + b"\xd8\0\0a", "line 1: this is no utf-16-be text: illegal UTF-16 surrogate"),
        (b"\xed\xa0\x80", "line 1: this is no utf-8 text: invalid continuation byte"),
    ],
)
def test_what_is_no_text_is_told_with_line_and_byte(data: bytes, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        decode_input(data, "list.txt", hint="save it again")
    assert caught.value.message.startswith(message)
    assert str(caught.value.location).startswith("list.txt > line:")
    assert caught.value.hint == "save it again"


def test_lone_surrogates_where_names_may_hold_them() -> None:
    data = codecs.BOM_UTF16_LE + "\ud800x".encode("utf-16-le", "surrogatepass")
    assert decode_input(data, "x", lone_surrogates=True) == "\ud800x"


@pytest.mark.parametrize("name", ["klingon", "rot13", "hex", "a\0b"])
def test_encodings_that_are_none(name: str) -> None:
    with pytest.raises(PolicyError, match="no encoding of text has the name"):
        decode_input(b"x", "x", encoding=name, error=PolicyError)


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_text_or_refused(data: bytes, wide: bool) -> None:
    try:
        decode_input(data, "x", guess_utf16=wide)
    except UsageError as exc:
        assert " at byte " in exc.message  # noqa: PT017 - nothing else may come out


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), max_size=30))
def test_every_form_of_a_text_is_that_text(text: str) -> None:
    assert {decode_input(mark + text.encode(name), "x") for name, mark in MARKED.items()} == {text}
    assert decode_input(text.encode(), "x") == text
