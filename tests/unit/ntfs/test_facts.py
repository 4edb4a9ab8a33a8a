from __future__ import annotations

import datetime as dt
import json
import struct

from tests.build.volume_edit import filetime
from tests.unit.ntfs.volumes import attribute_offset, editor, opened, poke
from vdiskkit.ntfs.facts import attribute_names

WHEN = dt.datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=dt.UTC)


def test_volume_facts() -> None:
    volume = opened("basic")
    facts = volume.facts()
    plain = facts.to_dict()
    json.dumps(plain)
    assert plain["label"] == "Basic ä"
    assert plain["serial"] == f"{volume.boot.serial:016x}"
    assert (plain["ntfs_version"], plain["dirty"], plain["flags"], plain["clean"]) == ("3.1", False, [], True)
    assert (plain["size"], plain["cluster_size"], plain["sector_size"]) == (16 * (1 << 20) - 512, 4096, 512)
    assert (plain["log"], plain["log_version"], plain["hibernation"]) == ("empty", None, "none")
    assert 0 < plain["free_bytes"] < plain["size"]
    assert plain["notices"] == []


def test_facts_of_a_file_with_everything() -> None:
    volume = opened("basic")
    facts = volume.lookup("links\\second.txt").facts()
    json.dumps(facts.to_dict())
    assert facts.path == "links\\second.txt"
    assert facts.links == ("Windows\\third.txt", "links\\original.txt", "links\\second.txt")
    assert (facts.size, facts.allocated_size, facts.is_directory) == (9000, 12288, False)
    assert facts.attributes == ("archive",)
    assert facts.reparse_tag is None
    assert [stream.extents for stream in facts.streams] == [1]

    streams = volume.lookup("streams\\host.txt").facts().streams
    assert [(stream.name, stream.extents, stream.storage) for stream in streams] == [
        ("", 0, ("resident",)),
        ("Zone.Identifier", 0, ("resident",)),
        ("large", 1, ()),
    ]
    link = volume.lookup("jumps\\to config", follow=False).facts()
    assert (link.reparse_tag, link.link_target) == ("junction or mount point", "\\??\\C:\\Windows\\System32\\config")
    assert "reparse_point" in link.attributes
    assert volume.lookup("A Long Name.configuration").facts().short_names == ("ALONGN~1.CON",)
    assert opened("fragmented").lookup("scattered.bin").facts().streams[0].extents is not None
    assert volume.root.facts().links == ("\\",)


def test_times_are_exact_to_the_microsecond() -> None:
    volume = editor("basic")
    volume.set_times("resident.txt", modified=WHEN)
    number = volume.number("resident.txt")
    at = attribute_offset(volume, number, 0x10) + 24
    poke(volume, number, at, "<QQQ", filetime(WHEN) + 9, filetime(WHEN) + 10, 0xFFFF_FFFF_FFFF_FFFF)
    file = opened(volume.data).lookup("resident.txt")
    assert file.created == WHEN
    assert file.modified == WHEN + dt.timedelta(microseconds=1)
    assert file.changed is None
    assert file.accessed == WHEN
    assert file.created.tzinfo is dt.UTC
    assert file.facts().to_dict()["changed"] is None


def test_a_damaged_runlist_does_not_hide_the_rest_of_the_facts() -> None:
    volume = editor("basic")
    number = volume.number("plain.bin")
    poke(volume, number, attribute_offset(volume, number, 0x80) + 48, "<QQ", 1 << 40, 0)
    facts = opened(volume.data).lookup("plain.bin").facts()
    assert facts.streams[0].extents is None
    assert facts.size == 1 << 40


def test_a_link_whose_parent_is_gone_is_left_out() -> None:
    volume = editor("basic")
    poke(volume, volume.number("Windows"), 16, "<H", 999)
    image = opened(volume.data)
    file = image.lookup("links\\original.txt")
    assert file.facts().links == ("links\\original.txt", "links\\second.txt")
    assert [notice.code for notice in image.notices] == ["ntfs.parent_damaged"]


def test_parents_in_a_loop() -> None:
    volume = editor("basic")
    number = volume.number("Windows\\System32")
    record = volume.record(number)
    start, *_ = next(volume.names(record))
    config = volume.number("Windows\\System32\\config")
    sequence = struct.unpack_from("<H", volume.record(config), 16)[0]
    poke(volume, number, start, "<Q", config | sequence << 48)
    image = opened(volume.data)
    file = image.file(
        image.mft.record(number).base._replace(number=number, sequence=image.mft.record(number).sequence), "x"
    )
    assert image.paths(file) == ()
    assert "loop" in image.notices[0].message


def test_notices_are_kept_once_and_within_bounds() -> None:
    volume = opened("basic")
    for number in range(300):
        volume.notice("code", "message", volume.location.at("mft", number // 2))
    assert len(volume.notices) == 100


def test_attribute_names() -> None:
    assert attribute_names(0x21) == ("readonly", "archive")
    assert attribute_names(0x2000_0000 | 0x4) == ("system", "0x20000000")
    assert attribute_names(0) == ()
