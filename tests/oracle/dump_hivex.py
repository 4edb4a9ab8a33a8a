"""Run by a Python that has hivex: writes every key and value of a hive as JSON lines."""

from __future__ import annotations

import json
import sys
from typing import Any

import hivex


def main(path: str) -> None:
    hive = hivex.Hivex(path)
    stack: list[tuple[Any, list[str]]] = [(hive.root(), [])]
    while stack:
        node, names = stack.pop()
        line(path=names, written=hive.node_timestamp(node))
        for value in hive.node_values(node):
            kind, data = hive.value_value(value)
            line(path=names, name=hive.value_key(value), type=kind & 0xFFFFFFFF, data=data.hex())
        stack += [(child, [*names, hive.node_name(child)]) for child in reversed(hive.node_children(node))]


def line(**fields: object) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")


main(sys.argv[1])
