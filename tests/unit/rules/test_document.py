"""The page about the rules is what the rules say."""

from __future__ import annotations

from pathlib import Path

from vdiskkit.rules._document import main, page
from vdiskkit.rules.catalogue import built_in_rules
from vdiskkit.rules.profile import BUILT_IN
from vdiskkit.rules.profile_parse import KEYS

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_up_to_date() -> None:
    committed = (DOCS / "rules.md").read_text(encoding="utf-8")
    assert committed == page(), "run: python -m vdiskkit.rules._document docs/rules.md"


def test_the_script_writes_it(tmp_path: Path) -> None:
    import sys

    target = tmp_path / "rules.md"
    saved = sys.argv
    try:
        sys.argv = ["_document", str(target)]
        main()
    finally:
        sys.argv = saved
    assert target.read_text(encoding="utf-8") == page()


def test_every_rule_profile_and_key_is_in_the_documents() -> None:
    for rule in built_in_rules():
        assert f"### {rule.code}\n" in page()
    profiles = (DOCS / "profiles.md").read_text(encoding="utf-8")
    for name in (*BUILT_IN, *KEYS):
        assert name in profiles
