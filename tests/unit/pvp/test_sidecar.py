"""Every field of the .pvp, its plausibility, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.build.pvp import DEFAULTS, FIXED_SIZE, NUMBERS, TEXTS, build_pvp
from vdiskkit.errors import CorruptStructureError, SourceError, UnsupportedFeatureError
from vdiskkit.pvp import Pvp, read_pvp
from vdiskkit.pvp.facts import WRITE_CACHE_TYPES
from vdiskkit.pvp.layout import FIXED, OFFSETS

if TYPE_CHECKING:
    from pathlib import Path


def test_layout_ends_where_the_public_layout_ends() -> None:
    assert FIXED.sizeof() == FIXED_SIZE
    assert OFFSETS["footer_version"] == 512
    for name, (offset, _form) in NUMBERS.items():
        assert OFFSETS["total_sectors_low" if name == "total_sectors" else name] == offset
    for name, (offset, _size) in TEXTS.items():
        assert OFFSETS[name] == offset


def test_a_healthy_side_car() -> None:
    data = build_pvp(tail=bytes(524288))
    pvp = Pvp.parse(data)
    assert pvp.build() == data
    facts = pvp.facts()
    assert facts.mode == "standard"
    assert facts.write_cache_type.to_dict() == {"value": 9, "name": "cache in device RAM with overflow to disk"}
    assert facts.write_cache_size_mb == 4096
    assert (facts.license_mode, facts.license_mode_value) == ("kms", 2)
    assert facts.ad_password_enabled is True
    for name in TEXTS:
        assert getattr(facts, name) == DEFAULTS[name]
    assert (facts.major_release, facts.minor_release, facts.build) == (3, 1, 7)
    assert facts.disk_size_bytes == 20 * 1024**3
    assert (facts.sector_size, facts.vhd_block_size) == (512, 2097152)
    assert (facts.cylinders, facts.heads, facts.sectors_per_track) == (20805, 16, 63)
    assert facts.properties_update_time.unit == "filetime"
    assert facts.properties_update_time.time == datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert facts.object_names_update_time.unit == "unset"
    assert facts.activation_date_enabled is False
    assert facts.activation_date is None
    assert facts.signature == "1122334455667788"
    assert facts.header_version == "1.0"
    assert (facts.file_size, facts.tail_size) == (528896, 524288)
    assert facts.plausible
    assert facts.problems == ()
    assert facts.texts_with_residue == ()
    assert [(area.name, area.offset, area.size, area.used_bytes) for area in facts.unknown_areas] == [
        ("public_pad", 48, 204, 0),
        ("header_pad", 478, 34, 0),
        ("footer_pad", 2370, 2238, 0),
        ("tail", 4608, 524288, 0),
    ]


def test_each_number_lands_in_its_own_field() -> None:
    # Distinct values everywhere: a shifted or swapped field cannot hide.
    values: dict[str, Any] = {name: index + 1 for index, name in enumerate(NUMBERS)}
    facts = Pvp.parse(build_pvp(multicast_address=b"\xef\xff\x00\x01", **values)).facts()
    renamed = {"write_cache_size": "write_cache_size_mb", "license_mode": "license_mode_value"}
    booleans = {"auto_update_enabled", "activation_date_enabled", "ad_password_enabled", "printer_management_enabled"}
    for name, value in values.items():
        shown = getattr(facts, renamed.get(name, name), None)
        if name in booleans:
            assert shown is None
        elif name == "write_cache_type":
            assert facts.write_cache_type.value == value
        elif name in {"version_high", "version_low"}:
            assert facts.header_version == f"{values['version_high']}.{values['version_low']}"
        elif name.endswith("update_time"):
            assert shown.raw == value
        else:
            assert shown == value, name
    assert facts.multicast_address == "239.255.0.1"


@pytest.mark.parametrize(
    ("number", "mode"),
    [(0, "private"), (10, "private"), (1, "standard"), (9, "standard"), (12, "standard"), (13, "unknown")],
)
def test_mode_follows_the_write_cache_type(number: int, mode: str) -> None:
    pvp = Pvp.parse(build_pvp(write_cache_type=number))
    assert pvp.mode == mode
    facts = pvp.facts()
    assert facts.mode == mode
    assert facts.write_cache_type.name == WRITE_CACHE_TYPES.get(number, "unknown")
    assert facts.plausible == (mode != "unknown")


@pytest.mark.parametrize(("number", "name"), [(0, "none"), (1, "mak"), (2, "kms"), (3, "unknown"), (255, "unknown")])
def test_license_mode(number: int, name: str) -> None:
    facts = Pvp.parse(build_pvp(license_mode=number)).facts()
    assert (facts.license_mode, facts.license_mode_value) == (name, number)
    assert facts.plausible == (name != "unknown")


@pytest.mark.parametrize(
    ("raw", "unit", "time"),
    [
        (0, "unset", None),
        (1709208000, "unix", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        (133536816000000000, "filetime", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        (-1, "unknown", None),
        (5, "unknown", None),
        ((1 << 63) - 1, "unknown", None),
    ],
)
def test_unit_of_the_update_time_is_inferred(raw: int, unit: str, time: datetime | None) -> None:
    facts = Pvp.parse(build_pvp(properties_update_time=raw)).facts()
    assert (facts.properties_update_time.raw, facts.properties_update_time.unit) == (raw, unit)
    assert facts.properties_update_time.time == time
    assert [problem.field for problem in facts.problems] == (["properties_update_time"] if unit == "unknown" else [])


@pytest.mark.parametrize(
    ("fields", "field", "value"),
    [
        ({"sector_size": 520}, "sector_size", "520"),
        ({"total_sectors": 0}, "total_sectors_low", "0"),
        ({"total_sectors": 1 << 63}, "total_sectors_low", str(1 << 63)),
        ({"vhd_block_size": 3 << 20}, "vhd_block_size", str(3 << 20)),
        ({"vhd_block_size": 2048}, "vhd_block_size", "2048"),
        ({"write_cache_type": 77}, "write_cache_type", "77"),
        ({"write_cache_size": 131073}, "write_cache_size", "131073"),
        ({"license_mode": 9}, "license_mode", "9"),
        ({"ad_password_enabled": 2}, "ad_password_enabled", "2"),
        ({"auto_update_enabled": 255}, "auto_update_enabled", "255"),
        ({"object_names_size": 17}, "object_names_size", "17"),
        ({"object_names_update_time": 17}, "object_names_update_time", "17"),
        (
            {"activation_date_enabled": 1, "activation_year": 2024, "activation_month": 2, "activation_day": 30},
            "activation_day",
            "2024-2-30",
        ),
        ({"unterminated": ("title",)}, "title", "x" * 41),
        ({"author": "bad \udc00 half"}, "author", "bad \\u{dc00} half"),
    ],
)
def test_implausible_values_are_listed_with_place_and_reason(fields: dict[str, Any], field: str, value: str) -> None:
    data = build_pvp(**fields)
    pvp = Pvp.parse(data)
    assert pvp.build() == data
    facts = pvp.facts()
    assert not facts.plausible
    (problem,) = facts.problems
    assert (problem.field, problem.offset, problem.value) == (field, OFFSETS[field], value)
    assert problem.why


def test_a_disk_that_cannot_be_has_no_size() -> None:
    assert Pvp.parse(build_pvp(total_sectors=(1 << 64) - 1)).facts().disk_size_bytes is None
    assert Pvp.parse(build_pvp(sector_size=0)).facts().disk_size_bytes is None
    assert Pvp.parse(build_pvp(sector_size=4096, total_sectors=256)).facts().disk_size_bytes == 1048576


def test_activation_date() -> None:
    facts = Pvp.parse(
        build_pvp(activation_date_enabled=1, activation_year=2024, activation_month=3, activation_day=1)
    ).facts()
    assert facts.activation_date == "2024-03-01"
    assert facts.activation_date_enabled is True
    assert facts.plausible


def test_residue_behind_a_text_is_kept_and_told() -> None:
    data = build_pvp(residue={"company": b"o\0l\0d\0"}, raw={60: b"new", 2400: b"field"}, tail=b"\0names")
    pvp = Pvp.parse(data)
    assert pvp.build() == data
    facts = pvp.facts()
    assert facts.company == "Example"
    assert facts.texts_with_residue == ("company",)
    assert facts.plausible
    assert [area.used_bytes for area in facts.unknown_areas] == [3, 0, 5, 5]


def test_end_mark_is_a_whole_character() -> None:
    # U+4100 U+0041 and the end mark are 00 41 41 00 00 00: a pair of zeros starts in the middle of a letter.
    facts = Pvp.parse(build_pvp(title="\u4100\u0041")).facts()
    assert facts.title == "\u4100\u0041"


@pytest.mark.parametrize("size", [0, 1, 512, 4607])
def test_too_short_is_refused_with_a_hint(size: int, tmp_path: Path) -> None:
    with pytest.raises(CorruptStructureError, match="4608") as caught:
        Pvp.parse(bytes(size))
    assert caught.value.hint
    path = tmp_path / "disk.pvp"
    path.write_bytes(bytes(size))
    with pytest.raises(CorruptStructureError) as from_file:
        read_pvp(path)
    assert str(path) in str(from_file.value)


def test_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "disk.pvp"
    with path.open("wb") as stream:
        stream.truncate(16 * 1024 * 1024 + 1)
    with pytest.raises(UnsupportedFeatureError, match="larger than"):
        read_pvp(path)


def test_reading_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "desk10.pvp"
    data = build_pvp(tail=b"x" * 1000)
    path.write_bytes(data)
    pvp = read_pvp(path)
    assert pvp.build() == data
    assert str(pvp.location) == str(path)
    assert repr(pvp) == f"Pvp({str(path)!r}, mode='standard', license_mode='kms')"
    with pytest.raises(SourceError, match="no such file"):
        read_pvp(tmp_path / "missing.pvp")
    with pytest.raises(SourceError, match="directory"):
        read_pvp(tmp_path)


def test_text_by_name() -> None:
    pvp = Pvp.parse(build_pvp())
    assert pvp.text("author") == "Image team"
    with pytest.raises(KeyError):
        pvp.text("nothing")


def test_hostile_texts_go_into_json_as_they_are() -> None:
    text = "\x1b[31m\n::error::\u202e\ud800"
    plain = Pvp.parse(build_pvp(description=text)).facts().to_dict()
    assert json.loads(json.dumps(plain))["description"] == text
    assert plain["properties_update_time"]["time"] == "2024-02-29T12:00:00Z"


def test_all_zeros_are_read_and_called_implausible() -> None:
    facts = Pvp.parse(bytes(FIXED_SIZE)).facts()
    assert facts.mode == "private"
    assert {problem.field for problem in facts.problems} == {"sector_size", "total_sectors_low"}
