"""Files that grow where only single clusters are free, in any order, against a naive model; every phase is harmless."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.effort import tries
from tests.unit.patch.ntfs.staged import Staged, contents
from tests.unit.patch.ntfs.test_phases import problems_by_phase
from tests.unit.patch.ntfs.test_spread import punched
from vdiskkit.errors import WriteRefusedError
from vdiskkit.patch.staging import Phase

FILES = {
    "basic": ("Windows\\System32\\config\\SOFTWARE", "streams\\host.txt:large", "streams\\host.txt", "resident.txt"),
    "edits": ("ids\\linked", "ids\\with id 0"),
    "fragmented": ("scattered.bin",),
    "records4096": ("Windows\\System32\\kernel.bin", "resident.txt"),
}
REFUSALS = ("no room for", "more MFT record", "too few for an attribute list")
CLAIMED = {"bitmap.lost", "mft.extension", "runs.allocated"}
"""The last: where sizes and last runs stand in two records, the runs come first, and a cut leaves the old file."""


def content(staged: Staged, path: str) -> bytes:
    file = staged.volume.lookup(path)
    source = file.open()
    return source.read_at(0, source.size)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=tries(5), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_growing_into_single_clusters(name: str, data: st.DataObject) -> None:
    staged = punched(name)
    cluster = staged.editor.store.boot.cluster_size
    others = contents(staged.volume)
    model = {path: content(staged, path) for path in FILES[name]}
    for _ in range(data.draw(st.integers(1, 8))):
        path = data.draw(st.sampled_from(FILES[name]))
        stream = staged.editor.open_stream(path)
        size = stream.size + data.draw(st.one_of(st.integers(1, 3000), st.integers(1, 250).map(cluster.__mul__)))
        before = len(staged.changes)
        try:
            stream.grow(size)
        except WriteRefusedError as refusal:
            assert any(text in refusal.message for text in REFUSALS), refusal.message  # noqa: PT017
            assert len(staged.changes) == before  # nothing has been written
            continue
        at = data.draw(st.integers(0, size - 1))
        stream.write_at(at, b"!", Phase.DATA)
        grown = bytearray(model[path].ljust(size, b"\0"))
        grown[at : at + 1] = b"!"
        model[path] = bytes(grown)
    for path, expected in model.items():
        assert content(staged, path) == expected
    own = {path.partition(":")[0] for path in FILES[name]}
    names = {link for path in own for link in staged.volume.paths(staged.volume.lookup(path))}
    after = contents(staged.volume)
    assert {path for path in others if others[path] != after[path]} <= {
        path for path in others if path.rpartition(":")[0] in names
    }
    staged.check(known=("bitmap.lost",))
    found = problems_by_phase(staged)
    assert found[Phase.DATA] <= {"bitmap.lost"}
    assert found[Phase.CLAIM] <= CLAIMED
    # A list that moves gives its old clusters back last. On volumes as small as these, whose bits all share a sector of
    # $Bitmap, the claims of the change wait for that as well.
    released = any(change.phase is Phase.RELEASE for change in staged.changes)
    assert found[Phase.LINK] <= ({"bitmap.lost", "bitmap.free"} if released else {"bitmap.lost"})


@pytest.mark.parametrize("name", ["basic", "fragmented"])
def test_what_is_left_when_a_change_ends_after_any_write(name: str) -> None:
    """Each record and bitmap is written whole; any of them may be the last: the content is the old one or the new."""
    staged = punched(name)
    path = FILES[name][0]
    old = content(staged, path)
    stream = staged.editor.open_stream(path)
    stream.grow(stream.size + 200 * staged.editor.store.boot.cluster_size)
    new = content(staged, path)
    size = staged.editor.store.record_size
    disk = bytearray(staged.data)
    seen = set()
    for change in staged.changes:
        unit = len(change.after) if change.after[:4] == b"INDX" else size
        for at in range(0, len(change.after), unit):
            part = change.after[at : at + unit]
            disk[change.offset + at : change.offset + at + len(part)] = part
            seen.add(content(Staged(disk), path))
    assert disk == staged.after
    assert seen == {old, new}
