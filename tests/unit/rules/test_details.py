"""What single rules say in cases beyond the table: other severities, other causes, and what must not pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.rules.disks import PENDING
from vdiskkit.rules.catalogue import built_in_rules

if TYPE_CHECKING:
    import vdiskkit
    from tests.unit.rules.conftest import Judge


def found(judge: Judge, case: str, profile: str = "kms-standard") -> list[tuple[str, str]]:
    return [(finding.code, str(finding.severity)) for finding in judge(case, profile).findings]


def test_a_healthy_pair_is_found_fit_with_everything_determined_but_the_preparation(judge: Judge) -> None:
    report = judge("healthy")
    assert report.findings == ()
    assert not report.failed
    unknown = [(result.code, result.reason) for result in report.results if result.verdict == "unknown"]
    reason = (
        "PVS prepares the image only at the switch from Private to Standard with KMS chosen, and leaves no trace of "
        "it; the times of side-car and disk do not speak against it"
    )
    assert unknown == [("PVP109", reason)]
    assert report.counts.passed == report.counts.rules - 1
    left_out = [result.code for result in report.results if result.verdict == "skipped"]
    # Each asks something that this disk or profile does not have, or that is read with --deep only (VHD107).
    assert left_out == [
        "VHD107", "VHX101", "VHX102", "VHX103", "VHX104", "VHX105",
        "CHN106", "CHN107", "CHN110", "HIV106", "PVP111", "KMS106", "OFF104", "OFF105", "SEC105",
        "EXP101", "EXP102", "EXP103", "WVR101",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("case", "name", "expected"),
    [
        ("test-version", "kms-standard", [("CHN106", "warning")]),
        ("skip-rearm-odd", "kms-standard", [("KMS110", "error")]),
        ("no-tokens", "kms-standard", [("KMS112", "error")]),
        ("no-tokens-private", "private-build", [("KMS112", "warning")]),
        ("kms-host", "host", []),
        ("kms-host", "other-host", [("KMS120", "error"), ("KMS120", "error")]),
        ("windows-app-host", "kms-standard", [("KMS120", "warning")]),
        ("office-host", "other-host", [("OFF103", "error")]),
        ("cached-host", "host", []),
        ("cached-host", "other-host", [("SEC102", "warning")]),
        ("failed", "kms-standard", [("KMS124", "note")]),
        ("password-unmanaged", "kms-standard", [("TGT110", "warning")]),
        ("renames", "kms-standard", [("TGT121", "warning")]),
        ("in-setup", "kms-standard", [("TGT122", "warning")]),
        ("mak-pair", "mak", []),
        ("mak", "integrity-only", []),
        ("skip-rearm", "no-licensing", [("PVP104", "error")]),
        ("license-none", "no-licensing", []),
        ("csvlk", "no-licensing", [("PVP104", "error"), ("KMS103", "error")]),
        ("private", "private-build", []),
        ("healthy", "private-build", [("PVP103", "error")]),
        ("office-c2r", "kms-standard", []),
        ("versions", "kms-standard", []),
        ("vhdx", "kms-standard", []),
    ],
)
def test_severity_follows_what_is_wrong(judge: Judge, case: str, name: str, expected: list[tuple[str, str]]) -> None:
    assert found(judge, case, name) == expected


@pytest.mark.parametrize("case", ["encrypted", "no-software-hive"])
def test_nothing_about_licensing_passes_when_it_cannot_be_read(judge: Judge, case: str) -> None:
    silent = [
        result.code
        for result in judge(case).results
        if result.code.startswith(("KMS", "OFF", "SEC101")) and result.verdict == "pass"
    ]
    # Answer files and the event log are no part of the hive.
    assert set(silent) <= ({"KMS111", "KMS124"} if case == "no-software-hive" else set())


def result(judge: Judge, case: str, code: str) -> vdiskkit.RuleResult:
    return next(item for item in judge(case).results if item.code == code)


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("ldm", "it belongs to a dynamic disk (LDM), whose volumes vdiskkit does not put together"),
        ("spaces", "it belongs to a pool of Storage Spaces, whose volumes vdiskkit does not put together"),
        ("refs", "the volume is ReFS, which vdiskkit does not read"),
    ],
)
def test_a_volume_of_another_kind_is_named_and_may_hold_windows(judge: Judge, case: str, kind: str) -> None:
    for code in ("TGT101", "TGT102", "KMS101", "HIV102"):
        found = result(judge, case, code)
        assert (found.verdict, found.reason) == ("unknown", f"partition 1 cannot be read: {kind}")


def test_a_client_key_that_is_in_no_list_is_one_by_its_channel(judge: Judge) -> None:
    report = judge("gvlk-unlisted")
    (finding,) = report.findings
    assert (finding.code, finding.severity) == ("KMS101", "note")
    assert finding.message == "the key is a KMS client key by its channel, and Microsoft's list does not have it"
    assert not report.failed
    assert result(judge, "gvlk-unlisted", "KMS102").evidence == ("the edition stored with the key is Enterprise",)
    assert result(judge, "gvlk-unlisted", "KMS104").verdict == "pass"


def test_a_key_in_no_list_and_without_a_channel_is_not_judged(judge: Judge) -> None:
    found = result(judge, "key-unknown", "KMS101")
    assert (found.verdict, found.reason) == ("unknown", "Microsoft's list has no such key, and no channel is stored")
    office = result(judge, "office-2010-mak", "OFF102")
    assert office.verdict == "unknown"
    assert office.reason is not None
    assert office.reason.endswith("stores no key that can be read, or one of no known kind")


def test_a_damaged_sid_is_not_a_workgroup(judge: Judge) -> None:
    found = result(judge, "sid-damaged", "TGT110")
    assert (found.verdict, found.reason) == ("unknown", "whether this Windows is a member of a domain cannot be told")


def test_a_service_that_names_the_system_drive_is_found_there(judge: Judge) -> None:
    assert result(judge, "system-drive", "TGT104").verdict == "pass"


def test_a_service_on_another_drive_is_not_called_there_or_missing(judge: Judge) -> None:
    found = result(judge, "device-elsewhere", "TGT104")
    assert found.verdict == "unknown"
    assert found.reason == (
        r"whether E:\PVS\BNDevice.exe is there is not known: it is not on the volume of Windows, or its path cannot be "
        "followed"
    )


def test_the_dirty_flag_of_another_volume_counts(judge: Judge) -> None:
    (finding,) = judge("dirty-beside").findings
    assert (finding.code, finding.severity, finding.evidence) == ("NTF101", "warning", "the dirty flag is set")
    assert finding.message == "partition 2 was not closed properly"
    assert finding.fix is not None
    assert "the volume of partition 2" in finding.fix


@pytest.mark.parametrize("name", PENDING)
def test_every_place_that_tells_of_a_pending_restart_counts(judge: Judge, name: str) -> None:
    _, key, value = PENDING[name]
    rules = {"in-progress": "TGT120", "packages": "TGT120", "setup-execute": "TGT120"}
    (finding,) = judge(f"pending-{name}").findings
    assert finding.code == rules.get(name, "TGT121")
    assert finding.location is not None
    assert finding.location.endswith(value or key.removesuffix(r"\{117cab2d}"))


def test_a_pass_about_restarts_lists_every_place_that_was_read(judge: Judge) -> None:
    evidence = [*result(judge, "healthy", "TGT120").evidence, *result(judge, "healthy", "TGT121").evidence]
    assert len(evidence) == len(PENDING) + 4  # those with cases of their own: servicing, update, renames, pending.xml
    assert len(set(evidence)) == len(evidence)
    for _, key, value in PENDING.values():
        assert any((value or key.removesuffix(r"\{117cab2d}")) in line for line in evidence)


def test_a_log_that_a_policy_moved_is_not_judged_by_what_it_left(judge: Judge) -> None:
    (finding,) = judge("policy-log").findings
    assert (finding.code, finding.evidence) == ("TGT111", r"D:\Logs\Application.evtx")
    assert finding.location is not None
    assert finding.location.endswith(r"Policies\Microsoft\Windows\EventLog\Application, File")
    assert result(judge, "policy-log", "KMS124").verdict == "unknown"


def test_an_answer_that_is_an_error_is_no_pass(judge: Judge) -> None:
    (finding,) = judge("answer-failed").findings
    assert (finding.code, finding.message) == ("KMS124", "the last answer of a KMS host to windows is an error")


def test_a_backup_table_that_is_not_at_the_end_of_the_disk_is_told(judge: Judge) -> None:
    (finding,) = judge("gpt-enlarged").findings
    assert finding.code == "PRT101"
    assert "the disk was enlarged and its table was not" in finding.message


def test_every_verdict_says_what_it_rests_on(judge: Judge) -> None:
    rules = {rule.code: rule.reads for rule in built_in_rules()}
    assert {item.code: item.reads for item in judge("healthy").results} == rules
    assert all(rules.values())


def test_an_unreadable_hive_is_said_once_and_names_the_hive(judge: Judge) -> None:
    report = judge("no-system-hive")
    assert [finding.code for finding in report.findings] == ["HIV102"]
    assert "SYSTEM" in report.findings[0].message


def test_nothing_says_activated(judge: Judge) -> None:
    for case in ("healthy", "unanswered", "failed"):
        text = str(judge(case).to_dict()).casefold()
        assert "is activated" not in text
        assert "not activated" not in text


def test_the_witness_is_evidence(judge: Judge) -> None:
    (result,) = (item for item in judge("healthy").results if item.code == "KMS124")
    assert any("event 12288" in line and "CMID" in line for line in result.evidence)


def test_a_key_is_shown_masked(judge: Judge) -> None:
    from tests.build.products import MAK

    text = str(judge("mak").to_dict())
    assert MAK not in text
    assert "XXXXX-XXXXX-XXXXX-XXXXX-46789" in text


def test_without_a_side_car_the_rules_that_need_one_say_so(judge: Judge) -> None:
    unknown = {result.code for result in judge("alone").results if result.verdict == "unknown"}
    assert {"PVP102", "PVP103", "PVP104", "PVP106", "PVP107"} <= unknown


def test_locations_name_the_disk_or_its_side_car(judge: Judge) -> None:
    for case in ("mak", "skip-rearm", "other-size", "servicing", "no-driver-file"):
        for finding in judge(case).findings:
            assert finding.location is not None
            assert "disk.vhd" in finding.location or "disk.pvp" in finding.location


@pytest.mark.parametrize("rule", built_in_rules(), ids=lambda rule: rule.code)
def test_every_rule_is_explained(rule: vdiskkit.Rule) -> None:
    facts = rule.facts()
    for name in ("title", "reads", "judgement", "why", "fix", "versions", "source"):
        text = getattr(facts, name)
        assert text
        assert text.isascii()
        assert "  " not in text
