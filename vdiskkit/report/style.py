"""How text is set: width, symbols or plain ASCII, colour."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["ARROW", "MARKS", "Style"]

MARKS: Final = {
    "good": ("✓", "+", "32"),
    "bad": ("✗", "-", "31"),
    "unknown": ("?", "?", "36"),
    "warning": ("!", "!", "33"),
    "plain": ("", "", ""),
}
"""Mark name to its symbol, its ASCII stand-in, and its colour (SGR)."""

ARROW: Final = ("→", "->")


class Style(NamedTuple):
    """What the place of the output can show.

    Attributes:
        width: Characters in a line, None for no limit.
        symbols: Whether symbols outside ASCII may be used.
        color: Whether colour may be used; it never stands alone.
    """

    width: int | None = None
    symbols: bool = True
    color: bool = False

    @staticmethod
    def symbols_fit(encoding: str) -> bool:
        """Whether an encoding has all the symbols."""
        try:
            ("".join(entry[0] for entry in MARKS.values()) + ARROW[0]).encode(encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    @property
    def arrow(self) -> str:
        """An arrow to the right."""
        return ARROW[0] if self.symbols else ARROW[1]

    def mark(self, name: str) -> str:
        """The symbol of a mark, empty for ``plain``."""
        return MARKS[name][0 if self.symbols else 1]

    def paint(self, text: str, name: str) -> str:
        """``text`` in the colour of a mark, where colour is on."""
        code = MARKS[name][2]
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and code and text else text

    def bold(self, text: str) -> str:
        """``text`` in bold, where colour is on."""
        return f"\x1b[1m{text}\x1b[0m" if self.color and text else text
