"""The checksum of VHDX structures: published values, and the plain way of computing it for any length."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build import vhdx
from tests.build.vhd import noise
from vdiskkit.container.vhdx.crc32c import crc32c, crc32c_beside


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


@pytest.mark.parametrize("part", [1024, 4096])
@pytest.mark.parametrize("length", [1024, 1025, 4097, 9000, 12_288])
def test_in_parts(monkeypatch: pytest.MonkeyPatch, length: int, part: int) -> None:
    monkeypatch.setattr("vdiskkit.container.vhdx.crc32c._PART", part)
    for data in (noise(length, 1), noise(length - 700, 2) + bytes(700), bytes(length)):
        assert crc32c(data) == vhdx.crc32c(data)
        assert crc32c(data, 5000) == vhdx.crc32c(data + bytes(5000))


@given(data=st.binary(min_size=4, max_size=3000), place=st.integers(0, 3000))
def test_without_the_checksum_itself(data: bytes, place: int) -> None:
    at = place % (len(data) - 3)
    assert crc32c_beside(data, at) == vhdx.crc32c(data[:at] + bytes(4) + data[at + 4 :])
