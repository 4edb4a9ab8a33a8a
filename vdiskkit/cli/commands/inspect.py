"""``vdiskkit inspect``: everything known about a vDisk at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from vdiskkit.cli.command import Command
from vdiskkit.cli.options import PathType, common_options, disk_options, line_options, output_option
from vdiskkit.report.sections import SECTIONS, fields_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vdiskkit.cli.session import Session
    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.report.style import Style

__all__ = ["command"]


def _sections(ctx: click.Context, option: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    names = [name.strip().lower() for part in value for name in part.split(",") if name.strip()]
    for name in names:
        if name not in SECTIONS:
            raise click.BadParameter(f"{name!r} is none of {', '.join(SECTIONS)}", ctx, option)
    return tuple(dict.fromkeys(names))


@click.command(
    "inspect",
    cls=Command,
    schema="vdiskkit.inspect/1",
    exit_codes=(0, 3, 5),
    examples=(
        (r'inspect "D:\store\win10.vhd"', "all sections as text"),
        ("inspect win10.pvp --json", "the same facts as one JSON object; the .pvp finds its disk"),
        ("inspect win10.vhd --at latest --section license,tokens", "two sections of the newest version"),
        ("inspect *.vhd --output-format jsonl", "an overview for scripts: one JSON object a line, one line a disk"),
    ),
    short_help="Everything known about a vDisk at a glance.",
)
@click.argument("disks", nargs=-1, metavar="DISK...", type=PathType())
@click.option(
    "--section",
    multiple=True,
    metavar="NAME,...",
    callback=_sections,
    help=f"Only these sections: {', '.join(SECTIONS)}.",
)
@click.option("--blocks", is_flag=True, help="Also show what the disk file holds of the disk: its allocation map.")
@click.option("--deep", is_flag=True, help="Also read what costs more than a glance: whole volumes and hives.")
@click.option("--readiness", is_flag=True, help="Also read what decides whether the image can be cloned as it is.")
@click.option("--second-opinion", is_flag=True, help="Also ask the dissect readers, and tell where they differ.")
@click.option("--show-key", is_flag=True, help="Show product keys whole; otherwise only the last five characters.")
@click.option("--files-from", metavar="LIST", type=PathType(), help="Also inspect the disks in LIST, one path a line.")
@click.option("-0", "--null", is_flag=True, help="Paths in lists end with NUL instead of a line end.")
@disk_options
@line_options
@output_option
@common_options
@click.pass_obj
def command(
    session: Session,
    disks: tuple[str, ...],
    section: tuple[str, ...],
    blocks: bool,
    deep: bool,
    show_key: bool,
    second_opinion: bool,
    readiness: bool,
    files_from: str | None,
    null: bool,
) -> int:
    """Show what is in a vDisk: container, chain, partitions, Windows, licensing, .pvp and the files around it.

    Several disks may be named; * and ** are expanded, and - reads paths from standard input.
    """
    from vdiskkit.cli.results import Work, examine
    from vdiskkit.cli.targets import disk_list, open_disk

    def gather(target: str) -> Inspection:
        with open_disk(session, target, shows_notices=True) as disk:
            return disk.inspect(
                deep=deep,
                show_keys=show_key,
                second_opinion=second_opinion,
                readiness=readiness or "readiness" in section,
                blocks=blocks or "blocks" in section,
            )

    def as_text(inspection: Inspection, style: Style) -> Iterable[str]:
        from vdiskkit.report.text import inspection_lines

        return inspection_lines(inspection, style, section)

    def as_dict(inspection: Inspection) -> dict[str, Any]:
        result = inspection.to_dict()
        if not section:
            return result
        wanted = fields_of(section)
        return {"sections": list(section), **{name: item for name, item in result.items() if name in wanted}}

    def as_lines(inspection: Inspection, target: str) -> str:
        from vdiskkit.report.line_facts import disk_summary
        from vdiskkit.report.lines import lines_of

        return lines_of("disk", target, disk_summary(inspection))

    if session.lines and (section or blocks or readiness or second_opinion):
        raise click.UsageError(
            "a JSON line is the same overview of every disk: "
            "--section, --blocks, --readiness and --second-opinion need --json or text"
        )
    session.targets = disk_list(disks, files_from, nul=null)
    return examine(session, session.targets, Work(gather, as_text, as_dict, as_lines))
