"""What a crash can leave of a staged change: all of the earlier phases, and any of the sectors of one.

A disk writes sectors of 512 bytes whole or not at all, and between two phases it is flushed. Inside of a phase it
writes in the order it likes, so what is there then may be any subset; of these there are too many, so some are taken:
what is written from the first sector on, from the last one on, each sector alone, all but each, and some at random.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.patch.staging import SECTOR, Phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vdiskkit.patch.staging import FileChange, StagedFile

RANDOM_SUBSETS = 4


class Write(NamedTuple):
    """One sector, or what is written at once."""

    offset: int
    data: bytes


class Torn(NamedTuple):
    """A file as a crash leaves it: in which phase, and the content."""

    phase: Phase
    data: bytes


def torn_files(
    staged: StagedFile, *, seed: int = 0, most: int = 40, together: frozenset[Phase] = frozenset()
) -> Iterator[Torn]:
    """Yield the file after each prefix of a staged change, the old one first and the new one last.

    Args:
        staged: The change; the file has its new length from the beginning, as when it is written.
        seed: For the subsets.
        most: Of a phase of more sectors, only some of the prefixes are taken.
        together: Phases whose runs of neighbouring sectors count as one write.
    """
    base = staged.base
    file = bytearray(base.read_at(0, base.size).ljust(staged.size, b"\0"))
    chance = random.Random(seed)  # noqa: S311 - a choice of tests
    yield Torn(Phase.GROW, bytes(file))
    changes = staged.changes()
    for phase in Phase:
        of_phase = [change for change in changes if change.phase is phase]
        writes = [write for change in of_phase for write in _writes(change, whole=phase in together)]
        for subset in _subsets(len(writes), chance, most):
            data = bytearray(file)
            for number in subset:
                _put(data, writes[number])
            yield Torn(phase, bytes(data))
        for write in writes:
            _put(file, write)
        if writes:
            yield Torn(phase, bytes(file))


def _subsets(count: int, chance: random.Random, most: int) -> Iterator[Sequence[int]]:
    """Yield sets of the numbers below ``count``, neither empty nor all of them, each once."""
    numbers = range(count)
    found: dict[tuple[int, ...], None] = {}
    cuts = numbers[1:] if count <= most else sorted(chance.sample(numbers[1:], most))
    for cut in cuts:
        found[tuple(numbers[:cut])] = found[tuple(numbers[cut:])] = None
    for number in cuts:
        found[number,] = found[tuple(other for other in numbers if other != number)] = None
    for _ in range(RANDOM_SUBSETS):
        found[tuple(number for number in numbers if chance.random() < 0.5)] = None
    return (subset for subset in found if 0 < len(subset) < count)


def _writes(change: FileChange, *, whole: bool) -> Iterator[Write]:
    step = len(change.after) if whole else SECTOR
    for at in range(0, len(change.after), step):
        yield Write(change.offset + at, change.after[at : at + step])


def _put(file: bytearray, write: Write) -> None:
    file[write.offset : write.offset + len(write.data)] = write.data
