"""The JSON Schema of a plan, which is a file of its own and a part of the result of every change."""

from __future__ import annotations

from typing import Any

__all__ = ["CHANGE_RESULT", "PLAN", "PLAN_DEFINITIONS"]

_TEXT: dict[str, Any] = {"type": "string"}
_TEXT_OR_NULL: dict[str, Any] = {"anyOf": [_TEXT, {"type": "null"}]}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_FLAG: dict[str, Any] = {"type": "boolean"}


def _object(title: str, description: str, properties: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "title": title,
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }


def _told(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {**schema, "description": description}


def _operation(kind: str, description: str, /, **members: dict[str, Any]) -> dict[str, Any]:
    return _object(kind, description, {"operation": {"const": kind}, **members})


_KEY = _told(_TEXT, "Full key path, such as `HKLM\\SOFTWARE\\Example`.")
_MISSING_OK = _told(_FLAG, "Whether it is no error when there is none.")
_PHASES = [
    *("open_first", "open_second", "replay", "replayed_first", "replayed_second", "grow", "data"),
    *("log", "logged_first", "logged_second", "claim", "link", "hive_open", "hive_claim", "hive_link"),
    *("hive_unlink", "release", "close_first", "close_second"),
]
_HEX = {"type": "string", "pattern": "^([0-9a-f]{2})*$"}
_OPERATIONS = (
    _operation(
        "set_value",
        "Set a registry value.",
        key=_KEY,
        name=_told(_TEXT, "Value name, empty for the default value."),
        type=_told(_COUNT, "Registry type number."),
        data=_told(_HEX, "The raw data, hexadecimal."),
        create_keys=_told(_FLAG, "Whether the key is created when it does not exist."),
    ),
    _operation("delete_value", "Delete a registry value.", key=_KEY, name=_TEXT, missing_ok=_MISSING_OK),
    _operation("create_key", "Create a registry key, and those above it.", key=_KEY),
    _operation("delete_key", "Delete a registry key and all below it.", key=_KEY, missing_ok=_MISSING_OK),
    _operation(
        "delete_file",
        "Delete a file, or one hard link of it.",
        path=_TEXT,
        missing_ok=_MISSING_OK,
        all_links=_told(_FLAG, "Whether every hard link of the file goes."),
    ),
    _operation(
        "replay_logs",
        "Write what logs hold to its place.",
        hive=_told(_TEXT, "Short name of a hive, whose logs are replayed into it; empty for the log of a VHDX."),
    ),
    _operation("set_pvp_field", "Set a field of the side-car.", field=_TEXT, value=_told(_TEXT, "As users write it.")),
)

PLAN_DEFINITIONS: dict[str, Any] = {
    "Operation": {
        "title": "Operation",
        "description": "What was asked for; applying a plan derives everything else from its operations.",
        "oneOf": list(_OPERATIONS),
    },
    "Change": _object(
        "Change",
        "One change in the user's words.",
        {
            "kind": {"enum": ["value", "key", "file", "log", "pvp"]},
            "where": _told(_TEXT, "Registry key, file path, what the log belongs to, or field of the side-car."),
            "before": _told(_TEXT_OR_NULL, "What is there now, as text; null when there is nothing."),
            "after": _told(_TEXT_OR_NULL, "What will be there, as text; null when nothing will be."),
            "name": _told(_TEXT_OR_NULL, "Name of the value, empty for the default value; null for everything else."),
        },
    ),
    "Range": _object(
        "Range",
        "A range of a file that is written.",
        {
            "file": _told(_TEXT, "The file."),
            "offset": _told(_COUNT, "First byte."),
            "length": _told(_COUNT, "Bytes."),
            "phase": _told({"enum": _PHASES}, "When it is written."),
        },
    ),
    "Allocation": _object(
        "Allocation",
        "A block that is added to the file of a dynamic or differencing disk.",
        {
            "block": _told(_COUNT, "Number of the block."),
            "virtual_offset": _told(_COUNT, "Its first byte on the virtual disk."),
            "file_offset": _told(_COUNT, "Where it begins in the file, in a VHD its sector bitmap first."),
            "length": _told(_COUNT, "Bytes in the file, in a VHD its sector bitmap included."),
        },
    ),
}


def _array(name: str, description: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/$defs/{name}"}, "description": description}


PLAN: dict[str, Any] = _object(
    "Plan",
    "What a change would do. A plan file is this object; `apply` believes only its operations, and compares the rest.",
    {
        "schema": {"const": "vdiskkit.plan/1"},
        "path": _told(_TEXT, "The disk; in a plan file its whole path."),
        "disk_id": _told(_TEXT_OR_NULL, "Id of the disk: of a VHD its own, of a VHDX that of its virtual disk."),
        "volume": _told({"anyOf": [_COUNT, {"type": "null"}]}, "Chosen partition, null for the one with Windows."),
        "partition": _told({"anyOf": [_COUNT, {"type": "null"}]}, "The partition that is changed, null when none is."),
        "control_set": _told(
            {"anyOf": [_COUNT, {"type": "null"}]}, "What CurrentControlSet means, null when no hive is changed."
        ),
        "forced": {"type": "array", "items": _TEXT, "description": "Gates that were forced."},
        "now": _told({"type": "string", "format": "date-time"}, "The time that changed keys and fields get."),
        "operations": _array("Operation", "What was asked for."),
        "changes": _array("Change", "What changes; empty when everything is as asked already."),
        "notes": {"type": "array", "items": _TEXT, "description": "What to know about the consequences."},
        "ranges": _array("Range", "The ranges of the files that are written, in the order of writing."),
        "allocations": _array("Allocation", "Blocks that are added to the disk's file."),
        "bytes_written": _told(_COUNT, "Bytes of the ranges."),
        "growth": _told({"type": "integer"}, "Bytes by which the files grow."),
        "journal_bytes": _told(_COUNT, "About how long the journal is."),
        "digest": _told(_TEXT, "Digest of the writes and of what must be there before them."),
    },
)

CHANGE_RESULT: dict[str, Any] = _object(
    "ChangeResult",
    "What a command that changes something did, or would do.",
    {
        "dry_run": _told(_FLAG, "Whether it was only planned."),
        "written": _told(_FLAG, "Whether anything was written; false also when everything was as asked already."),
        "change_id": _told(_TEXT_OR_NULL, "Id of the change, null when nothing was written."),
        "journal": _told(_TEXT_OR_NULL, "The kept journal that takes the change back, null when none is kept."),
        "plan_file": _told(_TEXT_OR_NULL, "Where the plan was saved."),
        "copied_to": _told(_TEXT_OR_NULL, "The copy that is made and changed instead of the disk."),
        "plan": {"$ref": "#/$defs/Plan"},
    },
)
