"""Running operations on the overlay: what they change, in the words of the user and in sectors of the files.

The disk is opened twice: as it is, for gates, look-ups and the values before, and over the overlay, where the writers
work. Nothing here touches a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from vdiskkit.errors import FileMissingError, FormatError, KeyMissingError, ValueMissingError, WriteRefusedError
from vdiskkit.io import PageCache
from vdiskkit.io.paths import open_source
from vdiskkit.location import Location
from vdiskkit.patch.boot_files import why_needed
from vdiskkit.patch.describe import describe
from vdiskkit.patch.disk import WritableDisk, WritableSlice, open_writable
from vdiskkit.patch.gates import Gate, pass_gates
from vdiskkit.patch.ids import ids_for
from vdiskkit.patch.logs import refuse_needed_log
from vdiskkit.patch.ntfs import VolumeEditor
from vdiskkit.patch.ntfs.ownership import check_ownership
from vdiskkit.patch.operations import CreateKey, DeleteFile, DeleteKey, DeleteValue, ReplayLogs, SetPvpField, SetValue
from vdiskkit.patch.registry import HiveEditor
from vdiskkit.patch.staging import StagedFile
from vdiskkit.patch.transaction import FileEdit
from vdiskkit.registry.upcase import upcase
from vdiskkit.text import counted
from vdiskkit.windows.regpath import HIVE_FILES, RegistryPath

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime
    from typing import Self
    from uuid import UUID

    from vdiskkit.io import FileSource
    from vdiskkit.ntfs import NtfsFile
    from vdiskkit.patch.operations import Operation
    from vdiskkit.patch.staging import Phase, WritableSource
    from vdiskkit.vdisk import VDisk

__all__ = ["SemanticChange", "Stage"]

_SHOWN_NAMES = 5
"""Names that are told of a file whose content stays; each that goes is a change of its own."""


class SemanticChange(NamedTuple):
    """One change in the user's words.

    Attributes:
        kind: ``value``, ``key``, ``file``, ``log`` or ``pvp``.
        where: Registry key, file path, what the log belongs to, or field of the side-car.
        before: What is there now, as text; None when there is nothing.
        after: What will be there, as text; None when nothing will be.
        name: Name of the value, empty for the default value; None for everything else.
    """

    kind: str
    where: str
    before: str | None
    after: str | None
    name: str | None = None

    @property
    def place(self) -> str:
        """Where, with the value's name; as it is stored, so not displayable."""
        return self.where if self.name is None else f"{self.where}, {self.name or '(default)'}"

    def to_dict(self) -> dict[str, Any]:
        """Return the change as JSON types."""
        return self._asdict()


class Stage:
    """Operations staged over one disk and its side-car; use it in a ``with`` statement.

    Args:
        disk: The disk as it is.
        now: The time that changed keys and fields get.
        forced: Names of forces, see :data:`vdiskkit.patch.gates.FORCES`.

    Attributes:
        changes: What changes, in the user's words.
        notes: What the user should know.
        hives: The hives that are edited, by name.
        volume_editor: The volume's editor, None when nothing in the volume is edited.
        writable: The virtual disk over the overlay, None likewise.
        written: Ranges of the virtual disk that were written: offset, length.
    """

    def __init__(self, disk: VDisk, *, now: datetime, forced: Collection[str] = ()) -> None:
        if disk.path is None:
            raise WriteRefusedError("a file object cannot be changed", hint="name the disk file by its path")
        self.disk = disk
        self.now = now
        self.changes: list[SemanticChange] = []
        self.notes: list[str] = []
        self.hives: dict[str, HiveEditor] = {}
        self.volume_editor: VolumeEditor | None = None
        self.writable: WritableDisk | None = None
        self.written: list[tuple[int, int]] = []
        self._forced = forced
        self._files: list[FileSource] = []
        self._paths: list[str] = []
        self._staged: list[StagedFile] = []
        self._freed: list[tuple[int, int]] = []
        self._new_id: Callable[[], UUID] = uuid4
        self._volume_offset = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for source in self._files:
            source.close()

    @property
    def staged(self) -> StagedFile | None:
        """The disk file with the staged changes, None when nothing was staged on it."""
        return self.writable.staged if self.writable is not None else None

    @property
    def staged_side_car(self) -> StagedFile | None:
        """The side-car with the staged changes, None when nothing was staged on it."""
        rest = [staged for staged in self._staged if staged is not self.staged]
        return rest[0] if rest else None

    @property
    def partition(self) -> int | None:
        """Number of the partition whose volume is changed, None when none is."""
        selected = self.disk.selected if self.volume_editor is not None else None
        return selected.partition if selected is not None else None

    @property
    def control_set(self) -> int | None:
        """The control set that Windows starts with next, when hives are changed and it is known."""
        if not self.hives:
            return None
        try:
            return self.disk.windows.control_set
        except (FormatError, FileMissingError):
            return None

    def run(self, operations: Sequence[Operation]) -> None:
        """Stage all operations, in their order; the side-car's last.

        Raises:
            NotFoundError: Something to change or delete does not exist.
            StateError: A hive is dirty, and no log of it can be replayed.
            WriteRefusedError: An operation is not provably safe, or clusters that it concerns belong to another file.
        """
        self._new_id = ids_for(self.now, operations, self.disk.container.unique_id)
        for operation in operations:
            if isinstance(operation, SetPvpField):
                continue
            if isinstance(operation, DeleteFile):
                self._delete_file(operation)
            elif isinstance(operation, ReplayLogs):
                self._replay(operation)
            else:
                self._edit_registry(operation)
        asked = {operation.hive for operation in operations if isinstance(operation, ReplayLogs)}
        for name, editor in self.hives.items():
            if editor.commit() is not None and editor.replayed is not None:
                # What was asked for needs no note that it is done besides.
                self.notes += editor.replayed.notes()[name in asked :]
        if self.writable is not None and "" not in asked:
            self.notes += self.writable.notes
            selected, found = self.disk.selected, self.disk.windows_partitions
            self.notes += [
                item.caution
                for item in self.disk.partitions.partitions
                if item.caution is not None and selected is not None and item.number == selected.partition
            ]
            if selected is not None and len(found) > 1:
                others = ", ".join(str(number) for number in found if number != selected.partition)
                self.notes.append(f"this changes partition {selected.partition}; a Windows is on {others} too")
        if self.volume_editor is not None and self.written:
            own = [(offset - self._volume_offset, length) for offset, length in self.written]
            check_ownership(self.disk.volume, self.volume_editor.space, own)
        fields = [operation for operation in operations if isinstance(operation, SetPvpField)]
        if fields:
            self._edit_side_car(fields)

    def edits(self) -> list[FileEdit]:
        """Return what changes in each file, the disk first; empty when nothing does."""
        edits = []
        for path, staged in zip(self._paths, self._staged, strict=True):
            changes = staged.changes()
            watched = self._watched() if staged is self.staged else []
            if changes or staged.size != staged.original_size:
                edits.append(FileEdit(path, changes, staged.original_size, staged.size, watched))
        return edits

    # -- the writers, made at first need ----------------------------------------------------------------------------

    def _writable(self) -> WritableDisk:
        if self.writable is None:
            disk = self.disk
            self.writable = open_writable(
                self._stage(disk.path or ""),
                path=disk.path,
                format=disk.container.format,
                parent_dirs=disk.parent_dirs,
                follow_parent_paths=disk.follow_parent_paths,
                open_source=self._open_parent,
                new_id=self._new_id,
            )
        return self.writable

    def _volume_editor(self) -> VolumeEditor:
        if self.volume_editor is None:
            disk, writable = self.disk, self._writable()
            number = disk.selected.partition if disk.selected is not None else None
            partition = next(item for item in disk.partitions.partitions if item.number == number)
            start = self._volume_offset = partition.offset
            target = _Recorded(writable, self.written)
            self.volume_editor = VolumeEditor(
                WritableSlice(target, start, partition.size, disk.volume.location),
                prefer=lambda offset, length: writable.is_allocated(start + offset, length),
                now=self.now,
            )
        return self.volume_editor

    def _stage(self, path: str) -> StagedFile:
        source = open_source(path)
        self._files.append(source)
        staged = StagedFile(PageCache(source))
        self._paths.append(path)
        self._staged.append(staged)
        return staged

    def _open_parent(self, path: str) -> FileSource:
        source = open_source(path)
        self._files.append(source)
        return source

    def _hive(self, name: str) -> HiveEditor:
        editor = self.hives.get(name)
        if editor is None:
            stream = self._volume_editor().open_stream(self._hive_file(name))

            def grow(size: int) -> None:
                stream.grow(size)

            windows = self.disk.windows
            logs, replayed = windows.log_files(self._hive_file(name)), windows.registry(name).replayed
            editor = HiveEditor(stream, name=name, now=self.now, grow=grow, logs=logs, replayed=replayed)
            self.hives[name] = editor
            if editor.base_block.ktm_pending:
                self.notes.append(f"the {name} hive is marked as having pending transactions, as most shut-down hives")
        return editor

    def _hive_file(self, name: str) -> str:
        path = HIVE_FILES.get(name)
        if path is None:
            raise FileMissingError(f"{name!r} is not a hive name", hint=f"known: {', '.join(HIVE_FILES)}")
        return f"{self.disk.windows.root}\\{path}"

    def _watched(self) -> list[tuple[int, int]]:
        """Where in the file the freed clusters lie: undo must find them as they are now."""
        if self.writable is None:
            return []
        return self.writable.guards((self._volume_offset + offset, length) for offset, length in self._freed)

    # -- operations --------------------------------------------------------------------------------------------------

    def _edit_registry(self, operation: SetValue | DeleteValue | CreateKey | DeleteKey) -> None:
        windows = self.disk.windows
        path = windows.resolve(operation.key)
        if path.hive == "SYSTEM" and path.key.partition("\\")[0].casefold() == "currentcontrolset":
            raise KeyMissingError(
                "which control set Windows starts with is not known: SYSTEM\\Select names none that is there",
                location=Location(self.disk.path or ""),
                hint="name the control set itself, such as HKLM\\SYSTEM\\ControlSet001",
            )
        differ = windows.control_sets_differ if "currentcontrolset" in operation.key.casefold() else None
        if differ is not None and differ not in self.notes:
            self.notes.append(differ)
        editor = self._hive(path.hive)
        if isinstance(operation, SetValue):
            self._set_value(editor, path, operation)
        elif isinstance(operation, DeleteValue):
            before = editor.value(path.key, operation.name) if editor.has_key(path.key) else None
            if before is None:
                if not operation.missing_ok:
                    name = f"value {operation.name!r}" if operation.name else "default value"
                    raise ValueMissingError(f"there is no {name} in {path.text}")
                return
            editor.delete_value(path.key, operation.name)
            self.changes.append(
                SemanticChange("value", path.text, describe(before, operation.name), None, operation.name)
            )
        elif isinstance(operation, CreateKey):
            if not editor.has_key(path.key):
                editor.create_key(path.key)
                self.changes.append(SemanticChange("key", path.text, None, "created"))
        elif editor.has_key(path.key):
            deleted = editor.delete_key(path.key)
            before_text = f"{counted(deleted.keys, 'key')}, {counted(deleted.values, 'value')}"
            self.changes.append(SemanticChange("key", path.text, before_text, None))
        elif not operation.missing_ok:
            raise KeyMissingError(f"there is no key {path.text}")

    def _set_value(self, editor: HiveEditor, path: RegistryPath, operation: SetValue) -> None:
        if not operation.create_keys and not editor.has_key(path.key):
            raise KeyMissingError(f"there is no key {path.text}", hint="give --create-keys to create it")
        change = editor.set_value(
            path.key, operation.name, operation.type, operation.data, create_keys=operation.create_keys
        )
        if change is not None:
            before = describe(change.before, operation.name) if change.before is not None else None
            after = describe(change.after, operation.name) if change.after is not None else None
            self.changes.append(SemanticChange("value", path.text, before, after, operation.name))

    def _delete_file(self, operation: DeleteFile) -> None:
        file = self.disk.volume.find(operation.path, follow=False)
        if file is None:
            if not operation.missing_ok:
                raise FileMissingError(f"there is no file {operation.path}", location=self.disk.volume.location)
            return
        if file.is_directory:
            raise WriteRefusedError(f"{file.path} is a directory; only files can be deleted", location=file.location)
        refuse_needed_log(self.disk.volume, file)
        names = self.disk.volume.paths(file)
        self._check_needed(file, names if operation.all_links else (file.path,))
        self._refuse_namesakes(file)
        try:
            deleted = self._volume_editor().delete_file(file.path, all_links=operation.all_links)
        except FileMissingError:
            # Gone by an operation before: it was named twice, or was a hard link of another one.
            if operation.missing_ok:
                return
            raise
        self._freed += deleted.extents
        gone = {path.casefold() for path, _ in deleted.names}
        before = f"{counted(file.size, 'byte')}, {counted(len(deleted.names), 'name')}"
        if deleted.links:
            before += f"; the content stays with {counted(deleted.links, 'other hard link')}"
            left = [path for path in names if path.casefold() not in gone]
            before += f": {_listed(left)}" if left else ""
        self.changes.append(SemanticChange("file", file.path, before, None))
        others = [path for path in names if path.casefold() in gone - {file.path.casefold()}]
        self.changes += [SemanticChange("file", path, f"another name of {file.path}", None) for path in others]

    def _check_needed(self, file: NtfsFile, names: Iterable[str]) -> None:
        why = why_needed((file.path, *names), self.disk.windows_image())
        if why is None:
            return
        error = WriteRefusedError(
            f"Windows does not start without {file.path}: it is {why}",
            location=file.location,
            hint="when it is to be deleted all the same: --force boot-file",
        )
        pass_gates([Gate(error, "boot-file")], self.disk.path, self._forced)

    def _refuse_namesakes(self, file: NtfsFile) -> None:
        """Refuse a file whose name differs from another one's in case alone: which is meant, Windows does not say."""
        volume = self.disk.volume
        folder, _, name = file.path.rpartition("\\")
        wanted = upcase(name)
        same = [entry.name for entry in volume.listdir(folder, verify=False) if upcase(entry.name) == wanted]
        if len(same) > 1:
            raise WriteRefusedError(
                f"in {folder or 'the root folder'} there are {' and '.join(sorted(same))}, which differ in case alone: "
                "Windows sees one of them, and which is not said",
                location=file.location,
                hint="delete or rename one of them in a system that tells such names apart, then try again",
            )

    def _replay(self, operation: ReplayLogs) -> None:
        if not operation.hive:
            count = self._writable().replay()
            what = f"{counted(count, 'entry', 'entries')} from its log"
            self.changes += [SemanticChange("log", "VHDX", what, "replayed")] if count else []
            return
        editor = self._hive(operation.hive)
        if editor.replay() and editor.replayed is not None:
            self.changes.append(SemanticChange("log", f"{operation.hive} hive", editor.replayed.logs, "replayed"))

    def _edit_side_car(self, fields: Sequence[SetPvpField]) -> None:
        from vdiskkit.patch.side_car import set_fields

        pair, pvp = self.disk.pair, self.disk.pvp
        if pair is None or pair.pvp_path is None:
            raise FileMissingError(
                "there is no .pvp side-car beside the disk",
                hint="copy it from the PVS server together with the disk",
            )
        if pvp is None:
            from vdiskkit.pvp import read_pvp

            pvp = read_pvp(pair.pvp_path)  # it is there: the error says what is wrong with it
        staged = self._stage(pair.pvp_path)
        changed = set_fields(staged, pvp, fields, now=self.now, force_mode="mode" in self._forced)
        self.changes += [SemanticChange("pvp", item.field, item.before, item.after) for item in changed]


class _Recorded:
    """Passes writes on and remembers their ranges."""

    def __init__(self, target: WritableSource, written: list[tuple[int, int]]) -> None:
        self._target = target
        self._written = written

    @property
    def size(self) -> int:
        return self._target.size

    @property
    def location(self) -> Location:
        return self._target.location

    def read_at(self, offset: int, length: int) -> bytes:
        return self._target.read_at(offset, length)

    def write_at(self, offset: int, data: bytes, phase: Phase) -> None:
        self._target.write_at(offset, data, phase)
        self._written.append((offset, len(data)))


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")
