"""Whole validations of damaged samples: every rule gives a verdict on whatever facts come out, in every form.

More rounds than the few of the default run: ``VDISKKIT_FUZZ_ROUNDS=2000``.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import xml.etree.ElementTree as ET
from functools import cache

import pytest

import vdiskkit
from tests.fuzz.test_inspect import ROUNDS, SAMPLES, Recording
from vdiskkit.report.style import Style
from vdiskkit.report.validation import FORMATS, DiskOutcome, ValidationRun, render
from vdiskkit.report.validation_text import validation_lines
from vdiskkit.vdisk import VDisk

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
KEY = r'registry."HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"'


@cache
def profile(folder: str) -> vdiskkit.Profile:
    from pathlib import Path

    path = Path(folder) / "fuzz.toml"
    path.write_text(
        f'extends = "kms-standard"\n[{KEY}]\nProductName = {{ regex = "Windows.*" }}\nEditionID = "Enterprise"\n'
        '[files]\npresent = ["Windows/explorer.exe"]\nabsent = ["Windows/evil.exe"]\n',
        encoding="utf-8",
    )
    return vdiskkit.load_profile(path)


def validate(data: bytes, name: str, folder: str) -> tuple[vdiskkit.Report, list[tuple[int, int]]]:
    source = Recording(data)
    with VDisk(source, target=name, path=str(SAMPLES / name)) as disk:
        return vdiskkit.validate(disk, profile(folder), now=NOW), source.ranges


@pytest.mark.parametrize("name", ["faulty.vhd", "win7-kms.vhd", "hostile.vhd", "desk10.2.avhd"])
def test_changed_bytes_end_in_verdicts_or_in_our_own_error(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = str(tmp_path_factory.getbasetemp())
    data = (SAMPLES / name).read_bytes()
    whole, ranges = validate(data, name, folder)
    for number in range(ROUNDS):
        chance = random.Random(f"validate {name} {number} {ROUNDS}")  # noqa: S311 - repeatable, not secret
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 8)):
            offset, length = chance.choice(ranges)
            at = offset + chance.randrange(min(length, 4096))
            damaged[at] = chance.choice((0, 0xFF, damaged[at] ^ 1 << chance.randrange(8), chance.randrange(256)))
        try:
            report, _ = validate(bytes(damaged), name, folder)
        except vdiskkit.VDiskError as exc:
            assert exc.message  # noqa: PT017 - both outcomes are right
            assert exc.exit_code in {3, 5}  # noqa: PT017
            continue
        assert [result.code for result in report.results] == [result.code for result in whole.results]
        run = ValidationRun([DiskOutcome(name, report, None)], vdiskkit.all_rules(), NOW, 0)
        for form in FORMATS:
            text = render(run, form)
            if form in ("json", "sarif"):
                json.loads(text)
            if form == "junit":
                ET.fromstring(text)  # noqa: S314 - our own output
        assert all("\n" not in line for line in validation_lines(report, Style(), every_result=True))
