"""Ids, kinds and sizes of the files of a chain, as libvhdi tells them of each file."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.oracle.tools import python_with
from tests.unit.chain.stores import vhd_chain, vhdx_chain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.oracle

TELL = """
import json, sys
import pyvhdi
found = []
for path in sys.argv[1:]:
    file = pyvhdi.file()
    file.open(path)
    found.append([file.identifier, file.parent_identifier, file.disk_type, file.media_size, file.bytes_per_sector])
    file.close()
print(json.dumps(found))
"""
TYPES = {2: "fixed", 3: "dynamic", 4: "differencing"}


@pytest.mark.parametrize("make", [vhd_chain, vhdx_chain], ids=["vhd", "vhdx"])
def test_the_chain_is_that_of_libvhdi(tmp_path: Path, make: Callable[[Path, int], Path]) -> None:
    chain = vdiskkit.read_chain(make(tmp_path, 5))
    assert chain.complete
    paths = [item.path for item in chain.files]
    done = subprocess.run([python_with("pyvhdi"), "-c", TELL, *paths], check=True, capture_output=True, text=True)
    theirs = json.loads(done.stdout)
    assert [
        [item.unique_id, item.parent.unique_id if item.parent else None, item.type, item.virtual_size, item.sector_size]
        for item in chain.files
    ] == [
        [own, parent if TYPES[kind] == "differencing" else None, TYPES[kind], size, sector]
        for own, parent, kind, size, sector in theirs
    ]
    # Each names the next one, and the last one is whole.
    assert [item[1] for item in theirs[:-1]] == [item[0] for item in theirs[1:]]
