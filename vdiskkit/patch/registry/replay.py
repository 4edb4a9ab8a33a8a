"""A hive that was not closed cleanly, brought up to date before it is edited.

Windows would replay the transaction logs before it uses such a hive. Editing what is in the file would either lose what
is only in the logs, or be lost itself when the logs are replayed over it. So the logs are replayed first, as part of
the same change, and the edit is made on top: what it says was there before is what Windows would have shown.

The base block is the switch between old and new. Until it is written the hive stays dirty, and Windows replays its logs
again, over all that they hold: whatever of it was written by then does no harm. So what the replay changes comes first,
with new content for cells that are free after it; then the base block, which says that the hive is clean; and then the
rest of the edit, as that of any clean hive.

Follows the sections "Dirty state of a hive" and "Transaction log files" of Maxim Suhanov's "Windows registry file
format specification".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.errors import LogReplayNeededError
from vdiskkit.patch.staging import SECTOR, Phase
from vdiskkit.registry.base_block import BASE_BLOCK_SIZE, CHECKED_SIZE, checksum, parse_base_block
from vdiskkit.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vdiskkit.io import ByteSource
    from vdiskkit.registry.replay import Replayed

__all__ = ["ReplayedHive", "replayed_hive"]


class ReplayedHive:
    """A dirty hive and what its logs make of it.

    Args:
        primary: The hive file as it is.
        replayed: The result of the replay, not a stale one.
        name: Short name of the hive.

    Attributes:
        view: The hive as Windows would use it.
        size: Bytes that the file needs for it.
        old_format: Whether a log in the format of Windows 8 and earlier was replayed.
    """

    def __init__(self, primary: ByteSource, replayed: Replayed, name: str) -> None:
        from vdiskkit.registry.logs import LogFormat

        self._primary = primary
        self._replayed = replayed
        self._name = name
        self._known: frozenset[int] | None = None
        self._edited: set[int] = set()
        self.view = replayed.source
        self.size = max(primary.size, replayed.size)
        self.old_format = replayed.format is LogFormat.OLD

    @property
    def sequence(self) -> int:
        """The highest sequence number in the hive and its logs; what stands in a damaged base block is none."""
        block = self._primary.read_at(0, CHECKED_SIZE)
        own = max(_sequences(block)) if _sound(block) else 0
        return max(own, self._replayed.highest_sequence)

    @property
    def pages(self) -> frozenset[int]:
        """Numbers of the 4 KiB pages of hive bins that the replay changes."""
        per_page = BASE_BLOCK_SIZE // SECTOR
        return frozenset(number // per_page - 1 for number in self._sectors if number >= per_page)

    def unedited(self) -> Iterator[tuple[int, bytes]]:
        """Yield what the replay changes and the edit left so, as far as it is noted: offset, bytes of a sector."""
        for offset, data, _ in self.writes():
            for at in range(0, len(data), SECTOR):
                if (offset + at) // SECTOR not in self._edited:
                    yield offset + at, data[at : at + SECTOR]

    def writes(self) -> Iterator[tuple[int, bytes, Phase]]:
        """Yield what the replay changes in the file: offset, bytes, phase."""
        for offset, data in self._replayed.pages:
            for start, end, changed in self._runs(offset, offset + len(data)):
                if changed:
                    phase = Phase.HIVE_OPEN if start < BASE_BLOCK_SIZE else Phase.DATA
                    yield start, data[start - offset : end - offset], phase

    def edited(self, offset: int, length: int) -> None:
        """Note that the edit changes a range."""
        self._edited.update(range(offset // SECTOR, (offset + length - 1) // SECTOR + 1))

    @property
    def logs(self) -> str:
        """What was replayed, such as ``2 entries from SOFTWARE.LOG1``."""
        what = "the changes" if self.old_format else counted(self._replayed.entries, "entry", "entries")
        return f"{what} from {' and '.join(self._replayed.logs)}"

    def notes(self) -> list[str]:
        """Return what to tell the user, one sentence each, first that it was replayed."""
        replayed = self._replayed
        found = [f"the {self._name} hive was not closed cleanly: replayed {self.logs} first"]
        if replayed.base_block_recovered:
            found.append(
                f"the {self._name} hive: its base block was damaged, the copy in {replayed.logs[-1]} replaces it"
            )
        found += [f"the {self._name} hive: {notice.message}" for notice in replayed.notices]
        return found

    @property
    def _sectors(self) -> frozenset[int]:
        """Numbers of the sectors that the replay changes. All of them but the base block are in a log."""
        if self._known is None:
            self._known = frozenset(
                (offset + at) // SECTOR
                for offset, data in self._replayed.pages
                for at in _differing(data, self._old(offset, len(data)))
            )
        return self._known

    def _runs(self, start: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """Split a range where the replay begins or ends to change sectors: start, end, whether it changes this part."""
        while start < end:
            changed = start // SECTOR in self._sectors
            stop = (start // SECTOR + 1) * SECTOR
            while stop < end and stop != BASE_BLOCK_SIZE and (stop // SECTOR in self._sectors) is changed:
                stop += SECTOR
            yield start, min(stop, end), changed
            start = stop

    def _old(self, offset: int, length: int) -> bytes:
        inside = max(min(length, self._primary.size - offset), 0)
        return (self._primary.read_at(offset, inside) if inside else b"").ljust(length, b"\0")


def replayed_hive(
    primary: ByteSource, logs: Sequence[tuple[str, ByteSource]], name: str, replayed: Replayed | None = None
) -> ReplayedHive | None:
    """Replay the logs of a hive that is dirty; a clean one is never replayed.

    Args:
        primary: The hive file.
        logs: Its logs by file name.
        name: Short name of the hive.
        replayed: The replay of these logs into this file, where it is known already.

    Returns:
        The hive as it is after the replay; None for a clean one.

    Raises:
        FormatError: It is no hive.
        LogReplayNeededError: It is dirty, and no log can be replayed.
    """
    block = primary.read_at(0, min(CHECKED_SIZE, primary.size))
    if len(block) < CHECKED_SIZE or (_sound(block) and len(set(_sequences(block))) == 1):
        return None
    if replayed is None:
        from vdiskkit.registry.replay import replay

        replayed = replay(primary, logs, name)
    if not replayed.stale:
        return ReplayedHive(primary, replayed, name)
    base = parse_base_block(block, primary.size, primary.location)
    raise LogReplayNeededError(
        f"the hive {name or 'file'} was not closed cleanly: {base.dirty_reason}; what its logs held is lost or cannot "
        f"be used: {replayed.reason}",
        location=primary.location,
        hint="start the image once and shut it down, look at what Windows made of it, then try again; or take the hive "
        "with its logs from a backup",
    )


def _differing(new: bytes, old: bytes) -> Iterator[int]:
    """Yield the places of the sectors that differ."""
    if new != old:
        for at in range(0, len(new), SECTOR):
            if new[at : at + SECTOR] != old[at : at + SECTOR]:
                yield at


def _sequences(block: bytes) -> tuple[int, int]:
    return int.from_bytes(block[4:8], "little"), int.from_bytes(block[8:12], "little")


def _sound(block: bytes) -> bool:
    return checksum(block) == int.from_bytes(block[508:512], "little")
