"""Rules about the KMS host that the image asks, and about what it logged when it did."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from vdiskkit.rules import gaps
from vdiskkit.rules.facts import Severity
from vdiskkit.rules.model import NotApplicable, Passed, Problem, Rule, Unknown, rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from vdiskkit.licensing.facts import KmsValueFacts
    from vdiskkit.licensing.witness_facts import LicensingEventFacts
    from vdiskkit.rules.model import Context, Outcome

__all__ = ["RULES", "judge_hosts", "office_value", "same_host"]

_REG_DOC = "learn.microsoft.com: registry settings for volume activation (dn502532)"
_SLMGR_DOC = "learn.microsoft.com: Slmgr.vbs options for volume activation"
_EVENT_DOC = "Microsoft TechNet ff793440: KMS events"
_VISTA = "Windows Vista, Server 2008 and later"
_NAME_IT = "`cscript slmgr.vbs /skms HOST` in Private mode, or vdiskkit kms-prep DISK --kms-host HOST [--kms-port PORT]"
_CLEAR = "vdiskkit kms-prep DISK --kms-host absent --kms-port absent, or `cscript slmgr.vbs /ckms` in Private mode"
_WINDOWS_APP = "55c92734-d682-4d71-983e-d6ec3f16059f"
_BYPASS = {"0.0.0.0", "10.0.0.10", "172.16.0.2"}  # noqa: S104 - looked for, not listened on
_PUBLIC = (
    "kms8.msguides.com",
    "kms9.msguides.com",
    "msguides.com",
    "kms.digiboy.ir",
    "kms.03k.org",
    "kms.loli.beer",
    "kms.loli.best",
    "kms.lotro.cc",
)
_NAME, _PORT, _DOMAIN = "keymanagementservicename", "keymanagementserviceport", "keymanagementservicelookupdomain"
_REQUEST, _ANSWER, _FAILED = 12288, 12289, 8198


def office_value(value: KmsValueFacts) -> bool:
    """Whether a KMS value is Office's: of its own service, or below one of its application ids."""
    return value.scope == "office" or (value.app_id is not None and value.app_id.casefold() != _WINDOWS_APP)


def same_host(first: str, second: str) -> bool:
    """Whether two host names are the same, without case and without a dot at the end."""
    return first.strip().rstrip(".").casefold() == second.strip().rstrip(".").casefold()


def judge_hosts(context: Context, values: Iterable[KmsValueFacts]) -> Iterator[Outcome]:
    """Compare KMS host names and ports with what the profile expects."""
    expected, port = context.expect.kms_host, context.expect.kms_port
    for value in values:
        where, name, data = context.at(f"{value.key}, {value.name}"), value.name.casefold(), str(value.data)
        if value.problem:
            # An empty or mistyped value is a rule of its own.
            continue
        if name == _NAME and not expected:
            yield Problem("a KMS host is set, which overrides DNS; the profile names none", where, data)
        elif name == _NAME and not any(same_host(data, host) for host in expected):
            wanted = ", ".join(expected)
            yield Problem("another KMS host is set than the profile names", where, f"{data}, not {wanted}", _ERROR)
        elif name == _PORT and port is not None and data != str(port):
            yield Problem("another KMS port is set than the profile names", where, f"{data}, not {port}", _ERROR)
        elif name == _NAME:
            yield Passed(f"{value.key}: {data}")


_ERROR = Severity.ERROR


@rule(
    "KMS120",
    "Windows asks the expected KMS host",
    severity="warning",
    reads="KeyManagementServiceName and -Port of the licensing service: whole service, AppId, SkuId, both registry "
    "views",
    judgement="passes when none is set, or when it is the kms_host of the profile; warns when one is set and the "
    "profile names none; fails when it is another one",
    why="A name in the registry overrides DNS. A host of the build network is not reachable from the targets, and they "
    "never activate.",
    fix=_CLEAR,
    versions=_VISTA,
    source=_REG_DOC,
)
def host(context: Context) -> Iterator[Outcome]:
    """Judge the KMS host of Windows."""
    if context.licensing is None:
        yield gaps.no_windows(context)
        return
    lost = gaps.unreadable(context, "licensing.kms_unreadable")
    if lost is not None:
        yield lost
        return
    yield from judge_hosts(context, [value for value in context.licensing.kms_host if not office_value(value)])


@rule(
    "KMS121",
    "KMS settings have the type and form that Windows reads",
    severity="error",
    reads="all KMS client values of Windows and Office at all levels, both registry views",
    judgement="passes when types and ports are right and hosts can be names or addresses; fails otherwise",
    why="The port is read as text: a REG_DWORD, which scripts like to write, is ignored, and so is an odd name. The "
    "setting then looks right and does nothing.",
    fix="`reg add ... /v KeyManagementServicePort /t REG_SZ /d 1688`, or vdiskkit kms-prep DISK --kms-port 1688",
    versions=_VISTA,
    source=_REG_DOC,
)
def form(context: Context) -> Iterator[Outcome]:
    """Judge types and forms."""
    if context.licensing is None:
        yield gaps.no_windows(context)
        return
    lost = gaps.unreadable(context, "licensing.kms_unreadable")
    if lost is not None:
        yield lost
        return
    for value in (*context.licensing.kms_host, *context.licensing.kms_settings):
        where = context.at(f"{value.key}, {value.name}")
        if value.problem:
            fix = _NAME_IT if value.name.casefold() == _NAME else None
            yield Problem(f"{value.name} cannot be used: {value.problem}", where, f"{value.type} {value.data}", fix=fix)
        elif value.name.casefold() == _NAME and not str(value.data).strip():
            yield Problem(f"{value.name} is empty", where, value.type)


@rule(
    "KMS122",
    "The KMS host is one of your own",
    severity="warning",
    reads="all KMS host names in the registry, the cached one included",
    judgement="passes when none is a loopback address, an address that bypass tools use, or a public KMS service; "
    "warns otherwise",
    why="Such names are what activation-bypass tools leave behind. Every clone carries them.",
    fix=f"remove the tool that set it, then {_CLEAR}",
    versions=_VISTA,
    source="observed in public scripts",
)
def suspicious(context: Context) -> Iterator[Outcome]:
    """Look for hosts that bypass tools leave behind."""
    if context.licensing is None:
        yield gaps.no_windows(context)
        return
    lost = gaps.unreadable(context, "licensing.kms_unreadable")
    if lost is not None:
        yield lost
        return
    named = [(f"{item.key}, {item.name}", item.data) for item in context.licensing.kms_host if _is_name(item)]
    cached = context.readiness.discovered_hosts if context.readiness is not None else None
    named += [(item.key, text) for item in cached or () for text in (item.host, item.address) if text]
    for place, data in named:
        why = _suspicion(str(data).strip())
        if why is not None:
            yield Problem(f"the KMS host is {why}", context.at(place), str(data))


def _is_name(value: KmsValueFacts) -> bool:
    return value.name.casefold() == _NAME and isinstance(value.data, str)


def _suspicion(name: str) -> str | None:
    folded = name.rstrip(".").casefold()
    if folded in _BYPASS:
        return "an address that activation-bypass tools use"
    if folded == "localhost":
        return "this machine itself"
    if any(folded == name or folded.endswith(f".{name}") for name in _PUBLIC):
        return "a public KMS service"
    try:
        address = ipaddress.ip_address(folded)
    except ValueError:
        return None
    return "this machine itself" if address.is_loopback else "no address of a host" if address.is_unspecified else None


@rule(
    "KMS123",
    "The activation type allows KMS",
    severity="error",
    reads="VLActivationType at all levels of the licensing service",
    judgement="when KMS is wanted: passes when it is absent, 0 (any) or 2 (KMS); fails with 1 (Active Directory) or "
    "3 (token)",
    why="With 1 or 3 Windows never asks a KMS host.",
    fix="start the vDisk in Private mode and run `cscript slmgr.vbs /act-type 0`",
    versions="Windows 8, Server 2012 and later",
    source=_SLMGR_DOC,
)
def activation_type(context: Context) -> Iterator[Outcome]:
    """Judge VLActivationType."""
    if not context.kms_wanted:
        yield NotApplicable("KMS is not wanted")
        return
    if context.licensing is None:
        yield gaps.no_windows(context)
        return
    lost = gaps.unreadable(context, "licensing.kms_unreadable")
    if lost is not None:
        yield lost
        return
    for value in context.licensing.kms_settings:
        if value.name.casefold() == "vlactivationtype" and value.data in (1, 3):
            kind = "Active Directory only" if value.data == 1 else "token only"
            yield Problem(
                f"KMS is switched off by the activation type: {kind}",
                context.at(f"{value.key}, {value.name}"),
                str(value.data),
            )
    for value in context.licensing.kms_host:
        if value.name.casefold() == _DOMAIN and not value.problem:
            yield Passed(f"KMS hosts are looked for in the DNS domain {value.data}")


@rule(
    "KMS124",
    "The last KMS request was answered",
    severity="note",
    reads=r"the newest licensing events in Windows\System32\winevt\Logs\Application.evtx: 12288, 12289, 8198, 1003, "
    r"1025",
    judgement="passes with the last answer as evidence, when it says that it was successful; gives a note when the "
    "last request of a service has no answer after it, or when that answer or the last activation ended with an error. "
    "It never says whether Windows is activated",
    why="The log of the master shows which KMS host was asked, with which client machine id, and how many clients the "
    "host had counted.",
    fix="check `cscript slmgr.vbs /dlv` in Private mode, and that the KMS host is reachable on its port (1688)",
    versions="Windows 7, Server 2008 R2 and later",
    source=_EVENT_DOC,
)
def witness(context: Context) -> Iterator[Outcome]:
    """Read the event log's witness."""
    if context.readiness is None:
        yield gaps.no_readiness(context)
        return
    log = context.readiness.event_log
    if log is None:
        yield Unknown("the Application event log is not there or cannot be read")
        return
    if not log.events:
        left = f"; {log.chunks_left} older chunks were not read" if log.chunks_left else ""
        yield Unknown(f"no licensing event was found in the newest {log.chunks_read * 64} KiB of the event log{left}")
        return
    where = context.at(f"ntfs:\\{log.path}")
    for service in dict.fromkeys(event.service for event in log.events):
        events = [event for event in log.events if event.service == service]
        request, answer, failed = (_newest(events, number) for number in (_REQUEST, _ANSWER, _FAILED))
        unanswered = request is not None and (answer is None or _after(request, answer))
        if request is not None and unanswered:
            yield Problem(f"the last KMS request of {service} has no answer after it", where, _told(request))
        elif failed is not None and (answer is None or _after(failed, answer)):
            yield Problem(f"the last activation of {service} failed", where, _told(failed))
        elif answer is not None and answer.status is None:
            yield Unknown(f"what the last answer of a KMS host to {service} says cannot be read")
        elif answer is not None and answer.status != _SUCCESS:
            yield Problem(f"the last answer of a KMS host to {service} is an error", where, _told(answer))
        else:
            yield from (Passed(_told(event)) for event in events)


_SUCCESS = "0x00000000"


def _newest(events: list[LicensingEventFacts], number: int) -> LicensingEventFacts | None:
    return max((event for event in events if event.event_id == number), key=lambda event: event.record_id, default=None)


def _after(first: LicensingEventFacts, second: LicensingEventFacts) -> bool:
    # Records are numbered in the order they were written; times may be set back.
    return first.record_id > second.record_id


def _told(event: LicensingEventFacts) -> str:
    parts = [f"event {event.event_id} of {_time(event.time)}: {event.meaning}"]
    if event.kms_host:
        parts.append(f"host {event.kms_host}:{event.kms_port}")
    for name, value in (("CMID", event.cmid), ("result", event.status), ("host's count", event.kms_count)):
        if value is not None:
            parts.append(f"{name} {value}")
    return ", ".join(parts)


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC" if time is not None else "an unknown time"


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
