"""That a file is not there is said only of a directory that is in order: one changed bit never hides a name."""

from __future__ import annotations

import random
import struct
from typing import TYPE_CHECKING

import pytest

from tests.unit.ntfs.volumes import editor, index_block, opened, patch_block, patch_record
from vdiskkit.errors import CorruptStructureError, FileMissingError, VDiskError
from vdiskkit.ntfs.state import Hibernation

if TYPE_CHECKING:
    from vdiskkit.ntfs import NtfsVolume

HIDDEN = 400


def renamed(name: str, folder: str, old: str, new: str) -> NtfsVolume:
    volume = editor(name)
    number = volume.number(folder) if folder else 5
    wanted, other = old.encode("utf-16-le"), new.encode("utf-16-le")

    def change(block: bytearray) -> None:
        at = block.find(wanted)
        while at >= 0:
            block[at : at + len(wanted)] = other
            at = block.find(wanted, at + 1)

    record = volume.record(number)
    if record.find(wanted, volume.find(record, 0x90, "$I30").offset) >= 0:
        patch_record(volume, number, change)
        return opened(volume.data)
    size = sum(length for _, length in volume.record_runs(record, volume.find(record, 0xA0, "$I30")))
    for block in range(size // 4096):
        place = index_block(volume, number, block)
        if wanted in volume.data[place : place + 4096]:
            patch_block(volume, place, change)
    return opened(volume.data)


@pytest.mark.parametrize("new", ["aOFTWARE", "zOFTWARE", "SPFTWARE"])
def test_a_name_that_is_wrong_in_the_directory_is_not_gone(new: str) -> None:
    volume = renamed("basic", r"Windows\System32\config", "SOFTWARE", new)
    with pytest.raises(CorruptStructureError, match=r"SOFTWARE|does not sort after") as caught:
        volume.find(r"Windows\System32\config\SOFTWARE")
    assert caught.value.hint == "run chkdsk on the volume"
    assert [notice.code for notice in volume.notices] == ["ntfs.damage_met"]


def test_the_reason_names_the_file_and_the_entry_beside_its_place() -> None:
    volume = renamed("directory", "many", "many entry number 00500", "many entry number 0050/")
    with pytest.raises(CorruptStructureError) as caught:
        volume.find(r"many\many entry number 00500")
    assert caught.value.message.startswith("whether there is many entry number 00500 in many is not known: ")
    assert "many entry number 0050/ leads to MFT record" in caught.value.message
    assert caught.value.message.endswith("which has no such name")
    # Elsewhere in the same directory nothing is the matter.
    assert volume.find(r"many\many entry number 00900") is not None
    assert volume.find(r"many\many entry number 00900x") is None


def test_a_directory_that_is_not_marked_as_one_is_damaged() -> None:
    volume = editor("basic")
    number = volume.number("Windows\\System32")
    patch_record(volume, number, lambda record: struct.pack_into("<H", record, 22, 1))
    with pytest.raises(CorruptStructureError, match="has the index of a directory, but is not marked as one"):
        opened(volume.data).find("Windows\\System32\\config\\SOFTWARE")


def test_hibernation_is_not_known_when_its_file_may_hide_behind_damage() -> None:
    volume = renamed("records4096", "", "hiberfil.sys", "giberfil.sys")
    assert volume.state().hibernation is Hibernation.UNKNOWN
    assert not volume.state().clean
    assert {"ntfs.hibernation_unknown", "ntfs.damage_met"} <= {notice.code for notice in volume.notices}


def test_a_block_that_another_one_took_the_place_of_is_noticed() -> None:
    """Two subnodes exchanged: each block is whole by itself, but not between the entries that lead to it."""
    volume = editor("directory")
    number = volume.number("many")
    places = (index_block(volume, number, block) for block in range(40))
    place = next(place for place in places if volume.data[place + 0x24] & 1)

    def exchange(block: bytearray) -> None:
        ends = []
        at = 0x18 + struct.unpack_from("<I", block, 0x18)[0]
        while True:
            size, _, flags = struct.unpack_from("<HHH", block, at + 8)
            at += size
            ends.append(at - 8)
            if flags & 2:
                break
        first, last = ends[0], ends[-1]
        block[first : first + 8], block[last : last + 8] = block[last : last + 8], block[first : first + 8]

    patch_block(volume, place, exchange)
    image = opened(volume.data)
    with pytest.raises(CorruptStructureError, match="does not sort after"):
        image.find(r"many\many entry number 00001")
    list(image.listdir("many"))
    assert "ntfs.index_damaged" in {notice.code for notice in image.notices}


@pytest.mark.thorough
@pytest.mark.parametrize("folder", ["streams", "Windows\\System32\\config", "links"])
def test_no_changed_bit_of_a_directory_makes_a_file_not_there(folder: str) -> None:
    """All bits of its record that are in use, one after the other, past the update sequence."""
    whole = opened("basic")
    there = {entry.name: entry.record_number for entry in whole.listdir(folder)}
    volume = editor("basic")
    number = volume.number(folder)
    record = bytes(volume.record(number))
    used = struct.unpack_from("<I", record, 24)[0]
    chance = random.Random(folder)  # noqa: S311 - repeatable, not secret
    for at in range(8, used):
        if 0x30 <= at < 0x36:
            continue
        changed = bytearray(record)
        changed[at] ^= 1 << chance.randrange(8)
        volume.put_record(number, changed)
        _nothing_is_hidden(bytes(volume.data), folder, there)


@pytest.mark.thorough
def test_no_changed_bit_of_an_index_block_makes_a_file_not_there() -> None:
    whole = opened("directory")
    there = {entry.name: entry.record_number for entry in whole.listdir("many")}
    volume = editor("directory")
    number = volume.number("many")
    place = index_block(volume, number, 7)
    original = bytes(volume.data[place : place + 4096])
    chance = random.Random(4)  # noqa: S311 - repeatable, not secret
    inside = [name for name in there if name.encode("utf-16-le") in original]
    for _ in range(HIDDEN):
        volume.data[place : place + 4096] = original
        at, bit = chance.randrange(24, struct.unpack_from("<I", original, 0x1C)[0] + 24), chance.randrange(8)
        if 0x28 <= at < 0x28 + 18:
            continue  # the update sequence

        def flip(block: bytearray, at: int = at, bit: int = bit) -> None:
            block[at] ^= 1 << bit

        patch_block(volume, place, flip)
        asked = chance.sample(inside, 5)
        _nothing_is_hidden(bytes(volume.data), "many", {name: there[name] for name in asked}, lists=False)


def _nothing_is_hidden(data: bytes, folder: str, there: dict[str, int], *, lists: bool = True) -> None:
    try:
        image = opened(data)
    except VDiskError:
        return
    for name, number in there.items():
        try:
            assert image.lookup(f"{folder}\\{name}", follow=False).record_number == number
        except FileMissingError:
            raise AssertionError(name) from None
        except VDiskError:
            continue
    if lists:
        try:
            listed = {entry.name for entry in image.listdir(folder)}
        except VDiskError:
            return
        assert listed == set(there) or {"ntfs.index_damaged", "ntfs.stale_entry"} & {
            notice.code for notice in image.notices
        }
