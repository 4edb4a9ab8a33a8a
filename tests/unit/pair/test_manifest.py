"""The export manifest: read, compared with the folder, and hostile ones refused."""

from __future__ import annotations

import os
import tracemalloc
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from vdiskkit.errors import CorruptStructureError, FormatError, UnsupportedFeatureError
from vdiskkit.pair import read_pair
from vdiskkit.pair.manifest import LARGEST_SIZE, parse_manifest, read_manifest

if TYPE_CHECKING:
    from pathlib import Path

BASE = """
  <version>
    <versionNumber>0</versionNumber><description>first image</description>
    <type>0</type><access>0</access>
    <createDate>2024-03-01 08:00:00</createDate><scheduledDate></scheduledDate>
    <deleteWhenFree>0</deleteWhenFree>
    <diskFileName>desk10.vhdx</diskFileName><size>11</size>
    <lastWriteTime>2024-03-01T09:30:00</lastWriteTime>
  </version>"""
MAINTENANCE = """
  <version>
    <versionNumber>1</versionNumber><description>Office &amp; patches</description>
    <type>1</type><access>1</access>
    <createDate>2024-03-02T08:00:00.123Z</createDate><scheduledDate>2024-03-04 00:00:00</scheduledDate>
    <deleteWhenFree>true</deleteWhenFree>
    <diskFileName>DESK10.1.avhdx</diskFileName><size>999</size>
    <lastWriteTime>2024-03-02 09:30:00</lastWriteTime>
  </version>"""


def manifest(*versions: str, starting: str = "<startingVersion>0</startingVersion>") -> bytes:
    text = f'<?xml version="1.0" encoding="utf-8"?>\n<versionManifest>{starting}{"".join(versions)}</versionManifest>'
    return text.encode()


def test_both_time_forms_and_all_fields() -> None:
    facts = parse_manifest(manifest(BASE, MAINTENANCE))
    assert facts.starting_version == 0
    assert facts.highest_version == 1
    assert facts.problems == ()
    base, child = facts.versions
    assert base.version == 0
    assert base.description == "first image"
    assert base.type is not None
    assert base.type.to_dict() == {"value": 0, "name": "Base"}
    assert base.created == datetime(2024, 3, 1, 8, tzinfo=UTC)
    assert base.scheduled is None
    assert base.delete_when_free is False
    assert (base.disk_file_name, base.size) == ("desk10.vhdx", 11)
    assert base.last_write_time == datetime(2024, 3, 1, 9, 30, tzinfo=UTC)
    assert base.file_present is None
    assert child.description == "Office & patches"
    assert child.access is not None
    assert child.access.to_dict() == {"value": 1, "name": "Maintenance"}
    assert child.created == datetime(2024, 3, 2, 8, tzinfo=UTC)
    assert child.scheduled == datetime(2024, 3, 4, tzinfo=UTC)
    assert child.delete_when_free is True


@pytest.mark.parametrize("starting", ["", "<startingVersion/>", "<startingVersion>  </startingVersion>"])
def test_empty_starting_version(starting: str) -> None:
    facts = parse_manifest(manifest(BASE, starting=starting))
    assert facts.starting_version is None
    assert facts.problems == ()


def test_unknown_numbers_are_kept() -> None:
    text = BASE.replace("<type>0", "<type>77").replace("<access>0", "<access>8")
    (version,) = parse_manifest(manifest(text)).versions
    assert version.type is not None
    assert version.access is not None
    assert version.type.to_dict() == {"value": 77, "name": "unknown"}
    assert version.access.to_dict() == {"value": 8, "name": "unknown"}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("<versionNumber>0", "<versionNumber>x", "version x: versionNumber is no number: x"),
        ("<versionNumber>0</versionNumber>", "", "version at place 1: versionNumber is missing"),
        ("<type>0", "<type>-1", "version 0: type is no number: -1"),
        ("<access>0</access>", "", "version 0: access is missing"),
        ("<size>11", "<size>\u0661\u0661", "version 0: size is no number: \u0661\u0661"),
        ("<size>11", "<size>" + "9" * 20, "version 0: size is no number: " + "9" * 20),
        ("2024-03-01 08", "2024-02-30 08", "version 0: createDate is no time: 2024-02-30 08:00:00"),
        ("2024-03-01T09", "01.03.2024 09", "version 0: lastWriteTime is no time: 01.03.2024 09:30:00"),
        ("<deleteWhenFree>0", "<deleteWhenFree>2", "version 0: deleteWhenFree is neither 0 nor 1: 2"),
        ("desk10.vhdx", "", "version 0: diskFileName is missing"),
    ],
)
def test_problems_are_listed(old: str, new: str, problem: str) -> None:
    assert old in BASE
    assert parse_manifest(manifest(BASE.replace(old, new))).problems == (problem,)


def test_double_versions_are_told() -> None:
    facts = parse_manifest(manifest(BASE, BASE))
    assert facts.problems == ("version 0 is there more than once",)


BILLION_LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><versionManifest>&c;</versionManifest>"""
EXTERNAL = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><versionManifest>&e;</versionManifest>'


@pytest.mark.parametrize("data", [BILLION_LAUGHS, EXTERNAL, b"<!DOCTYPE versionManifest><versionManifest/>"])
def test_entities_and_document_types_are_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedFeatureError, match="entities") as caught:
        parse_manifest(data)
    assert caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 100,
        b"not xml",
        b"<versionManifest>",
        b"<versionManifest></versionmanifest>",
        b"<versionManifest>&nosuch;</versionManifest>",
        b'<?xml version="1.0" encoding="utf-7"?><versionManifest/>',
        b'<?xml version="1.0" encoding="no-such-encoding"?><versionManifest/>',
        b"<versionManifest>\x1b</versionManifest>",
        b"\xff\xfe<\0",
    ],
)
def test_broken_xml_is_a_format_error(data: bytes) -> None:
    with pytest.raises(CorruptStructureError, match="not sound XML"):
        parse_manifest(data)


def test_another_document_is_a_format_error() -> None:
    with pytest.raises(FormatError, match="not a vDisk manifest: the document is a html"):
        parse_manifest(b"<html/>")


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(CorruptStructureError, match="nested too deeply"):
        parse_manifest(b"<versionManifest>" + b"<a>" * 100000)


@pytest.mark.thorough
def test_much_content_takes_little_memory() -> None:
    data = b"<versionManifest>" + b"<version/>" * 100_000 + b"</versionManifest>"
    assert len(data) < LARGEST_SIZE
    tracemalloc.start()
    try:
        facts = parse_manifest(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(facts.versions) == 4096
    assert len(facts.problems) == 100
    assert peak < 30 * 1024 * 1024


def test_utf_16_and_name_spaces() -> None:
    text = (
        manifest(BASE).decode().replace("utf-8", "utf-16").replace("<versionManifest", '<versionManifest xmlns="urn:x"')
    )
    assert parse_manifest(text.encode("utf-16")).highest_version == 0


def test_too_large_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    with path.open("wb") as stream:
        stream.truncate(LARGEST_SIZE + 1)
    with pytest.raises(UnsupportedFeatureError, match="larger than"):
        read_manifest(path)


def test_compared_with_the_folder(tmp_path: Path) -> None:
    (tmp_path / "desk10.vhdx").write_bytes(b"desk10.vhdx")
    (tmp_path / "desk10.1.avhdx").write_bytes(b"short")
    (tmp_path / "Desk10.XML").write_bytes(manifest(BASE, MAINTENANCE))
    time = datetime(2024, 3, 1, 9, 30, 1, tzinfo=UTC).timestamp()
    os.utime(tmp_path / "desk10.vhdx", (time, time))
    facts = read_pair(tmp_path / "desk10.vhdx").manifest
    assert facts is not None
    assert facts.file_name == "Desk10.XML"
    assert facts.highest_version_matches is True
    base, child = facts.versions
    assert (base.file_present, base.size_matches, base.last_write_time_matches) == (True, True, True)
    assert (child.file_present, child.size_matches, child.last_write_time_matches) == (True, False, False)
    (tmp_path / "desk10.2.avhdx").write_bytes(b"")
    (tmp_path / "desk10.1.avhdx").unlink()
    facts = read_pair(tmp_path / "desk10.vhdx").manifest
    assert facts is not None
    assert facts.highest_version_matches is False
    assert facts.versions[1].file_present is False
    assert facts.versions[1].size_matches is None


def test_names_in_a_manifest_never_lead_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    (tmp_path / "secret.vhdx").write_bytes(b"x")
    (folder / "desk10.vhdx").write_bytes(b"x")
    (folder / "renamed.vhdx").write_bytes(b"x")
    names = ["../secret.vhdx", "..\\secret.vhdx", str(tmp_path / "secret.vhdx"), "renamed.vhdx", "C:secret.vhdx"]
    versions = [BASE.replace("desk10.vhdx", name) for name in names]
    (folder / "desk10.xml").write_bytes(manifest(*versions))
    facts = read_pair(folder / "desk10.vhdx").manifest
    assert facts is not None
    assert [version.file_present for version in facts.versions] == [False, False, False, True, False]


@pytest.mark.parametrize("data", [BILLION_LAUGHS, b"", b"<html/>", b"<versionManifest>" + b"<a>" * 1000])
def test_an_unreadable_manifest_is_a_notice(tmp_path: Path, data: bytes) -> None:
    for name in ("desk10.vhdx", "desk10.pvp"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "desk10.xml").write_bytes(data)
    facts = read_pair(tmp_path / "desk10.vhdx")
    assert facts.manifest is None
    assert [notice.code for notice in facts.notices] == ["pair.manifest_unreadable"]
    assert str(tmp_path / "desk10.xml") in facts.notices[0].message
