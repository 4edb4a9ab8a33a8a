"""``vdiskkit reg set``: set one value."""

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
    "set",
    cls=Command,
    schema="vdiskkit.patch/1",
    exit_codes=(0, 1, 3, 4, 5, 6, 7),
    examples=(
        (r'reg set win10.vhd "HKLM\SYSTEM\CurrentControlSet\Control" Example 0x1f --type dword --dry-run', "a number"),
        (r'reg set win10.vhd "HKLM\SYSTEM\Select" Names one two --type multi_sz --yes', "one VALUE for each text"),
        (r'reg set win10.vhd "HKLM\SOFTWARE\Example" --default text --type sz --create-keys --yes', "a default value"),
    ),
    short_help="Set one value.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.argument("key", metavar="KEY")
@click.argument("words", nargs=-1, metavar="NAME VALUE...")
@click.option(
    "--type",
    type=click.Choice(["dword", "qword", "sz", "expand_sz", "multi_sz", "binary", "none"], case_sensitive=False),
    required=True,
    help="Type of the data. Numbers are decimal or 0x..., binary and none hexadecimal.",
)
@click.option("--default", is_flag=True, help="Set the key's default value; NAME is then left out.")
@click.option("--create-keys", is_flag=True, help="Create the key, and those above it, when it does not exist.")
@change_options
@click.pass_obj
def command(
    session: Session,
    disk: str,
    key: str,
    words: tuple[str, ...],
    type: str,  # noqa: A002 - named after the option
    default: bool,
    create_keys: bool,
) -> int:
    """Set one value of a key, with its type; the value is made when there is none.

    Put -- before a VALUE that begins with a dash.
    """
    from vdiskkit.cli.change import carry_out
    from vdiskkit.cli.registry_change import check_target, parse_data

    name, values = ("", words) if default else (words[0] if words else "", words[1:])
    if not default and not words:
        raise click.UsageError("NAME is missing; --default stands for the key's default value")
    kind, data = parse_data(type, values)
    check_target(disk, key)

    def make(path: str, **arguments: Any) -> Plan:  # noqa: ANN401 - those of the public function
        import vdiskkit

        operation = vdiskkit.SetValue(key=key, name=name, type=kind, data=data, create_keys=create_keys)
        return vdiskkit.plan(path, [operation], **arguments)

    return carry_out(session, disk, make)
