"""Volumes on which a change would reach what it does not mean: refused, with the files named, and nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.build.pair import PRIVATE, write_pair
from tests.build.scenario import hibernation_header, windows_disk
from tests.build.volume_damage import call_free, cross_link, rename_in_index
from vdiskkit.errors import HibernatedVolumeError, WriteRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.build.volume_edit import VolumeEditor

SOFTWARE = r"Windows\System32\config\SOFTWARE"
SECURITY = r"Windows\System32\config\SECURITY"
TOKENS = r"Windows\System32\spp\store\2.0\tokens.dat"
LARGE = vdiskkit.SetValue(key=r"HKLM\SOFTWARE\Large", name="v", type=3, data=b"A" * 1_190_000, create_keys=True)


def disk(folder: Path, edit: Callable[[VolumeEditor], object]) -> Path:
    return write_pair(folder, "disk", windows_disk("win10", edit=edit), pvp={"write_cache_type": PRIVATE})


def free_others(editor: VolumeEditor) -> None:
    """A volume that is full but for the clusters of other files."""
    start, length = editor.runs("$Bitmap")[0]
    editor.data[start : start + length] = b"\xff" * length
    for path in editor.paths:
        if path.lower().startswith("windows") and path.lower().endswith(
            (".exe", ".sys", ".evtx", "tokens.dat", ".dll", ".vbs")
        ):
            call_free(editor, path)


def refused(path: Path, plan: Callable[[Path], object], match: str) -> None:
    before = path.read_bytes()
    with pytest.raises(WriteRefusedError, match=match) as caught:
        plan(path)
    assert caught.value.hint == "the volume is damaged: run chkdsk on it inside Windows"
    assert caught.value.location is not None
    assert path.read_bytes() == before


def test_tokens_that_share_clusters_with_a_hive_are_not_removed(tmp_path: Path) -> None:
    path = disk(tmp_path, lambda editor: cross_link(editor, TOKENS, SOFTWARE))
    refused(
        path,
        lambda path: vdiskkit.plan_kms_prep(path, remove_tokens=True),
        r"cluster 0x[0-9a-f]+ belongs to (.*SOFTWARE and to .*tokens.dat|.*tokens.dat and to .*SOFTWARE)",
    )


def test_a_hive_that_shares_clusters_with_another_is_not_edited(tmp_path: Path) -> None:
    path = disk(tmp_path, lambda editor: cross_link(editor, SECURITY, SOFTWARE))
    refused(path, lambda path: vdiskkit.plan_kms_prep(path, skip_rearm=0), r"SOFTWARE.* and to .*|.* and to .*SOFTWARE")


def test_used_clusters_that_are_called_free_are_not_taken(tmp_path: Path) -> None:
    path = disk(tmp_path, free_others)
    refused(path, lambda path: vdiskkit.plan(path, [LARGE]), r"\$Bitmap calls cluster 0x[0-9a-f]+ free, but it belongs")


def test_a_damaged_record_may_own_what_is_taken(tmp_path: Path) -> None:
    def spoil(editor: VolumeEditor) -> None:
        place = editor.place(editor.number(r"Windows\System32\ntoskrnl.exe"))
        editor.data[place + 0x38 + 4] = 3  # the length of its first attribute

    path = disk(tmp_path, spoil)
    refused(
        path,
        lambda path: vdiskkit.plan_kms_prep(path, skip_rearm=0),
        "a record of the file table is damaged, so it is not known whether its file owns",
    )


def test_clusters_beside_the_change_do_not_matter(tmp_path: Path) -> None:
    path = disk(tmp_path, lambda editor: cross_link(editor, TOKENS, r"Windows\System32\ntoskrnl.exe"))
    assert vdiskkit.plan_kms_prep(path, skip_rearm=0).changes


def test_a_hibernated_volume_is_not_changed_though_its_directory_hides_the_file(tmp_path: Path) -> None:
    def hide(editor: VolumeEditor) -> None:
        editor.write("hiberfil.sys", hibernation_header(), resize=False)
        rename_in_index(editor, "", "hiberfil.sys", "giberfil.sys")

    path = disk(tmp_path, hide)
    with pytest.raises(HibernatedVolumeError, match="whether Windows is hibernated is not known"):
        vdiskkit.plan_kms_prep(path, skip_rearm=0)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("damage", "code", "match"),
    [
        (lambda editor: cross_link(editor, TOKENS, SOFTWARE), "ntfs.clusters_shared", "SOFTWARE"),
        (lambda editor: call_free(editor, TOKENS), "ntfs.clusters_free", "tokens.dat free"),
        (
            lambda editor: rename_in_index(editor, "windows\\system32\\spp", "store", "rtore"),
            "ntfs.index_damaged",
            "do not agree about their names",
        ),
    ],
)
def test_a_deep_look_tells_what_is_wrong(
    damage: Callable[[VolumeEditor], None], code: str, match: str, tmp_path: Path
) -> None:
    path = disk(tmp_path, damage)
    with vdiskkit.open_vdisk(path) as opened:
        found = [notice for notice in opened.inspect(deep=True).notices if notice.code == code]
        report = vdiskkit.validate(opened, deep=True)
    assert any(match in notice.message for notice in found), found
    assert "NTF106" in {finding.code for finding in report.findings}
    assert report.failed


def test_a_sound_volume_passes_a_deep_look(tmp_path: Path) -> None:
    path = disk(tmp_path, lambda editor: None)
    with vdiskkit.open_vdisk(path) as opened:
        assert [notice.code for notice in opened.inspect(deep=True).notices if notice.code.startswith("ntfs.")] == []
