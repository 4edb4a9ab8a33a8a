"""Other programs as judges: found, or the test is skipped by name - or failed, where they must be there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip for want of a judge; with VDISKKIT_REQUIRE_ORACLES=1 that is a failure."""
    if os.environ.get("VDISKKIT_REQUIRE_ORACLES") == "1":
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"{what} is not installed")


def require(program: str) -> str:
    """The path of a program."""
    found = shutil.which(program)
    if found is None:
        missing(program)
    return found


def python_with(module: str) -> str:
    """A Python interpreter that has ``module``: this one, the one named by VDISKKIT_PEERS_PYTHON, or the system's."""
    for python in (sys.executable, os.environ.get("VDISKKIT_PEERS_PYTHON"), "/usr/bin/python3"):
        if python and shutil.which(python):
            probe = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)
            if probe.returncode == 0:
                return python
    missing(f"the Python module {module}")
