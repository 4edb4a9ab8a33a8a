"""Edits that were cut off: the hive is sound for whoever reads it without the journal, sector by sector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.build.aged import aged_hive, chance_of, edit, values_of
from tests.build.image import MIB, build_image
from tests.build.prefixes import torn_files
from tests.build.vhd import ParentLink, build_vhd
from tests.build.vhdx import build_vhdx, link_to
from tests.effort import tries
from tests.unit.patch.registry.halfway import assert_halfway, assert_sound
from tests.unit.patch.registry.model import NOW, flat
from vdiskkit.container import open_container
from vdiskkit.io import BytesSource
from vdiskkit.io.source import SliceSource
from vdiskkit.ntfs import NtfsVolume
from vdiskkit.patch.disk import WritableSlice, open_writable
from vdiskkit.patch.ntfs import VolumeEditor
from vdiskkit.patch.registry import HiveEditor
from vdiskkit.patch.staging import Phase, StagedFile

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.build.prefixes import TornFile


SOFTWARE = r"\Windows\System32\config\SOFTWARE"
RECORDS = frozenset({Phase.CLAIM, Phase.LINK})
"""Phases of NTFS records, of which no part is anything by itself."""
seeds = st.integers(0, 1 << 32)


@given(seeds, st.sampled_from([3, 5, 5]), st.sampled_from([1, 1, 2, 6]))
@settings(deadline=None, max_examples=tries(40), suppress_health_check=[HealthCheck.too_slow])
def test_every_prefix_of_an_edit_is_a_sound_hive(seed: int, minor: int, count: int) -> None:
    chance = chance_of(seed)
    data = aged_hive(chance, minor=minor)
    staged = StagedFile(BytesSource(data))
    editor = HiveEditor(staged, name="TEST", now=NOW, grow=staged.extend)
    edit(editor, chance, values_of(data), count)
    if editor.commit([chance.randrange(300)]) is None:
        return
    old, new = flat(data), flat(staged.read_at(0, staged.size))
    for torn in torn_files(staged, seed=seed, most=15):
        assert_halfway(torn.data, old, new)
    assert flat(torn.data) == new


class Store:
    """A disk with a hive on it, in a file of any kind; made once, and changed in memory only."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.hive = aged_hive(chance_of(kind))
        raw = build_image("win10", hives={"SOFTWARE": self.hive})
        name, _, how = kind.partition(" ")
        self.path = str(folder / f"disk.{name}")
        if how == "differencing":
            # Of the hive some sectors are the child's, most are the parent's.
            at = raw.index(self.hive[:4096])
            own = {at + number * 512: raw[at + number * 512 :][:512] for number in range(0, len(self.hive) // 512, 3)}
            if name == "vhd":
                parent = build_vhd("dynamic", len(raw), 64 * 1024, raw)
                link = ParentLink.to(parent, "parent.vhd")
                self.file = build_vhd("differencing", len(raw), 64 * 1024, own, parent=link)
                (folder / "parent.vhd").write_bytes(parent)
            else:
                base = build_vhdx("dynamic", len(raw), MIB, raw)
                image = build_vhdx("differencing", len(raw), MIB, own, parent=link_to(base, "parent.vhdx"))
                (folder / "parent.vhdx").write_bytes(base.read_at(0, base.size))
                self.file = image.read_at(0, image.size)
        elif name == "vhd":
            self.file = build_vhd(how, len(raw), 64 * 1024, raw)
        else:
            image = build_vhdx(how, len(raw), MIB, raw)
            self.file = image.read_at(0, image.size)
        self.size = len(raw) - 2 * MIB
        self.length = len(self.hive_in(BytesSource(self.file)))

    def hive_in(self, file: TornFile | BytesSource) -> bytes:
        """The hive on the disk in a file."""
        disk = open_container(file, path=self.path)
        try:
            found = NtfsVolume(SliceSource(disk, MIB, self.size)).lookup(SOFTWARE)
            content = found.open()
            return content.read_at(0, content.size)
        finally:
            disk.close()

    def edited(self, chance: random.Random, count: int, *, large: int = 0) -> StagedFile:
        """Stage some edits; ``large`` bytes of data make the hive longer."""
        staged = StagedFile(BytesSource(self.file))
        disk = open_writable(staged, path=self.path)
        editor = VolumeEditor(WritableSlice(disk, MIB, self.size), prefer=disk.is_allocated, now=NOW)
        stream = editor.open_stream(SOFTWARE)

        def grow(size: int) -> None:
            stream.grow(size)

        hive = HiveEditor(stream, name="SOFTWARE", now=NOW, grow=grow)
        edit(hive, chance, values_of(self.hive), count)
        if large:
            hive.set_value("", "large", 3, chance.randbytes(large))
        hive.commit()
        disk.close()
        return staged


KINDS = ["vhd fixed", "vhd dynamic", "vhd differencing", "vhdx dynamic", "vhdx differencing"]


@pytest.fixture(scope="module", params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"), request.param)


@pytest.mark.parametrize("seed", range(3))
def test_every_prefix_of_a_change_of_a_disk_leaves_a_sound_hive(store: Store, seed: int) -> None:
    staged = store.edited(chance_of(seed), 3 + 2 * seed)
    judge(store, staged, seed, 8)


def test_so_it_is_when_the_hive_grows(store: Store) -> None:
    """But for a record of the file table of which one sector was written."""
    staged = store.edited(chance_of(1), 3, large=1_500_000)
    judge(store, staged, 1, 4)
    assert len(store.hive_in(BytesSource(staged.read_at(0, staged.size)))) > store.length


def judge(store: Store, staged: StagedFile, seed: int, most: int) -> None:
    old, new = flat(store.hive), flat(store.hive_in(BytesSource(staged.read_at(0, staged.size))))
    assert old != new
    judged: set[bytes] = set()
    for torn in torn_files(staged, seed=seed, most=most, together=RECORDS):
        data = store.hive_in(torn.file)
        if data not in judged:
            judged.add(data)
            assert_halfway(data, old, new)
    assert_sound(data)
    assert flat(data) == new
