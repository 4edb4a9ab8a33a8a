"""Every command line that a user can read: in the help of commands, and in the documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tests.cli.conftest import ROOT
from tests.cli.test_help import COMMANDS
from vdiskkit.explanations.catalogue import explanations

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DOCUMENTS", "Line", "blocks_for_sh", "lines_for_all", "templates"]

DOCUMENTS = ("README.md", "CONTRIBUTING.md", "examples/README.md", "sample_images/README.md")
_PROGRAM = r"(?:python -m )?vdiskkit "


class Line(NamedTuple):
    """A command line and where it stands."""

    source: str
    text: str


def documents() -> Iterator[tuple[str, str]]:
    """Every document with its text."""
    for path in (*(ROOT / name for name in DOCUMENTS), *sorted((ROOT / "docs").glob("*.md"))):
        yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def lines_for_all() -> list[Line]:
    """Lines that are meant for cmd, PowerShell and bash alike: examples of help, and indented lines of documents."""
    found = [
        Line(f"{' '.join(path)} --help", f"vdiskkit {example}")
        for path, command in COMMANDS
        for example, _ in command.examples
    ]
    for name, text in documents():
        plain = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        found += [Line(name, line) for line in re.findall(rf"^    (?:\$ )?({_PROGRAM}.*)$", plain, re.MULTILINE)]
    return found


def blocks_for_sh() -> list[Line]:
    """Blocks that are meant for POSIX shells alone, and marked so."""
    return [
        Line(name, block)
        for name, text in documents()
        for block in re.findall(r"^```(?:sh|bash|console)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]


def unmarked_lines() -> list[Line]:
    """Command lines in blocks without a language, or at the left edge: nobody would know for which shell."""
    found = []
    for name, text in documents():
        marked = re.sub(r"^```\w+\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        for block in re.findall(r"^```\n(.*?)^```$", marked, re.MULTILINE | re.DOTALL):
            found += [Line(name, line) for line in re.findall(rf"^\s*(?:\$ )?({_PROGRAM}.*)$", block, re.MULTILINE)]
    return found


def templates() -> list[Line]:
    """Command lines with a placeholder in them, such as DISK, as ``explain`` and the documents name them."""
    found = [Line(f"explain {item.code}", command) for item in explanations() for command in item.commands]
    for name, text in documents():
        found += [Line(name, line) for line in re.findall(rf"`({_PROGRAM}[^`\n]+)`", text)]
    # A pipe is for one shell, which the document names beside it.
    return [line for line in found if line.text.startswith("vdiskkit ") and "|" not in line.text]
