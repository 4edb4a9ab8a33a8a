"""Options that several commands share. Their values go to the session, so that each is declared once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import click

from vdiskkit.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

__all__ = [
    "PathType",
    "at_option",
    "chain_options",
    "common_options",
    "disk_options",
    "json_options",
    "line_options",
    "output_option",
    "parent_dir_option",
    "volume_option",
]

if TYPE_CHECKING:
    _TextParamType = click.ParamType[str]
else:
    _TextParamType = click.ParamType  # generic only since click 8.4

_F = TypeVar("_F", bound="Callable[..., Any]")


class PathType(_TextParamType):
    """A path of this machine; several in one environment variable are separated as in PATH."""

    name = "path"
    envvar_list_splitter: ClassVar[str] = os.pathsep

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's own signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Leave it to the shell, which knows how its paths are quoted."""
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


def common_options(function: _F) -> _F:
    """``-v -q --color --log-file --log-format``, before or after the command."""
    for option in reversed(_COMMON):
        function = option(function)
    return function


def json_options(function: _F) -> _F:
    """``--json`` and its long form ``--output-format``."""
    return _form_options(function, ["text", "json"])


def line_options(function: _F) -> _F:
    """The same with ``jsonl``."""
    return _form_options(function, ["text", "json", "jsonl"])


def _form_options(function: _F, forms: list[str]) -> _F:
    function = click.option(
        "--output-format",
        type=click.Choice(forms),
        expose_value=False,
        callback=_format,
        help="Form of the result. The default is text.",
    )(function)
    return click.option(
        "--json", is_flag=True, expose_value=False, callback=_json, help="Same as --output-format json."
    )(function)


def output_option(function: _F) -> _F:
    """``--output FILE``, and whether that may be there already."""
    function = click.option(
        "--overwrite",
        is_flag=True,
        expose_value=False,
        callback=_overwrite,
        help="Replace files that are there already. Files of a vDisk never are.",
    )(function)
    return click.option(
        "-o",
        "--output",
        metavar="FILE",
        type=PathType(),
        expose_value=False,
        callback=_store("output"),
        help="Write the result to FILE, whole or not at all.",
    )(function)


def disk_options(function: _F) -> _F:
    """How a disk is opened: format, volume, parents, version."""
    for option in reversed(_DISK):
        function = option(function)
    return function


def chain_options(function: _F) -> _F:
    """How the files of a chain are found: format, version, parents."""
    for option in reversed(_CHAIN):
        function = option(function)
    return function


def _session(ctx: click.Context) -> Session:
    return ctx.ensure_object(Session)


def _store(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: Any) -> None:  # noqa: ANN401 - any option's value
        if value is not None:
            setattr(_session(ctx), name, value)

    return callback


def _store_disk(ctx: click.Context, option: click.Parameter, value: Any) -> None:  # noqa: ANN401 - any option's value
    _session(ctx).disk[str(option.name)] = value


def _verbose(ctx: click.Context, _: click.Parameter, value: int) -> None:
    _session(ctx).verbosity += value


def _quiet(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    _session(ctx).quiet |= value


def _overwrite(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    _session(ctx).overwrite |= value


def _json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    session = _session(ctx)
    session.json |= value
    _agree(ctx, session)


def _format(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
    session = _session(ctx)
    session.json |= value == "json"
    session.lines |= value == "jsonl"
    session.text |= value == "text"
    _agree(ctx, session)


def _agree(ctx: click.Context, session: Session) -> None:
    if session.json and (session.text or session.lines):
        form = "text" if session.text else "jsonl"
        raise click.UsageError(f"--json and --output-format {form} exclude each other", ctx)


def _volume(ctx: click.Context, option: click.Parameter, value: int | None) -> None:
    if value is not None and value < 1:
        raise click.BadParameter("partitions are numbered from 1", ctx, option)
    _store_disk(ctx, option, value)


def _at(ctx: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        value = value.lower()
        if value not in ("latest", "base") and not (value.isascii() and value.isdecimal() and len(value) < 6):
            raise click.BadParameter("give a version number, 'latest' or 'base'", ctx, option)
    _store_disk(ctx, option, value)


_COMMON = (
    click.option(
        "-v",
        "--verbose",
        count=True,
        expose_value=False,
        callback=_verbose,
        help="Log to stderr what happens; twice for every detail.",
    ),
    click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=_quiet,
        help="Nothing on stderr but errors. Wins over -v.",
    ),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        expose_value=False,
        callback=_store("color"),
        help="Colour in text. The default is auto: on a terminal.",
    ),
    click.option(
        "--log-file",
        metavar="FILE",
        type=PathType(),
        expose_value=False,
        callback=_store("log_file"),
        help="Append to FILE who did what, when, and what came of it; with -vv every detail.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        expose_value=False,
        callback=_store("log_format"),
        help="Form of the log: text, or one JSON object a line. The default is text.",
    ),
)

at_option = click.option(
    "--at",
    metavar="N|latest|base",
    expose_value=False,
    callback=_at,
    help="Read this version of the vDisk instead of the file that is named.",
)
"""``--at``: another version of the vDisk."""

volume_option = click.option(
    "--volume",
    type=int,
    metavar="N",
    expose_value=False,
    callback=_volume,
    help="Look at partition N instead of the one with Windows.",
)
"""``--volume``: another partition."""

parent_dir_option = click.option(
    "--parent-dir",
    multiple=True,
    metavar="DIR",
    type=PathType(),
    expose_value=False,
    callback=_store_disk,
    help="Also look for parent disks here. May be repeated.",
)
"""``--parent-dir``: where the parents of a differencing disk may lie."""

format_option = click.option(
    "--format",
    type=click.Choice(["vhd", "vhdx", "raw"]),
    expose_value=False,
    callback=_store_disk,
    help="What the file is. Without it the content decides; raw is never guessed.",
)
"""``--format``: what the file is."""

follow_option = click.option(
    "--follow-parent-paths",
    is_flag=True,
    expose_value=False,
    callback=_store_disk,
    help="Also try the local paths that a differencing disk names.",
)
"""``--follow-parent-paths``: whether paths stored in files are trusted."""

_DISK = (format_option, volume_option, at_option, parent_dir_option, follow_option)
_CHAIN = (format_option, at_option, parent_dir_option, follow_option)
