"""Deleting files: every name that goes is shown, others stay, and what Windows starts with wants a force."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import vdiskkit
from tests.build.image import PartitionSpec, build_disk
from tests.build.scenario import make
from vdiskkit.errors import WriteRefusedError
from vdiskkit.patch.boot_files import why_needed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.windows.image import WindowsImage

VOLUMES = Path(__file__).parents[2] / "data" / "ntfs"


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A disk with a file of three names, and with names that differ in case alone."""
    volume = lzma.decompress((VOLUMES / "basic.ntfs.xz").read_bytes())
    path = tmp_path / "x.img"
    path.write_bytes(build_disk([PartitionSpec(volume)], table="mbr"))
    return path


def changes(disk: Path, path: str, **arguments: Any) -> list[tuple[str, str | None]]:
    plan = vdiskkit.plan(disk, [vdiskkit.DeleteFile(path=path, **arguments)])
    assert {change.kind for change in plan.changes} == {"file"}
    assert [item["where"] for item in plan.to_dict()["changes"]] == [change.where for change in plan.changes]
    return [(change.where, change.before) for change in plan.changes]


class TestHardLinks:
    def test_each_name_that_goes_is_a_change(self, linked: Path) -> None:
        (first, size), *others = changes(linked, "links\\second.txt", all_links=True)
        assert first == "links\\second.txt"
        assert size is not None
        assert size.endswith(" bytes, 3 names")
        why = "another name of links\\second.txt"
        assert others == [("Windows\\third.txt", why), ("links\\original.txt", why)]

    def test_names_that_stay_are_told(self, linked: Path) -> None:
        ((name, text),) = changes(linked, "links\\second.txt")
        assert name == "links\\second.txt"
        assert text is not None
        assert text.endswith(
            " bytes, 1 name; the content stays with 2 other hard links: Windows\\third.txt, links\\original.txt"
        )

    def test_one_after_the_other(self, linked: Path) -> None:
        names = ["links\\second.txt", "Windows\\third.txt"]
        before = linked.read_bytes()
        plan = vdiskkit.plan(linked, [vdiskkit.DeleteFile(path=name) for name in names])
        assert [change.where for change in plan.changes] == names
        vdiskkit.apply(plan)
        with vdiskkit.open_vdisk(linked) as disk:
            assert disk.volume.paths(disk.volume.lookup("links\\original.txt")) == ("links\\original.txt",)
        vdiskkit.undo(linked)
        assert linked.read_bytes() == before


@pytest.mark.parametrize("name", ["readme", "README", "ReadMe"])
def test_names_that_differ_in_case_alone_are_refused_when_it_is_planned(linked: Path, name: str) -> None:
    with pytest.raises(
        WriteRefusedError, match="in names there are README and readme, which differ in case alone"
    ) as caught:
        vdiskkit.plan(linked, [vdiskkit.DeleteFile(path=f"names\\{name}", missing_ok=True)])
    assert caught.value.exit_code == 5
    assert caught.value.hint == "delete or rename one of them in a system that tells such names apart, then try again"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make("win10-private-mak", tmp_path_factory.mktemp("boot"))


@pytest.fixture(scope="module")
def image(disk: Path) -> Iterator[WindowsImage]:
    with vdiskkit.open_vdisk(disk) as opened:
        yield opened.windows


class TestBootFiles:
    @pytest.mark.parametrize(
        ("path", "why"),
        [
            (r"Windows\System32\config\SYSTEM", "the registry hive SYSTEM"),
            (r"WINDOWS\system32\CONFIG\sam", "the registry hive SAM"),
            (r"Windows\System32\ntoskrnl.exe", "a part of the kernel"),
            (r"Windows\System32\winload.efi", "the boot loader"),
            (r"Windows\System32\Boot\winload.exe", "the boot loader"),
            (r"Windows\System32\smss.exe", "a process or library that every start needs"),
            (r"\bootmgr", "the boot manager"),
            (r"Boot\BCD", "the store of what can be booted"),
            (r"EFI\Microsoft\Boot\bootmgfw.efi", "the boot manager"),
            (
                r"Windows\System32\drivers\BNISTACK6.sys",
                "the driver of the service bnistack, which starts with Windows",
            ),
            (r"Windows\System32\drivers\CVhdMp.sys", "the driver of the service CVhdMp, which starts with Windows"),
            (r"Windows\explorer.exe", None),
            (r"Windows\System32\config\SYSTEM.LOG1", None),
            (r"Windows\System32\config\RegBack\SYSTEM", None),
            (r"Windows\System32\drivers\nobody.sys", None),
            (r"Windows\System32\spp\store\2.0\tokens.dat", None),
            (r"Old\System32\ntoskrnl.exe", None),
        ],
    )
    def test_what_windows_starts_with(self, image: WindowsImage, path: str, why: str | None) -> None:
        assert why_needed([path], image) == why
        assert why_needed([r"Windows\x", path], image) == why

    def test_a_volume_without_windows_has_its_boot_manager(self) -> None:
        assert why_needed(["bootmgr"], None) == "the boot manager"
        assert why_needed([r"Windows\System32\ntoskrnl.exe"], None) is None

    def test_it_wants_a_force_of_its_own(self, disk: Path) -> None:
        operations = [vdiskkit.DeleteFile(path=r"windows\system32\config\software")]
        for force in ([], ["lok", "standard-mode", "mode"]):
            with pytest.raises(WriteRefusedError) as caught:
                vdiskkit.plan(disk, operations, force=force)
            assert caught.value.message == (
                r"Windows does not start without Windows\System32\config\SOFTWARE: it is the registry hive SOFTWARE"
            )
            assert caught.value.hint == "when it is to be deleted all the same: --force boot-file"
        plan = vdiskkit.plan(disk, operations, force=["boot-file"])
        assert plan.forced == ("boot-file",)
        assert [change.where for change in plan.changes] == [r"Windows\System32\config\SOFTWARE"]
