from __future__ import annotations

import struct

import pytest

from tests.build.logfile import restart_pages
from tests.unit.ntfs import volumes
from vdiskkit.errors import (
    HibernatedVolumeError,
    LogReplayNeededError,
    StateError,
    UnknownFormatError,
    UnsupportedFeatureError,
    VDiskError,
    WriteRefusedError,
)
from vdiskkit.io import BytesSource
from vdiskkit.patch.ntfs import Refusal, refusals

INFORMATION = 0x70


def reasons(data: bytes | bytearray) -> list[Refusal]:
    return refusals(volumes.opened(data))


@pytest.mark.parametrize("name", volumes.NAMES)
def test_a_clean_volume_may_be_changed(name: str) -> None:
    assert reasons(volumes.image(name)) == []


@pytest.mark.parametrize(
    ("flags", "codes"),
    [
        (0x0001, ["ntfs.dirty"]),
        (0x0002, ["ntfs.resize_log_file"]),
        (0x0004, ["ntfs.upgrade_on_mount"]),
        (0x0010, ["ntfs.delete_usn_underway"]),
        (0x0020, ["ntfs.repair_object_ids"]),
        (0x4001, ["ntfs.dirty", "ntfs.chkdsk_underway"]),
        (0x8088, []),  # mounted on NT 4, TxF off, checked once: Windows writes to such volumes
    ],
)
def test_flags_of_the_volume(flags: int, codes: list[str]) -> None:
    editor = volumes.editor("basic")
    editor.set_volume_flags(flags)
    found = reasons(editor.data)
    assert [one.code for one in found] == codes
    assert all(isinstance(one.error(), StateError) and one.error().exit_code == 4 for one in found)


@pytest.mark.parametrize(
    ("clean", "major", "code", "kind"),
    [
        (True, 1, None, None),
        (False, 1, "ntfs.log", LogReplayNeededError),
        (True, 2, "ntfs.fast_startup", HibernatedVolumeError),
        (False, 2, "ntfs.fast_startup", HibernatedVolumeError),
    ],
)
def test_the_log(clean: bool, major: int, code: str | None, kind: type[VDiskError] | None) -> None:
    editor = volumes.editor("basic")
    start = editor.runs("$LogFile")[0][0]
    editor.data[start : start + 8192] = restart_pages(clean=clean, major=major, size=editor.size("$LogFile"))
    found = reasons(editor.data)
    assert [one.code for one in found] == ([code] if code else [])
    assert all(type(one.error()) is kind for one in found)


def test_a_damaged_log() -> None:
    editor = volumes.editor("basic")
    start = editor.runs("$LogFile")[0][0]
    editor.data[start : start + 4] = b"oops"
    assert [one.code for one in reasons(editor.data)] == ["ntfs.log"]


@pytest.mark.parametrize(("head", "refused"), [(b"hibr", True), (b"HIBR", True), (b"wake", False), (bytes(4), False)])
def test_hibernation(head: bytes, refused: bool) -> None:
    editor = volumes.editor("records4096")
    editor.write("hiberfil.sys", head, resize=False)
    found = reasons(editor.data)
    assert [one.code for one in found] == (["ntfs.hibernated"] if refused else [])
    assert all(isinstance(one.error(), HibernatedVolumeError) for one in found)


def test_a_short_or_unreadable_hibernation_file_counts() -> None:
    editor = volumes.editor("records4096")
    editor.set_size("hiberfil.sys", 100)
    assert [one.code for one in reasons(editor.data)] == ["ntfs.hibernated"]
    editor = volumes.editor("records4096")
    number = editor.number("hiberfil.sys")
    volumes.poke(editor, number, volumes.attribute_offset(editor, number, 0x80) + 12, "<H", 0x4000)
    assert "is not known" in reasons(editor.data)[0].message


def test_old_versions_are_refused() -> None:
    editor = volumes.editor("basic")
    at = volumes.attribute_offset(editor, 3, INFORMATION)
    start = struct.unpack_from("<H", editor.record(3), at + 20)[0]
    volumes.poke(editor, 3, at + start + 8, "<BB", 1, 2)
    assert [(one.code, one.kind) for one in reasons(editor.data)] == [("ntfs.version", WriteRefusedError)]


def test_a_volume_that_is_cut_off() -> None:
    data = volumes.image("basic")
    found = reasons(data[:-4096])
    assert [one.code for one in found] == ["ntfs.volume_cut"]


def test_a_volume_whose_state_cannot_be_read() -> None:
    editor = volumes.editor("basic")
    volumes.poke(editor, 3, volumes.attribute_offset(editor, 3, INFORMATION) + 16, "<I", 4)
    found = reasons(editor.data)
    assert [one.code for one in found] == ["ntfs.volume_information"]
    assert found[0].hint


def test_bitlocker_is_told_from_the_bytes() -> None:
    data = bytearray(volumes.image("basic"))
    data[3:11] = b"-FVE-FS-"
    found = refusals(BytesSource(data))
    assert [one.code for one in found] == ["ntfs.bitlocker"]
    assert isinstance(found[0].error(), UnsupportedFeatureError)
    with pytest.raises(UnknownFormatError):
        refusals(BytesSource(bytes(512)))
    assert refusals(BytesSource(volumes.image("basic"))) == []
