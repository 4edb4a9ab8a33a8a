"""What all facts share: frozen dataclasses that turn themselves into plain JSON types.

A fact class is ``@dataclass(frozen=True, slots=True, kw_only=True)`` and derives from :class:`Facts`. Its fields are
JSON-like already: ``str``, ``int``, ``bool``, ``None``, aware ``datetime`` (UTC), enums, tuples of these and other
facts. Bytes are given as hex text. The JSON Schema in the package is generated from these classes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from vdiskkit.errors import ChecksumError, CorruptStructureError, FileMissingError, FormatError, ReadLimitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.errors import VDiskError

__all__ = ["Facts", "Notice", "NoticeLog", "to_plain"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Base of all facts."""

    def to_dict(self) -> dict[str, Any]:
        """Return the facts as JSON types; times as RFC 3339 in UTC, enums as their value."""
        return {field.name: to_plain(getattr(self, field.name)) for field in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Facts):
    """Something worth telling that did not stop the reading.

    Attributes:
        code: Stable short name, such as ``vhd.footer_damaged``.
        message: One sentence for people.
        location: Where, as text, or None.
    """

    code: str
    message: str
    location: str | None = None


class NoticeLog:
    """Collects notices while facts are gathered, so that one unreadable part does not hide all others."""

    def __init__(self) -> None:
        self._notices: dict[Notice, None] = {}
        self._damage: dict[Notice, None] = {}

    def add(self, code: str, message: str, location: object = None) -> Notice:
        """Add a notice and return it; the same one is kept once."""
        notice = Notice(code=code, message=message, location=str(location) if location else None)
        self._notices[notice] = None
        return notice

    def add_error(self, code: str, what: str, error: VDiskError) -> None:
        """Add what an error says as a notice."""
        notice = self.add(code, f"{what}: {error.message}", error.location)
        if isinstance(error, CorruptStructureError | ChecksumError):
            self._damage[notice] = None

    def damage(self) -> tuple[Notice, ...]:
        """Those of the notices that tell of a damaged structure, whatever question met it."""
        return tuple(self._damage)

    def attempt(self, code: str, what: str, call: Callable[[], T], default: T) -> T:
        """Return ``call()``; when the image does not let it, note that and return ``default``.

        A used-up read budget is not noted but raised: it would stop every further part as well.
        """
        try:
            return call()
        except (FormatError, FileMissingError) as exc:
            if isinstance(exc, ReadLimitError) and exc.used_up:
                raise
            self.add_error(code, what, exc)
            return default

    def notices(self) -> tuple[Notice, ...]:
        """All notices in the order they came."""
        return tuple(self._notices)


def to_plain(value: Any) -> Any:  # noqa: ANN401 - the one place where facts of any shape meet JSON
    """Convert one field's value to JSON types."""
    if isinstance(value, Facts):
        return value.to_dict()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    return value
