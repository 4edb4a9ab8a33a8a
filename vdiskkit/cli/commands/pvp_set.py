"""``vdiskkit pvp set``: change known fields of a side-car."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vdiskkit.cli.change_options import change_options
from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType
from vdiskkit.errors import UsageError

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
        ("pvp set win10.vhd license_mode=kms --dry-run", "what would be written"),
        ('pvp set win10.vhd "description=Windows 10, November" major_release=4 --yes', "two fields at once"),
    ),
    short_help="Change known fields of a .pvp file.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.argument("settings", nargs=-1, required=True, metavar="FIELD=VALUE...")
@change_options
@click.pass_obj
def command(session: Session, disk: str, settings: tuple[str, ...]) -> int:
    """Change known fields of the .pvp file beside a disk; every other byte stays as it is.

    Fields: license_mode (none, mak, kms), description, author, title, company, date, internal_name, original_file,
    hardware_target, serial_number, major_release, minor_release, build; and with --force mode write_cache_type.

    Standard mode with licence mode KMS is never made here: PVS prepares the image at the switch to it.
    """
    from vdiskkit.cli.change import carry_out

    fields = _fields(settings)

    def make(path: str, **arguments: Any) -> Plan:  # noqa: ANN401 - those of the public function
        import vdiskkit

        operations = [vdiskkit.SetPvpField(field=field, value=value) for field, value in fields.items()]
        return vdiskkit.plan(path, operations, **arguments)

    return carry_out(session, disk, make)


def _fields(settings: tuple[str, ...]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"{setting!r} sets nothing", hint="write it like license_mode=kms")
        name = name.strip().lower()
        if name in fields:
            raise UsageError(f"the field {name!r} is given twice", hint="give each field once")
        fields[name] = value
    return fields
