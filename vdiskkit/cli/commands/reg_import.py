"""``vdiskkit reg import``: make the changes of a ``.reg`` file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vdiskkit.cli.change_options import change_options
from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType
from vdiskkit.errors import UsageError
from vdiskkit.location import Location

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session
    from vdiskkit.patch.operations import Operation
    from vdiskkit.patch.plan import Plan

__all__ = ["command"]

_SKIPPED_TOLD = 20
"""Skipped lines that are told one by one."""
_LARGEST_FILE = 64 * 1024 * 1024


def _encoding(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            b" ".decode(value)  # not codecs.lookup, which also knows what is no encoding of text
        except (LookupError, ValueError):
            raise click.BadParameter(f"{value!r} is no encoding of text; one is cp1252", ctx, option) from None
    return value


@click.command(
    "import",
    cls=Command,
    schema="vdiskkit.patch/1",
    exit_codes=(0, 1, 3, 4, 5, 6, 7),
    examples=(
        ("reg import win10.vhd settings.reg --dry-run", "every change that the file makes in this disk"),
        ("reg import win10.vhd old.reg --encoding cp1252 --yes", "a file without a byte order mark"),
    ),
    short_help="Make the changes of a .reg file.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.argument("file", metavar="FILE", type=PathType())
@click.option(
    "--encoding",
    metavar="NAME",
    callback=_encoding,
    help="Encoding of a FILE without a byte order mark; ASCII and UTF-8 need no name.",
)
@change_options
@click.pass_obj
def command(session: Session, disk: str, file: str, encoding: str | None) -> int:
    r"""Make the changes of a .reg file, as regedit or reg.exe would on the running Windows; all of them or none.

    Keys are made as needed, and what is to be deleted may be missing. Lines that regedit skips are skipped, and a note
    says so. All keys must lie in hives of the disk
    (HKEY_LOCAL_MACHINE, HKEY_USERS\.DEFAULT, HKEY_CLASSES_ROOT).
    """
    from vdiskkit.cli.change import carry_out
    from vdiskkit.cli.registry_change import check_target

    check_target(disk)
    skipped: list[str] = []
    operations = _operations(file, encoding, skipped)
    more = [f"{len(skipped) - _SKIPPED_TOLD} more lines are skipped"] if len(skipped) > _SKIPPED_TOLD else []

    def make(path: str, **arguments: Any) -> Plan:  # noqa: ANN401 - those of the public function
        import vdiskkit

        return vdiskkit.plan(path, operations, notes=[*skipped[:_SKIPPED_TOLD], *more], **arguments)

    return carry_out(session, disk, make)


def _operations(path: str, encoding: str | None, skipped: list[str]) -> list[Operation]:
    from vdiskkit.io.paths import open_source
    from vdiskkit.patch.registry.regfile import parse_reg

    with open_source(path) as source:
        if source.size > _LARGEST_FILE:
            raise UsageError(
                f"a .reg file of {source.size} bytes is too large",
                location=Location(path),
                hint=f"split it; {_LARGEST_FILE} bytes are the limit",
            )
        data = source.read_at(0, source.size)
    edits = parse_reg(data, path, encoding=encoding, skipped=skipped)
    if not edits:
        raise UsageError("the .reg file changes nothing", location=Location(path))
    return [_operation(edit, path) for edit in edits]


def _operation(edit: Any, path: str) -> Operation:  # noqa: ANN401 - a RegEdit, whose module is loaded late
    import vdiskkit
    from vdiskkit.windows.regpath import parse_registry_path

    try:
        parse_registry_path(edit.key)
    except UsageError as exc:
        raise UsageError(
            f"line {edit.line}: {exc.message}", location=Location(path).at("line", edit.line), hint=exc.hint
        ) from exc
    if edit.action == "create-key":
        return vdiskkit.CreateKey(key=edit.key)
    if edit.action == "delete-key":
        return vdiskkit.DeleteKey(key=edit.key, missing_ok=True)
    if edit.action == "delete-value":
        return vdiskkit.DeleteValue(key=edit.key, name=edit.value, missing_ok=True)
    return vdiskkit.SetValue(key=edit.key, name=edit.value, type=edit.type, data=edit.data, create_keys=True)
