"""Properties of the .pvp: any file of 4,608 bytes or more is read, described, and built again byte for byte."""

from __future__ import annotations

import json
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.pvp import TEXTS, build_pvp
from vdiskkit.pvp import Pvp

FIXED_SIZE = 4608


@st.composite
def any_files(draw: st.DrawFn) -> bytes:
    if draw(st.booleans()):
        data = bytearray(random.Random(draw(st.integers(0, 2**32))).randbytes(FIXED_SIZE))  # noqa: S311 - test data
    else:
        data = bytearray(build_pvp())
    for _ in range(draw(st.integers(0, 8))):
        change = draw(st.binary(min_size=1, max_size=64))
        position = draw(st.integers(0, FIXED_SIZE - len(change)))
        data[position : position + len(change)] = change
    return bytes(data) + draw(st.binary(max_size=64))


@settings(deadline=None)
@given(any_files())
def test_parse_and_build_are_inverse(data: bytes) -> None:
    assert Pvp.parse(data).build() == data


@settings(deadline=None)
@given(any_files())
def test_any_file_has_facts(data: bytes) -> None:
    facts = Pvp.parse(data).facts()
    assert facts.file_size == len(data)
    assert facts.plausible == (not facts.problems)
    json.dumps(facts.to_dict())


@settings(deadline=None)
@given(st.sampled_from(sorted(TEXTS)), st.data())
def test_texts_come_back(name: str, data: st.DataObject) -> None:
    room = TEXTS[name][1] // 2 - 1
    letters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    text = data.draw(st.text(letters, max_size=room // 2))
    assert Pvp.parse(build_pvp(**{name: text})).text(name) == text
