"""One address language through all layers: file, container, volume, file in the image, hive, cell.

A location prints as ``disk.vhd > partition:2 > ntfs:0x4000 > hive:0x1020`` and parses back from that text.
"""

from __future__ import annotations

import re

from vdiskkit.text import displayable

__all__ = ["Location"]

_SEPARATOR = " > "
_STEP = re.compile(r"([a-z][a-z0-9_]*):(.*)", re.DOTALL)
_ESCAPED = re.compile(r"\\u\{([0-9a-f]+)\}")


class Location:
    """An immutable address. ``at`` returns the next, deeper address.

    Args:
        path: The file outside, as the user named it; empty for a file object without a name.
        steps: Pairs of layer name and position. Integers are byte offsets or record numbers in that layer.
    """

    __slots__ = ("path", "steps")

    def __init__(self, path: str, steps: tuple[tuple[str, int | str], ...] = ()) -> None:
        self.path = path
        self.steps = steps

    def at(self, layer: str, position: int | str) -> Location:
        """Return the address of ``position`` in ``layer``, below this one."""
        return Location(self.path, (*self.steps, (layer, position)))

    def __str__(self) -> str:
        parts = [_escape(self.path)]
        parts += [f"{layer}:{_text(position)}" for layer, position in self.steps]
        return _SEPARATOR.join(parts)

    def __repr__(self) -> str:
        return f"Location({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Location) and (self.path, self.steps) == (other.path, other.steps)

    def __hash__(self) -> int:
        return hash((self.path, self.steps))

    @classmethod
    def parse(cls, text: str) -> Location:
        """Read back what ``str`` printed.

        Raises:
            ValueError: A step is not of the form ``layer:position``.
        """
        path, *rest = text.split(_SEPARATOR)
        steps: list[tuple[str, int | str]] = []
        for part in rest:
            match = _STEP.fullmatch(part)
            if match is None:
                raise ValueError(f"not a location step: {part!r}")
            layer, position = match.groups()
            steps.append((layer, int(position, 16) if re.fullmatch(r"0x[0-9a-f]+", position) else _unescape(position)))
        return cls(_unescape(path), tuple(steps))


def _text(position: int | str) -> str:
    return f"{position:#x}" if isinstance(position, int) else _escape(position)


def _escape(text: str) -> str:
    # A name that looks like our own escape or separator must survive the round trip, so both are escaped first.
    return displayable(text.replace("\\u{", "\\u{5c}u{").replace(">", "\\u{3e}"), limit=None)


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), text)
