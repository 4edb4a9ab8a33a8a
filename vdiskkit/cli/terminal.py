"""What the place of the output can show: width, symbols, colour."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vdiskkit.cli.session import Session
    from vdiskkit.report.style import Style

__all__ = ["style_for_file", "style_for_stderr", "style_for_stdout", "wants_color", "write_pipes_as_the_console"]

_STD_OUTPUT_HANDLE = -11
_ENABLE_VIRTUAL_TERMINAL_PROCESSING = 4


def write_pipes_as_the_console() -> None:
    """Give what we write to pipes the code page of the console, in which PowerShell and ``cmd`` read it.

    Python writes the other code page of Windows there, that of programs with windows: "ü" would arrive as "³". Without
    a console, and where an encoding was asked for, that stays as it is.
    """
    if sys.platform == "win32" and not sys.flags.utf8_mode and not os.environ.get("PYTHONIOENCODING"):
        import ctypes
        import stat

        page = ctypes.WinDLL("kernel32").GetConsoleOutputCP()
        for stream in (sys.stdout, sys.stderr) if page else ():
            try:
                if isinstance(stream, io.TextIOWrapper) and stat.S_ISFIFO(os.fstat(stream.fileno()).st_mode):
                    stream.reconfigure(encoding=f"cp{page}")
            except (OSError, ValueError, LookupError):
                continue


def style_for_stdout(session: Session) -> Style:
    """How text looks on this stdout."""
    return _style(session, sys.stdout)


def style_for_stderr(session: Session) -> Style:
    """How text looks on this stderr, where questions are asked."""
    return _style(session, sys.stderr)


def _style(session: Session, stream: TextIO | None) -> Style:
    from vdiskkit.report.style import Style

    terminal = _is_terminal(stream)
    color = wants_color(session.color, os.environ, terminal=terminal)
    if color and terminal and os.name == "nt":
        color = _enable_windows_colors()
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return Style(
        width=_width(stream) if terminal and stream is not None else None,
        symbols=Style.symbols_fit(encoding),
        color=color,
    )


def style_for_file(session: Session) -> Style:
    """How text looks in a file: UTF-8, no limit on width, colour only when it was insisted on."""
    from vdiskkit.report.style import Style

    return Style(width=None, symbols=True, color=session.color == "always")


def wants_color(option: str | None, environment: Mapping[str, str], *, terminal: bool) -> bool:
    """``--color`` wins, then NO_COLOR, then FORCE_COLOR or CLICOLOR_FORCE, then whether it is a terminal."""
    if option in ("always", "never"):
        return option == "always"
    if environment.get("NO_COLOR"):
        return False
    if any(environment.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return terminal and environment.get("TERM") != "dumb"


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def _width(stream: TextIO) -> int | None:
    # Not shutil.get_terminal_size: importing shutil costs more than all the rest here.
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):
        return None


def _enable_windows_colors() -> bool:
    """Switch escape sequences on, which older Windows consoles leave off."""
    import ctypes

    kernel32 = getattr(ctypes, "windll").kernel32  # noqa: B009 - the attribute exists on Windows only
    handle = kernel32.GetStdHandle(_STD_OUTPUT_HANDLE)
    mode = ctypes.c_ulong()
    if not kernel32.GetConsoleMode(handle, ctypes.byref(mode)):
        return False
    return bool(kernel32.SetConsoleMode(handle, mode.value | _ENABLE_VIRTUAL_TERMINAL_PROCESSING))
