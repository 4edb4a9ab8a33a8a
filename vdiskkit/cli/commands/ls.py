"""``vdiskkit ls``: a directory of the guest file system."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, common_options, disk_options, json_options, output_option
from vdiskkit.errors import CorruptStructureError, FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.cli.session import Session
    from vdiskkit.facts import Notice
    from vdiskkit.ntfs import DirectoryEntry, NtfsFile, NtfsVolume, VolumeNotice
    from vdiskkit.report.file_facts import DirectoryItem

    _Told = dict[VolumeNotice, None]

__all__ = ["command"]

_DAMAGED = "ntfs.index_damaged"
_OF_ALL = ("ntfs.mft_damaged", "ntfs.volume_cut")
"""Notices that concern every directory."""


@click.command(
    "ls",
    cls=Command,
    schema="vdiskkit.ls/1",
    exit_codes=(0, 1, 3, 5),
    examples=(
        (r'ls win10.vhd "Windows\System32\config" -l', "sizes and times of the hives"),
        ("ls win10.vhd --json", "the root directory as JSON"),
    ),
    short_help="List a directory of the guest file system.",
)
@click.argument("disk", metavar="DISK", type=PathType())
@click.argument("path", metavar="[PATH]", default="\\", required=False)
@click.option("-l", "--long", is_flag=True, help="Also show size, time of the last write and how it is stored.")
@click.option("--streams", is_flag=True, help="Also show the data streams of each file.")
@disk_options
@json_options
@output_option
@common_options
@click.pass_obj
def command(session: Session, disk: str, path: str, long: bool, streams: bool) -> int:
    r"""List a directory of the guest file system.

    PATH is not case-sensitive, takes either slash, and needs no drive: Windows\System32 or C:/Windows/System32.
    """
    from vdiskkit.cli.guest import lookup
    from vdiskkit.cli.output import note, open_output
    from vdiskkit.cli.results import answer
    from vdiskkit.cli.targets import open_disk, tell_choice
    from vdiskkit.text import displayable

    with open_disk(session, disk) as opened:
        tell_choice(session, opened)
        volume = opened.volume
        directory = lookup(volume, path)
        # Of this listing alone, though the same damage may have been met before, when the disk was opened.
        told = dict.fromkeys(item for item in volume.notices if item.code in _OF_ALL)
        full = long or streams or session.json
        if session.json:
            from vdiskkit.report.file_facts import LsResult

            entries = tuple(_items(volume, directory, told, streams=streams))
            result = LsResult(path=directory.path, entries=entries, notices=_notices(told))
            return answer(session, result.to_dict(), target=disk, damage=_damage(told))
        output = open_output(session)
        keep = False
        try:
            long_lines = _long(volume, directory, told, streams=streams, long=long)
            for line in long_lines if full else _short(volume, directory, told):
                output.write(f"{line}\n")
            keep = True
        finally:
            output.close(keep=keep)
        notices, damage = _notices(told), _damage(told)
    for notice in notices:
        note(session, "warning", displayable(notice.message))
    return 0 if damage is None else damage.exit_code


def _short(volume: NtfsVolume, directory: NtfsFile, told: _Told) -> Iterator[str]:
    from vdiskkit.text import displayable

    if not directory.is_directory:
        yield f"file  {displayable(directory.name)}"
        return
    for entry in volume.listdir(directory, told=told.setdefault):
        yield f"{'dir ' if entry.is_directory else 'file'}  {displayable(entry.name)}"


def _long(volume: NtfsVolume, directory: NtfsFile, told: _Told, *, streams: bool, long: bool) -> Iterator[str]:
    from vdiskkit.text import displayable

    for item in _items(volume, directory, told, streams=streams):
        kind = "dir " if item.is_directory else "file"
        name = displayable(item.name)
        if long:
            when = f"{item.modified:%Y-%m-%d %H:%M:%S}Z" if item.modified is not None else "-"
            size = "-" if item.is_directory else str(item.size)
            notes = [note for note in item.storage if note != "resident"]
            notes += [f"-> {displayable(item.link_target)}"] if item.link_target else []
            notes += [displayable(item.problem)] if item.problem else []
            shown = f"  ({', '.join(notes)})" if notes else ""
            yield f"{kind}  {when:>20}  {size:>14}  {name}{shown}"
        else:
            yield f"{kind}  {name}"
        for stream in item.streams or ():
            if stream.name:
                yield f"stream  {name}:{displayable(stream.name)}  {stream.size} bytes"


def _items(volume: NtfsVolume, directory: NtfsFile, told: _Told, *, streams: bool) -> Iterator[DirectoryItem]:
    if not directory.is_directory:
        yield _item(directory, directory.name, None, streams=streams)
        return
    for entry in volume.listdir(directory, told=told.setdefault):
        try:
            yield _item(entry.open(), entry.name, entry.short_name, streams=streams)
        except FormatError as exc:
            yield _remembered(entry, str(exc))


def _item(file: NtfsFile, name: str, short_name: str | None, *, streams: bool) -> DirectoryItem:
    from vdiskkit.ntfs.facts import StreamFacts, attribute_names
    from vdiskkit.report.file_facts import DirectoryItem

    reparse = file.reparse
    return DirectoryItem(
        name=name,
        short_name=short_name,
        is_directory=file.is_directory,
        size=file.size,
        created=file.created,
        modified=file.modified,
        attributes=attribute_names(file.attributes),
        storage=file.storage,
        link_target=reparse.target if reparse is not None else None,
        streams=tuple(
            StreamFacts(
                name=stream.name,
                size=stream.size,
                allocated_size=stream.allocated_size,
                storage=stream.storage,
                extents=file.extent_count(stream.name),
            )
            for stream in file.streams()
        )
        if streams
        else None,
        problem=None,
    )


def _remembered(entry: DirectoryEntry, problem: str) -> DirectoryItem:
    from vdiskkit.ntfs.facts import attribute_names
    from vdiskkit.report.file_facts import DirectoryItem

    return DirectoryItem(
        name=entry.name,
        short_name=entry.short_name,
        is_directory=entry.is_directory,
        size=entry.size,
        created=entry.created,
        modified=entry.modified,
        attributes=attribute_names(entry.attributes),
        storage=(),
        link_target=None,
        streams=None,
        problem=problem,
    )


def _notices(told: _Told) -> tuple[Notice, ...]:
    from vdiskkit.facts import Notice

    return tuple(
        Notice(code=code, message=message, location=str(where) if where is not None else None)
        for code, message, where in told
    )


def _damage(told: _Told) -> FormatError | None:
    """A list that is known to lack entries is no success; names of deleted files that were left out do not matter."""
    for notice in told:
        if notice.code == _DAMAGED:
            hint = "check the volume in Windows with chkdsk"
            return CorruptStructureError(notice.message, location=notice.location, hint=hint)
    return None
