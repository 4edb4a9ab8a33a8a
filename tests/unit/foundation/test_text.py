from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vdiskkit.text import displayable


def test_plain_text_is_left_alone() -> None:
    assert displayable("Größe – 日本語 😀") == "Größe – 日本語 😀"


def test_controls_bidi_and_surrogates_are_spelled_out() -> None:
    assert displayable("a\x1b[31m\n\u202e\ud800\x9b") == r"a\u{1b}[31m\u{a}\u{202e}\u{d800}\u{9b}"


def test_long_text_is_cut_and_says_so() -> None:
    assert displayable("x" * 12, limit=10) == "x" * 10 + "... (2 more characters)"


@given(st.text(alphabet=st.characters(), max_size=60))
def test_result_is_one_printable_encodable_line(text: str) -> None:
    shown = displayable(text)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert not any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 for letter in shown)
