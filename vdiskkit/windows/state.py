r"""The state an installation was left in, read from SOFTWARE, SYSTEM, SECURITY and a few files.

Every function returns facts for what could be read and None for the rest, and notes what could not; see
:mod:`vdiskkit.windows.state_facts`. What streamed boots left behind is in :mod:`vdiskkit.windows.streaming`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from vdiskkit.errors import CorruptStructureError, FileMissingError
from vdiskkit.registry.filetime import filetime_to_datetime
from vdiskkit.windows.details import open_hive
from vdiskkit.windows.guest_path import guest_path
from vdiskkit.windows.state_facts import (
    EventLogPathFacts,
    NetlogonFacts,
    PendingRebootFacts,
    PowerFacts,
    RearmMarkerFacts,
    SettingsFacts,
    SetupFacts,
)
from vdiskkit.windows.values import number_value, text_value

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from vdiskkit.facts import NoticeLog
    from vdiskkit.registry import Hive, RegistryKey
    from vdiskkit.windows.image import WindowsImage

__all__ = ["StateReader"]

T = TypeVar("T")

_CURRENT = r"Microsoft\Windows\CurrentVersion"
_SERVICING = rf"{_CURRENT}\Component Based Servicing"
_LOG_POLICIES = r"Policies\Microsoft\Windows\EventLog"
_EVENT_LOGS = ("Application", "System", "Security")
_MARKERS = tuple(f"LIC_BISF_Rearm{part}_{what}" for part in ("OS", "OF") for what in ("run", "date"))
_DOMAIN_SID = r"Policy\PolPrDmS"
_DOMAIN_MARK = bytes((0, 0, 0, 0, 0, 5, 21, 0, 0, 0))


class StateReader:
    """Reads one installation's state; hives are opened once and shared.

    Args:
        image: The installation.
        log: Takes what could not be read.
    """

    def __init__(self, image: WindowsImage, log: NoticeLog) -> None:
        self.image = image
        self.log = log
        self.software: Hive | None = open_hive(image, "SOFTWARE", log)
        system = open_hive(image, "SYSTEM", log)
        number = self.attempt("the control set in use", lambda: image.control_set, None)
        self.system = system
        self.control_set = f"ControlSet{number:03d}" if system is not None and number is not None else None

    def attempt(self, what: str, call: Callable[[], T], default: T) -> T:
        """Return ``call()``; note why and return ``default`` when the image does not let it."""
        return self.log.attempt("windows.state_unreadable", f"{what} cannot be read", call, default)

    def current(self, path: str) -> RegistryKey | None:
        """Return a key of the control set in use, None when it does not exist."""
        return self.system.find(f"{self.control_set}\\{path}") if self.system is not None else None

    # -- the parts ----------------------------------------------------------------------------------------------

    def pending_reboot(self) -> PendingRebootFacts:
        """Whether Windows waits for a restart, by all places that say so."""
        from vdiskkit.windows.pending import read_pending

        return read_pending(self)

    def setup(self) -> SetupFacts:
        """How far Windows Setup and sysprep have come."""
        unknown: tuple[int | None, ...] = (None, None, None, None, None)
        numbers = self.attempt("the state of Windows Setup", self._setup_numbers, unknown) if self.system else unknown
        progress, oobe, kind, generalization, cleanup = numbers
        software = self.software
        state = None
        if software is not None:
            path = rf"{_CURRENT}\Setup\State"
            state = self.attempt("the image state", lambda: text_value(software.find(path), "ImageState"), None)
        return SetupFacts(
            setup_in_progress=None if progress is None else bool(progress),
            oobe_in_progress=None if oobe is None else bool(oobe),
            setup_type=kind,
            image_state=state,
            generalization_state=generalization,
            cleanup_state=cleanup,
            sysprep_succeeded=self._file_exists(rf"{self.image.root}\System32\sysprep\Sysprep_succeeded.tag"),
        )

    def power(self) -> PowerFacts:
        """Hibernation and fast startup settings."""
        settings: tuple[int | None, int | None] = (None, None)
        if self.control_set is not None:
            settings = self.attempt("power settings", self._power_values, settings)
        fast, hibernate = settings
        return PowerFacts(
            fast_startup=None if fast is None else bool(fast),
            hibernate_enabled=None if hibernate is None else bool(hibernate),
            hibernation_file_size=self.attempt("hiberfil.sys", lambda: self._file_size("hiberfil.sys"), None),
        )

    def netlogon(self) -> NetlogonFacts:
        """Membership in a domain and who changes the machine account's password."""
        values: tuple[int | None, int | None, int | None, str | None] = (None, None, None, None)
        if self.control_set is not None:
            values = self.attempt("Netlogon settings", self._netlogon_values, values)
        start, disabled, age, domain = values
        return NetlogonFacts(
            domain_joined=self.attempt("membership in a domain", self._domain_joined, None),
            dns_domain=domain,
            start=start,
            disable_password_change=None if disabled is None else bool(disabled),
            maximum_password_age=age,
        )

    def settings(self) -> SettingsFacts:
        """Time zone, page files, places of the event logs."""
        zone = pages = logs = None
        if self.control_set is not None:
            zone = self.attempt("the time zone", self._time_zone, None)
            pages = self.attempt("page file settings", self._page_files, None)
            logs = self.attempt("event log settings", self._event_logs, None)
        return SettingsFacts(time_zone=zone, page_files=pages, event_logs=logs)

    def rearm_markers(self) -> tuple[RearmMarkerFacts, ...] | None:
        """What the build tool BIS-F keeps about rearms; empty when it left nothing."""
        software = self.software
        if software is None:
            return None
        return self.attempt("rearm markers", lambda: _markers(software.find(r"Login Consultants\BISF")), None)

    def last_shutdown(self) -> datetime | None:
        """When Windows was shut down last."""
        return self.attempt("the last shutdown", self._shutdown_time, None) if self.control_set is not None else None

    def last_servicing(self) -> datetime | None:
        """When a package was last added or changed."""
        software = self.software
        if software is None:
            return None

        def read() -> datetime | None:
            key = software.find(rf"{_SERVICING}\Packages")
            return key.last_written if key is not None else None

        return self.attempt("the last servicing", read, None)

    # -- how they are read --------------------------------------------------------------------------------------

    def _setup_numbers(self) -> tuple[int | None, ...]:
        key = self.system.find("Setup") if self.system is not None else None
        status = key.find(r"Status\SysprepStatus") if key is not None else None
        return (
            number_value(key, "SystemSetupInProgress") or 0,
            number_value(key, "OOBEInProgress") or 0,
            number_value(key, "SetupType") or 0,
            number_value(status, "GeneralizationState"),
            number_value(status, "CleanupState"),
        )

    def _power_values(self) -> tuple[int | None, int | None]:
        return (
            number_value(self.current(r"Control\Session Manager\Power"), "HiberbootEnabled") or 0,
            number_value(self.current(r"Control\Power"), "HibernateEnabled"),
        )

    def _netlogon_values(self) -> tuple[int | None, int | None, int | None, str | None]:
        service = self.current(r"Services\Netlogon")
        parameters = service.subkey("Parameters") if service is not None else None
        network = self.current(r"Services\Tcpip\Parameters")
        return (
            number_value(service, "Start"),
            number_value(parameters, "DisablePasswordChange") or 0,
            number_value(parameters, "MaximumPasswordAge"),
            text_value(network, "Domain") or text_value(network, "NV Domain"),
        )

    def _domain_joined(self) -> bool | None:
        key = self.image.registry("SECURITY").find(_DOMAIN_SID)
        value = key.value("") if key is not None else None
        if value is None:
            return None
        sid = value.raw
        if not any(sid):
            return False  # a machine in a workgroup: no SID at all
        # A SID of a domain: revision 1, authority NT (5), the first of four or more numbers 21 for "not built in".
        if len(sid) >= 24 and sid[0] == 1 and len(sid) == 8 + 4 * sid[1] and sid[2:8] + sid[8:12] == _DOMAIN_MARK:
            return True
        raise CorruptStructureError(
            rf"the domain's SID in SECURITY\{_DOMAIN_SID} has {len(sid)} bytes that are none", location=value.location
        )

    def _time_zone(self) -> str | None:
        key = self.current(r"Control\TimeZoneInformation")
        # TimeZoneKeyName is a buffer of fixed size: text of an older name may stand behind the end.
        return text_value(key, "TimeZoneKeyName") or text_value(key, "StandardName")

    def _page_files(self) -> tuple[str, ...] | None:
        key = self.current(r"Control\Session Manager\Memory Management")
        value = key.value("PagingFiles") if key is not None else None
        if value is None:
            return None
        if isinstance(value.data, tuple):
            return tuple(text for text in value.data if text)
        return (value.data,) if isinstance(value.data, str) and value.data else ()

    def _event_logs(self) -> tuple[EventLogPathFacts, ...] | None:
        service = self.current(r"Services\EventLog")
        return None if service is None else tuple(self._event_log(service, name) for name in _EVENT_LOGS)

    def _event_log(self, service: RegistryKey, name: str) -> EventLogPathFacts:
        key = service.subkey(name)
        # A group policy wins over the log's own setting.
        policy = self.software.find(rf"{_LOG_POLICIES}\{name}") if self.software is not None else None
        by_policy = text_value(policy, "File")
        stored = by_policy or text_value(key, "File")
        usual = rf"{self.image.root}\System32\winevt\Logs\{name}.evtx"
        path = guest_path(stored, self.image.root, self.image.system_drive) if stored else usual
        return EventLogPathFacts(
            name=name,
            file=stored,
            redirected=path is None or path.casefold() != usual.casefold(),
            path=path,
            by_policy=by_policy is not None,
            max_size=number_value(key, "MaxSize"),
        )

    def _shutdown_time(self) -> datetime | None:
        key = self.current(r"Control\Windows")
        value = key.value("ShutdownTime") if key is not None else None
        if value is None or len(value.raw) != 8:
            return None
        return filetime_to_datetime(int.from_bytes(value.raw, "little"))

    def _file_exists(self, path: str) -> bool | None:
        return self.attempt(path, lambda: self.image.volume.find(path) is not None, None)

    def _file_size(self, path: str) -> int:
        try:
            return self.image.volume.lookup(path, follow=False).size
        except FileMissingError:
            return 0


def _markers(key: RegistryKey | None) -> tuple[RearmMarkerFacts, ...]:
    found = []
    for name in _MARKERS:
        value = key.value(name) if key is not None else None
        if value is not None:
            data = value.data
            found.append(
                RearmMarkerFacts(
                    name=value.name, type=value.type_name, data=data.hex() if isinstance(data, bytes) else data
                )
            )
    return tuple(found)
