r"""The places in which Windows notes that it waits for a restart.

There is no single one. Those here are what public tools for this question look at (PendingReboot, puppetlabs-reboot,
Test-PendingReboot, BIS-F), as far as they are kept on disk; ``ActiveComputerName``, which some compare, exists in a
running Windows alone.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.windows.state_facts import PendingPlaceFacts, PendingRebootFacts
from vdiskkit.windows.values import number_value, text_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdiskkit.registry import Hive, RegistryKey
    from vdiskkit.windows.state import StateReader

__all__ = ["read_pending"]

_CURRENT = r"Microsoft\Windows\CurrentVersion"
_SERVICING = rf"{_CURRENT}\Component Based Servicing"
_UPDATE = rf"{_CURRENT}\WindowsUpdate"
_MANAGER = r"Control\Session Manager"
_RENAMES_SHOWN = 10
_TEXT_LIMIT = 400

_UPDATES, _OTHERS = "servicing", "others"
_MOVED = "files are to be moved or deleted at the next start"


class _Place(NamedTuple):
    """Where to look, what it means, and how it is told whether it says so: None for no, else what was found."""

    hive: str
    key: str
    value: str | None
    group: str
    meaning: str
    found: Callable[[RegistryKey | None, str | None], str | None]


def _exists(key: RegistryKey | None, _: str | None) -> str | None:
    return "the key exists" if key is not None else None


def _below(key: RegistryKey | None, _: str | None) -> str | None:
    first = next(key.subkeys(), None) if key is not None else None
    return f"the key {first.name} is below it" if first is not None else None


def _value(key: RegistryKey | None, name: str | None) -> str | None:
    found = key.value(name or "") if key is not None else None
    return "the value exists" if found is not None else None


def _not_zero(key: RegistryKey | None, name: str | None) -> str | None:
    number = number_value(key, name or "")
    return str(number) if number else None


def _lines(key: RegistryKey | None, name: str | None) -> str | None:
    found = key.value(name or "") if key is not None else None
    if found is None or not found.raw.strip(b"\0"):
        return None
    return found.data[0][:_TEXT_LIMIT] if isinstance(found.data, tuple) and found.data else "the value is not empty"


def _moves(key: RegistryKey | None, name: str | None) -> str | None:
    moves = _renames(key, name or "")
    return f"{len(moves)} operations, the first: {moves[0]}" if moves else None


def _new_name(key: RegistryKey | None, name: str | None) -> str | None:
    now, then = text_value(key, "Hostname"), text_value(key, name or "")
    return f"{now} becomes {then}" if now and then and now.casefold() != then.casefold() else None


_PLACES = (
    _Place("SOFTWARE", rf"{_SERVICING}\RebootPending", None, _UPDATES,
           "Windows waits for a restart to finish an update", _exists),
    _Place("SOFTWARE", rf"{_SERVICING}\RebootInProgress", None, _UPDATES,
           "a restart to finish an update has begun and has not ended", _exists),
    _Place("SOFTWARE", rf"{_SERVICING}\PackagesPending", None, _UPDATES,
           "packages of an update wait for a restart", _exists),
    _Place("SYSTEM", _MANAGER, "SetupExecute", _UPDATES,
           "servicing runs a program at the next start", _lines),
    _Place("SOFTWARE", rf"{_UPDATE}\Auto Update\RebootRequired", None, _OTHERS,
           "Windows Update waits for a restart", _exists),
    _Place("SOFTWARE", rf"{_UPDATE}\Auto Update\PostRebootReporting", None, _OTHERS,
           "Windows Update waits for a restart to report about the last one", _exists),
    _Place("SOFTWARE", rf"{_UPDATE}\Services\Pending", None, _OTHERS,
           "a service of Windows Update waits for a restart", _below),
    _Place("SYSTEM", _MANAGER, "PendingFileRenameOperations", _OTHERS, _MOVED, _moves),
    _Place("SYSTEM", _MANAGER, "PendingFileRenameOperations2", _OTHERS, _MOVED, _moves),
    _Place("SOFTWARE", r"Microsoft\Updates", "UpdateExeVolatile", _OTHERS,
           "an update that was installed by itself waits for a restart", _not_zero),
    _Place("SOFTWARE", rf"{_CURRENT}\RunOnce", "DVDRebootSignal", _OTHERS,
           "an installation from a medium waits for a restart", _value),
    _Place("SOFTWARE", r"Microsoft\ServerManager\CurrentRebootAttempts", None, _OTHERS,
           "roles or features of a server wait for a restart", _exists),
    _Place("SYSTEM", r"Services\Netlogon", "JoinDomain", _OTHERS,
           "the membership in a domain changes at the next start", _value),
    _Place("SYSTEM", r"Services\Netlogon", "AvoidSpnSet", _OTHERS,
           "the membership in a domain changes at the next start", _value),
    _Place("SYSTEM", r"Services\Tcpip\Parameters", "NV Hostname", _OTHERS,
           "the computer's name changes at the next start", _new_name),
    _Place("SOFTWARE", r"Microsoft\SMS\Mobile Client\Reboot Management\RebootData", None, _OTHERS,
           "Configuration Manager waits for a restart", _exists),
)  # fmt: skip


def read_pending(reader: StateReader) -> PendingRebootFacts:
    """Look at every place; one that cannot be read is not one that says nothing."""
    places = tuple(_look(reader))
    by_name = {(place.key.rpartition("\\")[2], place.value): place for place in places}
    renames: tuple[str, ...] | None = None
    if reader.control_set is not None:
        renames = reader.attempt(
            "pending file operations", lambda: _renames(reader.current(_MANAGER), "PendingFileRenameOperations"), None
        )
    return PendingRebootFacts(
        component_servicing=by_name["RebootPending", None].pending,
        windows_update=by_name["RebootRequired", None].pending,
        file_renames=None if renames is None else len(renames),
        first_renames=(renames or ())[:_RENAMES_SHOWN],
        pending_xml=places[-1].pending,
        places=places,
    )


def _look(reader: StateReader) -> Iterator[PendingPlaceFacts]:
    for place in _PLACES:
        in_set = rf"{reader.control_set}\{place.key}" if place.hive == "SYSTEM" else place.key
        hive = reader.software if place.hive == "SOFTWARE" else reader.system if reader.control_set else None
        shown = place.key if place.hive == "SOFTWARE" else rf"CurrentControlSet\{place.key}"
        text = rf"HKLM\{place.hive}\{shown}"
        pending, found = None, None
        if hive is not None:
            unknown: tuple[bool, str | None] = (False, None)
            read, found = reader.attempt(text, partial(_asked, hive, in_set, place), unknown)
            pending = found is not None if read else None
        yield PendingPlaceFacts(
            key=text,
            value=place.value,
            servicing=place.group == _UPDATES,
            pending=pending,
            meaning=place.meaning,
            found=found,
        )
    path = rf"{reader.image.root}\WinSxS\pending.xml"
    there = reader.attempt(path, lambda: reader.image.volume.find(path) is not None, None)
    yield PendingPlaceFacts(
        key=rf"ntfs:\{path}",
        value=None,
        servicing=True,
        pending=there,
        meaning="servicing operations are pending",
        found="the file exists" if there else None,
    )


def _asked(hive: Hive, key: str, place: _Place) -> tuple[bool, str | None]:
    return True, place.found(hive.find(key), place.value)


def _renames(key: RegistryKey | None, name: str) -> tuple[str, ...]:
    value = key.value(name) if key is not None else None
    if value is None or len(value.raw) < 4:
        return ()
    # Pairs of source and target; an empty target deletes, so the list cannot be read as REG_MULTI_SZ.
    texts = value.raw[: len(value.raw) & ~1].decode("utf-16-le", "surrogatepass").split("\0")
    return tuple(text[:_TEXT_LIMIT].removeprefix("\\??\\") for text in texts[::2] if text)
