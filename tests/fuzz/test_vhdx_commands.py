"""A Windows in a chain of VHDX files with changed bytes, through whole commands, changing ones among them.

Whatever happens, a command ends with one of its documented exit codes; a change is made as a whole and can be taken
back to the byte, or nothing of the files is another than before. More rounds than the few of the default run:
``VDISKKIT_FUZZ_ROUNDS=300``.
"""

from __future__ import annotations

import json
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.build.vhdx import BAT_REGION, MIB, PAGE, Image, Page, build_vhdx, chunk_ratio, link_to, put_log
from tests.effort import tries
from tests.fuzz.test_vhdx import Structure, damaged, structures_of
from vdiskkit.cli.run import run as run_command_line
from vdiskkit.cli.session import Session
from vdiskkit.container import open_container
from vdiskkit.io import FileSource

if TYPE_CHECKING:
    import pytest

ROUNDS = int(os.environ.get("VDISKKIT_FUZZ_ROUNDS") or tries(4))
SAMPLE = Path(__file__).resolve().parents[2] / "sample_images" / "win7-kms.vhd"
BLOCK = 2 * MIB
NAMES = ("disk.vhdx", "disk.1.avhdx")
READING = (("inspect",), ("validate",), ("chain", "show"), ("chain", "check"), ("ls", "\\Windows"))
SERVICE = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"


class Part(NamedTuple):
    """One file of the chain and what of it is parsed."""

    image: Image
    structures: tuple[Structure, ...]


@cache
def chain() -> tuple[Part, Part]:
    """A base that lacks every other block, and a version that has them, with a pending log."""
    with FileSource(str(SAMPLE)) as source:
        disk = open_container(source, path=str(SAMPLE))
        blocks = {at: disk.read_at(at, min(BLOCK, disk.size - at)) for at in range(0, disk.size, BLOCK)}
        size = disk.size
    used = [at for at, data in blocks.items() if any(data)]
    base = build_vhdx("dynamic", size, BLOCK, {at: blocks[at] for at in used[::2]})
    own = {at: blocks[at] for at in used[1::2]}
    child = build_vhdx("differencing", size, BLOCK, own, parent=link_to(base, r".\disk.vhdx"))
    table = child.region(BAT_REGION)
    put_log(child, [[Page(table, child.read_at(table, PAGE))], []], start=251 * PAGE)
    ratio = chunk_ratio(BLOCK, 512)
    return (
        Part(base, structures_of(base, None, logged=False)),
        Part(child, structures_of(child, ratio, logged=True)),
    )


def command(capsys: pytest.CaptureFixture[str], *args: object) -> tuple[int, str]:
    code = run_command_line([str(arg) for arg in args], Session())
    captured = capsys.readouterr()
    assert "internal error" not in captured.err, captured.err
    assert "Traceback" not in captured.err, captured.err
    return code, captured.out


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@settings(
    max_examples=ROUNDS,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), which=st.sampled_from([0, 1, 1, None]))
def test_commands_on_a_damaged_chain(
    data: st.DataObject, which: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [part.image for part in chain()]
    if which is not None:
        images[which] = data.draw(damaged(*chain()[which]))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for image, name in zip(images, NAMES, strict=True):
            image.save(folder / name)
        path = folder / NAMES[1]
        before = contents(folder)
        for name, *options in READING:
            where = [path, *options] if name != "chain" else [*options, path]
            code, out = command(capsys, name, *where, "--json") if name != "ls" else command(capsys, name, *where)
            assert code in (0, 1, 3, 5), (name, code)
            if name != "ls":
                json.loads(out)
        assert contents(folder) == before
        code, _out = command(capsys, "kms-prep", path, "--skip-rearm", "0", "--yes")
        if code:
            assert code in (1, 3, 4, 5), code
            assert contents(folder) == before
            return
        assert contents(folder)[NAMES[0]] == before[NAMES[0]]
        assert command(capsys, "reg", "get", path, SERVICE, "SkipRearm") == (0, "0\n")
        assert command(capsys, "undo", path, "--yes")[0] == 0
        assert {name: contents(folder)[name] for name in NAMES} == before
