"""Hives in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.build.hive import HiveBuilder
from vdiskkit.io import BytesSource
from vdiskkit.location import Location
from vdiskkit.registry import Hive

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def open_hive() -> Callable[[HiveBuilder | bytes], Hive]:
    def open_it(built: HiveBuilder | bytes) -> Hive:
        data = built.build() if isinstance(built, HiveBuilder) else built
        return Hive(BytesSource(data, Location("x.hive")), "SOFTWARE")

    return open_it
