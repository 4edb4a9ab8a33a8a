"""Damaged volumes: an edit is refused with a message, or what it leaves has no fault that was not there before."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.effort import tries
from tests.unit.ntfs import volumes
from tests.unit.patch.ntfs.staged import Staged
from vdiskkit.errors import VDiskError
from vdiskkit.io import BytesSource
from vdiskkit.patch.ntfs import check_volume

if TYPE_CHECKING:
    from vdiskkit.patch.ntfs import VolumeEditor

PATHS = {
    "basic": (
        "plain.bin",
        "links\\second.txt",
        "A Long Name.configuration",
        "streams\\host.txt",
        "jumps\\relative file",
    ),
    "fragmented": ("scattered.bin",),
    "clusters65536": ("many\\many entry number 00300", "file.bin"),
}


@functools.cache
def places(name: str) -> tuple[tuple[int, int], ...]:
    """Where it hurts: the records of the files and their directories, system records, index blocks, the bitmap."""
    editor = volumes.editor(name)
    folders = {path.rpartition("\\")[0] for path in PATHS[name]}
    numbers = {0, 1, 3, 5, 6, *(editor.number(path) for path in (*PATHS[name], *folders))}
    numbers |= {number for path, number in editor.paths.items() if path.startswith("$extend")}
    for number in list(numbers):
        numbers.update(editor.extensions.get(number, ()))
    found = [(editor.place(number), 700) for number in sorted(numbers)]
    for folder in folders:
        record = editor.record(editor.number(folder))
        for attribute in editor.attributes(record):
            if attribute.kind == 0xA0:
                found += [(start, min(length, 4096)) for start, length in editor.record_runs(record, attribute)]
    found += [(start, 600) for start, _ in editor.runs("$Bitmap")[:1]]
    return tuple(found)


def edit(editor: VolumeEditor, path: str, how: str) -> None:
    if how.startswith("delete"):
        editor.delete_file(path, all_links=how == "delete")
        return
    stream = editor.open_stream(path)
    stream.grow(stream.size + (3000 if how == "grow" else 200_000))


@pytest.mark.parametrize("name", PATHS)
@settings(max_examples=tries(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_damage_is_refused_or_left_as_it_was(name: str, data: st.DataObject) -> None:
    damaged = bytearray(volumes.image(name))
    for _ in range(data.draw(st.integers(1, 3))):
        start, length = data.draw(st.sampled_from(places(name)))
        at = start + data.draw(st.integers(0, length - 9))
        for index, value in enumerate(data.draw(st.binary(min_size=1, max_size=8))):
            if (at + index) % 512 < 510:  # the update sequence would only tell that the block is torn
                damaged[at + index] = value
    path = data.draw(st.sampled_from(PATHS[name]))
    how = data.draw(st.sampled_from(["delete", "delete one link", "grow", "grow far"]))
    try:
        staged = Staged(damaged)
        edit(staged.editor, path, how)
    except VDiskError:
        return
    if not check_volume(BytesSource(damaged)):
        assert check_volume(staged.file) == []
