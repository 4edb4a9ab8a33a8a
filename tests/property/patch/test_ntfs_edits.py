"""Random edits of all kinds on one volume, against a naive model: a dictionary of paths and contents."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.effort import tries
from tests.oracle.ntfs_volumes import STRICTCHECK
from tests.unit.patch.ntfs.staged import Staged
from vdiskkit.errors import WriteRefusedError
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from pathlib import Path

    from vdiskkit.ntfs import NtfsVolume

MAX_SIZE = 400_000


def writable(volume: NtfsVolume, folder: str = "\\") -> dict[str, bytes]:
    """All plain files and what they hold, hard links apart."""
    found = {}
    for entry in volume.listdir(folder):
        if entry.record_number < 24 or entry.path.startswith("$Extend"):
            continue
        file = entry.open()
        if entry.is_directory:
            if not file.is_link:
                found |= writable(volume, entry.path)
        elif not file.storage or file.storage == ("resident",):
            source = file.open()
            found[entry.path] = source.read_at(0, source.size)
    return found


def links(staged: Staged, path: str) -> tuple[str, ...]:
    return staged.volume.paths(staged.volume.lookup(path, follow=False))


def edit(staged: Staged, model: dict[str, bytes], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(model)))
    how = data.draw(st.sampled_from(["delete", "delete one link", "write", "grow", "grow far"]))
    names = links(staged, path)
    if how == "delete":
        staged.editor.delete_file(path)
        for name in names:
            del model[name]
        return
    if how == "delete one link":
        staged.editor.delete_file(path, all_links=False)
        del model[path]
        return
    stream = staged.editor.open_stream(path)
    content = bytearray(model[path])
    if how == "write" and content:
        offset = data.draw(st.integers(0, len(content) - 1))
        patch = data.draw(st.binary(min_size=1, max_size=5000))[: len(content) - offset]
        stream.write_at(offset, patch, Phase.DATA)
        content[offset : offset + len(patch)] = patch
    elif how.startswith("grow"):
        step = data.draw(st.integers(1, 3000 if how == "grow" else 100_000))
        if stream.size + step > MAX_SIZE:
            return
        try:
            stream.grow(stream.size + step)
        except WriteRefusedError as refusal:
            # Nothing has been written, so the model does not change either.
            if not any(text in refusal.message for text in ("no room", "more MFT record", "too few for")):
                raise
            return
        content += bytes(step)
    for name in names:
        model[name] = bytes(content)


def strictly_checked(staged: Staged, folder: Path) -> list[str]:
    before, after = folder / "before.raw", folder / "after.raw"
    before.write_bytes(staged.data)
    after.write_bytes(staged.after)
    command = [sys.executable, STRICTCHECK, str(after), "--before", str(before), "--no-hives", "--strict"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if line.startswith(("ERROR", "WARN"))]


@pytest.mark.parametrize("name", ["basic", "edits", "fragmented", "records4096", "clusters65536"])
@settings(max_examples=tries(6), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_sequence_of_edits(tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject) -> None:
    staged = Staged(name, now=data.draw(st.sampled_from([None, 132_000_000_000_000_000])))
    model = writable(staged.volume)
    for _ in range(data.draw(st.integers(1, 40))):
        if model:
            edit(staged, model, data)
    assert writable(staged.volume) == model
    staged.check()
    if STRICTCHECK:
        assert strictly_checked(staged, tmp_path_factory.mktemp("strict")) == []
