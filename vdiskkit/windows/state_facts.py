"""Facts about the state an installation was left in: what decides whether it can be cloned as it is.

None stands for "cannot be told" in every field where the key, the hive or the file could not be read; a notice says
why. Where absence has a meaning of its own, the attribute says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vdiskkit.facts import Facts
from vdiskkit.windows.facts import ServiceFacts

__all__ = [
    "EventLogPathFacts",
    "NetlogonFacts",
    "PendingRebootFacts",
    "PersonalityFacts",
    "PowerFacts",
    "RearmMarkerFacts",
    "ScsiAdapterFacts",
    "SettingsFacts",
    "SetupFacts",
    "StreamingFacts",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingPlaceFacts(Facts):
    r"""One place in which Windows notes that it waits for a restart.

    Attributes:
        key: Registry key, or ``ntfs:\`` and the path of a file.
        value: Registry value, None when it is the key or file itself.
        servicing: Whether it is about servicing (updates half-way in); else about something else.
        pending: Whether it says that a restart is waited for; None when it cannot be read.
        meaning: What it says then.
        found: What was found there, None for nothing.
    """

    key: str
    value: str | None
    servicing: bool
    pending: bool | None
    meaning: str
    found: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRebootFacts(Facts):
    r"""Whether Windows waits for a restart to finish something, by all places that say so.

    Attributes:
        component_servicing: Whether the key ``Component Based Servicing\RebootPending`` exists.
        windows_update: Whether the key ``WindowsUpdate\Auto Update\RebootRequired`` exists.
        file_renames: How many files are to be moved or deleted (``PendingFileRenameOperations``), 0 for none.
        first_renames: The first of their paths, as stored.
        pending_xml: Whether ``WinSxS\pending.xml`` exists.
        places: Every place that was looked at, those above among them.
    """

    component_servicing: bool | None
    windows_update: bool | None
    file_renames: int | None
    first_renames: tuple[str, ...]
    pending_xml: bool | None
    places: tuple[PendingPlaceFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupFacts(Facts):
    r"""How far Windows Setup and sysprep have come.

    Attributes:
        setup_in_progress: ``SYSTEM\Setup``, SystemSetupInProgress; an absent value is False.
        oobe_in_progress: ``SYSTEM\Setup``, OOBEInProgress; an absent value is False.
        setup_type: ``SYSTEM\Setup``, SetupType: 0 for a finished setup; an absent value is 0.
        image_state: ``Setup\State``, ImageState, such as ``IMAGE_STATE_COMPLETE``.
        generalization_state: ``SYSTEM\Setup\Status\SysprepStatus``, GeneralizationState; 7 is finished. None also when
            sysprep never ran.
        cleanup_state: The same key, CleanupState; 2 is finished.
        sysprep_succeeded: Whether sysprep left its ``Sysprep_succeeded.tag``.
    """

    setup_in_progress: bool | None
    oobe_in_progress: bool | None
    setup_type: int | None
    image_state: str | None
    generalization_state: int | None
    cleanup_state: int | None
    sysprep_succeeded: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerFacts(Facts):
    r"""Hibernation and fast startup settings. Whether Windows is hibernated is a fact of the volume.

    Attributes:
        fast_startup: ``Session Manager\Power``, HiberbootEnabled; an absent value is False.
        hibernate_enabled: ``Control\Power``, HibernateEnabled; None also when the value is absent.
        hibernation_file_size: Bytes of ``hiberfil.sys``; 0 without one.
    """

    fast_startup: bool | None
    hibernate_enabled: bool | None
    hibernation_file_size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalityFacts(Facts):
    """What ``Personality.ini`` in the root says about the last streamed boot. Other strings in it are not shown.

    Attributes:
        path: Path inside the volume.
        present: Whether the file exists.
        modified: Last write, UTC.
        disk_mode: ``$DiskMode`` (else ``_DiskMode``), such as ``Private``, ``Shared``, ``P``, ``S``.
        disk_name: ``$DiskName``.
        write_cache_type: ``$WriteCacheType``.
        problem: Why it cannot be read, None when it could or does not exist.
    """

    path: str
    present: bool
    modified: datetime | None
    disk_mode: str | None
    disk_name: str | None
    write_cache_type: str | None
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingFacts(Facts):
    r"""What streamed boots left in the image, and drivers that disturb streaming.

    Attributes:
        personality: ``Personality.ini``.
        agent_present: Whether the key ``Services\bnistack\PVSAgent`` exists.
        agent_write_cache_type: Its WriteCacheType: 0 when the last boot was in Private mode.
        agent_disk_name: Its DiskName.
        mcs_io: The driver of the Machine Creation Services write-back cache (``CtxMcsWbc``).
    """

    personality: PersonalityFacts | None
    agent_present: bool | None
    agent_write_cache_type: int | None
    agent_disk_name: str | None
    mcs_io: ServiceFacts | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScsiAdapterFacts(Facts):
    r"""One instance of the SCSI adapter class ``{4D36E97B-E325-11CE-BFC1-08002BE10318}``.

    Attributes:
        instance: Name of the instance key, such as ``0000``.
        description: DriverDesc.
        provider: ProviderName.
        device_id: MatchingDeviceId.
        inf_file: InfPath.
        streaming: Whether one of these says that it is the Citrix Virtual Hard Disk Adapter.
        mixed: Whether only one of description and provider names Citrix: another adapter's instance was overwritten.
    """

    instance: str
    description: str | None
    provider: str | None
    device_id: str | None
    inf_file: str | None
    streaming: bool
    mixed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NetlogonFacts(Facts):
    r"""Membership in a domain and who changes the machine account's password.

    Attributes:
        domain_joined: Whether ``SECURITY\Policy\PolPrDmS`` holds a domain's SID.
        dns_domain: ``Services\Tcpip\Parameters``, Domain (else NV Domain): the primary DNS suffix.
        start: Start of the Netlogon service; 2 on members of a domain.
        disable_password_change: ``Services\Netlogon\Parameters``, DisablePasswordChange; an absent value is False.
        maximum_password_age: The same key, MaximumPasswordAge in days; None also when the value is absent.
    """

    domain_joined: bool | None
    dns_domain: str | None
    start: int | None
    disable_password_change: bool | None
    maximum_password_age: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLogPathFacts(Facts):
    r"""Where one event log is kept.

    Attributes:
        name: ``Application``, ``System`` or ``Security``.
        file: ``Services\EventLog\<name>``, File, as stored, or the same value of a group policy, which wins; None when
            the value is absent: the usual place.
        redirected: Whether that is another place than ``System32\winevt\Logs``.
        path: Path inside this volume; None when it lies on another drive, or cannot be followed.
        by_policy: Whether a group policy says so (``Policies\Microsoft\Windows\EventLog\<name>``).
        max_size: MaxSize in bytes; None when absent.
    """

    name: str
    file: str | None
    redirected: bool
    path: str | None
    by_policy: bool
    max_size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFacts(Facts):
    r"""Settings that differ between images on purpose, and by mistake.

    Attributes:
        time_zone: ``Control\TimeZoneInformation``, TimeZoneKeyName.
        page_files: ``Memory Management``, PagingFiles as stored: path, smallest and largest size in MiB; empty for no
            page file.
        event_logs: Where the event logs are kept.
    """

    time_zone: str | None
    page_files: tuple[str, ...] | None
    event_logs: tuple[EventLogPathFacts, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RearmMarkerFacts(Facts):
    r"""One value that the build tool BIS-F keeps about rearms (``SOFTWARE\Login Consultants\BISF``).

    Attributes:
        name: ``LIC_BISF_RearmOS_run``, ``LIC_BISF_RearmOS_date`` and the same with ``RearmOF`` for Office.
        type: Registry type.
        data: Number or text as stored; hex text for binary data.
    """

    name: str
    type: str
    data: int | str | tuple[str, ...]
