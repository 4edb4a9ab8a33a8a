r"""Which licensing service a Windows build has: its registry key and its token store.

Vista and Server 2008 use the Software Licensing service (key ``SL``); from Windows 7 on it is the Software Protection
Platform (key ``SoftwareProtectionPlatform``).
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Generation", "generation_of", "service_key"]

_CURRENT_VERSION = r"Microsoft\Windows NT\CurrentVersion"


class Generation(IntEnum):
    """Windows generations that differ in licensing, by their first build number."""

    VISTA = 6000
    WINDOWS_7 = 7600
    WINDOWS_8 = 9200
    WINDOWS_8_1 = 9600
    WINDOWS_10 = 10240


def generation_of(build: int | None) -> Generation | None:
    """Return the generation of a build; None when the build is not known or older than Vista."""
    if build is None:
        return None
    known = [generation for generation in Generation if build >= generation]
    return known[-1] if known else None


def service_key(generation: Generation | None) -> str:
    """Return the licensing service's key below the SOFTWARE root; an unknown build is taken as Windows 7 or later."""
    name = "SL" if generation is Generation.VISTA else "SoftwareProtectionPlatform"
    return f"{_CURRENT_VERSION}\\{name}"
