"""Everything here is tried by the rules of Windows, and by those of POSIX systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crash.simulated import POSIX, WINDOWS, Personality, personality

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True, scope="module", params=[WINDOWS, POSIX], ids=lambda rules: rules.name)
def rules(request: pytest.FixtureRequest) -> Iterator[Personality]:
    """The rules of the simulated file systems."""
    with personality(request.param):
        yield request.param
