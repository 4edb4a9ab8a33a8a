"""Everything that an administrator can meet has an explanation; what has none is named, with the file to add it to."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import vdiskkit
from tests.unit.explanations.sources import PACKAGE, errors, notices
from vdiskkit.cli.exitcodes import MEANING
from vdiskkit.explanations.catalogue import FILES, explain, explanations
from vdiskkit.explanations.facts import Kind
from vdiskkit.licensing.eventlog import EVENTS
from vdiskkit.rules.catalogue import FAMILIES, all_rules

SAMPLES = Path(__file__).parents[3] / "sample_images"
FOLDER = PACKAGE / "explanations"

PROCEDURE = (
    *("0xC004D307", "0xC004F038", "0xC004F074", "0xC004F042", "0x8007232B", "MAP error"),
    *("1003", "1024", "1025", "1040", "8198", "12288", "12289"),
)
"""What people meet when they prepare a vDisk for KMS."""

COMMON = (
    *("0xC004C001", "0xC004C003", "0xC004C008", "0xC004B100", "0xC004C020", "0xC004C021", "0xC004F009"),
    *("0xC004F00F", "0xC004F014", "0xC004F02C", "0xC004F035", "0xC004F038", "0xC004F039", "0xC004F041"),
    *("0xC004F042", "0xC004F050", "0xC004F051", "0xC004F064", "0xC004F065", "0xC004F06C", "0x80070005"),
    *("0x8007232A", "0x8007232B", "0x800706BA", "0x8007251D", "0xC004F074", "0x8004FE21", "0x80092328"),
    *("0x8007007b", "0x80070490"),
)
"""The table of Microsoft's page "Resolve Windows activation error codes"."""

WORDS = (
    *("SkipRearm", "CMID", "GVLK", "MAK", "CSVLK", "tokens.dat", "OSPPREARM", "VLActivationType"),
    *("KeyManagementServiceName", "KeyManagementServicePort", "Volume:GVLK", "Volume:CSVLK", "OEM:DM"),
    *("licenseMode", "writeCacheType", "InventoryStatus", "GoodInventoryStatus", ".lok", "cfsdep2"),
    "failed to map vDisk, no driver",
)
"""Words and values of Windows, Office and PVS that stand in registry, side-car and console."""


def _codes(kind: Kind) -> set[str]:
    return {item.code for item in explanations(kind)}


@pytest.mark.parametrize("code", [*PROCEDURE, *COMMON, *WORDS])
def test_what_the_procedure_brings_up(code: str) -> None:
    assert explain(code).meaning


def test_every_notice() -> None:
    known = _codes(Kind.NOTICE)
    missing = [
        f"{notice.code} ({notice.place})"
        for notice in notices()
        if not any(re.fullmatch(notice.code, code) for code in known)
    ]
    assert not missing, (
        f"add a [[code]] to vdiskkit/explanations/notices_*.toml for each of {missing}; if one is no notice, say so in "
        "tests/unit/explanations/sources.py"
    )


def test_no_notice_that_does_not_exist() -> None:
    made = {notice.code for notice in notices()}
    stale = [code for code in sorted(_codes(Kind.NOTICE)) if not any(re.fullmatch(one, code) for one in made)]
    assert not stale, f"nothing gives these any more, so take them out of vdiskkit/explanations/notices_*.toml: {stale}"


def test_every_notice_names_the_rules_that_judge_by_it() -> None:
    """A notice that a rule's module looks at belongs to a rule of one of that module's families."""
    families: dict[str, set[str]] = {"kms_host.py": {"KMS"}}
    for family, (module, _) in FAMILIES.items():
        families.setdefault(f"{module}.py", set()).add(family)
    missing = []
    for code, place in notices():
        if not place.startswith("vdiskkit/rules/"):
            continue
        wanted = families.get(place.removeprefix("vdiskkit/rules/").partition(":")[0])
        if wanted and not any(other.rstrip("0123456789") in wanted for other in explain(code).related):
            missing.append(f"{code}: a rule of {', '.join(sorted(wanted))} ({place})")
    assert not missing, f"name these in `related` of the notice: {missing}"


def test_every_error() -> None:
    known, there = _codes(Kind.ERROR), errors()
    missing = sorted(there.keys() - known)
    assert not missing, f"add a [[code]] to vdiskkit/explanations/errors.toml for each of {missing}"
    assert known == there.keys()
    for name, error in there.items():
        explained = explain(name)
        assert explained.exit_code == error.exit_code
        assert explained.meaning


def test_every_error_belongs_to_its_exit_code() -> None:
    missing = [
        f"{name}: exit code {error.exit_code}"
        for name, error in errors().items()
        if name != "VDiskError" and str(error.exit_code) not in explain(name).related
    ]
    assert not missing, f"name these in `related` of the exit code in vdiskkit/explanations/exit_codes.toml: {missing}"


def test_every_exit_code() -> None:
    assert _codes(Kind.EXIT) == {str(code) for code in MEANING}, "see vdiskkit/explanations/exit_codes.toml"


def test_every_event_that_is_read() -> None:
    missing = {str(event) for event in EVENTS} - _codes(Kind.EVENT)
    assert not missing, f"add a [[code]] to vdiskkit/explanations/events.toml for each of {missing}"


def test_every_rule_with_its_own_texts() -> None:
    for rule in all_rules():
        explained, facts = explain(rule.code), rule.facts()
        assert (explained.title, explained.meaning, explained.why) == (facts.title, facts.judgement, facts.why)
        assert (explained.severity, explained.reads, explained.fix) == (facts.severity, facts.reads, (facts.fix,))
        assert explained.source == facts.source


def test_codes_that_our_texts_mention() -> None:
    """A code in the text of a rule or an explanation can be asked for."""
    texts = [" ".join((item.meaning, item.why, *item.fix)) for item in explanations()]
    for code in {code for text in texts for code in re.findall(r"\b0x[0-9A-F]{8}\b", text)} - {"0x00000000"}:
        assert explain(code)


@pytest.mark.parametrize("disk", sorted(path.name for path in SAMPLES.glob("*.*vhd*")))
def test_notices_of_the_samples(disk: str) -> None:
    with vdiskkit.open_vdisk(SAMPLES / disk) as opened:
        for notice in opened.inspect(readiness=True).notices:
            assert explain(notice.code).kind is Kind.NOTICE


def test_every_file_is_read() -> None:
    named = {name for names in FILES.values() for name in names} | {"sources"}
    assert named == {path.stem for path in FOLDER.glob("*.toml")}


def test_every_source_is_cited() -> None:
    names = tomllib.loads((FOLDER / "sources.toml").read_text(encoding="utf-8"))
    cited = {
        source
        for path in FOLDER.glob("*.toml")
        for table in tomllib.loads(path.read_text(encoding="utf-8")).get("code", ())
        for source in table.get("source", ())
    }
    assert not names.keys() - cited
