"""Chains as facts: whole ones, and what is told of those that are not."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.build.vhd import ParentLink, build_vhd
from tests.build.vhd_faults import break_vhd, set_bat
from tests.build.vhdx import HEADERS, MIB, REGION_TABLES, Image, Page, build_vhdx, link_to, put_log
from tests.unit.chain.stores import BLOCK, SIZE, describe, put, save, vhd_chain, vhdx_chain, vhdx_images
from vdiskkit.errors import SourceError, UnknownFormatError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit import ChainFacts

CHAINS = pytest.mark.parametrize("make", [vhd_chain, vhdx_chain], ids=["vhd", "vhdx"])


def names(chain: ChainFacts) -> list[str]:
    return [item.file_name for item in chain.files]


@CHAINS
def test_ten_versions(tmp_path: Path, make: Callable[[Path, int], Path]) -> None:
    newest = make(tmp_path, 10)
    chain = vdiskkit.read_chain(newest)
    assert chain.complete
    assert chain.break_at is None
    assert [item.version for item in chain.files] == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert [str(item.kind) for item in chain.files] == ["version"] * 10 + ["base"]
    assert [item.type for item in chain.files] == ["differencing"] * 10 + ["dynamic"]
    for child, parent in zip(chain.files, chain.files[1:], strict=False):
        assert child.parent is not None
        assert child.parent.unique_id == parent.unique_id
        assert child.parent.found == parent.path
        assert [item.outcome for item in child.parent.candidates] == ["taken"]
        assert child.virtual_size == parent.virtual_size == SIZE
        assert child.side_car is not None
        assert (child.side_car.mode, child.side_car.license_mode) == ("standard", "kms")
    assert chain.others == ()
    assert chain.files[0].structures is None
    assert chain.newest_version == 10


@CHAINS
def test_any_version_and_the_side_car_can_be_named(tmp_path: Path, make: Callable[[Path, int], Path]) -> None:
    newest = make(tmp_path, 3)
    middle = vdiskkit.read_chain(tmp_path / "desk.2.pvp")
    assert names(middle)[0] == newest.name.replace("3", "2")
    assert len(middle.files) == 3
    assert [(item.version, item.relation, item.parent_by) for item in middle.others] == [(3, "child", "id")]
    base = vdiskkit.read_chain(tmp_path / f"desk.{newest.suffix[2:]}")
    assert len(base.files) == 1
    assert base.complete
    assert [(item.version, item.relation) for item in base.others] == [
        (1, "child"),
        (2, "descendant"),
        (3, "descendant"),
    ]


def test_a_raw_image_is_a_chain_of_one(tmp_path: Path) -> None:
    (tmp_path / "disk.raw").write_bytes(bytes(4096))
    chain = vdiskkit.read_chain(tmp_path / "disk.raw", check=True)
    assert (chain.complete, names(chain), chain.files[0].format) == (True, ["disk.raw"], "raw")
    assert chain.files[0].structures == ()


def test_every_stored_path_tells_what_was_done_with_it(tmp_path: Path) -> None:
    parent = build_vhdx("dynamic", SIZE, BLOCK)
    save(parent, tmp_path / "desk.vhdx")
    texts = link_to(
        parent,
        r"..\elsewhere\desk.vhdx",
        absolute_win32_path=r"\\pvs01\store$\DESK.vhdx",
        volume_path=r"\\?\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\gone.vhdx",
    )
    path = save(build_vhdx("differencing", SIZE, BLOCK, parent=texts), tmp_path / "desk.1.avhdx")
    found = vdiskkit.read_chain(path).files[0].parent
    assert found is not None
    told = [(item.code, item.kind, item.file_name, item.note, bool(item.led_to)) for item in found.stored_paths]
    assert told == [
        ("relative_path", "relative", "desk.vhdx", "not followed, only its file name is used", True),
        ("absolute_win32_path", "unc", "DESK.vhdx", "UNC paths are never opened, only its file name is used", True),
        ("volume_path", "volume", "gone.vhdx", "volume paths are never opened, only its file name is used", False),
    ]
    assert [(Path(item.path).name, item.outcome) for item in found.candidates] == [("desk.vhdx", "taken")]
    assert found.candidates[0].by == ("relative_path", "absolute_win32_path")


def test_paths_are_followed_only_when_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "near").mkdir()
    data = build_vhd("dynamic", SIZE, BLOCK)
    put(tmp_path / "far" / "other.vhd", data)
    link = ParentLink(data[-512:][68:84], "", ((b"W2ru", r"..\far\other.vhd"),))
    path = put(tmp_path / "near" / "desk.1.avhd", build_vhd("differencing", SIZE, BLOCK, parent=link))
    chain = vdiskkit.read_chain(path)
    assert chain.break_at is not None
    assert chain.break_at.kind == "missing"
    found = chain.files[0].parent
    assert found is not None
    assert [Path(item.path).name for item in found.candidates] == ["other.vhd", "desk.vhd"]
    assert [item.by for item in found.candidates] == [("W2ru",), ()]
    chain = vdiskkit.read_chain(path, follow_parent_paths=True)
    assert chain.complete
    found = chain.files[0].parent
    assert found is not None
    assert found.stored_paths[0].led_to == found.found
    assert found.stored_paths[0].note == "its file name is used, then the path is followed"
    chain = vdiskkit.read_chain(path, parent_dirs=[tmp_path / "far"])
    assert chain.complete
    assert chain.files[1].version is None, "a file of another folder has no place among the versions"


@CHAINS
def test_a_missing_parent_in_the_middle(tmp_path: Path, make: Callable[[Path, int], Path]) -> None:
    newest = make(tmp_path, 4)
    gone = newest.with_name(newest.name.replace("4", "2"))
    gone.unlink()
    chain = vdiskkit.read_chain(newest, check=True)
    assert not chain.complete
    assert [item.version for item in chain.files] == [4, 3]
    assert chain.break_at is not None
    # Older files are looked at, as PVS would name them, but their ids are others.
    assert chain.break_at.kind == "wrong_id"
    assert chain.break_at.file == chain.files[1].path
    found = chain.files[1].parent
    assert found is not None
    assert (Path(found.candidates[0].path).name, found.candidates[0].outcome) == (gone.name, "absent")
    assert found.found is None
    assert {item.version: str(item.relation) for item in chain.others} == {0: "whole", 1: "other_branch"}


@CHAINS
def test_no_candidate_at_all(tmp_path: Path, make: Callable[[Path, int], Path]) -> None:
    newest = make(tmp_path, 1)
    (tmp_path / f"desk.{newest.suffix[2:]}").unlink()
    chain = vdiskkit.read_chain(newest)
    assert chain.break_at is not None
    assert chain.break_at.kind == "missing"
    assert chain.break_at.hint


def test_mixed_formats(tmp_path: Path) -> None:
    (name, base), (_, _) = vhdx_images(1)
    save(base, tmp_path / name)
    link = ParentLink(b"i" * 16, name, ((b"W2ru", rf".\{name}"),))
    path = put(tmp_path / "desk.1.avhd", build_vhd("differencing", SIZE, BLOCK, parent=link))
    chain = vdiskkit.read_chain(path)
    assert chain.break_at is not None
    assert chain.break_at.kind == "mixed"


def test_loops(tmp_path: Path) -> None:
    one, two = uuid.UUID(int=1), uuid.UUID(int=2)
    first = build_vhdx("differencing", SIZE, BLOCK, parent=link_to(two, "b.vhdx"), data_write=one)
    second = build_vhdx("differencing", SIZE, BLOCK, parent=link_to(one, "a.vhdx"), data_write=two)
    save(first, tmp_path / "a.vhdx")
    save(second, tmp_path / "b.vhdx")
    chain = vdiskkit.read_chain(tmp_path / "a.vhdx", check=True)
    assert names(chain) == ["a.vhdx", "b.vhdx"]
    assert chain.break_at is not None
    assert chain.break_at.kind == "loop"
    assert "a.vhdx again" in chain.break_at.message
    save(build_vhdx("differencing", SIZE, BLOCK, parent=link_to(one, "c.vhdx"), data_write=one), tmp_path / "c.vhdx")
    chain = vdiskkit.read_chain(tmp_path / "c.vhdx")
    assert chain.break_at is not None
    assert "names itself" in chain.break_at.message
    texts = link_to(two, "d.vhdx", parent_linkage2=str(one))
    save(build_vhdx("differencing", SIZE, BLOCK, parent=texts, data_write=one), tmp_path / "d.vhdx")
    chain = vdiskkit.read_chain(tmp_path / "d.vhdx")
    assert chain.break_at is not None
    assert chain.break_at.kind == "loop"


def test_behind_a_damaged_file_the_chain_goes_on(tmp_path: Path) -> None:
    """Its block table cannot be used, but its headers tell who it is and who its parent is."""
    newest = vhd_chain(tmp_path, 3)
    middle = tmp_path / "desk.2.avhd"
    put(middle, bytes(set_bat(bytearray(middle.read_bytes()), 0, 1)))
    chain = vdiskkit.read_chain(newest, check=True)
    assert [item.version for item in chain.files] == [3, 2, 1, 0]
    assert chain.break_at is not None
    assert (chain.break_at.kind, chain.break_at.file) == ("unreadable", str(middle))
    assert [item.problem is not None for item in chain.files] == [False, True, False, False]
    damaged = chain.files[1]
    assert damaged.unique_id == str(uuid.UUID(bytes=bytes([2]) * 16))
    assert damaged.type is None
    assert [item.state for item in damaged.structures or ()] == ["ok", "ok", "ok", "damaged"]


def test_the_named_file_itself_may_be_damaged(tmp_path: Path) -> None:
    images = vhdx_images(1)
    for name, image in images:
        save(image, tmp_path / name)
    leaf = images[1][1]
    leaf.set_entry(0, 4)
    path = save(leaf, tmp_path / images[1][0])
    chain = vdiskkit.read_chain(path, check=True)
    assert names(chain) == ["desk.1.avhdx", "desk.vhdx"]
    assert chain.files[0].problem is not None
    for number in (1, 2):
        leaf.write(HEADERS[number - 1], b"none")
    chain = vdiskkit.read_chain(save(leaf, path), check=True)
    assert names(chain) == ["desk.1.avhdx"]
    assert [item.state for item in chain.files[0].structures or ()] == ["damaged", "damaged"]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("copy_checksum", {"footer copy": "damaged"}),
        ("copy_zeroed", {"footer copy": "missing"}),
        ("copy_differs", {"footer copy": "differs"}),
        ("footer_zeroed", {"footer": "missing"}),
        ("header_checksum", {"dynamic header": "damaged"}),
        ("block_on_bat", {"block allocation table": "damaged"}),
        ("blocks_overlap", {"block allocation table": "damaged"}),
    ],
)
def test_structures_of_a_vhd(tmp_path: Path, fault: str, expected: dict[str, str]) -> None:
    data = build_vhd("dynamic", SIZE, BLOCK // 4, {0: b"a" * 512, BLOCK: b"b" * 512})
    path = put(tmp_path / "desk.vhd", bytes(break_vhd(data, fault)))
    found = vdiskkit.read_chain(path, check=True).files[0].structures or ()
    assert {item.name: item.state for item in found if item.state != "ok"} == expected
    assert all(bool(item.problem) == (item.state != "ok") for item in found)


def _regions_differ(image: Image) -> None:
    entries = image.regions()
    first = image.read_at(REGION_TABLES[0], 64 * 1024)
    image.set_regions([*entries, (uuid.UUID(int=5), 200 * MIB, MIB, 0)])
    image.write(REGION_TABLES[0], first)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda image: image.write(HEADERS[0], b"none"), {"header 1": "damaged"}),
        (lambda image: image.write(HEADERS[1] + 500, b"x"), {"header 2": "damaged"}),
        (lambda image: image.set_header(sequence=9), {}),
        (lambda image: image.write(REGION_TABLES[0] + 60_000, b"x"), {"region table 1": "damaged"}),
        (lambda image: image.write(REGION_TABLES[1] + 65_535, b"x"), {"region table 2": "damaged"}),
        (_regions_differ, {"region table 2": "differs"}),
        (lambda image: image.set_header(log_length=3 * MIB + 1), {"log": "damaged"}),
        (lambda image: image.set_metadata([]), {"metadata": "damaged"}),
        (lambda image: image.set_entry(0, (1 << 40) | 6), {"block allocation table": "damaged"}),
        (lambda image: put_log(image, [[Page(4 * MIB, b"new")], [Page(4 * MIB, b"newer")]]), {"log": "pending"}),
    ],
)
def test_structures_of_a_vhdx(tmp_path: Path, change: Callable[[Image], object], expected: dict[str, str]) -> None:
    image = build_vhdx("dynamic", SIZE, BLOCK, {0: b"a" * 512})
    change(image)
    path = save(image, tmp_path / "desk.vhdx")
    found = vdiskkit.read_chain(path, check=True).files[0].structures or ()
    assert {item.name: item.state for item in found if item.state != "ok"} == expected


def test_the_manifest_and_a_merge(tmp_path: Path) -> None:
    """A merged base that the manifest does not know, an orphan, and a branch beside the chain."""
    newest = vhdx_chain(tmp_path, 2)
    files = [tmp_path / "desk.vhdx", tmp_path / "desk.1.avhdx", newest]
    describe(tmp_path, *files, **{"<deleteWhenFree>0": "<deleteWhenFree>1"})
    save(build_vhdx("dynamic", SIZE, BLOCK), tmp_path / "desk.3.vhdx")
    branch = build_vhdx("differencing", SIZE, BLOCK, parent=link_to(uuid.UUID(int=1)), data_write=uuid.UUID(int=44))
    save(branch, tmp_path / "desk.4.avhdx")
    orphan = build_vhdx("differencing", SIZE, BLOCK, parent=link_to(uuid.UUID(int=9)), data_write=uuid.UUID(int=45))
    save(orphan, tmp_path / "desk.5.avhdx")
    (tmp_path / "desk.1.lok").write_bytes(b"")
    chain = vdiskkit.read_chain(newest)
    assert chain.production_version == 2
    assert [item.manifest.version if item.manifest else None for item in chain.files] == [2, 1, 0]
    assert [item.lock_file for item in chain.files] == [None, "desk.1.lok", None]
    assert {item.version: str(item.relation) for item in chain.others} == {3: "whole", 4: "child", 5: "orphan"}
    notes = {item.version: item.note for item in chain.others}
    assert "a merge that was abandoned, or made after the export" in notes[3]
    assert "made from desk.1.avhdx, which must not change" in notes[4]
    assert "cannot be opened" in notes[5]
    merged = vdiskkit.read_chain(tmp_path / "desk.3.vhdx")
    assert [str(item.relation) for item in merged.others][:3] == ["whole", "other_branch", "other_branch"]
    assert "PVS deletes it when no target uses it" in merged.others[0].note


def test_an_override_is_what_boots(tmp_path: Path) -> None:
    newest = vhd_chain(tmp_path, 2)
    describe(tmp_path, tmp_path / "desk.vhd", tmp_path / "desk.1.avhd", newest)
    text = (tmp_path / "desk.xml").read_text(encoding="utf-8")
    first, second, third = text.partition("<versionNumber>1")
    third = third.replace("<access>0", "<access>3", 1).replace("<access>0", "<access>1", 1)
    (tmp_path / "desk.xml").write_text(first + second + third, encoding="utf-8")
    assert vdiskkit.read_chain(newest).production_version == 1


def test_an_interrupted_change_is_told_and_the_old_state_is_read(tmp_path: Path) -> None:
    from tests.unit.rules.disks import interrupted

    disk = interrupted(tmp_path)
    assert isinstance(disk, Path)
    found = vdiskkit.read_chain(disk).files[0]
    assert found.interrupted is not None
    assert "interrupted" in found.interrupted
    assert found.side_car is not None


def test_what_is_no_chain_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        vdiskkit.read_chain(tmp_path / "nothing.vhd")
    (tmp_path / "text.vhd").write_text("no disk", encoding="ascii")
    with pytest.raises(UnknownFormatError):
        vdiskkit.read_chain(tmp_path / "text.vhd")
    with pytest.raises(UsageError):
        vdiskkit.read_chain(tmp_path / "text.vhd", format="qcow2")


def test_nothing_is_changed(tmp_path: Path) -> None:
    newest = vhd_chain(tmp_path, 2)
    shutil.copytree(tmp_path, tmp_path.with_name("before"))
    vdiskkit.read_chain(newest, check=True)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert after == {path.name: path.read_bytes() for path in tmp_path.with_name("before").iterdir()}


def test_a_chain_without_end_is_not_followed_for_ever(tmp_path: Path) -> None:
    """Every file has another id, so that no loop shows."""
    size, last = 4096, 600
    for number in range(last, 0, -1):
        link = ParentLink((number - 1).to_bytes(16, "big"), f"v{number - 1}.vhd")
        data = build_vhd("differencing", size, size, parent=link, unique_id=number.to_bytes(16, "big"))
        (tmp_path / f"v{number}.vhd").write_bytes(data)
    chain = vdiskkit.read_chain(tmp_path / f"v{last}.vhd")
    assert chain.break_at is not None
    assert (chain.break_at.kind, len(chain.files)) == ("too_long", 512)
