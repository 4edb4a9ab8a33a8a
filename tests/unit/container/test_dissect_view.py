"""The second reader of VHDs: it reads, it brings no other formats along, and nobody else notices."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.build.vhd import MIB, build_vhd, noise
from vdiskkit.container.dissect_view import open_with_dissect
from vdiskkit.errors import ReadLimitError
from vdiskkit.io import BytesSource, ReadBudget
from vdiskkit.location import Location

IN_A_FRESH_PROCESS = """
import sys
from vdiskkit.container.dissect_view import open_with_dissect
from vdiskkit.io import BytesSource, ReadBudget
from vdiskkit.location import Location
disk = open_with_dissect(BytesSource(sys.stdin.buffer.read(), Location("disk")), ReadBudget(1 << 30, 1000))
disk.seek(4096)
assert disk.read(8) == b"contents"
assert "dissect.hypervisor.disk.vmdk" not in sys.modules
import dissect.hypervisor
assert "dissect.hypervisor.disk.vmdk" not in sys.modules
from dissect.hypervisor import *
from dissect.hypervisor import vhdx
assert vhdx.VHDX and vmdk.VMDK and type(disk) is vhd.VHD
assert dissect.hypervisor.__all__ and not hasattr(dissect.hypervisor, "nonsense")
"""


@pytest.mark.parametrize("kind", ["fixed", "dynamic"])
def test_it_reads(kind: str) -> None:
    content = noise(3 * MIB)
    source = BytesSource(build_vhd(kind, 4 * MIB, content=content), Location("disk"))
    disk = open_with_dissect(source, ReadBudget(8 * MIB, 1000))
    disk.seek(0)
    assert disk.read(4 * MIB) == content.ljust(4 * MIB, b"\0")


def test_it_reads_no_more_than_it_may() -> None:
    disk = open_with_dissect(BytesSource(build_vhd("fixed", 4 * MIB), Location("disk")), ReadBudget(MIB, 1000))
    with pytest.raises(ReadLimitError):
        disk.read(2 * MIB)


def test_other_formats_are_loaded_when_they_are_asked_for() -> None:
    disk = build_vhd("dynamic", 4 * MIB, content={4096: b"contents".ljust(512, b"\0")})
    done = subprocess.run([sys.executable, "-c", IN_A_FRESH_PROCESS], input=disk, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
