"""Rules about what a profile asks for by name, and about the profile's own waivers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.rules.model import NotApplicable, Passed, Problem, Rule, Unknown, rule
from vdiskkit.rules.patterns import PatternTimeError, match_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.rules.asked import AskedValue
    from vdiskkit.rules.model import Context, Outcome
    from vdiskkit.rules.profile import ExpectedValue

__all__ = ["RULES", "file_name"]

_MOST_GIVEN_UP = 3
"""Patterns that may take too long before no more are tried."""


@rule(
    "EXP101",
    "Registry values are as the profile expects",
    severity="error",
    reads="the registry values that the profile names",
    judgement="passes when all are as expected; fails otherwise",
    why="The profile says so.",
    fix="set the value (vdiskkit reg set in Private mode), or change the profile",
    versions="all",
    source="your profile",
)
def registry(context: Context) -> Iterator[Outcome]:
    """Compare registry values."""
    if not context.profile.registry:
        yield NotApplicable("the profile names no registry values")
    given_up = 0
    for wanted in context.profile.registry:
        found = context.asked.values.get((wanted.key, wanted.name))
        named = f"{wanted.key}, {wanted.name}"
        if found is None or found.present is None:
            yield Unknown(f"{named}: {found.problem if found else 'it was not read'}")
            continue
        if wanted.regex is not None and given_up >= _MOST_GIVEN_UP:
            yield Unknown(f"{named}: not matched, as {given_up} patterns of this profile took too long")
            continue
        try:
            wrong = _difference(wanted, found)
        except PatternTimeError as exc:
            given_up += 1
            yield Unknown(f"{named}: whether it matches {wanted.regex} was not found out: {exc}")
            continue
        if wrong is None:
            yield Passed(f"{named}: {found.shown if found.present else 'absent'}")
        else:
            shown = f"{found.type} {found.shown}" if found.present else "absent"
            yield Problem(f"a registry value is not as the profile expects: {wrong}", context.at(named), shown)


def _difference(wanted: ExpectedValue, found: AskedValue) -> str | None:
    """What is wrong, None when nothing is."""
    if wanted.absent:
        return "it must be absent" if found.present else None
    if not found.present:
        return "it is absent"
    if wanted.type is not None and found.type != wanted.type:
        return f"it must be a {wanted.type}"
    if wanted.equals is not None and found.data != wanted.equals:
        texts = wanted.equals if isinstance(wanted.equals, tuple) else (wanted.equals,)
        return f"it must be {', '.join(str(text) for text in texts)}"
    if wanted.regex is not None:
        texts = found.data if isinstance(found.data, tuple) else (str(found.data),)
        if not match_all(wanted.regex, texts):
            return f"it must match {wanted.regex}"
    return None


@rule(
    "EXP102",
    "Files that the profile demands exist",
    severity="error",
    reads="the files of the Windows volume that the profile names",
    judgement="passes when all exist; fails otherwise",
    why="The profile says so.",
    fix="put the file into the image, or change the profile",
    versions="all",
    source="your profile",
)
def present(context: Context) -> Iterator[Outcome]:
    """Look for files that must exist."""
    yield from _files(context, context.profile.files_present, wanted=True)


@rule(
    "EXP103",
    "Files that the profile forbids do not exist",
    severity="error",
    reads="the files of the Windows volume that the profile names",
    judgement="passes when none exists; fails otherwise",
    why="The profile says so.",
    fix="delete the file from the image (vdiskkit rm in Private mode), or change the profile",
    versions="all",
    source="your profile",
)
def absent(context: Context) -> Iterator[Outcome]:
    """Look for files that must not exist."""
    yield from _files(context, context.profile.files_absent, wanted=False)


def _files(context: Context, paths: tuple[str, ...], *, wanted: bool) -> Iterator[Outcome]:
    if not paths:
        yield NotApplicable("the profile names no such files")
    for path in paths:
        found = context.asked.files.get(path)
        if found is None or found.present is None:
            yield Unknown(f"{path}: {found.problem if found else 'it was not looked for'}")
        elif found.present is wanted:
            yield Passed(f"{path}: {'there' if wanted else 'absent'}")
        else:
            why = "is missing" if wanted else "must not be there"
            yield Problem(f"a file {why}", context.at(f"ntfs:\\{path.lstrip(chr(92))}"))


@rule(
    "WVR101",
    "No waiver has expired",
    severity="warning",
    reads="the waivers of the profile and the present day",
    judgement="passes while all waivers for this disk hold; warns for each that has expired: what it accepted counts "
    "again",
    why="A waiver is a promise to come back to something. One that has run out was forgotten, or its reason still "
    "holds and nobody looked.",
    fix="mend what the waiver accepted and delete it, or give it a new day and a reason that is true today",
    versions="all",
    source="vdiskkit",
)
def waivers(context: Context) -> Iterator[Outcome]:
    """Look for expired waivers."""
    today = context.now.date()
    if not context.profile.waivers:
        yield NotApplicable("the profile has no waivers")
    for waiver in context.profile.waivers:
        meant = waiver.is_for(file_name(context))
        if meant is None:
            yield Unknown(f"the disk has no file name, so whether the waiver for {waiver.rule} is meant is not known")
        elif meant and waiver.expires < today:
            yield Problem(
                f"the waiver for {waiver.rule} has expired", waiver.where, f"{waiver.expires:%Y-%m-%d}: {waiver.reason}"
            )
        elif meant:
            yield Passed(f"{waiver.rule} until {waiver.expires:%Y-%m-%d}: {waiver.reason}")


def file_name(context: Context) -> str | None:
    """Name of the disk file without its folder, None for a file object without a path."""
    if context.pair is None:
        return None
    return context.inspection.target.replace("\\", "/").rpartition("/")[2]


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
