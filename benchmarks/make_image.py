"""Build the big disk images that the benchmarks read: sparse VHD files with a real NTFS file system inside.

    python -m benchmarks.make_image            # the main image
    python -m benchmarks.make_image all        # every image of the table below

Needs root, FUSE, and the programs mkntfs and ntfs-3g. The images go to ``benchmarks/images``; one that is there
already is kept. Beside each lies a ``.json`` with the facts that the other scripts need.
"""

from __future__ import annotations

import contextlib
import json
import mmap
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from benchmarks.image_content import small_files, software, system
from tests.build.image import PartitionSpec, _write_gpt
from tests.build.make_base_volumes import components
from tests.build.vhd import BAT_OFFSET, write_vhd

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGES = Path(__file__).resolve().parent / "images"
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
BLOCK = 2 * MIB
CLUSTER = 4096
FIRST = MIB
SPARE = 64
SOFTWARE = "Windows/System32/config/SOFTWARE"
SYSTEM = "Windows/System32/config/SYSTEM"
SPP_STORE = "Windows/System32/spp/store/2.0/tokens.dat"
WINDOWS7_STORE = (
    "Windows/ServiceProfiles/NetworkService/AppData/Roaming/Microsoft/SoftwareProtectionPlatform/tokens.dat"
)


class ImageSpec(NamedTuple):
    """What an image holds. ``version`` is raised when the maker changes, so that old images are built anew."""

    disk_gib: int
    hive_mib: int
    files: int
    version: int = 7


SPECS = {
    "main": ImageSpec(40, 64, 21_000),
    "disk-10g": ImageSpec(10, 64, 21_000),
    "disk-1t": ImageSpec(1024, 64, 21_000),
    "hive-30m": ImageSpec(40, 30, 21_000),
    "hive-200m": ImageSpec(40, 200, 21_000),
    "quick": ImageSpec(10, 30, 4_000),
    "quick-large": ImageSpec(1024, 100, 4_000),
}


def ensure_image(name: str) -> Path:
    """Return the path of an image, built first when it is missing or made by an older version of this script."""
    spec = SPECS[name]
    image, facts = IMAGES / f"{name}.vhd", IMAGES / f"{name}.json"
    if image.exists() and facts.exists() and json.loads(facts.read_text())["spec"] == list(spec):
        return image
    for program in ("mkntfs", "ntfs-3g", "umount"):
        if shutil.which(program) is None:
            sys.exit(f"make_image: the program {program} is missing; install the package ntfs-3g")
    IMAGES.mkdir(exist_ok=True)
    facts.unlink(missing_ok=True)
    started = time.monotonic()
    found = _build(spec, image)
    facts.write_text(json.dumps({"spec": list(spec), **found}, indent=1) + "\n")
    print(f"{name}: {image.stat().st_size >> 20} MiB, made in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return image


def facts_of(image: Path) -> dict[str, Any]:
    """Return what is known of an image: hive size, runs of the token stores, ranges of the BAT and of $Bitmap."""
    facts: dict[str, Any] = json.loads(image.with_suffix(".json").read_text())
    return facts


def _build(spec: ImageSpec, image: Path) -> dict[str, Any]:
    size = spec.disk_gib * GIB
    with tempfile.TemporaryDirectory(dir=IMAGES) as scratch:
        volume, disk = Path(scratch, "volume.raw"), Path(scratch, "disk.raw")
        _truncate(volume, size - 2 * FIRST)
        # Hidden sectors, heads and sectors per track as Windows writes them for a partition at 1 MiB.
        _run("mkntfs", "-F", "-Q", "-q", "-L", "Windows", "-p", str(FIRST // 512), "-H", "255", "-S", "63", str(volume))
        mount = Path(scratch, "mount")
        chance = random.Random(spec.hive_mib)  # noqa: S311 - repeatable content, not secrets
        _write_in_runs(volume, mount, SOFTWARE, software(spec.hive_mib * MIB), 40)
        _write_in_runs(volume, mount, SYSTEM, system(), 8)
        _write_in_runs(volume, mount, SPP_STORE, chance.randbytes(9 * MIB), 291)
        _write_in_runs(volume, mount, WINDOWS7_STORE, chance.randbytes(4 * MIB), 516)
        with _mounted(volume, mount) as root:
            _fill(root, spec)
        found = _layout(volume)
        _truncate(disk, size)
        with volume.open("rb") as source, disk.open("r+b") as target:
            _copy_data(source.fileno(), target.fileno(), FIRST)
            with mmap.mmap(target.fileno(), size) as whole, memoryview(whole) as view, view[FIRST:-FIRST] as inside:
                # Only len() and slices are used there, so that a mapped file does instead of a bytearray.
                _write_gpt(cast("bytearray", whole), [(FIRST, PartitionSpec(cast("bytes", inside)))], 512)
        write_vhd(image, disk, block_size=BLOCK)
    return {**found, **_file_ranges(image, size, found["bitmap_runs"])}


def _fill(root: Path, spec: ImageSpec) -> None:
    """Write all the other files, in an order that scatters their MFT records and index entries."""
    chance = random.Random(spec.files)  # noqa: S311 - repeatable sizes and order, not secrets
    files = {path: data for path, data in small_files().items() if not (root / path).exists()}
    folders = list(components(max(spec.files // 40, 50)))
    for number in range(spec.files):
        if number < spec.files // 5:
            path = f"Windows/System32/module{chance.getrandbits(32):08x}.dll"
        else:
            path = f"Windows/WinSxS/{folders[number % len(folders)]}/file{number:05}.dll"
        files[path] = b"MZ" + bytes(chance.choice((200, 3_000, 9_000))) + b"end"
    for path in chance.sample(list(files), len(files)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(files[path])


def _write_in_runs(volume: Path, mount: Path, target: str, data: bytes, runs: int) -> None:
    """Write a file in ``runs`` runs.

    ntfs-3g keeps files whole where it can: a piece goes where the piece before it in the file ends, or right before
    the one that follows it. So pieces are written from the last to the first, and $Bitmap says meanwhile that
    everything is in use but a place as large as the file and a few clusters behind the MFT, for its growth.
    """
    clusters = -(-len(data) // CLUSTER)
    with volume.open("r+b") as file:
        at, length, mft_end = _places(file)
        start = _free_place(file, at, length, clusters + SPARE)
        marks = (1 << length * 8) - 1
        marks ^= ((1 << clusters + SPARE) - 1) << start
        marks ^= ((1 << SPARE) - 1) << mft_end
        file.seek(at)
        before = int.from_bytes(file.read(length), "little")
        marks &= ~before
        file.seek(at)
        file.write((before | marks).to_bytes(length, "little"))
    with _mounted(volume, mount) as root:
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        with (root / target).open("xb", buffering=0) as file:
            file.truncate(len(data))
            for number in reversed(range(runs)):
                first, end = (clusters * edge // runs * CLUSTER for edge in (number, number + 1))
                file.seek(first)
                file.write(data[first:end])
    with volume.open("r+b") as file:
        file.seek(at)
        after = int.from_bytes(file.read(length), "little")
        file.seek(at)
        file.write((after & ~marks).to_bytes(length, "little"))


def _places(file: BinaryIO) -> tuple[int, int, int]:
    """Offset and length of $Bitmap in a young volume, where it is in one run, and the cluster behind the MFT."""
    from dissect.ntfs import NTFS

    mft = NTFS(file).mft
    ((start, count),) = mft.get(6).dataruns()
    return start * CLUSTER, count * CLUSTER, sum(mft.get(0).dataruns()[-1])


def _free_place(file: BinaryIO, at: int, length: int, clusters: int) -> int:
    """First cluster, on a byte of the bitmap and in its upper half, of ``clusters`` free ones."""
    file.seek(at + length // 2)
    place = file.read(length // 2).find(bytes(clusters // 8 + 2))
    if place < 0:
        sys.exit("make_image: the volume has no free place that is large enough")
    return (length // 2 + place) * 8


def _layout(volume: Path) -> dict[str, Any]:
    """Ask dissect.ntfs for the runs of the files that matter; the counts are part of what is measured."""
    from dissect.ntfs import NTFS

    with volume.open("rb") as file:
        ntfs = NTFS(file)
        runs = {path: ntfs.mft.get(path).dataruns() for path in (SOFTWARE, SYSTEM, SPP_STORE, WINDOWS7_STORE)}
        sizes = {path: ntfs.mft.get(path).size() for path in runs}
        bitmap = ntfs.mft.get(6).dataruns()
    return {
        "hive_bytes": sizes[SOFTWARE],
        "files": {path: {"bytes": sizes[path], "runs": len(runs[path])} for path in runs},
        "bitmap_runs": [[start * CLUSTER, count * CLUSTER] for start, count in bitmap],
    }


def _file_ranges(image: Path, size: int, bitmap_runs: list[list[int]]) -> dict[str, Any]:
    """Where the BAT and $Bitmap lie in the VHD file, as [offset, length]."""
    entries = size // BLOCK
    with image.open("rb") as file:
        file.seek(BAT_OFFSET)
        table = memoryview(bytearray(file.read(entries * 4))).cast("I")
    ranges = []
    for start, length in bitmap_runs:
        at, end = FIRST + start, FIRST + start + length
        while at < end:
            part = min(BLOCK - at % BLOCK, end - at)
            sector = int.from_bytes(table[at // BLOCK].to_bytes(4, sys.byteorder), "big")
            if sector != 0xFFFFFFFF:
                ranges.append([sector * 512 + BLOCK // 512 // 8 + at % BLOCK, part])
            at += part
    return {"bat_range": [BAT_OFFSET, entries * 4], "bitmap_ranges": ranges}


def _truncate(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


def _copy_data(source: int, target: int, shift: int) -> None:
    """Copy the parts of a sparse file that hold data, ``shift`` bytes further into another."""
    at = 0
    while True:
        try:
            start = os.lseek(source, at, os.SEEK_DATA)
        except OSError:  # no data behind this place
            return
        at = os.lseek(source, start, os.SEEK_HOLE)
        for piece in range(start, at, 4 * MIB):
            os.pwrite(target, os.pread(source, min(4 * MIB, at - piece), piece), piece + shift)


@contextlib.contextmanager
def _mounted(volume: Path, folder: Path) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    _run("ntfs-3g", "-o", "big_writes,noatime", str(volume), str(folder))
    try:
        yield folder
    finally:
        _run("umount", str(folder))
        # ntfs-3g finishes after umount returns; the volume is free when it can be locked again.
        _run("ntfsfix", "-n", str(volume))


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"make_image: {' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def main() -> None:
    """Build the images that the command line names."""
    names = sys.argv[1:] or ["main"]
    if names == ["all"]:
        names = list(SPECS)
    for name in names:
        if name not in SPECS:
            sys.exit(f"make_image: no image is called {name}; there are: {', '.join(SPECS)}")
        ensure_image(name)


if __name__ == "__main__":
    main()
