"""The files of a vDisk in a folder: disk, side-car, lock, export manifest."""

from __future__ import annotations

import datetime as dt
import os
import uuid
from typing import TYPE_CHECKING, Any

from tests.build.hive import filetime
from tests.build.pvp import build_pvp
from tests.build.vhd import ParentLink, build_vhd, chs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_IDS = uuid.UUID("2f0d0e5a-3b8a-4a8e-8f0d-6d1f8d3f7b10")
SEALED = dt.datetime(2023, 6, 14, 9, 30, tzinfo=dt.UTC)
SMALL_BLOCKS = 512 * 1024  # keeps sparse disks small; PVS offers it besides 2 and 16 MiB
PRIVATE, RAM_OVERFLOW = 0, 9
NONE, MAK_MODE, KMS_MODE = range(3)


def disk_id(name: str) -> bytes:
    """The unique id of a disk file, the same in every run."""
    return uuid.uuid5(_IDS, name).bytes


def write_pair(
    folder: Path,
    name: str,
    raw: bytes,
    *,
    kind: str = "dynamic",
    block_size: int = SMALL_BLOCKS,
    pvp: Mapping[str, Any] | None = None,
    extension: str = "vhd",
    parent: Path | None = None,
    parent_raw: bytes = b"",
    lock: bool = False,
) -> Path:
    """Write ``name.vhd`` (or another extension) and ``name.pvp``; return the disk's path.

    Args:
        folder: Where.
        name: Name without extension, such as ``desk`` or ``desk.1``.
        raw: The whole virtual disk.
        kind: ``fixed``, ``dynamic`` or ``differencing``.
        block_size: Bytes of a block.
        pvp: Fields of the side-car that differ from the usual; None: no side-car.
        extension: Of the disk file.
        parent: For a differencing file: its parent's path.
        parent_raw: For a differencing file: the whole virtual disk of the parent.
        lock: Whether a ``.lok`` lies beside it.
    """
    disk = folder / f"{name}.{extension}"
    content: bytes | dict[int, bytes] = raw
    link = None
    if parent is not None:
        kind, content, link = (
            "differencing",
            _changed_clusters(parent_raw, raw),
            ParentLink.to(parent)._replace(timestamp=_since_2000(SEALED)),
        )
    aligned = kind != "fixed"
    disk.write_bytes(
        build_vhd(
            kind,
            len(raw),
            block_size,
            content,
            parent=link,
            unique_id=disk_id(name),
            aligned_4k=aligned,
            timestamp=_since_2000(SEALED),
        )
    )
    if pvp is not None:
        (folder / f"{name}.pvp").write_bytes(side_car(name, len(raw), block_size, **pvp))
    if lock:
        (folder / f"{name}.lok").write_bytes(bytes(64))
    return disk


def _since_2000(when: dt.datetime) -> int:
    return int((when - dt.datetime(2000, 1, 1, tzinfo=dt.UTC)).total_seconds())


def _changed_clusters(old: bytes, new: bytes) -> dict[int, bytes]:
    """What a differencing file of ``new`` holds: Windows writes whole clusters, not single sectors."""
    size = 4096
    places = range(0, len(new), size)
    return {at: new[at : at + size] for at in places if new[at : at + size] != old[at : at + size]}


def side_car(name: str, size: int, block_size: int = SMALL_BLOCKS, **fields: Any) -> bytes:
    """Return a ``.pvp`` as PVS would write it for this disk."""
    cylinders, heads, sectors = chs(size)
    usual = {
        "write_cache_type": RAM_OVERFLOW,
        "write_cache_size": 256,
        "license_mode": KMS_MODE,
        "properties_update_time": filetime(SEALED),
        "ad_password_enabled": 1,
        "cylinders": cylinders,
        "heads": heads,
        "sectors_per_track": sectors,
        "total_sectors": size // 512,
        "vhd_block_size": block_size,
        "description": f"master image {name}",
        "author": "Image Team",
        "title": name,
        "company": "Example Corp",
        "date": "2023-06-14",
        "original_file": f"{name}.vhd",
        "internal_name": name,
        "major_release": 1,
        "minor_release": 2,
        "build": 3,
    }
    return build_pvp(**{**usual, **fields})


def manifest(entries: Iterable[tuple[int, Path]], *, description: str = "version") -> str:
    """Return an export manifest for (version number, disk) pairs; the disks get the times that it states."""
    entries = list(entries)
    for number, disk in entries:
        written = (SEALED + dt.timedelta(days=number)).timestamp()
        os.utime(disk, (written, written))
    versions = "".join(
        f"""  <version>
    <versionNumber>{number}</versionNumber>
    <description>{f"{description} {number}" if number else "first image"}</description>
    <type>{1 if number else 0}</type>
    <access>0</access>
    <createDate>2023-06-{14 + number:02} 08:30:00</createDate>
    <scheduledDate></scheduledDate>
    <deleteWhenFree>0</deleteWhenFree>
    <diskFileName>{disk.name}</diskFileName>
    <size>{disk.stat().st_size}</size>
    <lastWriteTime>2023-06-{14 + number:02}T09:30:00</lastWriteTime>
  </version>
"""
        for number, disk in entries
    )
    head = '<?xml version="1.0" encoding="utf-8"?>\n<versionManifest>\n  <startingVersion>0</startingVersion>\n'
    return f"{head}{versions}</versionManifest>\n"
