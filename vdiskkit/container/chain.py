"""From a differencing disk down to its base: each parent found, its id checked, loops refused."""

from __future__ import annotations

import ntpath
import os
from typing import TYPE_CHECKING, NamedTuple, Protocol

from vdiskkit.container.detect import Probe
from vdiskkit.container.identity import read_own_id
from vdiskkit.container.parents import NO_FILE, ParentFinder
from vdiskkit.container.single import open_single
from vdiskkit.errors import (
    ChainError,
    FormatError,
    ParentMismatchError,
    ParentNotFoundError,
    SourceError,
    UsageError,
)
from vdiskkit.io.paths import host_path
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vdiskkit.container.disk import ParentLink, VirtualDisk
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["Attempt", "Child", "Owner", "ParentSearch", "attach_parents"]

_SHOWN = 8
"""Candidates named in one message."""
_EPOCH_2000 = 946_684_800
_TIME_TOLERANCE = 2
"""Seconds; file systems round times, FAT to two seconds."""


def attach_parents(
    disk: VirtualDisk,
    *,
    parent_dirs: Sequence[str],
    follow_parent_paths: bool,
    open_source: Callable[[str], ByteSource],
) -> None:
    """Find and open the parents of ``disk``, down to the base. Their files are closed together with ``disk``.

    Args:
        disk: An open disk of any kind.
        parent_dirs: Folders to look in after the child's own.
        follow_parent_paths: Whether local paths stored in the files are used.
        open_source: Opens a parent's file.

    Raises:
        ChainError: A parent is missing, is another one, is of another format, or the chain loops.
        FormatError: A parent's file contradicts itself.
        SourceError: The operating system could not read.
    """
    finder = ParentFinder(parent_dirs, follow_paths=follow_parent_paths)
    seen = {disk.unique_id: disk}
    child = disk
    while (link := child.read_parent_link()) is not None:
        if link.unique_id == child.unique_id:
            raise ChainError(
                f"the differencing disk names itself as its parent (id {link.unique_id})", location=child.location
            )
        if link.unique_id in seen:
            names = " -> ".join(displayable(item.path or "?") for item in (*seen.values(), seen[link.unique_id]))
            raise ChainError(f"the chain of parents is a loop: {names}", location=child.location)
        search = ParentSearch(child, link, finder, open_source, owner=disk)
        parent = search.run()
        child.parent_link = link._replace(tried=search.tried)
        if search.time_problem:
            child.notice("vhd.parent_time", search.time_problem, child.location)
        if parent.unique_id in seen:
            # By one of the other ids that a VHDX may name.
            raise ChainError("the chain of parents is a loop", location=child.location)
        seen[parent.unique_id] = parent
        child.parent = parent
        child = parent


class Child(Protocol):
    """What the search for a parent needs of the child."""

    @property
    def path(self) -> str | None:
        """The child's file."""
        ...

    @property
    def format(self) -> str:
        """``vhd`` or ``vhdx``."""
        ...

    @property
    def location(self) -> Location:
        """Its address."""
        ...


class Owner(Protocol):
    """Who closes the files that the search opens."""

    def own(self, source: ByteSource) -> None:
        """Close ``source`` later."""

    def disown(self, source: ByteSource) -> None:
        """Close ``source`` now."""


class Attempt(NamedTuple):
    """One file that was looked at or for.

    Attributes:
        path: The file.
        problem: Why it was not taken; empty for the one that was.
        absent: Whether there is no such file.
    """

    path: str
    problem: str
    absent: bool


class ParentSearch:
    """The search for one disk's parent and what came of each candidate.

    Args:
        child: Whose parent is looked for.
        link: What the child says about it.
        finder: Lists the candidates.
        open_source: Opens one.
        owner: Closes what was opened.
        glance: Leave out what does not change how the parent is read; see :meth:`VirtualDisk.check_rest`.

    Attributes:
        attempts: What came of each candidate, in order.
        taken: Probe and path of the file that is the parent, also when it then turned out to be damaged.
        mismatched: Whether a candidate has another id.
        mixed: Whether a candidate is of the other format.
        time_matches: Whether the parent's time is the recorded one; None when that cannot be told.
        time_problem: What to tell when it is not; empty otherwise.
    """

    def __init__(
        self,
        child: Child,
        link: ParentLink,
        finder: ParentFinder,
        open_source: Callable[[str], ByteSource],
        owner: Owner,
        *,
        glance: bool = True,
    ) -> None:
        self._glance = glance
        self._child = child
        self._link = link
        self._finder = finder
        self._open_source = open_source
        self._owner = owner
        self.attempts: list[Attempt] = []
        self.taken: tuple[Probe, str] | None = None
        self.mismatched = False
        self.mixed = False
        self.time_matches: bool | None = None
        self.time_problem = ""

    @property
    def tried(self) -> tuple[str, ...]:
        """The files that were looked at or for."""
        return tuple(attempt.path for attempt in self.attempts)

    def run(self) -> VirtualDisk:
        """Find the parent and open it.

        Raises:
            ChainError: No candidate is the parent.
            FormatError: The parent's file contradicts itself; ``taken`` says which it is.
            SourceError: The operating system could not read.
        """
        for path, problem in self._finder.candidates(self._child.path, self._link.name, self._link.locators):
            found = problem or self._try(path)
            if isinstance(found, str):
                self.attempts.append(Attempt(path, found, problem == NO_FILE))
                continue
            self.attempts.append(Attempt(path, "", absent=False))
            self.taken = found, path
            # From here on the file is the parent: what is wrong with it is told as it is.
            parent = open_single(found, path, as_parent=self._glance)
            self._compare_time(path, parent.created)
            return parent
        raise self._not_found()

    def _try(self, path: str) -> Probe | str:
        """Open a candidate; the reason when it is not the parent."""
        try:
            source = self._open_source(path)
        except (SourceError, UsageError) as exc:
            return exc.message
        self._owner.own(source)
        probe = Probe.of(source)
        reason = self._refusal(probe)
        if reason:
            self._owner.disown(source)
            return reason
        return probe

    def _refusal(self, probe: Probe) -> str:
        """Return why a candidate is not the parent, nothing when it is."""
        wanted = self._child.format.upper()
        found = "VHDX" if probe.is_vhdx else "VHD" if probe.is_vhd else None
        if found is None:
            return f"it is no {wanted}"
        if found != wanted:
            self.mixed = True
            return f"it is a {found}, which cannot be the parent of a {wanted}"
        try:
            unique_id = read_own_id(probe)
        except FormatError as exc:
            return exc.message
        if unique_id not in (self._link.unique_id, *self._link.other_ids):
            self.mismatched = True
            return f"its id is {unique_id}"
        return ""

    def _compare_time(self, path: str, created: int) -> None:
        """Tell when the parent's time is not the recorded one; copies that do not keep times are common.

        Windows records the time of the parent's file, some tools record the one in the parent's footer.
        """
        recorded = self._link.timestamp
        if not recorded:
            return
        try:
            modified = os.stat(host_path(path).opened).st_mtime - _EPOCH_2000  # noqa: PTH116 - the path stays the text it was found as
        except (OSError, ValueError, UsageError):
            return
        self.time_matches = recorded == created or abs(modified - recorded) <= _TIME_TOLERANCE
        if not self.time_matches:
            self.time_problem = (
                f"the parent's file time is {_time_text(modified)}, but {_time_text(recorded)} was recorded when "
                "this file was made: it was copied without keeping its time, or changed afterwards"
            )

    def _not_found(self) -> ChainError:
        link, where = self._link, self._child.location
        wanted = f"the parent of this differencing disk ({_names(link)}id {link.unique_id})"
        hint = "put the whole chain into one folder, or name the folder of the parent with --parent-dir"
        refused = [item for item in self.attempts if not item.absent]
        details = _listed([f"{displayable(item.path)}: {displayable(item.problem)}" for item in refused], "; ")
        if self.mismatched:
            return ParentMismatchError(
                f"{wanted} was not found; no candidate is the one it was made from: {details}",
                location=where,
                hint="a parent that was replaced or merged no longer fits; restore the chain as it was exported",
            )
        if refused:
            return ChainError(f"{wanted} was not found; {details}", location=where, hint=hint)
        tried = _listed(list(map(displayable, self.tried)), ", ")
        return ParentNotFoundError(
            f"{wanted} was not found" + (f"; looked for {tried}" if tried else ""),
            tried=self.tried,
            location=where,
            hint=hint,
        )


def _listed(items: list[str], separator: str) -> str:
    more = len(items) - _SHOWN
    return separator.join(items[:_SHOWN]) + (f"{separator}and {more} more" if more > 0 else "")


def _names(link: ParentLink) -> str:
    """Return the file names under which the parent is remembered, each with a comma behind it."""
    texts = (*(path for _code, path in link.locators), link.name)
    names = dict.fromkeys(ntpath.basename(text) or text for text in texts if text)
    return "".join(f"{displayable(name, 260)}, " for name in names)


def _time_text(seconds: float) -> str:
    """Return a time since 2000-01-01 UTC as text; file systems know times that no calendar of Python does."""
    from datetime import UTC, datetime, timedelta

    try:
        time = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))
    except OverflowError:
        return f"{int(seconds)} seconds after the year 2000" if seconds > 0 else "before the year 1"
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
