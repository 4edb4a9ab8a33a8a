"""From a disk file down to its base, as far as it goes: nothing that is wrong on the way hides what was found before.

The parent of each file is looked for as :mod:`vdiskkit.container.chain` does it for reading, by the same search.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vdiskkit.chain.facts import BreakKind
from vdiskkit.container.chain import Attempt, ParentSearch
from vdiskkit.container.detect import Probe, choose_format
from vdiskkit.container.link_headers import LinkHeaders
from vdiskkit.container.parents import ParentFinder
from vdiskkit.container.raw import RawDisk
from vdiskkit.container.single import open_single
from vdiskkit.errors import ChainError, FormatError, UnsupportedFeatureError, VDiskError
from vdiskkit.io import GuardedSource, ReadBudget
from vdiskkit.io.paths import open_source
from vdiskkit.pending import old_state

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from vdiskkit.container.disk import ParentLink, VirtualDisk
    from vdiskkit.io import ByteSource, FileSource

__all__ = ["Break", "ChainWalk", "WalkedFile"]

_MIB = 1024 * 1024
_FILE_BYTES = 1024 * _MIB
"""What the structures of one file can take: tables of 64 MiB and a log of 256 MiB, both read more than once."""
_FILE_CALLS = 1_000_000
_MAX_FILES = 512
"""A chain that is longer is no chain of versions; PVS warns long before."""


class Break:
    """Why the walk ended before a base."""

    __slots__ = ("error", "file", "kind")

    def __init__(self, kind: BreakKind, file: str, error: VDiskError) -> None:
        self.kind = kind
        self.file = file
        self.error = error


class WalkedFile:
    """One file of the chain and how its parent was looked for.

    Attributes:
        path: The file.
        probe: Its head and tail.
        disk: The opened disk, None when it cannot be opened.
        headers: What is known of it when it cannot.
        error: Why it cannot.
        interrupted: What to tell about a pending change.
        link: What it says about its parent.
        search: The search for the parent, None when there was none.
    """

    def __init__(self, path: str, probe: Probe, interrupted: str | None) -> None:
        self.path = path
        self.probe = probe
        self.interrupted = interrupted
        self.disk: VirtualDisk | None = None
        self.headers: LinkHeaders | None = None
        self.error: FormatError | None = None
        self.link: ParentLink | None = None
        self.search: ParentSearch | None = None

    @property
    def unique_id(self) -> str | None:
        """Its own id, None where it has none."""
        if self.disk is not None:
            return self.disk.unique_id or None
        return self.headers.unique_id if self.headers is not None else None

    @property
    def attempts(self) -> Sequence[Attempt]:
        """What came of each candidate for the parent."""
        return self.search.attempts if self.search is not None else ()


class ChainWalk:
    """The walk; use it in a ``with`` statement, which closes the files.

    Args:
        path: The disk file to begin with.
        format: What it is; None lets its content decide.
        parent_dirs: Folders to look for parents in besides each child's own.
        follow_parent_paths: Whether local paths stored in the files are used.

    Raises:
        SourceError: The file cannot be opened.
        UnknownFormatError: It is no disk.

    Attributes:
        files: The files that were found, the named one first.
        ended: Why the chain is not whole, None when it is.
    """

    def __init__(
        self,
        path: str,
        *,
        format: str | None,  # noqa: A002 - the name users expect
        parent_dirs: Sequence[str],
        follow_parent_paths: bool,
    ) -> None:
        self.files: list[WalkedFile] = []
        self.ended: Break | None = None
        self.finder = ParentFinder(parent_dirs, follow_paths=follow_parent_paths)
        self._format = format
        self._budget = ReadBudget(0, 0)
        self._opened: list[FileSource] = []
        self._interrupted: dict[int, str] = {}
        try:
            self._walk(path)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for source in self._opened:
            source.close()

    def own(self, source: ByteSource) -> None:
        """Close ``source`` later: all of them are closed by :meth:`close`."""

    def disown(self, source: ByteSource) -> None:
        """Forget ``source``; see :meth:`own`."""
        self._interrupted.pop(id(source), None)

    def _open(self, path: str) -> ByteSource:
        file = open_source(path, steady=True)
        self._opened.append(file)
        self._budget.grant(_FILE_BYTES, _FILE_CALLS)
        state = old_state(path, file)
        source = GuardedSource(state.source, self._budget)
        if state.notices:
            self._interrupted[id(source)] = state.notices[0]
        return source

    def _walk(self, path: str) -> None:
        current: WalkedFile | None = self._first(path)
        while current is not None:
            self.files.append(current)
            current = self._next(current)

    def _first(self, path: str) -> WalkedFile:
        source = self._open(path)
        probe = Probe.of(source)
        kind = choose_format(probe, path, self._format)
        found = self._walked(probe, path)
        try:
            found.disk = RawDisk(probe, path) if kind == "raw" else open_single(probe, path)
        except FormatError as exc:
            self._damaged(found, exc)
        return found

    def _walked(self, probe: Probe, path: str) -> WalkedFile:
        return WalkedFile(path, probe, self._interrupted.get(id(probe.source)))

    def _damaged(self, found: WalkedFile, error: FormatError) -> None:
        found.error = error
        found.headers = LinkHeaders(found.probe, found.path)
        unsupported = isinstance(error, UnsupportedFeatureError)
        self._end(BreakKind.UNSUPPORTED if unsupported else BreakKind.UNREADABLE, found, error)

    def _next(self, child: WalkedFile) -> WalkedFile | None:
        """Find the parent of a file; None at the base and where the walk ends."""
        who = child.disk if child.disk is not None else child.headers
        try:
            child.link = who.read_parent_link() if who is not None else None
        except FormatError as exc:
            self._end(BreakKind.UNREADABLE, child, exc)
            return None
        if child.link is None or who is None:
            return None
        loop = next((item for item in self.files if item.unique_id == child.link.unique_id), None)
        if loop is not None:
            self._end(BreakKind.LOOP, child, _loop_error(child, loop))
            return None
        if len(self.files) >= _MAX_FILES:
            text = f"the chain has more than {_MAX_FILES} files: it was not followed further"
            self._end(BreakKind.TOO_LONG, child, ChainError(text, location=child.probe.location))
            return None
        child.search = search = ParentSearch(who, child.link, self.finder, self._open, self, glance=False)
        error: FormatError | None = None
        disk: VirtualDisk | None = None
        try:
            disk = search.run()
        except ChainError as exc:
            self._end(_kind_of(search), child, exc)
            return None
        except FormatError as exc:
            if search.taken is None:
                raise
            error = exc
        if search.taken is None:  # pragma: no cover - a search that ends without an error has taken a file
            return None
        found = self._walked(*search.taken)
        found.disk = disk
        if error is not None:
            self._damaged(found, error)
        if any(item.unique_id == found.unique_id is not None for item in self.files):
            # By one of the other ids that a VHDX may name.
            self._end(BreakKind.LOOP, child, _loop_error(child, None))
            return None
        return found

    def _end(self, kind: BreakKind, child: WalkedFile, error: VDiskError) -> None:
        # The first thing that is wrong is the one that stops a reader.
        if self.ended is None:
            self.ended = Break(kind, child.path, error)


def _kind_of(search: ParentSearch) -> BreakKind:
    if search.mismatched:
        return BreakKind.WRONG_ID
    if search.mixed:
        return BreakKind.MIXED
    if any(not attempt.absent for attempt in search.attempts):
        return BreakKind.UNREADABLE
    return BreakKind.MISSING


def _loop_error(child: WalkedFile, loop: WalkedFile | None) -> ChainError:
    where = child.probe.location
    if loop is child and child.link is not None:
        return ChainError(
            f"the differencing disk names itself as its parent (id {child.link.unique_id})", location=where
        )
    name = f": its parent would be {os.path.basename(loop.path)} again" if loop is not None else ""  # noqa: PTH119 - a path stays the text it was given as
    return ChainError(f"the chain of parents is a loop{name}", location=where)
