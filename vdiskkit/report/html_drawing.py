"""Drawings of a vDisk as inline SVG: the chain of versions, how full each file is, the partitions, the volume.

Nothing is told by colour or by the drawing alone: every part has its words beside it, and every drawing its title.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from vdiskkit.report.html_markup import NOTHING, Markup, element, join
from vdiskkit.report.layout import size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdiskkit.inspection.facts import Inspection

__all__ = ["pictures"]

_WIDTH: Final = 360
_MOST: Final = 14
"""Boxes or bars of one drawing; a drawing of more is no help, and the facts below list them all."""

_NARROWEST: Final = 16
"""Width of the smallest partition that still shows its number."""


class _Box(NamedTuple):
    name: str
    detail: str
    side: str
    is_this: bool
    follows: bool


class _Part(NamedTuple):
    kind: str
    size: int
    label: str
    words: str


def pictures(inspection: Inspection, ident: str) -> Markup:
    """All drawings of one disk.

    Args:
        inspection: What is known of it.
        ident: Beginning of the ids in the drawings, different for each disk of a page.
    """
    left = _chain(inspection, f"{ident}-chain")
    right = join(
        _allocation(inspection, f"{ident}-blocks"),
        _partitions(inspection, f"{ident}-partitions"),
        _volume(inspection, f"{ident}-volume"),
    )
    return element("div", element("div", left), element("div", right), class_="pictures")


def _chain(inspection: Inspection, ident: str) -> Markup:
    boxes = _version_boxes(inspection) or _link_boxes(inspection)
    shown = _shortened(boxes)
    high, step = 46, 66
    drawn: list[str] = []
    for number, at in enumerate(shown):
        box = boxes[at]
        top = 4 + number * step
        left_out = at - shown[number - 1] - 1 if number else 0
        if left_out:
            drawn.append(element("text", f"\u2026 {left_out} more \u2026", x=24, y=top - 6, class_="small"))
        elif number and box.follows:
            drawn.append(element("path", class_="arrow", d=f"M30 {top}V{top - step + high + 8}"))
            drawn.append(element("path", class_="head", d=f"M30 {top - step + high}l-5 9h10z"))
            drawn.append(element("text", "made from", x=42, y=top - 6, class_="small"))
        elif number:
            drawn.append(element("text", "stands by itself or on an earlier file", x=24, y=top - 6, class_="small"))
        drawn.append(
            element(
                "g",
                element("title", f"{box.name}: {box.detail}, {box.side}"),
                element(
                    "rect",
                    x=4,
                    y=top,
                    width=_WIDTH - 8,
                    height=high,
                    rx=5,
                    class_="this" if box.is_this else "box",
                ),
                element("text", _middle(box.name, _WIDTH - 28), x=14, y=top + 19, class_="bold"),
                element("text", "this file", x=_WIDTH - 14, y=top + 36, text_anchor="end") if box.is_this else NOTHING,
                element(
                    "text",
                    _middle(f"{box.detail} \u00b7 {box.side}", (_WIDTH - (80 if box.is_this else 28)) * 4 // 3),
                    x=14,
                    y=top + 36,
                    class_="small",
                ),
            )
        )
    if len(boxes) == 1:
        title = caption = "One file, without further versions."
    else:
        title = f"Chain of {len(boxes)} files, the oldest on top"
        caption = f"{len(boxes)} files, the oldest on top; an arrow leads to the file that a version was made from."
    drawing = _svg(ident, title, 8 + (len(shown) - 1) * step + high, drawn)
    return _figure("Versions", caption, drawing)


def _version_boxes(inspection: Inspection) -> list[_Box]:
    boxes: list[_Box] = []
    before = None
    for item in inspection.pair.versions if inspection.pair is not None else ():
        kind = {"base": "base", "version": "version", "merged": "merged base"}.get(str(item.kind), str(item.kind))
        detail = f"{kind} {item.version}" + (f" \u00b7 {size_text(item.size)}" if item.size is not None else "")
        side = ("\u2713 with .pvp" if item.has_pvp else "\u2717 no .pvp") + (
            " \u00b7 ! locked" if item.has_lock else ""
        )
        follows = item.parent_file is not None and item.parent_file == before
        if item.parent_file is not None and before is not None and not follows:
            side += f" \u00b7 made from {item.parent_file}"
        boxes.append(_Box(item.file_name, detail, side, item.is_this, follows))
        before = item.file_name
    return boxes


def _link_boxes(inspection: Inspection) -> list[_Box]:
    boxes = []
    for number, link in enumerate(inspection.container.chain):
        name = (link.path or "(no path)").replace("\\", "/").rpartition("/")[2]
        boxes.append(
            _Box(name, f"{link.format.upper()} {link.type}", size_text(link.file_size), number == 0, follows=True)
        )
    return boxes[::-1]


def _shortened(boxes: list[_Box]) -> list[int]:
    """Which boxes to draw: the oldest, the newest and the disk itself are always among them."""
    if len(boxes) <= _MOST:
        return list(range(len(boxes)))
    wanted = {len(boxes) - 1, *(number for number, box in enumerate(boxes) if box.is_this)}
    first = [number for number in range(len(boxes)) if number not in wanted]
    return sorted([*first[: _MOST - len(wanted)], *wanted])


def _allocation(inspection: Inspection, ident: str) -> Markup:
    links = [link for link in inspection.container.chain if link.allocated_bytes is not None]
    if not links:
        return NOTHING
    left_out = len(links) - _MOST
    if left_out > 0:
        links = [*links[: _MOST - 1], links[-1]]
    drawn: list[str] = []
    words: list[str] = []
    wide = _WIDTH - 68
    for number, link in enumerate(links):
        used, size = link.allocated_bytes or 0, max(link.virtual_size, 1)
        share = min(used / size, 1)
        name = (link.path or "(no path)").replace("\\", "/").rpartition("/")[2]
        text = f"{name}: {size_text(used)} of {size_text(link.virtual_size)} ({share:.0%})"
        top = 2 + number * 22
        drawn.append(
            element(
                "g",
                element("title", text),
                element("text", str(number + 1), x=4, y=top + 13, class_="bold"),
                element("rect", x=24, y=top, width=wide, height=18, class_="free"),
                element("rect", x=24, y=top, width=f"{share * wide:.1f}", height=18, class_="used"),
                element("text", f"{share:.0%}", x=_WIDTH - 4, y=top + 13, text_anchor="end"),
            )
        )
        words.append(f"{number + 1}: {text.removeprefix(f'{name}: ')} \u00b7 {name}")
    title = "How much of the virtual disk each file holds"
    drawing = _svg(ident, title, 4 + len(links) * 22, drawn)
    more = f" {left_out} further files of the chain are left out." if left_out > 0 else ""
    return _figure("Blocks in use", f"{title}; not where it lies.{more}", join(drawing, _legend(words)))


def _partitions(inspection: Inspection, ident: str) -> Markup:
    parts = _parts(inspection)
    if not parts:
        return NOTHING
    words = [part.words for part in parts]
    title = f"{len(inspection.partitions.partitions)} partitions in the order they lie on the disk"
    most = _MOST * 2
    more = f" Only the first {most} are drawn." if len(parts) > most else ""
    drawing = _svg(ident, title, 44, _bar(parts[:most], ident, 40))
    return _figure(
        "Partitions",
        f"Of {size_text(inspection.container.virtual_size)}; small ones are drawn wider than they are.{more}",
        join(drawing, _legend(words)),
    )


def _parts(inspection: Inspection) -> list[_Part]:
    volumes = {item.partition: item for item in inspection.volumes}
    end = 0
    parts: list[_Part] = []
    size = inspection.container.virtual_size
    ordered = sorted(inspection.partitions.partitions, key=lambda item: item.offset)
    for item in ordered:
        # What a table leaves for itself and for alignment is no gap worth showing.
        if item.offset - end > size // 100 and item.offset < size:
            parts.append(_Part("gap", item.offset - end, "", f"not partitioned: {size_text(item.offset - end)}"))
        found = volumes.get(item.number)
        system = (
            {"ntfs": "NTFS", "bitlocker": "BitLocker", "refs": "ReFS"}.get(found.file_system or "", "") if found else ""
        )
        named = [item.type_name or item.type_id, system, f'"{found.label}"' if found and found.label else ""]
        named += ["with Windows" if found and found.windows else "", "read below" if found and found.selected else ""]
        named += ["cannot be read" if found and found.problem else ""]
        text = ", ".join([size_text(item.size), *(word for word in named if word)])
        kind = "this" if found and found.selected else "used"
        parts.append(_Part(kind, item.size, str(item.number), f"{item.number}: {text}"))
        end = max(end, item.offset + item.size)
    if parts and size - end > size // 100:
        parts.append(_Part("gap", size - end, "", f"not partitioned: {size_text(size - end)}"))
    return parts


def _volume(inspection: Inspection, ident: str) -> Markup:
    facts = inspection.volume
    if facts is None or facts.free_bytes is None or not 0 <= facts.free_bytes <= facts.size:
        return NOTHING
    used = facts.size - facts.free_bytes
    parts = [
        _Part("used", used, "used", f"used: {size_text(used)}"),
        _Part("free", facts.free_bytes, "free", f"free: {size_text(facts.free_bytes)}"),
    ]
    label = f'"{facts.label}"' if facts.label else "without a label"
    drawing = _svg(ident, "Used and free space of the volume", 30, _bar(parts, ident, 26))
    caption = f"NTFS {label}, {size_text(facts.size)}."
    return _figure("Space in the volume", caption, join(drawing, _legend([part.words for part in parts])))


def _bar(parts: Sequence[_Part], ident: str, high: int) -> list[str]:
    wide = _WIDTH - 8
    whole = sum(max(part.size, 0) for part in parts) or 1
    least = min(_NARROWEST, wide / len(parts))
    wants = [max(least, wide * max(part.size, 0) / whole) for part in parts]
    # What the small ones got too much is taken from the wide ones, each by its share of what it has to give.
    spare = sum(want - least for want in wants)
    excess = sum(wants) - wide
    drawn: list[str] = [_hatch(ident)]
    left = 4.0
    for part, want in zip(parts, wants, strict=True):
        width = want - (excess * (want - least) / spare if spare > 0 else 0)
        place = {"x": f"{left:.1f}", "y": "2", "width": f"{width:.1f}", "height": str(high)}
        gap = {"fill": f"url(#{ident}-hatch)"} if part.kind == "gap" else {}
        pieces = [element("title", part.words), element("rect", class_=part.kind, **place, **gap)]
        if width >= 8 * len(part.label):
            middle = f"{left + width / 2:.1f}"
            pieces.append(
                element("text", part.label, x=middle, y=2 + high // 2 + 4, text_anchor="middle", class_="bold")
            )
        drawn.append(element("g", *pieces))
        left += width
    return drawn


def _hatch(ident: str) -> Markup:
    lines = element("path", d="M0 6L6 0", class_="hatch")
    pattern = element("pattern", lines, id=f"{ident}-hatch", width=6, height=6, patternUnits="userSpaceOnUse")
    return element("defs", pattern)


def _svg(ident: str, title: str, high: int, drawn: Sequence[str]) -> Markup:
    named = element("title", title, id=f"{ident}-title")
    return element(
        "svg", named, *drawn, role="img", aria_labelledby=f"{ident}-title", viewBox=f"0 0 {_WIDTH} {max(high, 1)}"
    )


def _figure(name: str, caption: str, content: Markup) -> Markup:
    return element("figure", element("figcaption", element("strong", name), " \u00b7 ", caption), content)


def _legend(words: Sequence[str]) -> Markup:
    return element("ul", *(element("li", text) for text in words), class_="legend")


def _middle(text: str, room: int) -> str:
    """``text`` with its middle left out where it is too long for its box; its end tells the version.

    ``room`` is by the bold font of the names; the small one sets a third more.
    """
    from vdiskkit.text import displayable

    shown = displayable(text, limit=200)
    if sum(_wide(character) for character in shown) <= room:
        return shown
    head = tail = 0
    left = room - _wide("\u2026")
    while True:
        longer = _wide(shown[head] if head <= tail else shown[-1 - tail])
        if longer > left:
            return f"{shown[:head]}\u2026{shown[len(shown) - tail :]}"
        left -= longer
        head, tail = (head + 1, tail) if head <= tail else (head, tail + 1)


def _wide(character: str) -> int:
    """How wide a character is at most, about; no font is asked, as the reader's is not known."""
    from unicodedata import east_asian_width

    if character in "WM@%m\u2026" or east_asian_width(character) in "WF":
        return 14
    if character in "iljtf.,:;'!|()[] -":
        return 6
    return 11 if character.isupper() else 9
