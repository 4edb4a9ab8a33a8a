"""Running a piece of work on one or several disks and handing out what it found, as text or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from vdiskkit.cli import exitcodes
from vdiskkit.cli.audit import tell_notices, tell_target
from vdiskkit.cli.errors import as_error, tell_error
from vdiskkit.cli.output import Output, open_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vdiskkit.cli.session import Session
    from vdiskkit.errors import VDiskError
    from vdiskkit.report.style import Style

__all__ = ["Work", "answer", "answer_in_pieces", "examine"]

_CHUNK = 64 * 1024

_T = TypeVar("_T")


class Work(Generic[_T]):
    """What a command does with one disk.

    Args:
        gather: Opens the target and returns what is known.
        as_text: Lines for people.
        as_dict: The ``result`` of the JSON object.
        as_lines: JSON lines; None when the command has none.
    """

    __slots__ = ("as_dict", "as_lines", "as_text", "gather")

    def __init__(
        self,
        gather: Callable[[str], _T],
        as_text: Callable[[_T, Style], Iterable[str]],
        as_dict: Callable[[_T], dict[str, Any]],
        as_lines: Callable[[_T, str], str] | None = None,
    ) -> None:
        self.gather = gather
        self.as_text = as_text
        self.as_dict = as_dict
        self.as_lines = as_lines


def examine(session: Session, targets: Sequence[str], work: Work[_T]) -> int:
    """Do ``work`` on every target; one that fails does not stop the others.

    Returns:
        The exit code of the worst trouble.
    """
    session.silence_readers()
    output = open_output(session)
    keep = False
    try:
        if session.lines and work.as_lines is not None:
            code, keep = _lines(session, targets, work.gather, work.as_lines, output)
        elif session.json:
            code, keep = _json(session, targets, work, output)
        else:
            code, keep = _text(session, targets, work, output)
    finally:
        output.close(keep=keep)
    return code


def answer(
    session: Session,
    result: dict[str, Any],
    *,
    target: str,
    top: dict[str, Any] | None = None,
    damage: VDiskError | None = None,
) -> int:
    """Write the JSON object of a command that asks one thing of one disk.

    Args:
        session: The run.
        result: What was found.
        target: The disk.
        top: Members that stand at the top of the object too.
        damage: Why the result is known to lack something, None when it is whole.

    Returns:
        The exit code.
    """
    from vdiskkit.report.json import document, dumps, error_dict

    disks = [_entry(session, target, result)]
    code = exitcodes.OK if damage is None else damage.exit_code
    told = None if damage is None else error_dict(damage)
    built = document(session.schema, disks, started=session.started, exit_code=code, error=told)
    output = open_output(session)
    keep = False
    try:
        output.write(dumps({**built, **(top or {})}))
        keep = True
    finally:
        output.close(keep=keep)
    return code


def answer_in_pieces(
    session: Session,
    result: Iterable[tuple[str, Any]],
    *,
    target: str,
    damage: Callable[[], VDiskError | None],
) -> int:
    """Write the JSON object of a command whose result is too long to be held: it is made while it is written.

    Args:
        session: The run.
        result: The members of what is found.
        target: The disk.
        damage: Asked behind the result: why it is known to lack something, None when it is whole.

    Returns:
        The exit code.
    """
    from vdiskkit.report.json import Elements, Members, document, error_dict, pieces

    code = exitcodes.OK

    def entry() -> Iterator[tuple[str, Any]]:
        yield "target", target
        yield "result", Members(result)
        notices = session.notices.get(target)
        if notices:
            yield "notices", notices

    def members() -> Iterator[tuple[str, Any]]:
        nonlocal code
        whole = document(session.schema, [{"target": target}], started=session.started, exit_code=code)
        for name, value in whole.items():
            if name == "disks":
                yield name, Elements([Members(entry())])
            elif name == "exit_code":
                found = damage()
                code = exitcodes.OK if found is None else found.exit_code
                yield name, code
                if found is not None:
                    yield "error", error_dict(found)
            else:
                yield name, value

    output = open_output(session)
    keep = False
    try:
        for part in _joined(pieces(Members(members()))):
            output.write(part)
        keep = True
    finally:
        output.close(keep=keep)
    return code


def _joined(parts: Iterable[str]) -> Iterator[str]:
    """Join short texts to longer ones."""
    held: list[str] = []
    size = 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= _CHUNK:
            yield "".join(held)
            held, size = [], 0
    yield "".join(held)


def _entry(session: Session, target: str, result: dict[str, Any]) -> dict[str, Any]:
    notices = session.notices.get(target)
    return {"target": target, "result": result, **({"notices": notices} if notices else {})}


def _gather(work: Work[_T], target: str) -> _T:
    tell_target(target)
    found = work.gather(target)
    tell_notices(target, getattr(found, "notices", ()))
    return found


def _text(session: Session, targets: Sequence[str], work: Work[_T], output: Output) -> tuple[int, bool]:
    from vdiskkit.cli.terminal import style_for_file, style_for_stdout

    style = style_for_file(session) if session.output else style_for_stdout(session)
    codes = [exitcodes.OK]
    written = 0
    for target in targets:
        try:
            # Gathered before anything of it is written: a disk is either shown whole or not at all.
            lines = list(work.as_text(_gather(work, target), style))
        except Exception as exc:  # noqa: BLE001 - one disk must not take the others down
            error = as_error(exc, session)
            tell_error(session, error)
            codes.append(error.exit_code)
            continue
        output.write("".join(f"{line}\n" for line in (["", *lines] if written else lines)))
        written += 1
    return exitcodes.worst(codes), written > 0


def _lines(
    session: Session,
    targets: Sequence[str],
    gather: Callable[[str], _T],
    as_lines: Callable[[_T, str], str],
    output: Output,
) -> tuple[int, bool]:
    from vdiskkit.report.lines import error_line

    codes = [exitcodes.OK]
    for target in targets:
        try:
            text = as_lines(gather(target), target)
        except Exception as exc:  # noqa: BLE001 - one disk must not take the others down
            error = as_error(exc, session)
            tell_error(session, error)
            text = error_line(target, error)
            codes.append(error.exit_code)
        output.write(text)
    return exitcodes.worst(codes), True


def _json(session: Session, targets: Sequence[str], work: Work[_T], output: Output) -> tuple[int, bool]:
    from vdiskkit.report.json import document, dumps, error_dict

    disks: list[dict[str, Any]] = []
    errors: list[VDiskError] = []
    for target in targets:
        try:
            disks.append(_entry(session, target, work.as_dict(_gather(work, target))))
        except Exception as exc:  # noqa: BLE001 - one disk must not take the others down
            error = as_error(exc, session)
            tell_error(session, error)
            disks.append({"target": target, "error": error_dict(error)})
            errors.append(error)
    code = exitcodes.worst(error.exit_code for error in errors)
    worst = next((error for error in errors if error.exit_code == code), None)
    built = document(
        session.schema,
        disks,
        started=session.started,
        exit_code=code,
        error=error_dict(worst) if worst is not None else None,
    )
    output.write(dumps(built))
    return code, True
