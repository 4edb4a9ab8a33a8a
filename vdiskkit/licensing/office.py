r"""Installed Office products, from Office 2010 to LTSC 2024, MSI and Click-to-Run, in both registry views.

MSI: ``Microsoft\Office\NN.0\Registration\{product code}`` holds DigitalProductID and ProductName; the second digit of
the product code tells a volume product. Click-to-Run: ``Microsoft\Office\ClickToRun\Configuration`` lists release ids
such as ``ProPlus2021Volume``. Office 2013 has ``Microsoft\Office\15.0\ClickToRun\Configuration`` instead, and as it was
first released ``propertyBag`` there.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from vdiskkit.licensing.facts import OfficeFacts, ProductKeyFacts
from vdiskkit.licensing.generation import Generation
from vdiskkit.licensing.installed_key import read_product_key
from vdiskkit.licensing.kms import VIEWS
from vdiskkit.windows.values import text_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vdiskkit.facts import NoticeLog
    from vdiskkit.licensing.gvlk import GvlkRow
    from vdiskkit.registry import Hive, RegistryKey

__all__ = ["licensing_service", "read_office", "release_name"]

_VERSIONS = ("14.0", "15.0", "16.0")
_CLICK_TO_RUN = (
    ("16.0", r"Microsoft\Office\ClickToRun", (("Configuration", "ProductReleaseIds"),)),
    (
        "15.0",
        r"Microsoft\Office\15.0\ClickToRun",
        (("Configuration", "ProductReleaseIds"), ("propertyBag", "productreleaseid")),
    ),
)
"""Version, key, and the subkeys and values that list the products; the first that is there counts."""
_YEARS = {"15.0": "2013", "16.0": "2016"}
"""Year of a release whose id names none."""
_PRODUCT_CODE = re.compile(r"\{([0-9A-F])([0-9A-F])[0-9A-F]{6}-[0-9A-F-]+0FF1CE\}", re.IGNORECASE)
_RELEASE = re.compile(r"(?P<app>[A-Za-z](?:[A-Za-z]|365)*?)(?P<year>20[0-9]{2})?(?P<kind>Volume|Retail)", re.ASCII)
_APPS = {
    "ProPlus": "Office Professional Plus",
    "Standard": "Office Standard",
    "VisioPro": "Visio Professional",
    "VisioStd": "Visio Standard",
    "ProjectPro": "Project Professional",
    "ProjectStd": "Project Standard",
    "SkypeforBusiness": "Skype for Business",
    "PowerPoint": "PowerPoint",
    "OneNote": "OneNote",
    "O365ProPlus": "Microsoft 365 Apps for enterprise",
    "O365Business": "Microsoft 365 Apps for business",
}
_KEY_VALUES = ("DigitalProductID4", "DigitalProductID")


def read_office(
    software: Hive, generation: Generation | None, log: NoticeLog, *, show: bool
) -> tuple[OfficeFacts, ...]:
    """Gather the installed Office products; a key that is no published GVLK is masked unless ``show``."""
    found: list[OfficeFacts] = []
    for view, prefix in VIEWS.items():
        for version in _VERSIONS:
            read = partial(_registrations, software, prefix, view, version, generation, show)
            found += log.attempt("licensing.office_unreadable", f"Office {version} registrations", read, [])
        for version, path, lists in _CLICK_TO_RUN:
            read = partial(_click_to_run, software, prefix + path, lists, view, version, generation)
            found += log.attempt("licensing.office_unreadable", f"Click-to-Run at {prefix}{path}", read, [])
    return tuple(found)


def licensing_service(version: str, generation: Generation | None) -> str:
    """Return which service licenses an Office: ``ospp`` (Office's own) or ``spp`` (the Windows service).

    Office 2010 always has its own; Office 2013 and later only on Windows 7 and Server 2008 R2.
    """
    if version == "14.0":
        return "ospp"
    return "ospp" if generation is not None and generation < Generation.WINDOWS_8 else "spp"


def release_name(release_id: str, version: str = "16.0") -> str:
    """Return the product name behind a Click-to-Run release id, the id itself when it follows no known form.

    Args:
        release_id: Such as ``ProPlus2021Volume``.
        version: Version of Office that lists it, which gives the year where the id names none.
    """
    match = _RELEASE.fullmatch(release_id)
    if match is None:
        return release_id
    name = _APPS.get(match["app"], match["app"])
    if match["app"].startswith("O365"):
        return name if version == "16.0" else f"{name} (Office {_YEARS.get(version, version)})"
    return f"{name} {match['year'] or _YEARS.get(version, '2016')}"


def _registrations(
    software: Hive,
    prefix: str,
    view: str,
    version: str,
    generation: Generation | None,
    show: bool,  # noqa: FBT001 - passed through partial
) -> list[OfficeFacts]:
    office = software.find(f"{prefix}Microsoft\\Office\\{version}")
    registration = office.subkey("Registration") if office is not None else None
    if office is None or registration is None:
        return []
    root = office.subkey("Common")
    install_path = text_value(root.subkey("InstallRoot") if root is not None else None, "Path")
    found = []
    for product in registration.subkeys():
        code = _PRODUCT_CODE.fullmatch(product.name)
        if code is None:
            continue
        name = text_value(product, "ProductName")
        found.append(
            OfficeFacts(
                product=name or product.name,
                version=version,
                installer="click_to_run" if _is_click_to_run(install_path) else "msi",
                view=view,
                release_id=None,
                product_code=product.name,
                volume=code.group(2) == "0",
                licensing_service=licensing_service(version, generation),
                product_key=_product_key(product, name, show=show),
                install_path=install_path,
                found_at=rf"HKLM\SOFTWARE\{product.path}",
            )
        )
    return found


def _product_key(product: RegistryKey, name: str | None, *, show: bool) -> ProductKeyFacts | None:
    facts = read_product_key(product, _KEY_VALUES, partial(_fits, name), show=show)
    return facts if facts.source is not None or facts.integrity != "unknown" else None


def _fits(product_name: str | None, rows: Sequence[GvlkRow]) -> bool | None:
    if product_name is None:
        return None
    name = product_name.casefold()
    return any(row.edition.casefold() in name for row in rows)


def _is_click_to_run(install_path: str | None) -> bool:
    # Click-to-Run installs below a "root" folder, MSI does not.
    return install_path is not None and "\\root\\" in install_path.casefold()


def _click_to_run(
    software: Hive,
    path: str,
    lists: Sequence[tuple[str, str]],
    view: str,
    version: str,
    generation: Generation | None,
) -> list[OfficeFacts]:
    key = software.find(path)
    for name, value in lists:
        listing = key.subkey(name) if key is not None else None
        release_ids = text_value(listing, value)
        if release_ids:
            break
    else:
        return []
    install_path = text_value(key, "InstallPath") or text_value(listing, "InstallationPath")
    return [
        OfficeFacts(
            product=release_name(release_id, version),
            version=version,
            installer="click_to_run",
            view=view,
            release_id=release_id,
            product_code=None,
            volume=_is_volume(release_id),
            licensing_service=licensing_service(version, generation),
            product_key=None,
            install_path=install_path,
            found_at=rf"HKLM\SOFTWARE\{path}\{name}, {value}",
        )
        for release_id in _release_ids(release_ids)
    ]


def _release_ids(text: str) -> Iterator[str]:
    for part in text.split(","):
        if part.strip():
            yield part.strip()


def _is_volume(release_id: str) -> bool | None:
    match = _RELEASE.fullmatch(release_id)
    return match["kind"] == "Volume" if match is not None else None
