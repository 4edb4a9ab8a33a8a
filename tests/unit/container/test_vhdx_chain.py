"""Chains of differencing VHDX files: which parents are taken, which are refused; no other format is mixed in."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.build.vhd import ParentLink, build_vhd
from tests.build.vhdx import MIB, Image, build_vhdx, link_to
from vdiskkit.container import open_container
from vdiskkit.errors import (
    ChainError,
    ParentMismatchError,
    ParentNotFoundError,
    UnsupportedFeatureError,
    VDiskError,
)
from vdiskkit.io import BytesSource, FileSource, GuardedSource, ReadBudget
from vdiskkit.location import Location
from vdiskkit.pair import read_pair

if TYPE_CHECKING:
    from pathlib import Path

    from vdiskkit.container import VirtualDisk

SIZE = 2 * MIB


def base() -> Image:
    return build_vhdx("dynamic", SIZE, content={0: b"A" * 2048, MIB: b"B" * 1024})


def child(parent: Image, at: int, fill: bytes, name: str = "disk.vhdx", **more: str) -> Image:
    return build_vhdx("differencing", SIZE, content={at: fill * 512}, parent=link_to(parent, f".\\{name}", **more))


def open_path(path: Path) -> VirtualDisk:
    return open_container(BytesSource(path.read_bytes(), Location(str(path))), path=str(path))


def failure(path: Path) -> VDiskError:
    with pytest.raises(VDiskError) as caught:
        open_path(path)
    return caught.value


@pytest.mark.parametrize("extension", ["avhdx", "vhdx"])
def test_a_chain_of_three(tmp_path: Path, extension: str) -> None:
    first = base()
    second = child(first, 512, b"2")
    third = child(second, 1024, b"3", f"disk.1.{extension}")
    first.save(tmp_path / "disk.vhdx")
    second.save(tmp_path / f"disk.1.{extension}")
    path = third.save(tmp_path / f"disk.2.{extension}")
    disk = open_path(path)
    assert disk.read_at(0, 2048) == b"A" * 512 + b"2" * 512 + b"3" * 512 + b"A" * 512
    assert disk.read_at(MIB - 1, 3) == b"\0BB"
    assert disk.notices == ()
    facts = disk.facts()
    assert [link.type for link in facts.chain] == ["differencing", "differencing", "dynamic"]
    assert facts.parent is not None
    assert facts.parent.unique_id == facts.parent.found_unique_id == str(second.data_write_guid)
    assert [(item.code, item.path) for item in facts.parent.locators] == [("relative_path", f".\\disk.1.{extension}")]
    disk.close()


@pytest.mark.parametrize(
    "texts",
    [
        {"relative_path": r"..\elsewhere\disk.vhdx"},
        {"absolute_win32_path": r"D:\vdisks\disk.vhdx"},
        {"absolute_win32_path": r"\\?\D:\vdisks\disk.vhdx"},
        {"absolute_win32_path": r"\\server\share\DISK.VHDX"},
        {"volume_path": r"\\?\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\vdisks\disk.vhdx"},
        {"relative_path": r".\moved.vhdx", "volume_path": r"\\?\Volume{0}\disk.vhdx"},
        {"relative_path": r".\renamed-since.vhdx"},
        {},
    ],
)
def test_every_kind_of_locator_gives_a_file_name(tmp_path: Path, texts: dict[str, str]) -> None:
    """The last two have no useful one: then the names that PVS would give are tried."""
    parent = base()
    parent.save(tmp_path / "disk.vhdx")
    image = build_vhdx("differencing", SIZE, content={512: b"c" * 512}, parent={**link_to(parent), **texts})
    disk = open_path(image.save(tmp_path / "disk.1.avhdx"))
    assert disk.read_at(0, 1024) == b"A" * 512 + b"c" * 512
    disk.close()


def test_the_second_linkage(tmp_path: Path) -> None:
    parent = base()
    parent.save(tmp_path / "disk.vhdx")
    texts = link_to(uuid.UUID(int=1), "disk.vhdx", parent_linkage2=f"{{{parent.data_write_guid}}}".upper())
    disk = open_path(build_vhdx("differencing", SIZE, parent=texts).save(tmp_path / "disk.1.avhdx"))
    assert disk.read_at(0, 4) == b"AAAA"
    disk.close()


def test_a_parent_that_was_written_to_since(tmp_path: Path) -> None:
    parent = base()
    path = child(parent, 0, b"c").save(tmp_path / "disk.1.avhdx")
    parent.set_header(data_write=uuid.UUID(int=77))
    parent.save(tmp_path / "disk.vhdx")
    caught = failure(path)
    assert isinstance(caught, ParentMismatchError)
    assert f"disk.vhdx: its id is {uuid.UUID(int=77)}" in caught.message


def test_a_missing_parent_names_what_was_looked_for(tmp_path: Path) -> None:
    path = child(base(), 0, b"c", "gone.vhdx").save(tmp_path / "disk.3.avhdx")
    caught = failure(path)
    assert isinstance(caught, ParentNotFoundError)
    names = [tried.replace("\\", "/").rpartition("/")[2] for tried in caught.tried]
    assert names == ["gone.vhdx", "disk.2.avhdx", "disk.vhdx"]


def test_mixed_chains(tmp_path: Path) -> None:
    vhd = build_vhd("dynamic", SIZE)
    (tmp_path / "disk.vhd").write_bytes(vhd)
    path = child(base(), 0, b"c", "disk.vhd").save(tmp_path / "disk.1.avhdx")
    caught = failure(path)
    assert type(caught) is ChainError
    assert "disk.vhd: it is a VHD, which cannot be the parent of a VHDX" in caught.message
    base().save(tmp_path / "other.vhdx")
    (tmp_path / "other.1.avhd").write_bytes(
        build_vhd("differencing", SIZE, parent=ParentLink(b"i" * 16, "other.vhdx", ((b"W2ru", r".\other.vhdx"),)))
    )
    caught = failure(tmp_path / "other.1.avhd")
    assert "other.vhdx: it is a VHDX, which cannot be the parent of a VHD" in caught.message
    (tmp_path / "disk.vhd").write_bytes(b"?" * 5000)
    assert "disk.vhd: it is no VHDX" in failure(path).message


def test_loops(tmp_path: Path) -> None:
    one, two = uuid.UUID(int=1), uuid.UUID(int=2)
    build_vhdx("differencing", SIZE, parent=link_to(two, "b.vhdx"), data_write=one).save(tmp_path / "a.vhdx")
    build_vhdx("differencing", SIZE, parent=link_to(one, "a.vhdx"), data_write=two).save(tmp_path / "b.vhdx")
    assert "the chain of parents is a loop" in failure(tmp_path / "a.vhdx").message
    build_vhdx("differencing", SIZE, parent=link_to(one, "c.vhdx"), data_write=one).save(tmp_path / "c.vhdx")
    assert "names itself as its parent" in failure(tmp_path / "c.vhdx").message
    texts = link_to(two, "d.vhdx", parent_linkage2=str(one))
    build_vhdx("differencing", SIZE, parent=texts, data_write=one).save(tmp_path / "d.vhdx")
    assert "the chain of parents is a loop" in failure(tmp_path / "d.vhdx").message


def test_a_smaller_parent_and_other_block_sizes(tmp_path: Path) -> None:
    parent = build_vhdx("dynamic", MIB + 512, 2 * MIB, content={MIB: b"P" * 512})
    parent.save(tmp_path / "disk.vhdx")
    image = build_vhdx("differencing", SIZE, content={MIB + 1024: b"C" * 512}, parent=link_to(parent, "disk.vhdx"))
    disk = open_path(image.save(tmp_path / "disk.1.avhdx"))
    assert disk.read_at(MIB, 2048) == b"P" * 512 + bytes(512) + b"C" * 512 + bytes(512)
    disk.close()


def test_a_parent_with_a_pending_log_is_told(tmp_path: Path) -> None:
    from tests.build.vhdx import Page, put_log

    parent = base()
    put_log(parent, [[Page(4 * MIB, b"after")]])
    parent.save(tmp_path / "disk.vhdx")
    disk = open_path(child(parent, 512, b"c").save(tmp_path / "disk.1.avhdx"))
    assert disk.read_at(0, 5) == b"after"
    assert [notice.code for notice in disk.notices] == ["vhdx.log_replayed"]
    disk.close()


def test_versions_are_linked_by_their_ids(tmp_path: Path) -> None:
    from vdiskkit.container.identity import LogBudget
    from vdiskkit.vdisk import _identity

    first = base()
    second = child(first, 0, b"c")
    first.save(tmp_path / "disk.vhdx")
    second.save(tmp_path / "disk.1.avhdx")
    facts = read_pair(tmp_path / "disk.1.avhdx", read_identity=lambda path: _identity(path, LogBudget()))
    assert [(item.parent_file, item.parent_by) for item in facts.versions] == [(None, None), ("disk.vhdx", "id")]


def test_ten_versions_cost_little_each(tmp_path: Path) -> None:
    image = base()
    image.save(tmp_path / "disk.vhdx")
    for number in range(1, 11):
        name = f"disk.{number - 1}.avhdx" if number > 1 else "disk.vhdx"
        texts = link_to(image, f".\\{name}")
        image = build_vhdx("differencing", SIZE, parent=texts, data_write=uuid.UUID(int=number))
        image.save(tmp_path / f"disk.{number}.avhdx")
    path = str(tmp_path / "disk.10.avhdx")
    budget = ReadBudget(1 << 30, 1 << 20)

    def opened(name: str) -> GuardedSource:
        return GuardedSource(FileSource(name), budget)

    top = opened(path)
    disk = open_container(top, path=path, open_source=opened)
    assert len(disk.chain) == 11
    assert disk.read_at(0, 4) == b"AAAA"
    table = 60 * 1024 + disk.shape.entries * 8 * 11  # type: ignore[attr-defined] # only a VHDX has one
    # The newest one's region table is read whole, and every block allocation table.
    assert budget.spent_bytes - table <= 11 * 24 * 1024
    assert budget.spent_calls == 11 * 7 + 1
    before = budget.spent_bytes
    for file in disk.chain:
        file.check_rest()
    assert budget.spent_bytes - before == 10 * 64 * 1024
    assert disk.notices == ()
    disk.close()
    top.close()


def test_more_blocks_than_are_read() -> None:
    image = build_vhdx("dynamic", (8 << 40) + MIB)
    with pytest.raises(UnsupportedFeatureError, match="a VHDX of 8388609 blocks: more than 8388608 are not read"):
        open_container(image, path=None)
