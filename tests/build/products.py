"""Windows and Office products as data: what their registry says about them."""

from __future__ import annotations

from typing import NamedTuple


class Product(NamedTuple):
    """One Windows. ``key`` is its published KMS client key, ``base`` the base volume with its folders."""

    name: str
    edition: str
    build: int
    ubr: int
    version: str  # CurrentVersion; "6.3" for ever after
    key: str
    base: str
    release: str = ""  # ReleaseId
    display: str = ""  # DisplayVersion
    service_pack: str = ""  # CSDVersion
    installation: str = "Client"
    branch: str = "vb_release.191206-1406"


WINDOWS = {
    "vista": Product(
        "Windows Vista (TM) Enterprise", "Enterprise", 6002, 0, "6.0", "VKK3X-68KWM-X2YGT-QR4M6-4BWMV", "vista",
        service_pack="Service Pack 2", branch="lh_sp2rtm.090410-1830",
    ),
    "win7": Product(
        "Windows 7 Enterprise", "Enterprise", 7601, 24545, "6.1", "33PXH-7Y6KF-2VJC9-XBBR8-HVTHH", "win7",
        service_pack="Service Pack 1", branch="win7sp1_rtm.101119-1850",
    ),
    "win8": Product(
        "Windows 8 Enterprise", "Enterprise", 9200, 22930, "6.2", "32JNW-9KQ84-P47T8-D8GGY-CWCK7", "win8",
        branch="win8_rtm.120725-1247",
    ),
    "win81": Product(
        "Windows 8.1 Enterprise", "Enterprise", 9600, 20778, "6.3", "MHF9N-XY6XB-WVXMC-BTDCT-MKKG7", "win10",
        branch="winblue_r4.141028-1500",
    ),
    "win10": Product(
        "Windows 10 Enterprise", "Enterprise", 19045, 4529, "6.3", "NPPR9-FWDCX-D2C8J-H872K-2YT43", "win10",
        release="2009", display="22H2",
    ),
    "win11": Product(  # Windows 11 still calls itself Windows 10 here
        "Windows 10 Enterprise", "Enterprise", 22631, 3880, "6.3", "NPPR9-FWDCX-D2C8J-H872K-2YT43", "win10",
        release="2009", display="23H2", branch="ni_release.220506-1250",
    ),
    "win11-24h2": Product(
        "Windows 10 Enterprise", "Enterprise", 26100, 2314, "6.3", "NPPR9-FWDCX-D2C8J-H872K-2YT43", "win10",
        release="2009", display="24H2", branch="ge_release.240331-1435",
    ),
    "server2008r2": Product(
        "Windows Server 2008 R2 Datacenter", "ServerDatacenter", 7601, 24545, "6.1", "74YFP-3QFB3-KQT8W-PMXWJ-7M648",
        "win7", service_pack="Service Pack 1", installation="Server", branch="win7sp1_rtm.101119-1850",
    ),
    "server2012": Product(
        "Windows Server 2012 Datacenter", "ServerDatacenter", 9200, 22930, "6.2", "48HP8-DN98B-MYWDG-T2DCC-8W83P",
        "win8", installation="Server", branch="win8_rtm.120725-1247",
    ),
    "server2012r2": Product(
        "Windows Server 2012 R2 Datacenter", "ServerDatacenter", 9600, 20778, "6.3", "W3GGN-FT8W3-Y4M27-J84CP-Q3VJ9",
        "win10", installation="Server", branch="winblue_r4.141028-1500",
    ),
    "server2016": Product(
        "Windows Server 2016 Datacenter", "ServerDatacenter", 14393, 6981, "6.3", "CB7KF-BWN84-R7R2Y-793K2-8XDDG",
        "win10", release="1607", installation="Server", branch="rs1_release.160715-1616",
    ),
    "server2019": Product(
        "Windows Server 2019 Datacenter", "ServerDatacenter", 17763, 5830, "6.3", "WMDGN-G9PQG-XVVXX-R3X43-63DFG",
        "win10", release="1809", installation="Server", branch="rs5_release.180914-1434",
    ),
    "server2022": Product(
        "Windows Server 2022 Datacenter", "ServerDatacenter", 20348, 2461, "6.3", "WX4NM-KYWYW-QJJR4-XV3QB-6VM33",
        "win10", release="2009", display="21H2", installation="Server", branch="fe_release.210507-1500",
    ),
    "server2025": Product(
        "Windows Server 2025 Datacenter", "ServerDatacenter", 26100, 2314, "6.3", "D764K-2NDRG-47T6Q-P8T8W-YP6DF",
        "win10", release="2009", display="24H2", installation="Server", branch="ge_release.240331-1435",
    ),
}  # fmt: skip

# Made up: right in form (one N, as from Windows 8 on; none before), in no list.
MAK = "BCDFG-HJKMN-PQRTV-WXY27-46789"  # of key group 6503
MAK_WITHOUT_N = "BCDFG-HJKMP-QRTVW-XY234-6789B"


class Office(NamedTuple):
    """One Office. ``release_id`` is set for Click-to-Run, ``code`` (of the product GUID) for MSI."""

    version: str
    name: str
    key: str
    code: str = ""
    release_id: str = ""


OFFICE = {
    "2010": Office(
        "14.0", "Microsoft Office Professional Plus 2010", "VYBBJ-TRJPB-QFQRF-QFT4D-H3GVB", code="90140000-0011-0000"
    ),
    "2013": Office(
        "15.0", "Microsoft Office Professional Plus 2013", "YC7DK-G2NP3-2QQC3-J6H88-GVGXT", code="90150000-0011-0000"
    ),
    "2016": Office(
        "16.0", "Microsoft Office Professional Plus 2016", "XQNVK-8JYDB-WJ9W3-YJ8YR-WFG99", code="90160000-0011-0000"
    ),
    "2019": Office(
        "16.0", "Microsoft Office Professional Plus 2019", "NMMKJ-6RK4F-KMJVX-8D9MJ-6MWKP",
        release_id="ProPlus2019Volume",
    ),
    "2021": Office(
        "16.0", "Microsoft Office LTSC Professional Plus 2021", "FXYTK-NJJ8C-GB6DW-3DYQT-6F7TH",
        release_id="ProPlus2021Volume",
    ),
    "2024": Office(
        "16.0", "Microsoft Office LTSC Professional Plus 2024", "XJ2XN-FW8RK-P4HMP-DKDBV-GCVGB",
        release_id="ProPlus2024Volume",
    ),
    "365": Office("16.0", "Microsoft 365 Apps for enterprise", "", release_id="O365ProPlusRetail"),
}  # fmt: skip
