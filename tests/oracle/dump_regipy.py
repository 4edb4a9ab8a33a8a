"""Run by a Python that has regipy: writes the numbers and texts of a hive as JSON lines, decoded by regipy."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from regipy.registry import RegistryHive

KINDS = ("REG_DWORD", "REG_QWORD", "REG_SZ", "REG_EXPAND_SZ", "REG_MULTI_SZ")


def main(path: str) -> None:
    logging.disable(logging.CRITICAL)
    hive = RegistryHive(path)
    stack: list[tuple[Any, list[str]]] = [(hive.root, [])]
    while stack:
        key, names = stack.pop()
        for value in key.iter_values(trim_values=False) if key.values_count else ():
            if value.value_type in KINDS and not value.is_corrupted:
                line(path=names, name=value.name, type=value.value_type, data=value.value)
        if key.subkey_count:
            stack += [(child, [*names, child.name]) for child in reversed(list(key.iter_subkeys()))]


def line(**fields: object) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")


main(sys.argv[1])
