"""An opened vDisk: the disk file, its chain, volumes, Windows installation and side-car, each read at first need."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO

from vdiskkit.container import open_container
from vdiskkit.errors import (
    FormatError,
    InUseError,
    NotFoundError,
    ReadLimitError,
    UnsupportedFeatureError,
    UsageError,
    VDiskError,
)
from vdiskkit.io import GuardedSource, PageCache, ReadBudget, StreamSource, stream_name
from vdiskkit.io.paths import is_there, open_source, real_path
from vdiskkit.location import Location
from vdiskkit.naming import JOURNAL_SUFFIX
from vdiskkit.ntfs import NtfsVolume, probe
from vdiskkit.partition import read_partitions
from vdiskkit.pending import old_state
from vdiskkit.windows.image import WindowsImage, find_windows_root

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from vdiskkit.container import VirtualDisk
    from vdiskkit.container.identity import LogBudget
    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.io import ByteSource, FileSource
    from vdiskkit.pair import Identity
    from vdiskkit.pair.facts import PairFacts
    from vdiskkit.partition import Partition, PartitionTable
    from vdiskkit.pvp import Pvp

__all__ = ["DiskVolume", "VDisk", "inspect_path", "open_vdisk"]

_MIB = 1024 * 1024
_PAGE_SIZE = 4096
_BASE_BYTES = 1024 * _MIB
_BASE_CALLS = 2_000_000
_INSPECT_BYTES = 256 * _MIB
_INSPECT_CALLS = 2_000_000


class DiskVolume:
    """One partition and what was found in it.

    Attributes:
        partition: Partition number.
        file_system: ``ntfs``, ``bitlocker``, ``refs``, or None.
        volume: The opened NTFS volume, None when it is not NTFS or cannot be read.
        windows_root: Name of the Windows folder on it, None when there is none.
        problem: Why the volume cannot be read, None when it can.
    """

    __slots__ = ("file_system", "partition", "problem", "volume", "windows_root")

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.file_system: str | None = None
        self.volume: NtfsVolume | None = None
        self.windows_root: str | None = None
        self.problem: str | None = None


class VDisk:
    """A vDisk opened for reading; nothing reachable from it can write.

    Made by :func:`open_vdisk`; close it, or use it in a ``with`` statement, whose end raises when a file was changed
    meanwhile.

    Attributes:
        target: The disk file, as it was named; empty for a file object without a name.
        path: The same when it is a path, None for a file object.
        budget: What has been read from files so far, and how much may be.
        file: The bytes of the disk file itself.
        container: The virtual disk in it.
        pending: What to tell about interrupted changes of the files that were opened; empty without any.
        parent_dirs: Folders in which parents are looked for besides the disk's own.
        follow_parent_paths: Whether local paths in parent locators are followed.
    """

    def __init__(
        self,
        source: ByteSource,
        *,
        target: str,
        path: str | None,
        format: str | None = None,  # noqa: A002 - the name users expect
        volume: int | None = None,
        parent_dirs: Sequence[str] = (),
        follow_parent_paths: bool = False,
    ) -> None:
        self.target = target
        self.path = path
        self.parent_dirs = tuple(parent_dirs)
        self.follow_parent_paths = follow_parent_paths
        self._chosen = volume
        self.pending: list[str] = []
        self._opened: list[FileSource] = []
        self._journal: str | None = None  # where none was when the disk was opened
        self._windows: WindowsImage | None = None
        # Bounds that no sane use of this file passes: reading all of it a few times over, and some metadata.
        self.budget = ReadBudget(4 * source.size + _BASE_BYTES, source.size // 512 + _BASE_CALLS)
        self.file: ByteSource = GuardedSource(source, self.budget)
        self.container: VirtualDisk = open_container(
            self.file,
            path=path,
            format=format,
            parent_dirs=self.parent_dirs,
            follow_parent_paths=follow_parent_paths,
            open_source=self._open_parent,
        )
        # Logical reads are counted as well: a loop that only touches cached pages must end, too.
        logical = ReadBudget(8 * self.container.size + 4 * _BASE_BYTES, self.container.size // 512 + 4 * _BASE_CALLS)
        self._disk = GuardedSource(PageCache(self.container, page_size=_PAGE_SIZE), logical)

    def _open_parent(self, path: str) -> ByteSource:
        source = open_source(path, steady=True)
        self._opened.append(source)
        self.budget.grant(4 * source.size, source.size // 512)
        state = old_state(path, source)
        self.pending += state.notices
        return GuardedSource(state.source, self.budget)

    @cached_property
    def partitions(self) -> PartitionTable:
        """The partition table."""
        return read_partitions(self._disk, self.container.sector_size)

    @cached_property
    def volumes(self) -> tuple[DiskVolume, ...]:
        """What is in each partition, in the order of their numbers."""
        return tuple(self._open_volume(partition) for partition in self.partitions.partitions)

    def _open_volume(self, partition: Partition) -> DiskVolume:
        found = DiskVolume(partition.number)
        try:
            source = partition.open(self._disk)
            found.file_system = probe(source)
            if found.file_system == "ntfs":
                found.volume = NtfsVolume(source)
                found.windows_root = find_windows_root(found.volume)
            elif found.file_system == "bitlocker":
                found.problem = "the volume is encrypted with BitLocker; switch BitLocker off in the image to read it"
            elif found.file_system == "refs":
                found.problem = "the volume is ReFS, which vdiskkit does not read"
            elif partition.manager is not None:
                found.problem = f"it belongs to {partition.manager}, whose volumes vdiskkit does not put together"
        except ReadLimitError:
            raise
        except FormatError as exc:
            found.problem = str(exc)
        return found

    @cached_property
    def selected(self) -> DiskVolume | None:
        """The volume that facts come from: the chosen one, else the first with Windows, else the first NTFS one.

        Before a sound NTFS volume without Windows comes one on which damage hides whether it holds one.

        Raises:
            UsageError: The chosen partition does not exist.
        """
        if self._chosen is not None:
            for item in self.volumes:
                if item.partition == self._chosen:
                    return item
            numbers = ", ".join(str(item.partition) for item in self.volumes) or "none"
            raise UsageError(
                f"there is no partition {self._chosen}",
                location=self.container.location,
                hint=f"partitions there: {numbers}",
            )
        windows = [item for item in self.volumes if item.windows_root is not None]
        ntfs = [item for item in self.volumes if item.volume is not None]
        damaged = [item for item in ntfs if item.problem is not None]  # a Windows may be there
        return next(iter(windows or damaged or ntfs), None)

    @property
    def silent_choice(self) -> str | None:
        """What to tell when one of several Windows was taken and nobody chose it; None otherwise."""
        found = self.windows_partitions
        if self._chosen is not None or len(found) < 2 or self.selected is None:
            return None
        return (
            f"partitions {', '.join(map(str, found))} each hold a Windows; this is about partition "
            f"{self.selected.partition}"
        )

    @property
    def windows_partitions(self) -> tuple[int, ...]:
        """Numbers of the partitions that hold a Windows."""
        return tuple(item.partition for item in self.volumes if item.windows_root is not None)

    @property
    def volume(self) -> NtfsVolume:
        """The selected NTFS volume.

        Raises:
            FormatError: The chosen volume, or the only candidate, cannot be read.
            NotFoundError: The disk has no NTFS volume.
        """
        item = self.selected
        if item is not None and item.volume is not None:
            return item.volume
        encrypted = [item] if item is not None else self.volumes
        if any(other.file_system == "bitlocker" for other in encrypted):
            raise UnsupportedFeatureError(
                "the volume is encrypted with BitLocker",
                location=self.container.location,
                hint="switch BitLocker off in the image, then try again",
            )
        problems = [f"partition {other.partition}: {other.problem}" for other in self.volumes if other.problem]
        if problems and (item is None or item.problem):
            raise FormatError("no NTFS volume can be read: " + "; ".join(problems), location=self.container.location)
        raise NotFoundError(
            "there is no NTFS volume on this disk" if item is None else f"partition {item.partition} is not NTFS",
            location=self.container.location,
            hint="`inspect` shows the partitions that were found",
        )

    def windows_image(self) -> WindowsImage | None:
        """The Windows installation of the selected volume, None when there is none."""
        item = self.selected
        if item is None or item.volume is None or item.windows_root is None:
            return None
        if self._windows is None:
            self._windows = WindowsImage(item.volume, item.windows_root, grant=self.budget.grant)
        return self._windows

    @property
    def windows(self) -> WindowsImage:
        """The Windows installation.

        Raises:
            NotFoundError: No Windows was found.
            FormatError: The volume that should hold it cannot be read.
        """
        image = self.windows_image()
        if image is None:
            volume = self.volume
            problem = self.selected.problem if self.selected is not None else None
            if problem is not None:
                raise FormatError(
                    f"whether there is a Windows on this volume cannot be told: {problem}", location=volume.location
                )
            raise NotFoundError(
                "there is no Windows on this volume",
                location=volume.location,
                hint="`inspect` shows what was found in each partition; choose another one with --volume",
            )
        return image

    @cached_property
    def _side_car(self) -> tuple[Pvp | None, str | None]:
        from vdiskkit.pending import read_old_pvp
        from vdiskkit.pvp import read_pvp

        pair = self.pair
        if pair is None or pair.pvp_path is None:
            return None, None
        try:
            return read_old_pvp(self.path or "", pair.pvp_path) or read_pvp(pair.pvp_path), None
        except VDiskError as exc:
            return None, str(exc)

    @property
    def pvp(self) -> Pvp | None:
        """The side-car; None when there is none or when it cannot be read (see :meth:`pvp_problem`)."""
        return self._side_car[0]

    def pvp_problem(self) -> str | None:
        """Why the side-car could not be read, None when it could or does not exist."""
        return self._side_car[1]

    @cached_property
    def pair(self) -> PairFacts | None:
        """The files around the disk: side-car, locks, versions, manifest; None for a file object without a path."""
        from vdiskkit.container.identity import LogBudget
        from vdiskkit.pair import read_pair

        budget = LogBudget()
        if self.path is None:
            return None
        return read_pair(self.path, read_identity=lambda path: self._identity_beside(path, budget))

    def _identity_beside(self, path: str, budget: LogBudget) -> Identity | None:
        """The ids of a disk file beside ours; those of our own chain have been read."""
        from vdiskkit.pair import Identity

        for disk in self.container.chain:
            if disk.path == path and disk.format != "raw":
                return Identity(disk.unique_id, disk.parent_link.unique_id if disk.parent_link else None)
        return _identity(path, budget)

    def inspect(
        self,
        *,
        deep: bool = False,
        show_keys: bool = False,
        second_opinion: bool = False,
        readiness: bool = False,
        blocks: bool = False,
    ) -> Inspection:
        """Gather everything known about the pair.

        Args:
            deep: Also read what costs more than a glance: a $Bitmap larger than 2 MiB, and SOFTWARE and SYSTEM whole.
            show_keys: Show product keys whole that are no published GVLKs.
            second_opinion: Also read the answers that matter most with the dissect libraries and tell differences.
            readiness: Also read what decides whether the image can be cloned as it is: pending restarts, setup state,
                answer files, cached KMS hosts, the event log.
            blocks: Also survey what the disk file holds of the disk: of a differencing file, all its sector bitmaps
                are read.

        Raises:
            InUseError: A file was changed while it was read.
            VDiskError: The container or its chain cannot be read. What is unreadable inside becomes a notice.
        """
        from vdiskkit.inspection.gather import gather

        # A $Bitmap has a bit for each cluster, of 512 bytes at least.
        more, calls = self.container.size // 4096 if deep else 0, 0
        if blocks:
            # A bit for each sector, read in pages of 4 KiB at least; in a VHD each block has its own.
            calls = self.container.allocated_blocks or 0
            more += self.container.size // 4096 + calls * 2 * _PAGE_SIZE
        with self.budget.limited(_INSPECT_BYTES + more, _INSPECT_CALLS + calls):
            facts = gather(
                self,
                deep=deep,
                show_keys=show_keys,
                second_opinion=second_opinion,
                readiness=readiness,
                blocks=blocks,
            )
        self.check_unchanged()  # what could not be read for that reason is a notice by now
        return facts

    def check_unchanged(self) -> None:
        """Raise when the files were changed since they were opened, so that what was read may be of two states.

        On other systems than Windows, where nobody can change a file that is open here, each read asks the same.

        Raises:
            InUseError: One was changed, or a change has begun.
        """
        for source in self._opened:
            source.check_unchanged()
        if self._journal is not None and is_there(self._journal):
            raise InUseError(
                "a change of the disk began while it was read",
                location=Location(self._journal),
                hint="what was read may be of no one state; run the command again when the change has ended",
            )

    def close(self) -> None:
        """Close the disk file and its parents' files; a file object that was handed in stays open."""
        self.container.close()
        for source in self._opened:
            source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.check_unchanged()
        finally:
            self.close()


def _identity(path: str, budget: LogBudget) -> Identity | None:
    """The ids of a disk file, None when it is none."""
    from vdiskkit.container.identity import read_disk_identity
    from vdiskkit.pair import Identity

    with open_source(path) as source:
        found = read_disk_identity(source, budget)
    return Identity(found.unique_id, found.parent_id) if found is not None else None


def open_vdisk(
    target: str | os.PathLike[str] | BinaryIO,
    *,
    format: str | None = None,  # noqa: A002 - the name users expect
    volume: int | None = None,
    parent_dirs: Sequence[str | os.PathLike[str]] = (),
    follow_parent_paths: bool = False,
) -> VDisk:
    """Open a vDisk for reading.

    Args:
        target: Path of a ``.vhd`` or ``.avhd``, of its ``.pvp`` (the disk beside it is opened), or any seekable
            binary file object.
        format: ``vhd`` or ``raw``; None recognises VHD by content and raw images by their extension only.
        volume: Number of the partition to read; None takes the one with Windows.
        parent_dirs: Folders in which parents of a differencing disk are looked for besides its own.
        follow_parent_paths: Also follow local paths stored in parent locators.

    Raises:
        SourceError: The file cannot be opened.
        FormatError: It is not a disk that can be read.
        ChainError: A parent is missing or is not the right one.
    """
    folders = tuple(os.fspath(folder) for folder in parent_dirs)
    if not isinstance(target, str | os.PathLike):
        name = stream_name(target)
        return VDisk(
            StreamSource(target, name),
            target=name,
            path=None,
            format=format,
            volume=volume,
            parent_dirs=folders,
            follow_parent_paths=follow_parent_paths,
        )
    path = os.fspath(target)
    if path.lower().endswith(".pvp"):
        from vdiskkit.pair import disk_for_sidecar

        path = disk_for_sidecar(path)
    # What lies beside a disk lies beside the file itself, not beside a link to it.
    named, path = path, real_path(path)
    source = open_source(path, steady=True)
    try:
        began = is_there(path + JOURNAL_SUFFIX)
        state = old_state(path, source)
        disk = VDisk(
            state.source,
            target=named,
            path=path,
            format=format,
            volume=volume,
            parent_dirs=folders,
            follow_parent_paths=follow_parent_paths,
        )
    except BaseException:
        source.close()
        raise
    disk._opened.append(source)  # noqa: SLF001 - the disk owns what was opened for it
    disk._journal = None if began else path + JOURNAL_SUFFIX  # noqa: SLF001 - same
    disk.pending += state.notices
    return disk


def inspect_path(path: str | os.PathLike[str]) -> Inspection:
    """Open one vDisk, inspect it and close it: the unit of work for an executor (argument and result pickle)."""
    with open_vdisk(path) as disk:
        return disk.inspect()
