"""The state of a volume: label, version, flags, log, hibernation, free space."""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import CorruptStructureError, FileMissingError, FormatError
from vdiskkit.ntfs.logfile import LogFileState, LogState, read_log_state
from vdiskkit.ntfs.record import DATA, VOLUME_INFORMATION, VOLUME_NAME

if TYPE_CHECKING:
    from vdiskkit.location import Location
    from vdiskkit.ntfs.streams import AttributeSource
    from vdiskkit.ntfs.volume import NtfsVolume

__all__ = ["MAX_SHALLOW_BITMAP", "Hibernation", "VolumeState", "count_free_bytes", "read_state"]

MAX_SHALLOW_BITMAP = 2 * 1024 * 1024

_LOG_FILE, _VOLUME, _BITMAP = 2, 3, 6
_CHUNK = 1024 * 1024
_INFORMATION = struct.Struct("<8xBBH")
_MIN_HIBERFIL = 4096
_DIRTY = 0x0001
_UNTRUSTED = 0x4037  # all flags below that announce work on the volume
_FLAG_NAMES = (
    (_DIRTY, "dirty"),
    (0x0002, "resize_log_file"),
    (0x0004, "upgrade_on_mount"),
    (0x0008, "mounted_on_nt4"),
    (0x0010, "delete_usn_underway"),
    (0x0020, "repair_object_ids"),
    (0x0080, "txf_disabled"),
    (0x4000, "chkdsk_underway"),
    (0x8000, "modified_by_chkdsk"),
)


class Hibernation(StrEnum):
    """What ``hiberfil.sys`` in the root says."""

    NONE = "none"
    HIBERNATED = "hibernated"  # hibernation or fast startup: Windows will resume and overwrite what it has cached
    UNKNOWN = "unknown"


class VolumeState(NamedTuple):
    """State of a volume.

    Attributes:
        label: Volume label, empty without one.
        version: NTFS version, such as ``3.1``.
        flag_bits: Flags of $VOLUME_INFORMATION.
        log: What $LogFile says.
        hibernation: What ``hiberfil.sys`` says.
    """

    label: str
    version: str
    flag_bits: int
    log: LogFileState
    hibernation: Hibernation

    @property
    def dirty(self) -> bool:
        """Whether Windows will check the volume at the next start."""
        return bool(self.flag_bits & _DIRTY)

    @property
    def flags(self) -> tuple[str, ...]:
        """Names of the flags that are set; unknown ones in hex."""
        names = [name for bit, name in _FLAG_NAMES if self.flag_bits & bit]
        unknown = self.flag_bits & ~sum(bit for bit, _ in _FLAG_NAMES)
        return (*names, f"{unknown:#06x}") if unknown else tuple(names)

    @property
    def clean(self) -> bool:
        """Whether nothing speaks against trusting the volume as it stands."""
        return (
            not self.flag_bits & _UNTRUSTED
            and self.log.state in (LogState.CLEAN, LogState.EMPTY)
            and self.hibernation is Hibernation.NONE
        )


def read_state(volume: NtfsVolume) -> VolumeState:
    """Read $Volume, the restart pages of $LogFile and the start of ``hiberfil.sys``.

    Raises:
        CorruptStructureError: $Volume is damaged. A damaged $LogFile is a state, not an error.
    """
    where = volume.location.at("mft", _VOLUME)
    record = volume.mft.record(_VOLUME)
    information = next(volume.mft.attributes(record, VOLUME_INFORMATION), None)
    if information is None or not information.resident or len(information.value) < _INFORMATION.size:
        raise CorruptStructureError("$Volume holds no volume information", location=where)
    major, minor, flags = _INFORMATION.unpack_from(information.value)
    name = next(volume.mft.attributes(record, VOLUME_NAME), None)
    label = ""
    if name is not None:
        if not name.resident or len(name.value) % 2 or len(name.value) > 256:
            raise CorruptStructureError("the volume label is damaged", location=where)
        label = name.value.decode("utf-16-le", "surrogatepass")
    return VolumeState(label, f"{major}.{minor}", flags, _read_log(volume), _read_hibernation(volume))


def count_free_bytes(volume: NtfsVolume, *, deep: bool) -> int | None:
    """Count the clear bits of $Bitmap.

    Returns:
        Free bytes, or None when $Bitmap is larger than 2 MiB and ``deep`` is false.

    Raises:
        CorruptStructureError: $Bitmap is damaged or too short for the volume.
    """
    bitmap = _open_system_file(volume, _BITMAP, "$Bitmap")
    clusters = volume.boot.total_clusters
    size = (clusters + 7) // 8
    if bitmap.size < size:
        raise CorruptStructureError(
            f"$Bitmap has {bitmap.size} bytes, the volume needs {size}", location=bitmap.location
        )
    if size > MAX_SHALLOW_BITMAP and not deep:
        return None
    used = 0
    for offset in range(0, size, _CHUNK):
        chunk = bitmap.read_at(offset, min(_CHUNK, size - offset))
        value = int.from_bytes(chunk, "little")
        if offset + len(chunk) == size:
            # Bits behind the last cluster are set by convention and count for nothing.
            value &= (1 << (clusters - offset * 8)) - 1
        used += value.bit_count()
    return (clusters - used) * volume.boot.cluster_size


def _read_log(volume: NtfsVolume) -> LogFileState:
    try:
        return read_log_state(_open_system_file(volume, _LOG_FILE, "$LogFile"))
    except FormatError as fault:
        return LogFileState(LogState.DAMAGED, None, fault.message)


def _read_hibernation(volume: NtfsVolume) -> Hibernation:
    try:
        file = volume.lookup("hiberfil.sys", follow=False)
        if file.size < _MIN_HIBERFIL:
            return Hibernation.HIBERNATED
        return Hibernation.HIBERNATED if file.open().read_at(0, 4) in (b"hibr", b"HIBR") else Hibernation.NONE
    except FileMissingError:
        return Hibernation.NONE
    except FormatError as fault:
        volume.notice("ntfs.hibernation_unknown", f"hiberfil.sys cannot be read: {fault.message}", fault.location)
        return Hibernation.UNKNOWN


def _open_system_file(volume: NtfsVolume, number: int, name: str) -> AttributeSource:
    where: Location = volume.location.at("mft", number)
    record = volume.mft.record(number)
    source = volume.mft.open(record, DATA, "", where) if record.in_use else None
    if source is None:
        raise CorruptStructureError(f"{name} has no content", location=where, hint="run chkdsk on the volume")
    return source
