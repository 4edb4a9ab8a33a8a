"""Verification by fresh readers, ours and the dissect libraries: the result is what was asked for, and sound.

Before anything is written, the staged state is read through the overlay; after writing, the files themselves. The
dissect readers are another implementation by other people, so that writer and judge do not share their mistakes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from vdiskkit.errors import VDiskError, VerifyFailedError
from vdiskkit.io import GuardedSource, ReadBudget, SourceFile
from vdiskkit.journal import digest
from vdiskkit.location import Location
from vdiskkit.patch.expected import expected_state
from vdiskkit.patch.ntfs.check import check_touched as check_volume_touched
from vdiskkit.patch.ntfs.check import check_volume
from vdiskkit.patch.registry.changes import Touched
from vdiskkit.patch.registry.check import check_hive
from vdiskkit.patch.registry.check import check_touched as check_hive_touched
from vdiskkit.registry.upcase import upcase
from vdiskkit.text import counted
from vdiskkit.vdisk import VDisk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vdiskkit.container import VirtualDisk
    from vdiskkit.container.vhdx.disk import VhdxDisk
    from vdiskkit.io import ByteSource
    from vdiskkit.patch.expected import ExpectedKey, ExpectedState
    from vdiskkit.patch.files import OpenFile
    from vdiskkit.patch.operations import Operation
    from vdiskkit.patch.registry.check import HiveProblem
    from vdiskkit.patch.registry.replay import ReplayedHive
    from vdiskkit.patch.stage import Stage
    from vdiskkit.registry import Hive, RegistryKey

__all__ = ["Expectation", "expect", "verify_applied", "verify_staged"]

_BYTES = 1024 * 1024 * 1024
_CALLS = 4_000_000
"""What a foreign reader may read: no healthy image needs that much, except for long lists."""
_CALLS_EACH = 16
"""What it may read besides for each value and each subkey of a key that it is asked about."""
_LOOKED_UP = 8
"""So many keys below one key it looks up by name."""


class Expectation(NamedTuple):
    """What the written files must show.

    Attributes:
        path: The disk.
        format: Container format.
        disk: Whether anything was written to the disk's file.
        volume: Partition number, None when there is none that can be read.
        parent_dirs: Folders in which parents are looked for.
        state: Values, keys and files that must be there or not.
        ranges: Ranges of the virtual disk: offset, length, digest of their content.
    """

    path: str
    format: str
    disk: bool
    volume: int | None
    parent_dirs: tuple[str, ...]
    state: ExpectedState
    ranges: tuple[tuple[int, int, bytes], ...]


def verify_staged(disk: VDisk, stage: Stage, operations: Sequence[Operation], *, full: bool) -> None:
    """Check the staged state.

    Args:
        disk: The disk as it is.
        stage: The staged operations.
        operations: What was asked for.
        full: Walk whole hives and the whole volume, not only what was touched.

    Raises:
        VerifyFailedError: It is not what was asked for, or not sound.
    """
    staged = stage.staged
    if staged is None:
        return
    number = disk.selected.partition if disk.selected is not None else None
    state = expected_state(operations, disk.windows_image())
    try:
        with VDisk(
            staged,
            target=disk.target,
            path=disk.path,
            format=disk.container.format,
            volume=number,
            parent_dirs=disk.parent_dirs,
            follow_parent_paths=disk.follow_parent_paths,
        ) as fresh:
            _check_container(fresh.container)
            if stage.volume_editor is None:
                _check_log_replayed(disk.container, fresh.container)
            else:
                _check_state(fresh, state)
                _second_opinion(fresh, state)
                _check_structures(disk, fresh, stage, full=full)
    except VerifyFailedError:
        raise
    except VDiskError as exc:
        raise VerifyFailedError(
            f"the staged change cannot be read back: {exc.message}; nothing was written",
            location=exc.location,
            hint="this is a fault of vdiskkit or an odd image; please report it with the output of -vv",
        ) from exc


def _check_structures(disk: VDisk, fresh: VDisk, stage: Stage, *, full: bool) -> None:
    """Hold the structures against their rules; damage that was there before the change is not its fault."""
    for name, editor in stage.hives.items():
        old, new = disk.windows.registry(name), fresh.windows.registry(name)
        touched = editor.touched
        if editor.replayed is not None and touched.bins:
            _check_replay(editor.replayed, new)
        after = check_hive(new.source) if full else check_hive_touched(new.source, touched)
        severe = [problem for problem in after if problem.severe]
        if not severe:
            continue
        before = check_hive(old.source) if full else check_hive_touched(old.source, _in_old(touched, old))
        added = _new_problems(severe, before)
        if added:
            raise _unsound(f"the {name} hive", added[0].message, added[0].location)
        where = f", the first at {severe[0].location}: {severe[0].message}"
        stage.notes.append(
            f"the {name} hive was damaged before ({counted(len(severe), 'fault')}{where}); this change mends none of it"
        )
    if stage.volume_editor is not None:
        volume, changed_volume = disk.volume.source, fresh.volume.source
        changed = stage.volume_editor.touched
        if full:
            old_faults = {(fault.code, fault.message) for fault in check_volume(volume)}
            faults = [f for f in check_volume(changed_volume) if (f.code, f.message) not in old_faults]
        else:
            faults = check_volume_touched(changed_volume, changed, before=volume)
        for fault in faults:
            raise _unsound("the volume", fault.message, fault.location)


def _check_replay(replayed: ReplayedHive, new: Hive) -> None:
    """What the logs made of the hive is in its file, wherever the edit did not make something else of it."""
    for offset, data in replayed.unedited():
        if new.source.read_at(offset, len(data)) != data:
            where = new.location.at("hive", offset)
            raise _unsound(f"the {new.name} hive", "not all that its logs hold is in it", where)


def _new_problems(after: Sequence[HiveProblem], before: Sequence[HiveProblem]) -> list[HiveProblem]:
    """The problems that were not there before, by kind and place; by kind and words where no place is known.

    Words alone do not tell: a list that has grown says another number of the same fault.
    """
    words = {(problem.code, problem.message) for problem in before}
    places = {(problem.code, str(problem.location)) for problem in before if not problem.in_general}
    return [
        problem
        for problem in after
        if (problem.code, problem.message) not in words
        and (problem.in_general or (problem.code, str(problem.location)) not in places)
    ]


def _in_old(touched: Touched, old: Hive) -> Touched:
    """What of it was there before the change: new bins and new keys are nowhere in the old hive."""
    return Touched(
        keys=tuple(path for path in touched.keys if old.find(path) is not None),
        lists=tuple(path for path in touched.lists if old.find(path) is not None),
        bins=tuple(start for start in touched.bins if start < old.base_block.hive_bins_size),
    )


def _unsound(what: str, why: str, location: Location | None) -> VerifyFailedError:
    return VerifyFailedError(
        f"{what} would not be sound after the change: {why}; nothing was written",
        location=location,
        hint="this is a fault of vdiskkit or an odd image; please report it with the output of -vv",
    )


def expect(disk: VDisk, stage: Stage, operations: Sequence[Operation]) -> Expectation:
    """Note what the written files must show; the stage may be closed afterwards."""
    ranges = []
    if stage.writable is not None:
        for offset, length in sorted(set(stage.written)):
            ranges.append((offset, length, digest(stage.writable.read_at(offset, length))))
    return Expectation(
        disk.path or "",
        disk.container.format,
        stage.writable is not None,
        disk.selected.partition if stage.writable is not None and disk.selected is not None else None,
        disk.parent_dirs,
        expected_state(operations, disk.windows_image() if stage.writable is not None else None),
        tuple(ranges),
    )


def verify_applied(expected: Expectation, files: Sequence[OpenFile]) -> None:
    """Check the written files.

    Args:
        expected: What they must show.
        files: The files, the disk first.

    Raises:
        VerifyFailedError: They show something else.
    """
    if not expected.disk:
        return
    source = _FileView(files[0], Location(expected.path))
    try:
        with VDisk(
            source,
            target=expected.path,
            path=expected.path,
            format=expected.format,
            volume=expected.volume,
            parent_dirs=expected.parent_dirs,
        ) as fresh:
            for offset, length, wanted in expected.ranges:
                if digest(fresh.container.read_at(offset, length)) != wanted:
                    raise _wrong(f"the virtual disk at {offset:#x}", fresh.container.location)
            _check_state(fresh, expected.state)
            _check_container(fresh.container)
            if fresh.container.format != "raw" and fresh.container.subformat != "differencing":
                _check_with_dissect_hypervisor(source, fresh.container, expected)
    except VerifyFailedError:
        raise
    except VDiskError as exc:
        raise VerifyFailedError(f"the changed disk cannot be read back: {exc.message}", location=exc.location) from exc


def _check_state(disk: VDisk, state: ExpectedState) -> None:
    for hive, root in state.hives.items():
        todo: list[tuple[str, ExpectedKey, RegistryKey | None]] = [(hive, root, disk.windows.registry(hive).root)]
        while todo:
            path, wanted, key = todo.pop()
            if wanted.exists is not None and wanted.exists != (key is not None):
                raise _wrong(f"the key {path}", disk.container.location)
            _check_values(path, wanted, key, disk.container.location)
            todo += [
                (f"{path}\\{child.name}", child, key.subkey(child.name) if key is not None else None)
                for child in wanted.children.values()
            ]
    for name in state.deleted_files:
        if disk.volume.find(name, follow=False) is not None:
            raise _wrong(f"the file {name}", disk.container.location)


def _check_values(path: str, wanted: ExpectedKey, key: RegistryKey | None, location: Location) -> None:
    """Hold the values of one key against what was asked, in one pass over its list."""
    left = dict(wanted.values)
    for value in key.values() if key is not None and left else ():
        asked = left.pop(upcase(value.name), None)
        if asked is not None and (asked.type, asked.data) != (value.type, value.raw):
            raise _wrong(f"the value {asked.name!r} of {path}", location)
        if not left:
            break
    for asked in left.values():
        if asked.type is not None:
            raise _wrong(f"the value {asked.name!r} of {path}", location)


def _second_opinion(disk: VDisk, state: ExpectedState) -> None:
    """Ask dissect.regf for every value whose path it can look up (it knows ASCII names only)."""
    from vdiskkit.registry.dissect_view import hive_for_dissect

    for hive, root in state.hives.items():
        own = disk.windows.registry(hive)
        budget = ReadBudget(_BYTES + own.source.size, _CALLS)
        try:
            todo = [(hive, root, own.root, hive_for_dissect(_bounded(own, budget)).root())]
            while todo:
                path, wanted, key, foreign = todo.pop()
                # Of a list it reads every element, several times.
                budget.grant(0, _CALLS_EACH * (key.value_count + key.subkey_count))
                _ask_values(path, wanted, foreign, disk.container.location)
                for child, node in _asked_below(wanted, foreign):
                    below = key.subkey(child.name)
                    if below is not None:
                        todo.append((f"{path}\\{child.name}", child, below, node))
        except VerifyFailedError:
            raise
        except Exception as exc:  # a foreign reader raises anything; here every trouble means "not as asked"
            raise _wrong(f"the second reader's view of {path} ({exc})", disk.container.location) from exc


def _ask_values(path: str, wanted: ExpectedKey, foreign: Any, location: Location) -> None:  # noqa: ANN401 - untyped
    left = {
        name.casefold(): (asked.name, asked.type, asked.data)
        for name, asked in wanted.values.items()
        if asked.type is not None and name.isascii()
    }
    for value in foreign.values() if left else ():
        for name in {value.name.casefold(), "" if value.name == "(Default)" else value.name.casefold()}:
            if name in left and left[name][1:] == (value.type, value.data):
                del left[name]
    for name, _, _ in left.values():
        raise _wrong(f"the second reader's view of the value {name!r} of {path}", location)


def _asked_below(wanted: ExpectedKey, foreign: Any) -> Iterator[tuple[ExpectedKey, Any]]:  # noqa: ANN401 - untyped
    """Yield the keys below a key in which values are asked for, with the second reader's view of each."""
    asked = {name: key for name, key in wanted.children.items() if name.isascii() and key.written}
    if len(asked) <= _LOOKED_UP:
        for key in asked.values():
            yield key, foreign.subkey(key.name)
        return
    # It goes through the list for each look-up, so where there are many one pass is made over all.
    for node in foreign.subkeys():
        found = asked.pop(upcase(node.name), None)
        if found is not None:
            yield found, node
    for key in asked.values():
        foreign.subkey(key.name)


def _check_container(disk: VirtualDisk) -> None:
    """A file that was written to is closed as a whole: both headers of a VHDX count, and no log is pending."""
    for notice in disk.own_notices:
        if notice.code in ("vhdx.header_damaged", "vhdx.log_replayed"):
            raise VerifyFailedError(f"the changed disk is not sound: {notice.message}", location=notice.location)


def _check_log_replayed(old: VirtualDisk, new: VirtualDisk) -> None:
    """Where nothing else is changed, the disk shows through its file what it showed through the log."""
    if old.format != "vhdx":
        return
    before, after = cast("VhdxDisk", old), cast("VhdxDisk", new)
    pages = before.log.pages if before.log is not None else {}
    same = before.size == after.size and bytes(before.block_states) == bytes(after.block_states)
    same = same and all(before.block_offset(n) == after.block_offset(n) for n in range(len(before.block_states)))
    if not same or any(after.file.read_at(offset, len(page)) != page for offset, page in pages.items()):
        raise _unsound("the VHDX", "not all that its log holds is in it", new.location)


def _check_with_dissect_hypervisor(source: ByteSource, disk: VirtualDisk, expected: Expectation) -> None:
    from vdiskkit.container.dissect_view import read_with_dissect

    at = 0
    try:
        read = read_with_dissect(source, disk, ReadBudget(_BYTES, _CALLS))
        for offset, length, wanted in expected.ranges:
            at = offset
            if read is not None:
                _compare(read, offset, length, wanted, source.location)
    except (OSError, VerifyFailedError):
        raise
    except Exception as exc:  # a foreign reader raises anything; here every trouble means "not as asked"
        why = str(exc) or type(exc).__name__
        raise _wrong(f"the second reader's view of the virtual disk at {at:#x} ({why})", source.location) from exc


def _compare(read: Callable[[int, int], bytes], offset: int, length: int, wanted: bytes, location: Location) -> None:
    if digest(read(offset, length)) != wanted:
        raise _wrong(f"the second reader's view of the virtual disk at {offset:#x}", location)


def _bounded(hive: Hive, budget: ReadBudget) -> BinaryIO:
    return cast("BinaryIO", SourceFile(GuardedSource(hive.source, budget)))


def _wrong(what: str, location: Location) -> VerifyFailedError:
    return VerifyFailedError(f"verification failed: {what} is not as asked for", location=location)


class _FileView:
    """A file that is open for changing, as a byte source."""

    def __init__(self, file: OpenFile, location: Location) -> None:
        self._file = file
        self._location = location
        self._size = file.size()

    @property
    def size(self) -> int:
        return self._size

    @property
    def location(self) -> Location:
        return self._location

    def read_at(self, offset: int, length: int) -> bytes:
        from vdiskkit.io.source import check_range

        check_range(self, offset, length)
        return self._file.read_at(offset, length)
