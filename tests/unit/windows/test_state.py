from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.state import CITRIX_ADAPTER, PLACED, RAM_DISK, SHUTDOWN, state_volume
from vdiskkit.facts import NoticeLog
from vdiskkit.io import BytesSource
from vdiskkit.ntfs import NtfsVolume
from vdiskkit.windows.image import WindowsImage
from vdiskkit.windows.state import StateReader
from vdiskkit.windows.streaming import personality_values, read_scsi_adapters, read_streaming

if TYPE_CHECKING:
    from collections.abc import Callable

PENDING, TAG = PLACED[:2]


def reader(**arguments: Any) -> StateReader:
    volume = NtfsVolume(BytesSource(bytes(state_volume(**arguments))))
    return StateReader(WindowsImage(volume), NoticeLog())


def codes(state: StateReader) -> list[str]:
    return [notice.code for notice in state.log.notices()]


@pytest.fixture(scope="module")
def healthy() -> StateReader:
    return reader()


def spoiled(name: str) -> Callable[[str, bytes], bytes]:
    """Cells of one hive are overwritten behind its base block."""

    def edit(which: str, data: bytes) -> bytes:
        return data[:4096] + b"\xff" * (len(data) - 4096) if which == name else data

    return edit


# pending restarts


def test_nothing_pending(healthy: StateReader) -> None:
    facts = healthy.pending_reboot()
    assert (facts.component_servicing, facts.windows_update, facts.pending_xml) == (False, False, False)
    assert (facts.file_renames, facts.first_renames) == (0, ())
    assert codes(healthy) == []


@pytest.mark.parametrize(("option", "field"), [("servicing", "component_servicing"), ("update", "windows_update")])
def test_keys_that_announce_a_restart(option: str, field: str) -> None:
    facts = reader(software_keys={option: True}).pending_reboot()
    assert [name for name in ("component_servicing", "windows_update") if getattr(facts, name)] == [field]


def test_pending_xml() -> None:
    assert reader(keep=[PENDING]).pending_reboot().pending_xml is True


def test_deletions_and_renames_are_counted_in_pairs() -> None:
    renames = [(r"C:\Windows\Temp\a.tmp", ""), (r"C:\new.dll", r"!\??\C:\Windows\old.dll"), (r"C:\b", "")]
    facts = reader(system_keys={"renames": renames}).pending_reboot()
    assert facts.file_renames == 3
    assert facts.first_renames == (r"C:\Windows\Temp\a.tmp", r"C:\new.dll", r"C:\b")


def test_only_the_first_renames_are_shown() -> None:
    facts = reader(system_keys={"renames": [(rf"C:\{number}", "") for number in range(500)]}).pending_reboot()
    assert facts.file_renames == 500
    assert len(facts.first_renames) == 10


def test_an_empty_list_of_renames_waits_for_nothing() -> None:
    assert reader(system={"pending_renames": ("",)}).pending_reboot().file_renames == 0


# setup and sysprep


def test_a_finished_setup(healthy: StateReader) -> None:
    facts = healthy.setup()
    assert (facts.setup_in_progress, facts.oobe_in_progress, facts.setup_type) == (False, False, 0)
    assert facts.image_state == "IMAGE_STATE_COMPLETE"
    assert (facts.generalization_state, facts.cleanup_state, facts.sysprep_succeeded) == (None, None, False)


def test_an_image_that_sysprep_sealed() -> None:
    state = "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"
    facts = reader(
        system={"setup_in_progress": True},
        software_keys={"image_state": state},
        system_keys={"sysprep": {"GeneralizationState": 7, "CleanupState": 2}},
        keep=[TAG],
    ).setup()
    assert (facts.setup_in_progress, facts.oobe_in_progress, facts.setup_type) == (True, True, 1)
    assert facts.image_state == state
    assert (facts.generalization_state, facts.cleanup_state, facts.sysprep_succeeded) == (7, 2, True)


# power


def test_power_settings(healthy: StateReader) -> None:
    facts = healthy.power()
    assert (facts.fast_startup, facts.hibernate_enabled, facts.hibernation_file_size) == (False, False, 65536)
    other = reader(system={"fast_startup": True}, system_keys={"hibernate": None}, files={"hiberfil.sys": b""}).power()
    assert (other.fast_startup, other.hibernate_enabled, other.hibernation_file_size) == (True, None, 0)


def test_fast_startup_that_is_not_stored_is_off() -> None:
    assert reader(system_keys={"fast_startup_stored": False}).power().fast_startup is False


# streaming


def test_traces_of_a_private_boot() -> None:
    facts = read_streaming(reader(system={"write_cache_type": 0}))
    assert (facts.agent_present, facts.agent_write_cache_type, facts.agent_disk_name) == (True, 0, "desk")
    assert facts.personality is not None
    assert (facts.personality.present, facts.personality.disk_mode, facts.personality.disk_name) == (
        True,
        "Private",
        "desk",
    )
    assert facts.mcs_io is not None
    assert facts.mcs_io.present is False


def test_an_image_that_was_never_streamed() -> None:
    facts = read_streaming(reader(removed_files=["Personality.ini"]))
    assert (facts.agent_present, facts.agent_write_cache_type) == (False, None)
    assert facts.personality is not None
    assert (facts.personality.present, facts.personality.disk_mode, facts.personality.problem) == (False, None, None)


def test_mcs_io_driver() -> None:
    facts = read_streaming(reader(system_keys={"mcs_io": True})).mcs_io
    assert facts is not None
    assert (facts.name, facts.present, facts.start) == ("CtxMcsWbc", True, 0)


def test_personality_in_any_encoding_and_nothing_of_other_strings() -> None:
    text = "[StringData]\r\nServicePassword=secret\r\n$DiskMode=Shared\r\n$WriteCacheType=9\r\n$DiskName=M\xfcnchen\r\n"
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        facts = read_streaming(reader(files={"Personality.ini": text.encode(encoding)})).personality
        assert facts is not None
        assert (facts.disk_mode, facts.write_cache_type, facts.disk_name) == ("Shared", "9", "M\xfcnchen")
        assert "secret" not in str(facts)


def test_short_names_in_personality_and_comments() -> None:
    assert personality_values(b"; $DiskMode=no\n_DiskMode=S\n _diskmode = P\n") == {"_diskmode": "S"}


@given(st.binary(max_size=300))
def test_any_bytes_are_a_personality(data: bytes) -> None:
    assert all(len(value) <= 200 for value in personality_values(data).values())


def test_one_adapter(healthy: StateReader) -> None:
    (adapter,) = read_scsi_adapters(healthy) or ()
    assert (adapter.instance, adapter.description) == ("0000", "Citrix Virtual Hard Disk Adapter")
    assert (adapter.streaming, adapter.mixed) == (True, False)


@pytest.mark.parametrize(
    ("adapters", "streaming", "mixed"),
    [
        ([RAM_DISK, CITRIX_ADAPTER], [False, True], [False, False]),
        ([{**RAM_DISK, "DriverDesc": CITRIX_ADAPTER["DriverDesc"]}, CITRIX_ADAPTER], [True, True], [True, False]),
        ([{"MatchingDeviceId": r"root\cvhdmp"}], [True], [False]),
        ([{}], [False], [False]),
        ([], [], []),
    ],
)
def test_adapters_that_share_an_instance(
    adapters: list[dict[str, str]], streaming: list[bool], mixed: list[bool]
) -> None:
    found = read_scsi_adapters(reader(system_keys={"adapters": adapters})) or ()
    assert [adapter.streaming for adapter in found] == streaming
    assert [adapter.mixed for adapter in found] == mixed


def test_all_adapters_of_an_image_that_met_many_machines_are_read() -> None:
    state = reader(system_keys={"adapters": [RAM_DISK] * 700})
    assert len(read_scsi_adapters(state) or ()) == 700
    assert codes(state) == []


# domain


def test_a_member_of_a_domain(healthy: StateReader) -> None:
    facts = healthy.netlogon()
    assert (facts.domain_joined, facts.dns_domain, facts.start) == (True, "example.com", 2)
    assert (facts.disable_password_change, facts.maximum_password_age) == (False, None)


def test_a_workgroup_and_password_settings() -> None:
    values = {"DisablePasswordChange": 1, "MaximumPasswordAge": 60}
    facts = reader(joined=False, system_keys={"netlogon": values}).netlogon()
    assert facts.domain_joined is False
    assert (facts.disable_password_change, facts.maximum_password_age) == (True, 60)


def test_membership_is_not_known_without_its_value() -> None:
    from tests.build.state import SECURITY
    from tests.build.windows import small_hive

    state = reader(files={SECURITY: small_hive("SECURITY")})
    assert state.netlogon().domain_joined is None
    assert codes(state) == []


# settings, markers, times


def test_settings(healthy: StateReader) -> None:
    facts = healthy.settings()
    assert facts.time_zone == "W. Europe Standard Time"
    assert facts.page_files == (r"d:\pagefile.sys 4096 4096",)
    assert facts.event_logs is not None
    assert [(log.name, log.redirected, log.max_size) for log in facts.event_logs] == [
        ("Application", False, 20 << 20),
        ("System", False, None),
        ("Security", False, None),
    ]


@pytest.mark.parametrize(
    ("file", "redirected", "path"),
    [
        (r"D:\EventLogs\Application.evtx", True, None),
        (r"C:\Logs\Application.evtx", True, r"Logs\Application.evtx"),
        (
            r"%SystemRoot%\System32\Winevt\Logs\Application.evtx",
            False,
            r"Windows\System32\Winevt\Logs\Application.evtx",
        ),
        (None, False, r"Windows\System32\winevt\Logs\Application.evtx"),
    ],
)
def test_places_of_event_logs(file: str | None, redirected: bool, path: str | None) -> None:
    logs = reader(system_keys={"log_file": file}).settings().event_logs
    assert logs is not None
    assert (logs[0].file, logs[0].redirected, logs[0].path) == (file, redirected, path)


def test_settings_that_are_not_stored() -> None:
    facts = reader(system_keys={"page_files": None, "time_zone": None}).settings()
    assert (facts.time_zone, facts.page_files) == (None, None)
    assert reader(system_keys={"page_files": ("",)}).settings().page_files == ()


def test_markers_of_the_build_tool() -> None:
    markers = {
        "LIC_BISF_RearmOS_run": 1,
        "LIC_BISF_RearmOS_date": "06/14/2023 09:12:11",
        "LIC_BISF_RearmOS_user": "EXAMPLE\\admin",
        "LIC_BISF_RearmOF_run": "1",
    }
    found = reader(software_keys={"markers": markers}).rearm_markers()
    assert [(marker.name, marker.type, marker.data) for marker in found or ()] == [
        ("LIC_BISF_RearmOS_run", "REG_DWORD", 1),
        ("LIC_BISF_RearmOS_date", "REG_SZ", "06/14/2023 09:12:11"),
        ("LIC_BISF_RearmOF_run", "REG_SZ", "1"),
    ]
    assert reader().rearm_markers() == ()


def test_times(healthy: StateReader) -> None:
    assert healthy.last_shutdown() == SHUTDOWN
    assert healthy.last_servicing() == dt.datetime(2023, 6, 14, 8, 30, tzinfo=dt.UTC)
    assert reader(system_keys={"shutdown": None}).last_shutdown() is None


def test_the_control_set_in_use_counts() -> None:
    state = reader(system={"control_set": 2, "fast_startup": True}, system_keys={"mcs_io": True})
    assert state.power().fast_startup is True
    streaming = read_streaming(state)
    assert streaming.mcs_io is not None
    assert streaming.mcs_io.present


# what cannot be read


def test_without_system_everything_in_it_is_unknown_and_the_rest_is_told() -> None:
    state = reader(edit_hive=spoiled("SYSTEM"), software_keys={"servicing": True})
    pending, setup, settings = state.pending_reboot(), state.setup(), state.settings()
    assert (pending.component_servicing, pending.file_renames) == (True, None)
    assert (setup.setup_in_progress, setup.setup_type, setup.image_state) == (None, None, "IMAGE_STATE_COMPLETE")
    assert (settings.time_zone, settings.page_files, settings.event_logs) == (None, None, None)
    assert state.power().fast_startup is None
    assert state.netlogon().disable_password_change is None
    assert state.last_shutdown() is None
    assert read_scsi_adapters(state) is None
    streaming = read_streaming(state)
    assert (streaming.agent_present, streaming.mcs_io) == (None, None)
    assert streaming.personality is not None
    assert "windows.state_unreadable" in codes(state)


def test_without_software_everything_in_it_is_unknown() -> None:
    state = reader(edit_hive=spoiled("SOFTWARE"))
    pending = state.pending_reboot()
    assert (pending.component_servicing, pending.windows_update, pending.file_renames) == (None, None, 0)
    assert state.setup().image_state is None
    assert state.rearm_markers() is None
    assert state.last_servicing() is None
    assert "windows.state_unreadable" in codes(state)


def test_a_missing_security_hive_is_noted() -> None:
    state = reader(removed_files=["Windows/System32/config/SECURITY"])
    assert state.netlogon().domain_joined is None
    assert codes(state) == ["windows.state_unreadable"]
