"""Free MFT records: finding them inside the table, and claiming and releasing them in the bitmap of $MFT.

The table itself is never made longer here: Windows does that, with rules of its own for where.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

from vdiskkit.errors import FormatError, WriteRefusedError
from vdiskkit.ntfs.record import BITMAP
from vdiskkit.patch.ntfs.bitmap import BITS, Bitmap
from vdiskkit.patch.ntfs.content import AttributeContent
from vdiskkit.patch.ntfs.records import FileRecords
from vdiskkit.patch.staging import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vdiskkit.patch.ntfs.records import RecordStore

__all__ = ["RecordSpace"]

_MFT = 0
_FIRST_USER_RECORD = 24
_TRIES = 10_000


class RecordSpace:
    """Used and free MFT records.

    Args:
        store: The records of the volume.

    Raises:
        WriteRefusedError: $MFT has no bitmap.
        CorruptStructureError: $MFT is damaged.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        content = AttributeContent.of(store, FileRecords(store, _MFT), BITMAP)
        if content is None:
            raise WriteRefusedError("$MFT has no bitmap", location=store.where(_MFT))
        self._bitmap = Bitmap(content, min(store.count, content.size * 8), "the bitmap of $MFT")

    def is_used(self, number: int) -> bool:
        """Whether the bitmap says that a record is used; False outside of it too."""
        return self._bitmap.all_are(number, 1, used=True)

    def is_free(self, number: int) -> bool:
        """Whether the bitmap says that a record is free; False outside of it."""
        return self._bitmap.all_are(number, 1, used=False)

    def choose(self, count: int, what: str) -> list[int]:
        """Choose free records inside the table; nothing is claimed yet.

        A record counts as free when the bitmap and the record itself say so. Those that this change has freed are left
        alone: what is freed last cannot be used before. Where there is a choice, so are those whose bits lie in one
        sector with theirs: a sector is written once, and what is freed is written last.

        Args:
            count: How many.
            what: What needs them, for the message.

        Raises:
            WriteRefusedError: There are not so many.
        """
        freed = sorted({number // BITS for number in self._store.freed})
        starts = [0, *((sector + 1) * BITS for sector in freed)]
        ends = [*(sector * BITS for sector in freed), self._bitmap.bits]
        apart = zip(starts, ends, strict=True)
        beside = ((sector * BITS, (sector + 1) * BITS) for sector in freed)
        chosen = list(islice(self._blank_between(chain(apart, beside)), count))
        if len(chosen) == count:
            return chosen
        raise WriteRefusedError(
            f"{what} needs {count} more MFT record{'s' if count > 1 else ''}, and {len(chosen) or 'none'} of the "
            f"{self._store.count} in the table {'are' if len(chosen) > 1 else 'is'} free",
            location=self._store.where(_MFT),
            hint="start Windows from it, delete some small files there, and shut it down",
        )

    def claim(self, numbers: Iterable[int]) -> None:
        """Mark records as used."""
        self._put(numbers, Phase.CLAIM, used=True)

    def release(self, numbers: Sequence[int]) -> None:
        """Mark records as free, last of all."""
        self._put(numbers, Phase.RELEASE, used=False)

    def _put(self, numbers: Iterable[int], phase: Phase, *, used: bool) -> None:
        for number in numbers:
            self._bitmap.put(number, 1, used=used)
        self._bitmap.flush(phase)

    def _blank_between(self, ranges: Iterable[tuple[int, int]]) -> Iterator[int]:
        tries = _TRIES
        for start, end in ranges:
            for first, length in self._bitmap.free_runs(max(start, _FIRST_USER_RECORD), min(end, self._bitmap.bits)):
                for number in range(first, first + min(length, tries)):
                    tries -= 1
                    if number not in self._store.freed and self._is_blank(number):
                        yield number

    def _is_blank(self, number: int) -> bool:
        try:
            return not self._store.parsed(number).in_use
        except FormatError:
            return False
