"""Malformed VHDX files on the command line: each is one clear error with its place and a hint, and nothing changes.

The rows are the numbers of the list of malformed inputs that every format is held to.
"""

from __future__ import annotations

import struct
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.build.vhdx import (
    BAT_REGION,
    FILE_PARAMETERS,
    FULL,
    HEADERS,
    LOG_GUID,
    LOG_OFFSET,
    LOGICAL_SECTOR,
    METADATA_REGION,
    MIB,
    PAGE,
    PARTIAL,
    REGION_TABLES,
    TABLE_SIZE,
    VIRTUAL_SIZE,
    Image,
    Page,
    build_vhdx,
    items_of,
    link_to,
    log_entry,
    put_in_ring,
    put_log,
    with_crc,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.cli.conftest import Outcome

SIZE = 3 * MIB
OTHER = uuid.UUID(int=5)
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("inspect",),
    ("validate",),
    ("kms-prep", "--dry-run", "--skip-rearm", "0", "--remove-tokens"),
    ("ls", "\\"),
)


def flipped(places: Sequence[int]) -> Callable[[Image], object]:
    def change(image: Image) -> None:
        for at in places:
            image.write(at, bytes([image.read_at(at, 1)[0] ^ 1]))

    return change


def headers(number: int | None = None, **fields: object) -> Callable[[Image], object]:
    return lambda image: image.set_header(number, **fields)


def twice(image: Image) -> None:
    image.set_header(sequence=9)
    image.set_header(2, file_write=OTHER)


def regions(
    edit: Callable[[list[tuple[uuid.UUID, int, int, int]]], object], count: int | None = None
) -> Callable[[Image], object]:
    def change(image: Image) -> None:
        entries = image.regions()
        edit(entries)
        image.set_regions(entries, count)

    return change


def metadata(guid: uuid.UUID, content: bytes | None) -> Callable[[Image], object]:
    """Give an item other content; None leaves it out."""

    def change(image: Image) -> None:
        items = items_of("dynamic", SIZE, MIB, 512, None)
        image.set_metadata(
            [(item, content if item == guid and content is not None else data, flags) for item, data, flags in items
             if item != guid or content is not None]
        )  # fmt: skip

    return change


def metadata_field(at: int, value: int) -> Callable[[Image], object]:
    return lambda image: image.write(image.region(METADATA_REGION) + at, struct.pack("<I", value))


def item_twice(image: Image) -> None:
    items = items_of("dynamic", SIZE, MIB, 512, None)
    image.set_metadata([*items, items[0]])


def entry(index: int, value: int) -> Callable[[Image], object]:
    return lambda image: image.set_entry(index, value)


def logged(image: Image) -> None:
    put_log(image, [[Page(4 * MIB, b"first")]])


def log_header(**fields: object) -> Callable[[Image], object]:
    def change(image: Image) -> None:
        logged(image)
        image.set_header(**fields)

    return change


def log_entry_with(at: int, value: bytes) -> Callable[[Image], object]:
    """The one entry of the log with other bytes and a right checksum."""

    def change(image: Image) -> None:
        data = bytearray(log_entry([Page(4 * MIB, b"x")], sequence=7, tail=0, flushed=0, last=0))
        data[at : at + len(value)] = value
        put_in_ring(image, 0, with_crc(bytes(data)), MIB)
        image.set_header(log_guid=LOG_GUID)

    return change


def no_lengths(image: Image) -> None:
    for sector in range(MIB // PAGE):
        data = bytearray(log_entry([], sequence=sector + 1, tail=0, flushed=0, last=0))
        data[8:12] = bytes(4)
        image.write(LOG_OFFSET + sector * PAGE, with_crc(bytes(data)))
    image.set_header(log_guid=LOG_GUID)


def shorter_than_its_log_says(image: Image) -> None:
    put_log(image, [[Page(4 * MIB, b"first")]], flushed=7 * MIB)


NO_SEQUENCE = "the VHDX must have its log replayed, but there is no valid sequence of entries in the log"
ROWS: list[tuple[str, Callable[[Image], object], str]] = [
    ("6 both headers damaged", flipped([place + 20 for place in HEADERS]), "neither header of the VHDX can be used"),
    ("6 equal sequence numbers", twice, "both headers of the VHDX have the sequence number 9 but differ"),
    ("7 too many regions", regions(lambda _entries: None, 2048), "2048 entries, more than the 2047 it can have"),
    (
        "7 a region on the log",
        regions(lambda r: r.__setitem__(1, (METADATA_REGION, LOG_OFFSET, MIB, 1))),
        "lies on the log",
    ),
    ("7 a region on the headers", regions(lambda r: r.__setitem__(1, (METADATA_REGION, 0, MIB, 1))), "cannot be there"),
    ("7 two tables", regions(lambda r: r.append(r[0])), "the block allocation table is there twice"),
    (
        "7 an unknown region",
        regions(lambda r: r.append((OTHER, 5 * MIB, MIB, 1))),
        f"region {OTHER} is not known, but required",
    ),
    (
        "7 both tables damaged",
        flipped([place + 40 for place in REGION_TABLES]),
        "neither region table of the VHDX can be used",
    ),
    (
        "8 an item in the table",
        metadata_field(48, 8),
        "does not lie between the table and the end of the metadata region",
    ),
    ("8 an item behind the region", metadata_field(48, MIB - 4), "does not lie between the table and the end"),
    ("8 an item twice", item_twice, "is there twice"),
    ("8 a missing item", metadata(VIRTUAL_SIZE, None), "the virtual disk size is missing"),
    (
        "8 sectors of 1024 bytes",
        metadata(LOGICAL_SECTOR, struct.pack("<I", 1024)),
        "the logical sector size of 1024 bytes is neither",
    ),
    ("8 blocks of 0 bytes", metadata(FILE_PARAMETERS, bytes(8)), "the block size of 0 bytes is no power of two"),
    (
        "9 a short table",
        metadata(VIRTUAL_SIZE, struct.pack("<Q", 1 << 40)),
        "a block allocation table of 1048576 bytes is too short",
    ),
    ("9 state 4", entry(1, 4), "block 1 has the reserved state 4"),
    ("9 state 5", entry(1, 5), "block 1 has the reserved state 5"),
    (
        "9 state 7 without parent",
        entry(1, 5 * MIB | PARTIAL),
        "block 1 is partially present, but the file has no parent",
    ),
    ("9 two blocks in one place", entry(1, 4 * MIB | FULL), "blocks 0 and 1 overlap"),
    ("9 a block behind the end", entry(1, 6 * MIB | FULL), "behind the end of the file"),
    ("10 a log of 0 bytes", log_header(log_length=0), "a log of 0 bytes cannot be at"),
    ("10 a log of odd length", log_header(log_length=MIB + PAGE), "both must be multiples of 1 MiB"),
    ("10 another log", log_header(log_guid=OTHER), NO_SEQUENCE),
    ("10 more descriptors than bytes", log_entry_with(24, struct.pack("<I", 300)), NO_SEQUENCE),
    ("10 entries without length", no_lengths, NO_SEQUENCE),
    (
        "10 a file that was cut",
        shorter_than_its_log_says,
        "it has 6291456 bytes, and had 7340032 when its log was written",
    ),
]


def broken(change: Callable[[Image], object]) -> Image:
    image = build_vhdx("dynamic", SIZE, content={0: b"first", 2 * MIB: b"third"})
    change(image)
    return image


def assert_one_error(outcome: Outcome, path: Path, message: str) -> None:
    lines = outcome.err.splitlines()
    assert [line for line in lines if line.startswith(("error:", "warning:"))] == lines[:1], outcome.err
    assert message in lines[0]
    assert lines[1].startswith(f"  at    {path}")
    assert lines[2].startswith("  hint  ")
    assert "chkdsk" not in lines[2]
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_every_command_says_the_same(
    run: Callable[..., Outcome], tmp_path: Path, change: Callable[[Image], object], message: str
) -> None:
    path = broken(change).save(tmp_path / "disk.vhdx")
    before = path.read_bytes()
    code = 5 if "not known, but required" in message else 3
    for command, *options in COMMANDS:
        outcome = run(command, path, *options)
        assert outcome.code == code, (command, outcome)
        assert_one_error(outcome, path, message)
    failed = run("inspect", path, "--json")
    assert (failed.code, failed.json["exit_code"]) == (code, code)
    told = failed.json["disks"][0]["error"]
    assert message in told["message"]
    assert str(path) in told["location"]
    assert told["hint"]
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["disk.vhdx"]


def test_a_partial_block_without_bitmap(run: Callable[..., Outcome], tmp_path: Path) -> None:
    """Row 9 in a differencing file, whose parent is not even looked for."""
    image = build_vhdx("differencing", SIZE, content={0: b"x" * 512}, parent=link_to(OTHER, "p.vhdx"))
    image.set_entry(4096, 0)
    path = image.save(tmp_path / "disk.1.avhdx")
    for command, *options in COMMANDS:
        outcome = run(command, path, *options)
        assert outcome.code == 3
        assert_one_error(outcome, path, "block 0 is partially present, but the sector bitmap of chunk 0 is missing")


def test_a_damaged_parent_is_named(run: Callable[..., Outcome], tmp_path: Path) -> None:
    parent = build_vhdx("dynamic", SIZE, content={0: b"first"})
    child = build_vhdx("differencing", SIZE, content={512: b"x" * 512}, parent=link_to(parent, r".\disk.vhdx"))
    parent.set_entry(1, 5)
    below = parent.save(tmp_path / "disk.vhdx")
    path = child.save(tmp_path / "disk.1.avhdx")
    for command, *options in COMMANDS:
        outcome = run(command, path, *options)
        assert outcome.code == 3
        assert_one_error(outcome, below, "block 1 has the reserved state 5")


def test_what_a_glance_at_a_parent_leaves_out_is_told_by_a_validation(
    run: Callable[..., Outcome], tmp_path: Path
) -> None:
    parent = build_vhdx("dynamic", SIZE, content={0: b"first"})
    child = build_vhdx("differencing", SIZE, content={512: b"x" * 512}, parent=link_to(parent, r".\disk.vhdx"))
    flipped([REGION_TABLES[0] + TABLE_SIZE - 1])(parent)
    below = parent.save(tmp_path / "disk.vhdx")
    path = child.save(tmp_path / "disk.1.avhdx")
    assert "vhdx.region_table_damaged" not in run("inspect", path).out
    found = run("validate", path, "--json")
    assert "region table 1 cannot be used" in found.out
    assert "vhdx.region_table_damaged: region table 1 cannot be used" in run("inspect", below).out


def test_nothing_of_a_healthy_file_is_an_error(run: Callable[..., Outcome], tmp_path: Path) -> None:
    path = broken(lambda _image: None).save(tmp_path / "disk.vhdx")
    assert (run("inspect", path).code, run("inspect", path).err) == (0, "")
    image = broken(lambda _image: None)
    assert image.region(BAT_REGION) == 3 * MIB
