"""Options of commands that judge: which rules, which profile, which forms of report."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vdiskkit.cli.options import PathType
from vdiskkit.cli.session import Session
from vdiskkit.report.validation import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vdiskkit.cli.output import FileOutput

__all__ = ["choice_options", "format_options", "named_profile", "open_reports", "rule_options"]

_F = TypeVar("_F", bound="Callable[..., Any]")


def rule_options(function: _F) -> _F:
    """``--profile`` and :func:`choice_options`."""
    return _PROFILE(choice_options(function))


def choice_options(function: _F) -> _F:
    """``--select --extend-select --ignore --fail-on --strict-unknown --exit-zero``."""
    for option in reversed(_RULES):
        function = option(function)
    return function


def format_options(function: _F) -> _F:
    """``--json``, ``--output-format`` with all forms, ``--report KIND=FILE``."""
    for option in reversed(_FORMATS):
        function = option(function)
    return function


def named_profile(option: str | None) -> tuple[str | None, str | None]:
    """The profile that an option, the environment or a file names, and why it was taken; None, None without one."""
    if option is not None:
        return option, "by --profile"
    from vdiskkit.rules.profile_files import find_profile

    found = find_profile(os.getcwd(), os.environ)
    return found if found is not None else (None, None)


def open_reports(session: Session, reports: Sequence[tuple[str, str]]) -> list[tuple[str, FileOutput]]:
    """Open the files of ``--report`` before anything is read, so that a wrong name is told at once.

    Raises:
        UsageError: A file cannot be written, or two reports go to the same one.
    """
    from vdiskkit.cli.output import open_file
    from vdiskkit.errors import UsageError
    from vdiskkit.location import Location

    taken = {os.path.abspath(session.output)} if session.output else set()
    for _, path in reports:
        if os.path.abspath(path) in taken:
            raise UsageError("two reports go to the same file", location=Location(path), hint="name another file")
        taken.add(os.path.abspath(path))
    opened: list[tuple[str, FileOutput]] = []
    try:
        for kind, path in reports:
            opened.append((kind, open_file(session, path)))
    except BaseException:
        for _, output in opened:
            output.close(keep=False)
        raise
    return opened


def _codes(_: click.Context, __: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code.strip().upper() for part in value for code in part.split(",") if code.strip())


def _reports(ctx: click.Context, option: click.Parameter, value: tuple[str, ...]) -> list[tuple[str, str]]:
    pairs = []
    for text in value:
        kind, sign, path = text.partition("=")
        kind = kind.strip().lower()
        if kind not in ("text", *FORMATS) or not sign or not path:
            raise click.BadParameter(
                f"{text!r} is not KIND=FILE with one of {', '.join(('text', *FORMATS))}", ctx, option
            )
        pairs.append((kind, path))
    return pairs


def _json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.ensure_object(Session).json |= value
    _agree(ctx)


def _format(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
    ctx.ensure_object(Session).json |= value == "json"
    ctx.ensure_object(Session).lines |= value == "jsonl"
    ctx.ensure_object(Session).text |= value not in (None, "json")
    _agree(ctx)
    return value


def _agree(ctx: click.Context) -> None:
    session = ctx.ensure_object(Session)
    if session.json and session.text:
        raise click.UsageError("--json and another --output-format exclude each other", ctx)


_PROFILE = click.option(
    "--profile",
    metavar="NAME|FILE",
    type=PathType(),
    help="A built-in profile or a TOML file. Without it VDISKKIT_PROFILE, a vdiskkit.toml in or above the working "
    "folder, or the licence mode of the side-car decides.",
)
_RULES = (
    click.option(
        "--select",
        multiple=True,
        metavar="CODE,...",
        callback=_codes,
        help="Only rules whose codes begin so, instead of the profile's choice.",
    ),
    click.option(
        "--extend-select",
        multiple=True,
        metavar="CODE,...",
        callback=_codes,
        help="These rules as well, even when the profile leaves them out.",
    ),
    click.option("--ignore", multiple=True, metavar="CODE,...", callback=_codes, help="Not these rules."),
    click.option(
        "--fail-on",
        type=click.Choice(["error", "warning", "note"]),
        help="From which severity on the exit code is 1. The default is the profile's, which is error unless it says "
        "otherwise.",
    ),
    click.option("--strict-unknown", is_flag=True, help="Take what is not determinable for an error."),
    click.option("--exit-zero", is_flag=True, help="Exit with 0 whatever was found; other exit codes stay."),
)

_FORMATS = (
    click.option("--json", is_flag=True, expose_value=False, callback=_json, help="Same as --output-format json."),
    click.option(
        "--output-format",
        type=click.Choice(["text", *FORMATS]),
        callback=_format,
        help="Form of the result. The default is text.",
    ),
    click.option(
        "--report",
        multiple=True,
        metavar="KIND=FILE",
        callback=_reports,
        help="Also write FILE in another form, such as junit=out.xml. May be repeated.",
    ),
)
