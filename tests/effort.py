"""How much is tried: a fifth in the tests of every day, all with ``VDISKKIT_THOROUGH=1``, as ``--all`` and CI do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _pytest.mark import ParameterSet

T = TypeVar("T")

THOROUGH = os.environ.get("VDISKKIT_THOROUGH") == "1"


def tries(most: int) -> int:
    """How many of ``most`` examples or rounds are tried."""
    return most if THOROUGH else max(most // 5, 2)


def thorough_but(kinds: Iterable[T], *usual: T) -> list[ParameterSet]:
    """All kinds, the tests of every day trying only the usual ones."""
    return [pytest.param(kind, marks=() if kind in usual else pytest.mark.thorough) for kind in kinds]
