"""Lets this process kill itself at a chosen call that changes files: the real ones, by the operating system."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, NoReturn

from vdiskkit.patch import files

if TYPE_CHECKING:
    from collections.abc import Callable

_SECTOR = 512
_FILE_CALLS = ("write_at", "resize", "flush")
_SYSTEM_CALLS = ("create", "rename", "remove", "flush_folder")

# Windows has no signals: there os.kill ends the process with the number as its exit code, one that we do not use.
_SIGNAL: int = getattr(signal, "SIGKILL", 137)
KILLED = -_SIGNAL if hasattr(signal, "SIGKILL") else _SIGNAL
"""The return code of a process that was killed by :func:`kill`."""


def kill(process: int) -> None:
    """Kill a process: it neither closes nor flushes nor catches anything."""
    os.kill(process, _SIGNAL)


def die() -> NoReturn:
    """Kill this process."""
    kill(os.getpid())
    raise AssertionError("this process is dead")


class Death:
    """Counts the calls of this process and ends it at one of them.

    Args:
        number: The call, from 0; -1 for none.
        how: ``before`` the call, or ``half``: after half of the sectors that it writes.
    """

    def __init__(self, number: int = -1, how: str = "before") -> None:
        self.number = number
        self.how = how
        self.count = 0

    def arrange(self) -> None:
        """From here on, calls are counted; a process does this once."""
        for kind, names in ((files._RealFile, _FILE_CALLS), (files.RealFileSystem, _SYSTEM_CALLS)):
            for name in names:
                setattr(kind, name, self._counted(getattr(kind, name), name))

    def _counted(self, method: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(target: Any, *arguments: Any) -> Any:
            if self.count == self.number:
                if self.how == "half" and name == "write_at":
                    offset, data = arguments
                    method(target, offset, data[: len(data) // 2 // _SECTOR * _SECTOR])
                die()
            self.count += 1
            return method(target, *arguments)

        return call
