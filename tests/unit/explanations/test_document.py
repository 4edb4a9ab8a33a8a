"""The page about the codes is what the explanations say."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vdiskkit.explanations._document import main, page
from vdiskkit.explanations.catalogue import explanations
from vdiskkit.explanations.facts import Kind

if TYPE_CHECKING:
    import pytest

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_up_to_date() -> None:
    committed = (DOCS / "codes.md").read_text(encoding="utf-8")
    assert committed == page(), "run: python -m vdiskkit.explanations._document docs/codes.md"


def test_the_script_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "codes.md"
    monkeypatch.setattr(sys, "argv", ["_document", str(target)])
    main()
    assert target.read_text(encoding="utf-8") == page()


def test_every_code_is_on_a_page_and_every_link_leads_somewhere() -> None:
    text = page()
    for item in explanations():
        assert (f"### {item.code}\n" in text) is (item.kind is not Kind.RULE), "rules have a page of their own"
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^a-z ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) == anchors
