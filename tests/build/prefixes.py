"""What a crash can leave of a staged change: all of the earlier phases, and any of the sectors of one.

A disk writes sectors of 512 bytes whole or not at all, and between two phases it is flushed. Inside of a phase it
writes in the order it likes, so what is there then may be any subset; of these there are too many, so some are taken:
what is written from the first sector on, from the last one on, each sector alone, all but each, and some at random.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.io.source import check_range
from vdiskkit.patch.staging import SECTOR, Phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location
    from vdiskkit.patch.staging import FileChange, StagedFile

RANDOM_SUBSETS = 4


class TornFile:
    """A file as a crash leaves it.

    Args:
        base: The file before the change.
        size: Its length; what is new is zeros.
        sectors: What was written, by offset.
    """

    def __init__(self, base: ByteSource, size: int, sectors: Mapping[int, bytes]) -> None:
        self._base = base
        self._sectors = sectors
        self.size = size

    @property
    def location(self) -> Location:
        return self._base.location

    @property
    def data(self) -> bytes:
        return self.read_at(0, self.size)

    def read_at(self, offset: int, length: int) -> bytes:
        check_range(self, offset, length)
        inside = max(min(length, self._base.size - offset), 0)
        data = bytearray((self._base.read_at(offset, inside) if inside else b"").ljust(length, b"\0"))
        first = offset - offset % SECTOR
        wanted = range(first, offset + length, SECTOR)
        for at in wanted if len(wanted) < len(self._sectors) else self._sectors:
            sector = self._sectors.get(at)
            if sector is not None and at < offset + length and at + len(sector) > offset:
                low, high = max(at, offset), min(at + len(sector), offset + length)
                data[low - offset : high - offset] = sector[low - at : high - at]
        return bytes(data)


class Torn(NamedTuple):
    """In which phase a change was cut off, and what it left."""

    phase: Phase
    file: TornFile

    @property
    def data(self) -> bytes:
        return self.file.data


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
    chance = random.Random(seed)  # noqa: S311 - a choice of tests
    done: dict[int, bytes] = {}
    changes = staged.changes()
    yield Torn(Phase.GROW, TornFile(staged.base, staged.size, {}))
    for phase in Phase:
        of_phase = [change for change in changes if change.phase is phase]
        writes = [write for change in of_phase for write in _writes(change, whole=phase in together)]
        for subset in _subsets(len(writes), chance, most):
            sectors = dict(done)
            for number in subset:
                sectors |= writes[number]
            yield Torn(phase, TornFile(staged.base, staged.size, sectors))
        for write in writes:
            done |= write
        if writes:
            yield Torn(phase, TornFile(staged.base, staged.size, dict(done)))


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


def _writes(change: FileChange, *, whole: bool) -> Iterator[dict[int, bytes]]:
    """Yield the sectors of a change, by offset, that are written at once."""
    sectors = {change.offset + at: change.after[at : at + SECTOR] for at in range(0, len(change.after), SECTOR)}
    if whole:
        yield sectors
    else:
        yield from ({at: sector} for at, sector in sectors.items())
