r"""Which Windows this is, read from SOFTWARE and SYSTEM.

Values: ``SOFTWARE\Microsoft\Windows NT\CurrentVersion`` for product, edition and build; ``SYSTEM\Select``,
``...\Control\ComputerName`` and ``...\Session Manager\Environment`` for the rest.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from vdiskkit.windows.facts import WindowsFacts
from vdiskkit.windows.target import read_target_software
from vdiskkit.windows.values import number_value, text_value

if TYPE_CHECKING:
    from vdiskkit.facts import NoticeLog
    from vdiskkit.registry import Hive, RegistryKey
    from vdiskkit.registry.facts import HiveFacts
    from vdiskkit.windows.image import WindowsImage

__all__ = ["CURRENT_VERSION", "installed_build", "open_hive", "read_windows"]

CURRENT_VERSION = r"Microsoft\Windows NT\CurrentVersion"
_FIRST_WINDOWS_11 = 22000
_EPOCH_1601 = datetime(1601, 1, 1, tzinfo=UTC)
_ARCHITECTURES = {"amd64": "x64", "x86": "x86", "arm64": "arm64", "ia64": "ia64"}


def installed_build(key: RegistryKey | None) -> int | None:
    """Return the build number from the CurrentVersion key (CurrentBuild, else CurrentBuildNumber)."""
    text = text_value(key, "CurrentBuild") or text_value(key, "CurrentBuildNumber") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else None


def read_windows(image: WindowsImage, log: NoticeLog, *, deep: bool = False) -> WindowsFacts:
    """Gather the facts about the installation; what cannot be read becomes a notice, not an error.

    Args:
        image: The installation.
        log: Takes what could not be read.
        deep: Also walk through SOFTWARE and SYSTEM from end to end.
    """
    software, system = (open_hive(image, name, log) for name in ("SOFTWARE", "SYSTEM"))
    current = _find(software, CURRENT_VERSION, log)
    control_set = _control_set(image, system, log)
    control = _find(system, f"ControlSet{control_set:03d}\\Control", log) if control_set is not None else None
    value = partial(log.attempt, "windows.value_unreadable", "a value that describes this Windows")
    build = value(lambda: installed_build(current), None)
    stored = value(lambda: text_value(current, "ProductName"), None)
    return WindowsFacts(
        root=image.root,
        product_name=_called(stored, build),
        product_name_stored=stored,
        edition_id=value(lambda: text_value(current, "EditionID"), None),
        build=build,
        ubr=value(lambda: number_value(current, "UBR"), None),
        display_version=value(lambda: _display_version(current), None),
        architecture=value(lambda: _architecture(current, control), None),
        install_date=value(lambda: _install_date(current), None),
        installation_type=value(lambda: text_value(current, "InstallationType"), None),
        computer_name=value(lambda: _computer_name(control), None),
        control_set=control_set,
        hives=tuple(_hive_facts(image, hive, log, deep=deep) for hive in (software, system) if hive is not None),
        stale=any(hive.stale for hive in (software, system) if hive is not None),
        target_software=read_target_software(image, log),
    )


def _hive_facts(image: WindowsImage, hive: Hive, log: NoticeLog, *, deep: bool) -> HiveFacts:
    if not deep:
        return hive.facts()
    image.grant_walk(hive)
    return log.attempt(
        "windows.hive_unreadable",
        f"the {hive.name} hive cannot be walked through",
        partial(hive.facts, walk=True),
        hive.facts(),
    )


def open_hive(image: WindowsImage, name: str, log: NoticeLog) -> Hive | None:
    """Open a hive; None, with a notice, when it is missing or unreadable. A dirty hive is noted, and its replay."""
    hive = log.attempt(
        "windows.hive_unreadable", f"the {name} hive cannot be read", partial(image.registry, name), None
    )
    if hive is not None and hive.dirty:
        _tell_dirty(hive, log)
    return hive


def _tell_dirty(hive: Hive, log: NoticeLog) -> None:
    replayed = hive.replayed
    dirty = f"the {hive.name} hive is dirty ({hive.dirty_reason})"
    if replayed is None or replayed.stale:
        why = f" and cannot be replayed: {replayed.reason}" if replayed is not None else ""
        log.add(
            "windows.hive_dirty",
            f"{dirty}; changes that Windows had not written back are only in its logs{why}. Values shown from it may "
            "be old",
            hive.location,
        )
    else:
        log.add("windows.hive_replayed", f"{dirty}; {replayed.summary}", hive.location)
    for notice in replayed.notices if replayed is not None else ():
        log.add("windows.hive_log", f"the logs of the {hive.name} hive: {notice.message}", hive.location)


def _find(hive: Hive | None, path: str, log: NoticeLog) -> RegistryKey | None:
    if hive is None:
        return None
    return log.attempt("windows.key_unreadable", f"the key {path} cannot be read", partial(hive.find, path), None)


def _control_set(image: WindowsImage, system: Hive | None, log: NoticeLog) -> int | None:
    if system is None:
        return None
    number = log.attempt(
        "windows.key_unreadable", "the control set in use cannot be read", lambda: image.control_set, None
    )
    if number is None:
        log.add("windows.no_control_set", r"SYSTEM\Select names no control set in use", system.location)
    elif image.control_sets_differ is not None:
        log.add("windows.control_sets_differ", image.control_sets_differ, system.location)
    return number


def _called(stored: str | None, build: int | None) -> str | None:
    # Windows 11 kept "Windows 10 ..." in ProductName; the build tells them apart. Servers name themselves right.
    if stored and build and build >= _FIRST_WINDOWS_11 and stored.startswith("Windows 10"):
        return "Windows 11" + stored[len("Windows 10") :]
    return stored


def _display_version(current: RegistryKey | None) -> str | None:
    return (
        text_value(current, "DisplayVersion") or text_value(current, "ReleaseId") or text_value(current, "CSDVersion")
    )


def _architecture(current: RegistryKey | None, control: RegistryKey | None) -> str | None:
    environment = control.find("Session Manager\\Environment") if control is not None else None
    name = text_value(environment, "PROCESSOR_ARCHITECTURE")
    if name is None:
        # BuildLabEx is like 19041.1.amd64fre.vb_release.191206-1406
        parts = (text_value(current, "BuildLabEx") or "").split(".")
        name = parts[2].removesuffix("fre").removesuffix("chk") if len(parts) > 2 else None
    return _ARCHITECTURES.get(name.casefold(), name) if name else None


def _install_date(current: RegistryKey | None) -> datetime | None:
    filetime, seconds = number_value(current, "InstallTime"), number_value(current, "InstallDate")
    try:
        if filetime:
            return _EPOCH_1601 + timedelta(microseconds=filetime // 10)
        return datetime.fromtimestamp(seconds, tz=UTC) if seconds else None
    except (OverflowError, ValueError, OSError):
        return None


def _computer_name(control: RegistryKey | None) -> str | None:
    key = control.find("ComputerName\\ComputerName") if control is not None else None
    return text_value(key, "ComputerName")
