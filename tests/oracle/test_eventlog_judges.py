"""The event log builder and our reader against an independent reader of event logs."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from tests.build.evtx import activation_failed, build_log, grace_period, kms_request
from tests.build.state import LOGGED, usual_events
from tests.oracle.tools import python_with
from vdiskkit.io import BytesSource
from vdiskkit.windows.evtx import EventLog

pytestmark = pytest.mark.oracle

HERE = Path(__file__).parent


@pytest.mark.parametrize("turn", [0, 3])
def test_the_same_events_are_read(turn: int, tmp_path: Path) -> None:
    events = [*usual_events(), kms_request(LOGGED), activation_failed(LOGGED), grace_period(LOGGED)]
    log = build_log(events, per_chunk=8, turn=turn, first_id=7100)
    file = tmp_path / "Application.evtx"
    file.write_bytes(log)
    command = [python_with("evtx"), str(HERE / "dump_evtx.py"), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    theirs = {line["record_id"]: line for line in map(json.loads, done.stdout.splitlines())}
    found = 0
    for chunk in EventLog(BytesSource(log)).newest_first(99):
        assert chunk is not None
        for record in chunk.records():
            other = theirs[record.record_id]
            ours = (record.provider, record.source, record.event_id, record.computer, list(record.data))
            assert ours == (other["provider"], other["source"], other["event_id"], other["computer"], other["data"])
            assert record.written == datetime.fromisoformat(other["written"].removesuffix(" UTC"))
            found += 1
        assert not chunk.damaged
    assert found == len(theirs) == len(events)
