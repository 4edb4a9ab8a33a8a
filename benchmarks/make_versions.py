"""Build the VHDX files and the chains of ten versions that the budgets read, out of the images of ``make_image``.

    python -m benchmarks.make_versions         # those of the main image

Each set is a folder in ``benchmarks/images`` with a ``facts.json``; one that is there already is kept. What a version
has changed is what Windows changes at every start, and what an inspection reads: half of the places that one of the
source image looks at, and 16 KiB more in every 32 MiB that are in use. The files below have other bytes there.
"""

from __future__ import annotations

import io
import json
import random
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import vdiskkit
from benchmarks.counting import CountingFile
from benchmarks.make_image import FIRST, IMAGES, KIB, MIB, ensure_image, facts_of
from tests.build.vhd import ParentLink, _set_bits, _Spec, _write_sparse, chs
from tests.build.vhdx import BAT_REGION, FULL, build_vhdx, link_to
from vdiskkit.container import ExtentKind, open_container
from vdiskkit.io import FileSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from tests.build.vhdx import Image
    from vdiskkit.container import Extent, VirtualDisk

VERSION = 2
KINDS = ("vhdx", "vhdx-fixed", "vhd-versions", "vhdx-versions")
VERSIONS = 10
SLOT = 16 * KIB
VHD_BLOCK, VHDX_BLOCK = 2 * MIB, 32 * MIB
"""What Provisioning Services makes when nothing else is said."""
SCATTERED_SLOTS = 1
WRONG = b"\xdb" * SLOT


class FileRanges(NamedTuple):
    """Where the block allocation table and $Bitmap are in a file, as [offset, length]."""

    bat: list[int]
    bitmap: list[list[int]]


def ensure_versions(source: str, kind: str) -> Path:
    """Return the disk, the newest one of a chain, built first when it is missing or made by an older script."""
    image = ensure_image(source)
    folder = IMAGES / f"{source}-{kind}"
    made_from = [VERSION, *facts_of(image)["spec"]]
    facts = folder / "facts.json"
    if facts.exists() and json.loads(facts.read_text())["made_from"] == made_from:
        return folder / str(json.loads(facts.read_text())["newest"])
    started = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with FileSource(str(image)) as file:
        maker = _Maker(open_container(file, path=None), image, folder)
        newest, ranges = maker.chain(kind) if kind.endswith("versions") else maker.single(kind)
    found = {"made_from": made_from, "newest": newest, "ranges": ranges}
    facts.write_text(json.dumps(found, indent=1) + "\n")
    print(f"{folder.name}: made in {time.monotonic() - started:.0f} s", file=sys.stderr)
    return folder / newest


def ranges_of(disk: Path) -> dict[str, FileRanges]:
    """Return where the block allocation table and $Bitmap are, by the names of the files in a disk's folder."""
    facts: dict[str, Any] = json.loads((disk.parent / "facts.json").read_text())
    return {name: FileRanges(*ranges) for name, ranges in facts["ranges"].items()}


class _Maker:
    def __init__(self, disk: VirtualDisk, image: Path, folder: Path) -> None:
        self._disk = disk
        self._image = image
        self._folder = folder
        self._facts = facts_of(image)
        self._data = [extent for extent in disk.map(0, disk.size) if extent.kind is ExtentKind.FILE]

    def single(self, kind: str) -> tuple[str, dict[str, FileRanges]]:
        path = self._folder / "disk.vhdx"
        _image, ranges = self._vhdx(path, fixed=kind == "vhdx-fixed")
        return path.name, {path.name: ranges}

    def chain(self, kind: str) -> tuple[str, dict[str, FileRanges]]:
        versions = self._slots_of_versions()
        owners: dict[int, int] = {}
        for number, slots in enumerate(versions, 1):
            owners.update(dict.fromkeys(slots, number))
        contents = [
            {slot: self._disk.read_at(slot, SLOT) if owners[slot] == number else WRONG for slot in slots}
            for number, slots in enumerate(versions, 1)
        ]
        return (self._vhdx_chain if kind == "vhdx-versions" else self._vhd_chain)(sorted(owners), contents)

    def _slots_of_versions(self) -> list[list[int]]:
        """Return for each version the offsets on the disk of the 16 KiB that it has changed."""
        chance = random.Random(VERSIONS)  # noqa: S311 - repeatable places, not secrets
        bitmap = [(FIRST + start, FIRST + start + length) for start, length in self._facts["bitmap_runs"]]
        looked_at = sorted({at - at % SLOT for at in self._inspected()})
        areas: dict[int, list[int]] = {}
        for extent in self._data:
            for at in range(extent.virtual_offset, extent.virtual_offset + extent.length, VHD_BLOCK):
                areas.setdefault(at // VHDX_BLOCK, []).append(at)
        versions = []
        for _ in range(VERSIONS):
            slots = set(chance.sample(looked_at, len(looked_at) // 2))
            for blocks in areas.values():
                for _ in range(SCATTERED_SLOTS):
                    slots.add(chance.choice(blocks) + chance.randrange(VHD_BLOCK // SLOT) * SLOT)
            free = (slot for slot in slots if all(slot + SLOT <= start or slot >= end for start, end in bitmap))
            versions.append(sorted(slot for slot in free if slot + SLOT <= self._disk.size))
        return versions

    def _inspected(self) -> Iterator[int]:
        """Yield where on the disk an inspection of the source image reads."""
        file = CountingFile(self._image)
        with file, vdiskkit.open_vdisk(cast("BinaryIO", file)) as disk:
            disk.inspect()
        for at, length in file.reads:
            for extent in self._data:
                inside = at - cast("int", extent.file_offset)
                if 0 <= inside < extent.length and length < MIB:
                    yield extent.virtual_offset + inside

    def _vhdx(self, path: Path, *, fixed: bool = False) -> tuple[Image, FileRanges]:
        """Write the disk as one VHDX, its data copied behind the structures."""
        used = {at // VHDX_BLOCK for extent in self._data for at in _steps(extent, VHDX_BLOCK)}
        image = build_vhdx(
            "fixed" if fixed else "dynamic", self._disk.size, VHDX_BLOCK, states=dict.fromkeys(sorted(used), FULL)
        )
        image.save(path)
        places = _Places(image, self._disk.size)
        with path.open("r+b") as target, self._image.open("rb") as source:
            for extent in self._data:
                for at, length in _parts(extent.virtual_offset, extent.length, VHDX_BLOCK):
                    source.seek(cast("int", extent.file_offset) + at - extent.virtual_offset)
                    target.seek(places.of(at))
                    _copy(source, target, length)
        bitmap = [
            [places.of(at), length]
            for start, size in self._facts["bitmap_runs"]
            for at, length in _parts(FIRST + start, size, VHDX_BLOCK)
            if at // VHDX_BLOCK in used
        ]
        return image, FileRanges(places.table, bitmap)

    def _vhdx_chain(self, wrong: list[int], contents: list[dict[int, bytes]]) -> tuple[str, dict[str, FileRanges]]:
        path = self._folder / "disk.vhdx"
        image, found = self._vhdx(path)
        places = _Places(image, self._disk.size)
        with path.open("r+b") as target:
            for slot in wrong:
                target.seek(places.of(slot))
                target.write(WRONG)
        ranges = {path.name: found}
        for number, content in enumerate(contents, 1):
            parent = link_to(image, f".\\{path.name}")
            path = self._folder / f"disk.{number}.avhdx"
            image = build_vhdx("differencing", self._disk.size, VHDX_BLOCK, content, parent=parent)
            image.save(path)
            ranges[path.name] = FileRanges(_Places(image, self._disk.size).table, [])
        return path.name, ranges

    def _vhd_chain(self, wrong: list[int], contents: list[dict[int, bytes]]) -> tuple[str, dict[str, FileRanges]]:
        path = self._folder / "disk.vhd"
        subprocess.run(["cp", "--sparse=always", self._image, path], check=True)
        with path.open("r+b") as target:
            for slot in wrong:
                for extent in self._disk.map(slot, SLOT):
                    if extent.file_offset is not None:
                        target.seek(extent.file_offset)
                        target.write(WRONG[: extent.length])
        ranges = {path.name: FileRanges(self._facts["bat_range"], self._facts["bitmap_ranges"])}
        for number, content in enumerate(contents, 1):
            parent = ParentLink.to(path)
            path = self._folder / f"disk.{number}.avhd"
            _write_vhd_version(path, self._disk.size, parent, number, content)
            ranges[path.name] = FileRanges(_vhd_table(path), [])
        return path.name, ranges


class _Places:
    """Where the blocks of a VHDX are in its file."""

    def __init__(self, image: Image, size: int) -> None:
        self._image = image
        self._ratio = (1 << 23) * 512 // VHDX_BLOCK
        start = image.region(BAT_REGION)
        blocks = -(-size // VHDX_BLOCK)
        self.table = [start, (blocks + (blocks - 1) // self._ratio) * 8]

    def of(self, at: int) -> int:
        block, inside = divmod(at, VHDX_BLOCK)
        return (self._image.entry(block + block // self._ratio) >> 20 << 20) + inside


def _write_vhd_version(path: Path, size: int, parent: ParentLink, number: int, content: dict[int, bytes]) -> None:
    """Write a differencing VHD block by block: as a whole it does not fit in memory."""
    spec = _Spec(
        "differencing", size, VHD_BLOCK, parent, b"win ", 0x000A0000, b"Wi2k", bytes([number]) * 16, parent.timestamp,
        chs(size), aligned_4k=False, batmap=False, extra_bat_entries=0,
    )  # fmt: skip
    blocks: dict[int, list[int]] = {}
    for slot in content:
        blocks.setdefault(slot // VHD_BLOCK, []).append(slot)

    def filled() -> Iterator[tuple[int, bytes, bytes]]:
        for block, slots in sorted(blocks.items()):
            bits, data = bytearray(spec.bitmap_size), io.BytesIO(bytes(VHD_BLOCK))
            for slot in slots:
                inside = slot % VHD_BLOCK
                data.seek(inside)
                data.write(content[slot])
                _set_bits(bits, inside // 512, (inside + SLOT) // 512)
            yield block, bytes(bits), data.getvalue()

    with path.open("wb") as target:
        _write_sparse(target, spec, filled())


def _vhd_table(path: Path) -> list[int]:
    with path.open("rb") as file:
        file.seek(512 + 16)
        at = int.from_bytes(file.read(8), "big")
        file.seek(512 + 28)
        return [at, int.from_bytes(file.read(4), "big") * 4]


def _steps(extent: Extent, block: int) -> range:
    first = extent.virtual_offset - extent.virtual_offset % block
    return range(first, extent.virtual_offset + extent.length, block)


def _parts(at: int, length: int, block: int) -> Iterator[tuple[int, int]]:
    """Yield offset and length of the parts of a range that do not cross a block's end."""
    end = at + length
    while at < end:
        part = min(block - at % block, end - at)
        yield at, part
        at += part


def _copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
    """Copy bytes and leave holes where they are zeros."""
    at = target.tell()
    while length:
        data = source.read(min(length, 64 * KIB))
        if data.strip(b"\0"):
            target.seek(at)
            target.write(data)
        at += len(data)
        length -= len(data)


def main() -> None:
    """Build all sets of the images that the command line names."""
    for source in sys.argv[1:] or ["main"]:
        for kind in KINDS:
            ensure_versions(source, kind)


if __name__ == "__main__":
    main()
