"""A VHDX chain in a folder that was switched off, not shut down: logs everywhere, and the truth is in them.

The base is sealed and clean. Version 1 was updated, then the power went: its SOFTWARE hive was not written back (the
KMS host and SkipRearm 0 are in the hive's transaction logs alone), and neither was the file's own log.
"""

from __future__ import annotations

import functools
import uuid
from typing import TYPE_CHECKING

from tests.build.hive_log import DirtyHive, new_format
from tests.build.image import MIB
from tests.build.pair import PRIVATE, disk_id, manifest, side_car
from tests.build.vhdx import PAGE, Image, Page, build_vhdx, link_to, put_log
from tests.build.windows import software_hive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

_NAME = "desk11"
_LOGGED_PAGES = 24
_STALE = b"\xdb"


def desk11(folder: Path, windows_disk: Callable[..., bytes]) -> Path:
    """Write ``desk11.vhdx`` and ``desk11.1.avhdx`` with side-cars and manifest; return the newer one.

    Args:
        folder: Where.
        windows_disk: As in :mod:`tests.build.scenario`.
    """
    raw = windows_disk("win11")
    dirty = _switched_off()
    newer = windows_disk(
        "win11",
        software={"sequence": _SEQUENCE, "skip_rearm": 1},
        system={"write_cache_type": PRIVATE},
        files={f"Windows/System32/config/{name}": data for name, data in dirty.files("SOFTWARE").items()},
    )
    base = build_vhdx("dynamic", len(raw), MIB, _blocks(raw), data_write=uuid.UUID(bytes=disk_id(_NAME)), name=_NAME)
    child = build_vhdx(
        "differencing",
        len(raw),
        MIB,
        _changed(raw, newer),
        parent=link_to(base, rf".\{_NAME}.vhdx"),
        data_write=uuid.UUID(bytes=disk_id(f"{_NAME}.1")),
    )
    _leave_in_log(child)
    disks = [base.save(folder / f"{_NAME}.vhdx"), child.save(folder / f"{_NAME}.1.avhdx")]
    for number, disk in enumerate(disks):
        fields: dict[str, Any] = {"original_file": disk.name, "build": 3 + number}
        fields |= {"write_cache_type": PRIVATE} if number else {}
        disk.with_suffix(".pvp").write_bytes(side_car(disk.name.removesuffix(disk.suffix), len(raw), MIB, **fields))
    text = manifest(list(enumerate(disks)))
    (folder / f"{_NAME}.xml").write_text(text, encoding="utf-8", newline="\r\n")
    return disks[-1]


_SEQUENCE = 201


@functools.cache
def _switched_off() -> DirtyHive:
    """SOFTWARE as it is on disk, and its logs: first the KMS host was set, then SkipRearm cleared."""
    host = {"": {"KeyManagementServiceName": "kms11.example.com", "KeyManagementServicePort": "1688"}}
    states = [
        software_hive("win11", sequence=_SEQUENCE, skip_rearm=1),
        software_hive("win11", sequence=_SEQUENCE, skip_rearm=1, kms=host),
        software_hive("win11", sequence=_SEQUENCE, skip_rearm=0, kms=host),
    ]
    return new_format(states, split=1, swapped=True)


def _blocks(raw: bytes) -> dict[int, bytes]:
    blocks = {at: raw[at : at + MIB] for at in range(0, len(raw), MIB)}
    return {at: data for at, data in blocks.items() if any(data)}


def _changed(old: bytes, new: bytes) -> dict[int, bytes]:
    pages = {at: new[at : at + PAGE] for at in range(0, len(new), PAGE)}
    return {at: data for at, data in pages.items() if data != old[at : at + PAGE]}


def _leave_in_log(child: Image) -> None:
    """Move the newest content of some pages, the table's among them, out of their places into the file's log."""
    end = child.size
    table = child.region(uuid.UUID("2dc27766-f623-4200-9d64-115e9bfd4a08"))
    places = [table, *(end - MIB + at for at in range(0, MIB, PAGE))]
    pages = [Page(at, child.read_at(at, PAGE)) for at in places if any(child.read_at(at, PAGE))][:_LOGGED_PAGES]
    put_log(child, [pages[:8], pages[8:]], start=250 * PAGE)
    for page in pages[1:]:
        child.write(page.offset, _STALE * PAGE)
    child.write(table, bytes(PAGE))
    child.reads.clear()
