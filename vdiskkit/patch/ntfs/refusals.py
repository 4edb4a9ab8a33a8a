"""When a volume must not be changed at all: what would be lost, overwritten or trusted wrongly (ntfs-3g's rules).

No option lifts these: each says that what is on the disk is not, or may not be, what Windows will see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import (
    FormatError,
    HibernatedVolumeError,
    LogReplayNeededError,
    StateError,
    UnsupportedFeatureError,
    VDiskError,
    WriteRefusedError,
)
from vdiskkit.ntfs import NtfsVolume, probe
from vdiskkit.ntfs.logfile import LogState
from vdiskkit.ntfs.state import Hibernation

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["Refusal", "refusals"]

_FLAGS = (
    (0x0001, "dirty", "it is marked dirty: Windows will check it at the next start"),
    (0x0002, "resize_log_file", "Windows is about to change the size of $LogFile"),
    (0x0004, "upgrade_on_mount", "Windows is about to upgrade it"),
    (0x0010, "delete_usn_underway", "the deletion of its change journal is not finished"),
    (0x0020, "repair_object_ids", "its object ids are about to be repaired"),
    (0x4000, "chkdsk_underway", "a run of chkdsk is not finished"),
)
_VERSIONS = ("3.0", "3.1")
_FAST_STARTUP_LOG = "2.0"
_START = "start Windows from it, let it finish, and shut it down"
_RESTART = 'restart Windows instead of shutting it down, or run "powercfg /h off", then shut down'


class Refusal(NamedTuple):
    """One reason: a code, what it is, what to do, where, and the error that stands for it."""

    code: str
    message: str
    hint: str
    location: Location
    kind: type[VDiskError]

    def error(self) -> VDiskError:
        """Return the error to raise."""
        return self.kind(self.message, location=self.location, hint=self.hint)


def refusals(volume: NtfsVolume | ByteSource) -> list[Refusal]:
    """Return every reason why a volume must not be changed; empty when there is none.

    Args:
        volume: The volume, or its bytes: a volume encrypted by BitLocker cannot be opened, but is a reason too.

    Raises:
        UnknownFormatError: This is no NTFS volume.
        CorruptStructureError: It is too damaged to be judged.
    """
    if not isinstance(volume, NtfsVolume):
        if probe(volume) == "bitlocker":
            return [
                Refusal(
                    "ntfs.bitlocker",
                    "the volume is encrypted by BitLocker",
                    "decrypt it inside Windows (manage-bde -off)",
                    volume.location,
                    UnsupportedFeatureError,
                )
            ]
        volume = NtfsVolume(volume)
    return [*_of_size(volume), *_of_state(volume)]


def _of_size(volume: NtfsVolume) -> list[Refusal]:
    if volume.boot.volume_size <= volume.source.size:
        return []
    return [
        Refusal(
            "ntfs.volume_cut",
            f"the volume has {volume.boot.volume_size} bytes, its partition only {volume.source.size}",
            "mend the partition table first",
            volume.location,
            WriteRefusedError,
        )
    ]


def _of_state(volume: NtfsVolume) -> list[Refusal]:
    where = volume.location
    try:
        state = volume.state()
    except FormatError as fault:
        return [
            Refusal(
                "ntfs.volume_information",
                f"the state of the volume cannot be read: {fault.message}",
                "run chkdsk on it",
                fault.location or where,
                WriteRefusedError,
            )
        ]
    found = [
        Refusal(f"ntfs.{code}", f"the volume must not be changed: {why}", _START, where, StateError)
        for bit, code, why in _FLAGS
        if state.flag_bits & bit
    ]
    if state.version not in _VERSIONS:
        message = f"the volume has NTFS version {state.version}; versions {' and '.join(_VERSIONS)} can be changed"
        found.append(Refusal("ntfs.version", message, "upgrade it inside Windows", where, WriteRefusedError))
    if state.log.version == _FAST_STARTUP_LOG:
        message = "Windows was shut down with fast startup or cut off: part of the volume is only in its cache"
        found.append(Refusal("ntfs.fast_startup", message, _RESTART, where, HibernatedVolumeError))
    elif state.log.state not in (LogState.CLEAN, LogState.EMPTY):
        why = f" ({state.log.problem})" if state.log.problem else ""
        message = f"$LogFile is {state.log.state.value}{why}: changes of the volume wait in it"
        found.append(Refusal("ntfs.log", message, _START, where, LogReplayNeededError))
    if state.hibernation is not Hibernation.NONE:
        seen = state.hibernation is Hibernation.HIBERNATED
        message = (
            "a hibernated Windows, or one shut down with fast startup, will resume from this volume"
            if seen
            else "hiberfil.sys cannot be read: whether Windows is hibernated is not known"
        )
        found.append(Refusal("ntfs.hibernated", message, _RESTART, where, HibernatedVolumeError))
    return found
