"""Bytes changed anywhere in a volume's metadata: only errors of ours, and no read without end."""

from __future__ import annotations

import random

import pytest

from tests.unit.ntfs.volumes import MIB, editor, index_block, opened
from vdiskkit.errors import VDiskError

ROUNDS = 100
PATHS = (
    "Windows\\System32\\config\\SOFTWARE",
    "sparse.bin",
    "packed\\mixed.bin",
    "jumps\\to config\\SYSTEM",
    "jumps\\loop a",
    "links\\second.txt",
    "names\\Ünïcödé",
    "streams\\host.txt:large",
    "PROGRA~1\\inside.txt",
)


def places(name: str, folder: str | None) -> list[tuple[int, int]]:
    """(offset, length) of metadata: boot sector, MFT records, index blocks, bitmaps, $UpCase's start."""
    volume = editor(name)
    found = [(3, 80)]
    found += [(volume.place(number), 512) for number in range(min(volume.records, 90))]
    found += [
        (start, min(length, 512)) for path in ("$bitmap", "$upcase", "$logfile") for start, length in volume.runs(path)
    ]
    if folder is not None:
        found += [(index_block(volume, volume.number(folder), block), 1024) for block in range(3)]
    return found


def look(data: bytearray, paths: tuple[str, ...], folders: tuple[str, ...]) -> None:
    """Everything a user can ask of a volume, on a budget."""
    try:
        volume = opened(data, max_bytes=64 * MIB, max_calls=40_000)
        attempts = [volume.facts, volume.root.facts]
        attempts += [lambda path=path: read(volume.lookup(path)) for path in paths]  # type: ignore[misc]
        attempts += [lambda path=path: [entry.open().facts() for entry in volume.listdir(path)] for path in folders]  # type: ignore[misc]
    except VDiskError:
        return
    for attempt in attempts:
        try:
            attempt()
        except VDiskError as fault:
            assert str(fault)  # noqa: PT017 - most attempts succeed


def read(file: object) -> None:
    file.facts()  # type: ignore[attr-defined]
    source = file.open()  # type: ignore[attr-defined]
    source.read_at(0, min(source.size, MIB))
    if source.size:
        source.read_at(source.size - 1, 1)


@pytest.mark.parametrize(
    ("name", "paths", "folders", "folder"),
    [
        ("basic", PATHS, ("\\", "names", "links"), None),
        ("directory", ("many\\many entry number 01234",), ("thinned",), "many"),
        ("fragmented", ("scattered.bin",), ("\\",), None),
    ],
)
def test_flips(name: str, paths: tuple[str, ...], folders: tuple[str, ...], folder: str | None) -> None:
    chance = random.Random(f"{name} 1")  # noqa: S311 - wanted: the same faults every time
    where = places(name, folder)
    original = editor(name).data
    for _ in range(ROUNDS):
        data = bytearray(original)
        for _ in range(chance.choice((1, 1, 2, 8))):
            start, length = chance.choice(where)
            offset = start + chance.randrange(length)
            data[offset] = chance.choice((0, 0xFF, data[offset] ^ 1 << chance.randrange(8), chance.randrange(256)))
        look(data, paths, folders)
