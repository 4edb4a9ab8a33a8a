from __future__ import annotations

from typing import Any

import pytest

from tests.build.windows import OFFICE_APP, WINDOWS_APP, software_hive
from vdiskkit.facts import NoticeLog
from vdiskkit.io import BytesSource
from vdiskkit.licensing.generation import generation_of, service_key
from vdiskkit.licensing.kms import read_kms_values, read_skip_rearm
from vdiskkit.registry import Hive

SKU = "e0b2d383-d112-413f-8a80-97f373a5820c"


def hive(product: str = "win10", **arguments: Any) -> Hive:
    return Hive(BytesSource(software_hive(product, keys=20, **arguments)), "SOFTWARE")


def service(build: int) -> str:
    return service_key(generation_of(build))


def test_skip_rearm_absent() -> None:
    facts = read_skip_rearm(hive(), service(19045))
    assert (facts.present, facts.type, facts.data, facts.problem) == (False, None, None, None)
    assert facts.key.endswith(r"CurrentVersion\SoftwareProtectionPlatform")


@pytest.mark.parametrize(
    ("product", "build", "name"), [("vista", 6002, "SL"), ("win7", 7601, "SoftwareProtectionPlatform")]
)
def test_skip_rearm_is_read_where_this_windows_keeps_it(product: str, build: int, name: str) -> None:
    facts = read_skip_rearm(hive(product, skip_rearm=1), service(build))
    assert (facts.present, facts.type, facts.data, facts.problem) == (True, "REG_DWORD", 1, None)
    assert facts.key == rf"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\{name}"


def test_skip_rearm_of_wrong_type_or_value_is_told() -> None:
    key = service(19045)
    assert "REG_SZ" in (read_skip_rearm(hive(edit=lambda b: b.sz(key, "SkipRearm", "1")), key).problem or "")
    assert "only 0 and 1" in (read_skip_rearm(hive(skip_rearm=7), key).problem or "")


def test_kms_values_of_all_levels_and_views() -> None:
    kms = {
        "": {
            "KeyManagementServiceName": "kms.example.com",
            "KeyManagementServicePort": "1688",
            "VLRenewalInterval": 10080,
        },
        WINDOWS_APP: {"KeyManagementServiceName": "app.example.com"},
        rf"{WINDOWS_APP}\{SKU}": {"KeyManagementServiceName": "sku.example.com"},
        OFFICE_APP: {"KeyManagementServiceName": "office.example.com"},
        "WOW6432Node\\": {"KeyManagementServiceName": "wow.example.com"},
    }
    office = {"KeyManagementServiceName": "ospp.example.com", "VLActivationType": 2}
    log = NoticeLog()
    hosts, settings = read_kms_values(hive(kms=kms, office_kms=office, office_bits=32), service(19045), log)
    found = {(item.scope, item.view, item.name, item.data) for item in hosts}
    assert found == {
        ("service", "native", "KeyManagementServiceName", "kms.example.com"),
        ("service", "native", "KeyManagementServicePort", "1688"),
        ("application", "native", "KeyManagementServiceName", "app.example.com"),
        ("sku", "native", "KeyManagementServiceName", "sku.example.com"),
        ("application", "native", "KeyManagementServiceName", "office.example.com"),
        ("service", "wow6432node", "KeyManagementServiceName", "wow.example.com"),
        ("office", "wow6432node", "KeyManagementServiceName", "ospp.example.com"),
    }
    sku = next(item for item in hosts if item.scope == "sku")
    assert (sku.app_id, sku.sku_id) == (WINDOWS_APP, SKU)
    assert sku.key.endswith(rf"SoftwareProtectionPlatform\{WINDOWS_APP}\{SKU}")
    assert {(item.name, item.data) for item in settings} == {("VLRenewalInterval", 10080), ("VLActivationType", 2)}
    assert log.notices() == ()


def test_a_port_as_number_is_the_mistake_that_scripts_make() -> None:
    hosts, _ = read_kms_values(hive(kms={"": {"KeyManagementServicePort": 1688}}), service(19045), NoticeLog())
    assert hosts[0].problem == "the type is REG_DWORD, but Windows reads REG_SZ here"


@pytest.mark.parametrize("port", ["0", "65536", "x", "", "1688 ", "٣"])
def test_a_port_that_is_no_port(port: str) -> None:
    hosts, _ = read_kms_values(hive(kms={"": {"KeyManagementServicePort": port}}), service(19045), NoticeLog())
    assert hosts[0].problem


def test_settings_of_any_number_of_products_are_read() -> None:
    kms = {rf"{WINDOWS_APP}\{number:08d}": {"KeyManagementServiceName": "x"} for number in range(700)}
    log = NoticeLog()
    hosts, _ = read_kms_values(hive(kms=kms), service(19045), log)
    assert len(hosts) == 700
    assert log.notices() == ()
