"""Exit codes 4, 6 and 7 of changing commands, each met for real: files in use, no room, an interruption."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.cli.conftest import command, environment
from tests.cli.writing import DRY, SPP, TOKENS, YES, contents, interrupted, kept, validated
from tests.lacks import needs_size_limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Outcome


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a file as a program does that writes it."""
    with path.open("r+b") as file:
        if sys.platform != "win32":  # there an open file is held
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


class TestExitCodes:
    """Those of the table, each met for real; 6 and 7 by what the operating system does."""

    def test_4_another_program_has_the_file(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        before = contents(disk.parent)
        with held(disk):
            outcome = run("kms-prep", disk, "--skip-rearm", "0", YES)
        assert (outcome.code, outcome.out) == (4, "")
        assert "another program holds the file open\n" in outcome.err
        assert contents(disk.parent) == before

    def test_4_another_vdiskkit(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        from vdiskkit.patch.history import exclusive

        disk = store()
        with exclusive(str(disk)):
            for args in (("kms-prep", disk, "--skip-rearm", "0"), ("undo", disk), ("recover", disk)):
                outcome = run(*args, YES)
                assert (outcome.code, outcome.out) == (4, "")
                assert "another vdiskkit is changing this disk" in outcome.err
        assert run("kms-prep", disk, "--skip-rearm", "0", YES).code == 0

    @needs_size_limit
    def test_6_no_room_for_a_write_is_rolled_back(self, store: Callable[..., Path]) -> None:
        disk = store("desk10")
        before = contents(disk.parent)
        # A limit on the size of files: the disk has to grow by a block, which the system then refuses.
        limit = disk.stat().st_size // 1024 + 8
        script = 'ulimit -f "$1"; shift; trap "" XFSZ; exec "$@"'
        args = command("rm", disk, TOKENS, "--yes", "--force", "standard-mode")
        done = subprocess.run(
            ["bash", "-c", script, "bash", str(limit), *args],
            env=environment(),
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 6, done.stderr
        assert done.stdout == b""
        assert b"error: the change failed and was rolled back: " in done.stderr
        assert b"the files are as they were before" in done.stderr
        assert contents(disk.parent) == before

    @needs_size_limit
    def test_6_no_room_for_the_journal(self, store: Callable[..., Path]) -> None:
        disk = store()
        before = contents(disk.parent)
        args = command("kms-prep", disk, "--skip-rearm", "0", "--yes")
        done = subprocess.run(
            ["bash", "-c", 'ulimit -f 2; trap "" XFSZ; exec "$@"', "bash", *args],
            env=environment({"PYTHONDONTWRITEBYTECODE": "1"}),
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 6, done.stderr
        assert b"error: nothing was changed: " in done.stderr
        assert contents(disk.parent) == before

    @needs_size_limit
    def test_7_rolling_back_fails_too(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        """A limit that lets the journal and the first writes pass, but not those at the end of the disk."""
        disk = store()
        before = contents(disk.parent)
        planned = run("kms-prep", disk, "--skip-rearm", "0", "--remove-tokens", DRY, "--json")
        offsets = [item["offset"] for item in planned.json["disks"][0]["result"]["plan"]["ranges"]]
        args = command("kms-prep", disk, "--skip-rearm", "0", "--remove-tokens", "--yes")
        done = subprocess.run(
            ["bash", "-c", f'ulimit -f {max(offsets) // 1024}; trap "" XFSZ; exec "$@"', "bash", *args],
            env=environment({"PYTHONDONTWRITEBYTECODE": "1"}),
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 7, done.stderr
        assert b"rolling it back failed as well" in done.stderr
        assert b"run `recover` on the disk" in done.stderr
        assert run("reg", "get", disk, SPP, "SkipRearm").code == 1, "readers see the old state"
        assert run("recover", disk, YES).code == 0
        assert contents(disk.parent) == before

    def test_7_an_interrupted_change_waits(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = interrupted(store(), run)
        before = contents(disk.parent)
        outcomes = [
            run("kms-prep", disk, "--skip-rearm", "1", YES),
            run("kms-prep", disk, "--skip-rearm", "1", DRY),
            run("pvp", "set", disk, "author=me", YES),
            run("undo", disk, YES),
        ]
        for outcome in outcomes:
            assert (outcome.code, outcome.out) == (7, "")
            assert outcome.err.startswith("error: an earlier change of this disk was interrupted\n")
            assert "run `recover` on the disk first" in outcome.err
        assert contents(disk.parent) == before
        assert run("reg", "get", disk, SPP, "SkipRearm").code == 1, "readers see the old state"

    def test_recover_brings_the_old_state_back(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        before = contents(disk.parent)
        interrupted(disk, run)
        half = contents(disk.parent)
        dry = run("recover", disk, DRY)
        assert dry.code == 0
        assert "the files can be brought back to the state before the change" in dry.out
        assert "interrupted: run `recover`" in dry.out
        listed = validated(run("journal", "ls", disk, "--json").out)
        assert listed["pending"]["state"] == "pending"
        assert "interrupted: run `recover`" in run("journal", "show", disk).out
        assert contents(disk.parent) == half
        done = run("recover", disk, YES, "--json")
        assert (done.code, validated(done.out)["action"]) == (0, "rolled_back")
        assert contents(disk.parent) == before

    def test_recover_forward_finishes_what_was_written(
        self, run: Callable[..., Outcome], store: Callable[..., Path]
    ) -> None:
        disk = interrupted(store(), run)
        assert "can be finished" in run("recover", disk, "--forward", DRY).out
        out = run("recover", disk, "--forward", YES)
        assert (out.code, out.err) == (0, "")
        assert "the change is complete" in out.out
        assert run("reg", "get", disk, SPP, "SkipRearm").out == "0\n"
        assert kept(disk) == [f"{disk.name}.vdiskkit-undo-0001"]

    def test_a_change_that_was_not_closed(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        """A crash between the commit and putting the journal away: there is nothing to take back."""
        disk = store()
        assert run("kms-prep", disk, "--skip-rearm", "0", YES).code == 0
        changed = contents(disk.parent)
        journal = disk.parent / f"{disk.name}.vdiskkit-journal"
        (disk.parent / f"{disk.name}.vdiskkit-undo-0001").rename(journal)
        listed = validated(run("journal", "ls", disk, "--json").out)
        assert (listed["pending"]["state"], listed["changes"]) == ("closing", [])
        assert "complete; `recover` puts its journal away" in run("journal", "show", disk).out
        assert run("reg", "get", disk, SPP, "SkipRearm").out == "0\n", "readers see the new state"
        outcome = run("recover", disk, YES)
        assert (outcome.code, outcome.err) == (0, "")
        assert "the change is complete" in outcome.out
        assert contents(disk.parent) == changed

    def test_the_next_change_closes_it_too(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        original = contents(disk.parent)
        assert run("kms-prep", disk, "--skip-rearm", "0", YES).code == 0
        (disk.parent / f"{disk.name}.vdiskkit-undo-0001").rename(disk.parent / f"{disk.name}.vdiskkit-journal")
        assert run("pvp", "set", disk, "author=me", YES).code == 0
        assert len(kept(disk)) == 2
        for _ in range(2):
            assert run("undo", disk, YES).code == 0
        assert contents(disk.parent) == original

    def test_undo_closes_it_too(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        original = contents(disk.parent)
        assert run("kms-prep", disk, "--skip-rearm", "0", YES).code == 0
        (disk.parent / f"{disk.name}.vdiskkit-undo-0001").rename(disk.parent / f"{disk.name}.vdiskkit-journal")
        lock = disk.with_suffix(".lok")
        lock.write_bytes(b"")
        assert run("undo", disk, YES).code == 4, "its gates are heeded as well"
        lock.unlink()
        assert run("undo", disk, YES).code == 0
        assert contents(disk.parent) == original

    def test_recover_refuses_a_disk_that_was_used_since(
        self, run: Callable[..., Outcome], store: Callable[..., Path]
    ) -> None:
        disk = interrupted(store(), run)
        ranges = run("journal", "show", disk, "--json").json["disks"][0]["result"]["pending"]["ranges"]
        data = bytearray(disk.read_bytes())
        data[ranges[0]["offset"] + 100] ^= 0xFF
        disk.write_bytes(data)
        before = contents(disk.parent)
        for more in ((YES,), (DRY,), (YES, "--forward")):
            outcome = run("recover", disk, *more)
            assert (outcome.code, outcome.out) == (4, "")
            assert "the disk was used since the change" in outcome.err
            assert "nothing was touched" in outcome.err
        assert contents(disk.parent) == before
