from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

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


def test_a_sector_is_written_in_its_latest_phase_and_only_when_it_differs() -> None:
    staged = StagedFile(BytesSource(BASE))
    staged.write_at(0, b"x", Phase.RELEASE)
    staged.write_at(1, b"y", Phase.DATA)
    staged.write_at(600, BASE[600:700], Phase.DATA)
    (change,) = staged.changes()
    assert (change.offset, change.phase, change.after[:3]) == (0, Phase.RELEASE, b"xy\x02")
