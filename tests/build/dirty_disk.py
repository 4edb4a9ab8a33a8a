"""Whole vDisks whose hives were not written back: what they hold last is in the transaction logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.build.hive_log import DirtyHive, new_format, old_format
from tests.build.pair import PRIVATE, write_pair
from tests.build.scenario import windows_disk
from tests.build.windows import put, service_key, software_hive

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.build.hive import HiveBuilder

CONFIG = "Windows/System32/config"
LAST_HOST = "kms.last.example.com"


def dirty_software(product: str = "win10", *, old: bool = False, large: int = 0, **arguments: Any) -> DirtyHive:
    """SOFTWARE with SkipRearm 1 in the file, then 0 with a KMS host, then 1 again with another host, in the logs.

    Args:
        product: Whose.
        old: Logs in the format of Windows 7.
        large: Bytes of a value that only the last state has: its hive is longer.
        arguments: For ``new_format`` or ``old_format``.
    """
    service = service_key(product)

    def last(builder: HiveBuilder) -> None:
        put(builder, rf"{service}\Only in the log", {"Number": 7})
        if large:
            put(builder, service, {"Large": bytes(range(256)) * (large // 256)})

    def host(name: str) -> dict[str, dict[str, str]]:
        return {"": {"KeyManagementServiceName": name}}

    states = [
        software_hive(product, skip_rearm=1),
        software_hive(product, skip_rearm=0, kms=host("kms.first.example.com")),
        software_hive(product, skip_rearm=1, kms=host(LAST_HOST), edit=last),
    ]
    return old_format(states, **arguments) if old else new_format(states, **arguments)


def dirty_disk(
    folder: Path,
    dirty: DirtyHive,
    name: str = "switched-off",
    *,
    product: str = "win10",
    hive: str = "SOFTWARE",
    kind: str = "dynamic",
    side_car: Mapping[str, int] | None = None,
    **arguments: Any,
) -> Path:
    """Write the vDisk, in Private mode; return its path.

    Args:
        folder: Where.
        dirty: The hive and its logs.
        name: Of the vDisk.
        product: Of the Windows on it.
        hive: Which hive it is.
        kind: Of the container; ``differencing`` is a version without content over a disk that has it all.
        side_car: Fields of the side-car.
        arguments: For ``windows_disk``.
    """
    files = {f"{CONFIG}/{file}": data for file, data in dirty.files(hive).items()}
    raw = windows_disk(product, files=files, **arguments)
    pvp = side_car or {"write_cache_type": PRIVATE, "license_mode": 0}
    if kind != "differencing":
        return write_pair(folder, name, raw, kind=kind, pvp=pvp)
    parent = write_pair(folder, name, raw, pvp={})
    return write_pair(folder, f"{name}.1", raw, kind=kind, pvp=pvp, extension="avhd", parent=parent, parent_raw=raw)
