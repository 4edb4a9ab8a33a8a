"""What in the source of vdiskkit has to be explained: notices and errors, found in the code itself."""

from __future__ import annotations

import ast
import functools
import importlib
import pkgutil
import re
import sys
from pathlib import Path
from typing import NamedTuple

import vdiskkit
from vdiskkit.errors import VDiskError
from vdiskkit.schemas._log import EVENTS

PACKAGE = Path(vdiskkit.__file__).parent
_CODE = re.compile(r"[a-z]+\.[a-z][a-z0-9_]*")
_ELSEWHERE = {
    "explanations": "the texts themselves",
    "report/junit.py": "names of test cases",
    "patch/ntfs/check.py": "codes of structural faults, which tell faults apart and are shown to nobody",
    "patch/ntfs/refusals.py": "codes of refusals, which become errors",
    "schemas/_log.py": "names of events of the log",
}
"""Where codes of the same form are made that are no notices."""

_NAMES = re.compile(r"(?:vdiskkit|dissect|click)\..*|.*\.(?:com|csv|dat|dll|efi|exe|ini|inf|json|sys|toml|xml|vbs)")
"""Texts of the same form that are names of modules, hosts or files."""


class Notice(NamedTuple):
    """One place where the code of a notice stands; the code may hold ``[a-z_]+`` where it is put together."""

    code: str
    place: str


@functools.cache
def notices() -> tuple[Notice, ...]:
    """Every code of a notice in the source, and every pattern of one."""
    found: list[Notice] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(tuple(_ELSEWHERE)):
            found += _in_file(ast.parse(path.read_text(encoding="utf-8")), name)
    return tuple(found)


def _in_file(tree: ast.Module, name: str) -> list[Notice]:
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    found = []
    for node in ast.walk(tree):
        code = None
        if isinstance(node, ast.JoinedStr):
            code = _pattern(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            code = node.value if _CODE.fullmatch(node.value) else None
        if code is not None and code not in EVENTS and not _NAMES.fullmatch(code):
            found.append(Notice(code, f"vdiskkit/{name}:{getattr(node, 'lineno', 0)}"))
    return found


def _pattern(node: ast.JoinedStr) -> str | None:
    """The pattern of codes that an f-string makes; None when it cannot be one."""
    parts = [part.value if isinstance(part, ast.Constant) else "[a-z_]+" for part in node.values]
    text = "".join(str(part) for part in parts)
    shape = re.sub(re.escape("[a-z_]+"), "x", text)
    return text.replace(".", r"\.", 1) if _CODE.fullmatch(shape) and isinstance(node.values[0], ast.Constant) else None


_OTHER_SYSTEM = "io.posix" if sys.platform == "win32" else "io.windows"


@functools.cache
def errors() -> dict[str, type[VDiskError]]:
    """Every error class of vdiskkit by its name, private ones left out."""
    for module in pkgutil.walk_packages(vdiskkit.__path__, "vdiskkit."):
        if not module.name.endswith(("__main__", _OTHER_SYSTEM)):
            importlib.import_module(module.name)
    found: dict[str, type[VDiskError]] = {}
    left: list[type[VDiskError]] = [VDiskError]
    while left:
        error = left.pop()
        left += error.__subclasses__()
        if error.__module__.startswith("vdiskkit.") and not error.__name__.startswith("_"):
            found[error.__name__] = error
    return found
