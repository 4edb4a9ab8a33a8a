"""A rule, and what its check may say.

A check is a generator over a :class:`Context`. It yields nothing when all is well, and otherwise

- :class:`Problem` for each thing that is wrong,
- :class:`Unknown` when the image does not show what the rule asks for,
- :class:`NotApplicable` when the question does not arise for this disk or profile,
- :class:`Passed` to tell what was read that is fine.

It is pure: it reads nothing but the context, and the same context always gives the same answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.rules.facts import RuleFacts, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from vdiskkit.chain.facts import ChainFacts
    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.inspection.readiness_facts import ReadinessFacts
    from vdiskkit.licensing.facts import LicensingFacts
    from vdiskkit.pair.facts import PairFacts
    from vdiskkit.pvp.facts import PvpFacts
    from vdiskkit.rules.asked import Asked
    from vdiskkit.rules.profile import Expectations, Profile
    from vdiskkit.windows.facts import WindowsFacts

__all__ = ["Context", "NotApplicable", "Outcome", "Passed", "Problem", "Rule", "Unknown", "rule"]


class Problem(NamedTuple):
    """Something that is wrong.

    Attributes:
        message: What is wrong, one sentence.
        location: Where, as far as is known.
        evidence: The value or state that was found.
        severity: When it is not the rule's own.
        fix: When it is not the rule's own.
    """

    message: str
    location: str | None = None
    evidence: str | None = None
    severity: Severity | None = None
    fix: str | None = None


class Unknown(NamedTuple):
    """The image does not show it; ``reason`` says why not."""

    reason: str


class NotApplicable(NamedTuple):
    """The question does not arise; ``reason`` says why not."""

    reason: str


class Passed(NamedTuple):
    """What was read that is fine."""

    evidence: str


Outcome = Problem | Unknown | NotApplicable | Passed


class Context:
    """What a rule may look at.

    Attributes:
        inspection: Everything known about the disk.
        profile: The profile in use, with what it expects.
        asked: What was read because the profile asks for it.
        now: The time of the validation.
        chosen: Whether the profile was asked for by the user, not taken by default.
        chain: The chain with every structure of its files; None unless that was asked for.
    """

    __slots__ = ("asked", "chain", "chosen", "inspection", "now", "profile")

    def __init__(
        self,
        inspection: Inspection,
        profile: Profile,
        *,
        asked: Asked,
        now: datetime,
        chosen: bool = True,
        chain: ChainFacts | None = None,
    ) -> None:
        self.inspection = inspection
        self.profile = profile
        self.asked = asked
        self.now = now
        self.chosen = chosen
        self.chain = chain

    @property
    def expect(self) -> Expectations:
        """What the profile expects."""
        return self.profile.expect

    @property
    def pvp(self) -> PvpFacts | None:
        """The side-car."""
        return self.inspection.pvp

    @property
    def pair(self) -> PairFacts | None:
        """The files around the disk."""
        return self.inspection.pair

    @property
    def windows(self) -> WindowsFacts | None:
        """The Windows installation."""
        return self.inspection.windows

    @property
    def licensing(self) -> LicensingFacts | None:
        """The licensing facts."""
        return self.inspection.licensing

    @property
    def readiness(self) -> ReadinessFacts | None:
        """What the image shows besides licensing."""
        return self.inspection.readiness

    @property
    def kms_wanted(self) -> bool:
        """Whether this disk is to be licensed by KMS: the profile says so, or it leaves it open and the .pvp does."""
        if self.expect.license_mode in ("kms", "mak", "none"):
            return self.expect.license_mode == "kms"
        return self.pvp is not None and self.pvp.license_mode == "kms"

    def noticed(self, *codes: str) -> list[Problem]:
        """A problem for each notice of these codes."""
        return [Problem(item.message, item.location) for item in self.inspection.notices if item.code in codes]

    def at(self, inside: str) -> str:
        """A location: this disk, then the way into it."""
        return f"{self.inspection.target} > {inside}" if self.inspection.target else inside


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule as data, with its check. See :class:`~vdiskkit.rules.facts.RuleFacts` for the texts."""

    code: str
    title: str
    severity: Severity
    check: Callable[[Context], Iterable[Outcome]]
    reads: str
    judgement: str
    why: str
    fix: str
    versions: str
    source: str

    @property
    def family(self) -> str:
        """The letters that the code begins with."""
        return self.code.rstrip("0123456789")

    def facts(self) -> RuleFacts:
        """The rule without its check, for people and schemas."""
        return RuleFacts(
            code=self.code,
            title=self.title,
            severity=self.severity,
            reads=self.reads,
            judgement=self.judgement,
            why=self.why,
            fix=self.fix,
            versions=self.versions,
            source=self.source,
        )


def rule(
    code: str,
    title: str,
    *,
    severity: Severity | str = Severity.WARNING,
    reads: str = "",
    judgement: str = "",
    why: str = "",
    fix: str = "",
    versions: str = "all",
    source: str = "",
) -> Callable[[Callable[[Context], Iterable[Outcome]]], Rule]:
    """Make a rule of a check.

    ::

        @vdiskkit.rule("ACME101", "The master is named after the convention", severity="warning", fix="rename it")
        def named(context):
            windows = context.windows
            if windows is None:
                yield vdiskkit.Unknown("no Windows was found")
            elif not (windows.computer_name or "").startswith("MST-"):
                yield vdiskkit.Problem("the master has another name", evidence=windows.computer_name)

    The result is a :class:`Rule`: hand it to :func:`vdiskkit.validate`, or name it in the entry point group
    ``vdiskkit.rules`` of your package, so that the command line knows it too.

    Args:
        code: Capital letters, then digits: ``ACME101``. Codes of vdiskkit itself are taken.
        title: What the rule demands, one phrase.
        severity: ``error``, ``warning`` or ``note``.
        reads: What is read.
        judgement: When it passes, warns or fails.
        why: Why it matters.
        fix: How to mend it.
        versions: Windows and PVS versions it holds for.
        source: Where the demand comes from.

    Raises:
        UsageError: The code or the severity is not of the right form.
    """
    import re

    from vdiskkit.errors import UsageError

    if not re.fullmatch(r"[A-Z]{2,8}[0-9]{1,5}", code):
        raise UsageError(f"{code!r} is no rule code", hint="use two to eight capital letters, then digits: ACME101")
    try:
        level = Severity(severity)
    except ValueError as exc:
        raise UsageError(f"{severity!r} is no severity", hint="use error, warning or note") from exc

    def decorate(check: Callable[[Context], Iterable[Outcome]]) -> Rule:
        return Rule(
            code=code,
            title=title,
            severity=level,
            check=check,
            reads=reads,
            judgement=judgement,
            why=why,
            fix=fix,
            versions=versions,
            source=source,
        )

    return decorate
