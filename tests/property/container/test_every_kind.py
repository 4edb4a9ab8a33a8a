"""Any read of any kind of container, opened from files as a user opens them, equals a naive model.

The model is the bytes of the disk: a base of raw, VHD or VHDX, and versions over it, each with its own size and block
size; what is written into a version replaces what was there, whatever the layout of the file.
"""

from __future__ import annotations

import tempfile
import uuid
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.build.vhd import KIB, MIB, ParentLink, build_vhd
from tests.build.vhdx import FULL, UNMAPPED, ZERO, build_vhdx, link_to
from tests.effort import tries
from vdiskkit.container import open_container
from vdiskkit.io import FileSource, PageCache

VHD_BLOCKS = (512, 4 * KIB, 64 * KIB, 512 * KIB, 2 * MIB)
VHDX_BLOCKS = (MIB, 2 * MIB, 32 * MIB)


class Kind(NamedTuple):
    """A base and what lies over it."""

    container: str
    base: str
    sector_size: int = 512


KINDS = {
    "raw": Kind("raw", "raw"),
    "VHD, fixed": Kind("vhd", "fixed"),
    "VHD, dynamic": Kind("vhd", "dynamic"),
    **{
        f"VHDX, {base}, sectors of {sector_size}": Kind("vhdx", base, sector_size)
        for base in ("fixed", "dynamic")
        for sector_size in (512, 4096)
    },
}


class Layer(NamedTuple):
    """One file: its size in units of 4 KiB, its block size, and what is written: first unit, units, filling byte."""

    units: int
    block_size: int
    writes: list[tuple[int, int, int]]
    reverse: bool
    states: dict[int, int]


@st.composite
def layers(draw: st.DrawFn, kind: Kind) -> Layer:
    units = draw(st.integers(1, 700))
    place = st.one_of(st.integers(0, units - 1), st.sampled_from([0, 127, 128, 255, 256, 511, 512]))
    write = st.tuples(place.map(lambda at: min(at, units - 1)), st.integers(1, 30), st.integers(0, 255))
    block_size = draw(st.sampled_from(VHDX_BLOCKS if kind.container == "vhdx" else VHD_BLOCKS))
    blocks = -(-units * 4 * KIB // block_size)
    states = st.dictionaries(st.integers(0, blocks - 1), st.sampled_from([ZERO, UNMAPPED, FULL]), max_size=1)
    return Layer(units, block_size, draw(st.lists(write, max_size=6)), draw(st.booleans()), draw(states))


def content_of(layer: Layer) -> dict[int, bytes]:
    content: dict[int, bytes] = {}
    for first, count, fill in layer.writes:
        for unit in range(first, min(first + count, layer.units)):
            content[unit * 4 * KIB] = bytes([fill]) * 4 * KIB
    return content


def below(model: bytes, size: int) -> bytearray:
    return bytearray(model[:size].ljust(size, b"\0"))


def write_raw(folder: Path, chain: list[Layer]) -> tuple[Path, bytes]:
    model = below(b"", chain[0].units * 4 * KIB)
    for at, piece in content_of(chain[0]).items():
        model[at : at + len(piece)] = piece
    path = folder / "disk.raw"
    path.write_bytes(model)
    return path, bytes(model)


def write_vhds(folder: Path, base: str, chain: list[Layer]) -> tuple[Path, bytes]:
    model, path, link = b"", folder / "disk.vhd", None
    for number, layer in enumerate(chain):
        size, content = layer.units * 4 * KIB, content_of(layer)
        data = build_vhd(
            "differencing" if link else base, size, layer.block_size, content, parent=link,
            unique_id=bytes([number + 1]) * 16, block_order=(lambda blocks: blocks[::-1]) if layer.reverse else None,
        )  # fmt: skip
        path = folder / (f"disk.{number}.avhd" if number else "disk.vhd")
        path.write_bytes(data)
        link = ParentLink.to(path)
        bytes_now = below(model, size)
        for at, piece in content.items():
            bytes_now[at : at + len(piece)] = piece
        model = bytes(bytes_now)
    return path, model


def write_vhdxs(folder: Path, base: str, sector_size: int, chain: list[Layer]) -> tuple[Path, bytes]:
    model, path, image = b"", folder / "disk.vhdx", None
    for number, layer in enumerate(chain):
        size, content = layer.units * 4 * KIB, content_of(layer)
        kind = "differencing" if image else base
        states = {} if kind == "fixed" else layer.states
        name, parent = path.name, image
        image = build_vhdx(
            kind, size, layer.block_size, content, sector_size=sector_size, reverse=layer.reverse, states=states,
            parent=link_to(parent, f".\\{name}") if parent is not None else None, data_write=uuid.UUID(int=number + 1),
        )  # fmt: skip
        path = image.save(folder / (f"disk.{number}.avhdx" if number else "disk.vhdx"))
        bytes_now = below(model, size)
        for at, piece in content.items():
            bytes_now[at : at + len(piece)] = piece
        for block, state in states.items():
            start, end = block * layer.block_size, min((block + 1) * layer.block_size, size)
            bytes_now[start:end] = bytes(end - start)
            if state == FULL:
                for at, piece in content.items():
                    if start <= at < end:
                        bytes_now[at : at + len(piece)] = piece
        model = bytes(bytes_now)
    return path, model


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=tries(15), suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_read_equals_the_model(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    chain = data.draw(st.lists(layers(kind), min_size=1, max_size=1 if kind.container == "raw" else 5))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if kind.container == "raw":
            path, model = write_raw(folder, chain)
        elif kind.container == "vhd":
            path, model = write_vhds(folder, kind.base, chain)
        else:
            path, model = write_vhdxs(folder, kind.base, kind.sector_size, chain)
        with FileSource(str(path)) as source, closing(open_container(source, path=str(path))) as disk:
            assert (disk.format, len(disk.chain), disk.size) == (kind.container, len(chain), len(model))
            cache = PageCache(disk)
            for _ in range(10):
                offset = data.draw(st.integers(0, disk.size))
                length = data.draw(st.one_of(st.integers(0, 5000), st.integers(0, disk.size)))
                length = min(length, disk.size - offset)
                assert disk.read_at(offset, length) == model[offset : offset + length]
                assert cache.read_at(offset, length) == model[offset : offset + length]
            assert disk.read_at(0, disk.size) == model
