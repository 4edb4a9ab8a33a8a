"""How much is tried: a fifth in the tests of every day, all with ``VDISKKIT_THOROUGH=1``, as ``--all`` and CI do."""

from __future__ import annotations

import os

THOROUGH = os.environ.get("VDISKKIT_THOROUGH") == "1"


def tries(most: int) -> int:
    """How many of ``most`` examples or rounds are tried."""
    return most if THOROUGH else max(most // 5, 2)
