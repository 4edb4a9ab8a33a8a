"""What belongs to a disk in its folder."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.lacks import needs_cases_apart, needs_links, needs_posix_names
from vdiskkit.errors import SourceError, UsageError
from vdiskkit.pair import Identity, disk_for_sidecar, read_pair
from vdiskkit.pair.facts import VersionKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdiskkit.pair.facts import PairFacts


def fill(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(name.encode())


def codes(facts: PairFacts) -> list[str]:
    return [notice.code for notice in facts.notices]


def parents(facts: PairFacts) -> dict[str, str | None]:
    return {version.file_name: version.parent_file for version in facts.versions}


def test_a_plain_pair(tmp_path: Path) -> None:
    fill(tmp_path, "desk10.vhd", "desk10.pvp", "other.vhd", "other.lok", "desk100.vhd", "desk10 old.vhd")
    os.utime(tmp_path / "desk10.vhd", (1709208000, 1709208000))
    (tmp_path / "WriteCache").mkdir()
    facts = read_pair(tmp_path / "desk10.vhd")
    assert facts.vdisk_name == "desk10"
    assert facts.version == 0
    assert facts.pvp_path == str(tmp_path / "desk10.pvp")
    assert facts.lock_files == ()
    assert not facts.locked
    assert facts.write_cache_folder == str(tmp_path / "WriteCache")
    (only,) = facts.versions
    assert only.file_name == "desk10.vhd"
    assert (only.version, only.kind, only.size, only.is_this) == (0, VersionKind.BASE, 10, True)
    assert only.modified == datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert (only.has_pvp, only.has_lock, only.parent_file, only.parent_by) == (True, False, None, None)
    assert facts.newest_version == 0
    assert facts.is_newest is True
    assert facts.children == ()
    assert facts.journals == ()
    assert facts.manifest is None
    assert facts.notices == ()
    assert facts.to_dict()["versions"][0]["kind"] == "base"


CHAIN = [
    "desk10.vhdx", "desk10.1.avhdx", "desk10.2.avhdx", "desk10.3.vhdx", "desk10.4.avhdx",
    "desk10.pvp", "desk10.1.pvp", "desk10.4.pvp", "desk10.4.lok", "desk10.1.lok",
]  # fmt: skip


def test_a_chain_with_a_merged_base(tmp_path: Path) -> None:
    fill(tmp_path, *CHAIN)
    facts = read_pair(tmp_path / "desk10.1.avhdx")
    assert facts.vdisk_name == "desk10"
    assert facts.version == 1
    assert parents(facts) == {
        "desk10.vhdx": None,
        "desk10.1.avhdx": "desk10.vhdx",
        "desk10.2.avhdx": "desk10.1.avhdx",
        "desk10.3.vhdx": None,
        "desk10.4.avhdx": "desk10.3.vhdx",
    }
    assert [version.kind.value for version in facts.versions] == ["base", "version", "version", "merged", "version"]
    assert {version.parent_by for version in facts.versions if version.parent_file} == {"name"}
    assert [version.has_pvp for version in facts.versions] == [True, True, False, False, True]
    assert [version.has_lock for version in facts.versions] == [False, True, False, False, True]
    assert facts.lock_files == ("desk10.1.lok", "desk10.4.lok")
    assert facts.locked
    assert facts.pvp_path == str(tmp_path / "desk10.1.pvp")
    assert facts.children == ("desk10.2.avhdx",)
    assert facts.newest_version == 4
    assert facts.is_newest is False
    assert codes(facts) == ["pair.newer_version"]
    assert "desk10.4.avhdx" in facts.notices[0].message
    newest = read_pair(tmp_path / "desk10.4.avhdx")
    assert newest.is_newest
    assert newest.children == ()
    assert newest.notices == ()


def test_numbers_are_compared_as_numbers(tmp_path: Path) -> None:
    fill(tmp_path, "a.vhd", *(f"a.{number}.avhd" for number in (1, 2, 9, 10, 11)))
    facts = read_pair(tmp_path / "a.11.avhd")
    assert facts.newest_version == 11
    assert parents(facts)["a.10.avhd"] == "a.9.avhd"


def test_names_are_compared_without_case(tmp_path: Path) -> None:
    fill(tmp_path, "Desk10.VHD", "DESK10.pvp", "desk10.LOK", "dEsk10.1.AVHD")
    facts = read_pair(tmp_path / "Desk10.VHD")
    assert facts.pvp_path == str(tmp_path / "DESK10.pvp")
    assert facts.lock_files == ("desk10.LOK",)
    assert facts.locked
    assert facts.children == ("dEsk10.1.AVHD",)


@needs_cases_apart
def test_side_cars_that_differ_by_case_only(tmp_path: Path) -> None:
    fill(tmp_path, "a.vhd", "A.pvp", "a.pvp")
    facts = read_pair(tmp_path / "a.vhd")
    assert facts.pvp_path == str(tmp_path / "a.pvp")
    assert codes(facts) == ["pair.several_side_cars"]


def test_missing_side_car_and_folder_in_its_place(tmp_path: Path) -> None:
    fill(tmp_path, "a.vhd")
    (tmp_path / "a.pvp").mkdir()
    facts = read_pair(tmp_path / "a.vhd")
    assert facts.pvp_path is None
    assert codes(facts) == ["pair.no_side_car"]
    assert "copy both" in facts.notices[0].message


@pytest.mark.parametrize(
    ("names", "asked", "stem", "version", "said"),
    [
        # Nothing else in the folder decides.
        (["win10.2019.vhd"], "win10.2019.vhd", "win10.2019", 0, True),
        (["win10.3.vhd"], "win10.3.vhd", "win10", 3, True),
        # Siblings with years are no evidence for each other.
        (["win10.2019.vhd", "win10.2016.vhd"], "win10.2019.vhd", "win10.2019", 0, True),
        # Versions of its own.
        (["win10.20.vhd", "win10.20.1.avhd", "win10.vhd"], "win10.20.vhd", "win10.20", 0, True),
        (["win10.20.vhd", "win10.20.1.avhd", "win10.vhd"], "win10.vhd", "win10", 0, False),
        (["win10.20.vhd", "win10.20.1.avhd"], "win10.20.1.avhd", "win10.20", 1, False),
        (["win10.20.vhd", "win10.20.xml", "win10.vhd"], "win10.20.vhd", "win10.20", 0, True),
        # A base, or certain versions, of the shorter name.
        (["win10.vhd", "win10.3.vhd"], "win10.3.vhd", "win10", 3, False),
        (["win10.4.avhd", "win10.3.vhd"], "win10.3.vhd", "win10", 3, False),
        (["win10.pvp", "win10.3.vhd"], "win10.3.vhd", "win10", 3, False),
        (["win10.3.vhd", "win10.xml"], "win10.3.vhd", "win10", 3, False),
        (["win10.vhd", "win10.2019.vhd"], "win10.2019.vhd", "win10.2019", 0, True),
        (["win10.vhd", "win10.2019.vhd"], "win10.vhd", "win10", 0, False),
        # Numbers of Windows and of products: several whole disks, and nothing says that they are one vDisk.
        (["Win.7.vhd", "Win.10.vhd"], "Win.7.vhd", "Win.7", 0, True),
        (["XA7.6.vhdx", "xa7.15.vhd", "XA7.6.pvp"], "XA7.6.vhdx", "XA7.6", 0, True),
        (["Win.7.vhd", "Win.10.vhd", "Win.xml"], "Win.7.vhd", "Win", 7, False),
        (["Win.7.vhd", "Win.10.vhd", "Win.9.avhd"], "Win.7.vhd", "Win", 7, False),
        # Only changes: certain.
        (["win10.2019.avhd"], "win10.2019.avhd", "win10", 2019, False),
        # No number of a version.
        (["win10.22H2.vhd"], "win10.22H2.vhd", "win10.22H2", 0, False),
        (["win10.123456.vhd"], "win10.123456.vhd", "win10.123456", 0, False),
        ([".vhd"], ".vhd", ".vhd", None, False),
    ],
)
def test_names_that_can_be_read_in_two_ways(
    tmp_path: Path, names: list[str], asked: str, stem: str, version: int | None, said: bool
) -> None:
    fill(tmp_path, *names)
    facts = read_pair(tmp_path / asked)
    assert (facts.vdisk_name, facts.version) == (stem, version)
    assert ("pair.name_ambiguous" in codes(facts)) == said


def test_another_vdisk_is_no_version(tmp_path: Path) -> None:
    fill(tmp_path, "win10.vhd", "win10.2019.vhd", "win10.20.vhd", "win10.20.1.avhd", "win10.1.avhd")
    facts = read_pair(tmp_path / "win10.vhd")
    assert [version.file_name for version in facts.versions] == ["win10.vhd", "win10.1.avhd"]


def identities(table: dict[str, tuple[str, str | None]]) -> tuple[Callable[[str], Identity | None], list[str]]:
    asked: list[str] = []

    def read(path: str) -> Identity | None:
        name = os.path.basename(path)  # noqa: PTH119 - the reader gets plain text
        asked.append(name)
        return Identity(*table[name]) if name in table else None

    return read, asked


def test_ids_decide_who_is_whose_parent(tmp_path: Path) -> None:
    fill(tmp_path, "a.vhd", "a.1.avhd", "a.2.avhd", "a.3.vhd", "a.pvp")
    # Version 2 was made from the base after version 1 had been reverted; 3 has a full disk's extension, but a parent.
    read, asked = identities(
        {"a.vhd": ("B", None), "a.1.avhd": ("V1", "B"), "a.2.avhd": ("V2", "b"), "a.3.vhd": ("V3", "V2")}
    )
    facts = read_pair(tmp_path / "a.vhd", read_identity=read)
    assert parents(facts) == {"a.vhd": None, "a.1.avhd": "a.vhd", "a.2.avhd": "a.vhd", "a.3.vhd": "a.2.avhd"}
    assert [version.parent_by for version in facts.versions] == [None, "id", "id", "id"]
    assert facts.versions[3].kind is VersionKind.VERSION
    assert facts.children == ("a.1.avhd", "a.2.avhd")
    assert sorted(asked) == sorted(set(asked))
    assert codes(facts) == ["pair.newer_version"]


def test_an_id_that_no_file_has(tmp_path: Path) -> None:
    fill(tmp_path, "a.vhd", "a.1.avhd", "a.pvp")
    read, _ = identities({"a.vhd": ("B", None), "a.1.avhd": ("V1", "gone")})
    facts = read_pair(tmp_path / "a.1.avhd", read_identity=read)
    assert parents(facts)["a.1.avhd"] is None
    assert "pair.parent_id_unknown" in codes(facts)
    assert any("by its name it would be made from a.vhd" in notice.message for notice in facts.notices)


def test_ids_that_cannot_be_read_leave_the_names(tmp_path: Path) -> None:
    fill(tmp_path, "a.vhd", "a.1.avhd", "a.pvp", "a.1.pvp")

    def fail(path: str) -> Identity | None:
        raise SourceError("the share went away")

    facts = read_pair(tmp_path / "a.1.avhd", read_identity=fail)
    assert parents(facts)["a.1.avhd"] == "a.vhd"
    assert facts.versions[1].parent_by == "name"
    assert facts.notices == ()


def test_a_file_is_never_its_own_parent(tmp_path: Path) -> None:
    fill(tmp_path, "a.1.avhd")
    read, _ = identities({"a.1.avhd": ("X", "X")})
    facts = read_pair(tmp_path / "a.1.avhd", read_identity=read)
    assert parents(facts) == {"a.1.avhd": None}
    assert facts.children == ()


def test_an_id_solves_an_ambiguous_name(tmp_path: Path) -> None:
    fill(tmp_path, "win10.2019.vhd")
    read, _ = identities({"win10.2019.vhd": ("V", "P")})
    facts = read_pair(tmp_path / "win10.2019.vhd", read_identity=read)
    assert (facts.vdisk_name, facts.version) == ("win10", 2019)


def test_a_parent_is_found_by_its_id_whatever_its_name(tmp_path: Path) -> None:
    """As with the checkpoints of Hyper-V, and copies that somebody renamed."""
    fill(tmp_path, "Desk.vhdx", "Desk_0B1F3C9A.avhdx", "Other.vhdx", "notes.txt")
    read, asked = identities({"Desk.vhdx": ("B", None), "Desk_0B1F3C9A.avhdx": ("C", "b"), "Other.vhdx": ("O", None)})
    facts = read_pair(tmp_path / "Desk_0B1F3C9A.avhdx", read_identity=read)
    assert parents(facts) == {"Desk_0B1F3C9A.avhdx": "Desk.vhdx"}
    assert facts.versions[0].parent_by == "id"
    assert codes(facts) == ["pair.no_side_car"]
    assert "notes.txt" not in asked


def test_all_ids_of_a_long_chain_are_read(tmp_path: Path) -> None:
    fill(tmp_path, "a.vhd", *(f"a.{number}.avhd" for number in range(1, 201)))
    table: dict[str, tuple[str, str | None]] = {"a.vhd": ("0", None)}
    table |= {f"a.{number}.avhd": (str(number), str(number - 1)) for number in range(1, 201)}
    read, asked = identities(table)
    facts = read_pair(tmp_path / "a.vhd", read_identity=read)
    assert sorted(asked) == sorted(table)
    assert {version.parent_by for version in facts.versions[1:]} == {"id"}
    assert facts.children == ("a.1.avhd",)


def test_missing_parent_and_double_version(tmp_path: Path) -> None:
    fill(tmp_path, "a.2.avhd", "a.2.avhdx", "a.2.pvp")
    facts = read_pair(tmp_path / "a.2.avhd")
    assert codes(facts) == ["pair.parent_missing", "pair.parent_missing", "pair.version_twice"]


def test_notices_of_one_kind_are_limited(tmp_path: Path) -> None:
    fill(tmp_path, "a.vhd", "a.pvp", *(f"a.{number}.{kind}" for number in range(1, 31) for kind in ("vhd", "avhd")))
    facts = read_pair(tmp_path / "a.vhd")
    assert codes(facts).count("pair.version_twice") == 21
    assert facts.notices[-1].message == "10 more of this kind are not shown"


def test_formats_are_not_mixed_in_a_chain(tmp_path: Path) -> None:
    fill(tmp_path, "a.vhd", "a.vhdx", "a.1.avhd", "a.1.pvp")
    facts = read_pair(tmp_path / "a.1.avhd")
    assert parents(facts)["a.1.avhd"] == "a.vhd"
    assert codes(facts) == ["pair.version_twice"]


def test_asked_by_the_side_car(tmp_path: Path) -> None:
    fill(tmp_path, "a.vhd", "a.1.avhd", "a.1.pvp")
    facts = read_pair(tmp_path / "a.1.pvp")
    assert facts.version == 1
    assert facts.pvp_path == str(tmp_path / "a.1.pvp")
    assert [version.is_this for version in facts.versions] == [False, True]


def test_a_raw_image(tmp_path: Path) -> None:
    fill(tmp_path, "a.img", "a.pvp", "a.lok")
    facts = read_pair(tmp_path / "a.img")
    assert facts.version is None
    assert facts.is_newest is None
    assert facts.pvp_path == str(tmp_path / "a.pvp")
    assert facts.locked
    assert facts.versions == ()
    assert facts.notices == ()


def test_journals(tmp_path: Path) -> None:
    fill(
        tmp_path,
        "a.vhd",
        "a.pvp",
        "a.vhd.vdiskkit-journal",
        "b.vhd.vdiskkit-journal",
        "a.1.avhd",
        "A.1.avhd.vdiskkit-journal",
    )
    assert read_pair(tmp_path / "a.vhd").journals == ("A.1.avhd.vdiskkit-journal", "a.vhd.vdiskkit-journal")


def test_relative_paths_keep_the_users_spelling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a.vhd", "a.pvp")
    monkeypatch.chdir(tmp_path)
    assert read_pair("a.vhd").pvp_path == "a.pvp"
    assert read_pair("./a.vhd").pvp_path == os.path.join(".", "a.pvp")  # noqa: PTH118 - pathlib drops the dot
    assert disk_for_sidecar("./a.pvp") == os.path.join(".", "a.vhd")  # noqa: PTH118


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    facts = read_pair(tmp_path / "gone" / "a.vhd")
    assert codes(facts) == ["pair.folder_unreadable"]
    assert facts.versions == ()


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, "a.1.avhd", "a.1.pvp", "a.1.lok", "a.vhd")

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    # As root every folder can be listed; a share can still refuse.
    monkeypatch.setattr("os.scandir", refuse)
    facts = read_pair(tmp_path / "a.1.avhd")
    assert facts.pvp_path == str(tmp_path / "a.1.pvp")
    assert facts.locked
    assert [(version.file_name, version.size) for version in facts.versions] == [("a.1.avhd", 8)]
    assert codes(facts) == ["pair.folder_unreadable", "pair.parent_missing"]
    assert "Permission denied" in facts.notices[0].message
    assert disk_for_sidecar(tmp_path / "a.1.pvp") == str(tmp_path / "a.1.avhd")


@pytest.mark.parametrize(
    "name",
    [
        *("a.(b).vhd", "a.1.2.3.vhd", "ß.vhd"),
        *(
            pytest.param(name, marks=needs_posix_names)
            for name in ("a[1]*.vhd", "a.(b|c).vhd", "\x1b[31m.vhd", "a\nb.vhd", "\udcff.vhd")
        ),
    ],
)
def test_hostile_names(tmp_path: Path, name: str) -> None:
    fill_names = [name, name.removesuffix(".vhd") + ".pvp", name.removesuffix(".vhd") + ".1.avhd"]
    for item in fill_names:
        (tmp_path / item).write_bytes(b"")
    facts = read_pair(tmp_path / name)
    assert facts.pvp_path == str(tmp_path / fill_names[1])
    assert facts.children == (fill_names[2],)


@needs_links
def test_dangling_links_are_no_files(tmp_path: Path) -> None:
    fill(tmp_path, "a.vhd")
    (tmp_path / "a.pvp").symlink_to(tmp_path / "nowhere")
    (tmp_path / "a.1.avhd").symlink_to(tmp_path / "a.1.avhd")
    facts = read_pair(tmp_path / "a.vhd")
    assert facts.pvp_path is None
    assert facts.children == ()


@pytest.mark.parametrize("disk", ["a.vhd", "a.VHDX", "A.avhd", "a.avhdx"])
def test_disk_of_a_side_car(tmp_path: Path, disk: str) -> None:
    fill(tmp_path, "a.pvp", disk, "a.1.avhd", "b.vhd", "a.vhd.bak")
    assert disk_for_sidecar(tmp_path / "a.pvp") == str(tmp_path / disk)


def test_no_disk_for_a_side_car(tmp_path: Path) -> None:
    fill(tmp_path, "a.pvp", "a.1.avhd")
    with pytest.raises(SourceError, match="no disk file beside this") as caught:
        disk_for_sidecar(tmp_path / "a.pvp")
    assert caught.value.hint
    with pytest.raises(SourceError, match="no disk file"):
        disk_for_sidecar(tmp_path / "gone" / "a.pvp")


def test_several_disks_for_a_side_car(tmp_path: Path) -> None:
    fill(tmp_path, "a.pvp", "a.vhd", "a.vhdx")
    with pytest.raises(UsageError, match=r"a\.vhd, a\.vhdx"):
        disk_for_sidecar(tmp_path / "a.pvp")
    with pytest.raises(UsageError, match="not the name"):
        disk_for_sidecar(tmp_path / "a.vhd")
    assert read_pair(tmp_path / "a.pvp").version is None
