"""The committed volumes, staged for editing, and what must hold after every edit."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tests.unit.ntfs import volumes
from vdiskkit.errors import FormatError
from vdiskkit.io import BytesSource
from vdiskkit.location import Location
from vdiskkit.ntfs import NtfsVolume
from vdiskkit.patch.ntfs import VolumeEditor, check_touched, check_volume
from vdiskkit.patch.staging import StagedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdiskkit.patch.staging import FileChange


class Staged:
    """A volume over a stage.

    Attributes:
        data: The volume as it was.
        file: The stage.
        editor: The editor over it.
    """

    def __init__(
        self,
        data: bytes | bytearray | str,
        *,
        now: int | None = None,
        prefer: Callable[[int, int], bool] | None = None,
    ) -> None:
        self.data = volumes.image(data) if isinstance(data, str) else bytes(data)
        self.file = StagedFile(BytesSource(self.data, Location("disk.vhd")))
        self.editor = VolumeEditor(self.file, prefer, now)

    @property
    def volume(self) -> NtfsVolume:
        """A fresh reader."""
        return NtfsVolume(self.file)

    @property
    def after(self) -> bytes:
        """The volume as it is now."""
        return self.file.read_at(0, self.file.size)

    @property
    def changes(self) -> list[FileChange]:
        return self.file.changes()

    def check(self, *, known: tuple[str, ...] = ()) -> None:
        """Our own check of what was touched and of everything."""
        assert check_touched(self.file, self.editor.touched) == []
        assert [problem for problem in check_volume(self.file) if problem.code not in known] == []


def contents(volume: NtfsVolume, folder: str = "\\") -> dict[str, str]:
    """Hash of every stream of every file that can be read, by path and stream."""
    return dict(_contents(volume, folder))


def _contents(volume: NtfsVolume, folder: str) -> Iterator[tuple[str, str]]:
    for entry in volume.listdir(folder):
        if entry.record_number < 24 or entry.path.startswith("$Extend"):
            continue
        if entry.is_directory and not entry.open().is_link:
            yield entry.path, "folder"
            yield from _contents(volume, entry.path)
            continue
        file = entry.open()
        streams = file.streams()
        if not streams:
            yield entry.path, "no stream"
        for stream in streams:
            try:
                source = file.open(stream.name)
                content = hashlib.sha256(source.read_at(0, source.size)).hexdigest()
            except FormatError as fault:
                content = fault.message
            yield f"{entry.path}:{stream.name}", content


def without(before: dict[str, str], *paths: str) -> dict[str, str]:
    """What must remain when files are gone."""
    return {key: value for key, value in before.items() if key.rpartition(":")[0] not in paths}
