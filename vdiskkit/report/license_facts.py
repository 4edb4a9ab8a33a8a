"""The result of ``license``: schema ``vdiskkit.license/1``."""

from __future__ import annotations

from dataclasses import dataclass

from vdiskkit.facts import Facts, Notice
from vdiskkit.inspection.facts import Inspection
from vdiskkit.licensing.facts import LicensingFacts
from vdiskkit.windows.facts import WindowsFacts

__all__ = ["LicenseResult", "license_result"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseResult(Facts):
    """Licensing facts of one disk.

    Attributes:
        target: The disk file.
        windows: The Windows installation, None when there is none.
        licensing: Licensing facts, None without Windows.
        notices: What is worth telling besides.
    """

    target: str
    windows: WindowsFacts | None
    licensing: LicensingFacts | None
    notices: tuple[Notice, ...]


def license_result(inspection: Inspection) -> LicenseResult:
    """Take the licensing part of an inspection."""
    return LicenseResult(
        target=inspection.target,
        windows=inspection.windows,
        licensing=inspection.licensing,
        notices=inspection.notices,
    )
