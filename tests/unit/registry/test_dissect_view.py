from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.build.hive import HiveBuilder
from vdiskkit.errors import CorruptStructureError
from vdiskkit.io import BytesSource, GuardedSource, ReadBudget
from vdiskkit.registry import Hive
from vdiskkit.registry.dissect_view import CheckedRegistryHive

if TYPE_CHECKING:
    from collections.abc import Callable

    OpenHive = Callable[[HiveBuilder | bytes], Hive]


def test_dissect_reads_the_same(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.dword(r"A\B", "number", 5)
    builder.binary(r"A\B", "big", bytes(range(256)) * 200)
    builder.multi(r"A\B", "list", ["x", "y"])
    hive = open_hive(builder)
    seen = {value.name: value.value for value in CheckedRegistryHive(hive).open(r"A\B").values()}
    assert seen == {"number": 5, "big": bytes(range(256)) * 200, "list": ["x", "y"]}


def test_dissect_reads_lazily() -> None:
    builder = HiveBuilder()
    builder.fill("Classes", 20_000)
    builder.dword("K", "v", 1)
    data = builder.build()
    budget = ReadBudget(len(data) // 10, 200)
    hive = CheckedRegistryHive(Hive(GuardedSource(BytesSource(data), budget)))
    assert hive.open("K").value("v").value == 1


def test_dissect_gets_no_unchecked_cell(open_hive: OpenHive) -> None:
    builder = HiveBuilder()
    builder.key(r"A\B")
    builder.fault("list-entry", "A", argument=0xFFFFFFF0)
    with pytest.raises(CorruptStructureError, match="outside the hive bins"):
        CheckedRegistryHive(open_hive(builder)).open(r"A\B")


def test_what_dissect_gets_wrong_is_right_here(open_hive: OpenHive) -> None:
    """The faults for which look-up and dirty state are our own; should dissect mend one, its workaround can go."""
    from dissect.regf.exceptions import RegistryKeyNotFoundError

    missed = HiveBuilder()
    missed.key("abcd_äöüß")
    case = HiveBuilder(lists="li")
    case.key("CurrentVersion")
    hints = HiveBuilder(lists="lf")
    hints.key("äpfel")
    hints.key("birnen")
    for builder, name, error in (
        (missed, "abcd_äöüß", RegistryKeyNotFoundError),
        (case, "currentversion", RegistryKeyNotFoundError),
        (hints, "äpfel", UnicodeDecodeError),
    ):
        hive = open_hive(builder)
        assert hive.find(name) is not None
        with pytest.raises(error):
            CheckedRegistryHive(hive).open(name)
    big = HiveBuilder(minor=4)  # big data came with version 1.4
    big.binary("K", "v", bytes(range(256)) * 100)
    hive = open_hive(big)
    value = hive.key("K").value("v")
    assert value is not None
    assert value.raw == bytes(range(256)) * 100
    assert CheckedRegistryHive(hive).open("K").value("v").data != value.raw
    clean = open_hive(HiveBuilder())
    assert not clean.base_block.dirty
    assert CheckedRegistryHive(clean).dirty
