"""Which footer of a VHD is in force: the one at the end, one byte short or not, or its copy at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.container.vhd.layout import FOOTER_SIZE, POISON_COOKIE, Footer, parse_footer
from vdiskkit.errors import CorruptStructureError, FormatError, UnknownFormatError

if TYPE_CHECKING:
    from vdiskkit.container.detect import Probe

__all__ = ["COPY_AGAIN", "FooterReading", "read_footer"]

COPY_AGAIN = "copy the file again from its source and compare the sizes"


class FooterReading(NamedTuple):
    """The footer in force and how it was found.

    Attributes:
        footer: The parsed footer.
        state: ``ok``, ``damaged`` or ``short_511``; see :class:`vdiskkit.container.facts.FooterState`.
        end: First byte behind the data: where the footer begins, the end of the file when it is missing.
        missing: Whether nothing like a footer is at the end of the file.
        problem: Why the footer at the end is not used; empty when it is.
    """

    footer: Footer
    state: str
    end: int
    missing: bool
    problem: str


def read_footer(probe: Probe) -> FooterReading:
    """Find the footer in force: at the end, one byte short at the end, or its copy at the start.

    Raises:
        FormatError: There is none that can be used.
    """
    at_end, copy = probe.footer_at_end, probe.footer_at_start
    for data in (at_end[1] if at_end else None, copy):
        if data is not None and data[:8] == POISON_COOKIE:
            raise CorruptStructureError(
                "a resize of this VHD by XenServer was interrupted (footer cookie 'v_poison')",
                location=probe.location,
                hint="finish or undo the resize on the XenServer host that began it; nothing else can repair it",
            )
    error: FormatError | None = None
    if at_end is not None:
        offset, data = at_end
        try:
            footer = parse_footer(data, probe.location.at("byte", offset))
        except FormatError as exc:
            error = exc
        else:
            short = probe.source.size - offset != FOOTER_SIZE
            return FooterReading(footer, "short_511" if short else "ok", offset, missing=False, problem="")
    if copy is None:
        if error is not None:
            error.hint = error.hint or f"the file is damaged and has no second footer; {COPY_AGAIN}"
            raise error
        raise UnknownFormatError("this is no VHD file: there is no footer", location=probe.location, hint=COPY_AGAIN)
    try:
        footer = parse_footer(copy, probe.location.at("byte", 0))
    except FormatError as exc:
        problem = error or exc
        problem.hint = problem.hint or f"the footer and its copy are both damaged or missing; {COPY_AGAIN}"
        raise problem from None
    if footer.kind == "fixed":
        raise error or CorruptStructureError(
            "the VHD footer is at the start of the file instead of its end, which a fixed disk never has",
            location=probe.location.at("byte", 0),
            hint=COPY_AGAIN,
        )
    end = at_end[0] if at_end else probe.source.size
    return FooterReading(
        footer, "damaged", end, missing=at_end is None, problem=error.message if error else "it is missing"
    )
