"""Changing NTFS volumes: overwrite and grow files, delete them, and check what was changed."""

from vdiskkit.patch.ntfs.check import Problem, check_touched, check_volume
from vdiskkit.patch.ntfs.deletion import DeletedFile
from vdiskkit.patch.ntfs.editor import Touched, VolumeEditor
from vdiskkit.patch.ntfs.records import RecordStore
from vdiskkit.patch.ntfs.refusals import Refusal, refusals
from vdiskkit.patch.ntfs.stream import GrownFile, WritableFile

__all__ = [
    "DeletedFile",
    "GrownFile",
    "Problem",
    "RecordStore",
    "Refusal",
    "Touched",
    "VolumeEditor",
    "WritableFile",
    "check_touched",
    "check_volume",
    "refusals",
]
