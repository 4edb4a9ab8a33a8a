"""What a change consists of: small operations as plain data, which a plan file can hold and a person can read.

An operation names its goal, never bytes or offsets of a file: applying a saved plan derives the writes anew, so that a
plan file cannot be a way to write anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vdiskkit.errors import UsageError
from vdiskkit.registry.value_types import type_name

__all__ = [
    "CreateKey",
    "DeleteFile",
    "DeleteKey",
    "DeleteValue",
    "Operation",
    "ReplayLogs",
    "SetPvpField",
    "SetValue",
    "operation_from_dict",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetValue:
    r"""Set a registry value.

    Attributes:
        key: Full key path, ``HKLM\SOFTWARE\...``.
        name: Value name, empty for the default value.
        type: Registry type number.
        data: The raw data.
        create_keys: Create the key when it does not exist.
    """

    key: str
    name: str
    type: int
    data: bytes
    create_keys: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the operation as JSON types."""
        return {
            "operation": "set_value",
            "key": self.key,
            "name": self.name,
            "type": self.type,
            "data": self.data.hex(),
            "create_keys": self.create_keys,
        }

    def __str__(self) -> str:
        return f"set {self.key}, {self.name or '(default)'} to {type_name(self.type)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteValue:
    """Delete a registry value; ``missing_ok`` makes an absent one no error."""

    key: str
    name: str
    missing_ok: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the operation as JSON types."""
        return {"operation": "delete_value", "key": self.key, "name": self.name, "missing_ok": self.missing_ok}

    def __str__(self) -> str:
        return f"delete {self.key}, {self.name or '(default)'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateKey:
    """Create a registry key and those above it; an existing one is left as it is."""

    key: str

    def to_dict(self) -> dict[str, Any]:
        """Return the operation as JSON types."""
        return {"operation": "create_key", "key": self.key}

    def __str__(self) -> str:
        return f"create {self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteKey:
    """Delete a registry key with everything below it; ``missing_ok`` makes an absent one no error."""

    key: str
    missing_ok: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the operation as JSON types."""
        return {"operation": "delete_key", "key": self.key, "missing_ok": self.missing_ok}

    def __str__(self) -> str:
        return f"delete {self.key} and all below it"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteFile:
    """Delete a file of the Windows volume.

    Attributes:
        path: The file.
        missing_ok: An absent file is no error.
        all_links: Delete every hard link of the file. Without it only this one (with its short name) goes, as in
            Windows, and the content stays while another link has it: system files are linked from WinSxS.
    """

    path: str
    missing_ok: bool = False
    all_links: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the operation as JSON types."""
        return {
            "operation": "delete_file",
            "path": self.path,
            "missing_ok": self.missing_ok,
            "all_links": self.all_links,
        }

    def __str__(self) -> str:
        return f"delete {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayLogs:
    """Write what logs hold to its place, as Windows and Hyper-V do when they next open it.

    Attributes:
        hive: Short name of a hive, whose transaction logs are replayed into it; empty for the log of a VHDX.
    """

    hive: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the operation as JSON types."""
        return {"operation": "replay_logs", "hive": self.hive}

    def __str__(self) -> str:
        return f"replay the logs of the {self.hive} hive" if self.hive else "replay the log of the VHDX"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPvpField:
    """Set a field of the side-car; ``value`` is the text as a user writes it."""

    field: str
    value: str

    def to_dict(self) -> dict[str, Any]:
        """Return the operation as JSON types."""
        return {"operation": "set_pvp_field", "field": self.field, "value": self.value}

    def __str__(self) -> str:
        return f"set {self.field} of the side-car"


Operation = SetValue | DeleteValue | CreateKey | DeleteKey | DeleteFile | ReplayLogs | SetPvpField

_CLASSES: dict[str, type[Any]] = {
    "set_value": SetValue,
    "delete_value": DeleteValue,
    "create_key": CreateKey,
    "delete_key": DeleteKey,
    "delete_file": DeleteFile,
    "replay_logs": ReplayLogs,
    "set_pvp_field": SetPvpField,
}


def operation_from_dict(data: object) -> Operation:
    """Read back what ``to_dict`` gave.

    Raises:
        UsageError: It is no operation that this version knows.
    """
    if not isinstance(data, dict):
        raise UsageError("an operation in the plan is no object", hint="make the plan again")
    fields = dict(data)
    kind = fields.pop("operation", None)
    cls = _CLASSES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise UsageError(f"the plan holds an unknown operation {kind!r}", hint="make the plan again with this version")
    try:
        if cls is SetValue:
            fields["data"] = bytes.fromhex(fields["data"])
        operation = cls(**fields)
    except (KeyError, TypeError, ValueError) as exc:
        raise UsageError(f"an operation {kind} in the plan is malformed: {exc}", hint="make the plan again") from exc
    wrong = [name for name in cls.__slots__ if not isinstance(getattr(operation, name), _field_type(name))]
    if wrong:
        raise UsageError(f"an operation {kind} in the plan has a wrong {wrong[0]}", hint="make the plan again")
    return operation  # type: ignore[no-any-return]  # one of the classes above


def _field_type(name: str) -> type:
    return {"type": int, "data": bytes, "create_keys": bool, "missing_ok": bool, "all_links": bool}.get(name, str)
