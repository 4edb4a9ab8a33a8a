r"""The characters of ``.reg`` text: encodings, lines, quoted strings.

Text comes as UTF-16LE or UTF-8 behind a byte order mark, as regedit and this program write it to files, as plain ASCII,
or as UTF-8 without a mark, as this program prints it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from vdiskkit.errors import UsageError
from vdiskkit.io.textinput import decode_input
from vdiskkit.location import Location
from vdiskkit.text import displayable

__all__ = ["RegLines", "decode_text", "reg_error"]

_SIZE_MAX = 64 * 1024 * 1024
_HINT = "save the file as Unicode (UTF-16 with byte order mark), or name its encoding"
_LINE_END = re.compile("\r\n|\n|\r")
_QUOTED = re.compile(r'''[^"\\]+|\\["\\]?|"''', re.DOTALL)
"""What a quoted string is made of: runs of plain characters, escapes, a backslash alone, and its end."""


def reg_error(path: str, line: int, message: str, hint: str | None = None) -> UsageError:
    """The error for a line of ``.reg`` text."""
    return UsageError(f"line {line}: {message}", location=Location(path).at("line", str(line)), hint=hint)


def decode_text(data: bytes, path: str, encoding: str | None) -> str:
    """Return ``.reg`` text as characters.

    Args:
        data: The bytes of the file.
        path: Its name, for messages.
        encoding: Encoding of a file without a byte order mark, such as ``cp1252``; None tells ASCII and UTF-8.

    Raises:
        UsageError: It is too long, or not text in that encoding.
    """
    if len(data) > _SIZE_MAX:
        raise UsageError(f".reg text of {len(data)} bytes is too long; the limit is {_SIZE_MAX}")
    if encoding is None:
        # REGEDIT4 is in the code page of the machine that wrote it, whichever that was.
        encoding = "ascii" if data.lstrip().startswith(b"REGEDIT4") else "utf-8"
    # Names in the registry can hold lone surrogates, and regedit writes them out as they are.
    return decode_input(data, path, encoding=encoding, hint=_HINT, lone_surrogates=True)


class Quoted(NamedTuple):
    """A quoted string: its text, and what follows on its last line."""

    text: str
    rest: str


class RegLines:
    """The lines of ``.reg`` text, gone through one by one.

    Args:
        text: The text.
        path: Name of the file, for messages.
    """

    def __init__(self, text: str, path: str) -> None:
        self._text = text
        self._path = path
        self._at: int | None = 0
        self._end = ""
        self._next = 0

    @property
    def number(self) -> int:
        """Number of the line that was returned last, from 1."""
        return self._next

    def next(self) -> str | None:
        """Return the next line without its end; None behind the last."""
        at = self._at
        if at is None:
            return None
        self._next += 1
        match = _LINE_END.search(self._text, at)
        if match is None:
            self._at, self._end = None, ""
            return self._text[at:]
        self._at, self._end = match.end(), match.group()
        return self._text[at : match.start()]

    def error(self, message: str, hint: str | None = None, line: int | None = None) -> UsageError:
        """The error for the line that was returned last."""
        return reg_error(self._path, self.number if line is None else line, message, hint)

    def quoted(self, text: str, *, over_lines: bool) -> Quoted:
        r"""Read a quoted string at the beginning of ``text``, the rest of the last line.

        Only ``\\`` and ``\"`` are escapes. A text may go on over line ends, as regedit writes texts that contain them.

        Raises:
            UsageError: It has no end, or a backslash stands alone.
        """
        began, first = self.number, text
        parts: list[str] = []
        at = 1
        while True:
            for match in _QUOTED.finditer(text, at):
                found = match.group()
                if found == '"':
                    return Quoted("".join(parts), text[match.end() :])
                if found[0] != "\\":
                    parts.append(found)
                elif len(found) > 1:
                    parts.append(found[1])
                else:
                    raise self.error(
                        f"a single backslash in {displayable(text, 60)}", 'write \\\\ for a backslash and \\" for "'
                    )
            end = self._end
            following = self.next() if over_lines else None
            if following is None:
                raise self.error(f"the string {displayable(first, 60)} has no closing quote", line=began)
            parts.append(end)
            text, at = following, 0
