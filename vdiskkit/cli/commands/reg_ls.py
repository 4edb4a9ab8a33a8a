"""``vdiskkit reg ls``: the values and subkeys of a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import common_options, disk_options, json_options, output_option
from vdiskkit.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdiskkit.cli.registry import FoundKey
    from vdiskkit.cli.session import Session
    from vdiskkit.registry import RegistryKey, RegistryValue

__all__ = ["command"]


@click.command(
    "ls",
    cls=Command,
    schema="vdiskkit.reg-ls/1",
    exit_codes=(0, 1, 3, 5),
    examples=(
        (r"reg ls win10.vhd HKLM\SYSTEM\Select", "the values and subkeys of one key"),
        (r"reg ls SOFTWARE \ --depth 2 --json", "two levels below the root of a hive file"),
    ),
    short_help="List the values and subkeys of a key.",
)
@click.argument("disk", metavar="DISK")
@click.argument("path", metavar="PATH")
@click.option("--depth", type=click.IntRange(1, 100), default=1, show_default=True, help="Levels of subkeys to list.")
@disk_options
@json_options
@output_option
@common_options
@click.pass_obj
def command(session: Session, disk: str, path: str, depth: int) -> int:
    """List the values and subkeys of a key, in the order of the hive."""
    from vdiskkit.cli.errors import tell_error
    from vdiskkit.cli.exitcodes import worst
    from vdiskkit.cli.output import open_output
    from vdiskkit.cli.registry import DIRTY, find_key, tell_odd
    from vdiskkit.text import displayable

    errors: list[FormatError] = []
    with find_key(session, disk, path) as found:
        if session.json:
            _answer_json(session, disk, found, depth)
            return 0
        tell_odd(session, found)
        mark = f"  {DIRTY}" if found.dirty else ""
        output = open_output(session)
        keep = False
        try:
            output.write(f"key    {displayable(found.path)}{_written(found.key)}{mark}\n")
            for line in _tree(found.key, depth, 1, errors.append):
                output.write(f"{line}{mark}\n")
            keep = True
        finally:
            output.close(keep=keep)
    for error in errors:
        tell_error(session, error)
    return worst(error.exit_code for error in errors)


def _tree(key: RegistryKey, depth: int, level: int, on_error: Callable[[FormatError], None]) -> Iterator[str]:
    from vdiskkit.text import displayable

    indent = "  " * level
    for value in key.values(on_error=on_error):
        try:
            shown = _data(value)
        except FormatError as exc:
            on_error(exc)
            shown = "(damaged)"
        yield f"{indent}value  {displayable(value.name) or '(default)'}  {value.type_name}  {shown}"
    for subkey in key.subkeys(on_error=on_error):
        yield f"{indent}key    {displayable(subkey.name)}{_written(subkey)}"
        if level < depth:
            yield from _tree(subkey, depth, level + 1, on_error)


def _written(key: RegistryKey) -> str:
    return f"  (written {key.last_written:%Y-%m-%d %H:%M:%S}Z)" if key.last_written is not None else ""


def _data(value: RegistryValue) -> str:
    from vdiskkit.text import displayable

    data = value.data
    if isinstance(data, tuple):
        shown = " | ".join(displayable(text) for text in data)
    elif isinstance(data, bytes):
        shown = displayable(data.hex())
    else:
        shown = displayable(str(data))
    return f"{shown}  ({displayable(value.problem)})" if value.problem else shown


def _answer_json(session: Session, disk: str, found: FoundKey, depth: int) -> None:
    from vdiskkit.cli.results import answer
    from vdiskkit.report.registry_facts import (
        RegistryKeyTree,
        RegistryLsResult,
        RegistrySource,
        RegistryValueItem,
        plain_data,
    )

    def values(key: RegistryKey) -> tuple[RegistryValueItem, ...]:
        return tuple(
            RegistryValueItem(name=value.name, type=value.type_name, data=plain_data(value.data), problem=value.problem)
            for value in key.values()
        )

    def tree(key: RegistryKey, level: int) -> RegistryKeyTree:
        open_ = level <= depth
        return RegistryKeyTree(
            name=key.name,
            last_written=key.last_written,
            values=values(key) if open_ else None,
            subkeys=tuple(tree(subkey, level + 1) for subkey in key.subkeys()) if open_ else None,
        )

    result = RegistryLsResult(
        source=RegistrySource(
            key=found.path, asked=found.asked, hive=found.file, dirty=found.dirty, last_written=found.key.last_written
        ),
        values=values(found.key),
        subkeys=tuple(tree(subkey, 2) for subkey in found.key.subkeys()),
    )
    answer(session, result.to_dict(), target=disk)
