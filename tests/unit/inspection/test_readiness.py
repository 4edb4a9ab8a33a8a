from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

import vdiskkit
from tests.build.evtx import build_log, kms_request, noise_events
from tests.build.image import build_disk
from tests.build.pair import write_pair
from tests.build.scenario import windows_volume
from tests.build.state import LOGGED, NETWORK_SERVICE, PLACED, state_volume
from tests.build.windows import put
from vdiskkit.report.layout import STALE
from vdiskkit.report.style import Style
from vdiskkit.report.text import inspection_lines

if TYPE_CHECKING:
    from typing import BinaryIO

    from tests.build.hive import HiveBuilder
    from vdiskkit.inspection.readiness_facts import ReadinessFacts

SAMPLES = sorted((Path(__file__).parents[3] / "sample_images").glob("*vhd"))
KIB = 1024
MOST_BYTES, MOST_CALLS = 4096 * KIB, 500


class CountingFile(io.FileIO):
    """A disk file that knows what was read from it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.bytes = self.calls = 0

    def readinto(self, buffer: Any, /) -> int:
        got = super().readinto(buffer) or 0
        self.bytes += got
        self.calls += 1
        return got


def inspection(tmp_path: Path, **arguments: Any) -> vdiskkit.Inspection:
    path = write_pair(tmp_path, "disk", build_disk([state_volume(**arguments)]), pvp={})
    with vdiskkit.open_vdisk(path) as disk:
        return disk.inspect(readiness=True)


def readiness(tmp_path: Path, **arguments: Any) -> ReadinessFacts:
    found = inspection(tmp_path, **arguments).readiness
    assert found is not None
    return found


def codes(facts: vdiskkit.Inspection) -> list[str]:
    return [notice.code for notice in facts.notices]


def text(facts: vdiskkit.Inspection) -> str:
    return "\n".join(inspection_lines(facts, Style(), ["readiness"]))


def test_a_complete_image_has_every_fact(tmp_path: Path) -> None:
    facts = inspection(tmp_path, discovered="10.20.30.40")
    assert facts.notices == ()
    found = facts.readiness
    assert found is not None
    unknown = [name for name, value in found.to_dict().items() if value is None]
    assert unknown == []
    assert [host.address for host in found.discovered_hosts or ()] == ["10.20.30.40"]
    assert found.event_log is not None
    assert [event.event_id for event in found.event_log.events] == [1003, 12289, 12288]


def test_facts_are_plain_json(tmp_path: Path) -> None:
    result = json.loads(json.dumps(inspection(tmp_path).to_dict()))["readiness"]
    assert result["last_shutdown"] == "2023-06-14T08:15:21Z"
    assert result["event_log"]["events"][-1]["kms_host"] == "kms.example.com"


def test_a_plain_inspection_reads_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "disk.raw"
    path.write_bytes(build_disk([state_volume()]))
    spent = []
    for wanted in (False, True):
        with vdiskkit.open_vdisk(path, format="raw") as disk:
            facts = disk.inspect(readiness=wanted)
            assert (facts.readiness is not None) == wanted
            assert ("NETWORKSERVICE" in disk.windows.open_hives()) == wanted
            spent.append(disk.budget.spent_bytes)
    assert spent[0] + 64 * KIB < spent[1]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
def test_samples_stay_within_the_budget(sample: Path) -> None:
    if sample.suffix == ".avhd":
        with vdiskkit.open_vdisk(sample) as disk:  # a version finds its parents by its path
            disk.inspect(readiness=True)
            assert disk.budget.spent_bytes <= MOST_BYTES
            assert disk.budget.spent_calls <= MOST_CALLS
        return
    with CountingFile(sample) as file, vdiskkit.open_vdisk(cast("BinaryIO", file)) as disk:
        assert disk.inspect(readiness=True).readiness is not None
    assert file.bytes <= MOST_BYTES
    assert file.calls <= MOST_CALLS


def test_a_full_log_stays_within_the_budget(tmp_path: Path) -> None:
    log = build_log([kms_request(LOGGED), *noise_events(2099, LOGGED)], per_chunk=100, turn=9)
    raw = build_disk([state_volume(log=log, discovered="10.20.30.40", keep=PLACED)])
    path = write_pair(tmp_path, "disk", raw)
    with CountingFile(path) as file, vdiskkit.open_vdisk(cast("BinaryIO", file)) as disk:
        facts = disk.inspect(readiness=True).readiness
    assert facts is not None
    assert facts.event_log is not None
    assert (facts.event_log.chunks, facts.event_log.chunks_read) == (21, 16)
    assert file.bytes <= 2048 * KIB
    assert file.calls <= MOST_CALLS // 2


@pytest.mark.thorough
def test_disks_without_windows_have_none(inspect: Any, scenario_disk: Any) -> None:
    for name in ("linux", "data-only", "bitlocker"):
        with vdiskkit.open_vdisk(scenario_disk(name)) as disk:
            assert disk.inspect(readiness=True).readiness is None
    assert inspect("win7-kms").readiness is None


# what cannot be told


def test_a_log_on_another_drive(tmp_path: Path) -> None:
    facts = inspection(tmp_path, system_keys={"log_file": r"D:\EventLogs\Application.evtx"})
    assert facts.readiness is not None
    assert facts.readiness.event_log is None
    assert codes(facts) == ["licensing.event_log_elsewhere"]
    assert r'Application is kept at "D:\EventLogs\Application.evtx"' in text(facts)


def test_a_log_that_was_moved_is_read_where_it_is(tmp_path: Path) -> None:
    log = build_log([kms_request(LOGGED)])
    found = readiness(tmp_path, files={"pagefile.sys": log}, system_keys={"log_file": r"C:\pagefile.sys"})
    assert found.event_log is not None
    assert (found.event_log.path, len(found.event_log.events)) == ("pagefile.sys", 1)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"log": bytes(69632)}, "licensing.event_log_unreadable"),
        ({"log": b"ElfFile\0"}, "licensing.event_log_unreadable"),
        ({"removed_files": ["Windows/System32/winevt/Logs/Application.evtx"]}, "windows.state_unreadable"),
    ],
)
def test_no_log_that_can_be_read(tmp_path: Path, arguments: dict[str, Any], code: str) -> None:
    facts = inspection(tmp_path, **arguments)
    assert facts.readiness is not None
    assert facts.readiness.event_log is None
    assert codes(facts) == [code]
    assert "the Application event log cannot be read" in text(facts)


def test_a_damaged_log_is_told(tmp_path: Path) -> None:
    def spoil(_: int, chunk: bytearray) -> None:
        chunk[52] ^= 1

    facts = inspection(tmp_path, log=build_log([kms_request(LOGGED)], edit_chunk=spoil, dirty=True))
    assert "1 chunks damaged, it was not closed" in text(facts)
    assert facts.readiness is not None
    assert facts.readiness.event_log is not None
    assert len(facts.readiness.event_log.events) == 1
    assert codes(facts) == ["licensing.event_log_damaged"]


def test_no_hive_of_the_network_service(tmp_path: Path) -> None:
    facts = inspection(tmp_path, removed_files=[NETWORK_SERVICE])
    assert facts.readiness is not None
    assert facts.readiness.discovered_hosts is None
    assert codes(facts) == ["windows.hive_unreadable"]


@pytest.mark.parametrize("name", ["SOFTWARE", "SYSTEM"])
def test_damaged_hives_leave_the_rest(tmp_path: Path, name: str) -> None:
    def spoil(which: str, data: bytes) -> bytes:
        return data[:4096] + b"\xff" * (len(data) - 4096) if which == name else data

    facts = inspection(tmp_path, edit_hive=spoil)
    assert facts.readiness is not None
    assert facts.readiness.event_log is not None
    assert facts.readiness.streaming.personality is not None
    assert "windows.state_unreadable" in codes(facts)
    assert "not determinable" in text(facts)


def test_one_key_that_asks_for_too_much_costs_only_its_own_facts(tmp_path: Path) -> None:
    def spoil(builder: HiveBuilder) -> None:
        put(builder, r"Login Consultants\BISF", {"LIC_BISF_RearmOS_run": 1})
        builder.fault("value-count", r"Login Consultants\BISF", argument=0x7FFFFFFF)

    raw = build_disk([windows_volume("win10", base="state", removed=PLACED, software={"edit": spoil})])
    with vdiskkit.open_vdisk(write_pair(tmp_path, "disk", raw, pvp={})) as disk:
        facts = disk.inspect(readiness=True)
    assert facts.readiness is not None
    assert facts.readiness.rearm_markers is None
    assert facts.readiness.pending_reboot.component_servicing is False
    assert any("2147483647 values" in notice.message for notice in facts.notices)


def test_a_budget_that_is_used_up_ends_the_inspection(tmp_path: Path) -> None:
    raw = build_disk([state_volume()])
    with (
        vdiskkit.open_vdisk(write_pair(tmp_path, "disk", raw)) as disk,
        disk.budget.limited(256 * KIB, 40),
        pytest.raises(vdiskkit.ReadLimitError) as stopped,
    ):
        disk.inspect(readiness=True)
    assert stopped.value.used_up


# as text


def test_everything_wrong_as_text(tmp_path: Path) -> None:
    facts = inspection(
        tmp_path,
        software_keys={
            "servicing": True,
            "image_state": "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE\x1b[31m",
            "markers": {"LIC_BISF_RearmOS_run": 1},
        },
        system={"setup_in_progress": True, "write_cache_type": 9, "fast_startup": True},
        system_keys={
            "renames": [("C:\\\u202etxt.exe", "")],
            "mcs_io": True,
            "netlogon": {"DisablePasswordChange": 1},
            "sysprep": {"GeneralizationState": 7, "CleanupState": 2},
        },
        discovered="10.20.30.40",
        keep=PLACED,
        joined=False,
    )
    lines = text(facts)
    for part in (
        "Windows waits for a restart: servicing, 1 files to move or delete, pending.xml",
        r'(first "C:\\u{202e}txt.exe")',
        "in progress: setup, first-run dialogs, setup type 1",
        "sysprep generalization 7, cleanup 2",
        "fast startup on",
        "write cache type 9: the last streamed boot was Standard mode",
        "the driver CtxMcsWbc is installed",
        "not in a domain",
        "password change off",
        'LIC_BISF_RearmOS_run is "1"',
        '"kms.example.com, 10.20.30.40" port "1688"',
    ):
        assert part in lines, part
    assert "\x1b" not in lines
    assert STALE not in lines


def test_a_dirty_hive_marks_its_values(scenario_disk: Any) -> None:
    with vdiskkit.open_vdisk(scenario_disk("dirty-hive")) as disk:
        lines = text(disk.inspect(readiness=True)).splitlines()
    marked = [line for line in lines if STALE in line]
    assert len(marked) > 5
    assert not [line for line in marked if re.match(r" +(answer file|event)", line)]
