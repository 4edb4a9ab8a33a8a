"""Makes the JSON Schema files from the fact classes: ``python -m vdiskkit.schemas._generate``.

Needs msgspec, which only development has. A test fails when a committed file is not what this makes.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec.json

from vdiskkit.chain.facts import ChainFacts
from vdiskkit.explanations.facts import Explanation
from vdiskkit.inspection.facts import Inspection
from vdiskkit.ntfs.facts import FileFacts
from vdiskkit.report.file_facts import LsResult
from vdiskkit.report.journal_facts import JournalResult, RecoverResult, UndoResult
from vdiskkit.report.license_facts import LicenseResult
from vdiskkit.report.line_facts import ChangeItem, ChangeOutcome, DiskSummary, RecoverOutcome, UndoOutcome, ValueItem
from vdiskkit.report.pvp_facts import PvpResult
from vdiskkit.report.registry_facts import RegistryGetResult, RegistryLsResult
from vdiskkit.rules.facts import Counts, Finding, ProfileFacts, Report, RuleFacts, WaivedFinding
from vdiskkit.schemas._log import LOG
from vdiskkit.schemas._plan import CHANGE_RESULT, PLAN, PLAN_DEFINITIONS

__all__ = ["RESULTS", "build", "main"]

RESULTS: dict[str, type | dict[str, Any] | None] = {
    "chain": ChainFacts,
    "error": None,
    "explain": Explanation,
    "inspect": Inspection,
    "journal": JournalResult,
    "license": LicenseResult,
    "ls": LsResult,
    "patch": CHANGE_RESULT,
    "pvp": PvpResult,
    "recover": RecoverResult,
    "reg-get": RegistryGetResult,
    "reg-ls": RegistryLsResult,
    "rules": RuleFacts,
    "stat": FileFacts,
    "undo": UndoResult,
    "validate": Report,
}
"""Short schema name to the class of its results, or to a schema that was written by hand; None for runs that failed
before their command was known."""

_LISTED = {Explanation: "explanations", RuleFacts: "rules"}
"""Results that concern no disk, to the member at the top in which they stand."""

_LINES = {
    "disk": DiskSummary,
    "value": ValueItem,
    "patch": ChangeOutcome,
    "undo": UndoOutcome,
    "recover": RecoverOutcome,
}
"""Type of a JSON line to the class of its ``result``."""

_VERSION = 1
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TEXT_OR_NULL = {"anyOf": [{"type": "string"}, {"type": "null"}]}
_ERROR = {
    "title": "Error",
    "description": "Why there is no result.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "description": "Class of the error; new ones may come."},
        "message": {"type": "string", "description": "What is wrong and why."},
        "location": {**_TEXT_OR_NULL, "description": "Where: the file, and the way into it."},
        "hint": {**_TEXT_OR_NULL, "description": "What to do now."},
    },
    "required": ["type", "message", "location", "hint"],
}


def build() -> dict[str, str]:
    """Return the text of every schema file by its name."""
    files = {f"{name}-{_VERSION}.json": _text(_schema(name, result)) for name, result in RESULTS.items()}
    plan = {"$schema": _DIALECT, "$id": f"vdiskkit.plan/{_VERSION}", **PLAN, "$defs": PLAN_DEFINITIONS}
    log = {"$schema": _DIALECT, "$id": f"vdiskkit.log/{_VERSION}", **LOG}
    return {
        **files,
        f"lines-{_VERSION}.json": _text(_lines()),
        f"log-{_VERSION}.json": _text(log),
        f"plan-{_VERSION}.json": _text(plan),
    }


def main() -> None:
    """Write the files."""
    folder = Path(__file__).parent
    for name, text in build().items():
        (folder / name).write_text(text, encoding="ascii", newline="\n")


def _schema(name: str, result: type | dict[str, Any] | None) -> dict[str, Any]:
    definitions: dict[str, Any] = {"Error": _ERROR}
    listed = _LISTED.get(result) if isinstance(result, type) else None
    choices: list[dict[str, Any]] = [_disk("error", {"$ref": "#/$defs/Error"})]
    if isinstance(result, dict):
        definitions |= {**PLAN_DEFINITIONS, "Plan": PLAN, result["title"]: result}
        choices.insert(0, _disk("result", {"$ref": f"#/$defs/{result['title']}"}))
    elif result is not None:
        (reference,), components = msgspec.json.schema_components([result], ref_template="#/$defs/{name}")
        definitions |= {title: _described(component) for title, component in components.items()}
        if result is Inspection:
            definitions["PartialInspection"] = _partial(definitions["Inspection"])
            reference = {"anyOf": [reference, {"$ref": "#/$defs/PartialInspection"}]}
        if listed is None:
            choices.insert(0, _disk("result", reference))
    envelope = _envelope(name, choices)
    if result is RegistryGetResult:
        # One value of one disk: its members also stand at the top, where a script expects them.
        envelope["properties"] |= definitions["RegistryGetResult"]["properties"]
    if listed is not None:
        envelope["properties"][listed] = {"type": "array", "items": reference}
    if result is Report:
        envelope["properties"] |= _all_findings()
        envelope["properties"]["summary"]["properties"]["unfit"] = {
            "type": "integer",
            "minimum": 0,
            "description": "Disks with findings at the fail level.",
        }
    return {
        "$schema": _DIALECT,
        "$id": f"vdiskkit.{name}/{_VERSION}",
        **envelope,
        "$defs": definitions,
    }


def _lines() -> dict[str, Any]:
    """One line of ``--output-format jsonl``, of whichever command."""
    classes = [*_LINES.values(), ChangeItem, Finding, WaivedFinding, ProfileFacts, Counts]
    _, components = msgspec.json.schema_components(classes, ref_template="#/$defs/{name}")
    references = {made: {"$ref": f"#/$defs/{made.__name__}"} for made in classes}
    text, flag = {"type": "string"}, {"type": "boolean"}
    code = {"type": "integer", "minimum": 0, "description": "The exit code that it stands for."}
    choices = [_line(kind, result=references[made]) for kind, made in _LINES.items()]
    choices += [
        _line("change", change=references[ChangeItem]),
        _joined("finding", references[Finding]),
        _joined("waived", references[WaivedFinding]),
        _line("unknown", code=text, reason=text),
        _line("report", profile=references[ProfileFacts], counts=references[Counts], failed=flag),
        _line("error", error={"$ref": "#/$defs/Error"}, exit_code=code),
    ]
    choices[-1]["properties"]["target"] = {**_TEXT_OR_NULL, "description": "Null when no disk is concerned."}
    return {
        "$schema": _DIALECT,
        "$id": f"vdiskkit.lines/{_VERSION}",
        "title": f"vdiskkit.lines/{_VERSION}",
        "description": "One line of `--output-format jsonl`. Types and members may be added without a new version.",
        "oneOf": choices,
        "$defs": {"Error": _ERROR, **{name: _described(component) for name, component in components.items()}},
    }


def _line(kind: str, **members: dict[str, Any]) -> dict[str, Any]:
    target = {"type": "string", "description": "The disk, as it was named."}
    properties = {"type": {"const": kind}, "target": target, **members}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _joined(kind: str, reference: dict[str, Any]) -> dict[str, Any]:
    """A line whose members stand beside its type and target."""
    return {"allOf": [reference, _line(kind)]}


def _envelope(name: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
    count = {"type": "integer", "minimum": 0}
    return {
        "title": f"vdiskkit.{name}/{_VERSION}",
        "description": "One run of the command line. Members may be added without a new version.",
        "type": "object",
        "properties": {
            "schema": {"const": f"vdiskkit.{name}/{_VERSION}"},
            "tool": {
                "type": "object",
                "properties": {"name": {"const": "vdiskkit"}, "version": {"type": "string"}},
                "required": ["name", "version"],
            },
            "started": {"type": "string", "format": "date-time", "description": "When the run began, UTC."},
            "disks": {"type": "array", "items": {"oneOf": choices}, "description": "One entry for each disk."},
            "summary": {
                "type": "object",
                "properties": {"disks": count, "failed": count},
                "required": ["disks", "failed"],
            },
            "exit_code": {**count, "description": "What the process returned."},
            "error": {"$ref": "#/$defs/Error", "description": "The worst error; absent when there was none."},
        },
        "required": ["schema", "tool", "started", "disks", "summary", "exit_code"],
    }


def _all_findings() -> dict[str, Any]:
    target = {"type": "object", "properties": {"target": {"type": "string"}}, "required": ["target"]}
    item = {"allOf": [{"$ref": f"#/$defs/{Finding.__name__}"}, target]}
    text = "The findings of all disks, each with its target; absent when the run failed before the first disk."
    return {"findings": {"type": "array", "items": item, "description": text}}


def _disk(member: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "target": {"type": "string", "description": "As it was named."},
            member: schema,
            "notices": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
                    "required": ["code", "message"],
                },
                "description": "What is to be told of the disk beside its result, an interrupted change for instance; "
                "absent without anything.",
            },
        },
        "required": ["target", member],
    }


def _partial(full: dict[str, Any]) -> dict[str, Any]:
    """An inspection cut down by ``--section``."""
    sections = {"type": "array", "items": {"type": "string"}, "description": "The sections that were asked for."}
    return {
        "title": "PartialInspection",
        "description": "An inspection with only the members of some sections.",
        "type": "object",
        "properties": {"sections": sections, **full["properties"]},
        "required": ["sections", "target"],
    }


def _described(component: dict[str, Any]) -> dict[str, Any]:
    """Move attribute descriptions to their properties; ``to_dict`` gives all of them, so all are required."""
    summary, _, attributes = component.get("description", "").partition("Attributes:")
    described = {**component, "description": _one_line(summary)}
    if "properties" not in component:
        return described
    texts = dict(re.findall(r"^ {8}(\w+): (.*(?:\n {12,}.*)*)", attributes, re.MULTILINE))
    described["properties"] = {
        name: {
            **{key: value for key, value in schema.items() if key != "default"},
            **({"description": _one_line(texts[name])} if name in texts else {}),
        }
        for name, schema in component["properties"].items()
    }
    described["required"] = list(component["properties"])
    return described


def _one_line(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def _text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    main()
