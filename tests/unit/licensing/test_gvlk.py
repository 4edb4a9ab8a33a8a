"""The table of KMS client keys, and which installed edition a key fits."""

from __future__ import annotations

import importlib.resources
import re
from collections import Counter

import pytest

from vdiskkit.licensing import gvlk
from vdiskkit.licensing.gvlk import GvlkRow, fits_edition, is_gvlk, lookup, rows

EDITIONS_BY_FAMILY = {
    "Windows client": {
        "Business", "BusinessN", "Enterprise", "EnterpriseN", "EnterpriseE", "EnterpriseG", "EnterpriseGN",
        "EnterpriseS", "EnterpriseSN", "IoTEnterpriseS", "Professional", "ProfessionalN", "ProfessionalE",
        "ProfessionalWorkstation", "ProfessionalWorkstationN", "ProfessionalEducation", "ProfessionalEducationN",
        "Education", "EducationN", "Core", "CoreN", "CoreSingleLanguage", "CoreCountrySpecific",
    },
    "Windows Server": {
        "ServerStandard", "ServerDatacenter", "ServerSolution", "ServerTurbine", "ServerStandardACor",
        "ServerDatacenterACor", "ServerEnterprise", "ServerWeb", "ServerHPC", "ServerComputeCluster",
        "ServerEnterpriseIA64", "ServerStandardV", "ServerEnterpriseV", "ServerDatacenterV",
        "ServerMultiPointStandard", "ServerMultiPointPremium",
    },
}  # fmt: skip
CLIENT_BUILDS = [6000, 6002, 7601, 9200, 9600, 10240, 14393, 17763, 19044, 19045, 22621, 26100, 26200]
SERVER_BUILDS = [6001, 6003, 7601, 9200, 9600, 14393, 16299, 17134, 17763, 18362, 18363, 19041, 19042, 20348, 26100]
BUILDS = {"Windows client": CLIENT_BUILDS, "Windows Server": SERVER_BUILDS}
TYPES = {"Windows client": "Client", "Windows Server": "Server Core"}


def test_table_is_whole() -> None:
    table = rows()
    assert len(table) == 191
    assert len({row.key for row in table}) == 166
    for row in table:
        assert re.fullmatch(r"([A-Z0-9]{5}-){4}[A-Z0-9]{5}", row.key)
        assert all(row)
    assert Counter(row.product_family for row in table) == {
        "Windows client": 58,
        "Windows Server": 49,
        "Office": 84,
    }


def test_table_is_a_package_resource() -> None:
    text = importlib.resources.files("vdiskkit.licensing").joinpath("gvlk.csv").read_text("utf-8")
    assert text.splitlines()[0] == "product_family,product,edition,key,source"


def test_lookup_gives_every_row_of_a_key() -> None:
    found = lookup("npPR9-FWDCX-D2C8J-H872K-2YT43")
    assert [(row.product, row.edition) for row in found] == [("Windows 11", "Enterprise"), ("Windows 10", "Enterprise")]
    assert [row.product for row in lookup("M7XTQ-FN8P6-TTKYV-9D4CC-J462D")] == [
        "Windows 11 LTSC 2024",
        "Windows 10 LTSC 2021",
        "Windows 10 LTSC 2019",
    ]
    assert lookup("VK7JG-NPHTM-C97JM-9MPGT-3V66T") == ()
    assert lookup("") == ()
    assert is_gvlk("VTC42-BM838-43QHV-84HX6-XJXKV")
    assert not is_gvlk("VTC42-BM838-43QHV-84HX6-XJXK")


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.product} {row.edition}")
def test_each_row_fits_something_of_its_own_family_and_nothing_of_another(row: GvlkRow) -> None:
    fitting = set()
    for family, editions in EDITIONS_BY_FAMILY.items():
        for edition in editions:
            for build in BUILDS[family]:
                verdict = fits_edition([row], edition_id=edition, build=build, installation_type=TYPES[family])
                assert verdict is not None or "LTS" in row.product or row.product_family == "Windows Server"
                if verdict:
                    fitting.add((family, edition, build))
    if row.product_family == "Office":
        assert not fitting
    else:
        assert {family for family, _edition, _build in fitting} == {row.product_family}
        # The vocabulary of a row is one edition (two names for the HPC edition of 2008).
        assert len({edition for _family, edition, _build in fitting}) == (
            2 if (row.product, row.edition) == ("Windows Server 2008", "HPC") else 1
        )


@pytest.mark.parametrize(
    ("key", "edition_id", "build", "kind", "expected"),
    [
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", "Enterprise", 19045, "Client", True),
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", "Enterprise", 22631, "Client", True),
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", "Professional", 19045, "Client", False),
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", "EnterpriseS", 17763, "Client", False),
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", "Enterprise", 7601, "Client", False),
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", "ServerRdsh", 19045, "Client", False),
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", "EnterpriseEval", 19045, "Client", False),
        ("M7XTQ-FN8P6-TTKYV-9D4CC-J462D", "EnterpriseS", 17763, "Client", True),
        ("M7XTQ-FN8P6-TTKYV-9D4CC-J462D", "EnterpriseS", 19044, "Client", True),
        ("M7XTQ-FN8P6-TTKYV-9D4CC-J462D", "EnterpriseS", 26100, "Client", True),
        ("M7XTQ-FN8P6-TTKYV-9D4CC-J462D", "EnterpriseS", 14393, "Client", False),
        ("M7XTQ-FN8P6-TTKYV-9D4CC-J462D", "EnterpriseS", 19045, "Client", None),
        ("DCPHK-NFMTC-H88MJ-PFHPY-QJ4BJ", "EnterpriseS", 14393, "Client", True),
        ("DCPHK-NFMTC-H88MJ-PFHPY-QJ4BJ", "EnterpriseS", 10240, "Client", False),
        ("KBN8V-HFGQ4-MGXVD-347P6-PDQGT", "IoTEnterpriseS", 26100, "Client", True),
        ("33PXH-7Y6KF-2VJC9-XBBR8-HVTHH", "Enterprise", 7601, "Client", True),
        ("33PXH-7Y6KF-2VJC9-XBBR8-HVTHH", "Ultimate", 7601, "Client", False),
        ("VKK3X-68KWM-X2YGT-QR4M6-4BWMV", "Enterprise", 6002, None, True),
        ("WMDGN-G9PQG-XVVXX-R3X43-63DFG", "ServerDatacenter", 17763, "Server", True),
        ("WMDGN-G9PQG-XVVXX-R3X43-63DFG", "ServerDatacenterCor", 17763, "Server Core", True),
        ("WMDGN-G9PQG-XVVXX-R3X43-63DFG", "ServerDatacenterACor", 17763, "Server Core", False),
        ("WMDGN-G9PQG-XVVXX-R3X43-63DFG", "ServerDatacenterEval", 17763, "Server", False),
        ("6NMRW-2C8FM-D24W7-TQWMY-CWH2D", "ServerDatacenterACor", 17763, "Server Core", True),
        ("6NMRW-2C8FM-D24W7-TQWMY-CWH2D", "ServerDatacenterACore", 19042, "Server Core", True),
        ("6NMRW-2C8FM-D24W7-TQWMY-CWH2D", "ServerDatacenterACor", 16299, "Server Core", False),
        ("WX4NM-KYWYW-QJJR4-XV3QB-6VM33", "ServerDatacenter", 20348, "Server", True),
        ("WX4NM-KYWYW-QJJR4-XV3QB-6VM33", "ServerDatacenter", 26100, "Server", False),
        ("WX4NM-KYWYW-QJJR4-XV3QB-6VM33", "ServerDatacenter", 25398, "Server Core", None),
        ("NTBV8-9K7Q8-V27C6-M2BTV-KHMXV", "ServerTurbineCor", 20348, "Server Core", True),
        ("D764K-2NDRG-47T6Q-P8T8W-YP6DF", "ServerDatacenter", 26100, "Server", True),
        ("D764K-2NDRG-47T6Q-P8T8W-YP6DF", "ServerDatacenter", 27000, "Server", None),
        ("TT8MH-CG224-D3D7Q-498W2-9QCTX", "ServerHPC", 7601, "Server", True),
        ("TT8MH-CG224-D3D7Q-498W2-9QCTX", "ServerComputeCluster", 7601, "Server", False),
        ("W7VD6-7JFBR-RX26B-YKQ3Y-6FFFJ", "ServerStandardV", 6002, None, True),
        ("W7VD6-7JFBR-RX26B-YKQ3Y-6FFFJ", "ServerStandardCoreV", 6002, "Server Core", True),
        ("W7VD6-7JFBR-RX26B-YKQ3Y-6FFFJ", "ServerStandard", 6002, "Server", False),
        ("YC7DK-G2NP3-2QQC3-J6H88-GVGXT", "Enterprise", 19045, "Client", False),
        ("YC7DK-G2NP3-2QQC3-J6H88-GVGXT", None, None, None, None),
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", "SomethingNew", 19045, "Client", None),
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", "SomethingNew", 7601, "Client", False),
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", None, 19045, "Client", None),
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", None, 20348, "Server", False),
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", "Enterprise", None, "Client", None),
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", "enterprise ", 19045, "odd", True),
        ("VK7JG-NPHTM-C97JM-9MPGT-3V66T", "Professional", 26100, "Client", None),
    ],
)
def test_fits(key: str, edition_id: str | None, build: int | None, kind: str | None, expected: bool | None) -> None:
    assert fits_edition(lookup(key), edition_id=edition_id, build=build, installation_type=kind) is expected


@pytest.mark.parametrize(
    ("key", "edition_id", "name", "expected"),
    [
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", "Enterprise", "Windows 10 Enterprise", True),
        ("33PXH-7Y6KF-2VJC9-XBBR8-HVTHH", "Enterprise", "Windows 10 Enterprise", None),
        ("32JNW-9KQ84-P47T8-D8GGY-CWCK7", "Enterprise", "Windows 8.1 Enterprise", None),
        ("32JNW-9KQ84-P47T8-D8GGY-CWCK7", "Enterprise", "Windows 8 Enterprise", True),
        ("VKK3X-68KWM-X2YGT-QR4M6-4BWMV", "Enterprise", "Windows Vista (TM) Enterprise", True),
        ("M7XTQ-FN8P6-TTKYV-9D4CC-J462D", "EnterpriseS", "Windows 10 Enterprise LTSC 2019", True),
        ("DCPHK-NFMTC-H88MJ-PFHPY-QJ4BJ", "EnterpriseS", "Windows 10 Enterprise 2016 LTSB", True),
        ("7M67G-PC374-GR742-YH8V4-TCBY3", "ServerDatacenter", "Windows Server (R) 2008 Datacenter", True),
        ("7M67G-PC374-GR742-YH8V4-TCBY3", "ServerDatacenter", "Windows Server 2008 R2 Datacenter", None),
        ("NPPR9-FWDCX-D2C8J-H872K-2YT43", None, "Windows Server 2019 Datacenter", False),
    ],
)
def test_fits_by_name_where_the_build_is_missing(
    key: str, edition_id: str | None, name: str, expected: bool | None
) -> None:
    assert fits_edition(lookup(key), edition_id=edition_id, build=None, product_name=name) is expected


def test_every_row_of_the_windows_families_is_mapped() -> None:
    for row in rows():
        if row.product_family != "Office":
            assert gvlk.edition_ids(row), row
            assert row.product in gvlk._RELEASES, row
