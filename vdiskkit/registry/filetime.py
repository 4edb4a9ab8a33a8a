"""FILETIME stamps: 100 ns steps since 1601-01-01 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["filetime_to_datetime"]

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_LAST = 2_650_467_744_000_000_000  # the year 10000, which datetime does not know


def filetime_to_datetime(stamp: int) -> datetime | None:
    """Return the time in UTC; None for 0 (never set) and for what no calendar year up to 9999 can hold."""
    if not 0 < stamp < _LAST:
        return None
    return _EPOCH + timedelta(microseconds=stamp // 10)
