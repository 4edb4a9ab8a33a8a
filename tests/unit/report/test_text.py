"""The text of an inspection: whole reports of generated disks at a fixed width, and rows for odd facts.

``VDISKKIT_UPDATE_SNAPSHOTS=1`` writes the snapshots anew; read the difference before committing it.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from vdiskkit.facts import Notice
from vdiskkit.inspection.facts import CrossCheckFacts, Inspection
from vdiskkit.report.sections import SECTIONS, fields_of
from vdiskkit.report.style import Style
from vdiskkit.report.text import inspection_lines

SAMPLES = Path(__file__).parents[3] / "sample_images"
SNAPSHOTS = Path(__file__).parent / "snapshots"


def _inspection(name: str) -> Inspection:
    from vdiskkit.vdisk import open_vdisk

    with open_vdisk(SAMPLES / name) as disk:
        return disk.inspect(readiness=True, blocks=True)


def _normal(text: str) -> str:
    """Take out what differs from checkout to checkout: the folder, and the times of the files in it."""
    return re.sub(r"written \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, with", "written (time) UTC, with", text)


@pytest.mark.parametrize(
    ("disk", "style", "snapshot"),
    [
        ("win7-kms.vhd", Style(width=100), "win7-kms-100.txt"),
        ("win10-private-mak.vhd", Style(width=100, symbols=False), "win10-private-mak-100-ascii.txt"),
        ("faulty.vhd", Style(width=None), "faulty-unlimited.txt"),
        ("desk10.2.avhd", Style(width=72), "desk10-2-72.txt"),
    ],
)
def test_whole_reports(disk: str, style: Style, snapshot: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SAMPLES)
    from vdiskkit.vdisk import open_vdisk

    with open_vdisk(disk) as opened:
        inspection = opened.inspect()
    pair = inspection.pair
    assert pair is not None
    # File times depend on the checkout; a manifest compares them.
    pair = replace(
        pair,
        versions=tuple(replace(item, modified=None) for item in pair.versions),
        manifest=pair.manifest
        and replace(
            pair.manifest,
            versions=tuple(replace(item, last_write_time_matches=None) for item in pair.manifest.versions),
        ),
    )
    inspection = replace(
        inspection, pair=pair, notices=tuple(item for item in inspection.notices if not item.code.startswith("pair."))
    )
    text = "\n".join(inspection_lines(inspection, style)) + "\n"
    path = SNAPSHOTS / snapshot
    if os.environ.get("VDISKKIT_UPDATE_SNAPSHOTS") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_text(encoding="utf-8")
    if style.width:
        assert max(map(len, text.splitlines())) <= style.width
    if not style.symbols:
        assert text.isascii()


@pytest.fixture(scope="module")
def inspection() -> Inspection:
    return _inspection("win7-kms.vhd")


def _rows(inspection: Inspection, *sections: str) -> str:
    return "\n".join(inspection_lines(inspection, Style(), sections))


def test_every_section_has_a_writer_and_its_facts(inspection: Inspection) -> None:
    for name in SECTIONS:
        text = _rows(replace(inspection, cross_check=CrossCheckFacts(checked=("a",), differences=())), name)
        assert re.search(rf"^  {name} ", text, re.MULTILINE), name
        assert fields_of([name]) <= set(Inspection.__dataclass_fields__)


def test_a_disk_without_anything_on_it(inspection: Inspection) -> None:
    empty = replace(
        inspection, volumes=(), volume=None, pvp=None, pair=None, windows=None, licensing=None, procedure=()
    )
    text = _rows(empty)
    for line in (
        "  volume          no NTFS volume could be read",
        "  windows         no Windows found",
        "  target          no Windows found",
        "  license         no Windows found",
        "  tokens          no Windows found",
        "  office          no Windows found",
        "  pvp             ! there is no .pvp side-car",
        "  pair            ? not determinable: the disk is no file in a folder",
        "  lock            ? not determinable: the disk is no file in a folder",
    ):
        assert line in text.splitlines()


def test_unreadable_licensing_of_a_windows_is_told_apart(inspection: Inspection) -> None:
    text = _rows(replace(inspection, licensing=None), "license", "tokens", "office")
    assert text.count("cannot be read") >= 3


def test_every_value_of_a_dirty_hive_is_marked(inspection: Inspection) -> None:
    assert inspection.windows is not None
    assert inspection.licensing is not None
    stale = replace(
        inspection,
        windows=replace(inspection.windows, stale=True),
        licensing=replace(inspection.licensing, stale=True),
    )
    for line in _rows(stale, "windows", "target", "license", "office").splitlines():
        label = line.split()[0]
        if label not in ("disk", "hives", "hive", "files", "not"):
            assert line.endswith("(hive dirty: may be older than its log)"), line
    procedure = _rows(stale, "procedure").splitlines()
    assert sum("hive dirty" in line for line in procedure) == 5


def test_a_bad_key_and_values_are_marked(inspection: Inspection) -> None:
    assert inspection.licensing is not None
    key = replace(
        inspection.licensing.product_key,
        integrity="bad",
        integrity_detail="the checksum of DigitalProductId is wrong",
        blobs_agree=False,
        fits_edition=False,
    )
    licensing = replace(
        inspection.licensing,
        product_key=key,
        skip_rearm=replace(inspection.licensing.skip_rearm, present=True, type="REG_SZ", data="1", problem="no number"),
    )
    text = _rows(replace(inspection, licensing=licensing), "license")
    assert "! a checksum does not fit: the checksum of DigitalProductId is wrong" in text
    assert "! DigitalProductId and DigitalProductId4 hold different keys" in text
    assert '! "1" (REG_SZ): no number' in text
    cleared = replace(licensing, product_key=replace(key, cleared=True, key=None, is_gvlk=None))
    assert "the key was removed from the registry" in _rows(replace(inspection, licensing=cleared), "license")
    none = replace(licensing, product_key=replace(key, key=None, is_gvlk=None, integrity="unknown", channel=None))
    assert "no product key can be read, channel unknown" in _rows(replace(inspection, licensing=none), "license")


def test_locks_children_and_older_versions_are_warnings(inspection: Inspection) -> None:
    assert inspection.pair is not None
    pair = replace(
        inspection.pair,
        lock_files=("win7-kms.lok",),
        locked=True,
        children=("win7-kms.1.avhd",),
        is_newest=False,
        newest_version=1,
        write_cache_folder="/store/WriteCache",
        journals=("win7-kms.vhd.vdiskkit-journal",),
    )
    text = _rows(replace(inspection, pair=pair), "pair", "lock")
    assert "! this disk is locked: win7-kms.lok" in text
    assert "! win7-kms.1.avhd were made from this file: it must not change" in text
    assert "the newest is 1 (--at latest reads it)" in text
    assert "server-side caches" in text
    other = replace(inspection, pair=replace(pair, locked=False))
    assert "! this disk is not locked, another version is" in _rows(other, "lock")


def test_notices_and_second_opinions(inspection: Inspection) -> None:
    odd = replace(
        inspection,
        notices=(
            Notice(code="x.y", message="odd\n::error::", location="a.vhd > footer:0x0"),
            Notice(code="z", message="m"),
        ),
        cross_check=CrossCheckFacts(
            checked=("a", "b"), differences=("SkipRearm: the second reader got another answer",)
        ),
    )
    lines = _rows(odd, "notices", "opinion").splitlines()
    assert lines[1:] == [
        "  notices         2",
        r"    notice        ! x.y: odd\u{a}::error:: (at a.vhd > footer:0x0)",
        "    notice        ! z: m",
        "  opinion         ! a second reader was asked 2 questions, 1 times it differs or failed",
        "    difference    ! SkipRearm: the second reader got another answer",
    ]
