"""Changing fields of the side-car: known fields only, every other byte as it was, and the rule about the mode."""

from __future__ import annotations

import datetime as dt
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.pvp import NUMBERS, TEXTS, build_pvp
from vdiskkit.errors import UsageError, WriteRefusedError
from vdiskkit.io import BytesSource
from vdiskkit.location import Location
from vdiskkit.patch.operations import SetPvpField
from vdiskkit.patch.side_car import SETTABLE, FieldChange, set_fields
from vdiskkit.patch.staging import StagedFile
from vdiskkit.pvp import Pvp

NOW = dt.datetime(2026, 11, 24, 9, 12, 3, tzinfo=dt.UTC)
TIME = "properties_update_time"
FILETIME_NOW = 134399851230000000
TAIL = bytes(range(256)) * 4


def changed(data: bytes, force_mode: bool = False, **fields: str) -> tuple[bytes, list[FieldChange]]:
    pvp = Pvp.parse(data, location=Location("x.pvp"))
    staged = StagedFile(BytesSource(data))
    settings = [SetPvpField(field=name, value=value) for name, value in fields.items()]
    changes = set_fields(staged, pvp, settings, now=NOW, force_mode=force_mode)
    return staged.read_at(0, staged.size), changes


def differing(before: bytes, after: bytes) -> set[int]:
    assert len(before) == len(after)
    return {at for at in range(len(before)) if before[at] != after[at]}


def places(*names: str) -> set[int]:
    found: set[int] = set()
    for name in (*names, TIME):
        offset, size = TEXTS[name] if name in TEXTS else (NUMBERS[name][0], struct.calcsize(NUMBERS[name][1]))
        found |= set(range(offset, offset + size))
    return found


def test_settable_fields_are_the_documented_ones() -> None:
    assert set(SETTABLE) == {
        "license_mode", "write_cache_type", "major_release", "minor_release", "build", "description", "author",
        "title", "company", "date", "internal_name", "original_file", "hardware_target", "serial_number",
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name in SETTABLE if name in TEXTS])
def test_a_text(name: str) -> None:
    data = build_pvp(tail=TAIL, residue={name: b"\x01\x02old residue"})
    offset, size = TEXTS[name]
    longest = "ü" * (size // 2 - 1)
    for text in ("new text", "", longest, "\U0001f600 = emoji"):
        after, changes = changed(data, **{name: text})
        assert differing(data, after) <= places(name)
        assert after[offset : offset + size].decode("utf-16-le").partition("\0")[0] == text
        assert changes[0] == FieldChange(name, Pvp.parse(data).facts().to_dict()[name], text)
        assert [change.field for change in changes] == [name, TIME]
    with pytest.raises(UsageError, match=f"holds at most {size // 2 - 1} characters, the text has {size // 2}"):
        changed(data, **{name: longest + "x"})


@pytest.mark.parametrize(("name", "value"), [("major_release", "0"), ("minor_release", "4294967295"), ("build", "8")])
def test_a_number(name: str, value: str) -> None:
    data = build_pvp(tail=TAIL)
    after, changes = changed(data, **{name: value})
    assert differing(data, after) <= places(name)
    assert struct.unpack_from("<I", after, NUMBERS[name][0])[0] == int(value)
    assert changes[0].after == value


@pytest.mark.parametrize("value", ["-1", "4294967296", "1.5", "", "0x10", "٣", "1" * 400])
def test_what_is_no_number(value: str) -> None:
    with pytest.raises(UsageError, match="takes a number from 0 to 4294967295"):
        changed(build_pvp(), build=value)


def test_licence_mode() -> None:
    data = build_pvp(license_mode=0, write_cache_type=0, tail=TAIL)
    for number, name in enumerate(("none", "mak", "KMS")):
        after, changes = changed(data, license_mode=name)
        assert after[477] == number
        assert changes == [] if number == 0 else changes[0] == FieldChange("license_mode", "none", name.lower())
        assert differing(data, after) <= places("license_mode")
    after, changes = changed(build_pvp(license_mode=77), license_mode="mak")
    assert changes[0] == FieldChange("license_mode", "77", "mak")


def test_a_field_that_holds_the_value_already_is_not_written() -> None:
    data = build_pvp(residue={"author": b"\x01\x02residue"}, tail=TAIL)
    after, changes = changed(data, author="Image team", build="7", license_mode="kms")
    assert changes == []
    assert after == data


class TestTheTimeOfProperties:
    def test_filetime(self) -> None:
        data = build_pvp()
        after, changes = changed(data, author="x")
        assert struct.unpack_from("<q", after, 469)[0] == FILETIME_NOW
        assert changes[-1] == FieldChange(TIME, "2024-02-29 12:00:00 UTC", "2026-11-24 09:12:03 UTC")

    def test_unix_time(self) -> None:
        after, changes = changed(build_pvp(properties_update_time=1_709_208_000), author="x")
        assert struct.unpack_from("<q", after, 469)[0] == int(NOW.timestamp())
        assert changes[-1].before == "2024-02-29 12:00:00 UTC"

    @pytest.mark.parametrize("old", [0, -1, 5, 2**63 - 1, -(2**63), 10**15])
    def test_an_unknown_unit_is_left_and_told(self, old: int) -> None:
        after, changes = changed(build_pvp(properties_update_time=old), author="x")
        assert struct.unpack_from("<q", after, 469)[0] == old
        assert changes[-1] == FieldChange(TIME, str(old), f"{old} (left: its unit cannot be told)")


class TestTheMode:
    """Private is 0 and 10, everything else Standard."""

    def test_needs_force(self) -> None:
        for mode in ("0", "10", "3"):
            with pytest.raises(WriteRefusedError, match="the two would differ") as refused:
                changed(build_pvp(write_cache_type=9, license_mode=0), write_cache_type=mode)
            assert "--force mode" in (refused.value.hint or "")

    @pytest.mark.parametrize("private", [0, 10])
    @pytest.mark.parametrize("standard", ["1", "9", "12"])
    def test_never_from_private_to_standard_with_kms(self, private: int, standard: str) -> None:
        data = build_pvp(write_cache_type=private, license_mode=2)
        with pytest.raises(WriteRefusedError, match="KMS preparation of the image, which a change of the side-car"):
            changed(data, force_mode=True, write_cache_type=standard)

    def test_the_order_of_the_fields_does_not_matter(self) -> None:
        data = build_pvp(write_cache_type=0, license_mode=1)
        for fields in (
            {"license_mode": "kms", "write_cache_type": "9"},
            {"write_cache_type": "9", "license_mode": "kms"},
        ):
            with pytest.raises(WriteRefusedError, match="made only in the PVS console"):
                changed(data, force_mode=True, **fields)
        kms = build_pvp(write_cache_type=0, license_mode=2)
        after, _ = changed(kms, force_mode=True, write_cache_type="9", license_mode="mak")
        assert (after[256], after[477]) == (9, 1)

    @pytest.mark.parametrize("license_mode", [0, 1, 77])
    @pytest.mark.parametrize("cache", [9, 1, 12, 13])
    @pytest.mark.parametrize("force", [False, True])
    def test_never_kms_for_a_vdisk_that_is_standard_already(self, license_mode: int, cache: int, force: bool) -> None:
        data = build_pvp(write_cache_type=cache, license_mode=license_mode)
        with pytest.raises(WriteRefusedError) as refused:
            changed(data, force_mode=force, license_mode="kms", author="x")
        assert refused.value.message == (
            "the vDisk is in Standard mode: with KMS chosen now, it would count as prepared for KMS, and it is not: "
            "PVS prepares the image only at the switch from Private to Standard"
        )
        assert refused.value.hint == "in the PVS console: set Private mode, choose KMS, then set Standard mode"

    def test_no_way_of_small_steps_ends_in_standard_with_kms(self) -> None:
        """Every reachable state, by every change of one or both fields, from all states that PVS must still prepare."""
        seen: set[tuple[int, int]] = set()
        ahead = [(cache, mode) for cache in range(15) for mode in range(4) if mode != 2 or cache in (0, 10)]
        steps: list[dict[str, str]] = [{"license_mode": mode} for mode in ("none", "mak", "kms")]
        steps += [{"write_cache_type": str(cache)} for cache in (0, 9, 10, 12)]
        steps += [{**one, **two} for one in steps[:3] for two in steps[3:]]
        while ahead:
            state = ahead.pop()
            if state in seen:
                continue
            seen.add(state)
            for step in steps:
                try:
                    after, _ = changed(build_pvp(write_cache_type=state[0], license_mode=state[1]), True, **step)
                except WriteRefusedError:
                    continue
                ahead.append((after[256], after[477]))
        assert {cache for cache, mode in seen if mode == 2} == {0, 10}

    def test_kms_can_be_chosen_together_with_private_mode(self) -> None:
        data = build_pvp(write_cache_type=9, license_mode=0)
        after, _ = changed(data, force_mode=True, license_mode="kms", write_cache_type="0")
        assert (after[256], after[477]) == (0, 2)
        with pytest.raises(WriteRefusedError, match="the two would differ"):
            changed(data, license_mode="kms", write_cache_type="0")

    def test_a_cache_type_without_a_meaning_is_no_standard_mode_to_begin_with(self) -> None:
        with pytest.raises(WriteRefusedError, match="it would count as prepared"):
            changed(build_pvp(write_cache_type=13, license_mode=2), force_mode=True, write_cache_type="9")

    @pytest.mark.parametrize(("old", "new"), [(9, "0"), (9, "3"), (0, "10"), (10, "0")])
    def test_other_switches_by_force_also_with_kms(self, old: int, new: str) -> None:
        data = build_pvp(write_cache_type=old, license_mode=2, tail=TAIL)
        after, changes = changed(data, force_mode=True, write_cache_type=new)
        assert differing(data, after) <= places("write_cache_type")
        assert changes[0] == FieldChange("write_cache_type", str(old), new)

    def test_the_same_mode_needs_no_force(self) -> None:
        data = build_pvp(write_cache_type=9)
        assert changed(data, write_cache_type="9") == (data, [])

    def test_numbers_without_a_meaning(self) -> None:
        with pytest.raises(UsageError, match="takes a number from 0 to 12"):
            changed(build_pvp(), force_mode=True, write_cache_type="13")


@pytest.mark.parametrize("name", ["signature", "disk_class", "sector_size", "x", "", "properties_update_time"])
def test_other_fields_cannot_be_set(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be set") as refused:
        changed(build_pvp(), **{name: "1"})
    assert refused.value.hint is not None
    assert refused.value.hint.startswith("fields that can: license_mode, ")


@pytest.mark.parametrize(("text", "message"), [("a\0b", "holds a NUL character"), ("\ud800", "not valid Unicode")])
def test_texts_that_cannot_be_stored(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        changed(build_pvp(), author=text)


def test_one_bad_field_writes_none() -> None:
    data = build_pvp()
    pvp = Pvp.parse(data, location=Location("x.pvp"))
    staged = StagedFile(BytesSource(data))
    settings = [SetPvpField(field="author", value="x"), SetPvpField(field="build", value="x")]
    with pytest.raises(UsageError):
        set_fields(staged, pvp, settings, now=NOW, force_mode=False)
    assert staged.changes() == []


_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "license_mode": st.sampled_from(["none", "mak", "kms"]),
        "build": st.integers(0, 0xFFFFFFFF).map(str),
        "description": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=199),
        "author": st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=40),
    },
)


@given(fields=_FIELDS, noise=st.binary(min_size=16, max_size=16))
def test_any_fields_and_any_neighbours(fields: dict[str, Any], noise: bytes) -> None:
    data = build_pvp(raw={300: noise, 400: noise, 490: noise, 2400: noise}, tail=noise * 3)
    after, changes = changed(data, **fields)
    assert differing(data, after) <= places(*fields)
    read = Pvp.parse(after).facts().to_dict()
    for name, value in fields.items():
        assert str(read[name]) == value
    again, more = changed(after, **fields)
    assert (again, more) == (after, [])
    assert bool(changes) == (after != data)
