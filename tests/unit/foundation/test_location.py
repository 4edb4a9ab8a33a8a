from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdiskkit.location import Location

layers = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
positions = st.one_of(
    st.integers(min_value=0, max_value=2**64), st.text(max_size=20).filter(lambda text: not text.startswith("0x"))
)


def test_reads_as_a_path_through_the_layers() -> None:
    location = Location("disk.vhd").at("partition", 2).at("file", r"Windows\System32").at("hive", 0x1020)
    assert str(location) == r"disk.vhd > partition:0x2 > file:Windows\System32 > hive:0x1020"


@given(st.text(max_size=20), st.lists(st.tuples(layers, positions), max_size=4))
def test_text_form_parses_back(path: str, steps: list[tuple[str, int | str]]) -> None:
    location = Location(path, tuple(steps))
    assert Location.parse(str(location)) == location


def test_hostile_names_stay_on_one_line() -> None:
    assert "\n" not in str(Location("a\nb").at("file", "x\x1b[31m\r\n > volume:0x1"))


def test_refuses_text_that_is_no_location() -> None:
    with pytest.raises(ValueError, match="not a location step"):
        Location.parse("disk.vhd > nonsense")
