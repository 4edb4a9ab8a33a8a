"""Run by a Python that has pyregf: writes every key and value of a hive as JSON lines."""

from __future__ import annotations

import json
import sys
from typing import Any

import pyregf


def main(path: str) -> None:
    file = pyregf.file()
    file.open(path)
    stack: list[tuple[Any, list[str]]] = [(file.get_root_key(), [])]
    while stack:
        key, names = stack.pop()
        line(path=names, written=key.get_last_written_time_as_integer())
        for index in range(key.get_number_of_values()):
            value = key.get_value(index)
            data = (value.get_data() or b"").hex()
            line(path=names, name=value.name or "", type=value.type & 0xFFFFFFFF, data=data)
        children = [key.get_sub_key(index) for index in range(key.get_number_of_sub_keys())]
        stack += [(child, [*names, child.name]) for child in reversed(children)]


def line(**fields: object) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")


main(sys.argv[1])
