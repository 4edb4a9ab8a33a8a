from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdiskkit.errors import CorruptStructureError
from vdiskkit.io import BytesSource
from vdiskkit.patch.staging import SECTOR, Phase, StagedFile

BASE = bytes(range(256)) * 10 + b"tail"
steps = st.lists(
    st.tuples(st.integers(0, 6000), st.binary(max_size=1500), st.sampled_from(Phase), st.integers(0, 900)), max_size=8
)


def play(writes: list[tuple[int, bytes, Phase, int]]) -> tuple[StagedFile, bytearray]:
    staged, model = StagedFile(BytesSource(BASE)), bytearray(BASE)
    for offset, data, phase, growth in writes:
        staged.extend(staged.size + growth)
        model.extend(bytes(growth))
        at = offset % (len(model) + 1)
        fitting = data[: len(model) - at]
        staged.write_at(at, fitting, phase)
        model[at : at + len(fitting)] = fitting
    return staged, model


@given(steps, st.integers(0, 9000), st.integers(0, 3000))
def test_reads_see_what_was_written(writes: list[tuple[int, bytes, Phase, int]], offset: int, length: int) -> None:
    staged, model = play(writes)
    offset = min(offset, len(model))
    length = min(length, len(model) - offset)
    assert staged.size == len(model)
    assert staged.read_at(offset, length) == model[offset : offset + length]


@given(steps)
def test_changes_lead_from_before_to_after(writes: list[tuple[int, bytes, Phase, int]]) -> None:
    staged, model = play(writes)
    result = bytearray(BASE.ljust(staged.size, b"\0"))
    left = bytearray(BASE)
    changes = staged.changes()
    for change in changes:
        assert change.offset % SECTOR == 0
        assert left[change.offset : change.offset + len(change.before)] == change.before
        assert change.before != change.after
        left.extend(bytes(max(change.offset + len(change.after) - len(left), 0)))
        for target in (result, left):
            target[change.offset : change.offset + len(change.after)] = change.after
    assert result == model
    assert [change.phase for change in changes] == sorted(change.phase for change in changes)


@given(steps)
def test_what_is_written_in_one_phase_is_one_change(writes: list[tuple[int, bytes, Phase, int]]) -> None:
    staged, model = play([(offset, data, Phase.LINK, growth) for offset, data, _, growth in writes])
    changes = staged.changes()
    touched = [
        number for change in changes for number in range(change.offset, change.offset + len(change.after), SECTOR)
    ]
    assert len(touched) == len(set(touched))
    result = bytearray(BASE.ljust(staged.size, b"\0"))
    for change in changes:
        result[change.offset : change.offset + len(change.after)] = change.after
    assert result == model


versions = st.lists(
    st.tuples(
        st.integers(0, 8), st.integers(1, 3), st.integers(0, 255), st.sampled_from(Phase), st.booleans(),
        st.sampled_from([0, 0, 0, 100, 512, 700]),
    ),
    max_size=10,
)  # fmt: skip


class Model:
    """One sector as it is after every phase."""

    def __init__(self, old: bytes) -> None:
        self.states = {known: bytearray(old) for known in Phase}
        self.staged: set[Phase] = set()

    def extend(self, room: int) -> None:
        for state in self.states.values():
            state.extend(bytes(room - len(state)))

    def write(self, byte: int, phase: Phase) -> None:
        """Put a byte from its own position on."""
        changed = [byte ^ known for known in self.states[max(Phase)][byte:]]
        for known, state in self.states.items():
            if known >= phase:
                state[byte:] = bytes(a ^ b for a, b in zip(state[byte:], changed, strict=True))
        self.staged.add(phase)

    def write_interim(self, data: bytes, phase: Phase) -> None:
        end = min((known for known in self.staged if known > phase), default=None)
        for known, state in self.states.items():
            if phase <= known and (end is None or known < end):
                state[:] = data
        self.staged.add(phase)


@given(versions)
def test_each_phase_leaves_what_was_staged_for_it(writes: list[tuple[int, int, int, Phase, bool, int]]) -> None:
    """A model that keeps every sector as it is after every phase: the file after each phase is what they say."""
    staged = StagedFile(BytesSource(BASE))
    model: dict[int, Model] = {}
    for number, count, byte, phase, interim, growth in writes:
        staged.extend(staged.size + growth)
        for at in range(number * SECTOR, min((number + count) * SECTOR, staged.size), SECTOR):
            room = min(SECTOR, staged.size - at)
            sector = model.setdefault(at, Model(BASE[at : at + SECTOR]))
            sector.extend(room)
            if interim:
                staged.write_interim(at, bytes([byte]) * room, phase)
                sector.write_interim(bytes([byte]) * room, phase)
            elif byte < room:
                staged.write_at(at + byte, bytes([byte]) * (room - byte), phase)
                sector.write(byte, phase)
    changes = staged.changes()
    assert [change.phase for change in changes] == sorted(change.phase for change in changes)
    result = bytearray(BASE)
    for phase in Phase:
        for change in (change for change in changes if change.phase is phase):
            assert bytes(result[change.offset : change.offset + len(change.before)]) == change.before
            result.extend(bytes(max(change.offset + len(change.after) - len(result), 0)))
            result[change.offset : change.offset + len(change.after)] = change.after
        wanted = bytearray(BASE.ljust(staged.size, b"\0"))
        for at, sector in model.items():
            wanted[at : at + SECTOR] = bytes(sector.states[phase]).ljust(min(SECTOR, staged.size - at), b"\0")
        assert bytes(result).ljust(staged.size, b"\0") == wanted
    assert staged.read_at(0, staged.size) == wanted


def test_interims_are_whole_sectors() -> None:
    staged = StagedFile(BytesSource(BASE))
    for offset, length in ((1, 512), (0, 511), (0, 100), (512, 1000)):
        with pytest.raises(ValueError, match="no whole sectors"):
            staged.write_interim(offset, bytes(length), Phase.DATA)
    with pytest.raises(CorruptStructureError):
        staged.write_interim(2560, bytes(512), Phase.DATA)
    staged.write_interim(2560, b"x" * 4, Phase.DATA)
    assert staged.read_at(2560, 4) == b"xxxx"


def test_a_sector_is_written_in_each_phase_that_changes_it() -> None:
    staged = StagedFile(BytesSource(BASE))
    staged.write_at(0, b"x", Phase.RELEASE)
    staged.write_at(1, b"y", Phase.DATA)
    staged.write_at(600, BASE[600:700], Phase.DATA)
    first, last = staged.changes()
    assert (first.offset, first.phase, first.before[:3], first.after[:3]) == (0, Phase.DATA, BASE[:3], b"\0y\x02")
    assert (last.offset, last.phase, last.before[:3], last.after[:3]) == (0, Phase.RELEASE, b"\0y\x02", b"xy\x02")


def test_bits_beside_each_other_keep_their_phases() -> None:
    staged = StagedFile(BytesSource(bytes(SECTOR)))
    staged.write_at(7, b"\x80", Phase.RELEASE)
    staged.write_at(7, b"\x81", Phase.CLAIM)
    staged.write_at(7, b"\x89", Phase.LINK)
    assert [(change.phase, change.after[7]) for change in staged.changes()] == [
        (Phase.CLAIM, 0x01),
        (Phase.LINK, 0x09),
        (Phase.RELEASE, 0x89),
    ]
