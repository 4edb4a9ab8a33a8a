"""What the builder puts in comes out again, whatever the names and the data."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.hive import HiveBuilder, Key
from tests.effort import tries
from vdiskkit.errors import VDiskError
from vdiskkit.io import BytesSource
from vdiskkit.location import Location
from vdiskkit.registry import Hive, RegistryKey
from vdiskkit.registry.base_block import parse_base_block
from vdiskkit.registry.regfile import export_keys
from vdiskkit.registry.upcase import name_hash, sort_key, upcase
from vdiskkit.registry.value_types import decode

# Lone surrogates too: the registry takes any code unit. A pair in a str is one character, so none is made here.
CHARACTERS = st.one_of(
    st.characters(max_codepoint=0x17F),
    st.sampled_from("aAbBßäÄıſ_^`{ÿŸ\u1f80\ud800\udfff\U00010428\uff5a\\/\0"),
    st.characters(),
)
NAMES = st.text(CHARACTERS, min_size=1, max_size=12).filter(
    lambda name: name == name.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
)
DATA = st.one_of(st.binary(max_size=40), st.integers(0, 40_000).map(lambda size: bytes(range(256)) * (size // 256)))
VALUES = st.dictionaries(
    st.one_of(st.just(""), NAMES), st.tuples(st.integers(0, 0xFFFFFFFF) | st.integers(0, 12), DATA)
)
TREES: Any = st.recursive(
    st.tuples(VALUES, st.just({})),
    lambda below: st.tuples(VALUES, st.dictionaries(NAMES, below, max_size=12)),
    max_leaves=25,
)


def fill(key: Key, tree: Any) -> None:
    values, children = tree
    for name, (kind, data) in values.items():
        key.set(name, kind, data)
    for name, below in children.items():
        fill(key.child(name), below)


def same(read: RegistryKey, built: Key) -> None:
    assert read.name == built.name
    expected = list(built.values.values())
    assert [(value.name, value.type, value.raw) for value in read.values()] == expected
    assert [key.name for key in read.subkeys()] == [key.name for key in built.sorted_children()]
    for name, kind, data in expected:
        value = read.value(upcase(name))
        assert value is not None
        assert (value.name, value.type, value.raw) == (name, kind, data)
    for key in built.children.values():
        found = read.subkey(upcase(key.name))
        assert found is not None
        same(found, key)


@settings(max_examples=tries(60), deadline=None)
@given(
    tree=TREES,
    minor=st.sampled_from([3, 4, 5, 6]),
    lists=st.sampled_from(["lh", "lf", "li"]),
    leaf_limit=st.sampled_from([1, 2, 5, 507]),
)
def test_built_equals_read(tree: Any, minor: int, lists: str, leaf_limit: int) -> None:
    builder = HiveBuilder(minor=minor, lists=lists, leaf_limit=leaf_limit)
    fill(builder.root, tree)
    hive = Hive(BytesSource(builder.build()))
    same(hive.root, builder.root)
    "".join(export_keys(hive.root, "ROOT")).encode("utf-8")


@settings(max_examples=tries(60), deadline=None)
@given(
    names=st.lists(NAMES, min_size=1, max_size=60, unique_by=upcase),
    asked=st.lists(NAMES, max_size=20),
    lists=st.sampled_from(["lh", "lf", "li"]),
    leaf_limit=st.sampled_from([1, 3, 507]),
)
def test_look_up_equals_a_search_of_the_whole_list(
    names: list[str], asked: list[str], lists: str, leaf_limit: int
) -> None:
    builder = HiveBuilder(lists=lists, leaf_limit=leaf_limit)
    for name in names:
        builder.root.child(name)
    root = Hive(BytesSource(builder.build())).root
    for name in [*asked, *names, *(name.swapcase() for name in names)]:
        expected = [key.name for key in root.subkeys() if upcase(key.name) == upcase(name)]
        found = root.subkey(name)
        assert ([found.name] if found else []) == expected


@given(NAMES, NAMES)
def test_folding_order_and_hash_agree(one: str, other: str) -> None:
    assert (sort_key(one) == sort_key(other)) == (upcase(one) == upcase(other))
    if upcase(one) == upcase(other):
        assert name_hash(one) == name_hash(other)
    assert len(sort_key(one)) == len(one.encode("utf-16-le", "surrogatepass"))


@given(st.integers(0, 0xFFFFFFFF) | st.integers(0, 12), st.binary(max_size=64))
def test_decoding_is_total(kind: int, raw: bytes) -> None:
    data, problem = decode(kind, raw)
    if isinstance(data, bytes):
        assert data == raw
    elif isinstance(data, int):
        assert len(raw) in (4, 8)
    elif problem is None and isinstance(data, str):
        assert raw.startswith(data.encode("utf-16-le", "surrogatepass"))


@given(st.binary(max_size=600), st.integers(0, 2**34))
def test_any_base_block_is_judged(block: bytes, size: int) -> None:
    for data in (block, b"regf" + block[4:]):
        with contextlib.suppress(VDiskError):
            assert parse_base_block(data[:512], size, Location("x")).minor in {3, 4, 5, 6}
