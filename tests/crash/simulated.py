"""A file system in memory that forgets what was not flushed, tears writes, fails, and dies at a chosen call.

What a program sees is the volatile state. What a power cut leaves is the durable state and an arbitrary part of what
was not flushed: each 512-byte sector of a write arrives or not by itself, so writes are dropped, reordered and torn.
After a failed flush some of the data may never arrive although it reads back well, as Linux does it.

It has two personalities. ``WINDOWS``: nothing is renamed, replaced or removed while anybody has it open without
sharing that, names differ in more than case, paths have drives and backslashes, folders cannot be flushed; name changes
reach the disk in their order, all of them with the next flush of any file, a renaming at once. ``POSIX``: names and
open files know nothing of each other, and names are durable only after ``flush_folder``.
"""

from __future__ import annotations

import errno
import itertools
import ntpath
import posixpath
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import InUseError, SourceError
from vdiskkit.location import Location

if TYPE_CHECKING:
    import random

    from vdiskkit.io.paths import PathRules
    from vdiskkit.patch.files import OpenFile

SECTOR = 512


class Personality(NamedTuple):
    """The rules of an operating system.

    Attributes:
        name: What tests are called by.
        paths: How paths are written.
        open_names_stay: Whether the name of an open file can neither be changed nor removed.
        names_in_order: Whether changes of names reach the disk in their order, and with every flush of a file.
    """

    name: str
    paths: PathRules
    open_names_stay: bool
    names_in_order: bool


WINDOWS = Personality("windows", ntpath, open_names_stay=True, names_in_order=True)
POSIX = Personality("posix", posixpath, open_names_stay=False, names_in_order=False)
_personality: ContextVar[Personality] = ContextVar("personality", default=WINDOWS)


@contextmanager
def personality(rules: Personality) -> Iterator[None]:
    """Give every simulated file system that is made within the block these rules."""
    token = _personality.set(rules)
    try:
        yield
    finally:
        _personality.reset(token)


class WindowsError(PermissionError):
    """An error with a code of Windows, which says more than the number that Python makes of it."""

    def __init__(self, code: int, text: str, path: str) -> None:
        super().__init__(errno.EACCES, text, path)
        self.winerror = code


def sharing_violation(path: str) -> WindowsError:
    return WindowsError(32, "The process cannot access the file because it is being used by another process", path)


class PowerCut(BaseException):
    """The program ends here; nothing it does afterwards reaches the files."""


class File(NamedTuple):
    """What is on the disk: content and modification time."""

    content: bytes
    time: int = 0


class Call(NamedTuple):
    """One call that changes something, for choosing where a fault happens."""

    number: int
    name: str
    path: str
    grows: bool


Fault = Callable[[Call], BaseException | None]
"""Returns what happens instead of a call; ``PowerCut`` and ``VanishedError`` go on for ever."""


class VanishedError(OSError):
    """The share went away: this call and all later ones fail, until it is there again."""

    def __init__(self) -> None:
        super().__init__(errno.ENETDOWN, "Network is down")


def never(_call: Call) -> BaseException | None:
    return None


def at(number: int, make: Callable[[], BaseException] = PowerCut) -> Fault:
    """Let one call fail."""
    return lambda call: make() if call.number == number else None


class _Piece(NamedTuple):
    """A part of an unflushed change that arrives whole or not at all: bytes at an offset, or a new length."""

    offset: int
    data: bytes
    size: int | None


class _Sharing(NamedTuple):
    """What an open file lets others do meanwhile."""

    read: bool
    write: bool
    delete: bool


class _Node:
    def __init__(self, file: File) -> None:
        self.durable = bytearray(file.content)
        self.durable_time = file.time
        self.content = bytearray(file.content)
        self.time = file.time
        self.pending: list[_Piece] = []
        self.open: list[_Sharing] = []
        self.holes: set[int] = set()

    def sparse(self) -> None:
        """Let whole sectors of zeros take no space until they are written."""
        count = len(self.content) // SECTOR
        self.holes = {number for number in range(count) if not any(self.content[number * SECTOR :][:SECTOR])}

    def in_holes(self, offset: int, length: int) -> set[int]:
        return self.holes.intersection(range(offset // SECTOR, -(-(offset + length) // SECTOR)))

    def write(self, offset: int, data: bytes, time: int) -> None:
        _put(self.content, offset, data)
        self.holes -= self.in_holes(offset, len(data))
        self.time = time
        done = 0
        while done < len(data):
            part = data[done : done + SECTOR - (offset + done) % SECTOR]
            self.pending.append(_Piece(offset + done, part, None))
            done += len(part)

    def resize(self, size: int, time: int) -> None:
        _cut(self.content, size)
        self.time = time
        self.pending.append(_Piece(0, b"", size))

    def flush(self) -> None:
        self.durable[:] = self.after_power_cut(range(len(self.pending))).content
        self.durable_time = self.time
        self.pending.clear()

    def fail_flush(self, keep: Callable[[int], Iterable[int]]) -> None:
        """Bring some of the data to the disk, the rest never; lengths are metadata, which is tried again."""
        self.durable[:] = self.after_power_cut(keep(len(self.pending))).content
        self.pending = [piece for piece in self.pending if piece.size is not None]

    def after_power_cut(self, arrived: Iterable[int]) -> File:
        content = bytearray(self.durable)
        time = self.durable_time
        for number in sorted(arrived):
            piece = self.pending[number]
            time = self.time
            if piece.size is not None:
                _cut(content, piece.size)
            else:
                _put(content, piece.offset, piece.data)
        return File(bytes(content), time)


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _cut(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))


class _OpenFile:
    def __init__(self, system: SimulatedFileSystem, node: _Node, path: str, sharing: _Sharing) -> None:
        self._system = system
        self._node = node
        self._path = path
        self._sharing = sharing
        self._closed = False
        node.open.append(sharing)
        system.open_files += 1

    def read_at(self, offset: int, length: int) -> bytes:
        self._check("read")
        return bytes(self._node.content[offset : offset + length])

    def write_at(self, offset: int, data: bytes) -> None:
        grows = offset + len(data) > len(self._node.content) or bool(self._node.in_holes(offset, len(data)))
        error = self._check("write", grows=grows)
        if error is not None:
            # What was written before the error stays: the first half, in whole sectors.
            half = len(data) // 2 // SECTOR * SECTOR
            if half:
                self._node.write(offset, data[:half], self._system.tick())
            raise error
        self._node.write(offset, data, self._system.tick())

    def resize(self, size: int) -> None:
        error = self._check("resize", grows=size > len(self._node.content))
        if error is not None:
            raise error
        self._node.resize(size, self._system.tick())

    def size(self) -> int:
        self._check("read")
        return len(self._node.content)

    def is_hole(self, offset: int, length: int) -> bool:
        self._check("read")
        return len(self._node.in_holes(offset, length)) == -(-(offset + length) // SECTOR) - offset // SECTOR

    def flush(self) -> None:
        error = self._check("flush")
        if error is not None:
            self._node.fail_flush(self._system.keep_of_failed_flush)
            raise error
        self._node.flush()
        if self._system.rules.names_in_order:
            self._system.flush_names()

    def close(self) -> None:
        assert not self._closed, f"{self._path} is closed twice"
        self._closed = True
        if self._sharing in self._node.open:
            self._node.open.remove(self._sharing)
        self._system.open_files -= 1
        error = self._system.call("close", self._path, counted=False)
        if error is not None:
            raise error

    def _check(self, name: str, *, grows: bool = False) -> BaseException | None:
        assert not self._closed, f"{name} on {self._path} after it was closed"
        if name == "read":
            error = self._system.call(name, self._path, counted=False)
            if error is not None:
                raise error
            return None
        return self._system.call(name, self._path, grows=grows)


class _NameChange(NamedTuple):
    """An unflushed change of names in a folder; no new name: removed, no old one: created."""

    old: str | None
    new: str | None
    node: _Node


class SimulatedFileSystem:
    """See :class:`vdiskkit.patch.files.FileSystem`.

    Args:
        files: What is on the disk at first.
        fault: What goes wrong.
        time: The clock at first, later than every file's when None; each change moves it on.
        free: Free bytes that it tells.
        folders_last: Whether flushing a folder does anything; on some network file systems it does not.
        rules: The personality, None for the one that is set by :func:`personality`.
        keep_of_failed_flush: Chooses which of a number of pieces arrive although their flush fails.
        sparse: Whether sectors of zeros take no space yet, and writing there can find none; not on Windows.
    """

    def __init__(
        self,
        files: dict[str, File],
        fault: Fault = never,
        *,
        time: int | None = None,
        keep_of_failed_flush: Callable[[int], Iterable[int]] = lambda _count: (),
        free: int | None = None,
        folders_last: bool = True,
        rules: Personality | None = None,
        sparse: bool = False,
    ) -> None:
        self.rules = rules or _personality.get()
        self.paths = self.rules.paths
        self._spelled: dict[str, str] = {}
        self._nodes = {self._key(path, new=True): _Node(file) for path, file in files.items()}
        for node in self._nodes.values() if sparse and not self.rules.open_names_stay else ():
            node.sparse()
        self._durable_names = dict(self._nodes)
        self._name_changes: list[_NameChange] = []
        self._fault = fault
        self._free = free
        self._folders_last = folders_last and not self.rules.names_in_order
        self._ending: type[BaseException] | None = None
        self.keep_of_failed_flush = keep_of_failed_flush
        self.time = max((file.time for file in files.values()), default=0) + 100 if time is None else time
        self.calls: list[Call] = []
        self.open_files = 0

    # What a program calls

    def open(self, path: str, *, readers: bool = False) -> OpenFile:
        node = self._opened(path)
        if any(not (sharing.read and sharing.write) for sharing in node.open):
            raise InUseError("in use", location=Location(path))
        if self.rules.open_names_stay and node.open and not readers:
            raise InUseError("in use", location=Location(path))
        return _OpenFile(self, node, path, self._sharing(readers=readers))

    def read(self, path: str, limit: int) -> bytes:
        node = self._opened(path)
        if self.rules.open_names_stay and any(not sharing.read for sharing in node.open):
            raise SourceError("in use", location=Location(path))
        self._raise("read", path, counted=False)
        return bytes(node.content[:limit])

    def hold(self, path: str, *, read: bool, write: bool, delete: bool) -> OpenFile:
        """Open a file as another program does, letting others do these things."""
        return _OpenFile(self, self._find(path), path, _Sharing(read, write, delete))

    def _opened(self, path: str) -> _Node:
        error = self.call("open", path, counted=False)
        if error is not None:
            raise error if not isinstance(error, OSError) else SourceError(str(error), location=Location(path))
        node = self._nodes.get(self._key(path))
        if node is None:
            raise SourceError("no such file", location=Location(path))
        return node

    def _sharing(self, *, readers: bool) -> _Sharing:
        if not self.rules.open_names_stay:
            return _Sharing(read=True, write=False, delete=True)
        return _Sharing(read=readers, write=False, delete=False)

    def create(self, path: str) -> OpenFile:
        error = self.call("create", path, grows=True)
        if error is not None:
            raise error
        if self._key(path) in self._nodes:
            raise FileExistsError(errno.EEXIST, "File exists", path)
        node = _Node(File(b"", self.tick()))
        key = self._key(path, new=True)
        self._nodes[key] = node
        self._name_changes.append(_NameChange(None, key, node))
        return _OpenFile(self, node, path, self._sharing(readers=True))

    def exists(self, path: str) -> bool:
        error = self.call("exists", path, counted=False)
        if error is not None:
            raise error if not isinstance(error, OSError) else SourceError(str(error), location=Location(path))
        return self._key(path) in self._nodes

    def names(self, folder: str) -> list[str]:
        self._raise("names", folder, counted=False)
        wanted = self._key(self.paths.join(folder, "x"))[:-1]
        return [
            self.paths.basename(self._spelled[key])
            for key in self._nodes
            if key.startswith(wanted) and self.paths.basename(key) == key[len(wanted) :]
        ]

    def fits(self, path: str) -> bool:
        return len(self.paths.basename(path)) <= 255

    def stamp(self, path: str) -> tuple[int, int]:
        self._raise("stamp", path, counted=False)
        node = self._find(path)
        return len(node.content), node.time

    def rename(self, path: str, new_path: str) -> None:
        self._raise("rename", path)
        node = self._released(path)
        key, new_key = self._key(path), self._key(new_path)
        if new_key in self._nodes and self.rules.open_names_stay:
            raise FileExistsError(errno.EEXIST, "Cannot create a file when that file already exists", path)
        del self._nodes[key]
        self._nodes[self._key(new_path, new=True)] = node
        self._name_changes.append(_NameChange(key, new_key, node))
        if self.rules.names_in_order:
            self.flush_names()

    def remove(self, path: str) -> None:
        self._raise("remove", path)
        node = self._released(path)
        del self._nodes[self._key(path)]
        self._name_changes.append(_NameChange(self._key(path), None, node))

    def _released(self, path: str) -> _Node:
        """Return what has a name, if that may go."""
        node = self._find(path)
        if self.rules.open_names_stay and any(not sharing.delete for sharing in node.open):
            raise sharing_violation(path)
        return node

    def flush_folder(self, path: str) -> None:
        self._raise("flush_folder", path)
        if self._folders_last:
            self.flush_names()

    def flush_names(self) -> None:
        """Bring all names to the disk."""
        self._durable_names = dict(self._nodes)
        self._name_changes.clear()

    def free_space(self, path: str) -> int | None:
        self._raise("free_space", path, counted=False)
        return self._free

    # How faults come in

    def call(self, name: str, path: str, *, counted: bool = True, grows: bool = False) -> BaseException | None:
        """Return what happens instead of the call."""
        if self._ending is not None:
            return self._ending()
        if not counted:
            return None
        call = Call(len(self.calls), name, self._shown(path), grows)
        self.calls.append(call)
        error = self._fault(call)
        if isinstance(error, PowerCut):
            self._ending = PowerCut
            raise error
        if isinstance(error, VanishedError):
            self._ending = VanishedError
        return error

    def _raise(self, name: str, path: str, *, counted: bool = True) -> None:
        error = self.call(name, path, counted=counted)
        if error is not None:
            raise error

    def _find(self, path: str) -> _Node:
        node = self._nodes.get(self._key(path))
        if node is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return node

    def _key(self, path: str, *, new: bool = False) -> str:
        """Return what is the same for all spellings of a path; ``new`` remembers this one."""
        key = path
        if self.rules is WINDOWS:
            key = ntpath.normcase(ntpath.normpath(ntpath.join("D:\\", path)))
        if new:
            self._spelled[key] = path
        return key

    def _shown(self, path: str) -> str:
        """Return the spelling by which tests know a file."""
        return self._key(path).removeprefix("d:\\").replace("\\", "/") if self.rules is WINDOWS else path

    def tick(self) -> int:
        """Move the clock on."""
        self.time += 1
        return self.time

    def heal(self) -> None:
        """Let nothing go wrong any more: the share is back, there is space again. The program's locks are gone."""
        self._fault = never
        self._ending = None
        self.calls.clear()
        self.open_files = 0
        for node in self._all_nodes():
            node.open.clear()

    # What is there afterwards

    def files(self) -> dict[str, File]:
        """What programs see."""
        return {self._shown(key): File(bytes(node.content), node.time) for key, node in self._nodes.items()}

    def unflushed(self) -> int:
        """How many pieces may or may not have arrived."""
        return len(self._name_changes) + sum(len(node.pending) for node in self._all_nodes())

    def after_power_cut(self, arrived: Iterable[int]) -> dict[str, File]:
        """What is on the disk when of all pieces these arrived (numbers below :meth:`unflushed`)."""
        chosen = set(arrived)
        names = dict(self._durable_names)
        count = len(self._name_changes)
        if self.rules.names_in_order:  # the last of those that arrived brought all before it
            of_names = list(range(max((number + 1 for number in chosen if number < count), default=0)))
        else:
            of_names = [number for number in range(count) if number in chosen]
        for change in (self._name_changes[number] for number in of_names):
            if change.old is not None and names.get(change.old) is change.node:
                del names[change.old]
            if change.new is not None:
                names[change.new] = change.node
        position = len(self._name_changes)
        on_disk: dict[int, File] = {}
        for node in self._all_nodes():
            pieces = range(position, position + len(node.pending))
            on_disk[id(node)] = node.after_power_cut(number - position for number in pieces if number in chosen)
            position = pieces.stop
        return {self._shown(key): on_disk[id(node)] for key, node in names.items()}

    def _all_nodes(self) -> list[_Node]:
        changed = (change.node for change in self._name_changes)
        nodes = {id(node): node for node in (*self._durable_names.values(), *self._nodes.values(), *changed)}
        return list(nodes.values())

    def power_cuts(self, choose: random.Random, *, exhaustive: int = 6, samples: int = 8) -> Iterator[dict[str, File]]:
        """Yield what may be on the disk after a power cut now: every case when there are few, else a choice.

        Args:
            choose: Source of the choice.
            exhaustive: Up to this many unflushed pieces, all subsets.
            samples: Beyond that, this many random subsets; none and all arrived are always among the cases.
        """
        count = self.unflushed()
        if count <= exhaustive:
            for size in range(count + 1):
                for arrived in itertools.combinations(range(count), size):
                    yield self.after_power_cut(arrived)
            return
        yield self.after_power_cut(())
        yield self.after_power_cut(range(count))
        # Torn: everything up to some piece arrived, as when writes are done in order.
        for end in {choose.randrange(count) for _ in range(samples // 2)}:
            yield self.after_power_cut(range(end))
        for _ in range(samples - samples // 2):
            share = choose.random()
            yield self.after_power_cut(number for number in range(count) if choose.random() < share)
