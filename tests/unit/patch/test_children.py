"""Disks that were made from a disk are found by their links, whatever they are called."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.build.scenario import make
from tests.build.vhd import KIB, ParentLink, build_vhd
from tests.build.vhdx import MIB, build_vhdx, link_to
from vdiskkit import SetPvpField, WriteRefusedError, apply, plan, undo
from vdiskkit.patch.children import find_children, notes_about
from vdiskkit.patch.operations import SetValue

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 16 * KIB
OWN, OTHER = b"O" * 16, b"X" * 16
OPERATION = SetValue(key=r"HKLM\SOFTWARE\Example", name="x", type=4, data=b"\1\0\0\0", create_keys=True)


def child_of(parent_id: bytes, name: str) -> bytes:
    return build_vhd("differencing", SIZE, 4 * KIB, {0: b"c" * 512}, parent=ParentLink(parent_id, name))


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "Desk.vhd"
    path.write_bytes(build_vhd("dynamic", SIZE, 4 * KIB, b"x", unique_id=OWN))
    return path


def test_children_of_any_name_are_found(disk: Path) -> None:
    disk.with_name("test-child.vhd").write_bytes(child_of(OWN, "Desk.vhd"))
    disk.with_name("Desk_1F2E3D4C-0000-4000-8000-000000000001.AVHD").write_bytes(child_of(OWN, "moved.vhd"))
    disk.with_name("stranger.avhd").write_bytes(child_of(OTHER, "Desk.vhd"))
    disk.with_name("notes.txt").write_bytes(child_of(OWN, "Desk.vhd"))
    disk.with_name("text.vhd").write_bytes(b"no disk")
    assert find_children(str(disk)) == (("Desk_1F2E3D4C-0000-4000-8000-000000000001.AVHD", "test-child.vhd"), ())


def test_a_copy_beside_the_parent_has_no_children(disk: Path) -> None:
    copy = disk.with_name("copy.vhd")
    copy.write_bytes(disk.read_bytes())
    disk.with_name("child.avhd").write_bytes(child_of(OWN, "Desk.vhd"))
    assert find_children(str(copy)).found == ()
    assert find_children(str(disk)).found == ("child.avhd",)
    disk.with_name("child.avhd").write_bytes(child_of(OWN, "neither.vhd"))
    assert find_children(str(copy)).found == find_children(str(disk)).found == ("child.avhd",)


def test_children_of_a_vhdx_are_found(tmp_path: Path) -> None:
    base = build_vhdx("dynamic", 3 * MIB)
    base.save(tmp_path / "Desk.vhdx")
    locator = link_to(base, r".\Desk.vhdx")
    build_vhdx("differencing", 3 * MIB, parent=locator).save(tmp_path / "Desk_2A.avhdx")
    assert find_children(str(tmp_path / "Desk.vhdx")).found == ("Desk_2A.avhdx",)


def test_what_cannot_be_read_is_told(disk: Path) -> None:
    damaged = bytearray(child_of(OWN, "Desk.vhd"))
    for at in (0, len(damaged) - 512):
        damaged[at + 20] ^= 1
    disk.with_name("damaged.avhd").write_bytes(damaged)
    disk.with_name("folder.vhd").mkdir()
    first, second = notes_about(str(disk))
    assert first.startswith("whether damaged.avhd was made from this disk is not known: ")
    assert second == "whether folder.vhd was made from this disk is not known: this is a directory, not a file"


def test_a_folder_that_cannot_be_listed_is_told(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_folder: str) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("vdiskkit.patch.children.names_in", refused)
    assert list(notes_about(str(disk))) == [
        "whether disks were made from this one is not known: the folder cannot be listed (Permission denied)"
    ]


def test_very_many_files_are_told(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vdiskkit.patch.children._MOST_FILES", 2)
    for number in range(5):
        disk.with_name(f"other{number}.vhd").write_bytes(b"")
    assert list(notes_about(str(disk))) == ["whether 3 more files were made from this disk was not looked at"]


def test_a_parent_is_not_changed_under_a_child_of_another_name(tmp_path: Path) -> None:
    disk = make("win10-private-mak", tmp_path)
    planned = plan(disk, [OPERATION])
    apply(planned)
    from vdiskkit import open_vdisk

    with open_vdisk(disk) as opened:
        own = bytes.fromhex(opened.container.unique_id.replace("-", ""))
    child = disk.with_name("test-child.vhd")
    child.write_bytes(child_of(own, disk.name))
    before = disk.read_bytes()
    text = r"other versions are made from this file \(test-child.vhd\); changing it would corrupt them"
    for call in (lambda: plan(disk, [OPERATION]), lambda: undo(disk)):
        with pytest.raises(WriteRefusedError, match=text):
            call()
    assert disk.read_bytes() == before
    assert plan(disk, [SetPvpField(field="description", value="x")]).changes
    child.unlink()
    undo(disk)


@pytest.mark.skipif(not hasattr(os, "link"), reason="no hard links here")
def test_hard_links_are_told(tmp_path: Path) -> None:
    disk = make("win10-private-mak", tmp_path)
    note = "the disk file has 2 names (hard links): what changes here changes under all of them"
    assert note not in plan(disk, [OPERATION]).notes
    os.link(disk, tmp_path / "other-name.bin")
    planned = plan(disk, [OPERATION])
    assert note in planned.notes
    assert note in planned.to_dict()["notes"]
    assert note not in plan(disk, [SetPvpField(field="description", value="x")]).notes
