"""Folders with chains of versions, VHD and VHDX, whole and broken in one way each."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

from tests.build.pair import manifest, side_car
from tests.build.vhd import DEFAULT_TIMESTAMP, ParentLink, build_vhd
from tests.build.vhdx import MIB, Image, build_vhdx, link_to

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 2 * MIB
BLOCK = MIB
EPOCH_2000 = 946_684_800


def put(path: Path, data: bytes) -> Path:
    """Write a disk whose time is the one that children remember, and its side-car."""
    path.write_bytes(data)
    os.utime(path, (EPOCH_2000 + DEFAULT_TIMESTAMP,) * 2)
    path.with_suffix(".pvp").write_bytes(side_car(path.stem, SIZE, BLOCK))
    return path


def save(image: Image, path: Path) -> Path:
    """The same for a VHDX."""
    image.save(path)
    path.with_suffix(".pvp").write_bytes(side_car(path.stem, SIZE, BLOCK))
    return path


def vhd_chain(folder: Path, versions: int, name: str = "desk") -> Path:
    """A base and versions, each with a sector of its own; the newest one is returned."""
    data = build_vhd("dynamic", SIZE, BLOCK, {0: b"base" * 128}, unique_id=bytes([100]) * 16)
    path = put(folder / f"{name}.vhd", data)
    for number in range(1, versions + 1):
        link = ParentLink.to(data, path.name, absolute=rf"D:\vdisks\{path.name}")
        content = {number * 512: bytes([number]) * 512}
        data = build_vhd("differencing", SIZE, BLOCK, content, parent=link, unique_id=bytes([number]) * 16)
        path = put(folder / f"{name}.{number}.avhd", data)
    return path


def vhdx_images(versions: int, name: str = "desk") -> list[tuple[str, Image]]:
    """Names and files of a base and versions, the base first."""
    image = build_vhdx("dynamic", SIZE, BLOCK, {0: b"base" * 128}, data_write=uuid.UUID(int=100))
    found = [(f"{name}.vhdx", image)]
    for number in range(1, versions + 1):
        parent, _ = found[-1]
        texts = link_to(image, rf".\{parent}", absolute_win32_path=rf"\\pvs01\store$\{parent}")
        content = {number * 512: bytes([number]) * 512}
        image = build_vhdx("differencing", SIZE, BLOCK, content, parent=texts, data_write=uuid.UUID(int=number))
        found.append((f"{name}.{number}.avhdx", image))
    return found


def vhdx_chain(folder: Path, versions: int, name: str = "desk") -> Path:
    """The same as VHDX."""
    return [save(image, folder / file_name) for file_name, image in vhdx_images(versions, name)][-1]


def describe(folder: Path, *paths: Path, name: str = "desk", **changes: str) -> None:
    """Write the export manifest for these files, whose numbers count from 0, with texts replaced."""
    text = manifest(list(enumerate(paths)))
    for old, new in changes.items():
        text = text.replace(old, new)
    (folder / f"{name}.xml").write_text(text, encoding="utf-8")
