"""What the benchmark images hold: the made-up Windows of the tests, with hives of real size."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.build import make_base_volumes
from tests.build.files import other_hives, user_hives, windows_files
from tests.build.windows import CURRENT_VERSION, software_hive, system_hive

if TYPE_CHECKING:
    from tests.build.hive import HiveBuilder

PRODUCT = "win10"


def software(size: int) -> bytes:
    """Return a SOFTWARE hive of at least ``size`` bytes."""
    return software_hive(
        PRODUCT,
        skip_rearm=1,
        kms={
            "": {"KeyManagementServiceName": "kms01.corp.example", "KeyManagementServicePort": "1688"},
            "WOW6432Node\\": {"KeyManagementServiceName": "kms01.corp.example"},
        },
        office=["2021"],
        edit=lambda hive: _enlarge(hive, size),
    )


def system() -> bytes:
    """Return a SYSTEM hive of a few megabytes."""
    return system_hive(PRODUCT, edit=lambda hive: hive.fill(r"ControlSet001\Enum\PCI", 8_000))


def small_files() -> dict[str, bytes]:
    """Files that an inspection looks at, and others of a plain Windows, by path."""
    plain = {**make_base_volumes.COMMON, **make_base_volumes.CONFIG, **make_base_volumes.STORES[PRODUCT]}
    files = {path: bytes(size) for path, size in plain.items() if not path.endswith("/")}
    hives = {f"Windows/System32/config/{name}": data for name, data in other_hives().items()}
    return {**files, **windows_files(PRODUCT), **hives, **user_hives()}


def _enlarge(hive: HiveBuilder, size: int) -> None:
    """Add what makes a SOFTWARE hive large: wide class trees and a servicing store with binary values.

    Cells are scattered: what belongs together is a page read each, as in the hive of an old installation.
    """
    hive.open_bins = 512
    chance = random.Random(size)  # noqa: S311 - repeatable content, not secrets
    for name in ("CLSID", "Interface", "TypeLib", "AppID"):
        hive.fill(rf"Classes\{name}", size // 2_100)
    for number in range(300):
        hive.key(rf"{CURRENT_VERSION}\Part{number:03}")
        hive.key(rf"Microsoft\Product{number:03}\Settings")
    store = r"Microsoft\Windows\CurrentVersion\SideBySide\Winners"
    for number in range(size // 4_900):
        hive.binary(rf"{store}\component-{number:06x}", "Identity", chance.randbytes(1800))
