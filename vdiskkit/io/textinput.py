"""Text that people and their shells write, as characters: lists of files, profiles, saved plans, ``.reg`` files.

Windows PowerShell 5.1 writes UTF-16LE with a byte order mark (``>``, ``Out-File``), or UTF-8 with one; PowerShell 7,
editors and Unix tools write UTF-8 without. All of these are told by their first bytes, the same way for every file.
Anything else is an error with its line and byte, never a guess that could name another file or key.
"""

from __future__ import annotations

import codecs

from vdiskkit.errors import UsageError
from vdiskkit.location import Location
from vdiskkit.text import displayable

__all__ = ["SAVE_AS_UTF8", "decode_input", "has_mark"]

SAVE_AS_UTF8 = "save it as UTF-8, or as UTF-16 with a byte order mark"
"""What to do with a file in an old code page."""

# UTF-32 before UTF-16: the mark of the one begins with that of the other.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def has_mark(data: bytes) -> bool:
    """Whether text begins with a byte order mark."""
    return data.startswith(tuple(mark for mark, _ in _MARKS))


def decode_input(
    data: bytes,
    path: str,
    *,
    encoding: str = "utf-8",
    guess_utf16: bool = True,
    hint: str = SAVE_AS_UTF8,
    lone_surrogates: bool = False,
    error: type[UsageError] = UsageError,
) -> str:
    """Return a text file as characters, without a byte order mark.

    Args:
        data: All bytes of the file.
        path: Its name, for messages.
        encoding: What a file without a byte order mark is in.
        guess_utf16: Whether a NUL beside the first character makes it UTF-16 instead; not where NUL ends names.
        hint: What to do about bytes that are no text.
        lone_surrogates: Whether UTF-16 may hold them, as names in Windows may.
        error: Class of the error.

    Raises:
        UsageError: It is not text in its encoding, or there is no such encoding; the message tells line and byte.
    """
    skip, name = next(((len(mark), name) for mark, name in _MARKS if data.startswith(mark)), (0, encoding))
    if not skip and guess_utf16 and (data[:1] == b"\0") != (data[1:2] == b"\0"):
        name = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
    body = data[skip:]
    try:
        # In UTF-16 only: UTF-8 that holds lone surrogates is broken.
        return body.decode(name, "surrogatepass" if lone_surrogates and name.startswith("utf-16") else "strict")
    except UnicodeError as exc:
        at = exc.start if isinstance(exc, UnicodeDecodeError) else 0
        line = body[:at].decode(name, "replace").count("\n") + 1
        reason = getattr(exc, "reason", exc)
        raise error(
            f"line {line}: this is no {name} text: {reason} ({body[at : at + 2].hex(' ')} at byte {skip + at})",
            location=Location(path).at("line", str(line)),
            hint=hint,
        ) from None
    except (LookupError, ValueError):
        raise error(f"no encoding of text has the name {displayable(name, 40)!r}", location=Location(path)) from None
