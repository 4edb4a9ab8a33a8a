"""Gathering an :class:`Inspection` from an opened vDisk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from vdiskkit.errors import FileMissingError, FormatError, ReadLimitError
from vdiskkit.facts import NoticeLog
from vdiskkit.inspection.facts import Inspection, VolumeSummary
from vdiskkit.inspection.procedure import read_procedure
from vdiskkit.licensing.gather import read_licensing
from vdiskkit.windows.details import read_windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vdiskkit.container import VirtualDisk
    from vdiskkit.inspection.block_facts import BlockMapFacts
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location
    from vdiskkit.ntfs import NtfsVolume
    from vdiskkit.ntfs.facts import VolumeFacts
    from vdiskkit.pair.facts import PairFacts
    from vdiskkit.partition import PartitionTable
    from vdiskkit.pvp import Pvp
    from vdiskkit.windows.image import WindowsImage

__all__ = ["Inspectable", "OpenedVolume", "gather"]


class OpenedVolume(Protocol):
    """One partition and what was found in it."""

    partition: int
    file_system: str | None
    volume: NtfsVolume | None
    windows_root: str | None
    problem: str | None


class Inspectable(Protocol):
    """What an inspection needs of an opened vDisk."""

    @property
    def target(self) -> str:
        """The disk file, as it was named."""
        ...

    @property
    def container(self) -> VirtualDisk:
        """The virtual disk."""
        ...

    @property
    def partitions(self) -> PartitionTable:
        """The partition table."""
        ...

    @property
    def volumes(self) -> Sequence[OpenedVolume]:
        """What is in each partition."""
        ...

    @property
    def selected(self) -> OpenedVolume | None:
        """The volume that the facts come from."""
        ...

    @property
    def pvp(self) -> Pvp | None:
        """The side-car."""
        ...

    @property
    def pair(self) -> PairFacts | None:
        """The files around the disk."""
        ...

    def windows_image(self) -> WindowsImage | None:
        """The Windows installation, None when there is none."""
        ...

    @property
    def file(self) -> ByteSource:
        """The bytes of the disk file itself."""
        ...

    @property
    def pending(self) -> Sequence[str]:
        """What to tell about interrupted changes."""
        ...

    def pvp_problem(self) -> str | None:
        """Why the side-car could not be read, None when it could or does not exist."""
        ...


def gather(
    disk: Inspectable,
    *,
    deep: bool = False,
    show_keys: bool = False,
    second_opinion: bool = False,
    readiness: bool = False,
    blocks: bool = False,
) -> Inspection:
    """Read everything known about a vDisk pair.

    Args:
        disk: The opened vDisk.
        deep: Also read what costs more than a glance: a $Bitmap larger than 2 MiB, SOFTWARE and SYSTEM whole, and the
            whole volume, to see that it is sound.
        show_keys: Show product keys whole that are no published GVLKs.
        second_opinion: Also ask the dissect readers the questions that matter most, and tell differences.
        readiness: Also read what decides whether the image can be cloned as it is.
        blocks: Also survey what the disk file holds of the disk.
    """
    log = NoticeLog()
    _add(log, disk.container.notices)
    _add(log, disk.partitions.notices)
    for interrupted in disk.pending:
        log.add("journal.pending", interrupted)
    problem = disk.pvp_problem()
    if problem is not None:
        log.add("pvp.unreadable", problem)
    selected = disk.selected
    volume = None
    if selected is not None and selected.volume is not None:
        opened = selected.volume
        volume = log.attempt("ntfs.unreadable", "the volume's state", lambda: opened.facts(deep=deep), None)
        if deep:
            log.attempt("ntfs.unreadable", "the whole volume", lambda: _check(opened), None)
    if volume is not None and not volume.clean:
        log.add("ntfs.not_clean", _why_not_clean(volume), opened.location)
    _tell_partitions(disk, log)
    image = disk.windows_image()
    windows = read_windows(image, log, deep=deep) if image is not None else None
    licensing = (
        read_licensing(image, windows, log, show_keys=show_keys) if image is not None and windows is not None else None
    )
    pvp = disk.pvp.facts() if disk.pvp is not None else None
    pair = disk.pair
    if pair is not None:
        for notice in pair.notices:
            log.add(notice.code, notice.message, notice.location)
    checked = None
    if second_opinion:
        from vdiskkit.inspection.cross_check import cross_check

        checked = cross_check(disk.container, disk.file, disk.partitions, image, licensing)
        for difference in checked.differences:
            log.add("inspect.second_opinion", difference)
    ready = None
    if readiness and image is not None and windows is not None:
        from vdiskkit.inspection.readiness import read_readiness

        ready = read_readiness(image, windows, log)
    _add_volumes(log, disk)  # last, so that damage that anything above met is among them
    notices = log.notices()
    unread = {notice.code for notice in notices} | {"volume" for item in disk.volumes if item.problem}
    return Inspection(
        target=disk.target,
        container=disk.container.facts(),
        partitions=disk.partitions.facts(),
        volumes=tuple(
            VolumeSummary(
                partition=item.partition,
                file_system=item.file_system,
                label=_label(item, log),
                windows=item.windows_root is not None,
                selected=item is selected,
                problem=item.problem,
                dirty=_dirty(item),
            )
            for item in disk.volumes
        ),
        volume=volume,
        pvp=pvp,
        pair=pair,
        windows=windows,
        licensing=licensing,
        procedure=read_procedure(windows, licensing, pvp, pair, unread=unread),
        notices=notices,
        damage=log.damage(),
        cross_check=checked,
        readiness=ready,
        blocks=_block_map(disk, wanted=blocks),
    )


def _label(item: OpenedVolume, log: NoticeLog) -> str | None:
    volume = item.volume
    if volume is None:
        return None
    return log.attempt("ntfs.unreadable", f"the label of partition {item.partition}", lambda: volume.label, None)


def _tell_partitions(disk: Inspectable, log: NoticeLog) -> None:
    """Note partitions that may be no whole volume, and several that hold a Windows."""
    for partition in disk.partitions.partitions:
        if partition.caution is not None:
            where = disk.container.location.at("partition", str(partition.number))
            log.add("partition.managed", partition.caution, where)
    found = [str(item.partition) for item in disk.volumes if item.windows_root is not None]
    if len(found) > 1:
        log.add("windows.several", f"partitions {', '.join(found)} each hold a Windows; choose one with --volume")


def _dirty(item: OpenedVolume) -> bool | None:
    """The dirty flag; None where there is none, or where it cannot be read."""
    if item.volume is None:
        return None
    try:
        return item.volume.state().dirty
    except (FormatError, FileMissingError) as exc:
        if isinstance(exc, ReadLimitError) and exc.used_up:
            raise
        return None


def _block_map(disk: Inspectable, *, wanted: bool) -> BlockMapFacts | None:
    if not wanted:
        return None
    from vdiskkit.inspection.blocks import survey

    return survey(disk)


def _why_not_clean(volume: VolumeFacts) -> str:
    reasons = []
    if volume.dirty:
        reasons.append("its dirty flag is set")
    if volume.log != "clean":
        reasons.append(f"its $LogFile is {volume.log}")
    if volume.hibernation != "none":
        reasons.append(f"hibernation: {volume.hibernation}")
    return f"the volume was not shut down cleanly ({'; '.join(reasons)}): what is shown may not be the last state"


def _check(volume: NtfsVolume) -> None:
    """Walk the whole volume; what is wrong becomes its notices."""
    from vdiskkit.ntfs.soundness import find_faults

    find_faults(volume, volume.notice)


def _add_volumes(log: NoticeLog, disk: Inspectable) -> None:
    for item in disk.volumes:
        if item.volume is not None:
            _add(log, item.volume.notices)


def _add(log: NoticeLog, notices: Iterable[tuple[str, str, Location | None]]) -> None:
    for code, message, location in notices:
        log.add(code, message, location)
