"""``vdiskkit explain``: what a code means, and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import common_options, json_options, output_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.cli.session import Session
    from vdiskkit.errors import NotFoundError
    from vdiskkit.explanations.facts import Explanation
    from vdiskkit.report.style import Style

__all__ = ["command"]

_NUMBER = re.compile(r"-[0-9]+")


def _no_options(ctx: click.Context, _: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    """Let negative numbers pass, which are codes; everything else with a dash is a mistyped option."""
    for word in value:
        if len(word) > 1 and word.startswith("-") and not _NUMBER.fullmatch(word):
            raise click.NoSuchOption(word, ctx=ctx)
    return value


@click.command(
    "explain",
    cls=Command,
    schema="vdiskkit.explain/1",
    exit_codes=(0, 1),
    examples=(
        ("explain 0xC004F074", "what an activation code means, why it comes up in a PVS farm, what to do"),
        ("explain -1073418124", "the same code as the decimal number that scripts and logs show"),
        ("explain KMS110 vhd.copy_missing InUseError", "a rule, a notice of inspect, the type of an error"),
        ("explain event 12288", "a kind before the code; exit 4 explains an exit code"),
        ("explain", "all codes that can be explained; `explain notices` those of one kind"),
    ),
    short_help="Explain a code: of Windows, PVS or vdiskkit.",
    context_settings={"ignore_unknown_options": True},
)
@click.argument("code", nargs=-1, metavar="[KIND] [CODE]...", callback=_no_options)
@json_options
@output_option
@common_options
@click.pass_obj
def command(session: Session, code: tuple[str, ...]) -> int:
    """Explain a code: what it means, why it happens in a PVS farm, what to do, which command shows or mends it.

    CODE is an activation code as slmgr, ospp.vbs or the event log show it (0xC004F074, C004F074, -1073418124), the
    number of an event, a rule, a notice of inspect, the type of an error in JSON, an exit code, or a word of PVS such
    as SkipRearm or "MAP error". KIND is activation, event, term, rule, notice, error or exit.
    """
    from vdiskkit.cli.errors import tell_error
    from vdiskkit.cli.listing import write_facts
    from vdiskkit.explanations.catalogue import explanations
    from vdiskkit.explanations.lookup import KIND_WORDS
    from vdiskkit.report.explain_text import list_lines

    kind = KIND_WORDS.get(code[0].lower()) if len(code) == 1 else None
    if kind is not None or not code:
        listed = explanations(kind)
        write_facts(session, "explanations", listed, lambda style: list_lines(listed, style))
        return 0
    found, missing = _look_up(code)
    for error in missing:
        tell_error(session, error)
    first = missing[0] if missing else None
    if found or session.json:
        write_facts(session, "explanations", found, lambda style: _lines(found, style), error=first)
    return first.exit_code if first is not None else 0


def _look_up(words: tuple[str, ...]) -> tuple[list[Explanation], list[NotFoundError]]:
    from vdiskkit.errors import NotFoundError
    from vdiskkit.explanations.catalogue import explain

    try:
        return [explain(" ".join(words))], []  # words of one message, or a kind and its code
    except NotFoundError as exc:
        if len(words) == 1:
            return [], [exc]
    found: list[Explanation] = []
    missing: list[NotFoundError] = []
    for asked in _codes(words):
        try:
            found.append(explain(asked))
        except NotFoundError as exc:
            missing.append(exc)
    return found, missing


def _codes(words: tuple[str, ...]) -> Iterator[str]:
    """Yield each code, with the kind that stands before it."""
    from vdiskkit.explanations.lookup import KIND_WORDS

    kind = ""
    for word in words:
        if not kind and word.lower() in KIND_WORDS:
            kind = f"{word} "
        else:
            yield kind + word
            kind = ""
    if kind:
        yield kind.strip()


def _lines(found: list[Explanation], style: Style) -> Iterator[str]:
    from vdiskkit.report.explain_text import explanation_lines

    for number, item in enumerate(found):
        if number:
            yield ""
        yield from explanation_lines(item, style)
