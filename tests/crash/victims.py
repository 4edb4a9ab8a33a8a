"""Processes that are killed while they change files.

They are forked from this one where that can be done. Windows cannot, and a Python takes its time to start, so there
some are always kept ready: each waits for an order on its standard input and answers on its standard output.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from tests.crash.dying import KILLED, Death, kill

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import IO

_READY = 2
"""Processes kept ready: while this one looks at what the last one left, they start."""
_BEGUN, _DONE = "begun\n", "done\n"


class Order(NamedTuple):
    """What a process does, and where it dies by itself; see :class:`tests.crash.dying.Death`."""

    action: str
    number: int = -1
    how: str = "before"


class Victim(Protocol):
    """A process that has begun with what it was told to do."""

    def kill(self) -> None:
        """Kill it; it must not have ended by itself."""
        ...

    def survives(self) -> bool:
        """Wait until it has done it or is dead; say which."""
        ...


class Victims(Protocol):
    """Where such processes come from."""

    def begin(self, order: Order) -> Victim:
        """Let a process begin."""
        ...

    def close(self) -> None:
        """Kill those that were never needed."""
        ...


class ForkedVictims:
    """Copies of this process, which must have no threads."""

    def __init__(self, act: Callable[[Order], None]) -> None:
        self._act = act

    def begin(self, order: Order) -> Victim:
        child = os.fork()
        if child:
            return _Forked(child)
        try:
            Death(order.number, order.how).arrange()
            self._act(order)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - told by the exit code
            traceback.print_exc()
        finally:
            os._exit(1)

    def close(self) -> None:
        """Nothing waits."""


class _Forked:
    def __init__(self, process: int) -> None:
        self._process = process

    def kill(self) -> None:
        kill(self._process)
        assert not self.survives(), "the process ended by itself"

    def survives(self) -> bool:
        _, status = os.waitpid(self._process, 0)
        return _survived(os.waitstatus_to_exitcode(status))


class StartedVictims:
    """Processes that are started with ``command`` and there call :func:`obey`."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._ready: deque[subprocess.Popen[str]] = deque()
        self._fill()

    def begin(self, order: Order) -> Victim:
        process = self._ready.popleft()
        self._fill()
        orders, answers = _pipes(process)
        orders.write(json.dumps(order) + "\n")
        orders.flush()
        assert answers.readline() == _BEGUN, "the process did not start"
        return _Started(process, self._ready)

    def close(self) -> None:
        while self._ready:
            process = self._ready.pop()
            process.kill()
            process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fill(self) -> None:
        while len(self._ready) < _READY:
            pipe = subprocess.PIPE
            self._ready.append(subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True, encoding="ascii"))


class _Started:
    def __init__(self, process: subprocess.Popen[str], ready: deque[subprocess.Popen[str]]) -> None:
        self._process = process
        self._ready = ready

    def kill(self) -> None:
        assert self._process.poll() is None, "the process ended by itself"
        kill(self._process.pid)
        assert not self.survives(), "the process ended by itself"

    def survives(self) -> bool:
        if _pipes(self._process)[1].readline() == _DONE:
            self._ready.appendleft(self._process)
            return True
        self._process.communicate()
        return _survived(self._process.returncode)


def obey(act: Callable[[Order], None]) -> None:
    """Do what the orders on standard input say, until they end."""
    death = Death()
    death.arrange()
    for line in sys.stdin:
        order = Order(*json.loads(line))
        death.number, death.how, death.count = order.number, order.how, 0
        _answer(_BEGUN)
        act(order)
        _answer(_DONE)


def _answer(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _survived(code: int) -> bool:
    assert code in (0, KILLED), f"the process failed with code {code}"
    return code == 0
