"""Every command that changes something: what it does is read back, and what it says is what it did."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.writing import CACHE, DRY, EXAMPLE, SPP, STANDARD, TOKENS, YES, contents, kept, pair

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome


def ok(outcome: Outcome) -> str:
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out


class TestKmsPrep:
    def test_everything_at_once(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        wanted = ("--skip-rearm", "0", "--kms-host", "kms.example.com", "--kms-port", "1688", "--remove-tokens")
        out = ok(run("kms-prep", disk, *wanted, YES))
        assert re.match(rf"changed +{re.escape(str(disk))} \(change [0-9a-f-]{{36}}\)\n", out)
        assert f"  set             {SPP}, SkipRearm: absent → REG_DWORD 0\n" in out
        assert f'  set             {SPP}, KeyManagementServiceName: absent → REG_SZ "kms.example.com"\n' in out
        assert f'  set             {SPP}, KeyManagementServicePort: absent → REG_SZ "1688"\n' in out
        assert f"  delete          {TOKENS} (52000 bytes, 1 name)\n" in out
        assert f"  delete          {CACHE} (11000 bytes, 1 name)\n" in out
        assert re.search(r"^  note +Windows builds a new token store .* `slmgr /ipk`", out, re.MULTILINE)
        assert re.search(rf"^  writes +{disk.name}: \d+ bytes in \d+ ranges$", out, re.MULTILINE)
        assert re.search(r"^    range +0x[0-9a-f]+, \d+ bytes \(link\)$", out, re.MULTILINE)
        assert f"  journal         kept at {disk}.vdiskkit-undo-0001; `undo` takes the change back\n" in out
        assert run("reg", "get", disk, SPP, "SkipRearm").out == "0\n"
        assert run("reg", "get", disk, SPP, "KeyManagementServiceName").out == "kms.example.com\n"
        assert run("reg", "get", disk, SPP, "KeyManagementServicePort", "--json").json["type"] == "REG_SZ"
        for path in (TOKENS, CACHE):
            assert run("stat", disk, path).code == 1
        assert run("stat", disk, TOKENS.replace("tokens", "data")).code == 0

    def test_absent_takes_values_away(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        ok(run("kms-prep", disk, "--skip-rearm", "1", "--kms-host", "kms.example.com", "--kms-port", "01700", YES))
        assert run("reg", "get", disk, SPP, "KeyManagementServicePort").out == "1700\n"
        out = ok(run("kms-prep", disk, "--skip-rearm", "absent", "--kms-host", "Absent", "--kms-port", "absent", YES))
        assert f"  delete          {SPP}, SkipRearm (was REG_DWORD 1)\n" in out
        for name in ("SkipRearm", "KeyManagementServiceName", "KeyManagementServicePort"):
            assert run("reg", "get", disk, SPP, name).code == 1

    def test_office_has_its_own_store_and_its_own_keys(
        self, run: Callable[..., Outcome], store: Callable[..., Path]
    ) -> None:
        disk = store("win7-kms")
        office = r"ProgramData\Microsoft\OfficeSoftwareProtectionPlatform"
        only_windows = ok(run("kms-prep", disk, "--remove-tokens", "--kms-host", "kms.example.com", DRY, *STANDARD))
        assert rf"{office}\tokens.dat" not in only_windows
        assert f"Office's own token store is left as it is ({office}); --office includes it" in only_windows
        ok(run("kms-prep", disk, "--remove-tokens", "--kms-host", "kms.example.com", "--office", YES, *STANDARD))
        assert run("stat", disk, rf"{office}\tokens.dat").code == 1
        key = r"HKLM\SOFTWARE\WOW6432Node\Microsoft\OfficeSoftwareProtectionPlatform"
        assert run("reg", "get", disk, key, "KeyManagementServiceName").out == "kms.example.com\n"

    def test_skip_rearm_1_is_warned_of(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        out = ok(run("kms-prep", store(), "--skip-rearm", "1", DRY))
        assert "clones may share one client machine id" in out

    def test_no_tokens_is_told(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        ok(run("rm", disk, TOKENS, YES))
        ok(run("rm", disk, CACHE, YES))
        out = ok(run("kms-prep", disk, "--remove-tokens", YES))
        assert out.startswith("already so")
        assert "no tokens.dat was found to remove" in out


class TestRegSet:
    @pytest.mark.parametrize(
        ("type_name", "values", "stored", "shown"),
        [
            ("dword", ["0xff"], "REG_DWORD", "255"),
            ("DWORD", ["4294967295"], "REG_DWORD", "4294967295"),
            ("qword", ["18446744073709551615"], "REG_QWORD", "18446744073709551615"),
            ("sz", ["two words"], "REG_SZ", "two words"),
            ("sz", [""], "REG_SZ", ""),
            ("expand_sz", ["%windir%\\x"], "REG_EXPAND_SZ", "%windir%\\x"),
            ("multi_sz", ["one", "two"], "REG_MULTI_SZ", "one\ntwo"),
            ("multi_sz", [], "REG_MULTI_SZ", None),
            ("binary", ["00 ff:10"], "REG_BINARY", "00ff10"),
            ("none", [], "REG_NONE", ""),
            ("none", ["01"], "REG_NONE", "01"),
        ],
    )
    def test_every_type(
        self,
        run: Callable[..., Outcome],
        store: Callable[..., Path],
        type_name: str,
        values: list[str],
        stored: str,
        shown: str | None,
    ) -> None:
        disk = store()
        ok(run("reg", "set", disk, EXAMPLE, "Value", *values, "--type", type_name, "--create-keys", YES))
        read = run("reg", "get", disk, EXAMPLE, "Value", "--json", "-q").json
        assert (read["type"], read["problem"]) == (stored, None)
        assert run("reg", "get", disk, EXAMPLE, "Value").out == ("" if shown is None else f"{shown}\n")

    def test_default_value_and_a_value_that_begins_with_a_dash(
        self, run: Callable[..., Outcome], store: Callable[..., Path]
    ) -> None:
        disk = store()
        out = ok(run("reg", "set", disk, EXAMPLE, "--default", "--type", "sz", "--create-keys", YES, "--", "-x"))
        assert f'  set             {EXAMPLE}, (default): absent → REG_SZ "-x"\n' in out
        assert run("reg", "get", disk, EXAMPLE).out == "-x\n"

    def test_the_control_set_in_use_is_named(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store("second-control-set")
        key = r"HKLM\SYSTEM\CurrentControlSet\Control"
        out = ok(run("reg", "set", disk, key, "Value", "1", "--type", "dword", YES, *STANDARD))
        assert r"HKLM\SYSTEM\ControlSet002\Control, Value: absent → REG_DWORD 1" in out
        assert run("reg", "get", disk, r"HKLM\SYSTEM\ControlSet002\Control", "Value").out == "1\n"

    def test_a_large_value_grows_the_hive(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        data = "5a" * 60_000
        out = ok(run("reg", "set", disk, EXAMPLE, "Big", data, "--type", "binary", "--create-keys", YES))
        assert "(60000 bytes)" in out
        assert max(len(line) for line in out.splitlines()) < 400
        assert run("reg", "get", disk, EXAMPLE, "Big").out == f"{data}\n"


class TestRegDelete:
    def test_value_default_value_key(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        sub = rf"{EXAMPLE}\Sub"
        ok(run("reg", "set", disk, sub, "Value", "7", "--type", "dword", "--create-keys", YES))
        ok(run("reg", "set", disk, sub, "--default", "text", "--type", "sz", YES))
        assert f"  delete          {sub}, Value (was REG_DWORD 7)\n" in ok(
            run("reg", "delete", disk, sub, "Value", YES)
        )
        assert f'  delete          {sub}, (default) (was REG_SZ "text")\n' in ok(
            run("reg", "delete", disk, sub, "--default", YES)
        )
        out = ok(run("reg", "delete", disk, EXAMPLE, "--recursive", YES))
        assert f"  delete          {EXAMPLE} (was 2 keys, 0 values)\n" in out
        assert run("reg", "ls", disk, EXAMPLE).code == 1


class TestRm:
    def test_with_drive_slashes_and_another_case(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        out = ok(run("rm", disk, "c:/windows/EXPLORER.EXE", YES))
        assert r"  delete          Windows\explorer.exe (" in out
        assert run("stat", disk, r"Windows\explorer.exe").code == 1

    def test_hard_links(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        before = pair(disk)
        path = r"Windows\System32\component.dll"
        other = run("stat", disk, path, "--json").json["disks"][0]["result"]["links"][1]
        content = run("cat", disk, path).code
        out = ok(run("rm", disk, path, YES))
        assert f"1 name; the content stays with 1 other hard link: {other})" in out
        assert run("stat", disk, path).code == 1
        assert run("stat", disk, other, "--json").json["disks"][0]["result"]["links"] == [other]
        assert run("cat", disk, other).code == content
        ok(run("undo", disk, YES))
        assert pair(disk) == before
        assert "2 names" in ok(run("rm", disk, path, "--all-links", YES))
        assert run("stat", disk, other).code == 1

    def test_on_a_volume_without_windows(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store("data-only")
        listing = run("ls", disk, "--json").json["disks"][0]["result"]["entries"]
        file = next(item["name"] for item in listing if not item["is_directory"] and not item["name"].startswith("$"))
        ok(run("rm", disk, file, YES, *STANDARD))
        assert run("stat", disk, file).code == 1


class TestPvpSet:
    def test_fields(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        old_disk, old = pair(disk)
        out = ok(run("pvp", "set", disk, "license_mode=kms", "Description=a = b", "major_release=9", YES))
        assert "  pvp             license_mode: mak → kms\n" in out
        assert "  pvp             description: master image win10-private-mak → a = b\n" in out
        assert re.search(r"pvp +properties_update_time: 2023-\S+ \S+ UTC → 2026-11-24 09:12:03 UTC\n", out)
        shown = run("pvp", "show", disk, "--json").json["disks"][0]["result"]
        assert (shown["license_mode"], shown["description"], shown["major_release"]) == ("kms", "a = b", 9)
        new_disk, new = pair(disk)
        assert new_disk == old_disk
        assert len(new) == len(old)
        changed = {at for at in range(len(old)) if old[at] != new[at]}
        assert 0 < len(changed) < 200

    def test_the_side_car_may_be_named_itself(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        ok(run("pvp", "set", disk.with_suffix(".pvp"), "author=me", YES))
        assert run("pvp", "show", disk, "--json").json["disks"][0]["result"]["author"] == "me"

    def test_the_mode_by_force(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        ok(run("pvp", "set", disk, "write_cache_type=9", "--force", "mode", YES))
        assert run("pvp", "show", disk, "--json").json["disks"][0]["result"]["mode"] == "standard"


class TestOtherDisks:
    def test_a_differencing_disk_gets_blocks(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store("desk10")
        parents = {path: path.read_bytes() for path in disk.parent.iterdir() if path != disk}
        out = ok(run("rm", disk, TOKENS, YES, *STANDARD))
        assert re.search(r"^  block +block \d+ of the disk is added to the file at 0x[0-9a-f]+$", out, re.MULTILINE)
        assert re.search(r"^  grows +the file by \d+ bytes$", out, re.MULTILINE)
        assert run("stat", disk, TOKENS).code == 1
        assert all(path.read_bytes() == data for path, data in parents.items())

    def test_at_latest_leads_to_the_newest_version(
        self, run: Callable[..., Outcome], store: Callable[..., Path]
    ) -> None:
        disk = store("desk10")
        base = disk.parent / "desk10.vhd"
        out = ok(run("kms-prep", base, "--skip-rearm", "0", "--at", "latest", YES, *STANDARD))
        assert out.startswith(f"changed           {disk} (")

    def test_a_fixed_disk(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store("locked")
        size = disk.stat().st_size
        ok(run("kms-prep", disk, "--skip-rearm", "0", YES, *STANDARD, "--force", "lok"))
        assert run("reg", "get", disk, SPP, "SkipRearm").out == "0\n"
        assert disk.stat().st_size == size

    def test_another_volume(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store("two-windows")
        refused = run("kms-prep", disk, "--skip-rearm", "1", YES, *STANDARD)
        assert refused.code == 2
        assert "each hold a Windows, and which one is meant was not said" in refused.err
        changed = run("kms-prep", disk, "--skip-rearm", "1", "--volume", "2", YES, *STANDARD)
        assert changed.code == 0
        assert "this changes partition 2; a Windows is on 1 too" in changed.out + changed.err
        other = run("reg", "get", disk, SPP, "SkipRearm")
        assert other.code == 1
        assert "partitions 1, 2 each hold a Windows; this is about partition 1, choose with --volume" in other.err
        assert run("reg", "get", disk, SPP, "SkipRearm", "--volume", "2").out == "1\n"


class TestJournalAndUndo:
    def test_undo_restores_the_exact_bytes_of_both_files_newest_first(
        self, run: Callable[..., Outcome], store: Callable[..., Path]
    ) -> None:
        disk = store()
        states = [pair(disk)]
        for args in (
            ("kms-prep", disk, "--skip-rearm", "0", "--remove-tokens"),
            ("pvp", "set", disk, "license_mode=kms", "description=other"),
            ("reg", "set", disk, EXAMPLE, "Value", "5a" * 40_000, "--type", "binary", "--create-keys"),
            ("rm", disk, r"Windows\explorer.exe"),
        ):
            ok(run(*args, YES))
            states.append(pair(disk))
        assert len(kept(disk)) == 4
        assert len(set(states)) == 5
        for state in reversed(states[:-1]):
            out = ok(run("undo", disk, YES))
            assert out.startswith(f"undo              {disk}: taken back\n")
            assert out.endswith("the files are as they were before the change\n")
            assert pair(disk) == state
        assert kept(disk) == []
        assert run("undo", disk, YES).code == 1

    def test_undo_can_be_told_which_change_is_meant(
        self, run: Callable[..., Outcome], store: Callable[..., Path]
    ) -> None:
        disk = store()
        ids = []
        for number in ("0", "1"):
            outcome = run("kms-prep", disk, "--skip-rearm", number, YES, "--json")
            ids.append(outcome.json["disks"][0]["result"]["change_id"])
        refused = run("undo", disk, "--id", ids[0], YES)
        assert refused.code == 1
        assert f"the newest change is {ids[1]}, and changes are taken back newest first" in refused.err
        before = contents(disk.parent)
        ok(run("undo", disk, "--id", ids[1][:8], DRY))
        assert contents(disk.parent) == before
        ok(run("undo", disk, "--id", ids[1][:8].upper(), YES))
        assert run("reg", "get", disk, SPP, "SkipRearm").out == "0\n"

    def test_journal_ls_and_show(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        assert ok(run("journal", "ls", disk)) == f"journal           {disk}: no change is kept\n"
        assert run("journal", "show", disk).code == 1
        ok(run("kms-prep", disk, "--skip-rearm", "0", YES))
        ok(run("pvp", "set", disk, "author=me", YES))
        out = ok(run("journal", "ls", disk))
        assert out.startswith(f"journal           {disk}: 2 changes\n")
        assert out.index("author:") < out.index("SkipRearm")
        assert out.count("    state         kept, can be taken back\n") == 2
        assert "range" not in out.replace("in 1 range", "").replace("ranges", "")
        shown = ok(run("journal", "show", disk))
        assert "author:" in shown
        assert "SkipRearm" not in shown
        assert re.search(r"^      range +0x0, \d+ bytes \(link\)$", shown, re.MULTILINE)
        change_id = run("journal", "ls", disk, "--json").json["disks"][0]["result"]["changes"][1]["id"]
        assert "SkipRearm" in ok(run("journal", "show", disk, "--id", change_id[:6]))

    def test_no_undo_keeps_no_journal(self, run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
        disk = store()
        out = ok(run("kms-prep", disk, "--skip-rearm", "0", YES, "--no-undo"))
        assert "  journal         not kept: the change cannot be taken back\n" in out
        assert kept(disk) == []

    def test_recover_without_an_interruption_does_nothing(
        self, run: Callable[..., Outcome], store: Callable[..., Path]
    ) -> None:
        disk = store()
        before = contents(disk.parent)
        assert "nothing to recover" in ok(run("recover", disk, YES))
        assert "nothing to recover" in ok(run("recover", disk, DRY))
        assert contents(disk.parent) == before


def test_full_verification_passes_on_healthy_disks(run: Callable[..., Outcome], store: Callable[..., Path]) -> None:
    disk = store()
    ok(run("kms-prep", disk, "--skip-rearm", "0", "--remove-tokens", "--verify", "full", YES))


def test_a_raw_image_by_its_extension(run: Callable[..., Outcome], tmp_path: Path) -> None:
    from tests.build.scenario import windows_disk

    disk = tmp_path / "desk.raw"
    disk.write_bytes(windows_disk("win10"))
    ok(run("kms-prep", disk, "--skip-rearm", "0", YES))
    assert run("reg", "get", disk, SPP, "SkipRearm").out == "0\n"


def test_as_a_process_of_its_own(
    process: Callable[..., subprocess.CompletedProcess[bytes]], store: Callable[..., Path]
) -> None:
    disk = store()
    done = process("kms-prep", disk.name, "--skip-rearm", "0", "--yes", cwd=disk.parent, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"changed           win10-private-mak.vhd (change " in done.stdout
