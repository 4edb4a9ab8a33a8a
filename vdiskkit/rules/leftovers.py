"""Rules about what building, testing and other tools leave in an image."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vdiskkit.rules import gaps
from vdiskkit.rules.facts import Severity
from vdiskkit.rules.kms_host import same_host
from vdiskkit.rules.model import NotApplicable, Passed, Problem, Rule, Unknown, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.rules.model import Context, Outcome
    from vdiskkit.windows.state_facts import RearmMarkerFacts

__all__ = ["RULES"]

_REG_DOC = "learn.microsoft.com: registry settings for volume activation (dn502532)"
_HOST_ROLE = ("keymanagementservicelisteningport", "dnsdomainpublishlist", "enablekmslowpriority")
_STREAMING = r"HKLM\SYSTEM\CurrentControlSet\Services\bnistack\PVSAgent, WriteCacheType"
_DATE_FORMS = ("%Y-%m-%d", "%m/%d/%Y", "%d.%m.%Y", "%Y%m%d", "%d/%m/%Y")


@rule(
    "SEC101",
    "No trace of a KMS host role is left",
    severity="warning",
    reads="KeyManagementServiceListeningPort, DnsDomainPublishList, EnableKmsLowPriority of the licensing service",
    judgement="passes without them; warns with one of them",
    why="The image was a KMS host. With a host key installed again, every clone would be one, with these settings.",
    fix="delete the values with vdiskkit reg delete in Private mode",
    versions="Windows Vista, Server 2008 and later",
    source=_REG_DOC,
)
def host_role(context: Context) -> Iterator[Outcome]:
    """Look for settings of the host role."""
    if context.licensing is None:
        yield gaps.no_windows(context)
        return
    lost = gaps.unreadable(context, "licensing.kms_unreadable")
    if lost is not None:
        yield lost
        return
    for value in context.licensing.kms_settings:
        if value.name.casefold() in _HOST_ROLE:
            data = ", ".join(value.data) if isinstance(value.data, tuple) else str(value.data)
            yield Problem(f"a setting of the KMS host role is left: {value.name}", _value(context, value), data)


@rule(
    "SEC102",
    "No KMS host of the build network is cached",
    severity="note",
    reads="Discovered KeyManagementService values in the hive of NetworkService",
    judgement="passes without a cached host, or when it is the kms_host of the profile; gives a note with one, a "
    "warning when it is another one than the profile names",
    why="Clones ask the cached host first. In another network it is not reachable, and activation waits until the "
    "cache runs out.",
    fix="`cscript slmgr.vbs /ckhc` in Private mode before sealing, or delete the Discovered values",
    versions="Windows 8, Server 2012 and later",
    source="observed",
)
def cached_host(context: Context) -> Iterator[Outcome]:
    """Judge cached hosts."""
    if context.readiness is None:
        yield gaps.no_readiness(context)
        return
    hosts = context.readiness.discovered_hosts
    if hosts is None:
        yield Unknown("the hive of NetworkService cannot be read")
        return
    expected = context.expect.kms_host
    for found in hosts:
        names = [text for text in (found.host, found.address) if text]
        if not names:
            continue
        if any(same_host(name, host) for name in names for host in expected):
            yield Passed(f"cached: {', '.join(names)}")
            continue
        other = f", not {', '.join(expected)}" if expected else ""
        yield Problem(
            "a KMS host is cached in the image",
            context.at(found.key),
            ", ".join(names) + other,
            Severity.WARNING if expected else None,
        )


@rule(
    "SEC103",
    "No Machine Creation Services cache driver is inside",
    severity="warning",
    reads="the service CtxMcsWbc",
    judgement="passes when it is absent or disabled; warns when it would start beside the PVS driver",
    why="The storage optimisation of Machine Creation Services and the PVS driver both redirect writes: targets freeze "
    "(VDA 7.15 to 1906).",
    fix='reinstall the VDA without MCSIO (/exclude "Machine Creation Services (MCS) storage optimization")',
    versions="VDA 7.15 to 1906 with PVS",
    source="support.citrix.com CTX272353",
)
def mcs_driver(context: Context) -> Iterator[Outcome]:
    """Look for the MCS driver."""
    if context.readiness is None:
        yield gaps.no_readiness(context)
        return
    driver = context.readiness.streaming.mcs_io
    if driver is None:
        yield Unknown("the services cannot be read")
    elif driver.present and driver.start != 4:
        yield Problem(
            "the write cache driver of Machine Creation Services is installed beside the PVS driver",
            context.at(rf"HKLM\SYSTEM\CurrentControlSet\Services\{driver.name}"),
            f"Start is {driver.start}",
        )


@rule(
    "SEC104",
    "The image was last started in Private mode",
    severity="note",
    reads=r"$DiskMode in Personality.ini, WriteCacheType in Services\bnistack\PVSAgent",
    judgement="passes when both say Private, or nothing is left; gives a note when one says Standard",
    why="Changes are kept in Private mode only. Traces of a Standard mode start in an image come from a cache that was "
    "merged or a disk that was captured from a running target; such an image holds that target's identity.",
    fix="start and shut down the vDisk once in Private mode, then seal it",
    versions="all PVS versions",
    source="observed",
)
def last_start(context: Context) -> Iterator[Outcome]:
    """Judge the traces of the last streamed start."""
    if context.readiness is None:
        yield gaps.no_readiness(context)
        return
    streaming = context.readiness.streaming
    personality = streaming.personality
    if personality is None or personality.problem or streaming.agent_present is None:
        yield Unknown((personality.problem if personality else None) or "the traces of streamed starts cannot be read")
        return
    mode = personality.disk_mode
    if mode and mode.strip().upper()[:1] == "S":
        yield Problem(
            "Personality.ini is of a start in Standard mode",
            context.at(f"ntfs:\\{personality.path}"),
            f"$DiskMode={mode}",
        )
    elif mode:
        yield Passed(f"Personality.ini: $DiskMode={mode}")
    cache = streaming.agent_write_cache_type
    if cache not in (None, 0, 10):
        yield Problem(
            "the last streamed start was in Standard mode", context.at(_STREAMING), f"write cache type {cache}"
        )
    elif cache is not None:
        yield Passed(f"PVSAgent: write cache type {cache}")


@rule(
    "SEC105",
    "The build tool rearmed Windows after the last update",
    severity="warning",
    reads=r"markers of the build tool BIS-F (HKLM\SOFTWARE\Login Consultants\BISF), time of the last servicing",
    judgement="passes when the marker's date is not before the last update, warns when it is, or when the marker says "
    "that it did not run; does not apply without the tool",
    why="BIS-F writes the marker even when its rearm was not switched on, and skips the rearm when the marker is "
    "there. An old date means that the image was updated and sealed again without a rearm.",
    fix="delete the marker (`reg delete`), run BIS-F's preparation again with rearm switched on, then seal",
    versions="images prepared with BIS-F",
    source="github.com/EUCweb/BIS-F",
)
def rearm_marker(context: Context) -> Iterator[Outcome]:
    """Judge the build tool's markers."""
    if context.readiness is None:
        yield gaps.no_readiness(context)
        return
    markers = context.readiness.rearm_markers
    if markers is None:
        yield Unknown("the markers of the build tool cannot be read")
        return
    by_name = {marker.name.casefold(): marker for marker in markers}
    ran, date = by_name.get("lic_bisf_rearmos_run"), by_name.get("lic_bisf_rearmos_date")
    if ran is None:
        yield NotApplicable("the build tool left no marker of a rearm of Windows")
        return
    where = context.at(r"HKLM\SOFTWARE\Login Consultants\BISF")
    if str(ran.data).strip() not in ("1", "YES"):
        yield Problem("the build tool says that Windows was not rearmed", where, f"{ran.name} is {ran.data}")
        return
    when, serviced = _date(date), context.readiness.last_servicing
    if when is None or serviced is None:
        yield Passed(f"{ran.name} is {ran.data}; when it was set, or when Windows was last serviced, is not known")
    elif when.date() < serviced.date():
        yield Problem(
            "the build tool's rearm is older than the last update of Windows",
            where,
            f"rearm {when:%Y-%m-%d}, last servicing {serviced:%Y-%m-%d}",
        )
    else:
        yield Passed(f"rearm {when:%Y-%m-%d}, last servicing {serviced:%Y-%m-%d}")


@rule(
    "SEC106",
    "No other SCSI adapter shares the PVS adapter's place",
    severity="warning",
    reads="the first instances of the SCSI adapter class {4D36E97B-E325-11CE-BFC1-08002BE10318}",
    judgement="passes when no instance names Citrix and another vendor at once; warns otherwise",
    why="A RAM disk or storage driver that was installed into the instance of the Citrix Virtual Hard Disk Adapter "
    "stops targets from starting (0x7B).",
    fix="remove the other driver, reinstall the PVS target software in Private mode, then seal again",
    versions="all PVS versions",
    source="jhouseconsulting.com, 2024-07-13",
)
def scsi(context: Context) -> Iterator[Outcome]:
    """Judge the SCSI adapter instances."""
    if context.readiness is None:
        yield gaps.no_readiness(context)
        return
    adapters = context.readiness.scsi_adapters
    if adapters is None:
        yield Unknown("the SCSI adapter class cannot be read")
        return
    for adapter in adapters:
        if adapter.mixed:
            names = ", ".join(text for text in (adapter.description, adapter.provider, adapter.device_id) if text)
            yield Problem(
                "an instance of the SCSI adapter class names Citrix and another vendor",
                context.at(
                    r"HKLM\SYSTEM\CurrentControlSet\Control\Class\{4D36E97B-E325-11CE-BFC1-08002BE10318}"
                    rf"\{adapter.instance}"
                ),
                names,
            )


def _value(context: Context, value: object) -> str:
    return context.at(f"{getattr(value, 'key', '')}, {getattr(value, 'name', '')}")


def _date(marker: RearmMarkerFacts | None) -> datetime | None:
    text = str(marker.data).strip().partition(" ")[0] if marker is not None else ""
    for form in _DATE_FORMS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
