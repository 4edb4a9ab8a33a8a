"""The id of a VHD, in the order of its bytes and as Windows prints it."""

from __future__ import annotations

import uuid

import pytest

from tests.build.vhd import build_vhd
from tests.build.vhd_faults import set_footer
from vdiskkit.container import open_container
from vdiskkit.io import BytesSource

MADE = uuid.UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7")  # of version 4
BOTH = uuid.UUID("7c9e6679-7425-40de-944b-e07fc1f90ae7").bytes[:6] + bytes((0x4F, 0x4E)) + MADE.bytes[8:]


@pytest.mark.parametrize(
    ("stored", "printed"),
    [
        (MADE.bytes_le, str(MADE)),  # as Windows writes it
        (MADE.bytes, None),  # as the specification has it, and qemu writes it
        (BOTH, None),  # a GUID of version 4 either way: nothing decides
        (bytes(16), None),
        (bytes(range(16)), None),
    ],
    ids=["windows", "specification", "both", "zeros", "neither"],
)
def test_the_id_as_windows_prints_it_is_given_where_the_bytes_say_so(stored: bytes, printed: str | None) -> None:
    data = set_footer(build_vhd("fixed", 4096 * 1024), 68, stored)
    facts = open_container(BytesSource(data), path="x.vhd").facts()
    assert facts.unique_id == str(uuid.UUID(bytes=stored))
    assert facts.windows_id == printed


def test_a_raw_dump_that_ends_in_a_footer_is_told_how_to_be_opened() -> None:
    from vdiskkit.errors import CorruptStructureError

    data = build_vhd("fixed", 4096 * 1024)[4096:]
    with pytest.raises(CorruptStructureError) as caught:
        open_container(BytesSource(data), path="dump.dd")
    assert caught.value.hint is not None
    assert "--format raw" in caught.value.hint
    assert open_container(BytesSource(data), path="dump.dd", format="raw").size == len(data)
