"""Dirty hives for tests: states that a hive went through, edited from logs, and a reader that knows nothing of ours."""

from __future__ import annotations

import functools
import struct
from typing import TYPE_CHECKING

from tests.build.hive import HiveBuilder
from tests.build.hive_log import DirtyHive, recover
from tests.unit.patch.registry.model import NOW, edited, judge
from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import HiveEditor
from vdiskkit.patch.staging import StagedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vdiskkit.io import ByteSource

SPP = r"Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
NEW = "Only in the log"


def software(**options: int) -> HiveBuilder:
    """A hive of several bins."""
    builder = HiveBuilder(**options)
    builder.dword(SPP, "SkipRearm", 0)
    builder.sz(SPP, "KeyManagementServiceName", "kms.old")
    builder.fill("Classes", 120)
    builder.dword("Zone", "Last", 1)
    return builder


def history(count: int = 3, *, first: bytes | None = None, large: int = 0) -> list[bytes]:
    """A hive, and what it was after each of some changes; ``large`` bytes of data make it grow."""
    return list(_history(count, first, large))


@functools.cache
def _history(count: int, first: bytes | None, large: int) -> list[bytes]:
    states = [software().build() if first is None else first]
    for number in range(1, count + 1):

        def change(editor: HiveEditor, number: int = number) -> None:
            editor.set_value(SPP, "SkipRearm", 4, number)
            editor.set_value(rf"{NEW}\Key{number}", "Number", 4, number, create_keys=True)
            if large:
                editor.set_value(NEW, "Large", 3, bytes([number]) * large * number)

        # A log that is replayed finds the times as they were.
        states.append(edited(states[-1], change, old_format_logs=False))
    return states


def logs_of(dirty: DirtyHive, name: str = "SOFTWARE") -> list[tuple[str, ByteSource]]:
    """The logs as the editor takes them."""
    return [(f"{name}.LOG1", BytesSource(dirty.log1)), (f"{name}.LOG2", BytesSource(dirty.log2))]


def open_dirty(dirty: DirtyHive, *, grow: bool = True) -> tuple[HiveEditor, StagedFile]:
    """The hive in the editor, over its logs."""
    staged = StagedFile(BytesSource(dirty.primary))
    editor = HiveEditor(staged, name="SOFTWARE", now=NOW, grow=staged.extend if grow else None, logs=logs_of(dirty))
    return editor, staged


def edited_dirty(dirty: DirtyHive, change: Callable[[HiveEditor], object]) -> bytes:
    """The hive after one edit, which all structural checks find sound."""
    editor, staged = open_dirty(dirty)
    change(editor)
    editor.commit()
    result = staged.read_at(0, staged.size)
    judge(result, editor.touched)
    return result


def bins(data: bytes) -> bytes:
    """The hive bins, without the time of the first one."""
    (size,) = struct.unpack_from("<I", data, 40)
    return data[4096:4116] + bytes(8) + data[4124 : 4096 + size]


def numbers_in(dirty: DirtyHive) -> int:
    """The highest sequence number anywhere in a new-format set."""
    found = [*struct.unpack_from("<II", dirty.primary, 4), *(entry.sequence for entry in dirty.entries)]
    for log in (dirty.log1, dirty.log2):
        if log:
            found += struct.unpack_from("<II", log, 4)
    return max(found)


def recovered(data: bytes, logs: Sequence[bytes]) -> bytes:
    """What a simple reader makes of the hive and the logs."""
    return recover(data, logs)


def marked_numbers(log: bytes) -> list[int]:
    """The numbers of all that is marked as an entry in a log, in a row or not."""
    places = range(512, len(log) - 15, 512)
    return [int.from_bytes(log[at + 12 : at + 16], "little") for at in places if log[at : at + 4] == b"HvLE"]
