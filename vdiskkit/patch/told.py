"""What planning, changing, taking back and recovering tell as events, each with the disk and the change it is about."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from vdiskkit.errors import RollbackFailedError
from vdiskkit.events import absolute, error_fields, tell, wanted
from vdiskkit.journal import journal_path
from vdiskkit.licensing.secrets import names_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from vdiskkit.journal import Journal
    from vdiskkit.patch.gates import Gate
    from vdiskkit.patch.plan import Plan
    from vdiskkit.patch.stage import SemanticChange

__all__ = ["Telling", "summary_of", "tell_gate", "tell_items", "tell_plan"]

_SOURCE = "patch"
_HIDDEN = "(hidden)"


def tell_plan(plan: Plan) -> None:
    """Tell a plan that was made: what it would change, one event for each, and what follows from it."""
    if not wanted(_SOURCE):
        return
    disk = absolute(plan.path)
    tell(
        _SOURCE,
        "plan",
        disk=disk,
        digest=plan.digest,
        changes=len(plan.changes),
        forced=plan.forced,
        bytes=plan.bytes_written,
        growth=plan.growth,
        empty=plan.empty,
    )
    tell_items("plan.item", plan.changes, disk=disk, digest=plan.digest)
    for note in plan.notes:
        tell(_SOURCE, "plan.note", level="warning", disk=disk, digest=plan.digest, message=note)


def tell_items(name: str, changes: Sequence[SemanticChange], **about: str) -> None:
    """Tell each change in the user's words; product keys and passwords are hidden."""
    if not wanted(_SOURCE):
        return
    for change in changes:
        hidden = names_secret(change.name if change.name is not None else change.where)
        before, after = (_HIDDEN if hidden and text is not None else text for text in (change.before, change.after))
        tell(
            _SOURCE,
            name,
            **about,
            kind=change.kind,
            where=change.where,
            name=change.name,
            before=before,
            after=after,
        )


def tell_gate(gate: Gate, path: str | None, *, forced: bool) -> None:
    """Tell a gate that is closed: forced by a person, or what refuses the change."""
    tell(
        _SOURCE,
        "gate",
        level="warning" if forced else "error",
        disk=absolute(path) if path is not None else None,
        gate=gate.force or None,
        forced=forced,
        type=type(gate.error).__name__,
        message=gate.error.message,
    )


def summary_of(journal: Journal | None) -> str | None:
    """Return what a journal says that its change was; it lies beside the disk and may say anything."""
    summary = journal.about.get("summary") if journal is not None else None
    return summary if isinstance(summary, str) and summary else None


class Telling:
    """Tells the course of one change, undo or recovery; use it in a ``with`` statement.

    The events are ``<name>.begin``, ``<name>.step``, and at the end ``<name>.done`` or ``<name>.failed``.

    Args:
        name: ``change``, ``undo`` or ``recover``.
        disk: The disk.
        change: Id of the change that is made, taken back or recovered; None when that is not known.
        about: What else the first event tells.
    """

    def __init__(self, name: str, disk: str, change: UUID | None, **about: Any) -> None:  # noqa: ANN401 - JSON types
        self._name = name
        self._disk = disk
        self._about = about
        self._known = {"disk": absolute(disk), "change": str(change) if change is not None else None}
        self._reached: str | None = None

    def __enter__(self) -> Self:
        self._tell("begin", **self._about)
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if error is not None:
            self._tell("failed", level="error", step=self._reached, files=self._files(error), **error_fields(error))

    def steps(self, progress: Callable[[str], None] | None) -> Callable[[str], None]:
        """Return what is called with the name of each step: it tells the step, then calls ``progress``."""

        def step(name: str) -> None:
            self._reached = name
            self._tell("step", step=name)
            if progress is not None:
                progress(name)

        return step

    def done(self, **result: Any) -> None:  # noqa: ANN401 - JSON types
        """Tell that it is done."""
        self._tell("done", **result)

    def checked(self, **result: Any) -> None:  # noqa: ANN401 - JSON types
        """Tell that it could be done; nothing was written."""
        self._tell("checked", **result)

    def _tell(self, what: str, level: str = "info", **fields: Any) -> None:  # noqa: ANN401 - JSON types
        tell(_SOURCE, f"{self._name}.{what}", level=level, **self._known, **fields)

    def _files(self, error: BaseException) -> str:
        """What is left: a journal that waits says more than the step that was reached."""
        if isinstance(error, RollbackFailedError) or os.path.exists(journal_path(self._disk)):
            return "journal waits"
        if self._reached == "commit":
            return "unknown"  # cancelled while the journal was put away, or while the change was rolled back
        return "rolled back" if self._reached in ("write", "verify") else "untouched"
