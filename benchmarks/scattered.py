"""The worst image for the size of a change: token stores in 807 runs, each in another sector of $Bitmap.

    python -m benchmarks.scattered

Made like the images of ``make_image``, without a partition table and with fewer files. A sector of $Bitmap speaks of
4096 clusters, so there is one run in every 16 MiB of the volume, and a block of the VHD for each.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

from benchmarks.image_content import small_files, software, system
from benchmarks.make_image import (
    BLOCK,
    CLUSTER,
    GIB,
    IMAGES,
    MIB,
    SOFTWARE,
    SPARE,
    SPP_STORE,
    SYSTEM,
    WINDOWS7_STORE,
    _mounted,
    _places,
    _run,
    _truncate,
)
from tests.build.vhd import write_vhd

VERSION = 1
SIZE = 40 * GIB
PER_SECTOR = 512 * 8
"""Clusters that one sector of $Bitmap speaks of."""
FIRST_SECTOR = 1280
"""In the middle of the volume; before it lie the MFT, what is kept free for its growth, and $Bitmap."""
STORES = {SPP_STORE: (9 * MIB, 291), WINDOWS7_STORE: (4 * MIB, 516)}


def ensure_scattered() -> Path:
    """Return the path of the image, built first when it is missing or made by an older version of this script."""
    image, facts = IMAGES / "scattered.vhd", IMAGES / "scattered.json"
    if image.exists() and facts.exists() and json.loads(facts.read_text())["version"] == VERSION:
        return image
    IMAGES.mkdir(exist_ok=True)
    facts.unlink(missing_ok=True)
    sectors = _build(image)
    facts.write_text(json.dumps({"version": VERSION, "bitmap_sectors": sectors}) + "\n")
    return image


def bitmap_sectors() -> int:
    """Return in how many sectors of $Bitmap the runs of the stores lie."""
    found: int = json.loads((IMAGES / "scattered.json").read_text())["bitmap_sectors"]
    return found


def _build(image: Path) -> int:
    with tempfile.TemporaryDirectory(dir=IMAGES) as scratch:
        volume, mount = Path(scratch, "volume.raw"), Path(scratch, "mount")
        _truncate(volume, SIZE)
        _run("mkntfs", "-F", "-Q", "-q", "-L", "Windows", "-p", "0", "-H", "255", "-S", "63", str(volume))
        with _mounted(volume, mount) as root:
            for path, data in {**small_files(), SOFTWARE: software(30 * MIB), SYSTEM: system()}.items():
                if path not in STORES:
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    (root / path).write_bytes(data)
        chance = random.Random(SIZE)  # noqa: S311 - repeatable content, not secrets
        sector = FIRST_SECTOR
        for path, (size, runs) in STORES.items():
            _write_scattered(volume, mount, path, chance.randbytes(size), sector, runs)
            sector += runs
        found = _sectors_of_stores(volume)
        write_vhd(image, volume, block_size=BLOCK)
    return found


def _write_scattered(volume: Path, mount: Path, target: str, data: bytes, sector: int, runs: int) -> None:
    """Write a file in ``runs`` runs, the first in a given sector of $Bitmap, each following one in the next.

    $Bitmap says meanwhile that everything is in use but a place for each run and a few clusters behind the MFT.
    """
    clusters = len(data) // CLUSTER
    edges = [clusters * number // runs for number in range(runs + 1)]
    with volume.open("r+b") as file:
        at, length, mft_end = _places(file)
        marks = (1 << length * 8) - 1
        marks ^= ((1 << SPARE) - 1) << mft_end
        for number in range(runs):
            marks ^= ((1 << edges[number + 1] - edges[number]) - 1) << (sector + number) * PER_SECTOR
        before = _read(file, at, length)
        marks &= ~before
        _write(file, at, length, before | marks)
    with _mounted(volume, mount) as root:
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        with (root / target).open("xb", buffering=0) as file:
            for first, end in itertools.pairwise(edges):
                file.write(data[first * CLUSTER : end * CLUSTER])
    with volume.open("r+b") as file:
        _write(file, at, length, _read(file, at, length) & ~marks)


def _read(file: BinaryIO, at: int, length: int) -> int:
    file.seek(at)
    return int.from_bytes(file.read(length), "little")


def _write(file: BinaryIO, at: int, length: int, bits: int) -> None:
    file.seek(at)
    file.write(bits.to_bytes(length, "little"))


def _sectors_of_stores(volume: Path) -> int:
    """Ask dissect.ntfs in how many sectors of $Bitmap the runs of the stores lie."""
    from dissect.ntfs import NTFS

    with volume.open("rb") as file:
        ntfs = NTFS(file)
        return len({start // PER_SECTOR for path in STORES for start, _ in ntfs.mft.get(path).dataruns()})


if __name__ == "__main__":
    print(f"{ensure_scattered()}: the runs lie in {bitmap_sectors()} sectors of $Bitmap")
    sys.exit()
