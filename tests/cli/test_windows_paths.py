"""Paths as Windows has them: every spelling of a disk finds it, with all that lies beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.writing import DRY, SPP, YES, contents, interrupted, kept, pair
from tests.lacks import needs_windows
from vdiskkit.io.paths import host_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.conftest import Outcome


def short_path(path: Path) -> str:
    """The path in short (8.3) names."""
    import ctypes

    short = ctypes.create_unicode_buffer(1000)
    assert ctypes.WinDLL("kernel32").GetShortPathNameW(str(path), short, 1000)
    assert "~" in short.value
    return short.value


def moved(disk: Path, folder: Path, name: str) -> Path:
    """Put a pair into another folder under another name; return the disk."""
    Path(host_path(folder).opened).mkdir(parents=True, exist_ok=True)
    for path in (disk.with_suffix(".pvp"), disk):
        path.rename(host_path(folder / f"{name}{path.suffix}").opened)
    return folder / f"{name}.vhd"


def spellings(disk: Path) -> dict[str, str]:
    """Ways to write the path of a disk; the current folder is that of its folder."""
    text = str(disk)
    return {
        "plain": text,
        "slashes": text.replace("\\", "/"),
        "mixed": text.replace("\\", "/", 3),
        "upper case": text.upper(),
        "lower case": text.lower(),
        "verbatim": "\\\\?\\" + text,
        "verbatim in another case": "\\\\?\\" + text.upper(),
        "relative": f".\\{disk.parent.name}\\{disk.name}",
        "up and down": rf"{disk.parent}\..\{disk.parent.name}\.\{disk.name}",
        "short names": short_path(disk),
        "rooted": text[2:],
        "side-car": str(disk.with_suffix(".pvp")),
        "side-car in another case": str(disk.with_suffix(".PVP")).upper(),
    }


@pytest.fixture
def disk(store: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A disk whose folder and name have spaces, umlauts and an emoji."""
    home = tmp_path / "Ärger \U0001f600"
    disk = moved(store(), home / "Store Süd", "Master Image 2023 Ä")
    monkeypatch.chdir(home)
    return disk


@needs_windows
def test_a_change_is_found_under_every_spelling(disk: Path, run: Callable[..., Outcome]) -> None:
    before = pair(disk)
    ways = spellings(disk)
    for (name, spelling), other in zip(ways.items(), reversed(ways.values()), strict=True):
        done = run("kms-prep", spelling, "--skip-rearm", "0", YES)
        assert (done.code, done.err) == (0, ""), name
        assert kept(disk) == [f"{disk.name}.vdiskkit-undo-0001"], name
        for again in ways.values():
            assert run("reg", "get", again, SPP, "SkipRearm").out == "0\n", (name, again)
            assert run("journal", "ls", again, "--json").json["disks"][0]["result"]["changes"], (name, again)
        assert run("kms-prep", other, "--skip-rearm", "0", YES).out.startswith("already so"), name
        undone = run("undo", other, YES)
        assert (undone.code, undone.err) == (0, ""), name
        assert pair(disk) == before, name
        assert sorted(contents(disk.parent)) == sorted([disk.name, disk.with_suffix(".pvp").name]), name


@needs_windows
def test_an_interrupted_change_is_found_under_every_spelling(disk: Path, run: Callable[..., Outcome]) -> None:
    interrupted(disk, run)
    left = contents(disk.parent)
    for name, spelling in spellings(disk).items():
        refused = run("kms-prep", spelling, "--skip-rearm", "1", YES)
        assert refused.code == 7, name
        assert "an earlier change of this disk was interrupted" in refused.err, name
        assert "through its journal" in run("inspect", spelling).err or run("journal", "show", spelling).code == 0, name
        assert run("recover", spelling, DRY).code == 0, name
        assert contents(disk.parent) == left, name
    assert run("recover", spellings(disk)["short names"], YES).code == 0
    assert "nothing to recover" in run("recover", disk, YES).out
    assert len(contents(disk.parent)) == 2


LONG = ["Ordner mit Umlauten Ä" * 3] * 5


def test_everything_works_under_a_path_of_more_than_260_characters(
    store: Callable[..., Path], run: Callable[..., Outcome], tmp_path: Path
) -> None:
    folder = tmp_path.joinpath(*LONG)
    disk = moved(store(), folder, "Master Image")
    assert len(str(disk)) > 330
    raw = Path(host_path(disk).opened)
    home = raw.parent
    before = pair(raw)
    (home / "settings.reg").write_bytes(
        b'Windows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Ex]\r\n"a"="b"\r\n'
    )
    (home / "list.txt").write_text(f"{disk}\n", encoding="utf-8")
    (home / "own.toml").write_text('extends = "kms-standard"\n', encoding="utf-8")
    results = {}
    for args in (
        ("inspect", disk, "--output", folder / "facts.txt"),
        ("inspect", "--files-from", folder / "list.txt"),
        ("inspect", folder / "*.vhd"),
        ("license", disk.with_suffix(".pvp")),
        ("chain", "check", disk),
        ("validate", disk, "--exit-zero", "--profile", folder / "own.toml", "--report", f"junit={folder / 'out.xml'}"),
        ("reg", "export", disk, SPP, "--output", folder / "spp.reg"),
        ("cat", disk, r"Windows\System32\config\SOFTWARE", "--output", folder / "SOFTWARE"),
        ("reg", "ls", folder / "SOFTWARE", "Microsoft"),
        ("kms-prep", disk, "--skip-rearm", "0", "--plan-out", folder / "kms.plan"),
        ("apply", folder / "kms.plan", YES, "--log-file", folder / "log.txt"),
        ("reg", "import", disk, folder / "settings.reg", YES),
        ("journal", "ls", disk),
        ("undo", disk, YES),
        ("undo", folder / "Master Image.vhd.vdiskkit-undo-0001", YES),
        ("kms-prep", disk, "--skip-rearm", "0", "--copy-to", folder / "copy.vhd", YES),
        ("undo", folder / "copy.vhd", YES),
        ("recover", disk, YES),
    ):
        outcome = run(*args)
        results[args[:2]] = outcome
        assert (outcome.code, [line for line in outcome.err.splitlines() if not line.startswith(("note", " "))]) == (
            0,
            [],
        ), args
    assert pair(raw) == pair(home / "copy.vhd") == before
    for name in ("facts.txt", "out.xml", "spp.reg", "SOFTWARE", "log.txt"):
        assert (home / name).stat().st_size, name
    assert not [path for path in home.iterdir() if "vdiskkit-" in path.name]


@needs_windows
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("con", "this is a device, not a file"),
        ("nul.vhd", "this is a device, not a file"),
        ("COM1.txt", "this is a device, not a file"),
        ("out.vhd.", "Windows drops the dot or space at the end"),
        ("out.txt ", "Windows drops the dot or space at the end"),
        ("out.txt:stream", "names a stream of a file"),
    ],
)
def test_names_that_mean_something_else_are_refused_wherever_a_file_is_named(
    name: str, said: str, store: Callable[..., Path], run: Callable[..., Outcome]
) -> None:
    disk = store()
    before = contents(disk.parent)
    wrong = f"{disk.parent}\\{name}"
    change = ("kms-prep", disk, "--skip-rearm", "0")
    for args in (
        ("inspect", wrong),
        ("kms-prep", wrong, "--skip-rearm", "0", YES),
        ("undo", wrong, YES),
        ("recover", wrong, YES),
        ("apply", wrong, YES),
        ("inspect", disk, "--output", wrong),
        ("inspect", disk, "--log-file", wrong),
        ("inspect", "--files-from", wrong),
        ("validate", disk, "--report", f"junit={wrong}"),
        ("validate", disk, "--profile", wrong),
        ("reg", "import", disk, wrong, YES),
        (*change, "--copy-to", wrong, YES),
        (*change, "--plan-out", wrong),
    ):
        outcome = run(*args)
        assert (outcome.code, outcome.out) == (2, ""), args
        assert said in outcome.err, args
        assert contents(disk.parent) == before, args


@needs_windows
def test_a_file_that_really_has_such_a_name_can_be_named(
    store: Callable[..., Path], run: Callable[..., Outcome]
) -> None:
    disk = store()
    odd = f"\\\\?\\{disk.parent}\\Image 1. .vhd"
    Path(odd).write_bytes(disk.read_bytes())
    assert run("inspect", odd).code == 0
    assert run("kms-prep", odd, "--skip-rearm", "0", "--force", "mode", YES).code == 0
    assert run("undo", odd, YES).code == 0
    assert Path(odd).read_bytes() == disk.read_bytes()


@needs_windows
def test_a_share_of_this_machine(store: Callable[..., Path], run: Callable[..., Outcome], tmp_path: Path) -> None:
    disk = store()
    drive, rest = os.path.splitdrive(disk)
    share = rf"\\localhost\{drive[0]}${rest}"
    if not Path(share).exists():
        pytest.skip("needs a file server on this machine (Wine has none)")
    for spelling in (share, share.replace("\\", "/"), rf"\\?\UNC\{share[2:]}"):
        assert run("inspect", spelling).code == 0
        assert run("kms-prep", spelling, "--skip-rearm", "0", YES).code == 0
        assert kept(disk)
        assert run("undo", disk, YES).code == 0


def test_a_share_that_is_not_there(run: Callable[..., Outcome]) -> None:
    for path in (r"\\no-such-server\store$\win.vhd", r"\\?\UNC\no-such-server\store$\win.vhd"):
        outcome = run("inspect", path)
        assert (outcome.code, outcome.out) == (3, "")
        assert "no such file" in outcome.err
        assert run("kms-prep", path, "--skip-rearm", "0", YES).code == 3
