"""``vdiskkit reg ls``: the values and subkeys of a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.errors import Damage
from vdiskkit.cli.options import PathType, common_options, disk_options, json_options, output_option
from vdiskkit.errors import CorruptStructureError, FormatError, VDiskError

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

    errors = Damage()
    with find_key(session, disk, path) as found:
        if session.json:
            return _answer_json(session, disk, found, depth)
        tell_odd(session, found)
        mark = f"  {STALE}" if found.hive.stale else ""
        output = open_output(session)
        keep = False
        try:
            output.write(f"key    {displayable(found.path)}{_written(found.key)}{_origin(found.key)}{mark}\n")
            for line in _tree(found.key, depth, 1, _Once(found.key, errors.add)):
                output.write(f"{line}{mark}\n")
            keep = True
        finally:
            output.close(keep=keep)
    return tell_damage(session, errors)


class _Once:
    """Gives the subkeys of keys, each key once: a key that is below itself would be listed again and again."""

    def __init__(self, first: RegistryKey, on_error: Callable[[FormatError], None]) -> None:
        from vdiskkit.registry.room import CellSet

        self.on_error = on_error
        self._seen = CellSet(first.hive.cells.hive_bins_size)
        self._seen.add(first.offset)

    def subkeys(self, key: RegistryKey) -> Iterator[RegistryKey]:
        for subkey in key.subkeys(on_error=self.on_error):
            if not self._seen.add(subkey.offset):
                self.on_error(
                    CorruptStructureError(
                        f"the key {subkey.path!r} is listed in two places: the tree would never end",
                        location=subkey.location,
                    )
                )
                continue
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


class _Listing:
    """The members of the JSON result, made while it is written: a key can have a million values or subkeys."""

    def __init__(self, found: FoundKey, depth: int) -> None:
        from vdiskkit.cli.registry import registry_source

        self.damage = Damage()
        self.stopped: VDiskError | None = None
        self._key = found.key
        self._source = registry_source(found).to_dict()
        self._depth = depth
        self._once = _Once(found.key, self.damage.add)

    def members(self) -> Iterator[tuple[str, Any]]:
        """The members of the result; what is damaged is known behind the rest."""
        from vdiskkit.report.json import Elements

        key = self._key
        yield "source", self._source
        yield "values", Elements(self._until_stopped(self._values(key)))
        yield "subkeys", Elements(self._until_stopped(self._subkeys(key, 2)))
        problems = self.damage.messages()
        yield "problems", problems if self.stopped is None else [*problems, str(self.stopped)]

    def worst(self) -> VDiskError | None:
        """Why the listing lacks something, None when it is whole."""
        return self.stopped or next(iter(self.damage), None)

    def _until_stopped(self, items: Iterator[Any]) -> Iterator[Any]:
        # What was written so far is a result: its end says what went wrong.
        while self.stopped is None:
            try:
                item = next(items, None)
            except VDiskError as exc:
                self.stopped = exc
                return
            if item is None:
                return
            yield item

    def _values(self, key: RegistryKey) -> Iterator[dict[str, Any]]:
        from vdiskkit.report.registry_facts import RegistryValueItem, plain_data

        for value in key.values(on_error=self.damage.add):
            try:
                data, problem, origin = plain_data(value.data), value.problem, value.origin
            except FormatError as exc:
                self.damage.add(exc)
            else:
                yield RegistryValueItem(
                    name=value.name, type=value.type_name, data=data, problem=problem, origin=origin
                ).to_dict()

    def _subkeys(self, key: RegistryKey, level: int) -> Iterator[Any]:
        from vdiskkit.facts import to_plain
        from vdiskkit.report.json import Members

        for subkey in self._once.subkeys(key):
            own = {"name": subkey.name, "last_written": to_plain(subkey.last_written), "origin": subkey.origin}
            yield Members(self._tree(own, subkey, level))

    def _tree(self, own: dict[str, Any], key: RegistryKey, level: int) -> Iterator[tuple[str, Any]]:
        from vdiskkit.report.json import Elements

        opened = level <= self._depth
        yield from own.items()
        yield "values", Elements(self._until_stopped(self._values(key))) if opened else None
        yield "subkeys", Elements(self._until_stopped(self._subkeys(key, level + 1))) if opened else None


def _answer_json(session: Session, disk: str, found: FoundKey, depth: int) -> int:
    from vdiskkit.cli.errors import tell_damage, tell_error
    from vdiskkit.cli.results import answer_in_pieces

    listing = _Listing(found, depth)
    code = answer_in_pieces(session, listing.members(), target=disk, damage=listing.worst)
    tell_damage(session, listing.damage)
    if listing.stopped is not None:
        tell_error(session, listing.stopped)
    return code
