"""vdiskkit: look inside Citrix Provisioning (PVS) vDisks without mounting them.

::

    import vdiskkit

    with vdiskkit.open_vdisk("win10.vhd") as disk:
        print(disk.inspect().licensing.skip_rearm)

Names are loaded on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vdiskkit._version import __version__

if TYPE_CHECKING:
    from vdiskkit.errors import (
        ChainError,
        ChecksumError,
        CorruptStructureError,
        FileMissingError,
        FormatError,
        KeyMissingError,
        NotFoundError,
        ParentMismatchError,
        ParentNotFoundError,
        ReadLimitError,
        SourceError,
        UnknownFormatError,
        UnsupportedFeatureError,
        UsageError,
        ValueMissingError,
        VDiskError,
    )
    from vdiskkit.hivefile import open_hive
    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.location import Location
    from vdiskkit.pvp import Pvp, read_pvp
    from vdiskkit.vdisk import VDisk, inspect_path, open_vdisk

_HOMES = {
    "Inspection": "vdiskkit.inspection.facts",
    "Location": "vdiskkit.location",
    "Pvp": "vdiskkit.pvp",
    "VDisk": "vdiskkit.vdisk",
    "inspect_path": "vdiskkit.vdisk",
    "open_hive": "vdiskkit.hivefile",
    "open_vdisk": "vdiskkit.vdisk",
    "read_pvp": "vdiskkit.pvp",
}
_ERRORS = (
    "ChainError",
    "ChecksumError",
    "CorruptStructureError",
    "FileMissingError",
    "FormatError",
    "KeyMissingError",
    "NotFoundError",
    "ParentMismatchError",
    "ParentNotFoundError",
    "ReadLimitError",
    "SourceError",
    "UnknownFormatError",
    "UnsupportedFeatureError",
    "UsageError",
    "VDiskError",
    "ValueMissingError",
)

__all__ = [
    "ChainError",
    "ChecksumError",
    "CorruptStructureError",
    "FileMissingError",
    "FormatError",
    "Inspection",
    "KeyMissingError",
    "Location",
    "NotFoundError",
    "ParentMismatchError",
    "ParentNotFoundError",
    "Pvp",
    "ReadLimitError",
    "SourceError",
    "UnknownFormatError",
    "UnsupportedFeatureError",
    "UsageError",
    "VDisk",
    "VDiskError",
    "ValueMissingError",
    "__version__",
    "inspect_path",
    "open_hive",
    "open_vdisk",
    "read_pvp",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    home = "vdiskkit.errors" if name in _ERRORS else _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
