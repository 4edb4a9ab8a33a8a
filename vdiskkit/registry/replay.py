"""The transaction logs of a dirty hive replayed in memory: the hive as Windows would see it after recovery.

What is applied, in the new format (Windows 8.1 and later):

* A log counts when the checksum of its base block fits and both its sequence numbers are equal. Its entries are the
  ones from its second sector on whose numbers run without a gap from that of its base block, and whose hashes, hive
  bins size and page references hold; the first that does not ends them.
* With a sound base block in the primary the log with the lower number comes first, unless that is below the hive's
  secondary sequence number: then everything in it is in the hive already. The other log goes on where its number is
  that of the last entry plus one.
* With an unsound one only the log with the higher number is used, and its base block takes the place of the primary's.

In the old format (Windows 8 and earlier) a log is applied when its last-written time is that of the primary's base
block. When that is unsound, the time of the first hive bin takes its place, and the log may be later. ``.LOG1`` is
tried before ``.LOG2``.

A hive is then walked as a whole. One that does not hold is not shown: the primary is, marked as stale.

Follows the sections "Format of transaction log files", "Dirty state of a hive" and "Multiple transaction log files" of
Maxim Suhanov's "Windows registry file format specification".
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import FormatError, ReadLimitError, SourceError, VDiskError
from vdiskkit.registry.base_block import BASE_BLOCK_SIZE, CHECKED_SIZE, BaseBlock, checksum, parse_base_block
from vdiskkit.registry.log_entries import Run, gather_runs, is_behind
from vdiskkit.registry.logs import PAGE_UNIT, HiveLog, LogFormat, open_log, read_dirty_vector, read_log
from vdiskkit.registry.overlay import OverlaidHive
from vdiskkit.registry.soundness import new_faults
from vdiskkit.text import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vdiskkit.io import ByteSource

__all__ = ["ReplayNotice", "Replayed", "replay", "replay_files", "replay_summary"]

_WORD = 0xFFFFFFFF
_WHY_NONE = ("log_unusable", "log_left_out")
_KTM_PENDING = 1
_BIN_HEADER = 32
_READ = 1024 * 1024
"""Bytes of pages that are read at a time."""


class ReplayNotice(NamedTuple):
    """Something to tell about a replay.

    Attributes:
        code: Short name: ``log_unusable``, ``log_left_out``, ``log_ended``, ``base_block``, ``damage``.
        message: One sentence.
    """

    code: str
    message: str


class Replayed:
    """A dirty hive and what its logs make of it.

    Attributes:
        primary: The hive file as it is.
        source: The hive as Windows would see it after recovery; the primary itself when :attr:`stale`.
        format: Format of the logs that were applied; NONE when none was.
        entries: How many log entries were applied; 1 for a log of the old format.
        logs: Names of the logs they came from, in the order they were applied.
        stale: Whether no log could be used, so that the primary is shown though it may be old.
        reason: Why it is stale; empty otherwise.
        base_block_recovered: Whether the primary's base block was unsound and a log's copy took its place.
        notices: What else is to be told.
    """

    def __init__(self, primary: ByteSource, logs: Sequence[tuple[str, ByteSource]]) -> None:
        self.primary = primary
        self.source: ByteSource = primary
        self.format = LogFormat.NONE
        self.entries = 0
        self.logs: tuple[str, ...] = ()
        self.stale = True
        self.reason = ""
        self.base_block_recovered = False
        self.notices: list[ReplayNotice] = []
        self._files = tuple(logs)
        self._overlay: OverlaidHive | None = None
        self._highest: int | None = None

    @property
    def size(self) -> int:
        """Length of the hive file after the replay, in bytes; never less than before."""
        return self.source.size

    @property
    def pages(self) -> Iterator[tuple[int, bytes]]:
        """(Offset in the hive file, bytes) of each page that a log changes or the replay had to; 4096 bytes or less.

        The first one is that of the base block.
        """
        return self._overlay.pages() if self._overlay is not None else iter(())

    @property
    def highest_sequence(self) -> int:
        """The highest sequence number in any log: base blocks and all entries, damaged and old ones too."""
        if self._highest is None:
            self._highest = max((self._sequence(source) for _, source in self._files), default=0)
        return self._highest

    @property
    def summary(self) -> str:
        """What was done, as the end of a sentence."""
        return replay_summary(self.format, self.entries, self.logs)

    def from_log(self, offset: int, length: int) -> bool:
        """Whether any byte of a range of the hive file is not what the primary holds, but what a log says."""
        return self._overlay is not None and self._overlay.differs(offset, length)

    def _sequence(self, source: ByteSource) -> int:
        try:
            return read_log(source).sequence
        except FormatError as exc:
            _raise_when_used_up(exc)
            return 0

    def tell(self, code: str, message: str) -> None:
        """Add a notice."""
        self.notices.append(ReplayNotice(code, message))

    def drop(self, reason: str) -> None:
        """Show the primary instead of the hive with the logs applied."""
        self.source, self._overlay = self.primary, None
        self.format, self.entries, self.logs, self.stale = LogFormat.NONE, 0, (), True
        self.base_block_recovered = False
        self.reason = reason

    def take(self, overlay: OverlaidHive, form: LogFormat, entries: int, logs: Sequence[str]) -> None:
        """Show the hive with the logs applied."""
        self.source = self._overlay = overlay
        self.format, self.entries, self.logs, self.stale = form, entries, tuple(logs), False


def replay_summary(form: str, entries: int, logs: Sequence[str]) -> str:
    """Say how a hive is shown: ``it is shown as after the replay of 3 entries in X.LOG1``."""
    count = "the changes" if form == LogFormat.OLD.value else counted(entries, "entry", "entries")
    return f"it is shown as after the replay of {count} in {' and '.join(logs)}"


def replay(primary: ByteSource, logs: Sequence[tuple[str, ByteSource]], name: str = "") -> Replayed:
    """Replay the logs of a dirty hive.

    Args:
        primary: The hive file.
        logs: Name and content of the log files beside it: ``.LOG1``, ``.LOG2``, ``.LOG``, those that exist.
        name: Short name of the hive, for messages.

    Raises:
        SourceError: The operating system could not read.
        ReadLimitError: The read budget is used up.
    """
    result = Replayed(primary, logs)
    shown = name or "hive"
    opened = _open_logs(result, logs)
    block = primary.read_at(0, min(primary.size, CHECKED_SIZE))
    try:
        base = _base_block(block, primary)
    except FormatError as exc:
        result.reason = exc.message
        return result
    if base is not None and not base.dirty:
        result.reason = f"the {shown} is clean: its logs do not count"
        return result
    new = _numbered([log for log in opened if log.format is LogFormat.NEW])
    old = [log for log in opened if log.format is LogFormat.OLD]
    try:
        overlay = _replay_new(result, base, new) if new else None
        if overlay is None and not result.reason:
            overlay = _replay_old(result, base, block, old)
        if overlay is not None:
            _judge(result, base, overlay)
    except FormatError as exc:
        _raise_when_used_up(exc)
        result.drop(f"its logs cannot be read: {exc.message}")
    if result.stale and not result.reason:
        result.reason = _nothing_usable(logs, result.notices)
    return result


def replay_files(primary: ByteSource, logs: Callable[[], Sequence[tuple[str, ByteSource]]], name: str = "") -> Replayed:
    """Open the logs of a dirty hive and replay them; see :func:`replay`. Logs that cannot be opened leave it stale."""
    try:
        files = logs()
    except (FormatError, SourceError) as exc:
        _raise_when_used_up(exc)
        result = Replayed(primary, ())
        result.reason = f"its logs cannot be opened: {exc.message}"
        return result
    return replay(primary, files, name)


def _nothing_usable(logs: Sequence[tuple[str, ByteSource]], notices: Sequence[ReplayNotice]) -> str:
    if not logs:
        return "there is no log beside it"
    problems = [notice.message for notice in notices if notice.code in _WHY_NONE]
    return "; ".join(problems) or "its logs are empty"


def _raise_when_used_up(error: VDiskError) -> None:
    if isinstance(error, ReadLimitError) and error.used_up:
        raise error


def _open_logs(result: Replayed, logs: Sequence[tuple[str, ByteSource]]) -> list[HiveLog]:
    opened = []
    for name, source in logs:
        try:
            log = open_log(name, source)
        except FormatError as exc:
            _raise_when_used_up(exc)
            result.tell("log_unusable", f"{name} cannot be read: {exc.message}")
            continue
        if log.problem:
            result.tell("log_unusable", f"{name} is not used: {log.problem}")
        elif log.usable:
            opened.append(log)
    return opened


def _base_block(block: bytes, primary: ByteSource) -> BaseBlock | None:
    """The primary's base block; None when it is damaged and must come from a log.

    Raises:
        FormatError: Its checksum fits, but it cannot describe the hive: no log would help.
    """
    if len(block) < CHECKED_SIZE or checksum(block) != int.from_bytes(block[508:], "little"):
        return None
    return parse_base_block(block, primary.size, primary.location)


def _numbered(logs: Sequence[HiveLog]) -> list[HiveLog]:
    """``.LOG1`` and ``.LOG2``; what else there is only without them: ``.LOG`` may be left from an older Windows."""
    return [log for log in logs if log.name.endswith(("1", "2"))][:2] or list(logs[:1])


# -- new format --------------------------------------------------------------------------------------------------------
def _replay_new(result: Replayed, base: BaseBlock | None, logs: Sequence[HiveLog]) -> OverlaidHive | None:
    runs = _choose(result, base, gather_runs(_in_order(logs)))
    if not runs:
        return None
    entries = [entry for run in runs for entry in run.entries]
    last = entries[-1]
    overlay = OverlaidHive(result.primary, BASE_BLOCK_SIZE + max(entry.hive_bins_size for entry in entries))
    _lay_pages(overlay, [(run.log.source, run.references) for run in runs])
    head = bytearray(result.primary.read_at(0, CHECKED_SIZE) if base is not None else runs[-1].log.block)
    following = last.sequence + 1 & _WORD
    struct.pack_into("<II", head, 4, following, following)
    struct.pack_into("<I", head, 40, last.hive_bins_size)
    (flags,) = struct.unpack_from("<I", head, 144)
    struct.pack_into("<I", head, 144, flags & ~_KTM_PENDING | last.flags & _KTM_PENDING)
    _put_base_block(result, overlay, head, base)
    result.take(overlay, LogFormat.NEW, len(entries), [run.log.name for run in runs])
    return overlay


def _in_order(logs: Sequence[HiveLog]) -> list[HiveLog]:
    """The log with the lower number first."""
    ordered = list(logs)
    if len(ordered) == 2 and is_behind(ordered[1].sequence, ordered[0].sequence):
        ordered.reverse()
    return ordered


def _choose(result: Replayed, base: BaseBlock | None, runs: Sequence[Run]) -> list[Run]:
    """Choose what is applied, in order; nothing, with the reason, when the first entry cannot be."""
    if base is None:
        for run in runs[:-1]:
            result.tell(
                "log_left_out",
                f"{run.log.name} is left out: with a damaged base block only the log with the latest entries counts",
            )
        runs = runs[-1:]
    chosen: list[Run] = []
    for run in runs:
        log = run.log
        if not chosen and base is not None and is_behind(log.sequence, base.sequence_2):
            result.tell(
                "log_left_out",
                f"{log.name} is left out: its entries begin with number {log.sequence}, "
                f"and the hive has everything up to {base.sequence_2}",
            )
            continue
        following = chosen[-1].entries[-1].sequence + 1 & _WORD if chosen else log.sequence
        if log.sequence != following:
            result.tell(
                "log_ended",
                f"{log.name} is not applied: its entries begin with number {log.sequence}, and {following} is missing",
            )
            break
        if not run.entries:
            if not chosen and run.ended:
                result.reason = f"{log.name} cannot be applied: {run.ended}"
                break
            if run.ended:
                result.tell("log_ended", f"nothing of {log.name} is applied: {run.ended}")
            continue
        chosen.append(run)
        if run.ended:
            result.tell("log_ended", f"{log.name} is applied up to number {run.entries[-1].sequence}: {run.ended}")
    return chosen


def _lay_pages(overlay: OverlaidHive, parts: Sequence[tuple[ByteSource, Sequence[tuple[int, int, int]]]]) -> None:
    """Lay the pages over the hive, of parts that are in the order of time.

    Of a page that stands in many entries only the last version is read: from the newest on, what is there stays.
    """
    sectors = bytearray((overlay.size - BASE_BLOCK_SIZE) // PAGE_UNIT)
    for source, references in reversed(parts):
        for offset, length, place in reversed(references):
            at, end = offset // PAGE_UNIT, (offset + length) // PAGE_UNIT
            while (at := sectors.find(0, at, end)) >= 0:
                stop = sectors.find(1, at, min(end, at + _READ // PAGE_UNIT))
                stop = min(end, at + _READ // PAGE_UNIT) if stop < 0 else stop
                data = source.read_at(place + at * PAGE_UNIT - offset, (stop - at) * PAGE_UNIT)
                overlay.put(BASE_BLOCK_SIZE + at * PAGE_UNIT, data)
                sectors[at:stop] = b"\1" * (stop - at)
                at = stop


# -- old format --------------------------------------------------------------------------------------------------------
def _replay_old(result: Replayed, base: BaseBlock | None, block: bytes, logs: Sequence[HiveLog]) -> OverlaidHive | None:
    for number, log in enumerate(logs):
        if not _belongs(log, result.primary, base, block):
            result.tell(
                "log_unusable", f"{log.name} is not used: it belongs to another state of the hive (last-written time)"
            )
            continue
        references = read_dirty_vector(log)
        if isinstance(references, str):
            result.tell("log_unusable", f"{log.name} is not used: {references}")
            continue
        for other in logs[number + 1 :]:
            result.tell("log_left_out", f"{other.name} is left out: {log.name} fits the hive")
        overlay = OverlaidHive(result.primary, BASE_BLOCK_SIZE + log.hive_bins_size)
        _lay_pages(overlay, [(log.source, references)])
        head = bytearray(log.block)
        _put_base_block(result, overlay, head, base)
        result.take(overlay, LogFormat.OLD, 1, [log.name])
        return overlay
    return None


def _belongs(log: HiveLog, primary: ByteSource, base: BaseBlock | None, block: bytes) -> bool:
    """Whether a log carries on from the state that the primary is in, by their last-written times."""
    if base is not None:
        return log.written == int.from_bytes(block[12:20], "little")
    if primary.size < BASE_BLOCK_SIZE + _BIN_HEADER:
        return False
    header = primary.read_at(BASE_BLOCK_SIZE, _BIN_HEADER)
    # The base block is written before the first bin. Where it was torn the bin may still have the time before.
    return header[:4] == b"hbin" and log.written >= int.from_bytes(header[20:28], "little")


# -- both --------------------------------------------------------------------------------------------------------------
def _put_base_block(result: Replayed, overlay: OverlaidHive, head: bytearray, base: BaseBlock | None) -> None:
    struct.pack_into("<I", head, 28, 0)  # a primary file, whatever the copy in the log says
    struct.pack_into("<I", head, 508, checksum(bytes(head)))
    overlay.put(0, bytes(head))
    result.base_block_recovered = base is None


def _judge(result: Replayed, base: BaseBlock | None, overlay: OverlaidHive) -> None:
    """Walk the hive after the replay, and take the replay back when it does not hold."""
    try:
        after = parse_base_block(overlay.read_at(0, CHECKED_SIZE), overlay.size, overlay.location)
    except FormatError as exc:
        result.drop(f"after the replay the hive would not hold: {exc.message}")
        return
    added, old = new_faults(overlay, after, result.primary, base)
    if added:
        result.drop(f"after the replay the hive would not hold: {added[0].message}")
    elif old:
        result.tell("damage", f"the hive is damaged, with its logs as without: {old[0].message}")
