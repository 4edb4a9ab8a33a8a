"""Each bit of a sector bitmap is set in its own phase, whatever its neighbours do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.build.vhd import noise
from vdiskkit.io import BytesSource
from vdiskkit.patch.container.vhdx.bits import BitmapWriter
from vdiskkit.patch.staging import SECTOR, Phase, StagedFile

PHASES = (Phase.CLAIM, Phase.LINK, Phase.RELEASE)
SIZE = 3 * SECTOR
BLOCK = 64
"""Bytes of a bitmap that belong to one block."""


def content_after(staged: StagedFile, old: bytes, phase: Phase) -> bytes:
    content = bytearray(old.ljust(staged.size, b"\0"))
    for change in staged.changes():
        if change.phase <= phase:
            content[change.offset : change.offset + len(change.after)] = change.after
    return bytes(content)


@given(
    st.lists(
        st.tuples(
            st.integers(0, SIZE // BLOCK - 1),
            st.integers(0, BLOCK * 8 - 1),
            st.integers(1, 600),
            st.sampled_from(PHASES),
        ),
        max_size=8,
    ),
    st.sets(st.integers(0, SIZE // BLOCK - 1)),
    st.integers(0, 3),
)
def test_bits_take_the_latest_of_their_phases(
    steps: list[tuple[int, int, int, Phase]], fresh: set[int], missing: int
) -> None:
    """Of some blocks left-over bits are cleared before their first own bit is set; the others keep what they have."""
    old = noise(SIZE - missing * SECTOR // 2, 5)
    staged = StagedFile(BytesSource(old))
    staged.extend(SIZE)
    bits = BitmapWriter(staged, staged.base)
    base = bytearray(old.ljust(SIZE, b"\0"))
    phases: dict[int, Phase] = {}
    cleared: set[int] = set()
    for block, first, count, phase in steps:
        if block in fresh and block not in cleared:
            cleared.add(block)
            bits.clear(block * BLOCK, BLOCK)
            base[block * BLOCK : (block + 1) * BLOCK] = bytes(BLOCK)
        end = min(first + count, BLOCK * 8)
        bits.set(block * BLOCK, first, end, phase)
        for number in range(block * BLOCK * 8 + first, block * BLOCK * 8 + end):
            phases[number] = max(phase, phases.get(number, phase))
    for phase in (Phase.DATA, *PHASES):
        expected = bytearray(base)
        for number, when in phases.items():
            if when <= phase:
                expected[number // 8] |= 1 << number % 8
        assert content_after(staged, old, phase) == expected
    assert staged.read_at(0, SIZE) == content_after(staged, old, Phase.RELEASE)
    assert all(change.phase >= Phase.DATA for change in staged.changes())


def test_clearing_what_neighbours_share_goes_through_all_their_phases() -> None:
    staged = StagedFile(BytesSource(b"\xff" * SECTOR))
    bits = BitmapWriter(staged, staged.base)
    bits.clear(0, BLOCK)
    bits.set(0, 3, 4, Phase.LINK)
    bits.clear(BLOCK, BLOCK)
    assert [(change.phase, change.after[0], change.after[BLOCK]) for change in staged.changes()] == [
        (Phase.DATA, 0, 0), (Phase.LINK, 8, 0),
    ]  # fmt: skip
