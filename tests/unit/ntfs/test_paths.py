from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.ntfs.volumes import editor, image, opened, poke
from vdiskkit.errors import CorruptStructureError, FileMissingError, UnsupportedFeatureError
from vdiskkit.io import BytesSource
from vdiskkit.ntfs import NtfsVolume
from vdiskkit.ntfs.paths import VolumePath, join_path, link_parts, split_path

if TYPE_CHECKING:
    from tests.build.volume_edit import VolumeEditor


@pytest.mark.parametrize(
    ("path", "parts", "stream", "drive"),
    [
        ("", (), "", None),
        ("\\", (), "", None),
        ("C:", (), "", "C"),
        ("c:\\Windows/System32\\", ("Windows", "System32"), "", "C"),
        ("Windows\\.\\System32\\..\\Fonts", ("Windows", "Fonts"), "", None),
        ("..\\..\\x", ("x",), "", None),
        ("//a///b", ("a", "b"), "", None),
        ("a.txt:stream", ("a.txt",), "stream", None),
        ("C:\\a.txt:stream:$data", ("a.txt",), "stream", "C"),
        ("a.txt::$DATA", ("a.txt",), "", None),
        ("a:$I30:$INDEX_ALLOCATION", ("a",), "$I30:$INDEX_ALLOCATION", None),
        ("\\\\?\\C:\\x", ("x",), "", "C"),
        ("\\??\\d:\\x\\y", ("x", "y"), "", "D"),
        ("\\??\\Volume{1234}\\x", ("Volume{1234}", "x"), "", None),
        ("C:\\with space\\ü", ("with space", "ü"), "", "C"),
    ],
)
def test_split(path: str, parts: tuple[str, ...], stream: str, drive: str | None) -> None:
    assert split_path(path) == VolumePath(parts, stream, drive)


def test_join() -> None:
    assert join_path(()) == "\\"
    assert join_path(("a", "b")) == "a\\b"


def test_relative_targets() -> None:
    assert link_parts(("a", "b"), "..\\c") == ("a", "c")
    assert link_parts(("a", "b"), "c/d") == ("a", "b", "c", "d")
    assert link_parts(("a", "b"), "\\c") == ("c",)


@pytest.mark.parametrize(
    "path",
    [
        "Windows\\System32\\config\\SOFTWARE",
        "c:/windows/system32/CONFIG/software",
        "\\\\?\\C:\\Windows\\System32\\config\\..\\config\\.\\SOFTWARE",
        "WINDOWS//SYSTEM32//config//Software",
    ],
)
def test_spellings_of_one_path(path: str) -> None:
    file = opened("basic").lookup(path)
    assert file.path == "Windows\\System32\\config\\SOFTWARE"
    assert file.name == "SOFTWARE"


def test_root() -> None:
    volume = opened("basic")
    assert volume.root.path == "\\"
    assert volume.root.is_directory
    assert volume.lookup("").record_number == 5
    assert volume.lookup("\\").record_number == 5
    assert "Windows" in {entry.path for entry in volume.listdir()}
    assert "." not in {entry.name for entry in volume.listdir()}


# -- names


def test_names_beyond_ascii() -> None:
    volume = opened("basic")
    for name in ("STRAßE", "µ-MICRO", "ÜNÏCÖDÉ", "ÉCLAIR", "ωMEGA", "EMOJI😀", "日本語", "ZZŸ"):
        assert volume.lookup(f"names\\{name}").size, name
    # Windows upper-cases neither of these to ASCII letters.
    assert volume.lookup("names\\ısız").name == "ısız"
    assert volume.find("names\\isiz") is None
    assert volume.find("names\\street") is None
    assert volume.find("names\\\N{GREEK CAPITAL LETTER MU}-micro") is None
    assert volume.lookup("names\\STRASSE").open().read_at(0, 7) == b"STRASSE"
    assert volume.lookup("names\\straße").name == "Straße"


def test_names_that_differ_in_case_only() -> None:
    volume = opened("basic")
    assert volume.lookup("names\\readme").open().read_at(0, 5) == b"lower"
    assert volume.lookup("names\\README").open().read_at(0, 5) == b"upper"
    assert volume.lookup("names\\ReadMe").name in ("readme", "README")


def test_the_case_table_is_read_only_for_names_beyond_ascii() -> None:
    volume = opened("basic")
    budget = volume.source.budget  # type: ignore[attr-defined]
    volume.lookup("windows\\system32\\config\\software")
    assert budget.spent_bytes < 64 * 1024
    volume.lookup("names\\ÉCLAIR")
    assert budget.spent_bytes > 128 * 1024
    spent = budget.spent_bytes
    volume.lookup("names\\ÜNÏCÖDÉ")
    assert budget.spent_bytes - spent < 16 * 1024


def test_a_case_table_of_another_size() -> None:
    volume = editor("basic")
    record = volume.number("$UpCase")
    assert record == 10
    volume.set_size("$upcase", 128 * 1024 - 2)
    damaged = opened(volume.data)
    assert damaged.lookup("windows\\system32").is_directory
    with pytest.raises(CorruptStructureError, match=r"\$UpCase has 131070 bytes"):
        damaged.lookup("names\\ÉCLAIR")


def test_dos_names() -> None:
    volume = opened("basic")
    file = volume.lookup("PROGRA~1\\inside.txt")
    assert file.path == "Program Files\\inside.txt"
    assert volume.lookup("alongn~1.con").path == "A Long Name.configuration"
    entries = {entry.name: entry for entry in volume.listdir()}
    assert entries["Program Files"].short_name == "PROGRA~1"
    assert entries["A Long Name.configuration"].short_name == "ALONGN~1.CON"
    assert entries["resident.txt"].short_name is None
    assert "PROGRA~1" not in entries


def set_namespace(volume: VolumeEditor, path: str, namespace: int) -> None:
    number = volume.number(path)
    record = volume.record(number)
    start, _, _, name = next(volume.names(record))
    for node, entry in volume.entries(number, bytes(record[start : start + 8]), name.encode("utf-16-le")):
        node[entry + 16 + 65] = namespace
    poke(volume, number, start + 65, "<B", namespace)


def test_a_dos_name_without_long_name_is_listed() -> None:
    volume = editor("basic")
    set_namespace(volume, "plain.bin", 2)
    image = opened(volume.data)
    entries = [entry.name for entry in image.listdir()]
    assert entries.count("plain.bin") == 1
    assert image.lookup("PLAIN.BIN").path == "plain.bin"


def test_names_that_look_like_paths() -> None:
    """The POSIX namespace allows them; they are listed and opened by their directory entry."""
    volume = editor("basic")
    volume.rename("streams\\host.txt", "ho:t\\txt")
    image = opened(volume.data)
    (entry,) = image.listdir("streams")
    assert entry.name == "ho:t\\txt"
    assert entry.path == "streams\\ho:t\\txt"
    assert entry.open().open().read_at(0, 3) == b"the"
    assert entry.open().path == entry.path
    assert image.find(entry.path) is None


def test_hard_links() -> None:
    volume = opened("basic")
    file = volume.lookup("Windows\\third.txt")
    assert volume.paths(file) == ("Windows\\third.txt", "links\\original.txt", "links\\second.txt")
    assert [entry.name for entry in volume.listdir("links")] == ["original.txt", "second.txt"]
    assert volume.paths(volume.root) == ("\\",)


# -- links


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("jumps\\relative file", "links\\original.txt"),
        ("jumps\\absolute file", "Windows\\third.txt"),
        ("jumps\\rooted file", "resident.txt"),
        ("jumps\\to config\\software", "Windows\\System32\\config\\SOFTWARE"),
        ("jumps\\to config", "Windows\\System32\\config"),
        ("jumps\\relative folder\\System32\\config\\SYSTEM", "Windows\\System32\\config\\SYSTEM"),
    ],
)
def test_links_are_followed(path: str, target: str) -> None:
    assert opened("basic").lookup(path).path == target


def test_a_link_itself() -> None:
    volume = opened("basic")
    link = volume.lookup("jumps\\relative file", follow=False)
    assert link.is_link
    assert link.path == "jumps\\relative file"
    assert link.reparse is not None
    assert (link.reparse.target, link.reparse.relative) == ("..\\links\\original.txt", True)
    with pytest.raises(UnsupportedFeatureError, match="is a link to"):
        link.open()
    # Links before the last component are followed all the same.
    assert volume.lookup("jumps\\to config\\SYSTEM", follow=False).path.endswith("config\\SYSTEM")


@pytest.mark.parametrize("path", ["jumps\\loop a", "jumps\\loop b\\deeper", "jumps\\itself", "jumps\\itself\\x"])
def test_loops_end(path: str) -> None:
    volume = opened("basic", max_calls=2000)
    with pytest.raises(CorruptStructureError, match="more than 63 links: they form a loop"):
        volume.lookup(path)


@pytest.mark.parametrize(
    ("path", "target"), [("other drive", "D:"), ("share", "UNC"), ("volume", "Volume"), ("volume\\x", "Volume")]
)
def test_links_out_of_the_volume(path: str, target: str) -> None:
    with pytest.raises(UnsupportedFeatureError, match=f"leads out of this volume, to .*{target}"):
        opened("basic").lookup(f"jumps\\{path}")


def test_the_letter_of_the_volume_can_be_told() -> None:
    volume = NtfsVolume(BytesSource(image("basic")), drive_letter="d:")
    with pytest.raises(FileMissingError, match=r"there is no data\.txt"):
        volume.lookup("jumps\\other drive")
    with pytest.raises(UnsupportedFeatureError, match="leads out"):
        volume.lookup("jumps\\to config")
    assert volume.lookup("E:\\resident.txt").size == 33  # a letter in a user's path means this volume


def test_a_link_to_nothing() -> None:
    with pytest.raises(FileMissingError, match=r"there is no nowhere.txt in jumps"):
        opened("basic").lookup("jumps\\dangling")
