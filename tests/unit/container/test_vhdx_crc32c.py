"""The checksum of VHDX structures: published values, and the plain way of computing it for any length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build import vhdx
from tests.build.vhd import noise
from vdiskkit.container.vhdx.crc32c import crc32c


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
    ],
)
def test_published_values(data: bytes, value: int) -> None:
    """RFC 3720, appendix B.4."""
    assert crc32c(data) == value


@given(data=st.binary(max_size=60), zeros=st.integers(0, 70_000), seed=st.integers(0, 9), length=st.integers(0, 9000))
def test_any_length(data: bytes, zeros: int, seed: int, length: int) -> None:
    for whole in (data + bytes(zeros % 300), noise(length, seed) + data):
        assert crc32c(whole) == vhdx.crc32c(whole)
    assert crc32c(bytes(zeros) + data) == vhdx.crc32c(bytes(zeros) + data)


@given(data=st.binary(max_size=3000), zeros=st.integers(0, 70_000))
def test_zeros_that_are_not_there(data: bytes, zeros: int) -> None:
    assert crc32c(data, zeros) == crc32c(data + bytes(zeros))
