"""Files of a made-up Windows: programs with a version resource, token stores, answer files, a hibernation header."""

from __future__ import annotations

import hashlib
import struct

from tests.build.pe import build_pe
from tests.build.products import WINDOWS
from tests.build.windows import TARGET_VERSION_TEXT, small_hive

_ROAMING = "Windows/ServiceProfiles/NetworkService/AppData/Roaming/Microsoft"
STORE = {
    "vista": f"{_ROAMING}/SoftwareLicensing",
    "win7": f"{_ROAMING}/SoftwareProtectionPlatform",
    "win8": "Windows/System32/spp/store",
    "win10": "Windows/System32/spp/store/2.0",
}
"""Folder of the Windows token store by base volume."""

OFFICE_STORE = "ProgramData/Microsoft/OfficeSoftwareProtectionPlatform"
TARGET_FOLDER = "Program Files/Citrix/Provisioning Services"
DRIVERS = ("bnistack6", "CFsDep2", "CVhdMp")


def windows_files(product: str = "win10", *, target_version: str = TARGET_VERSION_TEXT) -> dict[str, bytes]:
    """Content for the placeholders of a base volume: what a prepared image holds in them."""
    windows = WINDOWS[product]
    store = STORE[windows.base]
    system_version = f"{windows.version}.{windows.build}.{windows.ubr}"
    files = {
        f"{store}/tokens.dat": noise("tokens", 52_000),
        f"{OFFICE_STORE}/tokens.dat": noise("office tokens", 31_000),
        f"{OFFICE_STORE}/Cache/cache.dat": noise("office cache", 9_000),
        f"{TARGET_FOLDER}/BNDevice.exe": program(target_version),
        f"{TARGET_FOLDER}/StatusTray.exe": program(target_version),
        "Windows/System32/ntoskrnl.exe": program(system_version),
        "Windows/explorer.exe": program(system_version),
        "Windows/Panther/unattend.xml": unattend(skip_rearm=False),
        "Windows/System32/sysprep/unattend.xml": unattend(skip_rearm=False),
        "Personality.ini": b"[StringData]\r\n$DiskName=desk\r\n$DiskMode=Private\r\n[ArdenceData]\r\n_DiskMode=P\r\n",
    }
    for driver in DRIVERS:
        files[f"Windows/System32/drivers/{driver}.sys"] = program(target_version)
    if windows.base != "vista":
        files[f"{store}/cache/cache.dat"] = noise("cache", 11_000)
    if windows.base in ("win8", "win10"):
        files[f"{store}/data.dat"] = noise("data", 20_000)
    if windows.base == "win10":
        files["ProgramData/Microsoft/Windows/ClipSVC/tokens.dat"] = noise("store licences", 7_000)
    return files


def other_hives() -> dict[str, bytes]:
    """The hives beside SOFTWARE and SYSTEM, for ``build_volume(hives=...)``."""
    return {name: small_hive(name) for name in ("SAM", "SECURITY", "DEFAULT")}


def user_hives() -> dict[str, bytes]:
    """The users' hives, for ``build_volume(files=...)``."""
    folders = (
        "Users/Jörg Müßig",
        "Windows/ServiceProfiles/LocalService",
        "Windows/ServiceProfiles/NetworkService",
    )
    return {f"{folder}/NTUSER.DAT": small_hive("NTUSER.DAT") for folder in folders}


def noise(seed: str, size: int) -> bytes:
    """Bytes that look encrypted, always the same for one seed."""
    blocks = (hashlib.sha256(f"{seed} {number}".encode()).digest() for number in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def unattend(*, skip_rearm: bool, product_key: str = "") -> bytes:
    """An answer file, with the SkipRearm setting and a secret that must never be shown."""
    key = f"<ProductKey>{product_key}</ProductKey>" if product_key else ""
    return f"""<?xml version="1.0" encoding="utf-8"?>
<unattend xmlns="urn:schemas-microsoft-com:unattend">
  <settings pass="generalize">
    <component name="Microsoft-Windows-Security-SPP" processorArchitecture="amd64" language="neutral"
        publicKeyToken="31bf3856ad364e35" versionScope="nonSxS">
      <SkipRearm>{int(skip_rearm)}</SkipRearm>
    </component>
  </settings>
  <settings pass="specialize">
    <component name="Microsoft-Windows-Shell-Setup" processorArchitecture="amd64" language="neutral"
        publicKeyToken="31bf3856ad364e35" versionScope="nonSxS">
      <ComputerName>PVS-MASTER01</ComputerName>{key}
      <AutoLogon><Password><Value>not-to-be-shown</Value><PlainText>true</PlainText></Password></AutoLogon>
    </component>
  </settings>
</unattend>
""".replace("\n", "\r\n").encode()


def hibernation_header(signature: bytes = b"HIBR") -> bytes:
    """The first page of ``hiberfil.sys``: live with ``HIBR`` or ``hibr``, resumed with ``WAKE`` or ``RSTR``."""
    return signature + struct.pack("<III", 0, 0, 4096) + bytes(4080)


def program(version: str) -> bytes:
    """A PE file with nothing but a version resource."""
    first, second, third, fourth = (int(part) for part in version.split("."))
    return build_pe((first, second, third, fourth))
