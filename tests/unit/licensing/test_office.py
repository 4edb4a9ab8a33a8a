from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.build.products import OFFICE
from tests.build.windows import software_hive
from vdiskkit.facts import NoticeLog
from vdiskkit.io import BytesSource
from vdiskkit.licensing.generation import generation_of
from vdiskkit.licensing.office import read_office, release_name
from vdiskkit.registry import Hive

if TYPE_CHECKING:
    from tests.build.hive import HiveBuilder
    from vdiskkit.licensing.facts import OfficeFacts


def read(build: int = 19045, *, show: bool = False, **arguments: Any) -> tuple[OfficeFacts, ...]:
    hive = Hive(BytesSource(software_hive("win10", keys=10, **arguments)), "SOFTWARE")
    log = NoticeLog()
    found = read_office(hive, generation_of(build), log, show=show)
    assert log.notices() == ()
    return found


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("name", [name for name, office in OFFICE.items() if office.code])
def test_msi_products(name: str, bits: int) -> None:
    (found,) = read(office=[name], office_bits=bits)
    office = OFFICE[name]
    assert (found.product, found.version, found.installer) == (office.name, office.version, "msi")
    assert found.view == ("native" if bits == 64 else "wow6432node")
    assert found.volume is True
    assert found.product_key is not None
    assert (found.product_key.key, found.product_key.is_gvlk, found.product_key.fits_edition) == (
        office.key,
        True,
        True,
    )


@pytest.mark.parametrize("name", [name for name, office in OFFICE.items() if office.release_id])
def test_click_to_run_products(name: str) -> None:
    found = [item for item in read(office=[name]) if item.release_id is not None]
    assert [item.release_id for item in found] == [OFFICE[name].release_id]
    assert found[0].installer == "click_to_run"
    assert found[0].product_key is None


@pytest.mark.parametrize(
    ("name", "build", "service"),
    [
        ("2010", 19045, "ospp"),
        ("2010", 7601, "ospp"),
        ("2016", 7601, "ospp"),
        ("2016", 9200, "spp"),
        ("2016", 19045, "spp"),
    ],
)
def test_which_service_licenses_an_office(name: str, build: int, service: str) -> None:
    assert {item.licensing_service for item in read(build, office=[name])} == {service}


OFFICE_2013 = r"Microsoft\Office\15.0\ClickToRun"


@pytest.mark.parametrize(
    ("key", "value"), [("Configuration", "ProductReleaseIds"), ("propertyBag", "productreleaseid")]
)
def test_office_2013_by_click_to_run(key: str, value: str) -> None:
    def edit(builder: HiveBuilder) -> None:
        builder.sz(OFFICE_2013, "InstallPath", r"C:\Program Files\Microsoft Office 15")
        builder.sz(rf"{OFFICE_2013}\{key}", value, "ProPlusVolume,VisioProRetail,O365ProPlusRetail")

    found = read(edit=edit)
    assert [(item.product, item.version, item.volume) for item in found] == [
        ("Office Professional Plus 2013", "15.0", True),
        ("Visio Professional 2013", "15.0", False),
        ("Microsoft 365 Apps for enterprise (Office 2013)", "15.0", False),
    ]
    assert {item.found_at for item in found} == {rf"HKLM\SOFTWARE\{OFFICE_2013}\{key}, {value}"}
    assert {item.install_path for item in found} == {r"C:\Program Files\Microsoft Office 15"}


@pytest.mark.parametrize(
    ("release_id", "name"),
    [
        ("ProPlus2021Volume", "Office Professional Plus 2021"),
        ("ProPlusVolume", "Office Professional Plus 2016"),
        ("VisioPro2019Volume", "Visio Professional 2019"),
        ("O365ProPlusRetail", "Microsoft 365 Apps for enterprise"),
        ("SomethingElse", "SomethingElse"),
    ],
)
def test_names_of_release_ids(release_id: str, name: str) -> None:
    assert release_name(release_id) == name


def test_no_office() -> None:
    assert read() == ()
