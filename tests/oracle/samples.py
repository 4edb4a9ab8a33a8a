"""Real hives and images beside the checkout, named by VDISKKIT_REAL_SAMPLES; never part of the repository."""

from __future__ import annotations

import lzma
import os
from pathlib import Path

import pytest


def real_sample(name: str) -> bytes:
    """The unpacked bytes of a real sample, such as ``yarp/UnicodeHive``; skips where there is none."""
    folder = os.environ.get("VDISKKIT_REAL_SAMPLES")
    if not folder:
        pytest.skip("VDISKKIT_REAL_SAMPLES is not set")
    path = Path(folder) / f"{name}.xz"
    if not path.exists():
        pytest.skip(f"no real sample {name}")
    return lzma.decompress(path.read_bytes())


def strictcheck() -> str:
    """The strict checker's folder, named by VDISKKIT_STRICTCHECK; skips where it is not set."""
    folder = os.environ.get("VDISKKIT_STRICTCHECK")
    if not folder:
        pytest.skip("VDISKKIT_STRICTCHECK is not set")
    return folder
