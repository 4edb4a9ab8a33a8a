"""Events: what happens, told through ``logging`` to whoever listens.

A script that imports vdiskkit and sets up logging gets them from loggers below ``vdiskkit``::

    logging.basicConfig(level=logging.INFO)      # INFO:vdiskkit.patch:change.step disk=/store/win10.vhd step=write ...

The message of each record is an :class:`Event`: as text one line, with its name and fields for programs
(``record.msg.name``, ``record.msg.fields``). Nothing here sets logging up, and as long as nobody has imported it an
event costs one look into a dict: importing it takes as long as reading a value from a disk.

Texts in events may come from an image. They are displayable, and product keys in them are hidden, before anybody gets
to see them.
"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any

from vdiskkit.text import displayable

if TYPE_CHECKING:
    import logging

__all__ = ["Event", "absolute", "error_fields", "safe", "tell", "wanted"]

_ROOT = "vdiskkit"
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
"""The numbers of ``logging``, which is not imported here."""

_BARE = re.compile(r'[^\s"=()]+')


class Event:
    """One event: a name, and fields that are JSON types.

    Args:
        name: What happened, such as ``change.begin``.
        fields: Whatever belongs to it; those that are None are left out.
    """

    __slots__ = ("fields", "name")

    def __init__(self, name: str, fields: dict[str, Any]) -> None:
        self.name = name
        self.fields = {key: _plain(value) for key, value in fields.items() if value is not None}

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{key}={_text(value)}" for key, value in self.fields.items())])


def tell(source: str, name: str, /, *, level: str = "info", **fields: Any) -> None:  # noqa: ANN401 - JSON types
    """Tell an event, if anybody listens.

    Args:
        source: Which part of vdiskkit tells it: the logger is ``vdiskkit.<source>``.
        name: Name of the event.
        level: ``debug``, ``info``, ``warning``, ``error`` or ``critical``.
        fields: What belongs to it: text, numbers, truth values, and lists of text.
    """
    logger = _listening(source, level)
    if logger is not None:
        logger.log(_LEVELS[level], Event(name, fields), stacklevel=2)


def wanted(source: str, level: str = "info") -> bool:
    """Whether anybody listens: asked before work is done only to tell of it."""
    return _listening(source, level) is not None


def absolute(path: str | os.PathLike[str]) -> str:
    """Return the whole path of a file, by which it is told in events."""
    return os.path.abspath(os.fspath(path))  # noqa: PTH100 - importing pathlib costs start-up time


def error_fields(error: BaseException) -> dict[str, Any]:
    """Return the fields that tell an error: ``type``, ``message``, ``location`` and ``hint``."""
    location = getattr(error, "location", None)
    return {
        "type": type(error).__name__,
        "message": getattr(error, "message", None) or str(error) or type(error).__name__,
        "location": str(location) if location is not None else None,
        "hint": getattr(error, "hint", None),
    }


def safe(text: str) -> str:
    """Return text as one displayable line without product keys."""
    # Imported here: it is needed only when there is something to tell.
    from vdiskkit.licensing.secrets import mask_keys

    return displayable(mask_keys(text))


def _listening(source: str, level: str) -> logging.Logger | None:
    module = sys.modules.get("logging")
    # Another thread may be at importing it.
    get_logger = getattr(module, "getLogger", None)
    if get_logger is None:
        return None
    top: logging.Logger = get_logger(_ROOT)
    if not top.handlers:
        # Without any handler Python would write warnings to stderr; a library keeps its mouth shut.
        top.addHandler(sys.modules["logging"].NullHandler())
    logger: logging.Logger = get_logger(f"{_ROOT}.{source}")
    return logger if logger.isEnabledFor(_LEVELS[level]) else None


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON types
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return safe(str(value))


def _text(value: Any) -> str:  # noqa: ANN401 - JSON types
    r"""A value in a line: quoted where that is needed, with quotes doubled, so that ``\`` in paths stays one."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"({' '.join(_text(item) for item in value)})"
    text = str(value)
    return text if _BARE.fullmatch(text) else '"' + text.replace('"', '""') + '"'
