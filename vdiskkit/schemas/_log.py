"""The lines of a log as JSON: ``vdiskkit.log/1``. Written by hand, as events are no facts but named fields.

:data:`EVENTS` is the one list of all events and their fields; the tests hold every line that is logged against it, and
the page about the command line against its names.
"""

from __future__ import annotations

from typing import Any

__all__ = ["EVENTS", "LOG"]

_TEXT: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_FLAG: dict[str, Any] = {"type": "boolean"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}

_DISK: dict[str, dict[str, Any]] = {"disk": {**_TEXT, "description": "The disk, by its whole path."}}
_CHANGE: dict[str, dict[str, Any]] = {**_DISK, "change": {**_TEXT, "description": "Id of the change."}}
_PLAN: dict[str, dict[str, Any]] = {**_DISK, "digest": {**_TEXT, "description": "Digest of the plan."}}
_ITEM: dict[str, dict[str, Any]] = {
    "kind": {**_TEXT, "description": "`value`, `key`, `file`, `log` or `pvp`."},
    "where": {**_TEXT, "description": "Registry key, guest file, or field of the side-car."},
    "name": {**_TEXT, "description": "Name of the value, empty for the default value."},
    "before": {**_TEXT, "description": "What was there; absent for nothing."},
    "after": {**_TEXT, "description": "What is there then; absent for nothing."},
}
_ERROR: dict[str, dict[str, Any]] = {
    "type": {**_TEXT, "description": "Class of the error."},
    "message": {**_TEXT, "description": "What is wrong and why."},
    "location": {**_TEXT, "description": "Where: the file, and the way into it."},
    "hint": {**_TEXT, "description": "What to do now."},
}
_FAILED: dict[str, dict[str, Any]] = {
    **_ERROR,
    "step": {**_TEXT, "description": "The last step that was begun; absent before the first."},
    "files": {
        "enum": ["untouched", "rolled back", "journal waits", "unknown"],
        "description": "How the files are left; `unknown` when it was cancelled while its journal was put away.",
    },
}
_FINDING: dict[str, dict[str, Any]] = {
    "code": {**_TEXT, "description": "Code of the rule."},
    "severity": {"enum": ["note", "warning", "error"]},
    "message": {**_TEXT, "description": "What is wrong."},
    "location": {**_TEXT, "description": "Where."},
    "evidence": {**_TEXT, "description": "What was found there."},
}
_STEP = {"enum": ["check", "journal", "write", "verify", "commit"], "description": "The step that begins."}
_FORCED = {**_TEXTS, "description": "Gates that were forced."}
_SUMMARY = {**_TEXT, "description": "What the journal says that the change was."}
_JOURNAL = {**_TEXT, "description": "The kept journal, by its whole path; absent when none is kept."}

EVENTS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "run.begin": (
        "A command begins.",
        {
            "version": {**_TEXT, "description": "Version of vdiskkit."},
            "user": {**_TEXT, "description": "The account that the process runs under."},
            "host": {**_TEXT, "description": "Name of the machine."},
            "system": {**_TEXT, "description": "Operating system and Python."},
            "folder": {**_TEXT, "description": "The working folder."},
            "command": {**_TEXT, "description": "The command; empty when it is not known."},
            "arguments": {**_TEXTS, "description": "The command line without the program, secrets hidden."},
        },
    ),
    "run.end": (
        "It has ended.",
        {
            "exit_code": {**_COUNT, "description": "What the process returns."},
            "result": {**_TEXT, "description": "What that means."},
            "milliseconds": {**_COUNT, "description": "How long it took."},
        },
    ),
    "target": (
        "A disk was named.",
        {"target": {**_TEXT, "description": "As it was named."}, "path": {**_TEXT, "description": "Its whole path."}},
    ),
    "disk.open": ("A disk file was opened to be read.", _DISK),
    "notice": (
        "Something was noticed on a disk.",
        {
            "path": _TEXT,
            "code": {**_TEXT, "description": "Code of the notice."},
            "message": _TEXT,
            "location": _TEXT,
        },
    ),
    "note": (
        "Something was told beside the result.",
        {"label": {"enum": ["note", "warning"]}, "message": _TEXT},
    ),
    "error": ("An error was told.", {**_ERROR, "exit_code": _COUNT}),
    "bug": (
        "Something failed that must not fail.",
        {"type": _TEXT, "message": _TEXT, "traceback": {**_TEXTS, "description": "Its lines, in the file only."}},
    ),
    "cancelled": ("Ctrl-C, or the answer was not yes.", {}),
    "answer": (
        "Whether a change was agreed to.",
        {"question": _TEXT, "answer": {"enum": ["yes", "no"]}, "given_by": {"enum": ["--yes", "terminal"]}},
    ),
    "output": ("A result file was written.", {"file": _TEXT}),
    "finding": ("A rule found something.", {**_DISK, **_FINDING, "fix": {**_TEXT, "description": "What to do."}}),
    "finding.waived": (
        "A rule found something that the profile accepts.",
        {**_DISK, **_FINDING, "reason": _TEXT, "until": {**_TEXT, "description": "Last day of the waiver."}},
    ),
    "rule": (
        "What a rule came to: `unknown` always, everything else with `-vv`.",
        {**_DISK, "code": _TEXT, "verdict": _TEXT, "reason": _TEXT},
    ),
    "verdict": (
        "What all findings on a disk come to.",
        {
            **_DISK,
            "verdict": {"enum": ["fit", "unfit"]},
            "profile": _TEXT,
            "fail_on": _TEXT,
            **dict.fromkeys(("errors", "warnings", "notes", "waived", "rules", "passed", "unknown", "skipped"), _COUNT),
        },
    ),
    "fix.refused": ("`validate --fix` cannot mend a disk now.", {"path": _TEXT, **_ERROR}),
    "gate": (
        "A gate is closed: it was forced, or refuses the change.",
        {
            **_DISK,
            "gate": {**_TEXT, "description": "What `--force` calls it; absent when nobody can force it."},
            "forced": _FLAG,
            "type": _TEXT,
            "message": _TEXT,
        },
    ),
    "plan": (
        "A plan was made.",
        {
            **_PLAN,
            "changes": _COUNT,
            "forced": _FORCED,
            "bytes": {**_COUNT, "description": "Bytes that would be written."},
            "growth": {"type": "integer", "description": "Bytes by which the files would grow."},
            "empty": {**_FLAG, "description": "Whether everything is as asked already."},
        },
    ),
    "plan.item": ("One thing that would change.", {**_PLAN, **_ITEM}),
    "plan.note": ("What follows from a plan.", {**_PLAN, "message": _TEXT}),
    "plan.saved": ("A plan was saved.", {**_PLAN, "file": _TEXT}),
    "plan.loaded": ("A saved plan was read; it names the disk.", {**_PLAN, "file": _TEXT}),
    "copy.begin": ("A disk is copied for `--copy-to`.", {**_DISK, "copy": _TEXT}),
    "copy.done": ("It has been copied.", {**_DISK, "copy": _TEXT, "side_car": _TEXT}),
    "copy.removed": ("The copy was removed, as changing it failed.", {"copy": _TEXT}),
    "change.begin": (
        "A change begins.",
        {**_CHANGE, "digest": _TEXT, "forced": _FORCED, "bytes": {**_COUNT, "description": "Bytes to write."}},
    ),
    "change.step": ("A step of it begins.", {**_CHANGE, "step": _STEP}),
    "change.item": ("One thing that was changed.", {**_CHANGE, **_ITEM}),
    "change.done": ("The change is done.", {**_CHANGE, "digest": _TEXT, "journal": _JOURNAL}),
    "change.failed": ("It failed.", {**_CHANGE, **_FAILED}),
    "undo.begin": ("A change is taken back.", {**_CHANGE, "forced": _FORCED, "summary": _SUMMARY}),
    "undo.step": ("A step of that begins.", {**_CHANGE, "step": _STEP}),
    "undo.done": (
        "It has been taken back.",
        {**_CHANGE, "journal": {**_TEXT, "description": "Its journal, now gone."}},
    ),
    "undo.failed": ("It could not be taken back.", {**_CHANGE, **_FAILED}),
    "undo.checked": (
        "It could be taken back; nothing was written.",
        {**_CHANGE, "journal": _JOURNAL, "summary": _SUMMARY},
    ),
    "recover.begin": (
        "An interrupted change is brought to an end.",
        {**_CHANGE, "forced": _FORCED, "forward": _FLAG, "summary": _SUMMARY},
    ),
    "recover.done": (
        "It has been brought to an end.",
        {**_CHANGE, "action": {"enum": ["nothing", "discarded", "rolled_back", "finished"]}},
    ),
    "recover.failed": ("It could not be.", {**_CHANGE, **_FAILED}),
    "recover.checked": (
        "What `recover` would do; nothing was written.",
        {
            **_CHANGE,
            "action": {"enum": ["nothing", "discarded", "rolled_back", "finished"]},
            "forward": _FLAG,
            "summary": _SUMMARY,
        },
    ),
    "log": ("A library below told something; `logger` names it.", {"message": _TEXT}),
}
"""What each event says, and its fields. Fields that have no value are left out."""

_COMMON = {
    "time": {"type": "string", "format": "date-time", "description": "UTC, to the millisecond."},
    "level": {"enum": ["debug", "info", "warning", "error", "critical"]},
    "event": {**_TEXT, "description": "What happened; new ones may come."},
    "logger": {**_TEXT, "description": "Which part of vdiskkit, or which library, tells it."},
    "pid": {**_COUNT, "description": "Id of the process."},
    "run": {**_TEXT, "description": "The same in all lines of one run, and in no other."},
}

LOG: dict[str, Any] = {
    "title": "vdiskkit.log/1",
    "description": "One line of a log. Members and events may be added without a new version.",
    "type": "object",
    "properties": _COMMON,
    "required": list(_COMMON),
    "allOf": [
        {
            "if": {"properties": {"event": {"const": name}}},
            "then": {"description": text, "properties": fields},
        }
        for name, (text, fields) in EVENTS.items()
    ],
}
