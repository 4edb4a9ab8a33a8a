from __future__ import annotations

import struct

import pytest

from tests.build.logfile import restart_pages
from tests.unit.ntfs.volumes import attribute_offset, editor, opened, patch_record, poke
from vdiskkit.errors import CorruptStructureError
from vdiskkit.io import BytesSource
from vdiskkit.ntfs.logfile import LogState, read_log_state
from vdiskkit.ntfs.state import Hibernation

SIZE = 2 << 20


def log(head: bytes, fill: bytes = b"\xff", size: int = SIZE) -> BytesSource:
    return BytesSource(head + fill * (size - len(head)))


def test_a_clean_volume() -> None:
    state = opened("basic").state()
    assert (state.label, state.version, state.dirty, state.flags) == ("Basic ä", "3.1", False, ())
    assert state.log.state is LogState.EMPTY
    assert state.hibernation is Hibernation.NONE
    assert state.clean


@pytest.mark.parametrize(
    ("flags", "names", "clean"),
    [
        (0x0001, ("dirty",), False),
        (0x0080, ("txf_disabled",), True),
        (0x8000, ("modified_by_chkdsk",), True),
        (0x4011, ("dirty", "delete_usn_underway", "chkdsk_underway"), False),
        (0x0100, ("0x0100",), True),
    ],
)
def test_flags(flags: int, names: tuple[str, ...], clean: bool) -> None:
    volume = editor("basic")
    poke(volume, 3, attribute_offset(volume, 3, 0x70) + 24 + 10, "<H", flags)
    state = opened(volume.data).state()
    assert state.flags == names
    assert state.dirty == bool(flags & 1)
    assert state.clean == clean


@pytest.mark.parametrize(
    ("kind", "offset", "layout", "value", "message"),
    [
        (0x70, 8, "<B", 1, "MFT record is damaged"),  # cannot be non-resident: its header would not fit
        (0x70, 16, "<I", 8, "no volume information"),
        (0x70, 0, "<I", 0x70 + 0x100, "attribute .* type|no volume information"),
        (0x60, 16, "<I", 13, "label is damaged"),
    ],
)
def test_faults_of_the_volume_record(kind: int, offset: int, layout: str, value: int, message: str) -> None:
    volume = editor("basic")
    poke(volume, 3, attribute_offset(volume, 3, kind) + offset, layout, value)
    with pytest.raises(CorruptStructureError, match=message):
        opened(volume.data).state()


def test_volume_information_outside_of_its_record() -> None:
    volume = editor("basic")
    at = attribute_offset(volume, 3, 0x70)
    header = struct.pack("<IIBBHHHQQHHIQQQ", 0x70, 72, 1, 0, 0, 0, 9, 0, 0, 64, 0, 0, 4096, 12, 12)

    def outside(record: bytearray) -> None:
        record[at : at + 80] = header + b"\x11\x01\x08\0\0\0\0\0" + b"\xff\xff\xff\xff\0\0\0\0"
        struct.pack_into("<I", record, 24, at + 80)

    patch_record(volume, 3, outside)
    with pytest.raises(CorruptStructureError, match="no volume information"):
        opened(volume.data).state()


def test_a_volume_without_label() -> None:
    volume = editor("basic")
    poke(volume, 3, attribute_offset(volume, 3, 0x60) + 16, "<I", 0)
    assert opened(volume.data).label == ""


# -- $LogFile


def test_log_states() -> None:
    assert read_log_state(log(restart_pages())) == (LogState.CLEAN, "1.1", None)
    assert read_log_state(log(restart_pages(clean=False))) == (LogState.UNCLEAN, "1.1", None)
    assert read_log_state(log(restart_pages(clean=False, major=2))).version == "2.0"
    assert read_log_state(log(b"")) == (LogState.EMPTY, None, None)


def test_the_newer_restart_page_counts() -> None:
    old, new = restart_pages(lsn=0x1000), restart_pages(clean=False, lsn=0x2000)
    assert read_log_state(log(old[:4096] + new[4096:])).state is LogState.UNCLEAN
    assert read_log_state(log(new[:4096] + old[4096:])).state is LogState.UNCLEAN
    old, new = restart_pages(clean=False, lsn=0x1000), restart_pages(lsn=0x2000)
    assert read_log_state(log(old[:4096] + new[4096:])).state is LogState.CLEAN


@pytest.mark.parametrize("page", [0, 1])
def test_one_damaged_restart_page_is_not_missed(page: int) -> None:
    head = bytearray(restart_pages())
    head[page * 4096 + 510] ^= 0xFF
    assert read_log_state(log(bytes(head))).state is LogState.CLEAN


def test_chkdsk_was_here() -> None:
    head = bytearray(restart_pages())
    head[0:4] = head[4096:4100] = b"CHKD"
    assert read_log_state(log(bytes(head))).state is LogState.CLEAN


AREA = 0x30


@pytest.mark.parametrize(
    ("offset", "layout", "value", "problem"),
    [
        (24, "<H", 0xFFF8, "restart area"),
        (24, "<H", 0x31, "restart area"),
        (24, "<H", 0, "restart area"),
        (16, "<I", 0, "page size of 0"),
        (16, "<I", 0x80000000, "page size"),
        (4, "<H", 0xFFFF, "update sequence"),
        (AREA + 8, "<H", 0xFFFF, "outside of its page"),
        (AREA + 20, "<H", 0xFFFF, "outside of its page"),
        (AREA + 22, "<H", 0xFFF8, "outside of its page"),
        (AREA + 12, "<H", 7, "log client 7 of 1"),
        (AREA + 10, "<H", 1, "log client 1 of 1"),
    ],
)
def test_damaged_restart_pages(offset: int, layout: str, value: int, problem: str) -> None:
    head = bytearray(restart_pages())
    for page in (0, 4096):
        struct.pack_into(layout, head, page + offset, value)
    state = read_log_state(log(bytes(head)))
    assert state.state is LogState.DAMAGED
    assert problem in str(state.problem)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (BytesSource(b""), "0 bytes"),
        (BytesSource(restart_pages()[:6000]), "6000 bytes"),
        (log(b"", fill=b"\0"), "no restart page"),
        (log(b"\xff" * 8192, fill=b"\0"), "0xFF, but not at"),
    ],
)
def test_zeroed_and_truncated_logs(source: BytesSource, problem: str) -> None:
    state = read_log_state(source)
    assert state.state is LogState.DAMAGED
    assert problem in str(state.problem)


def test_a_log_beyond_four_gibibytes() -> None:
    class Huge(BytesSource):
        @property
        def size(self) -> int:
            return (4 << 30) + 1

    assert read_log_state(Huge(b"")).state is LogState.DAMAGED


def test_an_unclean_log_in_a_volume() -> None:
    volume = editor("basic")
    start, length = volume.runs("$logfile")[0]
    volume.data[start : start + 8192] = restart_pages(clean=False, size=length)
    state = opened(volume.data).state()
    assert state.log.state is LogState.UNCLEAN
    assert not state.clean


def test_a_lost_log_is_a_state() -> None:
    volume = editor("basic")
    poke(volume, 2, attribute_offset(volume, 2, 0x80) + 48, "<Q", 1 << 60)
    state = opened(volume.data).state()
    assert state.log.state is LogState.DAMAGED
    assert "clusters" in str(state.log.problem)


# -- hibernation


@pytest.mark.parametrize(
    ("first", "size", "expected"),
    [
        (b"hibr", None, Hibernation.HIBERNATED),
        (b"HIBR", None, Hibernation.HIBERNATED),
        (b"wake", None, Hibernation.NONE),
        (bytes(4), None, Hibernation.NONE),
        (bytes(4), 4095, Hibernation.HIBERNATED),
    ],
)
def test_hibernation(first: bytes, size: int | None, expected: Hibernation) -> None:
    volume = editor("records4096")
    volume.write("hiberfil.sys", first, resize=False)
    if size is not None:
        volume.set_size("hiberfil.sys", size)
    state = opened(volume.data).state()
    assert state.hibernation is expected
    assert state.clean == (expected is Hibernation.NONE)


def test_hibernation_that_cannot_be_told() -> None:
    volume = editor("basic")
    record = volume.record(5)
    start, _ = volume.value(record, volume.find(record, 0x90, "$I30"))
    poke(volume, 5, start + 20, "<I", 0)
    damaged = opened(volume.data)
    assert damaged.state().hibernation is Hibernation.UNKNOWN
    assert [notice.code for notice in damaged.notices] == ["ntfs.damage_met", "ntfs.hibernation_unknown"]


# -- free space


def test_free_space_counts_clear_bits() -> None:
    volume = editor("basic")
    start, _ = volume.runs("$bitmap")[0]
    image = opened(volume.data)
    clusters = image.boot.total_clusters
    bits = f"{int.from_bytes(volume.data[start : start + clusters // 8 + 1], 'little'):b}".zfill(clusters + 1)
    assert image.free_bytes() == bits[-clusters:].count("0") * 4096
    volume.data[start : start + 4] = b"\0\0\0\0"
    assert opened(volume.data).free_bytes() == (bits[-clusters:].count("0") + bits[-32:].count("1")) * 4096


def test_a_short_bitmap() -> None:
    volume = editor("basic")
    volume.set_size("$bitmap", 500)
    with pytest.raises(CorruptStructureError, match=r"\$Bitmap has 500 bytes, the volume needs 512"):
        opened(volume.data).free_bytes()
    facts = opened(volume.data).facts()
    assert facts.free_bytes is None
    assert [notice.code for notice in facts.notices] == ["ntfs.bitmap_damaged"]


def test_a_large_bitmap_is_read_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vdiskkit.ntfs.state.MAX_SHALLOW_BITMAP", 500)
    monkeypatch.setattr("vdiskkit.ntfs.state._CHUNK", 100)
    volume = opened("basic")
    assert volume.free_bytes() is None
    deep = volume.free_bytes(deep=True)
    monkeypatch.undo()
    assert deep == opened("basic").free_bytes()
