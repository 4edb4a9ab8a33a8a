"""Ctrl-C, SIGTERM and SIGHUP in the middle of a change: rolled back as long as it is not complete, else let it end."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Interrupts", "interrupts"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # not all of them exist everywhere


class Interrupts:
    """What is done about signals that would end the program.

    Attributes:
        held: Whether they are let pass, because what is under way has to come to its end; they raise otherwise.
    """

    def __init__(self) -> None:
        self.held = False

    def meet(self, number: int, frame: object) -> None:  # noqa: ARG002 - what a handler is called with
        """Handle a signal.

        Raises:
            KeyboardInterrupt: It is not held.
        """
        if not self.held:
            raise KeyboardInterrupt


@contextlib.contextmanager
def interrupts() -> Iterator[Interrupts]:
    """Meet the signals that end the program during the block, if the program itself has not arranged for them.

    In other threads than the main one, where Python meets no signals, nothing is arranged.
    """
    met = Interrupts()
    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers}
        before = {
            number: handler
            for number, handler in before.items()
            if handler in (signal.SIG_DFL, signal.default_int_handler)
        }
    try:
        for number in before:
            signal.signal(number, met.meet)
        yield met
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
