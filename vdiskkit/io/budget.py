"""Budgets on reads: a damaged or hostile image can neither loop its reader nor make it swell."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from vdiskkit.errors import ReadLimitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.io.source import ByteSource
    from vdiskkit.location import Location

__all__ = ["GuardedSource", "ReadBudget"]


class ReadBudget:
    """How many bytes and calls may still be spent, and how many have been.

    Args:
        max_bytes: Bytes that may be read in all.
        max_calls: Read calls that may be made in all.
    """

    def __init__(self, max_bytes: int, max_calls: int) -> None:
        self.max_bytes = max_bytes
        self.max_calls = max_calls
        self.spent_bytes = 0
        self.spent_calls = 0

    def grant(self, more_bytes: int, more_calls: int = 0) -> None:
        """Raise the limits, for bulk data that a user asked for (the content of one file, a whole $Bitmap)."""
        self.max_bytes += more_bytes
        self.max_calls += more_calls

    @contextmanager
    def limited(self, max_bytes: int, max_calls: int) -> Iterator[None]:
        """Within the block allow at most ``max_bytes`` and ``max_calls`` more, and never more than before."""
        before = self.max_bytes, self.max_calls
        self.max_bytes = min(self.max_bytes, self.spent_bytes + max_bytes)
        self.max_calls = min(self.max_calls, self.spent_calls + max_calls)
        try:
            yield
        finally:
            self.max_bytes, self.max_calls = before

    def spend(self, length: int, location: Location) -> None:
        """Count one read of ``length`` bytes.

        Raises:
            ReadLimitError: One of the limits is passed.
        """
        self.spent_calls += 1
        self.spent_bytes += length
        if self.spent_bytes > self.max_bytes or self.spent_calls > self.max_calls:
            error = ReadLimitError(
                f"reading was stopped after {self.spent_bytes} bytes in {self.spent_calls} calls: "
                "no healthy image needs that much for this",
                location=location,
                hint="the image is damaged in a way that makes its reader loop; check it with chkdsk",
            )
            error.used_up = True
            raise error


class GuardedSource:
    """A source whose every read is counted against a budget before it happens."""

    def __init__(self, source: ByteSource, budget: ReadBudget) -> None:
        self._source = source
        self.budget = budget

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self._source.size

    @property
    def location(self) -> Location:
        """The address of byte 0."""
        return self._source.location

    def read_at(self, offset: int, length: int) -> bytes:
        """Return exactly ``length`` bytes from ``offset``; see :class:`~vdiskkit.io.source.ByteSource`."""
        self.budget.spend(length, self._source.location)
        return self._source.read_at(offset, length)

    def close(self) -> None:
        """Close the source underneath, if it can be closed."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()
