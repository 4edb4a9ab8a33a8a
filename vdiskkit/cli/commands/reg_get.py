"""``vdiskkit reg get``: the data of one value and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, common_options, disk_options, line_options
from vdiskkit.errors import ValueMissingError

if TYPE_CHECKING:
    from vdiskkit.cli.registry import FoundKey
    from vdiskkit.cli.session import Session
    from vdiskkit.registry import RegistryValue

__all__ = ["command"]


@click.command(
    "get",
    cls=Command,
    schema="vdiskkit.reg-get/1",
    exit_codes=(0, 1, 3, 5),
    examples=(
        (
            r'reg get win10.vhd "HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion" CurrentBuild',
            "one value of a disk",
        ),
        (r'reg get SOFTWARE "Microsoft\Windows NT\CurrentVersion" CurrentBuild --json', "one value of a hive file"),
    ),
    short_help="Print the data of one value.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.argument("path", metavar="PATH")
@click.argument("name", metavar="[NAME]", default="", required=False)
@disk_options
@line_options
@common_options
@click.pass_obj
def command(session: Session, disk: str, path: str, name: str) -> int:
    """Print the data of one value and nothing else; without NAME the default value of the key.

    Numbers are decimal, texts as they are (made displayable), lists one text a line, everything else hexadecimal.
    """
    from vdiskkit.cli.output import note, open_output
    from vdiskkit.cli.registry import ONLY_IN_LOG, find_key, tell_odd
    from vdiskkit.text import displayable

    with find_key(session, disk, path) as found:
        value = _value(found, name)
        if session.json:
            _answer_json(session, disk, found, value)
            return 0
        if session.lines:
            _answer_line(disk, found, value)
            return 0
        lines = _lines(value)
        tell_odd(session, found)
        if value.origin == "log":
            note(session, "note", f"{displayable(value.name) or '(default)'} {ONLY_IN_LOG}")
        if value.problem:
            note(session, "warning", displayable(value.problem))
    output = open_output(session)
    output.write("".join(f"{line}\n" for line in lines))
    output.close(keep=True)
    return 0


def _value(found: FoundKey, name: str) -> RegistryValue:
    value = found.key.value(name)
    if value is None and name.casefold() == "(default)":
        value = found.key.value("")
    if value is None:
        shown = f"value {name}" if name else "default value"
        raise ValueMissingError(
            f"the key {found.path} has no {shown}", location=found.hive.location, hint="`reg ls` lists what is there"
        )
    return value


def _lines(value: RegistryValue) -> list[str]:
    from vdiskkit.text import displayable

    data = value.data
    if isinstance(data, tuple):
        return [displayable(text, limit=None) for text in data]
    if isinstance(data, bytes):
        return [data.hex()]
    return [displayable(data, limit=None) if isinstance(data, str) else str(data)]


def _answer_json(session: Session, disk: str, found: FoundKey, value: RegistryValue) -> None:
    from vdiskkit.cli.registry import registry_source
    from vdiskkit.cli.results import answer
    from vdiskkit.report.registry_facts import RegistryGetResult, plain_data

    result = RegistryGetResult(
        name=value.name,
        type=value.type_name,
        data=plain_data(value.data),
        problem=value.problem,
        origin=value.origin,
        source=registry_source(found),
    ).to_dict()
    answer(session, result, target=disk, top=result)


def _answer_line(disk: str, found: FoundKey, value: RegistryValue) -> None:
    from vdiskkit.cli.output import StdoutOutput
    from vdiskkit.cli.registry import registry_source
    from vdiskkit.report.line_facts import value_item
    from vdiskkit.report.lines import lines_of

    StdoutOutput().write(lines_of("value", disk, value_item(value, registry_source(found))))
