"""The HTML page of ``validate``: well formed, closed in itself, accessible, and deaf to markup from an image."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.build.hostile import MARK
from tests.build.image import LINUX_DATA, PartitionSpec, build_disk
from tests.build.scenario import chain
from tests.cli.conftest import SAMPLES
from tests.oracle.tools import require
from vdiskkit.report.html import POLICY
from vdiskkit.report.html_markup import Markup, element, join

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Outcome

FAULTY = SAMPLES / "faulty.vhd"
CHAIN = SAMPLES / "desk10.2.avhd"
HOSTILE = SAMPLES / "hostile.vhd"
_VOID = {"meta"}
_ELEMENTS = re.compile(
    "html head meta title style body header main footer section article h1 h2 h3 h4 p a span div table thead tbody tr "
    "th td dl dt dd ul li details summary figure figcaption strong svg g defs pattern rect path text".replace(" ", "|")
)
_ATTRIBUTES = re.compile(
    "lang charset http-equiv content name class id href title scope tabindex role aria-label aria-labelledby "
    "aria-hidden open viewbox x y width height rx d fill text-anchor patternunits".replace(" ", "|")
)


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.starts: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.comments: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.starts.append((tag, dict(attrs), tuple(self.open)))
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes, _ in self.starts if name == tag]

    @property
    def text(self) -> str:
        return "\n".join(self.texts)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No vdiskkit.toml lies above."""
    monkeypatch.chdir(tmp_path)


def page_of(run: Callable[..., Outcome], *args: object) -> tuple[str, Page]:
    text = run("validate", *args, "--output-format", "html").out
    return text, Page(text)


@pytest.mark.parametrize("disks", [(FAULTY,), (CHAIN,), (HOSTILE,), (HOSTILE, "missing <b>.vhd", FAULTY, CHAIN)])
def test_closed_in_itself(run: Callable[..., Outcome], disks: tuple[object, ...]) -> None:
    text, page = page_of(run, *disks)
    assert text.isascii()
    assert text.startswith("<!DOCTYPE html>\n<html lang=")
    policies = [item["content"] for item in page.all("meta") if item.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [POLICY] == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert text.index("Content-Security-Policy") < text.index("<style>")
    assert all(_ELEMENTS.fullmatch(tag) for tag, _, _ in page.starts)
    assert all(_ATTRIBUTES.fullmatch(name) for _, attributes, _ in page.starts for name in attributes)
    style = text[text.index("<style>") : text.index("</style>")]
    assert not re.search(r"url\(|@import|https?:|//", style)
    for _, attributes, _ in page.starts:
        assert (attributes.get("href") or "#").startswith("#")
        assert re.fullmatch(r"url\(#[\w-]+\)", attributes.get("fill") or "url(#x)")
    assert not page.comments


@pytest.mark.parametrize("disks", [(FAULTY,), (HOSTILE, "missing.vhd", CHAIN)])
def test_accessible(run: Callable[..., Outcome], disks: tuple[object, ...]) -> None:
    _, page = page_of(run, *disks)
    assert len(page.ids) == len(set(page.ids))
    levels = [int(tag[1]) for tag, _, _ in page.starts if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels)), "no level is skipped"
    assert all(item.get("scope") in ("row", "col") for item in page.all("th"))
    pictures = page.all("svg")
    assert pictures
    for picture in pictures:
        assert picture["role"] == "img"
        assert picture["aria-labelledby"] in page.ids
    titles = [around for tag, _, around in page.starts if tag == "title" and "svg" in around]
    assert len(titles) > len(pictures)
    for reference in [item["href"] for item in page.all("a")]:
        assert reference is not None
        assert reference[1:] in page.ids


def test_everything_of_the_report_is_there(run: Callable[..., Outcome]) -> None:
    _, page = page_of(run, FAULTY)
    found = run("validate", FAULTY, "--json").json["disks"][0]["result"]
    for finding in found["findings"]:
        for part in ("code", "message", "evidence", "fix"):
            assert finding[part] is None or finding[part] in page.text
    for result in found["results"]:
        assert result["code"] in page.text
        assert result["verdict"] != "unknown" or result["reason"] in page.text
    # Words beside every colour.
    for words in ("\u2717 Error", "! Warning", "\u2717 Not fit", "Not determinable (", "Passed ("):
        assert words in page.text
    assert "that Windows or Office is activated" in page.text


def test_the_chain_is_drawn(run: Callable[..., Outcome]) -> None:
    _, page = page_of(run, CHAIN)
    assert "Chain of 3 files, the oldest on top" in page.texts
    drawn = [text for text in page.texts if text in ("desk10.vhd", "desk10.1.avhd", "desk10.2.avhd")]
    assert drawn.count("desk10.vhd") == 1
    assert page.texts.count("made from") == 2
    assert page.texts.count("this file") >= 1


def test_a_long_chain_is_shortened_but_keeps_the_disk(run: Callable[..., Outcome], tmp_path: Path) -> None:
    disk = chain(tmp_path, versions=20)
    for name in (disk.name, "desk10.3.avhd"):
        _, page = page_of(run, tmp_path / name)
        assert page.texts.count("made from") in (11, 12)
        at = page.texts.index("this file")
        assert name in page.texts[at - 2 : at]
        assert {"desk10.vhd", "desk10.20.avhd"} <= set(page.texts)
        assert re.search("\u2026 [67] more \u2026", page.text)


def test_many_partitions_are_drawn_inside_the_picture(run: Callable[..., Outcome], tmp_path: Path) -> None:
    disk = tmp_path / "many.raw"
    disk.write_bytes(build_disk([PartitionSpec(bytes(65536), gpt_type=LINUX_DATA) for _ in range(40)], table="gpt"))
    _, page = page_of(run, disk, "--format", "raw")
    assert "Only the first 28 are drawn." in page.text
    assert "40: 64.0 KiB, " in page.text
    boxes = [item for item in page.all("rect") if item["class"] in ("used", "this", "gap", "free")]
    assert len(boxes) >= 28
    assert all(float(box["x"] or 0) + float(box["width"] or 0) <= 356.5 for box in boxes)


def test_hostile_texts_stay_texts(run: Callable[..., Outcome]) -> None:
    text, page = page_of(run, HOSTILE)
    assert MARK in text
    assert "<script" not in text.lower()
    assert f"<script>alert('{MARK}')</script>" in page.text, "shown, not hidden"
    for _, attributes, _ in page.starts:
        for name, value in attributes.items():
            assert MARK not in (value or "") or name == "title"
    assert "##vso[" not in text.lower()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]", page.text)


def test_the_report_file_is_the_same_page(run: Callable[..., Outcome], tmp_path: Path) -> None:
    text, _ = page_of(run, FAULTY)
    outcome = run("validate", FAULTY, "--report", f"html={tmp_path / 'out.html'}")
    assert outcome.code == 1
    assert "summary" in outcome.out
    assert (tmp_path / "out.html").read_text(encoding="ascii") == text


def test_a_disk_that_could_not_be_examined(run: Callable[..., Outcome]) -> None:
    _, page = page_of(run, "missing.vhd", FAULTY)
    assert "no such file" in page.text
    assert "1 not fit, 1 not examined" in page.text


def test_elements_escape_what_is_no_markup() -> None:
    made = element("p", "<b>&\"'\x1b", Markup("<br>"), class_='x" onload="y', aria_label="a")
    assert made == ('<p class="x&quot; onload=&quot;y" aria-label="a">&lt;b&gt;&amp;&quot;&#x27;\\u{1b}<br></p>')
    assert join("<", Markup("<")) == "&lt;<"


@pytest.mark.oracle
@pytest.mark.parametrize("disk", [FAULTY, CHAIN, HOSTILE])
def test_a_browser_has_nothing_to_say(run: Callable[..., Outcome], tmp_path: Path, disk: Path) -> None:
    browser = require("chromium")
    text, _ = page_of(run, disk)
    path = tmp_path / "page.html"
    path.write_text(text, encoding="ascii")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    shown = subprocess.run(
        [browser, *options, profile, "--dump-dom", path.as_uri()], capture_output=True, timeout=60, check=True
    )
    assert b"CONSOLE" not in shown.stderr
    seen = Page(shown.stdout.decode())
    written = Page(text)
    assert [tag for tag, _, _ in seen.starts] == [tag for tag, _, _ in written.starts], "nothing had to be repaired"
