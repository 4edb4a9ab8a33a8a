"""NTFS: open a volume, look up and list files, read streams, and tell the state of the volume."""

from vdiskkit.ntfs.boot import BootSector, probe
from vdiskkit.ntfs.file import DirectoryEntry, NtfsFile, StreamInfo
from vdiskkit.ntfs.runs import Run
from vdiskkit.ntfs.volume import NtfsVolume, VolumeNotice

__all__ = [
    "BootSector",
    "DirectoryEntry",
    "NtfsFile",
    "NtfsVolume",
    "Run",
    "StreamInfo",
    "VolumeNotice",
    "probe",
]
