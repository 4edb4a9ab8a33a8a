"""An explanation as a frozen fact."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vdiskkit.facts import Facts
from vdiskkit.rules.facts import Severity

__all__ = ["KIND_NAMES", "KIND_TITLES", "Explanation", "Kind"]


class Kind(StrEnum):
    """What sort of code is explained."""

    ACTIVATION = "activation"
    EVENT = "event"
    TERM = "term"
    RULE = "rule"
    NOTICE = "notice"
    ERROR = "error"
    EXIT = "exit"


KIND_TITLES = {
    Kind.ACTIVATION: "Activation codes of Windows and Office",
    Kind.EVENT: "Events of the licensing services",
    Kind.TERM: "Words and numbers of PVS and of licensing",
    Kind.RULE: "Rules of validate",
    Kind.NOTICE: "Notices of inspect and chain show",
    Kind.ERROR: "Errors, by the type in JSON",
    Kind.EXIT: "Exit codes",
}
"""What the group of a kind is called, in the order in which groups are listed."""

KIND_NAMES = {kind: str(kind) for kind in Kind} | {Kind.ACTIVATION: "activation code", Kind.EXIT: "exit code"}
"""What one code of a kind is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation(Facts):
    """One code, explained.

    Attributes:
        code: The code as it is written.
        kind: What sort of code it is.
        title: What it says, one phrase.
        also: Other forms of the same code: its symbol, its decimal form, words of its message.
        severity: Of the findings of a rule; None for other kinds.
        exit_code: With which an error ends the command line; None for other kinds.
        reads: What a rule reads; empty for other kinds.
        meaning: What it means; of a rule, when it passes, warns or fails.
        why: Why it happens or matters, in a PVS farm above all; empty when there is nothing to say.
        fix: What to do, in this order; empty when there is nothing to do.
        commands: Command lines of vdiskkit that show or mend it.
        versions: Versions of Windows, Office or PVS that it holds for; empty when it is no matter of versions.
        related: Codes that belong to it.
        source: Where the statements come from.
    """

    code: str
    kind: Kind
    title: str
    also: tuple[str, ...]
    severity: Severity | None
    exit_code: int | None
    reads: str
    meaning: str
    why: str
    fix: tuple[str, ...]
    commands: tuple[str, ...]
    versions: str
    related: tuple[str, ...]
    source: str
