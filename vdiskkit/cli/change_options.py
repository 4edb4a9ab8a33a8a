"""Options of the commands that change something; like the others they are kept in the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from vdiskkit.cli.options import (
    PathType,
    at_option,
    common_options,
    line_options,
    output_option,
    parent_dir_option,
    volume_option,
)

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["change_options", "dry_run_option", "force_option", "result_options", "write_options", "yes_option"]

_F = TypeVar("_F", bound="Callable[..., Any]")


def _store(ctx: click.Context, option: click.Parameter, value: Any) -> None:  # noqa: ANN401 - any option's value
    from vdiskkit.cli.session import Session

    ctx.ensure_object(Session).change[str(option.name)] = value


yes_option = click.option(
    "-y", "--yes", is_flag=True, expose_value=False, callback=_store, help="Do not ask. Needed without a terminal."
)
"""``--yes``: the answer to the question before anything is written."""

dry_run_option = click.option(
    "--dry-run", is_flag=True, expose_value=False, callback=_store, help="Show what would be done and write nothing."
)
"""``--dry-run``: stop before anything is written."""

force_option = click.option(
    "--force",
    multiple=True,
    type=click.Choice(["lok", "standard-mode", "mode", "boot-file"]),
    expose_value=False,
    callback=_store,
    help="Pass a gate that you have judged: a stale lock file, a copy in Standard mode that no server uses, the write "
    "cache type, a file without which Windows does not start. May be repeated.",
)
"""``--force``: the gates that a person can judge."""

_check_option = click.option(
    "--check",
    is_flag=True,
    expose_value=False,
    callback=_store,
    help="As --dry-run, with exit code 1 when something would change.",
)
_plan_out_option = click.option(
    "--plan-out",
    metavar="FILE",
    type=PathType(),
    expose_value=False,
    callback=_store,
    help="Save the plan to FILE for `apply`, and write nothing else.",
)
_copy_option = click.option(
    "--copy-to",
    metavar="NEW",
    type=PathType(),
    expose_value=False,
    callback=_store,
    help="Copy disk and side-car to NEW first, holes kept, and change the copy.",
)
_no_undo_option = click.option(
    "--no-undo",
    is_flag=True,
    expose_value=False,
    callback=_store,
    help="Remove the journal at the end; the change can then not be taken back.",
)
_verify_option = click.option(
    "--verify",
    type=click.Choice(["touched", "full"]),
    expose_value=False,
    callback=_store,
    help="What is checked before writing: what the change touches (the default), or whole hives and the whole volume.",
)


def change_options(function: _F) -> _F:
    """Everything that a command takes which changes a disk: how it is opened, planned, written and shown."""
    for option in (
        result_options,
        parent_dir_option,
        at_option,
        volume_option,
        write_options,
        _copy_option,
        force_option,
        _plan_out_option,
        _check_option,
        dry_run_option,
        yes_option,
    ):
        function = option(function)
    return function


def write_options(function: _F) -> _F:
    """``--no-undo`` and ``--verify``."""
    return _no_undo_option(_verify_option(function))


def result_options(function: _F) -> _F:
    """How the result is shown, and the general options."""
    return line_options(output_option(common_options(function)))
