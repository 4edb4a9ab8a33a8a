"""The Inspection: everything known about one vDisk pair, as frozen facts with the schema ``vdiskkit.inspect/1``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vdiskkit.container.facts import ContainerFacts
from vdiskkit.facts import Facts, Notice
from vdiskkit.inspection.block_facts import BlockMapFacts
from vdiskkit.inspection.readiness_facts import ReadinessFacts
from vdiskkit.licensing.facts import LicensingFacts
from vdiskkit.ntfs.facts import VolumeFacts
from vdiskkit.pair.facts import PairFacts
from vdiskkit.partition.facts import PartitionTableFacts
from vdiskkit.pvp.facts import PvpFacts
from vdiskkit.windows.facts import WindowsFacts

__all__ = ["CrossCheckFacts", "Inspection", "ProcedureStep", "StepState", "VolumeSummary"]


class StepState(StrEnum):
    """What the image shows of one step. ``unknown`` is a result of its own, never a silent pass."""

    DONE = "done"
    NOT_DONE = "not_done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcedureStep(Facts):
    """One of the eight steps that prepare a vDisk for KMS.

    Attributes:
        step: Number, 1 to 8.
        title: What the admin does in this step.
        state: What the image shows.
        evidence: What was read and what it means.
    """

    step: int
    title: str
    state: StepState
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSummary(Facts):
    """What is in one partition.

    Attributes:
        partition: Partition number, as ``--volume`` takes it.
        file_system: ``ntfs``, ``bitlocker``, ``refs``, or None when it is none of these.
        label: Volume label of an NTFS volume.
        windows: Whether a Windows installation was found on it.
        selected: Whether the facts below come from this volume.
        problem: Why the volume could not be read, None when it could.
        dirty: Whether the dirty flag of an NTFS volume is set; None when that is not known.
    """

    partition: int
    file_system: str | None
    label: str | None
    windows: bool
    selected: bool
    problem: str | None
    dirty: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossCheckFacts(Facts):
    """What a second, independent reader said to the same questions.

    Attributes:
        checked: The questions it answered.
        differences: Where its answer differs from ours, or where it failed.
    """

    checked: tuple[str, ...]
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection(Facts):
    """Everything known about one vDisk pair.

    Attributes:
        target: The disk file, as it was named.
        container: The disk file and its chain.
        partitions: Partition table.
        volumes: What is in each partition.
        volume: The NTFS volume that Windows was found on (or the one that was chosen).
        pvp: The side-car, None without one.
        pair: The files around the disk, None for a file object without a path.
        windows: The Windows installation, None when there is none.
        licensing: Licensing facts, None without Windows.
        procedure: The eight steps and what the image shows of each.
        notices: What is worth telling besides.
        damage: Those of the notices that tell of a damaged structure, whatever question met it.
        cross_check: The second opinion, None unless it was asked for.
        blocks: The allocation map of the disk file; None unless it was asked for.
        readiness: What decides whether the image can be cloned as it is; None unless it was asked for, and without
            Windows.
    """

    target: str
    container: ContainerFacts
    partitions: PartitionTableFacts
    volumes: tuple[VolumeSummary, ...]
    volume: VolumeFacts | None
    pvp: PvpFacts | None
    pair: PairFacts | None
    windows: WindowsFacts | None
    licensing: LicensingFacts | None
    procedure: tuple[ProcedureStep, ...]
    notices: tuple[Notice, ...]
    damage: tuple[Notice, ...]
    cross_check: CrossCheckFacts | None
    readiness: ReadinessFacts | None
    blocks: BlockMapFacts | None = None
