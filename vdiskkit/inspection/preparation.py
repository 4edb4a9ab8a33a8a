"""Whether PVS prepared the image for KMS: one judgement for the procedure and for the rules.

PVS does it when the vDisk is switched from Private to Standard mode with licence mode KMS, and leaves no trace whose
meaning is public. So a side-car that says both proves nothing; the times can only raise a doubt.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from vdiskkit.pair.facts import PairFacts
    from vdiskkit.pvp.facts import PvpFacts

__all__ = ["Preparation", "judge_preparation"]

_LATER = timedelta(hours=1)
_TRACELESS = (
    "PVS prepares the image only at the switch from Private to Standard with KMS chosen, and leaves no trace of it"
)


class Preparation(NamedTuple):
    """What the files show of the preparation.

    Attributes:
        doubt: What speaks against it; None when nothing does, which is no proof of it.
        evidence: What was read and what it means.
    """

    doubt: str | None
    evidence: str


def judge_preparation(pvp: PvpFacts, pair: PairFacts | None) -> Preparation | None:
    """Judge by the side-car and the times of both files; None unless the vDisk is in Standard mode with KMS.

    Args:
        pvp: The side-car.
        pair: The files around the disk.
    """
    if pvp.license_mode != "kms" or pvp.mode != "standard":
        return None
    own = next((version for version in pair.versions if version.is_this), None) if pair is not None else None
    changed = pvp.properties_update_time.time
    if changed is None or own is None or own.modified is None:
        return Preparation(None, f"{_TRACELESS}; there are no times to compare")
    times = f"properties {changed:%Y-%m-%d %H:%M} UTC, disk {own.modified:%Y-%m-%d %H:%M} UTC"
    if changed - own.modified > _LATER:
        doubt = "the properties changed after the disk was last written: KMS may have been chosen while it was Standard"
        return Preparation(doubt, times)
    return Preparation(None, f"{_TRACELESS}; the times of side-car and disk do not speak against it")
