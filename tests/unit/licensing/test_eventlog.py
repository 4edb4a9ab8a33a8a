from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from tests.build.evtx import (
    ACTIVATION_ID,
    CMID,
    OFFICE,
    WINDOWS_APP,
    Event,
    activation_failed,
    build_log,
    grace_period,
    kms_answer,
    kms_request,
    noise_events,
    status_check,
)
from tests.build.state import LOG, state_volume
from vdiskkit.errors import UnknownFormatError
from vdiskkit.io import BytesSource
from vdiskkit.licensing.eventlog import read_event_log
from vdiskkit.ntfs import NtfsVolume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.licensing.witness_facts import EventLogWitnessFacts, LicensingEventFacts

NOW = dt.datetime(2023, 6, 14, 7, 2, tzinfo=dt.UTC)
OFFICE_APP = "0ff1ce15-a989-479d-af46-f275c6370663"


def minutes(count: int) -> dt.datetime:
    return NOW + dt.timedelta(minutes=count)


def witness(log: bytes, **options: Any) -> EventLogWitnessFacts:
    volume = NtfsVolume(BytesSource(bytes(state_volume(log=log))))
    return read_event_log(volume.lookup(LOG), **options)


def events(log: Sequence[Event], **options: Any) -> list[LicensingEventFacts]:
    return list(witness(build_log(log), **options).events)


def test_a_request_and_its_answer() -> None:
    facts = witness(build_log([*noise_events(9, NOW), kms_request(minutes(10)), kms_answer(minutes(11), count=37)]))
    answer, request = facts.events
    assert (request.event_id, request.service, request.time) == (12288, "windows", minutes(10))
    assert (request.kms_host, request.kms_port, request.cmid) == ("kms.example.com", 1688, CMID)
    assert (request.status, request.needed_count, request.activation_id) == ("0x00000000", 25, ACTIVATION_ID)
    assert (request.kms_count, request.activated_flag) == (None, None)
    assert request.computer == "PVS-MASTER01.example.com"
    assert (answer.event_id, answer.status, answer.kms_count, answer.activated_flag) == (12289, "0x00000000", 37, 1)
    assert (answer.kms_host, answer.cmid, answer.needed_count) == (None, None, None)
    assert (facts.path, facts.size, facts.dirty) == (LOG.replace("/", "\\"), 4096 + 65536, False)
    assert (facts.chunks, facts.chunks_read, facts.damaged_chunks, facts.whole_log) == (1, 1, 0, True)
    assert (facts.oldest, facts.newest) == (NOW, minutes(11))


def test_failures_checks_and_grace() -> None:
    found = events([activation_failed(NOW), status_check(NOW, OFFICE_APP), grace_period(NOW)])
    grace, check, failure = found
    assert (failure.event_id, failure.status, failure.application_id) == (8198, "0xc004f074", WINDOWS_APP)
    assert failure.activation_id == ACTIVATION_ID
    assert (check.event_id, check.application_id, check.status) == (1003, OFFICE_APP, None)
    assert (grace.event_id, grace.text) == (1025, "Additional grace (Hardware out of tolerance), 43200")


def test_the_newest_event_of_each_kind_and_product_is_kept() -> None:
    other = "2ffd8952-423e-4903-b993-72a1aa44cf82"
    log = [
        kms_request(NOW, "old.example.com:1688"),
        kms_request(minutes(1), "new.example.com:1688"),
        kms_request(minutes(2), "office.example.com:1689", activation_id=other, needed=5),
        status_check(minutes(3)),
        status_check(minutes(4)),
        status_check(minutes(5), OFFICE_APP),
    ]
    found = events(log)
    assert [(event.event_id, event.kms_host, event.time) for event in found] == [
        (1003, None, minutes(5)),
        (1003, None, minutes(4)),
        (12288, "office.example.com", minutes(2)),
        (12288, "new.example.com", minutes(1)),
    ]


def test_newer_chunks_win_over_older_ones() -> None:
    log = [kms_request(NOW, f"kms{number}.example.com:1688") for number in range(9)]
    facts = witness(build_log(log, per_chunk=2, turn=3))
    assert [event.kms_host for event in facts.events] == ["kms8.example.com"]
    assert facts.chunks_read == 5


def test_offices_own_service_and_vistas() -> None:
    found = events(
        [
            kms_request(NOW, provider=OFFICE, source=OFFICE),
            kms_request(NOW, provider="Microsoft-Windows-Security-Licensing-SLC", source="Software Licensing Service"),
        ]
    )
    assert [event.service for event in found] == ["windows", "office"]


def test_events_of_others_are_not_taken_for_ours() -> None:
    ours = kms_request(NOW)
    others = [
        ours._replace(provider="Example", source="Example", data=("Microsoft-Windows-Security-SPP",)),
        ours._replace(event_id=902),
        Event(1025, NOW, (), "MsiInstaller", ""),
    ]
    assert events(others) == []


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [
        ("kms:1688", "kms", 1688),
        ("10.20.30.40:1688", "10.20.30.40", 1688),
        ("[fe80::1]:1688", "[fe80::1]", 1688),
        ("kms", "kms", None),
        ("kms:http", "kms", None),
        ("", None, None),
        (":1688", None, 1688),
    ],
)
def test_host_and_port(host: str, name: str | None, port: int | None) -> None:
    (request,) = events([kms_request(NOW, host)])
    assert (request.kms_host, request.kms_port) == (name, port)


@pytest.mark.parametrize("said", ["", ",", "0x0", "a, b, c, d, e, f, g, h, i, j", "x" * 20_000, "\x1b[31m, \u202e"])
def test_a_request_that_says_something_else_is_still_shown(said: str) -> None:
    (request,) = events([kms_request(NOW)._replace(data=(said,))])
    assert request.event_id == 12288
    assert (request.cmid, request.needed_count, request.activation_id) == (None, None, None)
    assert len(request.text) <= 400


def test_short_result_codes_are_filled_up() -> None:
    (request,) = events([kms_request(NOW, result="0xC004F06C")])
    assert request.status == "0xc004f06c"
    (request,) = events([kms_request(NOW, result="0x8")])
    assert request.status == "0x00000008"


def test_only_the_newest_part_of_a_large_log_is_read() -> None:
    log = [kms_request(NOW), *noise_events(199, minutes(1))]
    assert witness(build_log(log, per_chunk=10)).events == ()
    facts = witness(build_log(log, per_chunk=10))
    assert (facts.chunks, facts.chunks_read, facts.chunks_left, facts.whole_log) == (20, 16, 4, False)
    assert facts.oldest == minutes(1 + 39)
    everything = witness(build_log(log, per_chunk=10), max_chunks=21)
    assert (everything.chunks_read, everything.whole_log, len(everything.events)) == (20, True, 1)


def test_a_request_behind_unused_chunks_of_a_log_that_was_not_closed_is_found() -> None:
    def unused(number: int, chunk: bytearray) -> None:
        if number == 1:
            chunk[:] = bytes(len(chunk))

    log = [kms_answer(NOW), *noise_events(19, minutes(1)), kms_request(minutes(30))]
    facts = witness(build_log(log, per_chunk=10, last_chunk=0, dirty=True, edit_chunk=unused))
    assert [(event.event_id, event.record_id) for event in facts.events] == [(12288, 21), (12289, 1)]
    assert (facts.whole_log, facts.newest) == (True, minutes(30))


def test_a_log_with_room_left_is_read_whole() -> None:
    facts = witness(build_log([kms_request(NOW)], slots=21))
    assert (facts.chunks, facts.chunks_read, facts.whole_log) == (21, 1, True)


def test_damaged_chunks_are_counted_and_the_others_used() -> None:
    def spoil(number: int, chunk: bytearray) -> None:
        if number == 2:
            chunk[:2] = b"XX"
        if number == 1:
            chunk[700:900] = bytes(200)

    log = [kms_request(NOW), *noise_events(29, minutes(1))]
    facts = witness(build_log(log, per_chunk=10, edit_chunk=spoil, dirty=True))
    assert (facts.damaged_chunks, facts.chunks_read, facts.dirty) == (2, 3, True)
    assert [event.event_id for event in facts.events] == [12288]


def test_an_empty_log_bears_no_witness() -> None:
    facts = witness(build_log([])[:4096])
    assert (facts.chunks, facts.events, facts.newest, facts.whole_log) == (0, (), None, True)


def test_no_log_at_all() -> None:
    with pytest.raises(UnknownFormatError):
        witness(bytes(69632))
