r"""``.reg`` text as a list of edits: what regedit and hivexregedit write, and people write by hand.

Both headers (``Windows Registry Editor Version 5.00``, ``REGEDIT4``), ``[key]`` and ``[-key]``, ``"name"=`` and ``@=``
with text, ``dword:``, ``hex:`` and ``hex(n):`` over several lines, ``-`` for deletion, comments; and the ``str(n):``
of hivexregedit. Nothing is guessed at: a line that means nothing is an error that names the line and what was probably
meant, or is skipped and told where regedit skips it.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import VDiskError
from vdiskkit.patch.registry.regtext import RegLines, decode_text
from vdiskkit.registry.value_types import REG_BINARY, REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_SZ
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vdiskkit.errors import UsageError
    from vdiskkit.patch.registry.changes import HiveChange
    from vdiskkit.patch.registry.editor import HiveEditor

__all__ = ["RegAction", "RegEdit", "apply_edits", "parse_reg"]

_UNICODE_HEADER, _NARROW_HEADER = "Windows Registry Editor Version 5.00", "REGEDIT4"
_BLANK = " \t"
_KEY = re.compile(r"\[(-?)(.*)\][ \t]*(?:;.*)?", re.DOTALL)
_TYPED = re.compile(r"([A-Za-z_]+)(?:\(([^()]*)\))?:(.*)", re.DOTALL)
_TYPE_NUMBER = re.compile(r"[0-9a-fA-F]{1,8}")
_DWORD = re.compile(r"[0-9a-fA-F]{1,8}")
_BYTE = re.compile(r"[0-9a-fA-F]{1,2}")
_BYTES = re.compile(r"(?:[0-9a-fA-F]{2},)*[0-9a-fA-F]{2}")
_PIECE = 65536
"""Characters of a line that are taken apart at a time."""
_WORDS = ("dword", "hex", "str")
_TEXT_TYPES = (REG_SZ, REG_EXPAND_SZ, REG_MULTI_SZ)
_OTHER_WORDS = {
    "qword": "hex(b):, eight bytes, lowest first",
    "binary": "hex:",
    "sz": 'a quoted text: "name"="text"',
    "string": 'a quoted text: "name"="text"',
    "multi_sz": "hex(7):",
    "expand_sz": "hex(2):",
    "reg_dword": "dword:",
    "reg_sz": 'a quoted text: "name"="text"',
}


class RegAction(StrEnum):
    """What an edit asks for."""

    CREATE_KEY = "create-key"
    DELETE_KEY = "delete-key"
    SET_VALUE = "set-value"
    DELETE_VALUE = "delete-value"


class RegEdit(NamedTuple):
    r"""One edit that ``.reg`` text asks for.

    Attributes:
        action: What is asked for.
        line: The line that asks for it, from 1.
        key: The key as written, with its root, such as ``HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft``.
        value: Name of the value, empty for the default value; None for a key.
        type: Type number of a value that is set.
        data: Its data.
    """

    action: RegAction
    line: int
    key: str
    value: str | None = None
    type: int = 0
    data: bytes = b""


def parse_reg(
    data: bytes, path: str = "", *, encoding: str | None = None, skipped: list[str] | None = None
) -> list[RegEdit]:
    """Parse ``.reg`` text.

    Args:
        data: The bytes of the file.
        path: Its name, for messages.
        encoding: Encoding of a file without a byte order mark; None tells ASCII and UTF-8. In ``REGEDIT4`` files it is
            the encoding of the bytes of ``hex(1)``, ``hex(2)`` and ``hex(7)`` too.
        skipped: Takes a sentence for each line that is skipped because regedit skips it: comments behind ``//``, values
            below ``[-key]``, data that is neither quoted nor of a kind, text behind a closing quote. None makes them
            errors.

    Returns:
        The edits in the order of the file.

    Raises:
        UsageError: Something in it is no ``.reg`` text; the message names the line.
    """
    return _Parser(RegLines(decode_text(data, path, encoding), path), encoding, skipped).parse()


def apply_edits(editor: HiveEditor, edits: Iterable[RegEdit], locate: Callable[[str], str]) -> tuple[HiveChange, ...]:
    r"""Make edits in one hive, as regedit would: what is to be deleted may be missing, keys are made as needed.

    Args:
        editor: The hive's editor; it is not committed.
        edits: The edits.
        locate: Gives the path from the hive's root for a key as written.

    Returns:
        What was changed; less than was asked for where the hive was like that already.

    Raises:
        VDiskError: One of the edits failed; the message names its line.
    """
    done = len(editor.changes)
    for edit in edits:
        try:
            _apply(editor, edit, locate(edit.key))
        except VDiskError as exc:
            exc.message = f"line {edit.line}: {exc.message}"
            raise
    return editor.changes[done:]


def _apply(editor: HiveEditor, edit: RegEdit, key: str) -> None:
    if edit.action is RegAction.CREATE_KEY:
        editor.create_key(key)
    elif edit.action is RegAction.DELETE_KEY:
        if editor.has_key(key):
            editor.delete_key(key)
    elif edit.value is not None and edit.action is RegAction.SET_VALUE:
        editor.set_value(key, edit.value, edit.type, edit.data, create_keys=True)
    elif edit.value is not None and editor.value(key, edit.value) is not None:
        editor.delete_value(key, edit.value)


class _SkippedError(Exception):
    """A line that regedit skips: why, and the error that it is otherwise."""

    def __init__(self, why: str, error: UsageError) -> None:
        super().__init__(why)
        self.why = why
        self.error = error


class _Parser:
    def __init__(self, lines: RegLines, encoding: str | None, skipped: list[str] | None) -> None:
        self._lines = lines
        self._skipped = skipped
        self._encoding = encoding or "ascii"
        self._narrow: bool | None = None
        self._key: str | None = None
        self._deleted = False
        self._edits: list[RegEdit] = []

    def parse(self) -> list[RegEdit]:
        while (line := self._lines.next()) is not None:
            text = line.strip(_BLANK)
            if not text or text[0] in ";#":
                continue
            if text in (_UNICODE_HEADER, _NARROW_HEADER):
                self._narrow = text == _NARROW_HEADER
                self._key, self._deleted = None, False
            elif self._narrow is None:
                raise self._no_header(text)
            elif text[0] == "[":
                self._key_line(text)
            elif text[0] in '"@':
                self._value_or_skip(line.lstrip(_BLANK))
            elif not (text.startswith("//") and self._skip("it is no comment of .reg text", text)):
                raise self._no_statement(text)
        if self._narrow is None:
            raise self._lines.error("this is no .reg text: it is empty", f"it begins with '{_UNICODE_HEADER}'")
        return self._edits

    # -- lines -----------------------------------------------------------------------------------------------------
    def _key_line(self, text: str) -> None:
        match = _KEY.fullmatch(text)
        if match is None:
            raise self._lines.error(f"{_shown(text)} is no key", "a key stands in brackets, alone on its line: [key]")
        minus, key = match.groups()
        key = key.removesuffix("\\")
        if not key:
            raise self._lines.error(f"{_shown(text)} names no key")
        if "" in key.split("\\"):
            raise self._lines.error(
                f"the key {_shown(key)} has a doubled or leading backslash", "in [key] a backslash is not doubled"
            )
        self._deleted = bool(minus)
        self._key = key
        action = RegAction.DELETE_KEY if minus else RegAction.CREATE_KEY
        self._edits.append(RegEdit(action, self._lines.number, key))

    def _value_or_skip(self, text: str) -> None:
        try:
            self._value_line(text)
        except _SkippedError as exc:
            if not self._skip(exc.why, text):
                raise exc.error from None

    def _skip(self, why: str, text: str) -> bool:
        """Note a line that regedit skips, too; False where that is not wanted."""
        if self._skipped is None:
            return False
        self._skipped.append(f"line {self._lines.number} is skipped, as regedit does: {why}: {_shown(text)}")
        return True

    def _value_line(self, text: str) -> None:
        number = self._lines.number
        if self._key is None:
            raise self._lines.error(f"the value {_shown(text)} stands before any [key]")
        if self._deleted:
            error = self._lines.error(
                f"the value {_shown(text)} stands below [-{_shown(self._key)}], which deletes the key",
                "write [key] before it, to make the key anew",
            )
            raise _SkippedError("it stands below a key that is deleted", error)
        name, rest = ("", text[1:]) if text[0] == "@" else self._lines.quoted(text, over_lines=False)
        rest = rest.lstrip(_BLANK)
        if rest[:1] != "=":
            raise self._lines.error(
                f"the name in {_shown(text)} is not followed by '='", 'a value is written "name"=data or @=data'
            )
        rest = rest[1:].lstrip(_BLANK)
        if rest[:1] == "-" and self._ends(rest[1:]):
            self._edits.append(RegEdit(RegAction.DELETE_VALUE, number, self._key, name))
            return
        kind, data = self._data(rest)
        self._edits.append(RegEdit(RegAction.SET_VALUE, number, self._key, name, kind, data))

    # -- data ------------------------------------------------------------------------------------------------------
    def _data(self, text: str) -> tuple[int, bytes]:
        if text[:1] == '"':
            return REG_SZ, self._text(text)
        match = _TYPED.fullmatch(text)
        if match is None:
            raise self._no_data(text)
        word, number, rest = match.groups()
        word, rest = word.lower(), rest.lstrip(_BLANK)
        if word not in _WORDS or (word == "dword" and number is not None):
            raise self._no_data(text)
        if word == "dword":
            return REG_DWORD, self._dword(rest)
        kind = self._type(number, REG_SZ if word == "str" else REG_BINARY)
        if word == "str":
            if rest[:1] != '"':
                raise self._lines.error(f"{_shown(text)} is not followed by a quoted text")
            return kind, self._text(rest)
        data = self._bytes(rest)
        if self._narrow and kind in _TEXT_TYPES:
            try:
                data = data.decode(self._encoding).encode("utf-16-le")
            except UnicodeError:
                raise self._lines.error(
                    f"the bytes of {_shown(text)} are no {self._encoding} text, as they should be in a REGEDIT4 file",
                    "name the encoding of the file",
                ) from None
        return kind, data

    def _text(self, text: str) -> bytes:
        began = self._lines.number
        quoted = self._lines.quoted(text, over_lines=True)
        if not self._ends(quoted.rest):
            hint = 'inside a text, write \\" for "'
            if began != self._lines.number:
                hint = f"the text begins on line {began}: is its closing quote missing?"
            error = self._lines.error(f"behind the closing quote of a text stands {_shown(quoted.rest)}", hint)
            if began != self._lines.number:
                raise error
            raise _SkippedError("something stands behind its closing quote", error)
        if "\0" in quoted.text:
            raise self._lines.error("a text contains a NUL character")
        return quoted.text.encode("utf-16-le", "surrogatepass") + b"\0\0"

    def _type(self, number: str | None, default: int) -> int:
        if number is None:
            return default
        if not _TYPE_NUMBER.fullmatch(number):
            raise self._lines.error(f"({_shown(number)}) is no type number", "it is hexadecimal, such as hex(7):")
        return int(number, 16)

    def _dword(self, text: str) -> bytes:
        digits = text.partition(";")[0].strip(_BLANK)
        if not _DWORD.fullmatch(digits):
            raise self._lines.error(
                f"{_shown(digits)!r} is no number for dword:", "it is 1 to 8 hexadecimal digits without 0x"
            )
        return int(digits, 16).to_bytes(4, "little")

    def _bytes(self, text: str) -> bytes:
        began = self._lines.number
        data = bytearray()
        while True:
            text = text.partition(";")[0].strip(_BLANK)
            goes_on = text.endswith("\\")
            data += self._line_of_bytes(text.removesuffix("\\"))
            if not goes_on:
                return bytes(data)
            following = self._lines.next()
            if following is None:
                raise self._lines.error("the bytes should go on behind a backslash, but the text ends", line=began)
            text = following

    def _line_of_bytes(self, text: str) -> bytes:
        """Read bytes up to the end of a line, piece by piece: all of a long file can be one line."""
        text = text.strip(_BLANK)
        if not text:
            return b""
        # The comma that ends the line has nothing behind it.
        data, at, end = bytearray(), 0, len(text) - text.endswith(",")
        while True:
            stop = text.find(",", min(at + _PIECE, end), end)
            piece = text[at : end if stop < 0 else stop]
            if _BYTES.fullmatch(piece):
                data += bytes.fromhex(piece.replace(",", ""))
            else:
                data += bytes(self._byte(part.strip(_BLANK)) for part in piece.split(","))
            if stop < 0:
                return bytes(data)
            at = stop + 1

    def _byte(self, digits: str) -> int:
        if not _BYTE.fullmatch(digits):
            raise self._lines.error(
                f"{_shown(digits)!r} is no byte", "bytes are two hexadecimal digits each, joined by commas"
            )
        return int(digits, 16)

    def _ends(self, rest: str) -> bool:
        rest = rest.strip(_BLANK)
        return not rest or rest[0] == ";"

    # -- what was meant --------------------------------------------------------------------------------------------
    def _no_header(self, text: str) -> UsageError:
        near = get_close_matches(text, (_UNICODE_HEADER, _NARROW_HEADER), 1)
        return self._lines.error(
            f"this is no .reg text: it begins with {_shown(text)}",
            f"did you mean '{near[0]}'?" if near else f"it begins with '{_UNICODE_HEADER}' or '{_NARROW_HEADER}'",
        )

    def _no_statement(self, text: str) -> UsageError:
        name, sign, data = text.partition("=")
        if sign:
            hint = f'a name stands in quotes: "{_shown(name.strip(_BLANK))}"={_shown(data)}'
        elif text.upper().startswith(("HKEY_", "HKLM", "HKCU", "HKU", "HKCR")):
            hint = f"a key stands in brackets: [{_shown(text)}]"
        else:
            hint = 'a line is [key], [-key], "name"=data, @=data, or a comment behind ;'
        return self._lines.error(f"{_shown(text)} is neither a key nor a value", hint)

    def _no_data(self, text: str) -> UsageError:
        word = re.split(r"[^A-Za-z_]", text, maxsplit=1)[0].lower()
        near = get_close_matches(word, _WORDS, 1)
        if word in _OTHER_WORDS:
            hint = f"for that write {_OTHER_WORDS[word]}"
        elif near:
            hint = f"did you mean '{near[0]}:'?"
        elif re.fullmatch(r"(0x)?[0-9a-fA-F]+", text.strip(_BLANK)):
            hint = f"for a number write dword:{text.strip(_BLANK).removeprefix('0x')}"
        else:
            hint = 'data is "text", dword:, hex:, hex(n): or - to delete the value'
            error = self._lines.error(f"{_shown(text)!r} is no data of a known kind", hint)
            raise _SkippedError("its data is neither quoted nor of a known kind", error)
        return self._lines.error(f"{_shown(text)!r} is no data of a known kind", hint)


def _shown(text: str) -> str:
    return displayable(text, 60)
