"""Commands about a key with very many values or subkeys, and about one with very many damaged ones."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from tests.build.hive import BASE_BLOCK, HiveBuilder
from tests.build.many import many_subkeys, many_values

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

MANY = 3_000


def test_listing_as_json(run: Callable[..., Outcome], tmp_path: Path) -> None:
    hive = tmp_path / "hive"
    for make, kind in ((many_values, "values"), (many_subkeys, "subkeys")):
        hive.write_bytes(make(MANY))
        outcome = run("reg", "ls", hive, "Many", "--json", "--depth", 2)
        assert outcome.code == 0
        result = outcome.json["disks"][0]["result"]
        assert [item["name"] for item in result[kind]] == [f"{number:08X}" for number in range(MANY)]
        assert (len(result["values"]) + len(result["subkeys"]), result["problems"]) == (MANY, [])


@pytest.mark.parametrize("make", [many_values, many_subkeys], ids=["values", "subkeys"])
def test_a_listing_is_not_held(
    run: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[int], bytes]
) -> None:
    monkeypatch.setattr("vdiskkit.registry.cells._PAGES_KEPT", 8)
    peaks = []
    for count in (1_000, 5_000):
        hive, listing = tmp_path / f"{count}.hive", tmp_path / f"{count}.json"
        hive.write_bytes(make(count))
        run("reg", "ls", hive, "Many", "--json", "--output", tmp_path / "first.json")
        tracemalloc.start()
        try:
            assert run("reg", "ls", hive, "Many", "--json", "--output", listing).code == 0
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert listing.stat().st_size > count * 100
    # Pages of the file are kept, and a mark for each cell: nothing of what is written.
    assert peaks[1] - peaks[0] < (tmp_path / "5000.hive").stat().st_size + 4_000 * 8


def test_damage_is_told_behind_what_could_be_read(run: Callable[..., Outcome], tmp_path: Path) -> None:
    data = bytearray(many_values(20))
    at = data.index(b"0000000A") - 24
    data[at + 4 : at + 6] = b"xx"
    (tmp_path / "hive").write_bytes(data)
    outcome = run("reg", "ls", tmp_path / "hive", "Many", "--json")
    result = outcome.json["disks"][0]["result"]
    assert (outcome.code, outcome.json["exit_code"]) == (3, 3)
    assert len(result["values"]) == 19
    assert result["problems"] == [problem for problem in result["problems"] if "instead of 'vk'" in problem] != []
    assert "instead of 'vk'" in outcome.json["error"]["message"]
    assert "instead of 'vk'" in outcome.err


def test_more_damage_than_is_told(run: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listing ends where there is too much of it, and is JSON all the same."""
    monkeypatch.setattr("vdiskkit.cli.errors._DAMAGE_KEPT", 50)
    data = many_values(200).replace(b"vk\x08\x00", b"xx\x08\x00")
    (tmp_path / "hive").write_bytes(data)
    outcome = run("reg", "ls", tmp_path / "hive", "Many", "--json")
    assert outcome.code == 3
    assert outcome.json["disks"][0]["result"]["values"] == []
    assert outcome.json["error"]["message"] == "too damaged to go on: more than 50 places cannot be read"
    assert "too damaged to go on: more than 50 places cannot be read" in outcome.err
    for command in (("ls",), ("export",)):
        outcome = run("reg", *command, tmp_path / "hive", "Many")
        assert outcome.code == 3
        assert "too damaged to go on: more than 50 places cannot be read" in outcome.err


def test_the_room_of_the_hive_is_the_limit(run: Callable[..., Outcome], tmp_path: Path) -> None:
    builder = HiveBuilder()
    builder.dword("Key", "v", 1)
    data = bytearray(builder.build())
    at = BASE_BLOCK + builder.find("Key").offset + 4 + 36
    data[at : at + 4] = (4000).to_bytes(4, "little")
    (tmp_path / "hive").write_bytes(data)
    outcome = run("reg", "get", tmp_path / "hive", "Key", "v")
    assert outcome.code == 3
    assert "the key says that it has 4000 values, and a hive of this size has room for 146 at most" in outcome.err
