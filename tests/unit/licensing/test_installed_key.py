from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.build.products import MAK, WINDOWS
from tests.build.windows import CURRENT_VERSION, software_hive
from vdiskkit.io import BytesSource
from vdiskkit.licensing.installed_key import InstalledProduct, read_backup_key, read_product_key
from vdiskkit.registry import Hive, RegistryKey

if TYPE_CHECKING:
    from vdiskkit.licensing.facts import ProductKeyFacts

NAMES = ("DigitalProductId4", "DigitalProductId")
GENERIC = "VK7JG-NPHTM-C97JM-9MPGT-3V66T"


def current_version(product: str = "win10", **arguments: Any) -> RegistryKey:
    return Hive(BytesSource(software_hive(product, keys=10, **arguments)), "SOFTWARE").key(CURRENT_VERSION)


def read(product: str = "win10", *, show: bool = False, **arguments: Any) -> ProductKeyFacts:
    windows = WINDOWS[product]
    installed = InstalledProduct(windows.edition, windows.build, windows.installation, windows.name)
    return read_product_key(current_version(product, **arguments), NAMES, installed.fits, show=show)


@pytest.mark.parametrize("product", sorted(WINDOWS))
def test_the_gvlk_of_every_windows_is_known_and_fits(product: str) -> None:
    facts = read(product)
    assert facts.key == WINDOWS[product].key
    assert (facts.is_gvlk, facts.fits_edition, facts.masked, facts.integrity) == (True, True, False, "ok")
    assert facts.channel == "Volume:GVLK"
    assert facts.blobs_agree is True


def test_a_gvlk_of_another_edition_does_not_fit() -> None:
    facts = read("win10", key=WINDOWS["server2022"].key)
    assert (facts.is_gvlk, facts.fits_edition) == (True, False)


def test_other_keys_are_masked_to_five_characters() -> None:
    facts = read(key=MAK, channel="Volume:MAK")
    assert facts.key == "XXXXX-XXXXX-XXXXX-XXXXX-46789"
    assert (facts.is_gvlk, facts.masked, facts.gvlk, facts.channel) == (False, True, (), "Volume:MAK")
    assert MAK not in str(facts.to_dict())


@pytest.mark.parametrize(
    ("key", "channel", "client"),
    [
        (None, "Volume:GVLK", True),
        (None, "Retail", True),  # published: that the channel contradicts it is a rule of its own
        (MAK, "Volume:GVLK", True),
        ("", "Volume:GVLK", True),
        (MAK, "Volume:MAK", False),
        (MAK, "Volume:CSVLK", False),
        (MAK, "Retail", False),
        (MAK, "", None),
        ("", "", None),
    ],
)
def test_a_client_key_is_known_by_the_list_or_by_its_channel(
    key: str | None, channel: str, *, client: bool | None
) -> None:
    assert read(key=key, channel=channel).client_key is client


def test_other_keys_are_shown_on_request() -> None:
    assert read(key=MAK, channel="Volume:MAK", show=True).key == MAK


def test_a_generic_install_key_is_no_kms_client_key() -> None:
    assert read(key=GENERIC, channel="Retail").is_gvlk is False


def test_a_removed_key_leaves_the_channel() -> None:
    facts = read(key="", channel="Volume:MAK")
    assert (facts.key, facts.cleared, facts.is_gvlk, facts.channel) == (None, True, None, "Volume:MAK")


def test_without_blobs_nothing_is_claimed() -> None:
    facts = read(channel=None)
    assert (facts.key, facts.is_gvlk, facts.fits_edition, facts.integrity) == (None, None, None, "unknown")


def test_a_damaged_blob_is_told_and_the_intact_one_used() -> None:
    def damage(builder: Any) -> None:
        builder.binary(CURRENT_VERSION, "DigitalProductId4", b"\xf8\x04\0\0" + bytes(1268))

    facts = read(edit=damage)
    assert (facts.integrity, facts.source, facts.key) == ("bad", "DigitalProductId", WINDOWS["win10"].key)
    assert facts.blobs_agree is False


def test_backup_key_is_masked_like_any_other() -> None:
    def add(builder: Any) -> None:
        builder.sz(CURRENT_VERSION, "BackupProductKeyDefault", MAK)

    key = current_version(edit=add)
    hidden = read_backup_key(key, "HKLM", show=False)
    shown = read_backup_key(key, "HKLM", show=True)
    assert hidden is not None
    assert shown is not None
    assert hidden.data == "XXXXX-XXXXX-XXXXX-XXXXX-46789"
    assert shown.data == MAK
