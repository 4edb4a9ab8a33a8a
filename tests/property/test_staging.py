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
    changes = staged.changes()
    for change in changes:
        assert change.offset % SECTOR == 0
        assert BASE[change.offset : change.offset + len(change.before)] == change.before
        result[change.offset : change.offset + len(change.after)] = change.after
    assert result == model
    assert [change.phase for change in changes] == sorted(change.phase for change in changes)
    touched = [
        number for change in changes for number in range(change.offset, change.offset + len(change.after), SECTOR)
    ]
    assert len(touched) == len(set(touched))


versions = st.lists(
    st.tuples(
        st.integers(0, 8), st.integers(1, 3), st.integers(0, 255), st.sampled_from(Phase), st.booleans(),
        st.sampled_from([0, 0, 0, 100, 512, 700]),
    ),
    max_size=10,
)  # fmt: skip


@given(versions)
def test_each_phase_leaves_what_was_staged_for_it(writes: list[tuple[int, int, int, Phase, bool, int]]) -> None:
    """A model that keeps every version of every sector: the file after each phase is what they say."""
    staged = StagedFile(BytesSource(BASE))
    shown: dict[int, bytes] = {}
    final: set[int] = set()
    phases: dict[int, list[Phase]] = {}
    interims: dict[tuple[int, Phase], bytes] = {}
    for number, count, byte, phase, interim, growth in writes:
        staged.extend(staged.size + growth)
        for at in range(number * SECTOR, min((number + count) * SECTOR, staged.size), SECTOR):
            room = min(SECTOR, staged.size - at)
            if interim:
                staged.write_interim(at, bytes([byte]) * room, phase)
                interims[at, phase] = bytes([byte]) * room
                if at not in final and phase >= max(phases.get(at, [phase])):
                    shown[at] = bytes([byte]) * room
            else:
                part = min(byte, room)
                staged.write_at(at + part, bytes([byte]) * (room - part), phase)
                if part == room:
                    continue
                old = shown.get(at, BASE[at : at + SECTOR]).ljust(room, b"\0")
                shown[at] = old[:part] + bytes([byte]) * (room - part)
                final.add(at)
            phases.setdefault(at, []).append(phase)
    changes = staged.changes()
    assert [change.phase for change in changes] == sorted(change.phase for change in changes)
    result = bytearray(BASE)
    for phase in Phase:
        for change in (change for change in changes if change.phase is phase):
            assert bytes(result[change.offset : change.offset + len(change.before)]) == change.before
            result.extend(bytes(max(change.offset + len(change.after) - len(result), 0)))
            result[change.offset : change.offset + len(change.after)] = change.after
        wanted = bytearray(BASE.ljust(staged.size, b"\0"))
        for at, written in phases.items():
            known = [before for before in written if before <= phase and (at, before) in interims]
            if at in final and max(written) <= phase:
                wanted[at : at + SECTOR] = shown[at].ljust(min(SECTOR, staged.size - at), b"\0")
            elif known:
                wanted[at : at + SECTOR] = interims[at, max(known)].ljust(min(SECTOR, staged.size - at), b"\0")
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


def test_a_sector_is_written_in_its_latest_phase_and_only_when_it_differs() -> None:
    staged = StagedFile(BytesSource(BASE))
    staged.write_at(0, b"x", Phase.RELEASE)
    staged.write_at(1, b"y", Phase.DATA)
    staged.write_at(600, BASE[600:700], Phase.DATA)
    (change,) = staged.changes()
    assert (change.offset, change.phase, change.after[:3]) == (0, Phase.RELEASE, b"xy\x02")
