"""Rows as lines: labels first, width kept, nothing lost, ASCII where symbols do not fit, colour only beside symbols."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdiskkit.report.layout import Row, moment, quoted, render, size_text, stale_mark
from vdiskkit.report.style import MARKS, Style
from vdiskkit.text import displayable

_SGR = re.compile(r"\x1b\[[0-9;]*m")

rows = st.builds(
    Row,
    label=st.sampled_from(["disk", "container", "KMS host", "partition 12", "hardware target"]),
    text=st.text(max_size=400),
    mark=st.sampled_from(sorted(MARKS)),
    level=st.integers(0, 2),
    rail=st.sampled_from(["", " |"]),
)


@given(row=rows, width=st.integers(20, 120), symbols=st.booleans(), color=st.booleans())
def test_every_line_begins_with_a_label_or_the_mark_of_a_continued_line(
    row: Row, width: int, symbols: bool, color: bool
) -> None:
    lines = [_SGR.sub("", line) for line in render([row], Style(width=width, symbols=symbols, color=color))]
    assert lines[0].startswith("  " * row.level + row.label)
    gap = f"{'  ' * row.level}{row.rail}".ljust(16) + "| "
    assert all(f"{line} ".startswith(gap) for line in lines[1:])
    room = max(width, 18 + 24)
    assert all(len(line) <= max(room, len("  " * row.level + row.label) + 1 + 24) for line in lines)
    for line in lines:
        assert line == displayable(line, limit=None) or "\\u{" in line


@given(row=rows, width=st.integers(20, 120))
def test_wrapping_loses_nothing_but_spaces(row: Row, width: int) -> None:
    whole = render([row], Style(width=None))[0]
    wrapped = render([row], Style(width=width))
    joined = wrapped[0] + "".join(line[18:] for line in wrapped[1:])
    assert joined.replace(" ", "") == whole.replace(" ", "")


@given(text=st.text(max_size=200))
def test_color_only_adds_escape_sequences_of_our_own(text: str) -> None:
    row = Row("license", text, "bad")
    plain, colored = (render([row], Style(color=color)) for color in (False, True))
    assert [_SGR.sub("", line) for line in colored] == plain
    assert "\x1b" not in plain[0]


def test_no_width_means_one_line() -> None:
    assert render([Row("license", "x " * 500)], Style()) == ["  license         " + ("x " * 500).rstrip()]


def test_a_word_longer_than_the_line_is_broken() -> None:
    lines = render([Row("path", "x" * 100)], Style(width=60))
    assert [len(line) for line in lines] == [60, 60, 34]


def test_marks_have_words_symbols_and_stand_ins() -> None:
    row = Row("state", "clean → done…", "good")
    assert render([row], Style()) == ["  state           ✓ clean → done…"]
    assert render([row], Style(symbols=False)) == ["  state           + clean -> done..."]
    assert render([row], Style(color=True)) == ["  \x1b[1mstate\x1b[0m           \x1b[32m✓\x1b[0m clean → done…"]


@pytest.mark.parametrize(
    ("encoding", "fits"), [("utf-8", True), ("ascii", False), ("cp437", False), ("cp1252", False), ("nonsense", False)]
)
def test_which_encodings_have_the_symbols(encoding: str, fits: bool) -> None:
    assert Style.symbols_fit(encoding) is fits


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (42949672960, "40.0 GiB"),
        (1 << 60, "1024.0 PiB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


def test_small_helpers() -> None:
    assert moment(None) == "at an unknown time"
    assert quoted("a\nb") == '"a\\u{a}b"'
    assert stale_mark("x", stale=False) == "x"
    assert stale_mark("x", stale=True) == "x  (hive dirty: may be older than its log)"
