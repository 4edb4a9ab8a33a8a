"""The KMS client setup keys (GVLKs) that Microsoft publishes, and which installed edition each one fits.

The table is ``gvlk.csv`` beside this module, one row per product and edition. A key is not unique to a product:
Windows 10 and 11 share their keys, three LTSC releases share a pair, so a key gives several rows, which EditionID and
build narrow down. A GVLK is public, is no licence, and only makes a machine a KMS client.

EditionID values and builds follow Microsoft's published release tables. What they do not name stays unknown.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.resources import read_resource

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["GvlkRow", "fits_edition", "is_gvlk", "lookup", "rows"]

CLIENT = "Windows client"
SERVER = "Windows Server"
OFFICE = "Office"


class GvlkRow(NamedTuple):
    """One row of the table.

    Attributes:
        product_family: ``Windows client``, ``Windows Server`` or ``Office``.
        product: Release, such as ``Windows 10 LTSC 2021``.
        edition: Edition as Microsoft's list names it, such as ``Enterprise N LTSC``.
        key: The published key.
        source: Short name of the list that the row is from.
    """

    product_family: str
    product: str
    edition: str
    key: str
    source: str


@cache
def rows() -> tuple[GvlkRow, ...]:
    """Return the whole table, in the order of Microsoft's lists."""
    import csv

    lines = read_resource("vdiskkit.licensing", "gvlk.csv").splitlines()
    return tuple(GvlkRow(**line) for line in csv.DictReader(lines))


@cache
def _by_key() -> dict[str, tuple[GvlkRow, ...]]:
    table: dict[str, tuple[GvlkRow, ...]] = {}
    for row in rows():
        table[row.key] = (*table.get(row.key, ()), row)
    return table


def lookup(key: str) -> tuple[GvlkRow, ...]:
    """Return the rows of a key, in any case; empty when it is no published KMS client key."""
    return _by_key().get(key.strip().upper(), ())


def is_gvlk(key: str) -> bool:
    """Whether a key is a published KMS client key, and so no secret."""
    return bool(lookup(key))


class _Release(NamedTuple):
    """Builds of one release: certainly its own up to ``last``, nobody else's up to ``until``."""

    first: int
    last: int
    until: int


_NEVER = 1 << 31

# The end of a generation is the build before the next release of the same kind.
_RELEASES = {
    "Windows Vista": _Release(6000, 6003, 7599),
    "Windows 7": _Release(7600, 7601, 9199),
    "Windows 8": _Release(9200, 9200, 9599),
    "Windows 8.1": _Release(9600, 9600, 10239),
    "Windows 10": _Release(10240, 21999, 21999),
    "Windows 11": _Release(22000, _NEVER, _NEVER),
    "Windows 10 LTSB 2015": _Release(10240, 10240, 14392),
    "Windows 10 LTSB 2016": _Release(14393, 14393, 17762),
    "Windows 10 LTSC 2019": _Release(17763, 17763, 19043),
    "Windows 10 LTSC 2021": _Release(19044, 19044, 26099),
    "Windows 11 LTSC 2024": _Release(26100, 26100, _NEVER),
    "Windows IoT Enterprise LTSC 2021": _Release(19044, 19044, 26099),
    "Windows IoT Enterprise LTSC 2024": _Release(26100, 26100, _NEVER),
    "Windows Server 2008": _Release(6001, 6003, 7599),
    "Windows Server 2008 R2": _Release(7600, 7601, 9199),
    "Windows Server 2012": _Release(9200, 9200, 9599),
    "Windows Server 2012 R2": _Release(9600, 9600, 14392),
    "Windows Server 2016": _Release(14393, 14393, 17762),
    "Windows Server 2019": _Release(17763, 17763, 20347),
    "Windows Server 2022": _Release(20348, 20348, 26099),
    "Windows Server 2025": _Release(26100, 26100, _NEVER),
    "Windows Server SAC version 1709": _Release(16299, 16299, 17133),
    "Windows Server SAC version 1803": _Release(17134, 17134, 17762),
    "Windows Server SAC version 1809": _Release(17763, 17763, 18361),
    "Windows Server SAC version 1903": _Release(18362, 18362, 18362),
    "Windows Server SAC version 1909": _Release(18363, 18363, 19040),
    "Windows Server SAC version 2004": _Release(19041, 19041, 19041),
    "Windows Server SAC version 20H2": _Release(19042, 19042, 20347),
}

# Edition name of the list -> EditionID values, lower case, without the ending of Server Core (see _normalised).
_CLIENT_EDITIONS = {
    "Pro": {"professional"},
    "Pro N": {"professionaln"},
    "Pro for Workstations": {"professionalworkstation"},
    "Pro for Workstations N": {"professionalworkstationn"},
    "Pro Education": {"professionaleducation"},
    "Pro Education N": {"professionaleducationn"},
    "Education": {"education"},
    "Education N": {"educationn"},
    "Enterprise": {"enterprise"},
    "Enterprise N": {"enterprisen"},
    "Enterprise E": {"enterprisee"},
    "Enterprise G": {"enterpriseg"},
    "Enterprise G N": {"enterprisegn"},
    "Enterprise LTSB": {"enterprises"},
    "Enterprise N LTSB": {"enterprisesn"},
    "Enterprise LTSC": {"enterprises"},
    "Enterprise N LTSC": {"enterprisesn"},
    "IoT Enterprise LTSC": {"iotenterprises"},
    "Core": {"core"},
    "Core N": {"coren"},
    "Core Single Language": {"coresinglelanguage"},
    "Core Country Specific": {"corecountryspecific"},
    "Professional": {"professional"},
    "Professional N": {"professionaln"},
    "Professional E": {"professionale"},
    "Business": {"business"},
    "Business N": {"businessn"},
}
_SERVER_EDITIONS = {
    "Standard": {"serverstandard"},
    "Datacenter": {"serverdatacenter"},
    "Datacenter: Azure Edition": {"serverturbine"},
    "Essentials": {"serversolution"},
    "MultiPoint Standard": {"servermultipointstandard"},
    "MultiPoint Premium": {"servermultipointpremium"},
    "Enterprise": {"serverenterprise"},
    "Web": {"serverweb"},
    "HPC": {"serverhpc", "servercomputecluster"},
    "Itanium-based Systems": {"serverenterpriseia64"},
    "Itanium-Based Systems": {"serverenterpriseia64"},
    "Standard without Hyper-V": {"serverstandardv"},
    "Enterprise without Hyper-V": {"serverenterprisev"},
    "Datacenter without Hyper-V": {"serverdatacenterv"},
}
_SAC_EDITIONS = {"Standard": {"serverstandardacor"}, "Datacenter": {"serverdatacenteracor"}}

# Editions that exist, but for which the list has no key: a GVLK of another edition certainly does not fit them.
_WITHOUT_KEY = (
    "starter startern startere homebasic homebasicn homebasice homepremium homepremiumn homepremiume "
    "ultimate ultimaten ultimatee professionalwmc professionalsinglelanguage professionalcountryspecific "
    "corearm coreconnected coreconnectedn coreconnectedsinglelanguage coreconnectedcountryspecific "
    "enterpriseeval enterpriseneval enterpriseseval enterprisesneval cloud cloudn cloudedition cloudeditionn ppipro "
    "iotenterprise iotenterprisek iotenterprisesk embedded embeddedindustry embeddedindustrye embeddedindustrya "
    "thinpc serverrdsh serverstandardeval serverdatacentereval serverhyper serverazure serverazurestackhci "
    "serverazurenano serverarm64 servercloudstorage serverstoragestandard serverstorageworkgroup "
    "serverstoragestandardeval serverstorageworkgroupeval serverstorageenterprise serverstorageexpress "
    "serverwinfoundation serverfoundation serversbsstandard serversbspremium serverhomestandard serverhomepremium "
    "serverembeddedsolution"
)
_KNOWN_EDITIONS = frozenset(_WITHOUT_KEY.split()).union(
    *_CLIENT_EDITIONS.values(), *_SERVER_EDITIONS.values(), *_SAC_EDITIONS.values()
)


def fits_edition(
    candidates: Iterable[GvlkRow],
    *,
    edition_id: str | None,
    build: int | None,
    installation_type: str | None = None,
    product_name: str | None = None,
) -> bool | None:
    """Tell whether a KMS client key belongs to the Windows that is installed.

    Args:
        candidates: The rows of the key, from :func:`lookup`.
        edition_id: EditionID of the image, such as ``EnterpriseS``; None when not known.
        build: CurrentBuild as a number; None when not known.
        installation_type: InstallationType: ``Client``, ``Server``, ``Server Core`` or ``Nano Server``.
        product_name: ProductName; used only where the others say nothing.

    Returns:
        True when one row fits certainly, False when none can, None when what is known does not decide.
    """
    installed = _Installed(edition_id, build, installation_type, product_name)
    verdicts = {installed.fits(row) for row in candidates}
    if True in verdicts:
        return True
    return None if None in verdicts or not verdicts else False


class _Installed:
    """What is known of the installed Windows."""

    __slots__ = ("build", "edition", "family", "name")

    def __init__(
        self, edition_id: str | None, build: int | None, installation_type: str | None, product_name: str | None
    ) -> None:
        self.edition = _normalised(edition_id) if edition_id else None
        self.build = build
        self.name = _plain_name(product_name or "")
        self.family = self._find_family(installation_type)

    def _find_family(self, installation_type: str | None) -> str | None:
        kind = (installation_type or "").strip().lower()
        if kind == "client":
            return CLIENT
        if kind in {"server", "server core", "nano server"}:
            return SERVER
        if self.edition in _KNOWN_EDITIONS:
            server = self.edition.startswith("server") and self.edition != "serverrdsh"
            return SERVER if server else CLIENT
        if "windows" in self.name:
            return SERVER if "server" in self.name else CLIENT
        return None

    def fits(self, row: GvlkRow) -> bool | None:
        if row.product_family == OFFICE:
            return None if self.family is None else False
        verdicts = {
            None if self.family is None else self.family == row.product_family,
            self._edition_fits(row),
            self._release_fits(row),
        }
        if False in verdicts:
            return False
        return None if None in verdicts else True

    def _edition_fits(self, row: GvlkRow) -> bool | None:
        if self.edition in edition_ids(row):
            return True
        return False if self.edition in _KNOWN_EDITIONS else None

    def _release_fits(self, row: GvlkRow) -> bool | None:
        release = _RELEASES.get(row.product)
        if release is None:
            return None
        if self.build is None:
            return self._name_fits(row)
        if not release.first <= self.build <= release.until:
            return False
        return True if self.build <= release.last else None

    def _name_fits(self, row: GvlkRow) -> bool | None:
        # The name never refutes: Windows 11 calls itself Windows 10, and Semi-Annual Channel has no number at all.
        words = row.product.lower().split()
        if "ltsb" in words or "ltsc" in words:
            return True if {words[-1], words[-2]} <= set(self.name.split()) else None
        return True if re.search(rf"{re.escape(' '.join(words))}(?![\w.]| r2)", self.name) else None


def edition_ids(row: GvlkRow) -> frozenset[str]:
    """Return the EditionID values, normalised, that a row of the Windows families stands for."""
    if row.product_family == CLIENT:
        table = _CLIENT_EDITIONS
    elif row.product_family == SERVER:
        table = _SAC_EDITIONS if " SAC " in row.product else _SERVER_EDITIONS
    else:
        return frozenset()
    found = table.get(row.edition, set())
    if row.product == "Windows Server 2008 R2" and row.edition == "HPC":
        # Its predecessor's Compute Cluster edition has another key there.
        found = {"serverhpc"}
    return frozenset(found)


def _normalised(edition_id: str) -> str:
    """Lower the case and drop the ending that a Server Core installation adds: the keys are the same."""
    text = edition_id.strip().lower()
    if not text.startswith("server"):
        return text
    text = re.sub(r"corev$", "v", text)
    if re.search(r"acor(e|cor|core)?$", text):
        return re.sub(r"acor(e|cor|core)?$", "acor", text)
    return re.sub(r"(cor|core)+$", "", text) or text


def _plain_name(product_name: str) -> str:
    text = re.sub(r"\((r|tm)\)|[\u00ae\u2122]", "", product_name.lower())
    return " ".join(text.split())
