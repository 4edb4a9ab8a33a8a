"""The first and the last line of a run in the log: who did what, when, on which machine, and what came of it."""

from __future__ import annotations

import os
import sys
from time import monotonic
from typing import TYPE_CHECKING

from vdiskkit.events import absolute, tell, wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vdiskkit.cli.session import Session
    from vdiskkit.facts import Notice

__all__ = ["hidden_arguments", "run_begins", "run_ends", "tell_notices", "tell_target"]

_OPTIONS = frozenset(
    [
        "--type",
        "--volume",
        "--at",
        "--parent-dir",
        "--force",
        "--verify",
        "--copy-to",
        "--plan-out",
        "--encoding",
        "-o",
        "--output",
        "--output-format",
        "--log-file",
        "--log-format",
        "--color",
    ]
)
"""Options whose values are no secrets, wherever they stand: every other word behind a secret's name may be one."""
_HIDDEN = "(hidden)"


def run_begins(session: Session) -> None:
    """Tell who started what."""
    from vdiskkit._version import __version__

    tell(
        "cli",
        "run.begin",
        version=__version__,
        user=_user(),
        host=_host(),
        system=f"{sys.platform}, Python {sys.version.split()[0]}",
        folder=_folder(),
        command=session.command,
        arguments=hidden_arguments(session.arguments),
    )
    if session.target is not None:
        tell_target(session.target)


def tell_target(target: str) -> None:
    """Tell a disk that was named, by its whole path as well."""
    tell("cli", "target", target=target, path=absolute(target))


def tell_notices(target: str, notices: Iterable[Notice]) -> None:
    """Tell what was noticed on a disk while it was read."""
    if not wanted("cli", "warning"):
        return
    path = absolute(target)
    for notice in notices:
        tell("cli", "notice", level="warning", path=path, **notice.to_dict())


def run_ends(session: Session, code: int) -> None:
    """Tell how it ended."""
    from vdiskkit.cli.exitcodes import CANCELLED, MEANING, NOT_FOUND, OK

    if code == CANCELLED:
        tell("cli", "cancelled", level="warning")
    level = "info" if code == OK else "warning" if code == NOT_FOUND else "error"
    milliseconds = round(1000 * (monotonic() - session.began))
    tell("cli", "run.end", level=level, exit_code=code, result=MEANING.get(code), milliseconds=milliseconds)


def hidden_arguments(arguments: Sequence[str]) -> list[str]:
    """Return a command line that may be kept: values of names that hold secrets are hidden.

    Product keys are hidden wherever they stand, as in every text of an event. What they look like in binary nobody
    can tell, so a value's name decides.
    """
    return list(_hidden(arguments))


def _hidden(arguments: Sequence[str]) -> Iterator[str]:
    from vdiskkit.licensing.secrets import names_secret

    secret, options, before = False, True, ""
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if equals and names_secret(name):
            yield f"{name}={_HIDDEN}"
        elif secret and not (options and (argument.startswith("-") or before in _OPTIONS)):
            yield _HIDDEN
        else:
            yield argument
        options, before = options and argument != "--", argument
        # A path is no name, whatever its folders are called.
        secret = secret or (names_secret(argument) and "\\" not in argument and "/" not in argument)


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None  # it was removed


def _host() -> str:
    import socket

    return socket.gethostname()


if sys.platform == "win32":

    def _user() -> str:
        """The account by which Windows lets this process do things, not what a variable says."""
        import ctypes

        size = ctypes.c_ulong(512)
        name = ctypes.create_unicode_buffer(size.value)
        sam_compatible = 2  # DOMAIN\user
        try:
            if ctypes.WinDLL("secur32").GetUserNameExW(sam_compatible, name, ctypes.byref(size)):
                return name.value
            size.value = 512
            if ctypes.WinDLL("advapi32").GetUserNameW(name, ctypes.byref(size)):
                return name.value
        except OSError:
            pass
        return "unknown"

else:

    def _user() -> str:
        """The account by which the system lets this process do things, not what a variable says."""
        import pwd

        number = os.geteuid()
        try:
            return pwd.getpwuid(number).pw_name
        except KeyError:
            return f"uid {number}"
