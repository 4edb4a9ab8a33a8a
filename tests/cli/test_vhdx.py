"""The same Windows in a VHD, in a VHDX with a pending log, and in a chain of VHDX versions: the same answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.build.vhdx import MIB, Page, build_vhdx, link_to, put_log
from tests.cli.conftest import SAMPLES
from vdiskkit.container import open_container
from vdiskkit.io import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

WIN7 = SAMPLES / "win7-kms.vhd"
BLOCK = 2 * MIB
CURRENT_VERSION = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base that lacks every other block, and a version that has them, its first ones only in its log."""
    folder = tmp_path_factory.mktemp("vhdx")
    with FileSource(str(WIN7)) as source:
        disk = open_container(source, path=str(WIN7))
        size = disk.size
        blocks = {at: disk.read_at(at, min(BLOCK, size - at)) for at in range(0, size, BLOCK)}
    used = [at for at, data in blocks.items() if any(data)]
    base = build_vhdx("dynamic", size, BLOCK, {at: blocks[at] for at in used[::2]})
    base.save(folder / "disk.vhdx")
    own = {at: blocks[at] for at in used[1::2]}
    child = build_vhdx("differencing", size, BLOCK, own, parent=link_to(base, r".\disk.vhdx"))
    opened = open_container(base, path=None)
    assert opened.read_at(used[1], BLOCK) == bytes(BLOCK)
    # The block of the first own data follows the sector bitmap; some of its pages come from the log alone.
    place = child.entry(used[1] // BLOCK) >> 20 << 20
    pages = [at for at in range(0, BLOCK, 4096) if any(blocks[used[1]][at : at + 4096])][:20]
    put_log(child, [[Page(place + at, blocks[used[1]][at : at + 4096])] for at in pages], start=250 * 4096)
    for at in pages:
        child.write(place + at, b"\xdb" * 4096)
    return child.save(folder / "disk.1.avhdx")


def sections(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code == 0, outcome.err
    facts: dict[str, Any] = outcome.json["disks"][0]["result"]
    return {name: facts[name] for name in ("windows", "licensing", "partitions", "volume") if name in facts}


def test_inspect_gives_the_same_facts(run: Callable[..., Outcome], newest: Path) -> None:
    ours = sections(run("inspect", newest, "--json"))
    assert ours
    assert ours == sections(run("inspect", WIN7, "--json"))
    container = run("inspect", newest, "--json").json["disks"][0]["result"]["container"]
    assert (container["format"], container["type"]) == ("vhdx", "differencing")
    assert container["vhdx"]["log"]["entries"] == 20


def test_inspect_tells_the_log_and_the_chain(run: Callable[..., Outcome], newest: Path) -> None:
    text = run("inspect", newest).out
    assert "VHDX differencing" in text
    assert "not closed: 20 entries to replay; everything is shown as after the replay" in text
    assert "vhdx.log_replayed: the log must be replayed: 20 entries; shown as after replay" in text
    assert "2 files, parent ids match: disk.vhdx → disk.1.avhdx" in text


def test_a_value_of_its_registry(run: Callable[..., Outcome], newest: Path) -> None:
    outcome = run("reg", "get", newest, CURRENT_VERSION, "EditionID")
    assert (outcome.code, outcome.out) == (0, run("reg", "get", WIN7, CURRENT_VERSION, "EditionID").out)
