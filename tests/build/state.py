r"""The state an installation is left in: registry values, files and an event log for the base volume ``state``.

    volume = state_volume("win10")                                         # complete, and nothing wrong
    volume = state_volume("win10", system={"fast_startup": True}, pending=("servicing",))

Values are what Windows, sysprep, PVS and BIS-F write.
"""

from __future__ import annotations

import datetime as dt
import struct
from typing import TYPE_CHECKING, Any

from tests.build.evtx import build_log, kms_answer, kms_request, noise_events, status_check
from tests.build.hive import filetime
from tests.build.scenario import windows_volume
from tests.build.windows import network_service_hive, put, small_hive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tests.build.evtx import Event
    from tests.build.hive import HiveBuilder

SHUTDOWN = dt.datetime(2023, 6, 14, 8, 15, 21, tzinfo=dt.UTC)
LOGGED = dt.datetime(2023, 6, 14, 7, 2, tzinfo=dt.UTC)
CURRENT = r"Microsoft\Windows\CurrentVersion"
SCSI_CLASS = r"Control\Class\{4D36E97B-E325-11CE-BFC1-08002BE10318}"
LOG = "Windows/System32/winevt/Logs/Application.evtx"
SECURITY = "Windows/System32/config/SECURITY"
NETWORK_SERVICE = "Windows/ServiceProfiles/NetworkService/NTUSER.DAT"
CITRIX_ADAPTER = {
    "DriverDesc": "Citrix Virtual Hard Disk Adapter",
    "ProviderName": "Citrix Systems, Inc.",
    "MatchingDeviceId": r"root\cvhdmp",
    "InfPath": "oem12.inf",
}
RAM_DISK = {
    "DriverDesc": "SoftPerfect Virtual Bus",
    "ProviderName": "SoftPerfect",
    "MatchingDeviceId": r"root\spvve",
    "InfPath": "oem7.inf",
}
PLACED = (
    "Windows/WinSxS/pending.xml",
    "Windows/System32/sysprep/Sysprep_succeeded.tag",
    "Windows/System32/sysprep/second.xml",
    "autounattend.xml",
    "unattend.xml",
)
"""What the base volume has and a healthy installation does not."""


def software_state(
    *,
    servicing: bool = False,
    update: bool = False,
    image_state: str = "IMAGE_STATE_COMPLETE",
    markers: Mapping[str, Any] | None = None,
) -> Callable[[HiveBuilder], None]:
    """What to do to a SOFTWARE hive: pending restarts, image state, values of BIS-F."""

    def edit(builder: HiveBuilder) -> None:
        if servicing:
            builder.key(rf"{CURRENT}\Component Based Servicing\RebootPending")
        if update:
            builder.key(rf"{CURRENT}\WindowsUpdate\Auto Update\RebootRequired")
        builder.sz(rf"{CURRENT}\Setup\State", "ImageState", image_state)
        if markers:
            put(builder, r"Login Consultants\BISF", markers)

    return edit


def system_state(
    *,
    control_set: int = 1,
    shutdown: dt.datetime | None = SHUTDOWN,
    renames: Iterable[tuple[str, str]] = (),
    adapters: Iterable[Mapping[str, str]] = (CITRIX_ADAPTER,),
    mcs_io: bool = False,
    netlogon: Mapping[str, int] | None = None,
    page_files: tuple[str, ...] | None = (r"d:\pagefile.sys 4096 4096",),
    time_zone: str | None = "W. Europe Standard Time",
    log_file: str | None = r"%SystemRoot%\system32\winevt\Logs\Application.evtx",
    hibernate: int | None = 0,
    fast_startup_stored: bool = True,
    sysprep: Mapping[str, int] | None = None,
    answer_file: str | None = None,
) -> Callable[[HiveBuilder], None]:
    """What to do to a SYSTEM hive; None leaves a value out."""
    root = f"ControlSet{control_set:03}"
    manager = rf"{root}\Control\Session Manager"

    def edit(builder: HiveBuilder) -> None:
        if shutdown is not None:
            builder.binary(rf"{root}\Control\Windows", "ShutdownTime", struct.pack("<Q", filetime(shutdown)))
        pairs = "".join(f"\\??\\{source}\0{target}\0" for source, target in renames)
        if pairs:
            builder.set(manager, "PendingFileRenameOperations", 7, (pairs + "\0").encode("utf-16-le"))
        for number, values in enumerate(adapters):
            put(builder, rf"{root}\{SCSI_CLASS}\{number:04}", values)
        builder.key(rf"{root}\{SCSI_CLASS}\Properties")
        if mcs_io:
            put(builder, rf"{root}\Services\CtxMcsWbc", {"Start": 0, "Type": 2})
        put(builder, rf"{root}\Services\Netlogon\Parameters", {"Update": "no", **(netlogon or {})})
        if page_files is not None:
            builder.multi(rf"{manager}\Memory Management", "PagingFiles", page_files)
        if time_zone is not None:
            # A buffer of 128 characters with what an older, longer name has left behind.
            text = f"{time_zone}\0Standard Time".encode("utf-16-le").ljust(256, b"\0")
            builder.set(rf"{root}\Control\TimeZoneInformation", "TimeZoneKeyName", 1, text)
        _event_logs(builder, rf"{root}\Services\EventLog", log_file)
        if hibernate is not None:
            builder.dword(rf"{root}\Control\Power", "HibernateEnabled", hibernate)
        if not fast_startup_stored:
            del builder.find(rf"{manager}\Power").values["HIBERBOOTENABLED"]
        if sysprep:
            put(builder, r"Setup\Status\SysprepStatus", sysprep)
        if answer_file:
            builder.sz("Setup", "UnattendFile", answer_file)

    return edit


def _event_logs(builder: HiveBuilder, logs: str, file: str | None) -> None:
    put(builder, rf"{logs}\Application", {"MaxSize": 20 << 20})
    if file is not None:
        builder.expand(rf"{logs}\Application", "File", file)
    builder.expand(rf"{logs}\System", "File", r"%SystemRoot%\System32\Winevt\Logs\System.evtx")
    builder.key(rf"{logs}\Security")


def security_hive(*, joined: bool = True) -> bytes:
    """SECURITY with the domain's SID, or with the empty value of a workgroup."""
    sid = bytes([1, 4, 0, 0, 0, 0, 0, 5]) + struct.pack("<4I", 21, 1004336348, 1177238915, 682003330)
    return small_hive(
        "SECURITY", edit=lambda builder: builder.set(r"Policy\PolPrDmS", "", 0, sid if joined else bytes(4))
    )


def usual_events() -> list[Event]:
    """A log that ends with a request, its answer and a status check."""
    return [
        *noise_events(40, LOGGED - dt.timedelta(hours=2)),
        kms_request(LOGGED),
        kms_answer(LOGGED + dt.timedelta(seconds=2)),
        status_check(LOGGED + dt.timedelta(seconds=3)),
        *noise_events(10, LOGGED + dt.timedelta(minutes=1)),
    ]


def state_volume(
    product: str = "win10",
    *,
    software: Mapping[str, Any] | None = None,
    system: Mapping[str, Any] | None = None,
    software_keys: Mapping[str, Any] | None = None,
    system_keys: Mapping[str, Any] | None = None,
    log: bytes | None = None,
    joined: bool = True,
    discovered: str | None = None,
    keep: Iterable[str] = (),
    removed_files: Iterable[str] = (),
    files: Mapping[str, bytes] | None = None,
    **more: Any,
) -> bytearray:
    """Return a volume of which every fact of readiness can be told; without arguments nothing is wrong with it.

    Args:
        product: A key of ``products.WINDOWS`` with the base ``win10``.
        software: Arguments for :func:`~tests.build.windows.software_hive`.
        system: Arguments for :func:`~tests.build.windows.system_hive`.
        software_keys: Arguments for :func:`software_state`.
        system_keys: Arguments for :func:`system_state`.
        log: The Application event log; by default one of :func:`usual_events`.
        joined: Whether the machine is a member of a domain.
        discovered: Address of a cached KMS host; None leaves it out.
        keep: Which of :data:`PLACED` stay.
        removed_files: Further paths to delete.
        files: Content by path besides.
        more: Arguments for :func:`~tests.build.scenario.windows_volume`.
    """
    number = (system or {}).get("control_set", 1)
    placed = {path.casefold() for path in keep}
    content = {LOG: build_log(usual_events()) if log is None else log, SECURITY: security_hive(joined=joined)}
    if discovered is not None:
        content[NETWORK_SERVICE] = network_service_hive(product, discovered)
    gone = {path.casefold() for path in removed_files}
    return windows_volume(
        product,
        base="state",
        software={**(software or {}), "edit": software_state(**(software_keys or {}))},
        system={**(system or {}), "edit": system_state(control_set=number, **(system_keys or {}))},
        removed=[*(path for path in PLACED if path.casefold() not in placed), *removed_files],
        files={path: data for path, data in content.items() if path.casefold() not in gone} | dict(files or {}),
        **more,
    )
