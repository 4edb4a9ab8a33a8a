"""The JSON document and its serialisation."""

from __future__ import annotations

import datetime as dt
import json

from hypothesis import given
from hypothesis import strategies as st

from vdiskkit._version import __version__
from vdiskkit.errors import CorruptStructureError, KeyMissingError
from vdiskkit.location import Location
from vdiskkit.report.json import document, dumps, error_dict

STARTED = dt.datetime(2026, 11, 24, 10, 12, 3, 987654, tzinfo=dt.timezone(dt.timedelta(hours=1)))
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(value=anything)
def test_every_value_comes_out_as_ascii_that_strict_readers_take(value: object) -> None:
    text = dumps(value)
    assert text.isascii()
    assert "\x7f" not in text
    assert "##" not in text
    assert text.endswith("\n")
    json.loads(text)
    text.encode("utf-8")
    assert "\\ud8" not in text.lower() or json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8")


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_text_without_surrogates_comes_back_unchanged(text: str) -> None:
    assert json.loads(dumps({"text": text})) == {"text": text}


def test_lone_surrogates_become_visible_and_pairs_stay() -> None:
    assert json.loads(dumps(["a\ud800b", "\U0001f600"])) == ["a\\u{d800}b", "\U0001f600"]


def test_build_server_marks_are_broken_but_mean_the_same() -> None:
    text = dumps(["##vso[task.complete]", "##[error]", "###"])
    assert "##" not in text
    assert json.loads(text) == ["##vso[task.complete]", "##[error]", "###"]


def test_the_object_of_a_run() -> None:
    disks = [{"target": "a.vhd", "result": {}}, {"target": "b.vhd", "error": {}}]
    assert document("vdiskkit.inspect/1", disks, started=STARTED, exit_code=3, error={"type": "X"}) == {
        "schema": "vdiskkit.inspect/1",
        "tool": {"name": "vdiskkit", "version": __version__},
        "started": "2026-11-24T09:12:03Z",
        "disks": disks,
        "summary": {"disks": 2, "failed": 1},
        "exit_code": 3,
        "error": {"type": "X"},
    }
    assert "error" not in document("x", [], started=STARTED, exit_code=0)


def test_errors_as_json() -> None:
    error = CorruptStructureError("broken", location=Location("a.vhd").at("footer", 0x200), hint="copy it again")
    assert error_dict(error) == {
        "type": "CorruptStructureError",
        "message": "broken",
        "location": "a.vhd > footer:0x200",
        "hint": "copy it again",
    }
    assert error_dict(KeyMissingError("gone"))["location"] is None
