"""Markup that escapes by itself: every text is made displayable and escaped unless it is :class:`Markup` already.

There is one way to make markup, :func:`element`; the names of elements and attributes are ours, everything else may
come from an image.
"""

from __future__ import annotations

from html import escape
from typing import Final

from vdiskkit.text import displayable

__all__ = ["NOTHING", "Markup", "element", "join"]


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


NOTHING: Final = Markup("")


def element(name: str, *children: str, **attributes: str | int) -> Markup:
    """An element with its children.

    Args:
        name: Name of the element.
        children: Texts, which are escaped, and markup.
        attributes: By name; a trailing underscore is dropped (``class_``), others stand for hyphens
            (``aria_label``). Values are escaped.
    """
    named = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_escaped(str(value))}"' for key, value in attributes.items()
    )
    return Markup(f"<{name}{named}>{join(*children)}</{name}>")


def join(*children: str) -> Markup:
    """Several pieces as one; texts among them are escaped."""
    return Markup("".join(child if isinstance(child, Markup) else _escaped(child) for child in children))


def _escaped(text: str) -> str:
    return escape(displayable(text, limit=None), quote=True)
