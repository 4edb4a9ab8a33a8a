"""Rules about Windows itself and the PVS target software: is this image fit to be cloned and streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.rules import gaps
from vdiskkit.rules.facts import Severity
from vdiskkit.rules.model import NotApplicable, Passed, Problem, Rule, Unknown, rule
from vdiskkit.text import displayable
from vdiskkit.windows.guest_path import other_drive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.rules.model import Context, Outcome
    from vdiskkit.windows.state_facts import PendingRebootFacts

__all__ = ["RULES"]

_PVS = "all PVS versions"
_BISF = "github.com/EUCweb/BIS-F; Citrix lists of files for antivirus exclusions"
_REINSTALL = (
    "start the image in Private mode (or from its original disk), install the PVS target device software again, "
    "then seal"
)
_AD_DOC = "docs.citrix.com, Citrix Provisioning 7.15: managing domain passwords"
_DISABLED = 4
_BOOT_DRIVERS = ("bnistack", "CVhdMp", "CFsDep2")
_CLASS = r"HKLM\SYSTEM\CurrentControlSet"
_RESEAL = "IMAGE_STATE_GENERALIZE_RESEAL_TO"


@rule(
    "TGT101",
    "Windows is on the disk",
    severity="error",
    reads="the Windows folder of every NTFS volume",
    judgement="passes with a Windows whose hives lie where they belong; fails without one; not determinable when a "
    "volume cannot be read",
    why="Without Windows nothing else can be judged, and a Windows target has nothing to start.",
    fix="check that the right file was named; `vdiskkit inspect` shows what is in each partition",
    versions="Windows targets",
    source="vdiskkit",
)
def windows(context: Context) -> Iterator[Outcome]:
    """Look for Windows."""
    if context.windows is not None:
        name = context.windows.product_name or "Windows, product name unreadable"
        yield Passed(f"{name}, build {context.windows.build}")
        return
    hidden = [item for item in context.inspection.volumes if item.problem]
    if hidden:
        yield Unknown(f"partition {hidden[0].partition} cannot be read: {hidden[0].problem}")
    else:
        yield Problem("no Windows was found on the disk", context.inspection.target)


@rule(
    "TGT102",
    "The PVS target software is registered",
    severity="error",
    reads="the services bnistack, CVhdMp, CFsDep2 and BNDevice of the control set in use",
    judgement="passes when all exist; fails when bnistack or BNDevice is missing, warns when another one is",
    why="Without the bnistack driver Windows loses its disk as soon as it takes over from the boot loader.",
    fix=_REINSTALL,
    versions="PVS 5.6 and later; CVhdMp since PVS 6",
    source=_BISF,
)
def registered(context: Context) -> Iterator[Outcome]:
    """Look for the services."""
    if context.windows is None or context.windows.target_software.installed is None:
        yield gaps.no_windows(context) if context.windows is None else _no_services(context)
        return
    for service in context.windows.target_software.services:
        if not service.present:
            needed = service.name in ("bnistack", "BNDevice")
            yield Problem(
                f"the service {service.name} of the PVS target software is missing",
                context.at(rf"{_CLASS}\Services\{service.name}"),
                severity=None if needed else Severity.WARNING,
            )


@rule(
    "TGT103",
    "The PVS target software starts",
    severity="error",
    reads="Start of the services bnistack, CVhdMp, CFsDep2 and BNDevice",
    judgement="passes with 0, 1 or 2; fails with 3 (manual) for a boot driver, and with 4 (disabled)",
    why="The drivers must be there before the disk is; a service that is disabled leaves the target without its "
    "write cache and its personality.",
    fix=r"set Start back: 0 for the drivers, 2 for BNDevice (`sc config <service> start= boot`)",
    versions=_PVS,
    source=_BISF,
)
def starts(context: Context) -> Iterator[Outcome]:
    """Judge how the services start."""
    if context.windows is None or context.windows.target_software.installed is None:
        yield gaps.no_windows(context) if context.windows is None else _no_services(context)
        return
    for service in context.windows.target_software.services:
        if not service.present:
            continue
        where = context.at(rf"{_CLASS}\Services\{service.name}, Start")
        if service.start is None:
            yield Problem(f"the service {service.name} has no Start value", where)
        elif service.start >= _DISABLED or (service.start > 2 and service.name in _BOOT_DRIVERS):
            word = "disabled" if service.start >= _DISABLED else "started on demand only"
            yield Problem(f"the service {service.name} is {word}", where, str(service.start))


@rule(
    "TGT104",
    "The files of the PVS target software are there",
    severity="error",
    reads="the files that the services name in ImagePath",
    judgement="passes when all exist; fails when one does not; not determinable when one lies on another drive, or "
    "where it should be cannot be read. What is in the files is no matter",
    why="A service whose file is missing does not start; for the drivers that means a target that stops with 0x7B.",
    fix=_REINSTALL,
    versions=_PVS,
    source=_BISF,
)
def files(context: Context) -> Iterator[Outcome]:
    """Look for the files."""
    if context.windows is None or context.windows.target_software.installed is None:
        yield gaps.no_windows(context) if context.windows is None else _no_services(context)
        return
    for file in context.windows.target_software.files:
        if file.present is None:
            yield Unknown(f"whether {displayable(file.path)} is there is not known: {file.problem}")
        elif not file.present:
            yield Problem("a file of the PVS target software is missing", context.at(f"ntfs:\\{file.path}"))


@rule(
    "TGT105",
    "The PVS target software is new enough",
    severity="warning",
    reads="version resource of BNDevice.exe (else of bnistack), compared with target_version of the profile",
    judgement="passes when it is not older, or when the profile names none; warns when it is older",
    why="A target that is much older than its server is not supported, and misses the fixes that the server relies on.",
    fix="upgrade the target software in a maintenance version, or by reverse imaging for very old ones",
    versions=_PVS,
    source="docs.citrix.com, Citrix Provisioning: upgrade of target devices",
)
def version(context: Context) -> Iterator[Outcome]:
    """Compare versions."""
    if context.windows is None:
        yield gaps.no_windows(context)
        return
    found, wanted = context.windows.target_software.version, context.expect.target_version
    if found is None:
        yield Unknown("no version of the target software was found")
        return
    numbers = _numbers(found)
    if wanted is not None and not numbers:
        yield Unknown(f"the version {found} is no list of numbers")
    elif wanted is not None and numbers < _numbers(wanted):
        source = context.windows.target_software.version_source
        yield Problem(f"the PVS target software is older than {wanted}", context.at(source) if source else None, found)
    else:
        yield Passed(f"version {found}")


@rule(
    "TGT110",
    "Machine account passwords are managed by PVS",
    severity="warning",
    reads=r"adPasswordEnabled in the .pvp, domain membership in the image, Netlogon\Parameters, DisablePasswordChange",
    judgement="for a Standard mode disk of a domain member: passes when management is on and Windows does not change "
    "the password itself; warns otherwise",
    why="Windows changes its machine password every 30 days and forgets it with the write cache; the trust to the "
    "domain breaks. PVS changes it instead, but only when Windows is told not to.",
    fix="PVS console: vDisk, Properties, Active Directory machine account password management; in the image: "
    r"HKLM\SYSTEM\CurrentControlSet\Services\Netlogon\Parameters, DisablePasswordChange = 1 (REG_DWORD)",
    versions=_PVS,
    source=_AD_DOC,
)
def domain_password(context: Context) -> Iterator[Outcome]:
    """Judge the machine account password."""
    if context.readiness is None:
        yield gaps.no_readiness(context)
        return
    netlogon = context.readiness.netlogon
    if context.pvp is not None and context.pvp.mode == "private":
        yield NotApplicable("in Private mode the one target changes its own password")
        return
    if netlogon.domain_joined is None:
        yield Unknown("whether this Windows is a member of a domain cannot be told")
        return
    if not netlogon.domain_joined:
        yield NotApplicable("this Windows is no member of a domain")
        return
    if context.pvp is None or context.pvp.ad_password_enabled is None:
        yield gaps.no_pvp(context) if context.pvp is None else Unknown("the side-car's setting is neither 0 nor 1")
        return
    if not context.pvp.ad_password_enabled:
        yield Problem(
            "this Windows is a domain member, but PVS does not manage its password", _side_car(context), "off"
        )
    elif netlogon.disable_password_change is None:
        yield Unknown("DisablePasswordChange cannot be read")
    elif not netlogon.disable_password_change:
        yield Problem(
            "PVS manages the machine password, but Windows also changes it by itself",
            context.at(rf"{_CLASS}\Services\Netlogon\Parameters, DisablePasswordChange"),
            "0 or absent",
        )


@rule(
    "TGT111",
    "Page file and event logs stay on the vDisk",
    severity="note",
    reads="PagingFiles, File of the event logs Application, System and Security and of the group policies about them, "
    "the time zone",
    judgement="passes when all lie on the drive of Windows; gives a note when one lies on another; not determinable "
    "when a path cannot be followed",
    why="Build tools move them to the write cache disk on purpose. Every target then needs that disk under the same "
    "letter, or it runs without page file or logs.",
    fix="none when each target has the drive; otherwise set them back to C:",
    versions=_PVS,
    source=_BISF,
)
def redirected(context: Context) -> Iterator[Outcome]:
    """Judge where things are kept."""
    if context.readiness is None:
        yield gaps.no_readiness(context)
        return
    settings = context.readiness.settings
    for missing, what in ((settings.page_files, "page file"), (settings.event_logs, "event logs")):
        if missing is None:
            yield Unknown(f"the setting of the {what} is not there or cannot be read")
    for line in settings.page_files or ():
        elsewhere = other_drive(line)
        if elsewhere is None:
            yield Unknown(f"where the page file lies cannot be told: {line}")
        elif elsewhere:
            yield Problem(
                "the page file lies on another drive",
                context.at(rf"{_CLASS}\Control\Session Manager\Memory Management, PagingFiles"),
                line,
            )
    for log in settings.event_logs or ():
        if log.path is not None or log.file is None:
            continue
        if other_drive(log.file) is None:
            yield Unknown(f"where the event log {log.name} lies cannot be told: {log.file}")
            continue
        policy = rf"HKLM\SOFTWARE\Policies\Microsoft\Windows\EventLog\{log.name}, File"
        setting = rf"{_CLASS}\Services\EventLog\{log.name}, File"
        yield Problem(
            f"the event log {log.name} lies on another drive",
            context.at(policy if log.by_policy else setting),
            log.file,
        )
    yield Passed(f"time zone {settings.time_zone or 'not known'}")


@rule(
    "TGT120",
    "No restart is pending for servicing",
    severity="error",
    reads=r"the keys RebootPending, RebootInProgress and PackagesPending of Component Based Servicing, SetupExecute of "
    r"the Session Manager, the file Windows\WinSxS\pending.xml",
    judgement="passes without them; fails with one of them; not determinable when one cannot be read",
    why="An update is half-way in. Every target carries it on at every start, for minutes, and forgets it again.",
    fix="start the vDisk in Private mode and restart until Windows has finished, then seal again",
    versions="Windows Vista, Server 2008 and later",
    source=_BISF,
)
def servicing(context: Context) -> Iterator[Outcome]:
    """Judge pending servicing."""
    if context.readiness is None:
        yield gaps.no_readiness(context)
        return
    yield from _pending(context, context.readiness.pending_reboot, servicing=True)


@rule(
    "TGT121",
    "No restart is pending otherwise",
    severity="warning",
    reads=r"the keys RebootRequired and PostRebootReporting of WindowsUpdate\Auto Update, those below "
    r"WindowsUpdate\Services\Pending, PendingFileRenameOperations and PendingFileRenameOperations2 of the Session "
    r"Manager, UpdateExeVolatile of Microsoft\Updates, DVDRebootSignal of RunOnce, the key "
    r"ServerManager\CurrentRebootAttempts, JoinDomain and AvoidSpnSet of Netlogon, Hostname and NV Hostname "
    r"of Tcpip\Parameters, the key "
    r"SMS\Mobile Client\Reboot Management\RebootData",
    judgement="passes when none of them says so, and lists them; warns with each that does; not determinable when one "
    "cannot be read",
    why="Files are replaced at the next start: on every target, at every start, as nothing is kept.",
    fix="start the vDisk in Private mode once more and shut it down, then seal again",
    versions="all",
    source=_BISF,
)
def restarts(context: Context) -> Iterator[Outcome]:
    """Judge other pending restarts."""
    if context.readiness is None:
        yield gaps.no_readiness(context)
        return
    yield from _pending(context, context.readiness.pending_reboot, servicing=False)


@rule(
    "TGT122",
    "Windows Setup and sysprep have finished",
    severity="warning",
    reads=r"SYSTEM\Setup: SystemSetupInProgress, OOBEInProgress, SetupType; Setup\State, ImageState",
    judgement="passes when setup is done and ImageState is IMAGE_STATE_COMPLETE; fails when the image was generalized "
    "by sysprep, warns for anything else",
    why="A generalized image starts into Windows Setup on every target at every start. PVS gives targets their names "
    "itself and needs no sysprep.",
    fix="start the vDisk in Private mode and let Windows Setup finish, then seal again",
    versions="Windows Vista, Server 2008 and later",
    source="learn.microsoft.com: Windows Setup states",
)
def setup(context: Context) -> Iterator[Outcome]:
    """Judge the state of setup."""
    if context.readiness is None:
        yield gaps.no_readiness(context)
        return
    state = context.readiness.setup
    resealed = bool(state.image_state and state.image_state.upper().startswith(_RESEAL))
    where = context.at(r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\State, ImageState")
    running = [
        f"{name} is {int(value)}"
        for name, value in (
            ("SystemSetupInProgress", state.setup_in_progress),
            ("OOBEInProgress", state.oobe_in_progress),
            ("SetupType", state.setup_type),
        )
        if value
    ]
    if resealed:
        yield Problem("the image was generalized by sysprep", where, state.image_state, Severity.ERROR)
        return
    if running:
        yield Problem("Windows Setup has not finished", context.at(r"HKLM\SYSTEM\Setup"), "; ".join(running))
    if state.image_state and state.image_state.upper() != "IMAGE_STATE_COMPLETE":
        yield Problem("the image is not in its final state", where, state.image_state)
    if None in (state.setup_in_progress, state.setup_type, state.image_state):
        yield Unknown("the state of Windows Setup cannot be read")


def _pending(context: Context, pending: PendingRebootFacts, *, servicing: bool) -> Iterator[Outcome]:
    places = [place for place in pending.places if place.servicing == servicing]
    for place in places:
        where = f"{place.key}, {place.value}" if place.value else place.key
        if place.pending:
            yield Problem(place.meaning, context.at(where), place.found)
        elif place.pending is None:
            yield Unknown(f"{where} cannot be read")
        else:
            yield Passed(f"nothing at {where}")


def _no_services(context: Context) -> Unknown:
    lost = gaps.unreadable(context, "windows.services_unreadable", "windows.hive_unreadable", "windows.no_control_set")
    return lost or Unknown("the services cannot be read")


def _side_car(context: Context) -> str | None:
    path = context.pair.pvp_path if context.pair is not None else None
    return f"{path} > adPasswordEnabled" if path else "adPasswordEnabled"


def _numbers(text: str) -> tuple[int, ...]:
    parts = text.split(".")
    return tuple(int(part) for part in parts) if all(part.isascii() and part.isdigit() for part in parts) else ()


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
