"""``vdiskkit reg delete``: delete a value, or a key with all below it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vdiskkit.cli.change_options import change_options
from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType

if TYPE_CHECKING:
    from vdiskkit.cli.session import Session
    from vdiskkit.patch.plan import Plan

__all__ = ["command"]


@click.command(
    "delete",
    cls=Command,
    schema="vdiskkit.patch/1",
    exit_codes=(0, 1, 3, 4, 5, 6, 7),
    examples=(
        (
            r'reg delete win10.vhd "HKLM\SOFTWARE\Policies\Example" Server --missing-ok --yes',
            "one value; no error when it is gone already",
        ),
        (r'reg delete win10.vhd "HKLM\SOFTWARE\Example" --recursive --dry-run', "a key and all below it"),
    ),
    short_help="Delete a value, or a key with all below it.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.argument("key", metavar="KEY")
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--default", is_flag=True, help="Delete the key's default value.")
@click.option("--recursive", is_flag=True, help="Delete the key itself, with all values and keys below it.")
@click.option("--missing-ok", is_flag=True, help="A value or key that is not there is no error.")
@change_options
@click.pass_obj
def command(
    session: Session, disk: str, key: str, name: str | None, default: bool, recursive: bool, missing_ok: bool
) -> int:
    """Delete the value NAME of a key; with --recursive the key itself and all below it."""
    from vdiskkit.cli.change import carry_out
    from vdiskkit.cli.registry_change import check_target

    if (name is not None) + default + recursive != 1:
        raise click.UsageError("give one of NAME, --default (the default value) and --recursive (the whole key)")
    check_target(disk, key)

    def make(path: str, **arguments: Any) -> Plan:  # noqa: ANN401 - those of the public function
        import vdiskkit

        if recursive:
            return vdiskkit.plan(path, [vdiskkit.DeleteKey(key=key, missing_ok=missing_ok)], **arguments)
        operation = vdiskkit.DeleteValue(key=key, name=name or "", missing_ok=missing_ok)
        return vdiskkit.plan(path, [operation], **arguments)

    return carry_out(session, disk, make)
