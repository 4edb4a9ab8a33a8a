"""Command lines as cmd and PowerShell take them apart, as far as the same text may be meant for them and for bash.

Both refuse whatever the shells read in different ways, so a line that they take has one meaning. They are models of
the documented rules, since neither shell is there to be asked; bash is.
"""

from __future__ import annotations

import re

__all__ = ["UnclearError", "cmd_words", "powershell_words"]


class UnclearError(ValueError):
    """The text does not mean the same in every shell."""


def cmd_words(line: str) -> list[str]:
    """What a program gets that cmd starts: cmd's special characters, then the rules of Microsoft's C runtime."""
    words: list[str] = []
    word: str | None = None
    quoted = False
    at = 0
    while at < len(line):
        char = line[at]
        if char in "%!\r\n" or (not quoted and char in "&|<>()^"):
            raise UnclearError(f"cmd acts on {char!r}")
        if char == "\\":
            end = at + len(re.match(r"\\+", line[at:]).group())  # type: ignore[union-attr]  # it begins with one
            if line[end : end + 1] == '"':
                raise UnclearError("a backslash before a quotation mark escapes it")
            word = (word or "") + line[at:end]
            at = end
            continue
        if char == '"':
            quoted = not quoted
            word = word or ""
        elif char in " \t" and not quoted:
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + char
        at += 1
    if quoted:
        raise UnclearError("a quotation mark has no partner")
    return words if word is None else [*words, word]


def powershell_words(line: str) -> list[str]:
    """What a program gets that PowerShell starts, Windows PowerShell 5.1 included, which does not escape anything."""
    words: list[str] = []
    for match in re.finditer(r'"(?P<quoted>[^"]*)"(?=\s|$)|(?P<bare>[^\s"]+)(?=\s|$)|(?P<odd>\S+)', line):
        if match["odd"] is not None:
            raise UnclearError(f"quotation marks inside a word: {match['odd']}")
        if match["quoted"] is not None:
            words.append(_powershell_text(match["quoted"]))
        else:
            words.append(_powershell_word(match["bare"]))
    return words


def _powershell_text(text: str) -> str:
    if re.search(r"[$`]", text):
        raise UnclearError(f"PowerShell replaces something in {text!r}")
    if not text:
        raise UnclearError("Windows PowerShell 5.1 drops an empty word")
    if text.endswith("\\"):
        raise UnclearError("Windows PowerShell 5.1 lets a last backslash escape the quotation mark that it adds")
    return text


def _powershell_word(text: str) -> str:
    if re.search(r"[$`'(){};|&<>]", text) or text[0] in "@#,":
        raise UnclearError(f"PowerShell acts on a character in {text!r}")
    if text.startswith("-") and text != "-" and not re.fullmatch(r"--?[A-Za-z0-9][A-Za-z0-9-]*|--", text):
        raise UnclearError(f"Windows PowerShell 5.1 may take {text!r} apart")
    return text
