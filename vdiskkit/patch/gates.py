"""When a disk must not be changed, and why. All of it is checked before anything is staged.

Two gates can be judged by a person and forced: a lock file (which may be stale) and Standard mode (nothing may stream
this copy). No gate about a format can be forced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from vdiskkit.errors import (
    FormatError,
    HibernatedVolumeError,
    InUseError,
    JournalPendingError,
    StateError,
    UsageError,
    VDiskError,
    WriteRefusedError,
)
from vdiskkit.journal import journal_path, read_pending
from vdiskkit.location import Location
from vdiskkit.patch.children import find_children
from vdiskkit.patch.ntfs import refusals
from vdiskkit.patch.told import tell_gate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from vdiskkit.pair.facts import PairFacts
    from vdiskkit.pvp import Pvp
    from vdiskkit.vdisk import VDisk

__all__ = ["FORCES", "Gate", "Surroundings", "check_gates", "gates", "pair_gates", "pass_gates"]

FORCES = ("lok", "standard-mode", "mode", "boot-file")
"""What ``--force`` takes: the two gates that a person can judge, the write cache type of the side-car, and the deletion
of files without which Windows does not start."""


class Surroundings(Protocol):
    """What lies beside a disk, as an opened disk knows it."""

    @property
    def pair(self) -> PairFacts | None:
        """The files around the disk."""
        ...

    @property
    def pvp(self) -> Pvp | None:
        """The side-car."""
        ...

    def pvp_problem(self) -> str | None:
        """Why the side-car could not be read."""
        ...


class Gate(NamedTuple):
    """One closed gate: the error that says why, and the force that opens it (empty for none)."""

    error: VDiskError
    force: str


def check_gates(disk: VDisk, *, edits_disk: bool, edits_volume: bool, forced: Collection[str] = ()) -> None:
    """Raise the first gate that is closed and not forced.

    Args:
        disk: The disk as it is.
        edits_disk: The change writes to the disk file, not only to the side-car.
        edits_volume: The change writes inside the volume.
        forced: Names of :data:`FORCES`.

    Raises:
        StateError: The state forbids it.
        WriteRefusedError: The format forbids it.
    """
    pass_gates(gates(disk, edits_disk=edits_disk, edits_volume=edits_volume), disk.path, forced)


def pass_gates(closed: Iterable[Gate], path: str | None, forced: Collection[str]) -> None:
    """Raise the first of some closed gates that is not forced; each is told.

    Args:
        closed: The gates.
        path: The disk.
        forced: Names of :data:`FORCES`.
    """
    for gate in closed:
        passes = bool(gate.force) and gate.force in forced
        tell_gate(gate, path, forced=passes)
        if not passes:
            raise gate.error


def gates(disk: VDisk, *, edits_disk: bool, edits_volume: bool) -> Iterable[Gate]:
    """Yield every closed gate, the most telling first."""
    path = disk.path
    if path is None:
        yield Gate(WriteRefusedError("a file object cannot be changed", hint="name the disk file by its path"), "")
        return
    if read_pending(path) is not None:
        pending = JournalPendingError(
            "an earlier change of this disk was interrupted",
            location=Location(journal_path(path)),
            hint="run `recover` on the disk first",
        )
        yield Gate(pending, "")
    yield from pair_gates(disk, path, edits_disk=edits_disk)
    if edits_disk:
        yield from _container_gates(disk)
    if edits_volume:
        yield from _volume_gates(disk)


def pair_gates(disk: Surroundings, path: str, *, edits_disk: bool) -> Iterable[Gate]:
    """Yield the closed gates that lie beside the disk: lock files, versions made from it, its mode."""
    pair, where = disk.pair, Location(path)
    if pair is not None and pair.lock_files:
        yield Gate(
            InUseError(
                f"a lock file says that the vDisk is in use: {', '.join(pair.lock_files)}",
                location=where,
                hint="shut down what uses it; when you know that the lock is stale or that this is a copy: --force lok",
            ),
            "lok",
        )
    if not edits_disk:
        return
    children = _children(pair, path)
    if children:
        yield Gate(
            WriteRefusedError(
                f"other versions are made from this file ({', '.join(children)}); changing it would corrupt them",
                location=where,
                hint="change the newest version instead, or merge the versions in the PVS console first",
            ),
            "",
        )
    if disk.pvp is not None and disk.pvp.mode == "standard":
        yield Gate(
            StateError(
                "the vDisk is in Standard mode: PVS may be streaming it, and changes belong before sealing",
                location=where,
                hint="switch it to Private mode in the PVS console; for a copy that no server uses: "
                "--force standard-mode",
            ),
            "standard-mode",
        )
    problem = disk.pvp_problem()
    if problem is not None:
        yield Gate(StateError(f"the side-car cannot be read, so the mode is not known: {problem}", location=where), "")


def _children(pair: PairFacts | None, path: str) -> list[str]:
    """Return the names of the files that were made from a disk, by their names and by the links that they hold."""
    by_name = pair.children if pair is not None else ()
    try:
        by_link = find_children(path).found
    except FormatError:
        by_link = ()  # a damaged container has a gate of its own
    return sorted({*by_name, *by_link})


def _container_gates(disk: VDisk) -> Iterable[Gate]:
    damage = {"vhd.footer_damaged", "vhd.copy_damaged", "vhd.copy_missing", "vhd.copy_differs", "vhd.saved_state"}
    for notice in disk.container.own_notices:
        if notice.code in damage:
            error = WriteRefusedError(
                f"the container is not sound: {notice.message}",
                location=notice.location,
                hint="mend or convert the file first (qemu-img convert, or the PVS console), then change it",
            )
            yield Gate(error, "")


def _volume_gates(disk: VDisk) -> Iterable[Gate]:
    if disk.silent_choice is not None:
        numbers = ", ".join(map(str, disk.windows_partitions))
        unclear = UsageError(
            f"partitions {numbers} each hold a Windows, and which one is meant was not said",
            location=Location(disk.path or ""),
            hint="name one with --volume; `inspect --volume N` shows each",
        )
        yield Gate(unclear, "")
        return
    try:
        found = refusals(disk.volume)
    except FormatError as exc:
        yield Gate(exc, "")
        return
    # A hibernated volume is dirty as well, but what helps against that does not help here.
    for refusal in sorted(found, key=lambda item: item.kind is not HibernatedVolumeError):
        yield Gate(refusal.error(), "")
