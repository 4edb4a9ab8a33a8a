"""What makes a .pvp implausible: the stand-in for the magic and checksum that are not public."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from vdiskkit.pvp.facts import PvpProblem, PvpTime
from vdiskkit.pvp.layout import OFFSETS, TEXT_FIELDS
from vdiskkit.pvp.sidecar import decode_text
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from vdiskkit.pvp.sidecar import Pvp

__all__ = ["activation_date", "find_problems", "infer_time"]

_EARLIEST = datetime(2005, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FILETIME_RANGE = tuple((time - _FILETIME_EPOCH) // timedelta(microseconds=1) * 10 for time in (_EARLIEST, _LATEST))
_UNIX_RANGE = tuple((time - _UNIX_EPOCH) // timedelta(seconds=1) for time in (_EARLIEST, _LATEST))

_BOOLEANS = ("auto_update_enabled", "activation_date_enabled", "ad_password_enabled", "printer_management_enabled")
_BLOCK_RANGE = (512 * 1024, 256 * 1024 * 1024)
_SHOWN_TEXT = 64


def find_problems(pvp: Pvp) -> tuple[PvpProblem, ...]:
    """Check every field whose range is known."""
    found = [*_geometry(pvp), *_modes(pvp), *_dates(pvp)]
    for name in TEXT_FIELDS:
        found += _text(name, pvp.fields[name])
    size = int(pvp.fields["object_names_size"])
    if size > len(pvp.tail):
        found.append(_problem("object_names_size", size, f"only {len(pvp.tail)} bytes follow the footer"))
    return tuple(sorted(found, key=lambda problem: problem.offset))


def infer_time(raw: int) -> PvpTime:
    """Read a time by the unit in which it is plausible (2005 to 2100); at most one of the two units can be."""
    if raw == 0:
        return PvpTime(raw=raw, unit="unset", time=None)
    if _FILETIME_RANGE[0] <= raw < _FILETIME_RANGE[1]:
        return PvpTime(raw=raw, unit="filetime", time=_FILETIME_EPOCH + timedelta(microseconds=raw // 10))
    if _UNIX_RANGE[0] <= raw < _UNIX_RANGE[1]:
        return PvpTime(raw=raw, unit="unix", time=_UNIX_EPOCH + timedelta(seconds=raw))
    return PvpTime(raw=raw, unit="unknown", time=None)


def activation_date(pvp: Pvp) -> str | None:
    """Return the activation date as ``YYYY-MM-DD``, None when the stored numbers are no date."""
    fields = pvp.fields
    try:
        return date(fields["activation_year"], fields["activation_month"], fields["activation_day"]).isoformat()
    except ValueError:
        return None


def _geometry(pvp: Pvp) -> list[PvpProblem]:
    found = []
    if pvp.fields["sector_size"] not in {512, 4096}:
        found.append(_problem("sector_size", pvp.fields["sector_size"], "a sector has 512 or 4096 bytes"))
    if not pvp.total_sectors:
        found.append(_problem("total_sectors_low", 0, "the disk would have no sectors"))
    elif pvp.fields["sector_size"] in {512, 4096} and pvp.disk_size_bytes is None:
        found.append(_problem("total_sectors_low", pvp.total_sectors, "the disk would be larger than 64 TiB"))
    block_size = int(pvp.fields["vhd_block_size"])
    known = _BLOCK_RANGE[0] <= block_size <= _BLOCK_RANGE[1] and block_size & (block_size - 1) == 0
    # A fixed disk has no blocks.
    if block_size and not known:
        found.append(_problem("vhd_block_size", block_size, "blocks have a power of two from 512 KiB to 256 MiB"))
    return found


def _modes(pvp: Pvp) -> list[PvpProblem]:
    found = []
    if pvp.mode == "unknown":
        found.append(_problem("write_cache_type", pvp.write_cache_type, "write cache types go from 0 to 12"))
    if pvp.fields["write_cache_size"] > 131072:
        found.append(_problem("write_cache_size", pvp.fields["write_cache_size"], "at most 131072 MB can be set"))
    if pvp.license_mode == "unknown":
        found.append(_problem("license_mode", pvp.fields["license_mode"], "0 is none, 1 MAK, 2 KMS"))
    found += [_problem(name, pvp.fields[name], "0 is off, 1 is on") for name in _BOOLEANS if pvp.fields[name] > 1]
    return found


def _dates(pvp: Pvp) -> list[PvpProblem]:
    found = []
    if pvp.fields["activation_date_enabled"] == 1 and activation_date(pvp) is None:
        numbers = "-".join(str(pvp.fields[f"activation_{part}"]) for part in ("year", "month", "day"))
        found.append(_problem("activation_day", numbers, "the activation date is switched on, but is no date"))
    for name in ("object_names_update_time", "properties_update_time"):
        raw = int(pvp.fields[name])
        if infer_time(raw).unit == "unknown":
            found.append(_problem(name, raw, "neither as FILETIME nor as Unix time between 2005 and 2100"))
    return found


def _text(name: str, raw: bytes) -> list[PvpProblem]:
    text, rest = decode_text(raw)
    shown = displayable(text, _SHOWN_TEXT)
    found = []
    if rest is None:
        found.append(_problem(name, shown, "the text has no end mark"))
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        found.append(_problem(name, shown, "the text is not valid UTF-16"))
    return found


def _problem(field: str, value: object, why: str) -> PvpProblem:
    return PvpProblem(field=field, offset=OFFSETS[field], value=str(value), why=why)
