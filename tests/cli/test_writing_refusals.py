"""Every refusal of the changing commands: its code, its message, what it tells to do, and that nothing was touched."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.cli.writing import CACHE, DRY, EXAMPLE, SPP, STANDARD, TOKENS, YES, contents, pair
from tests.lacks import needs_read_only_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

SET = ("reg", "set", "{disk}", EXAMPLE, "x", "1", "--type", "dword", "--create-keys")
PREP = ("kms-prep", "{disk}", "--skip-rearm", "0")
RM = ("rm", "{disk}", TOKENS)
PVP = ("pvp", "set", "{disk}", "author=me")
LOK = ("--force", "lok")
CURRENT = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"


@pytest.fixture(scope="session")
def untouched(masters: Callable[[str], Path]) -> Callable[[str], tuple[Path, dict[str, str]]]:
    """A disk that many tests try to change in vain, and what lies in its folder."""
    seen: dict[str, dict[str, str]] = {}

    def look(name: str) -> tuple[Path, dict[str, str]]:
        disk = masters(name)
        if name not in seen:
            seen[name] = contents(disk.parent)
        return disk, seen[name]

    return look


@pytest.mark.parametrize(
    ("scenario", "args", "code", "messages"),
    [
        # gates that a person can judge
        ("win7-kms", PREP, 4, ["the vDisk is in Standard mode", "--force standard-mode"]),
        ("win7-kms", (*PREP, *LOK), 4, ["the vDisk is in Standard mode"]),
        ("locked", (*RM, *STANDARD), 4, ["a lock file says that the vDisk is in use: locked.lok", "--force lok"]),
        ("locked", PVP, 4, ["a lock file says"]),
        ("win10-private-mak", ("pvp", "set", "{disk}", "write_cache_type=9"), 5, ["PVS keeps it in its database"]),
        # gates that nobody can pass
        ("dirty-volume", (*PREP, *STANDARD, *LOK), 4, ["it is marked dirty", "start Windows from it"]),
        (
            "hibernated",
            (*RM, *STANDARD),
            4,
            ["a hibernated Windows", "will resume", "powercfg /h off"],
        ),
        ("dirty-hive", (*PREP, *STANDARD), 4, ["the hive SOFTWARE was not closed cleanly", "start the image once"]),
        ("bitlocker", (*RM, *STANDARD), 5, ["encrypted with BitLocker", "switch BitLocker off"]),
        ("bitlocker", (*PREP, *STANDARD), 5, ["BitLocker"]),
        ("linux", (*RM, *STANDARD), 1, ["there is no NTFS volume on this disk"]),
        ("data-only", (*PREP, *STANDARD), 1, ["there is no Windows on this volume", "--volume"]),
        ("no-side-car", PVP, 1, ["there is no .pvp side-car beside the disk"]),
        ("missing-parent", (*RM, *STANDARD), 3, ["the parent of this differencing disk", "--parent-dir"]),
        (
            "win10-private-mak",
            ("pvp", "set", "{disk}", "write_cache_type=3", "license_mode=kms", "--force", "mode"),
            5,
            ["made only in the PVS console", "KMS preparation", "switch the Access Mode in the PVS console"],
        ),
        # what cannot be changed
        ("win10-private-mak", ("rm", "{disk}", "$MFT"), 5, ["part of NTFS itself"]),
        ("win10-private-mak", ("rm", "{disk}", "$Extend/$ObjId"), 5, ["part of NTFS itself"]),
        ("win10-private-mak", ("rm", "{disk}", "Windows"), 5, ["is a directory; only files can be deleted"]),
        ("win10-private-mak", ("rm", "{disk}", "Windows/nothing"), 1, ["there is no file", "`ls` lists"]),
        ("win10-private-mak", ("rm", "{disk}", "Windows/explorer.exe:stream"), 1, ["there is no file"]),
        (
            "win10-private-mak",
            ("reg", "delete", "{disk}", r"HKLM\SOFTWARE", "--recursive"),
            5,
            ["the root key of a hive cannot be deleted"],
        ),
        ("win10-private-mak", ("reg", "delete", "{disk}", EXAMPLE, "--recursive"), 1, ["there is no key", "`reg ls`"]),
        ("win10-private-mak", ("reg", "delete", "{disk}", CURRENT, "x"), 1, ["there is no value 'x'", "`reg ls`"]),
        ("win10-private-mak", ("reg", "delete", "{disk}", CURRENT, "--default"), 1, ["there is no default value"]),
        (
            "win10-private-mak",
            ("reg", "set", "{disk}", EXAMPLE, "x", "1", "--type", "dword"),
            1,
            ["there is no key", "give --create-keys to create it"],
        ),
        (
            "win10-private-mak",
            ("reg", "set", "{disk}", EXAMPLE, "n" * 16384, "1", "--type", "dword", "--create-keys"),
            5,
            ["has 16384 characters; Windows allows 16383"],
        ),
        (
            "win10-private-mak",
            ("reg", "set", "{disk}", rf"{EXAMPLE}\{'k' * 256}", "x", "1", "--type", "dword", "--create-keys"),
            5,
            ["has 256 characters; Windows allows 255"],
        ),
        # what is asked for in the wrong way
        ("win10-private-mak", ("kms-prep", "{disk}"), 2, ["nothing was asked for", "--skip-rearm"]),
        ("win10-private-mak", ("kms-prep", "{disk}", "--office"), 2, ["nothing was asked for"]),
        ("win10-private-mak", ("kms-prep", "{disk}", "--skip-rearm", "2"), 2, ["not one of '0', '1', 'absent'"]),
        ("win10-private-mak", ("kms-prep", "{disk}", "--kms-port", "65536"), 2, ["is no TCP port", "1688"]),
        (
            "win10-private-mak",
            ("kms-prep", "{disk}", "--kms-host", "a b"),
            2,
            ["it is no host name or address", "--kms-port"],
        ),
        ("win10-private-mak", (*SET[:4], "x", "--type", "dword"), 2, ["takes one VALUE, not 0"]),
        ("win10-private-mak", (*SET[:4], "x", "1", "2", "--type", "dword"), 2, ["takes one VALUE, not 2", "multi_sz"]),
        ("win10-private-mak", (*SET[:4], "x", "4294967296", "--type", "dword"), 2, ["does not fit into a dword"]),
        ("win10-private-mak", (*SET[:4], "x", "0x", "--type", "qword"), 2, ["is no number", "0x1f"]),
        ("win10-private-mak", (*SET[:4], "x", "1_0", "--type", "qword"), 2, ["is no number"]),
        ("win10-private-mak", (*SET[:4], "x", "٣", "--type", "qword"), 2, ["is no number"]),
        ("win10-private-mak", (*SET[:4], "x", "abc", "--type", "binary"), 2, ["is not hexadecimal", "00ff10"]),
        ("win10-private-mak", (*SET[:4], "x", "a", "", "--type", "multi_sz"), 2, ["cannot hold an empty text"]),
        ("win10-private-mak", (*SET[:4], "--type", "dword"), 2, ["NAME is missing; --default"]),
        ("win10-private-mak", (*SET[:4], "x", "1"), 2, ["Missing option '--type'"]),
        ("win10-private-mak", ("reg", "set", "{disk}", r"HKCU\X", "x", "1", "--type", "dword"), 2, ["NTUSER.DAT"]),
        ("win10-private-mak", ("reg", "delete", "{disk}", CURRENT), 2, ["give one of NAME, --default", "--recursive"]),
        ("win10-private-mak", ("reg", "delete", "{disk}", CURRENT, "x", "--recursive"), 2, ["give one of NAME"]),
        ("win10-private-mak", ("pvp", "set", "{disk}", "nonsense=1"), 2, ["cannot be set", "license_mode, "]),
        ("win10-private-mak", ("pvp", "set", "{disk}", "disk_class=x"), 2, ["cannot be set"]),
        ("win10-private-mak", ("pvp", "set", "{disk}", "license_mode"), 2, ["sets nothing", "license_mode=kms"]),
        ("win10-private-mak", ("pvp", "set", "{disk}", "build=1", "BUILD=2"), 2, ["is given twice"]),
        ("win10-private-mak", ("pvp", "set", "{disk}", "license_mode=oem"), 2, ["use none, mak or kms"]),
        ("win10-private-mak", ("pvp", "set", "{disk}", "build=4294967296"), 2, ["takes a number from 0 to 4294967295"]),
        ("win10-private-mak", ("pvp", "set", "{disk}", f"author={'x' * 1000}"), 2, ["holds at most"]),
        ("win10-private-mak", (*PREP, "--force", "everything"), 2, ["'everything' is not one of"]),
        ("win10-private-mak", (*PREP, "--volume", "9"), 2, ["there is no partition 9", "partitions there: "]),
        ("win10-private-mak", ("undo", "{disk}"), 1, ["no change of this disk is kept", "`journal ls`"]),
        ("win10-private-mak", ("undo", "{disk}", "--id", "12"), 2, ["the id '12' is too short"]),
        ("win10-private-mak", ("undo", "{disk}", "--id", "123456"), 1, ["no change with the id '123456' is kept"]),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, tuple) else None,
)
def test_refused(
    run: Callable[..., Outcome],
    untouched: Callable[[str], tuple[Path, dict[str, str]]],
    scenario: str,
    args: tuple[str, ...],
    code: int,
    messages: list[str],
) -> None:
    disk, before = untouched(scenario)
    filled = [arg.replace("{disk}", str(disk)) for arg in args]
    outcome = run(*filled, YES)
    assert (outcome.code, outcome.out) == (code, "")
    assert outcome.err.startswith("error: ")
    for message in messages:
        assert message in outcome.err
    assert contents(disk.parent) == before
    if args[0] != "undo" or code != 1:
        assert run(*filled, DRY).code == code, "a dry run says the same"


def test_a_base_with_children_is_refused(run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
    newest = store("desk10")
    before = contents(newest.parent)
    for name in ("desk10.vhd", "desk10.1.avhd"):
        outcome = run("kms-prep", newest.parent / name, "--skip-rearm", "0", YES, *STANDARD, *LOK)
        assert (outcome.code, outcome.out) == (5, "")
        assert "other versions are made from this file" in outcome.err
        assert "change the newest version instead" in outcome.err
    assert contents(newest.parent) == before


def test_a_side_car_of_a_base_may_be_changed(run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
    base = store("desk10").parent / "desk10.vhd"
    assert run("pvp", "set", base, "author=me", YES).code == 0


def test_forces_open_their_gate_only(run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
    disk = store("locked")
    assert run("kms-prep", disk, "--skip-rearm", "0", DRY, *LOK).code == 4
    assert run("kms-prep", disk, "--skip-rearm", "0", DRY, *STANDARD).code == 4
    outcome = run("kms-prep", disk, "--skip-rearm", "0", DRY, *LOK, *STANDARD)
    assert outcome.code == 0
    assert "  forced          lok, standard-mode\n" in outcome.out


def test_an_unreadable_side_car_leaves_the_mode_unknown(
    run: Callable[..., Outcome], store: Callable[..., Path]
) -> None:
    disk = store()
    side_car = disk.with_suffix(".pvp")
    side_car.write_bytes(side_car.read_bytes()[:100])
    before = contents(disk.parent)
    for args in (("kms-prep", disk, "--skip-rearm", "0", *LOK, *STANDARD), ("undo", disk)):
        outcome = run(*args, YES)
        assert outcome.code == (4 if args[0] == "kms-prep" else 1)
    assert contents(disk.parent) == before


class TestUndo:
    def test_a_disk_that_was_used_since(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        assert run("kms-prep", disk, "--remove-tokens", YES).code == 0
        data = bytearray(disk.read_bytes())
        data[len(data) // 2] ^= 1
        disk.write_bytes(data)
        before = contents(disk.parent)
        for more in (YES, DRY):
            outcome = run("undo", disk, more)
            assert (outcome.code, outcome.out) == (4, "")
            assert "it was used or copied since" in outcome.err
            assert "nothing was touched" in outcome.err
        assert contents(disk.parent) == before

    def test_one_flipped_byte_in_a_freed_cluster(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        for path in (TOKENS, CACHE):
            content = run("stat", disk, path, "--json").json["disks"][0]["result"]
            assert content["size"] > 4096
        before = disk.read_bytes()
        assert run("rm", disk, TOKENS, YES).code == 0
        status = disk.stat()
        data = bytearray(disk.read_bytes())
        # The content of the deleted file still lies there; Windows would reuse it for something else.
        content = before[: len(data)]
        journal = run("journal", "show", disk, "--json").json["disks"][0]["result"]["changes"][0]
        written = {at for item in journal["ranges"] for at in range(item["offset"], item["offset"] + item["length"])}
        from vdiskkit.journal import read_journal

        watch = read_journal(journal["journal"])
        assert watch is not None
        at = next(item.offset for item in watch.watches if item.offset not in written)
        assert content[at] == data[at]
        data[at] ^= 0xFF
        disk.write_bytes(data)
        os.utime(disk, ns=(status.st_atime_ns, status.st_mtime_ns))
        untouched = contents(disk.parent)
        outcome = run("undo", disk, YES)
        assert (outcome.code, outcome.out) == (4, "")
        assert "the disk was used since the change" in outcome.err
        assert contents(disk.parent) == untouched

    def test_gates_stand_before_undo_too(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        original = pair(disk)
        assert run("kms-prep", disk, "--skip-rearm", "0", YES).code == 0
        lock = disk.with_suffix(".lok")
        lock.write_bytes(b"")
        outcome = run("undo", disk, YES)
        assert (outcome.code, outcome.out) == (4, "")
        assert "a lock file says" in outcome.err
        assert run("undo", disk, YES, *LOK).code == 0
        lock.unlink()
        assert pair(disk) == original

    def test_standard_mode_since_the_change(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        assert run("kms-prep", disk, "--skip-rearm", "0", YES).code == 0
        assert run("pvp", "set", disk, "write_cache_type=9", YES, "--force", "mode", "--no-undo").code == 0
        outcome = run("undo", disk, YES)
        assert outcome.code == 4
        assert "Standard mode" in outcome.err

    def test_a_damaged_journal(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        assert run("kms-prep", disk, "--skip-rearm", "0", YES).code == 0
        journal = disk.parent / f"{disk.name}.vdiskkit-undo-0001"
        data = bytearray(journal.read_bytes())
        data[-20] ^= 1
        journal.write_bytes(data)
        before = contents(disk.parent)
        for args in (("undo", disk, YES), ("undo", disk, DRY), ("journal", "show", disk)):
            outcome = run(*args)
            assert (outcome.code, outcome.out) == (3, "")
            assert "the change journal is damaged" in outcome.err
        assert contents(disk.parent) == before


def test_a_hive_file_is_no_disk(run: Callable[..., Outcome], software: Path) -> None:
    before = software.read_bytes()
    for args in (("set", software, "Microsoft", "x", "1", "--type", "dword"), ("delete", software, "Microsoft", "x")):
        outcome = run("reg", *args, YES)
        assert (outcome.code, outcome.out) == (2, "")
        assert "only the hives inside a disk are changed" in outcome.err
        assert "name the disk that the hive lies in" in outcome.err
    assert run("kms-prep", software, "--skip-rearm", "0", YES).code == 3
    assert software.read_bytes() == before


def test_a_disk_that_is_not_there(run: Callable[..., Outcome], tmp_path: Path) -> None:
    missing = tmp_path / "missing.vhd"
    for args in (
        ("kms-prep", missing, "--skip-rearm", "0", YES),
        ("reg", "set", missing, SPP, "x", "1", "--type", "dword", YES),
        ("rm", missing, "x", YES),
        ("pvp", "set", missing, "author=me", YES),
        ("undo", missing, YES),
        ("recover", missing, YES),
        ("journal", "ls", missing),
        ("journal", "show", missing),
    ):
        outcome = run(*args)
        assert (outcome.code, outcome.out) == (3, "")
        assert "no such file" in outcome.err
    assert list(tmp_path.iterdir()) == []


@needs_read_only_files
def test_a_file_that_may_not_be_written(run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
    disk = store()
    disk.chmod(0o444)
    outcome = run("kms-prep", disk, "--skip-rearm", "0", YES)
    assert outcome.code == 3
    assert "cannot be opened for writing" in outcome.err


@pytest.mark.parametrize("scenario", ["locked", "win7-kms"])
def test_a_link_to_a_disk_leads_to_the_gates_of_the_disk(
    untouched: Callable[[str], tuple[Path, dict[str, str]]],
    run: Callable[..., Outcome],
    tmp_path: Path,
    scenario: str,
) -> None:
    disk, before = untouched(scenario)
    link = tmp_path / "link.vhd"
    try:
        link.symlink_to(disk)
    except OSError:
        pytest.skip("this system lets us make no symbolic links")
    if not link.is_symlink():
        pytest.skip("Wine makes symbolic links that Python does not see")
    for words in (PREP, RM):
        outcome = run(*[word.format(disk=link) for word in words], YES)
        assert outcome.code == 4, outcome.err
    assert contents(disk.parent) == before
    assert [path.name for path in tmp_path.iterdir()] == ["link.vhd"]
