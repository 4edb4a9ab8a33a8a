"""Chains with damaged files: shown and judged as far as they go, whatever is in the headers of any of them.

Half of the rounds put checksums right again, so that what lies behind them is reached. More rounds than the few of the
default run: ``VDISKKIT_FUZZ_ROUNDS=2000``.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.build.vhd import with_checksum
from tests.build.vhdx import HEADERS, MIB, REGION_TABLES, TABLE_SIZE, with_crc
from tests.fuzz.test_inspect import ROUNDS
from tests.unit.chain.stores import describe, vhd_chain, vhdx_chain
from vdiskkit.inspection.blocks import read_block_map
from vdiskkit.report.chain_text import chain_lines
from vdiskkit.report.style import Style

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PLACES = {
    "vhd": [(0, 4096)],
    # Headers, region tables, the metadata table and its items, the block table, a bitmap.
    "vhdx": [
        *((place, 80) for place in HEADERS),
        *((place, 96) for place in REGION_TABLES),
        (2 * MIB, 224),
        (2 * MIB + TABLE_SIZE, 400),
        (3 * MIB, 64),
        (4 * MIB, 64),
    ],
}
_MENDED = {"vhdx": [*((place, 4096) for place in HEADERS), *((place, TABLE_SIZE) for place in REGION_TABLES)]}


def damage(data: bytearray, kind: str, chance: random.Random, *, mend: bool) -> bytearray:
    places = [place for place in _PLACES[kind] if place[0] + place[1] <= len(data)]
    if kind == "vhd":
        places.append((len(data) - 512, 90))
    for _ in range(chance.randint(1, 6)):
        offset, length = chance.choice(places)
        at = offset + chance.randrange(length)
        data[at] = chance.choice((0, 0xFF, data[at] ^ 1 << chance.randrange(8), chance.randrange(256)))
    if mend and kind == "vhd":
        data[:512] = with_checksum(bytes(data[:512]), 64)
        data[512:1536] = with_checksum(bytes(data[512:1536]), 36)
        data[-512:] = with_checksum(bytes(data[-512:]), 64)
    for at, length in _MENDED.get(kind, ()) if mend else ():
        data[at : at + length] = with_crc(bytes(data[at : at + length]))
    if chance.randrange(8) == 0:
        del data[chance.randrange(len(data)) :]
    return data


def survey(path: Path) -> None:
    """Survey a disk, when it can be opened."""
    try:
        disk = vdiskkit.open_vdisk(path)
    except vdiskkit.VDiskError:
        return
    with disk:
        facts = read_block_map(disk.container, (), None)
        assert facts.file_bytes + facts.parent_bytes + facts.zero_bytes == disk.container.size
        assert len(facts.picture) <= 512


@pytest.mark.parametrize(("kind", "make"), [("vhd", vhd_chain), ("vhdx", vhdx_chain)])
def test_any_damage_ends_in_facts_and_findings(tmp_path: Path, kind: str, make: Callable[[Path, int], Path]) -> None:
    newest = make(tmp_path, 2)
    base = tmp_path / f"desk.{newest.suffix[2:]}"
    files = [base, newest.with_name(newest.name.replace("2", "1")), newest]
    describe(tmp_path, *files)
    whole = {path: path.read_bytes() for path in files}
    seen = set()
    for number in range(4 * ROUNDS):
        chance = random.Random(f"chain {kind} {number} {ROUNDS}")  # noqa: S311 - repeatable, not secret
        path = chance.choice(files)
        path.write_bytes(damage(bytearray(whole[path]), kind, chance, mend=number % 2 == 0))
        refused = None
        try:
            chain = vdiskkit.read_chain(newest, check=True)
        except vdiskkit.UnknownFormatError as exc:
            refused = exc
        if refused is not None:
            assert path == newest, "only the named file can be no disk at all"
        else:
            json.dumps(chain.to_dict())
            assert all("\n" not in line for line in chain_lines(chain, Style(width=80)))
            assert len(chain.files) <= len(files)
            report = vdiskkit.check_chain(newest)
            seen |= {finding.code for finding in report.findings}
            assert report.failed or chain.complete
        survey(newest)
        path.write_bytes(whole[path])
    assert "CHN108" in seen
    assert vdiskkit.read_chain(newest).complete
