r"""File names of a vDisk, as PVS gives them.

=============  ==========================  ============  ============
object         disk file                   properties    lock
=============  ==========================  ============  ============
base           ``name.vhd[x]``             ``name.pvp``  ``name.lok``
version N      ``name.N.avhd[x]``          ``name.N.pvp``  ``name.N.lok``
merged base N  ``name.N.vhd[x]``           ``name.N.pvp``  ``name.N.lok``
=============  ==========================  ============  ============
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = [
    "DISK_EXTENSIONS",
    "JOURNAL_SUFFIX",
    "RAW_EXTENSIONS",
    "SIDE_CAR_EXTENSION",
    "VDiskName",
    "extension_of",
    "parse_vdisk_name",
    "side_car_name",
]

DISK_EXTENSIONS = ("vhd", "vhdx", "avhd", "avhdx")
RAW_EXTENSIONS = ("raw", "img", "dd")
SIDE_CAR_EXTENSION = "pvp"
JOURNAL_SUFFIX = ".vdiskkit-journal"
"""What the journal of a change that is under way adds to the disk's name."""

_NAME = re.compile(r"(?P<stem>.+?)(?:\.(?P<version>[0-9]{1,5}))?\.(?P<extension>avhdx|avhd|vhdx|vhd)", re.IGNORECASE)


class VDiskName(NamedTuple):
    """The parts of one disk file's name. A base has version 0."""

    stem: str
    version: int
    extension: str

    @property
    def differencing(self) -> bool:
        """Whether the extension says that the file holds only changes (``.avhd``, ``.avhdx``)."""
        return self.extension.lower().startswith("a")

    @property
    def label(self) -> str:
        """``name`` for the base, ``name.N`` for a version or merged base: what side-car and lock file share."""
        return f"{self.stem}.{self.version}" if self.version else self.stem


def parse_vdisk_name(file_name: str) -> VDiskName | None:
    """Split a file name (no folder) into vDisk name, version and extension; None when it names no disk."""
    match = _NAME.fullmatch(file_name)
    if match is None:
        return None
    return VDiskName(match["stem"], int(match["version"] or 0), match["extension"])


def side_car_name(disk_name: str) -> str:
    """Return the name of a disk's side-car, which may be there in another case."""
    label, dot, _extension = disk_name.rpartition(".")
    return f"{label if dot and label else disk_name}.{SIDE_CAR_EXTENSION}"


def extension_of(file_name: str) -> str:
    """Return what follows the last dot of a name, in small letters; empty without one."""
    label, dot, extension = file_name.rpartition(".")
    return extension.lower() if dot and label else ""
