"""Reports on the disks of ``disks.CASES``; each disk is made once and each inspection read once."""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING, Protocol

import pytest

import vdiskkit
from tests.unit.rules.disks import CASES
from tests.unit.rules.profiles import PROFILES

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from vdiskkit import Profile, Report

NOW = dt.datetime(2026, 11, 24, 9, 12, 3, tzinfo=dt.UTC)


class Judge(Protocol):
    def __call__(self, case: str, profile: str = "kms-standard") -> Report: ...


@pytest.fixture(scope="session")
def profile(tmp_path_factory: pytest.TempPathFactory) -> functools._lru_cache_wrapper[Profile]:
    folder = tmp_path_factory.mktemp("profiles")

    @functools.cache
    def load(name: str) -> Profile:
        if name not in PROFILES:
            return vdiskkit.load_profile(name)
        path = folder / f"{name}.toml"
        path.write_text(f'extends = "kms-standard"\n{PROFILES[name]}', encoding="utf-8")
        return vdiskkit.load_profile(path)

    return load


@pytest.fixture(scope="session")
def case_disk(tmp_path_factory: pytest.TempPathFactory) -> functools._lru_cache_wrapper[Path | BinaryIO]:
    @functools.cache
    def make(name: str) -> Path | BinaryIO:
        return CASES[name](tmp_path_factory.mktemp(name))

    return make


@pytest.fixture(scope="session")
def judge(
    case_disk: functools._lru_cache_wrapper[Path | BinaryIO], profile: functools._lru_cache_wrapper[Profile]
) -> Judge:
    @functools.cache
    def report(case: str, name: str = "kms-standard") -> Report:
        with vdiskkit.open_vdisk(case_disk(case)) as disk:
            return vdiskkit.validate(disk, profile(name), now=NOW)

    return report
