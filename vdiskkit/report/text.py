"""An inspection as text, section by section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vdiskkit.report import text_blocks, text_disk, text_license, text_pair, text_readiness, text_windows
from vdiskkit.report.layout import Row, render, stale_mark
from vdiskkit.report.sections import SECTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.report.style import Style

__all__ = ["NOT_CLAIMED", "inspection_lines", "section_rows"]

NOT_CLAIMED: Final = (
    "activation status, client machine id (CMID) and remaining rearm count: "
    "they are encrypted and cannot be read offline"
)
"""Said below everything about licensing."""

_STATES: Final = {"done": ("good", "done"), "not_done": ("bad", "not done"), "unknown": ("unknown", "not determinable")}
_FROM_REGISTRY: Final = frozenset({1, 3, 5, 6, 7})


def inspection_lines(inspection: Inspection, style: Style, sections: Iterable[str] = ()) -> list[str]:
    """Set an inspection as lines.

    Args:
        inspection: What is known.
        style: What the place of the output can show.
        sections: Names from :data:`~vdiskkit.report.sections.SECTIONS`; none means all.
    """
    wanted = tuple(sections) or tuple(SECTIONS)
    rows = [Row("disk", inspection.target, level=0)]
    pair = inspection.pair
    if pair is not None and pair.is_newest is False and "pair" not in wanted:
        text = f"this is version {pair.version}, the folder has version {pair.newest_version}; --at latest reads it"
        rows.append(Row("newer", text, "warning"))
    for name in wanted:
        rows.extend(_WRITERS[name](inspection))
    if not {"license", "tokens", "office", "procedure", "readiness"}.isdisjoint(wanted):
        rows.append(Row("not claimed", NOT_CLAIMED))
    return render(rows, style)


def section_rows(inspection: Inspection, section: str) -> Iterator[Row]:
    """The rows of one section of :data:`~vdiskkit.report.sections.SECTIONS`."""
    return _WRITERS[section](inspection)


def _procedure(inspection: Inspection) -> Iterator[Row]:
    yield Row("procedure", "what the image shows of the eight steps that prepare a vDisk for KMS")
    stale = inspection.windows is not None and inspection.windows.stale
    for step in inspection.procedure:
        mark, state = _STATES[str(step.state)]
        text = f"{state}: {step.title} - {step.evidence}"
        yield Row(f"step {step.step}", stale_mark(text, stale=stale and step.step in _FROM_REGISTRY), mark, level=2)


def _notices(inspection: Inspection) -> Iterator[Row]:
    if not inspection.notices:
        yield Row("notices", "none")
        return
    yield Row("notices", f"{len(inspection.notices)}")
    for notice in inspection.notices:
        where = f" (at {notice.location})" if notice.location else ""
        yield Row("notice", f"{notice.code}: {notice.message}{where}", "warning", level=2)


def _opinion(inspection: Inspection) -> Iterator[Row]:
    facts = inspection.cross_check
    if facts is None:
        return
    count = f"a second reader was asked {len(facts.checked)} questions"
    if not facts.checked and not facts.differences:
        yield Row("opinion", "a second reader has nothing to say about this disk: it was not asked", "unknown")
        return
    if not facts.differences:
        yield Row("opinion", f"{count} and gave the same answers", "good")
        return
    yield Row("opinion", f"{count}, {len(facts.differences)} times it differs or failed", "warning")
    for difference in facts.differences:
        yield Row("difference", difference, "warning", level=2)


_WRITERS: Final[dict[str, Callable[[Inspection], Iterator[Row]]]] = {
    "container": text_disk.container,
    "chain": text_disk.chain,
    "blocks": text_blocks.blocks,
    "partitions": text_disk.partitions,
    "volume": text_disk.volume,
    "windows": text_windows.windows,
    "target": text_windows.target,
    "license": text_license.license_rows,
    "tokens": text_license.tokens,
    "office": text_license.office,
    "pvp": text_pair.pvp,
    "pair": text_pair.pair,
    "lock": text_pair.lock,
    "procedure": _procedure,
    "readiness": text_readiness.readiness,
    "notices": _notices,
    "opinion": _opinion,
}
