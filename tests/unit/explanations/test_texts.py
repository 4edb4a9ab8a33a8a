"""The texts: complete, short enough, true to the command line, and nothing that a terminal would act on."""

from __future__ import annotations

import re
import shlex
import tomllib

import click
import pytest

from tests.unit.explanations.sources import PACKAGE
from vdiskkit.cli.app import root
from vdiskkit.cli.session import Session
from vdiskkit.explanations.catalogue import FILES, explain, explanations
from vdiskkit.explanations.facts import KIND_NAMES, KIND_TITLES, Explanation, Kind
from vdiskkit.explanations.load import Entry
from vdiskkit.explanations.lookup import keys_of
from vdiskkit.report.sections import SECTIONS
from vdiskkit.rules.catalogue import check_codes, rule_codes
from vdiskkit.text import displayable

FOLDER = PACKAGE / "explanations"
WRITTEN = [item for item in explanations() if item.kind is not Kind.RULE]
_PLACES = {"N": "1", "PATH": r"Windows\System32", "NAME": "kms.example.com"}


def _texts(item: Explanation) -> list[str]:
    return [item.title, item.meaning, item.why, *item.fix, *item.commands, item.versions, item.source, *item.also]


@pytest.mark.parametrize("item", WRITTEN, ids=lambda item: item.code)
def test_each_text(item: Explanation) -> None:
    assert item.title[0].isupper()
    assert item.title.isascii()
    assert not item.title.endswith((".", " "))
    assert len(item.title) <= 80
    assert item.meaning.endswith(".")
    assert item.source, "say where the statements come from"
    assert not item.why or item.why.endswith(".")
    assert not any(step.endswith(".") for step in item.fix)
    assert item.why or item.fix, "a code that says no more than its title helps nobody"
    assert len(" ".join(_texts(item))) < 2500
    for text in _texts(item):
        assert displayable(text) == text
        assert text.isascii()
        assert text.count("`") % 2 == 0
        assert text == " ".join(text.split())


def test_what_belongs_to_a_code_can_be_explained_and_leads_back() -> None:
    codes = {item.code for item in explanations()}
    for item in explanations():
        assert len(set(item.related)) == len(item.related), item.code
        unknown = set(item.related) - codes
        assert not unknown, f"{item.code} names codes that nothing explains: {unknown}"
        for code in item.related:
            assert code != item.code
            assert item.code in explain(code).related, f"{item.code} and {code}"


@pytest.mark.parametrize(
    "line", sorted({command for item in explanations() for command in item.commands}), ids=lambda line: line[9:]
)
def test_commands_are_command_lines_that_parse(line: str) -> None:
    program, *words = [_PLACES.get(word, word) for word in shlex.split(line)]
    assert program == "vdiskkit"
    assert not {"FILE", "DIR", "DISK"}.isdisjoint(words) or words[0] in ("profile", "explain")
    context = root.make_context("vdiskkit", ["inspect"], obj=Session())
    group: click.Command = root
    while isinstance(group, click.Group):
        found = group.get_command(context, words.pop(0))
        assert found is not None, line
        group = found
    parsed = group.make_context("x", words, parent=context)
    assert set(parsed.params.get("section") or ()) <= set(SECTIONS)
    for chosen in parsed.params.get("select") or ():
        check_codes(chosen.split(",") if isinstance(chosen, str) else chosen, rule_codes())


@pytest.mark.parametrize(
    ("code", "commands"),
    [
        ("KMS101", ("validate DISK --select KMS101",)),
        ("KMS110", ("validate DISK --select KMS110", "validate DISK --select KMS110 --fix")),
        ("KMS113", ("validate DISK --select KMS113", "validate DISK --select KMS113 --fix --fix-tokens")),
        ("NTF105", ("validate DISK --select NTF105 --deep",)),
        ("VHX105", ("validate DISK --select VHX105 --deep", "chain check DISK --select VHX105")),
    ],
)
def test_commands_for_a_rule(code: str, commands: tuple[str, ...]) -> None:
    assert explain(code).commands == tuple(f"vdiskkit {command}" for command in commands)


def test_no_form_leads_to_two_codes() -> None:
    seen: dict[str, str] = {}
    for item in explanations():
        for form in (item.code, *item.also):
            for key in keys_of(form):
                assert seen.setdefault(key, item.code) == item.code, form


def test_the_files_say_what_the_loader_knows() -> None:
    for name in (name for names in FILES.values() for name in names):
        text = (FOLDER / f"{name}.toml").read_text(encoding="utf-8")
        assert max(map(len, text.splitlines())) <= 120
        tables = tomllib.loads(text)["code"]
        codes = [table["code"] for table in tables]
        assert len(set(codes)) == len(codes)
        for table in tables:
            assert table.keys() <= {*Entry._fields, "like"}, table["code"]
            if "like" in table:
                like = tables[codes.index(table["like"])]
                assert "like" not in like, "one step is enough"
                used = [key for key in like if key not in table]
                assert set(used) & {"why", "fix", "commands", "versions", "source"}, table["code"]


def test_kinds_have_names() -> None:
    assert set(KIND_NAMES) == set(KIND_TITLES) == set(Kind)
    assert [item.kind for item in explanations()] == sorted(
        (item.kind for item in explanations()), key=list(KIND_TITLES).index
    )


def test_activation_codes_are_hresults_of_a_failure_or_of_a_state() -> None:
    for item in explanations(Kind.ACTIVATION):
        assert re.fullmatch(r"0x[0-9A-F]{8}", item.code)
        assert item.also[-1] == str(int.from_bytes(bytes.fromhex(item.code[2:]), "big", signed=True))
