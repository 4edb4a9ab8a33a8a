"""Chains of differencing disks: how parents are found, which are taken, which are refused."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.build.vhd import DEFAULT_TIMESTAMP, KIB, SECTOR, ParentLink, build_vhd
from tests.lacks import needs_named_pipes
from vdiskkit.container import ExtentKind, open_container
from vdiskkit.errors import (
    ChainError,
    ChecksumError,
    ParentMismatchError,
    ParentNotFoundError,
    SourceError,
    VDiskError,
)
from vdiskkit.io import BytesSource, FileSource, GuardedSource, ReadBudget

if TYPE_CHECKING:
    from vdiskkit.container.disk import VirtualDisk
    from vdiskkit.io.source import ByteSource

BLOCK = 64 * KIB
SIZE = 4 * BLOCK
EPOCH_2000 = 946_684_800


def put(path: Path, data: bytes) -> Path:
    """Write a file whose time is the one that children made with the default link remember."""
    path.write_bytes(data)
    os.utime(path, (EPOCH_2000 + DEFAULT_TIMESTAMP,) * 2)
    return path


def child_of(
    parent: bytes, name: str, content: dict[int, bytes], *, absolute: str | None = None, size: int = SIZE
) -> bytes:
    return build_vhd("differencing", size, BLOCK, content, parent=ParentLink.to(parent, name, absolute=absolute))


def base(content: dict[int, bytes] | None = None, kind: str = "dynamic", size: int = SIZE) -> bytes:
    return build_vhd(kind, size, BLOCK, content or {0: b"base" * 500})


def open_path(path: Path, *, parent_dirs: tuple[str, ...] = (), follow_parent_paths: bool = False) -> VirtualDisk:
    with FileSource(str(path)) as source:
        disk = open_container(
            BytesSource(source.read_at(0, source.size), source.location),
            path=str(path),
            parent_dirs=parent_dirs,
            follow_parent_paths=follow_parent_paths,
        )
    disk.close()
    return disk


def parent_path(path: Path, *, parent_dirs: tuple[str, ...] = (), follow_parent_paths: bool = False) -> str | None:
    disk = open_path(path, parent_dirs=parent_dirs, follow_parent_paths=follow_parent_paths)
    assert disk.parent is not None
    return disk.parent.path


def failure(path: Path, *, parent_dirs: tuple[str, ...] = ()) -> VDiskError:
    with pytest.raises(VDiskError) as caught:
        open_path(path, parent_dirs=parent_dirs)
    return caught.value


def test_a_chain_of_three(tmp_path: Path) -> None:
    first = base({0: b"A" * BLOCK, BLOCK: b"B" * BLOCK})
    second = child_of(first, "disk.vhd", {SECTOR: b"2" * SECTOR})
    third = build_vhd("differencing", SIZE, BLOCK, {2 * SECTOR: b"3" * SECTOR, 2 * BLOCK: b"new"},
                      parent=ParentLink.to(second, "disk.1.avhd"))  # fmt: skip
    put(tmp_path / "disk.vhd", first)
    put(tmp_path / "disk.1.avhd", second)
    path = put(tmp_path / "disk.2.avhd", third)
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        expected = b"A" * SECTOR + b"2" * SECTOR + b"3" * SECTOR + b"A" * SECTOR
        assert disk.read_at(0, 4 * SECTOR) == expected
        assert disk.read_at(700, 1000) == expected[700:1700]
        assert disk.read_at(BLOCK - 2, 4) == b"AABB"
        assert disk.read_at(2 * BLOCK - 1, 5) == b"Bnew\0"
        assert [extent.kind for extent in disk.map(0, 4 * SECTOR)] == [
            ExtentKind.PARENT,
            ExtentKind.FILE,
            ExtentKind.PARENT,
        ]
        assert disk.notices == ()
        facts = disk.facts()
        assert [Path(link.path or "").name for link in facts.chain] == ["disk.2.avhd", "disk.1.avhd", "disk.vhd"]
        assert [link.type for link in facts.chain] == ["differencing", "differencing", "dynamic"]
        assert [link.parent is None for link in facts.chain] == [False, False, True]
        assert facts.parent is not None
        assert facts.parent.name == "disk.1.avhd"
        assert facts.parent.unique_id == facts.parent.found_unique_id == facts.chain[1].unique_id
        assert facts.parent.found == str(tmp_path / "disk.1.avhd")
        assert facts.parent.tried == (str(tmp_path / "disk.1.avhd"),)
        assert [(item.code, item.path) for item in facts.parent.locators] == [("W2ru", ".\\disk.1.avhd")]
        assert facts.parent.modified is not None
        assert len(disk.chain) == 3
        disk.close()
        with pytest.raises((SourceError, ValueError)):
            disk.read_at(BLOCK, 1)
        assert source.read_at(0, 8) == b"conectix", "the disk's own source is the caller's"


@pytest.mark.parametrize("kind", ["fixed", "dynamic"])
def test_any_kind_of_base(tmp_path: Path, kind: str) -> None:
    parent = base({0: b"base", 3 * BLOCK: b"end"}, kind)
    put(tmp_path / "disk.vhd", parent)
    path = put(tmp_path / "disk.1.avhd", child_of(parent, "disk.vhd", {SECTOR: b"child"}))
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        assert disk.read_at(0, 4) + disk.read_at(SECTOR, 5) + disk.read_at(3 * BLOCK, 4) == b"basechildend\0"
        disk.close()


def test_zeros_of_a_child_hide_the_parent(tmp_path: Path) -> None:
    parent = base({0: b"x" * 2 * SECTOR})
    put(tmp_path / "disk.vhd", parent)
    path = put(tmp_path / "disk.1.avhd", child_of(parent, "disk.vhd", {0: bytes(SECTOR)}))
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        assert disk.read_at(0, 2 * SECTOR) == bytes(SECTOR) + b"x" * SECTOR
        disk.close()


def test_stale_sectors_of_a_child_are_the_parents(tmp_path: Path) -> None:
    parent = base({0: b"x" * 4 * SECTOR})
    put(tmp_path / "disk.vhd", parent)
    data = build_vhd("differencing", SIZE, BLOCK, {SECTOR: b"1" * SECTOR}, parent=ParentLink.to(parent, "disk.vhd"),
                     stale_sectors={0: b"old", 2 * SECTOR: b"old"})  # fmt: skip
    path = put(tmp_path / "disk.1.avhd", data)
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        assert disk.read_at(0, 4 * SECTOR) == b"x" * SECTOR + b"1" * SECTOR + b"x" * 2 * SECTOR
        disk.close()


@pytest.mark.parametrize("parent_size", [BLOCK + SECTOR, 9 * BLOCK])
def test_a_parent_of_another_size(tmp_path: Path, parent_size: int) -> None:
    parent = base({0: b"p" * parent_size}, size=parent_size)
    put(tmp_path / "disk.vhd", parent)
    path = put(tmp_path / "disk.1.avhd", child_of(parent, "disk.vhd", {3 * BLOCK: b"c"}))
    expected = (b"p" * parent_size).ljust(SIZE, b"\0")[:SIZE]
    expected = expected[: 3 * BLOCK] + b"c".ljust(SECTOR, b"\0") + expected[3 * BLOCK + SECTOR :]
    with FileSource(str(path)) as source:
        disk = open_container(source, path=str(path))
        assert disk.read_at(0, SIZE) == expected
        assert disk.read_at(BLOCK, 2 * BLOCK) == expected[BLOCK : 3 * BLOCK]
        disk.close()


def test_a_chain_deeper_than_the_stack(tmp_path: Path) -> None:
    depth = sys.getrecursionlimit() + 200
    files = {"disk.vhd": build_vhd("dynamic", 8 * SECTOR, 4 * KIB, {0: b"base"})}
    name = "disk.vhd"
    for version in range(1, depth):
        link = ParentLink.to(files[name], name)
        name = f"disk.{version}.avhd"
        files[name] = build_vhd("differencing", 8 * SECTOR, 4 * KIB, {}, parent=link)
        (tmp_path / name).touch()
    (tmp_path / "disk.vhd").touch()
    disk = open_container(
        BytesSource(files[name]),
        path=str(tmp_path / name),
        open_source=lambda path: BytesSource(files[Path(path).name]),
    )
    assert len(disk.chain) == depth
    assert disk.read_at(0, 4) == b"base"
    assert len(disk.facts().chain) == depth


# Finding ------------------------------------------------------------------------------------------------------------


def test_the_name_counts_not_the_path(tmp_path: Path) -> None:
    parent = base()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    put(elsewhere / "parent.vhd", parent)
    here = tmp_path / "here"
    here.mkdir()
    path = put(here / "child.avhd", child_of(parent, "parent.vhd", {}, absolute=str(elsewhere / "parent.vhd")))
    caught = failure(path)
    assert isinstance(caught, ParentNotFoundError)
    assert caught.tried == (str(here / "parent.vhd"),)
    assert "--parent-dir" in (caught.hint or "")
    assert parent_path(path, parent_dirs=(str(elsewhere),)) == str(elsewhere / "parent.vhd")
    put(here / "parent.vhd", parent)
    assert parent_path(path, parent_dirs=(str(elsewhere),)) == str(here / "parent.vhd")


@pytest.mark.skipif(os.name == "nt", reason="absolute paths of this kind are POSIX")
def test_paths_are_followed_on_request(tmp_path: Path) -> None:
    parent = base()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    put(elsewhere / "parent.vhd", parent)
    here = tmp_path / "here"
    here.mkdir()
    path = put(here / "child.avhd", child_of(parent, "parent.vhd", {}, absolute=str(elsewhere / "parent.vhd")))
    assert parent_path(path, follow_parent_paths=True) == str(elsewhere / "parent.vhd")
    link = ParentLink.to(parent, "parent.vhd")._replace(locators=((b"W2ru", "..\\elsewhere\\parent.vhd"),))
    put(path, build_vhd("differencing", SIZE, BLOCK, {}, parent=link))
    assert isinstance(failure(path), ParentNotFoundError)
    assert parent_path(path, follow_parent_paths=True) == str(here / "../elsewhere/parent.vhd")


@pytest.mark.parametrize(
    "stored",
    [
        "\\\\evil\\share\\parent.vhd",
        "//evil/share/parent.vhd",
        "\\\\?\\UNC\\evil\\share\\parent.vhd",
        "\\\\.\\PhysicalDrive0",
        "file://evil/share/parent.vhd",
        "\\rooted.vhd",
        "C:relative.vhd",
    ],
)
def test_unc_and_device_paths_are_never_followed(tmp_path: Path, stored: str) -> None:
    link = ParentLink(b"i" * 16, "", ((b"W2ku", stored), (b"W2ru", stored)))
    path = put(tmp_path / "child.avhd", build_vhd("differencing", SIZE, BLOCK, {}, parent=link))

    def refuse(path: str) -> ByteSource:
        raise AssertionError(f"opened {path}")

    with pytest.raises(ParentNotFoundError) as caught:
        open_container(BytesSource(path.read_bytes()), path=str(path), follow_parent_paths=True, open_source=refuse)
    assert all(Path(tried).parent == tmp_path for tried in caught.value.tried)


@pytest.mark.parametrize(
    "stored", ["", "..", ".", "C:\\", "a/..", "NUL", "com1.vhd", "x\x01y", "stream.vhd:other", "a*b"]
)
def test_names_that_are_none(tmp_path: Path, stored: str) -> None:
    link = ParentLink(b"i" * 16, stored, ((b"W2ru", stored),))
    path = put(tmp_path / "child.avhd", build_vhd("differencing", SIZE, BLOCK, {}, parent=link))
    caught = failure(path)
    assert isinstance(caught, ParentNotFoundError)
    assert caught.tried == ()


def test_locators_come_before_the_name_in_the_header(tmp_path: Path) -> None:
    parent = base()
    link = ParentLink(parent[-512 + 68 :][:16], "by-name.vhd", ((b"W2ku", "D:\\by-w2ku.vhd"), (b"W2ru", "by-w2ru.vhd")))
    path = put(tmp_path / "child.avhd", build_vhd("differencing", SIZE, BLOCK, {}, parent=link))
    put(tmp_path / "by-name.vhd", parent)
    assert Path(parent_path(path) or "").name == "by-name.vhd"
    put(tmp_path / "by-w2ku.vhd", parent)
    assert Path(parent_path(path) or "").name == "by-w2ku.vhd"
    put(tmp_path / "by-w2ru.vhd", parent)
    assert Path(parent_path(path) or "").name == "by-w2ru.vhd"


def test_a_url_locator(tmp_path: Path) -> None:
    parent = base()
    put(tmp_path / "my base.vhd", parent)
    data = bytearray(child_of(parent, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", {}))
    from tests.build.vhd_faults import set_header

    place = int.from_bytes(data[512 + 576 + 16 : 512 + 576 + 24], "big")
    url = b"file://localhost/vol/my%20base.vhd"
    data[place : place + len(url)] = url
    data = set_header(data, 576, b"MacX" + (512).to_bytes(4, "big") + len(url).to_bytes(4, "big"))
    path = put(tmp_path / "child.avhd", bytes(set_header(data, 64, bytes(512))))
    assert parent_path(path) == str(tmp_path / "my base.vhd")


def test_names_whatever_their_case(tmp_path: Path) -> None:
    parent = base()
    put(tmp_path / "Gold-Ü.VHD", parent)
    path = put(tmp_path / "gold.1.avhd", child_of(parent, "gold-ü.vhd", {}))
    assert (tmp_path / "Gold-Ü.VHD").samefile(parent_path(path) or "")


def test_names_that_pvs_gives(tmp_path: Path) -> None:
    """A renamed vDisk: the stored names are of the old one, the chain is found by its own names."""
    parent = base()
    path = put(tmp_path / "new.5.avhd", child_of(parent, "old.vhd", {}))
    for name in ("new.vhd", "other.4.avhd", "new.6.avhd", "new.x.avhd", "new.4.pvp"):
        put(tmp_path / name, base({0: name.encode()}, size=2 * SIZE))
    caught = failure(path)
    assert isinstance(caught, ParentMismatchError)
    assert "new.vhd: its id is" in caught.message
    assert "other" not in caught.message
    assert "new.6" not in caught.message
    put(tmp_path / "NEW.3.vhd", parent)
    assert parent_path(path) == str(tmp_path / "NEW.3.vhd")
    put(tmp_path / "new.3.avhd", parent)
    assert parent_path(path) == str(tmp_path / "new.3.avhd"), "the version comes before the merged base"
    put(tmp_path / "new.4.vhd", parent)
    assert parent_path(path) == str(tmp_path / "new.4.vhd")


def test_many_wrong_candidates_stay_readable(tmp_path: Path) -> None:
    path = put(tmp_path / "new.50.avhd", child_of(base(), "old.vhd", {}))
    wrong = base(size=2 * SIZE)
    for version in range(1, 50):
        put(tmp_path / f"new.{version}.avhd", wrong)
    assert "new.42.avhd: its id is" in failure(path).message
    assert failure(path).message.endswith("; and 41 more")


def test_a_wrong_candidate_does_not_end_the_search(tmp_path: Path) -> None:
    parent = base()
    path = put(tmp_path / "disk.2.avhd", child_of(parent, "disk.1.avhd", {}))
    put(tmp_path / "disk.1.avhd", base(size=2 * SIZE))
    put(tmp_path / "disk.1.vhd", parent)
    disk = open_path(path)
    assert disk.parent is not None
    assert disk.parent.path == str(tmp_path / "disk.1.vhd")
    facts = disk.facts()
    assert facts.parent is not None
    assert [Path(tried).name for tried in facts.parent.tried] == ["disk.1.avhd", "disk.1.vhd"]


def test_a_file_object_without_a_path(tmp_path: Path) -> None:
    parent = base()
    put(tmp_path / "disk.vhd", parent)
    child = BytesSource(child_of(parent, "disk.vhd", {}))
    with pytest.raises(ParentNotFoundError):
        open_container(child, path=None)
    disk = open_container(child, path=None, parent_dirs=[str(tmp_path)])
    assert disk.read_at(0, 4) == b"base"
    disk.close()


def test_a_path_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = base()
    put(tmp_path / "DISK.vhd", parent)
    put(tmp_path / "disk.1.avhd", child_of(parent, "disk.vhd", {}))
    monkeypatch.chdir(tmp_path)
    assert (parent_path(Path("disk.1.avhd")) or "").casefold() == "disk.vhd"


def test_parents_are_opened_through_the_given_function(tmp_path: Path) -> None:
    parent = base()
    put(tmp_path / "disk.vhd", parent)
    budget = ReadBudget(1 << 20, 100)
    opened: list[FileSource] = []

    def open_guarded(path: str) -> ByteSource:
        opened.append(FileSource(path))
        return GuardedSource(opened[-1], budget)

    child = BytesSource(child_of(parent, "disk.vhd", {}))
    disk = open_container(child, path=str(tmp_path / "disk.1.avhd"), open_source=open_guarded)
    before = budget.spent_calls
    assert 1 <= before <= 3
    assert disk.read_at(0, 4) == b"base"
    assert budget.spent_calls == before + 1
    disk.close()
    with pytest.raises(SourceError, match="closed"):
        opened[0].read_at(0, 1)


# Refusing -----------------------------------------------------------------------------------------------------------


def test_another_id(tmp_path: Path) -> None:
    wanted = base()
    path = put(tmp_path / "disk.1.avhd", child_of(wanted, "disk.vhd", {}))
    put(tmp_path / "disk.vhd", base(size=2 * SIZE))
    caught = failure(path)
    assert isinstance(caught, ParentMismatchError)
    assert "disk.vhd: its id is" in caught.message
    assert caught.exit_code == 3
    assert "restore the chain" in (caught.hint or "")


def test_a_missing_parent(tmp_path: Path) -> None:
    path = put(tmp_path / "disk.1.avhd", child_of(base(), "disk.vhd", {}))
    caught = failure(path)
    assert isinstance(caught, ParentNotFoundError)
    assert "the parent of this differencing disk (disk.vhd, id " in caught.message
    assert caught.exit_code == 3
    assert caught.location is not None
    assert caught.location.path == str(path)


def test_a_missing_parent_of_a_renamed_version(tmp_path: Path) -> None:
    path = put(tmp_path / "new.3.avhd", child_of(base(), "old.2.avhd", {}))
    caught = failure(path)
    assert isinstance(caught, ParentNotFoundError)
    assert [Path(tried).name for tried in caught.tried] == ["old.2.avhd", "new.2.avhd", "new.vhd"]


def test_a_vhdx_or_raw_parent(tmp_path: Path) -> None:
    path = put(tmp_path / "disk.1.avhd", child_of(base(), "disk.vhdx", {}))
    put(tmp_path / "disk.vhdx", b"vhdxfile" + bytes(10_000))
    caught = failure(path)
    assert type(caught) is ChainError
    assert "disk.vhdx: it is a VHDX, which cannot be the parent of a VHD" in caught.message
    put(tmp_path / "disk.vhdx", b"x" * 10_000)
    assert "disk.vhdx: it is no VHD" in failure(path).message


def test_a_parent_that_cannot_be_opened(tmp_path: Path) -> None:
    path = put(tmp_path / "disk.1.avhd", child_of(base(), "folder.vhd", {}))
    (tmp_path / "folder.vhd").mkdir()
    assert "folder.vhd: it is no regular file" in failure(path).message


@needs_named_pipes
def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    path = put(tmp_path / "disk.1.avhd", child_of(base(), "pipe.vhd", {}))
    os.mkfifo(tmp_path / "pipe.vhd")
    assert "pipe.vhd: it is no regular file" in failure(path).message


def test_a_damaged_candidate_and_a_damaged_parent(tmp_path: Path) -> None:
    from tests.build.vhd_faults import break_vhd

    parent = base()
    path = put(tmp_path / "disk.1.avhd", child_of(parent, "disk.vhd", {}))
    put(tmp_path / "disk.vhd", break_vhd(parent, "footer_and_copy_checksum"))
    assert "disk.vhd: VHD footer: the checksum does not fit" in failure(path).message
    put(tmp_path / "disk.vhd", break_vhd(parent, "header_checksum"))
    caught = failure(path)
    assert isinstance(caught, ChecksumError)
    assert caught.location is not None
    assert caught.location.path == str(tmp_path / "disk.vhd")


def test_a_loop(tmp_path: Path) -> None:
    one = bytes([1]) * 16
    two = bytes([2]) * 16
    first = build_vhd("differencing", SIZE, BLOCK, {}, unique_id=one, parent=ParentLink(two, "b.vhd"))
    second = build_vhd("differencing", SIZE, BLOCK, {}, unique_id=two, parent=ParentLink(one, "a.vhd"))
    path = put(tmp_path / "a.vhd", first)
    put(tmp_path / "b.vhd", second)
    caught = failure(path)
    assert type(caught) is ChainError
    assert "the chain of parents is a loop" in caught.message
    assert caught.message.count("a.vhd") == 2


def test_files_are_closed_when_the_chain_fails(tmp_path: Path) -> None:
    """Warnings are errors here, and a file that is left open is one."""
    lost = base()
    second = child_of(lost, "lost.vhd", {})
    put(tmp_path / "b.vhd", second)
    path = put(tmp_path / "c.vhd", child_of(second, "b.vhd", {}))
    assert isinstance(failure(path), ParentNotFoundError)


def test_a_parent_with_another_time(tmp_path: Path) -> None:
    parent = build_vhd("dynamic", SIZE, BLOCK, timestamp=1000)
    put(tmp_path / "disk.vhd", parent)
    path = put(tmp_path / "disk.1.avhd", child_of(parent, "disk.vhd", {}))
    assert open_path(path).notices == ()
    os.utime(tmp_path / "disk.vhd", (EPOCH_2000 + DEFAULT_TIMESTAMP + 100,) * 2)
    (notice,) = open_path(path).notices
    assert notice.code == "vhd.parent_time"
    assert "2024-12-26 11:54:12 UTC, but 2024-12-26 11:52:32 UTC was recorded" in notice.message
    os.utime(tmp_path / "disk.vhd", (-5000, 5_000_000_000))
    assert [item.code for item in open_path(path).notices] == ["vhd.parent_time"]
    link = ParentLink.to(parent, "disk.vhd")
    for timestamp in (0, 1000):
        link = link._replace(timestamp=timestamp)
        put(path, build_vhd("differencing", SIZE, BLOCK, parent=link))
        assert open_path(path).notices == ()


def test_hostile_names_are_shown_harmless(tmp_path: Path) -> None:
    link = ParentLink(b"i" * 16, "a\u202egnp.vhd", ((b"W2ru", "new\nline\x1b[31m.vhd"),))
    path = put(tmp_path / "child.avhd", build_vhd("differencing", SIZE, BLOCK, {}, parent=link))
    text = str(failure(path))
    assert "\n" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_odd_locator_bytes(tmp_path: Path) -> None:
    """Lone surrogates and half characters are no names that any system has; nothing breaks."""
    link = ParentLink(b"i" * 16, "", ((b"W2ru", "x" * 20),))
    data = bytearray(build_vhd("differencing", SIZE, BLOCK, {}, parent=link))
    place = int.from_bytes(data[512 + 576 + 16 : 512 + 576 + 24], "big")
    data[place : place + 6] = b"\x00\xd8\x41\x00\x00\xdc"
    path = put(tmp_path / "child.avhd", bytes(data))
    assert isinstance(failure(path), ParentNotFoundError)
