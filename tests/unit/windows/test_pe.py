from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.pe import build_pe
from vdiskkit.io import BytesSource
from vdiskkit.windows.pe import file_version


@pytest.mark.parametrize("pe32_plus", [True, False])
def test_version_resource_is_found(pe32_plus: bool) -> None:
    assert file_version(BytesSource(build_pe((7, 22, 0, 31), pe32_plus=pe32_plus))) == "7.22.0.31"


@pytest.mark.parametrize("data", [b"", b"MZ", bytes(5000), b"#!/bin/sh\n", build_pe((1, 2, 3, 4))[:0x420]])
def test_other_files_have_no_version(data: bytes) -> None:
    assert file_version(BytesSource(data)) is None


@given(st.data())
def test_damaged_programs_never_raise(data: st.DataObject) -> None:
    program = bytearray(build_pe((1, 2, 3, 4)))
    for _ in range(data.draw(st.integers(1, 6))):
        program[data.draw(st.integers(0, len(program) - 1))] = data.draw(st.integers(0, 255))
    file_version(BytesSource(bytes(program)))
