"""DigitalProductId values that Windows itself wrote: an upgrade keeps those of the system before it."""

from __future__ import annotations

import io

import pytest

from tests.oracle.samples import real_sample
from vdiskkit.licensing.digitalproductid import KeyBlobState, read_key_blob
from vdiskkit.licensing.gvlk import lookup
from vdiskkit.licensing.productkey import KeyChannel


@pytest.mark.real
def test_values_in_a_real_hive() -> None:
    regf = pytest.importorskip("dissect.regf")
    hive = regf.RegistryHive(io.BytesIO(real_sample("SYSTEM_WIN_10_1709")))
    found = []
    for key in hive.open("Setup").subkeys():
        if not key.name.startswith("Source OS"):
            continue
        values = {value.name: value.value for value in key.values()}
        old = read_key_blob(values["DigitalProductId"])
        new = read_key_blob(values["DigitalProductId4"])
        assert old.state is new.state is KeyBlobState.INTACT
        assert (old.problems, new.problems) == ((), ())
        assert old.product_id == values["ProductId"]
        assert new.edition == values["EditionID"]
        assert new.channel is KeyChannel.RETAIL
        assert old.key is not None
        assert old.key == new.key
        assert old.key.group_id == old.key_group_id == new.key_group_id
        assert not lookup(old.key.text)
        assert f"-{values['CurrentBuild']}.0000-" in (new.product_id or "")
        found.append(key.name)
    assert len(found) == 2
