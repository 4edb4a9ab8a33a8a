"""JSON that is made while it is written is the same text as JSON that is made at once."""

from __future__ import annotations

import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vdiskkit.report.json import Elements, Members, dumps, pieces

TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(["##vso[x]", "#", "##", "\x7f", "\ud800", "a\nb", '"\\']))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "b", "\u00e4"]), inner),
    max_leaves=20,
)


def lazily(value: Any) -> Any:
    if isinstance(value, dict):
        return Members((name, lazily(item)) for name, item in value.items())
    return Elements(lazily(item) for item in value) if isinstance(value, list) else value


@given(value=VALUES)
def test_the_same_text(value: Any) -> None:
    assert "".join(pieces(lazily(value))) == dumps(value)
    assert "".join(pieces(value)) == dumps(value)


def test_a_long_array_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        assert sum(map(len, pieces(Elements({"name": f"{number:08}"} for number in range(20_000))))) > 400_000
        assert tracemalloc.get_traced_memory()[1] < 50_000
    finally:
        tracemalloc.stop()
