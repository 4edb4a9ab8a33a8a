"""``vdiskkit reg ls``: the values and subkeys of a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, common_options, disk_options, json_options, output_option
from vdiskkit.errors import CorruptStructureError, FormatError

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
        (r'reg ls win10.vhd "HKLM\SYSTEM\Select"', "the values and subkeys of one key"),
        ("reg ls SOFTWARE --depth 2 --json", "two levels below the root of a hive file"),
    ),
    short_help="List the values and subkeys of a key.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.argument("path", metavar="[PATH]", default="\\", required=False)
@click.option("--depth", type=click.IntRange(1, 100), default=1, show_default=True, help="Levels of subkeys to list.")
@disk_options
@json_options
@output_option
@common_options
@click.pass_obj
def command(session: Session, disk: str, path: str, depth: int) -> int:
    """List the values and subkeys of a key, in the order of the hive; of a hive file without PATH its root."""
    from vdiskkit.cli.errors import tell_damage
    from vdiskkit.cli.output import open_output
    from vdiskkit.cli.registry import STALE, find_key, tell_odd
    from vdiskkit.text import displayable

    errors: list[FormatError] = []
    with find_key(session, disk, path) as found:
        if session.json:
            return _answer_json(session, disk, found, depth)
        tell_odd(session, found)
        mark = f"  {STALE}" if found.hive.stale else ""
        output = open_output(session)
        keep = False
        try:
            output.write(f"key    {displayable(found.path)}{_written(found.key)}{_origin(found.key)}{mark}\n")
            for line in _tree(found.key, depth, 1, _Once(found.key, errors.append)):
                output.write(f"{line}{mark}\n")
            keep = True
        finally:
            output.close(keep=keep)
    return tell_damage(session, errors)


class _Once:
    """Gives the subkeys of keys, each key once: a key that is below itself would be listed again and again."""

    def __init__(self, first: RegistryKey, on_error: Callable[[FormatError], None]) -> None:
        self.on_error = on_error
        self._seen = {first.offset}

    def subkeys(self, key: RegistryKey) -> Iterator[RegistryKey]:
        for subkey in key.subkeys(on_error=self.on_error):
            if subkey.offset in self._seen:
                self.on_error(
                    CorruptStructureError(
                        f"the key {subkey.path!r} is listed in two places: the tree would never end",
                        location=subkey.location,
                    )
                )
                continue
            self._seen.add(subkey.offset)
            yield subkey


def _tree(key: RegistryKey, depth: int, level: int, once: _Once) -> Iterator[str]:
    from vdiskkit.text import displayable

    indent, on_error = "  " * level, once.on_error
    for value in key.values(on_error=on_error):
        try:
            shown = f"{_data(value)}{_origin(value)}"
        except FormatError as exc:
            on_error(exc)
            shown = "(damaged)"
        yield f"{indent}value  {displayable(value.name) or '(default)'}  {value.type_name}  {shown}"
    for subkey in once.subkeys(key):
        yield f"{indent}key    {displayable(subkey.name)}{_written(subkey)}{_origin(subkey)}"
        if level < depth:
            yield from _tree(subkey, depth, level + 1, once)


def _origin(item: RegistryKey | RegistryValue) -> str:
    from vdiskkit.cli.registry import ONLY_IN_LOG

    return f"  {ONLY_IN_LOG}" if item.origin == "log" else ""


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


def _answer_json(session: Session, disk: str, found: FoundKey, depth: int) -> int:
    from vdiskkit.cli.errors import tell_damage
    from vdiskkit.cli.registry import registry_source
    from vdiskkit.cli.results import answer
    from vdiskkit.report.registry_facts import RegistryKeyTree, RegistryLsResult, RegistryValueItem, plain_data

    errors: list[FormatError] = []
    once = _Once(found.key, errors.append)

    def values(key: RegistryKey) -> Iterator[RegistryValueItem]:
        for value in key.values(on_error=errors.append):
            try:
                data, problem, origin = plain_data(value.data), value.problem, value.origin
            except FormatError as exc:
                errors.append(exc)
            else:
                yield RegistryValueItem(
                    name=value.name, type=value.type_name, data=data, problem=problem, origin=origin
                )

    def tree(key: RegistryKey, level: int) -> RegistryKeyTree:
        opened = level <= depth
        return RegistryKeyTree(
            name=key.name,
            last_written=key.last_written,
            origin=key.origin,
            values=tuple(values(key)) if opened else None,
            subkeys=tuple(subkeys(key, level + 1)) if opened else None,
        )

    def subkeys(key: RegistryKey, level: int) -> Iterator[RegistryKeyTree]:
        return (tree(subkey, level) for subkey in once.subkeys(key))

    source = registry_source(found)
    own_values, own_subkeys = tuple(values(found.key)), tuple(subkeys(found.key, 2))
    problems = tuple(dict.fromkeys(str(error) for error in errors))
    result = RegistryLsResult(source=source, values=own_values, subkeys=own_subkeys, problems=problems)
    tell_damage(session, errors)
    return answer(session, result.to_dict(), target=disk, damage=next(iter(errors), None))
