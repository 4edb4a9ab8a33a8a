"""Inspections of the named vDisks, each made once per test process."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Protocol

import pytest

import vdiskkit
from tests.build import scenario

if TYPE_CHECKING:
    from pathlib import Path

    from vdiskkit import Inspection


class Inspect(Protocol):
    def __call__(self, name: str, *, show_keys: bool = False) -> Inspection: ...


@pytest.fixture(scope="session")
def scenario_disk(tmp_path_factory: pytest.TempPathFactory) -> functools._lru_cache_wrapper[Path]:
    @functools.cache
    def make(name: str) -> Path:
        return scenario.make(name, tmp_path_factory.mktemp(name))

    return make


@pytest.fixture(scope="session")
def inspect(scenario_disk: functools._lru_cache_wrapper[Path]) -> Inspect:
    @functools.cache
    def read(name: str, *, show_keys: bool = False) -> Inspection:
        with vdiskkit.open_vdisk(scenario_disk(name)) as disk:
            return disk.inspect(show_keys=show_keys, second_opinion=True)

    return read
