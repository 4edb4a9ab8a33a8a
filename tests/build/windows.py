r"""Hives of a made-up Windows: the keys that matter here, filled as Windows fills them, among some hundred others.

    software = software_hive("win10", skip_rearm=1, kms={"": {"KeyManagementServiceName": "kms.example.com"}})
    system = system_hive("win10", computer="PVS-MASTER01")

Everything is generated; nothing comes from a real machine.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING

from tests.build.digitalproductid import build_digital_product_id, build_digital_product_id4, key_bytes
from tests.build.hive import DEFAULT_TIME, HiveBuilder, filetime
from tests.build.products import OFFICE, WINDOWS, Office, Product

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Data = str | int | bytes | tuple[str, ...]

CURRENT_VERSION = r"Microsoft\Windows NT\CurrentVersion"
INSTALLED = dt.datetime(2023, 5, 9, 7, 41, 12, tzinfo=dt.UTC)
UNINSTALL = r"Microsoft\Windows\CurrentVersion\Uninstall"
WINDOWS_APP = "55c92734-d682-4d71-983e-d6ec3f16059f"
OFFICE_APP = "0ff1ce15-a989-479d-af46-f275c6370663"
OFFICE_2010_APP = "59a52881-a989-479d-af46-f275c6370663"
OSPP_FOLDER = r"{folder}\Common Files\Microsoft Shared\OfficeSoftwareProtectionPlatform" + "\\"
TARGET_VERSION_TEXT = "7.33.0.12"
_IDS = uuid.UUID("7d5f6f0c-8f5e-4b52-9d27-6f1f2a3c4e55")


def service_key(product: str) -> str:
    """Key of the licensing service below the SOFTWARE root."""
    name = "SL" if WINDOWS[product].build < 7600 else "SoftwareProtectionPlatform"
    return rf"{CURRENT_VERSION}\{name}"


def put(builder: HiveBuilder, path: str, values: Mapping[str, Data]) -> None:
    """Set values: text as REG_SZ, numbers as REG_DWORD, bytes as REG_BINARY, tuples as REG_MULTI_SZ."""
    builder.key(path)
    for name, data in values.items():
        if isinstance(data, str):
            builder.sz(path, name, data)
        elif isinstance(data, int):
            builder.dword(path, name, data)
        elif isinstance(data, bytes):
            builder.binary(path, name, data)
        else:
            builder.multi(path, name, data)


def software_hive(
    product: str = "win10",
    *,
    key: str | None = None,
    channel: str | None = "Volume:GVLK",
    skip_rearm: int | None = None,
    kms: Mapping[str, Mapping[str, Data]] | None = None,
    office: Iterable[str] = (),
    office_bits: int = 64,
    office_kms: Mapping[str, str | int] | None = None,
    target_software: bool = True,
    rearm_tool: bool = False,
    keys: int = 400,
    minor: int = 5,
    sequence: int = 187,
    written: dt.datetime = DEFAULT_TIME,
    edit: Callable[[HiveBuilder], object] | None = None,
) -> bytes:
    r"""Return a SOFTWARE hive.

    Args:
        product: A key of ``products.WINDOWS``.
        key: Installed product key; by default the product's GVLK. ``""``: removed from the registry (zero bytes).
        channel: Key type in DigitalProductId4; None leaves both DigitalProductId values out.
        skip_rearm: SkipRearm in the licensing service's key; None leaves it out.
        kms: Values by key path below the licensing service's key: ``""`` the key itself, ``<AppId>``,
            ``<AppId>\<SkuId>``; a path that begins with ``WOW6432Node\`` lies in the 32-bit view.
        office: Keys of ``products.OFFICE``.
        office_bits: 64, or 32 for the WOW6432Node view.
        office_kms: Values of ``OfficeSoftwareProtectionPlatform`` in the same view.
        target_software: Whether the PVS target device software is there.
        rearm_tool: Whether the traces of a build tool's rearm are there.
        keys: How many other keys to put in.
        minor: Minor version of the hive.
        sequence: Both sequence numbers of the base block.
        written: Last-written time of keys and base block.
        edit: Called last with the builder.
    """
    windows = WINDOWS[product]
    builder = HiveBuilder(minor, "SOFTWARE", written=written, sequence=sequence)
    _current_version(builder, windows)
    if channel is not None:
        _windows_key(builder, windows, windows.key if key is None else key, channel)
    service = service_key(product)
    _licensing_service(builder, product, service)
    if skip_rearm is not None:
        builder.dword(service, "SkipRearm", skip_rearm)
    for path, values in (kms or {}).items():
        view, below = ("WOW6432Node\\", path[12:]) if path.startswith("WOW6432Node\\") else ("", path)
        put(builder, f"{view}{service}\\{below}".rstrip("\\"), values)
    view = "WOW6432Node\\" if office_bits == 32 else ""
    for name in office:
        _office(builder, OFFICE[name], view)
    if office_kms:
        put(builder, rf"{view}Microsoft\OfficeSoftwareProtectionPlatform", office_kms)
    if target_software:
        _target_software(builder)
    if rearm_tool:
        put(builder, r"Login Consultants\BISF", {"LIC_BISF_RearmOS_run": 1, "LIC_BISF_RearmOF_run": 1})
    _other_software(builder, keys)
    if edit is not None:
        edit(builder)
    return builder.build()


def _current_version(builder: HiveBuilder, windows: Product) -> None:
    build = str(windows.build)
    values: dict[str, str | int | bytes] = {
        "BuildBranch": windows.branch.partition(".")[0],
        "BuildLab": f"{build}.{windows.branch}",
        "BuildLabEx": f"{build}.1.amd64fre.{windows.branch}",
        "CurrentBuild": build,
        "CurrentBuildNumber": build,
        "CurrentType": "Multiprocessor Free",
        "CurrentVersion": windows.version,
        "EditionID": windows.edition,
        "InstallationType": windows.installation,
        "InstallDate": int(INSTALLED.timestamp()),
        "PathName": r"C:\Windows",
        "ProductId": product_id(windows),
        "ProductName": windows.name,
        "RegisteredOrganization": "Example Corp",
        "RegisteredOwner": "Windows User",
        "SoftwareType": "System",
        "SystemRoot": r"C:\Windows",
    }
    if windows.service_pack:
        values["CSDVersion"] = windows.service_pack
    if windows.build >= 9600:
        values["UBR"] = windows.ubr
    if windows.build >= 10240:
        values |= {"CurrentMajorVersionNumber": 10, "CurrentMinorVersionNumber": 0}
        builder.qword(CURRENT_VERSION, "InstallTime", filetime(INSTALLED))
    if windows.release:
        values["ReleaseId"] = windows.release
    if windows.display:
        values["DisplayVersion"] = windows.display
    put(builder, CURRENT_VERSION, values)
    for path in ("Winlogon", "Fonts", "FontSubstitutes", "Image File Execution Options", "Svchost", "Time Zones"):
        builder.key(rf"{CURRENT_VERSION}\{path}")
    put(builder, rf"{CURRENT_VERSION}\Winlogon", {"Shell": "explorer.exe", "AutoRestartShell": 1})
    put(builder, r"Microsoft\Windows\CurrentVersion\Setup\State", {"ImageState": "IMAGE_STATE_COMPLETE"})


def product_id(windows: Product) -> str:
    """ProductId as the registry shows it for a volume edition."""
    return "00329-00000-00003-AA112" if windows.build >= 9200 else "00392-918-5000002-85172"


def sku_id(windows: Product) -> str:
    """A made-up id of the licence, the same in every place."""
    return str(uuid.uuid5(_IDS, windows.name))


def _windows_key(builder: HiveBuilder, windows: Product, key: str, channel: str) -> None:
    builder.binary(CURRENT_VERSION, "DigitalProductId", _key_blob_3(key, product_id(windows)))
    blob = _key_blob_4(key, channel, windows.edition, sku_id(windows), windows.build)
    builder.binary(CURRENT_VERSION, "DigitalProductId4", blob)
    builder.binary(r"Microsoft\Internet Explorer\Registration", "DigitalProductId4", blob)


def _key_blob_3(key: str, pid: str) -> bytes:
    installed = int(INSTALLED.timestamp())
    return build_digital_product_id(key, product_id=pid, part_number="X19-98795", install_time=installed)


def _key_blob_4(key: str, channel: str, edition: str, activation_id: str, build: int) -> bytes:
    stored = key_bytes(key) if key else bytes(16)
    # Keys from Windows 8 on (bit 3 of byte 14) carry their group; older ones do not tell it.
    group = int.from_bytes(stored[:3], "little") & 0xFFFFF if stored[14] & 8 else 170
    kind = "03" if channel.startswith("Volume") else "02" if channel.startswith("OEM") else "00"
    return build_digital_product_id4(
        key,
        extended_pid=f"03612-{group:05}-000-000000-{kind}-1033-{build}.0000-1292023",
        activation_id=activation_id,
        edition=edition,
        part_number="X19-98795",
        key_type=channel,
        eula=channel.partition(":")[0],
    )


def _licensing_service(builder: HiveBuilder, product: str, service: str) -> None:
    windows = WINDOWS[product]
    builder.key(rf"{service}\{WINDOWS_APP}\{sku_id(windows)}")
    put(builder, rf"{service}\Activation", {"NotificationDisabled": 0})
    if windows.build >= 7600:
        put(builder, service, {"ServiceSessionId": bytes(range(16)), "LicStatusArray": bytes(32)})
    if windows.build >= 9600:
        builder.sz(service, "BackupProductKeyDefault", windows.key)
        put(builder, rf"{service}\Plugins\Objects\msft:rm/algorithm/hwid/4.0", {"ModuleId": sku_id(windows)})


def _office(builder: HiveBuilder, office: Office, view: str) -> None:
    folder = r"C:\Program Files (x86)" if view else r"C:\Program Files"
    root = rf"{folder}\Microsoft Office"
    if office.release_id:
        key = r"Microsoft\Office\ClickToRun"  # Click-to-Run writes to the 64-bit view whatever Office is
        put(builder, key, {"InstallPath": rf"C:\Program Files{' (x86)' if view else ''}\Microsoft Office"})
        configuration = {
            "ProductReleaseIds": office.release_id,
            "Platform": "x86" if view else "x64",
            "ClientVersionToReport": "16.0.14332.20685",
        }
        put(builder, rf"{key}\Configuration", configuration)
        return
    version = rf"{view}Microsoft\Office\{office.version}"
    major = office.version.partition(".")[0]
    code = f"{{{office.code}-{'0000' if view else '1000'}-0000000FF1CE}}"
    put(builder, rf"{version}\Common\InstallRoot", {"Path": rf"{root}\Office{major}" + "\\"})
    if major == "14":
        blob = _key_blob_3(office.key, "02260-018-0000106-48484")
    else:
        blob = _key_blob_4(office.key, "Volume:GVLK", "ProPlus", str(uuid.uuid5(_IDS, office.name)), 0)
    registration: dict[str, Data] = {
        "DigitalProductID": blob,
        "ProductID": "02260-018-0000106-48484",
        "ProductName": office.name,
    }
    put(builder, rf"{version}\Registration\{code}", registration)
    put(builder, rf"{view}{UNINSTALL}\{code}", {"DisplayName": office.name, "Publisher": "Microsoft Corporation"})
    put(builder, rf"{view}Microsoft\OfficeSoftwareProtectionPlatform", {"Path": OSPP_FOLDER.format(folder=folder)})


def _target_software(builder: HiveBuilder) -> None:
    folder = r"C:\Program Files\Citrix\Provisioning Services"
    put(builder, r"Citrix\ProvisioningServices", {"StatusTray": 1, "InstallDir": folder})
    entry: dict[str, Data] = {
        "DisplayName": "Citrix Provisioning Target Device x64",
        "DisplayVersion": TARGET_VERSION_TEXT,
        "Publisher": "Citrix Systems, Inc.",
        "InstallLocation": folder,
    }
    put(builder, rf"{UNINSTALL}\{{6E5B9C1A-0C6E-4A0E-9D1B-3F2C5D7A8E90}}", entry)


def _other_software(builder: HiveBuilder, keys: int) -> None:
    for number, name in enumerate(("7-Zip 22.01 (x64)", "Notepad++ (64-bit x64)", "Microsoft Edge", "Übersetzer")):
        entry: dict[str, Data] = {
            "DisplayName": name,
            "DisplayVersion": f"{number + 1}.0.{number * 7}",
            "EstimatedSize": 4096 * number,
        }
        put(builder, rf"{UNINSTALL}\{name}", entry)
    builder.expand(r"Microsoft\Windows\CurrentVersion", "ProgramFilesPath", "%ProgramFiles%")
    builder.sz(r"Microsoft\Windows\CurrentVersion", "ProgramFilesDir", r"C:\Program Files")
    builder.multi(rf"{CURRENT_VERSION}\Svchost", "netsvcs", ("BITS", "wuauserv", "Schedule", "ProfSvc"))
    put(builder, r"Policies\Microsoft\Windows NT\Terminal Services", {"fDenyTSConnections": 0})
    builder.key(r"WOW6432Node\Microsoft\Windows NT\CurrentVersion")
    builder.fill(r"Classes\CLSID", keys * 3 // 4)
    builder.fill(r"Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages", keys // 4, fanout=4)


def system_hive(
    product: str = "win10",
    *,
    computer: str = "PVS-MASTER01",
    control_set: int = 1,
    last_set: int | None = None,
    architecture: str = "AMD64",
    target_software: bool = True,
    write_cache_type: int | None = None,
    fast_startup: bool = False,
    pending_renames: tuple[str, ...] = (),
    setup_in_progress: bool = False,
    keys: int = 200,
    minor: int = 5,
    sequence: int = 412,
    written: dt.datetime = DEFAULT_TIME,
    edit: Callable[[HiveBuilder], object] | None = None,
) -> bytes:
    """Return a SYSTEM hive.

    Args:
        product: A key of ``products.WINDOWS``.
        computer: Computer name.
        control_set: The one in use; when it is not 1, ControlSet001 names another computer and no target software.
        last_set: The one of the last start; None for the same.
        architecture: PROCESSOR_ARCHITECTURE.
        target_software: Whether the PVS services are there.
        write_cache_type: Cache type of the last streamed boot, in ``bnistack\\PVSAgent``.
        fast_startup: HiberbootEnabled.
        pending_renames: PendingFileRenameOperations.
        setup_in_progress: Whether Windows Setup has not finished.
        keys: How many other services to put in.
        minor: Minor version of the hive.
        sequence: Both sequence numbers of the base block.
        written: Last-written time.
        edit: Called last with the builder.
    """
    builder = HiveBuilder(minor, "SYSTEM", written=written, sequence=sequence)
    current = control_set if last_set is None else last_set
    select = {"Current": current, "Default": control_set, "Failed": 0, "LastKnownGood": control_set}
    put(builder, "Select", select)
    if control_set != 1:
        put(builder, r"ControlSet001\Control\ComputerName\ComputerName", {"ComputerName": "OLD-NAME"})
    root = f"ControlSet{control_set:03}"
    put(builder, rf"{root}\Control\ComputerName\ComputerName", {"": "mnmsrvc", "ComputerName": computer})
    put(builder, rf"{root}\Services\Tcpip\Parameters", {"Hostname": computer, "Domain": "example.com"})
    environment = {"PROCESSOR_ARCHITECTURE": architecture, "NUMBER_OF_PROCESSORS": "2", "OS": "Windows_NT"}
    manager = rf"{root}\Control\Session Manager"
    put(builder, rf"{manager}\Environment", environment)
    builder.expand(rf"{manager}\Environment", "Path", r"%SystemRoot%\system32;%SystemRoot%")
    put(builder, rf"{manager}\Power", {"HiberbootEnabled": int(fast_startup)})
    if pending_renames:
        builder.multi(manager, "PendingFileRenameOperations", pending_renames)
    put(builder, rf"{root}\Control\Windows", {"CSDVersion": 256 if WINDOWS[product].service_pack else 0})
    put(builder, rf"{root}\Control\ProductOptions", {"ProductType": product_type(WINDOWS[product])})
    setup = {name: int(setup_in_progress) for name in ("SystemSetupInProgress", "OOBEInProgress", "SetupType")}
    put(builder, "Setup", {**setup, "CmdLine": ""})
    put(builder, r"WPA\8DEC0AF1-0341-4b93-85CD-72606C2DF94C-7P-1", {"": bytes(range(64)) * 4})
    if target_software:
        _target_services(builder, root, write_cache_type)
    for name in ("Dnscache", "EventLog", "LanmanServer", "LanmanWorkstation", "Netlogon", "RpcSs", "sppsvc", "W32Time"):
        put(builder, rf"{root}\Services\{name}", {"Start": 2, "Type": 32, "ErrorControl": 1})
    for number in range(keys):
        put(builder, rf"{root}\Services\driver{number:04}", {"Start": 3, "Type": 1, "ErrorControl": 1})
    if edit is not None:
        edit(builder)
    return builder.build()


def product_type(windows: Product) -> str:
    """ProductType of a workstation or a member server."""
    return "ServerNT" if windows.installation == "Server" else "WinNT"


def _target_services(builder: HiveBuilder, root: str, write_cache_type: int | None) -> None:
    drivers = {
        "bnistack": (0, r"System32\drivers\bnistack6.sys"),
        "CVhdMp": (0, r"\SystemRoot\System32\drivers\CVhdMp.sys"),
        "CFsDep2": (0, r"System32\drivers\CFsDep2.sys"),
    }
    for name, (start, path) in drivers.items():
        values: dict[str, Data] = {"Start": start, "Type": 1, "ErrorControl": 1, "DisplayName": name}
        put(builder, rf"{root}\Services\{name}", values)
        builder.expand(rf"{root}\Services\{name}", "ImagePath", path)
    service = {"Start": 2, "Type": 16, "ErrorControl": 1, "DisplayName": "Citrix PVS Device Service"}
    put(builder, rf"{root}\Services\BNDevice", service)
    program = r'"C:\Program Files\Citrix\Provisioning Services\BNDevice.exe"'
    builder.expand(rf"{root}\Services\BNDevice", "ImagePath", program)
    if write_cache_type is not None:
        agent = {"WriteCacheType": write_cache_type, "DiskName": "desk"}
        put(builder, rf"{root}\Services\bnistack\PVSAgent", agent)


def small_hive(name: str, *, edit: Callable[[HiveBuilder], object] | None = None) -> bytes:
    """A hive that only has to be there: SAM, SECURITY, DEFAULT, a user's NTUSER.DAT."""
    builder = HiveBuilder(5, name, sequence=23)
    first = {"SAM": r"SAM\Domains\Account\Users", "SECURITY": r"Policy\PolAdtEv"}.get(name, r"Control Panel\Desktop")
    builder.key(first)
    if edit is not None:
        edit(builder)
    return builder.build()


def network_service_hive(product: str, host: str = "10.20.30.40") -> bytes:
    """NTUSER.DAT of NetworkService with the KMS host that was found last (Windows 8 and later)."""
    path = rf"Software\{service_key(product)}\{WINDOWS_APP}\{sku_id(WINDOWS[product])}"
    values = {
        "DiscoveredKeyManagementServiceIpAddress": host,
        "DiscoveredKeyManagementServiceName": "kms.example.com",
        "DiscoveredKeyManagementServicePort": "1688",
    }
    return small_hive("NTUSER.DAT", edit=lambda builder: put(builder, path, values))
