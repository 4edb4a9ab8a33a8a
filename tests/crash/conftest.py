"""Everything here is tried by the rules of Windows, and by those of POSIX systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crash.simulated import POSIX, WINDOWS, Personality, personality

if TYPE_CHECKING:
    from collections.abc import Iterator


PERSONALITIES = [
    pytest.param(WINDOWS, id=WINDOWS.name),
    pytest.param(POSIX, id=POSIX.name, marks=pytest.mark.thorough),
]


@pytest.fixture(autouse=True, scope="module", params=PERSONALITIES)
def rules(request: pytest.FixtureRequest) -> Iterator[Personality]:
    """The rules of the simulated file systems."""
    with personality(request.param):
        yield request.param
