"""The benchmarks' own arithmetic, and the read budgets on the samples, where they cost no big image."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest

import vdiskkit
from benchmarks import budgets
from benchmarks.budgets import Ledger, Reads, count_reads
from benchmarks.counting import CountingFile, counted_opens
from tests.build.vhd import BAT_OFFSET, ParentLink, build_vhd
from tests.build.vhdx import build_vhdx, link_to
from vdiskkit.container import open_container
from vdiskkit.io import FileSource

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


@pytest.mark.parametrize("name", ["win7-kms", "win10-private-mak", "faulty", "hostile"])
def test_inspecting_a_sample_keeps_the_read_budget(name: str) -> None:
    image = budgets.ROOT / "sample_images" / f"{name}.vhd"
    file = CountingFile(image)
    with file, vdiskkit.open_vdisk(cast("BinaryIO", file)) as disk:
        disk.inspect()
    assert sum(length for _, length in file.reads) <= budgets.INSPECT_BYTES
    assert len(file.reads) <= budgets.INSPECT_CALLS


def test_reads_are_sorted_by_what_they_are_for(tmp_path: Path) -> None:
    image = tmp_path / "disk.vhd"
    image.write_bytes(build_vhd("dynamic", 8 * MIB, content={0: b"a" * 512, 6 * MIB: b"b" * 512}))
    bat = [BAT_OFFSET, 16]
    facts = {"bat_range": bat, "bitmap_ranges": [[8192, 4096]]}
    image.with_suffix(".json").write_text(json.dumps(facts), encoding="ascii")
    plain = count_reads(image, lambda _disk: None)
    assert plain.bat_bytes >= 16
    assert plain.bitmap_bytes == 0

    def read_more(disk: vdiskkit.VDisk) -> None:
        disk.file.read_at(8192, 4096)  # $Bitmap, whole
        disk.file.read_at(8000, 400)  # 192 bytes before it and 208 of it
        disk.file.read_at(BAT_OFFSET + 4, 8)

    more = count_reads(image, read_more)
    assert Reads(*(after - before for after, before in zip(more, plain, strict=True))) == Reads(
        other_bytes=192, other_calls=1, bat_bytes=8, bat_calls=1, bitmap_bytes=4304, bitmap_calls=1
    )


def test_a_ledger_remembers_what_was_exceeded(capsys: pytest.CaptureFixture[str]) -> None:
    ledger = Ledger()
    ledger.check("calls", 200, 200, "calls")
    assert ledger.kept
    ledger.check("bytes", 2001, 2000, "bytes")
    ledger.check("memory", 1, 2, "MiB")
    assert not ledger.kept
    assert capsys.readouterr().out.splitlines()[1] == "OVER  bytes: 2,001 bytes, budget 2,000"


SLOT = 16 << 10
VERSIONS = 10


def content_of(name: str) -> tuple[int, dict[int, bytes]]:
    """Return the size of a sample's disk and what it has, by offset, in pieces of 16 KiB."""
    image = budgets.ROOT / "sample_images" / f"{name}.vhd"
    with FileSource(str(image)) as source:
        disk = open_container(source, path=None)
        pieces = {at: disk.read_at(at, min(SLOT, disk.size - at)) for at in range(0, disk.size, SLOT)}
        return disk.size, {at: data for at, data in pieces.items() if any(data)}


def build_chain(container: str, folder: Path, size: int, content: dict[int, bytes]) -> Path:
    """Write a base and ten versions: half of the places are the base's, the others some version's and wrong below."""
    chance = random.Random(container)  # noqa: S311 - repeatable, not secret
    owner = {at: chance.choice((0, chance.randint(1, VERSIONS))) for at in content}
    below = {at: data if not owner[at] else b"\xdb" * len(data) for at, data in content.items()}
    versions = [
        {at: content[at] if owner[at] == number else b"\xdb" * len(content[at]) for at in owner
         if owner[at] == number or (number < owner[at] and chance.random() < 0.3)}
        for number in range(1, VERSIONS + 1)
    ]  # fmt: skip
    if container == "vhd":
        path = folder / "disk.vhd"
        path.write_bytes(build_vhd("dynamic", size, content=below))
        for number, own in enumerate(versions, 1):
            data = build_vhd(
                "differencing", size, content=own, parent=ParentLink.to(path), unique_id=bytes([number]) * 16
            )
            path = folder / f"disk.{number}.avhd"
            path.write_bytes(data)
        return path
    image = build_vhdx("dynamic", size, 32 * MIB, below)
    path = image.save(folder / "disk.vhdx")
    for number, own in enumerate(versions, 1):
        image = build_vhdx("differencing", size, 32 * MIB, own, parent=link_to(image, f".\\{path.name}"))
        path = image.save(folder / f"disk.{number}.avhdx")
    return path


def inspected(path: Path) -> tuple[list[tuple[int, int]], object]:
    with counted_opens() as files, vdiskkit.open_vdisk(path) as disk:
        facts = disk.inspect()
    # Each file of a chain once: who it is was read when it was opened.
    assert sorted(str(file.path) for file in files if file.path.suffix != ".pvp") == sorted(
        str(item.path) for item in disk.container.chain
    )
    return [read for file in files for read in file.reads], (facts.windows, facts.licensing, facts.volume)


@pytest.mark.parametrize("container", ["vhd", "vhdx"])
def test_a_version_costs_little(container: str, tmp_path: Path) -> None:
    alone, answer = inspected(budgets.ROOT / "sample_images" / "win10-private-mak.vhd")
    reads, same = inspected(build_chain(container, tmp_path, *content_of("win10-private-mak")))
    assert same == answer
    spent = sum(length for _, length in reads)
    assert spent <= budgets.INSPECT_BYTES + VERSIONS * budgets.VERSION_BYTES
    # Block allocation tables included: those of a disk of this size are small.
    assert spent - sum(length for _, length in alone) <= VERSIONS * budgets.VERSION_BYTES
    assert len(reads) - len(alone) <= VERSIONS * budgets.VERSION_CALLS


@pytest.mark.parametrize("kind", ["dynamic", "fixed"])
def test_a_vhdx_keeps_the_read_budget(kind: str, tmp_path: Path) -> None:
    size, content = content_of("win7-kms")
    path = build_vhdx(kind, size, 32 * MIB, content).save(tmp_path / "disk.vhdx")
    reads, _answer = inspected(path)
    assert sum(length for _, length in reads) <= budgets.INSPECT_BYTES
    assert len(reads) <= budgets.INSPECT_CALLS
