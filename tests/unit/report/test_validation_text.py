"""The text of a validation: whole reports of generated disks at a fixed width.

``VDISKKIT_UPDATE_SNAPSHOTS=1`` writes the snapshots anew; read the difference before committing it.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import pytest

import vdiskkit
from vdiskkit.report.rules_text import rule_lines
from vdiskkit.report.style import Style
from vdiskkit.report.validation_text import validation_lines
from vdiskkit.rules.catalogue import find_rule

SAMPLES = Path(__file__).parents[3] / "sample_images"
SNAPSHOTS = Path(__file__).parent / "snapshots"
NOW = dt.datetime(2026, 11, 24, 9, 12, 3, tzinfo=dt.UTC)


def compare(lines: list[str], snapshot: str) -> None:
    text = "".join(f"{line}\n" for line in lines)
    path = SNAPSHOTS / snapshot
    if os.environ.get("VDISKKIT_UPDATE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("disk", "style", "snapshot"),
    [
        ("faulty.vhd", Style(width=80), "validate-faulty-80.txt"),
        ("win10-private-mak.vhd", Style(width=80, symbols=False), "validate-private-mak-80-ascii.txt"),
        ("faulty.vhd", Style(width=None, color=True), "validate-faulty-color.txt"),
    ],
)
def test_whole_reports(disk: str, style: Style, snapshot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SAMPLES)
    with vdiskkit.open_vdisk(disk) as opened:
        # The rules about file times depend on the checkout.
        report = vdiskkit.validate(opened, ignore=["PVP109"], now=NOW)
    lines = validation_lines(report, style)
    if style.width is not None:
        assert max(len(line) for line in lines) <= style.width
    compare(lines, snapshot)


def test_colour_never_stands_alone() -> None:
    import re

    with vdiskkit.open_vdisk(SAMPLES / "faulty.vhd") as opened:
        report = vdiskkit.validate(opened, now=NOW)
    colored = "\n".join(validation_lines(report, Style(color=True)))
    plain = "\n".join(validation_lines(report, Style()))
    assert re.sub("\x1b\\[[0-9;]*m", "", colored) == plain


def test_one_rule() -> None:
    compare(rule_lines(find_rule("KMS110").facts(), Style(width=80)), "rule-KMS110-80.txt")
