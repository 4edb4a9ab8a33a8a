"""Changing known fields of the .pvp side-car, all else byte for byte as it was.

The side-car has no public checksum. Changeable are the licence mode, the texts and the user's version numbers; the
write cache type, which is the mode, only by force. What is judged is the state that results: no change, in whatever
order or number of steps, makes a side-car say Standard mode with licence mode KMS that did not say so before. PVS
prepares the image for KMS at the switch to that state, in its console; a side-car that says so already makes it skip
the preparation.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import UsageError, VerifyFailedError, WriteRefusedError
from vdiskkit.patch.staging import Phase
from vdiskkit.pvp import Pvp
from vdiskkit.pvp.facts import WRITE_CACHE_TYPES
from vdiskkit.pvp.layout import FIXED, OFFSETS, TEXT_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vdiskkit.patch.operations import SetPvpField
    from vdiskkit.patch.staging import WritableSource

__all__ = ["SETTABLE", "FieldChange", "set_fields"]

_MODES = {"none": 0, "mak": 1, "kms": 2}
_NUMBERS = ("major_release", "minor_release", "build")
_TEXTS = tuple(name for name in TEXT_FIELDS if name not in {"disk_class", "image_type"})
SETTABLE = ("license_mode", "write_cache_type", *_NUMBERS, *_TEXTS)
"""Names of the fields that can be changed."""

_PRIVATE = (0, 10)
_SIZES = {field.name: field.sizeof() for field in FIXED.subcons}
_EPOCH_1601, _EPOCH_1970 = datetime(1601, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)
_PLAUSIBLE = (datetime(2005, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


class FieldChange(NamedTuple):
    """One changed field, its values as text."""

    field: str
    before: str
    after: str


def set_fields(
    target: WritableSource, pvp: Pvp, settings: Iterable[SetPvpField], *, now: datetime, force_mode: bool
) -> list[FieldChange]:
    """Stage changed fields.

    Args:
        target: The side-car's bytes.
        pvp: The side-car as it is.
        settings: Fields and new values as text.
        now: Time for the properties update time.
        force_mode: Allow the write cache type to be changed.

    Returns:
        What really changes, the properties update time included; empty when all fields hold these values already.

    Raises:
        UsageError: Unknown field, or a value that it cannot hold.
        WriteRefusedError: PVS would take the image for prepared for KMS though it is not, or it needs force.
    """
    changes: list[FieldChange] = []
    before = target.read_at(0, target.size)
    wanted = {setting.field: (setting, _encode(setting, pvp)) for setting in settings}
    state = _State(int(pvp.fields["write_cache_type"]), int(pvp.fields["license_mode"]))
    # The state that results decides, in whatever order the fields are named.
    _check_state(
        state, _State(_number(wanted, "write_cache_type", state.cache), _number(wanted, "license_mode", state.license))
    )
    for setting, new in wanted.values():
        old = pvp.fields[setting.field]
        raw_old = old if isinstance(old, bytes) else int(old or 0).to_bytes(_SIZES[setting.field], "little")
        if _shown(setting.field, raw_old) == _shown(setting.field, new):
            continue
        if setting.field == "write_cache_type":
            _check_forced(force=force_mode)
        target.write_at(OFFSETS[setting.field], new, Phase.LINK)
        changes.append(FieldChange(setting.field, _shown(setting.field, raw_old), _shown(setting.field, new)))
    if changes:
        changes += _touch(target, int(pvp.fields["properties_update_time"]), now)
        _verify(before, target, {name: new for name, (_, new) in wanted.items()})
    return changes


def _verify(before: bytes, target: WritableSource, wanted: Mapping[str, bytes]) -> None:
    """Read the staged side-car anew: the fields hold what was asked for, and nothing else is another one."""
    after = target.read_at(0, target.size)
    read = Pvp.parse(after, location=target.location)
    for name, raw in wanted.items():
        value = read.fields[name]
        stored = value if isinstance(value, bytes) else int(value).to_bytes(_SIZES[name], "little")
        if _shown(name, stored) != _shown(name, raw):
            raise _wrong(f"the field {name}", target)
    rest, rest_after = bytearray(before), bytearray(after)
    for name in (*wanted, "properties_update_time"):
        place = slice(OFFSETS[name], OFFSETS[name] + _SIZES[name])
        rest[place] = rest_after[place] = bytes(_SIZES[name])
    if rest != rest_after:
        raise _wrong("a byte that no field asked for", target)


def _wrong(what: str, target: WritableSource) -> VerifyFailedError:
    return VerifyFailedError(
        f"verification failed: {what} of the staged side-car is not as asked for; nothing was written",
        location=target.location,
    )


def _encode(setting: SetPvpField, pvp: Pvp) -> bytes:
    name, value = setting.field, setting.value
    if name == "license_mode":
        if value.casefold() not in _MODES:
            raise UsageError(f"{value!r} is no licence mode", hint="use none, mak or kms")
        return bytes([_MODES[value.casefold()]])
    if name in _NUMBERS or name == "write_cache_type":
        highest = 12 if name == "write_cache_type" else 0xFFFFFFFF
        if not (value.isascii() and value.isdigit() and int(value[:11]) <= highest):
            raise UsageError(f"{name} takes a number from 0 to {highest}, not {value!r}")
        return int(value).to_bytes(4, "little")
    if name in _TEXTS:
        return _encode_text(name, value)
    raise UsageError(
        f"the field {name!r} cannot be set", location=pvp.location, hint=f"fields that can: {', '.join(SETTABLE)}"
    )


def _encode_text(name: str, value: str) -> bytes:
    size = _SIZES[name]
    try:
        text = value.encode("utf-16-le")
    except UnicodeEncodeError as exc:
        raise UsageError(f"the text for {name} is not valid Unicode") from exc
    if "\0" in value:
        raise UsageError(f"the text for {name} holds a NUL character")
    if len(text) + 2 > size:
        raise UsageError(f"{name} holds at most {size // 2 - 1} characters, the text has {len(text) // 2}")
    return text.ljust(size, b"\0")


class _State(NamedTuple):
    """The two fields that together say whether PVS has prepared the image, or will."""

    cache: int
    license: int

    @property
    def sealed(self) -> bool:
        """Whether PVS takes the image for one that it prepared for KMS."""
        return self.cache not in _PRIVATE and self.license == _MODES["kms"]


def _number(wanted: Mapping[str, tuple[SetPvpField, bytes]], name: str, old: int) -> int:
    return int.from_bytes(wanted[name][1], "little") if name in wanted else old


def _check_state(before: _State, after: _State) -> None:
    # A cache type without a known meaning is no Standard mode to begin with, and may be one to end with.
    if not after.sealed or (before.sealed and before.cache in WRITE_CACHE_TYPES):
        return
    if before.cache in _PRIVATE:
        raise WriteRefusedError(
            "the switch from Private to Standard with licence mode KMS is made only in the PVS console: it runs the "
            "KMS preparation of the image, which a change of the side-car would skip",
            hint="switch the Access Mode in the PVS console",
        )
    raise WriteRefusedError(
        "the vDisk is in Standard mode: with KMS chosen now, it would count as prepared for KMS, and it is not: PVS "
        "prepares the image only at the switch from Private to Standard",
        hint="in the PVS console: set Private mode, choose KMS, then set Standard mode",
    )


def _check_forced(*, force: bool) -> None:
    if not force:
        raise WriteRefusedError(
            "the write cache type is the vDisk's mode; PVS keeps it in its database as well, and the two would differ",
            hint="change it in the PVS console, or give --force mode when you know that no farm uses this pair",
        )


def _touch(target: WritableSource, old: int, now: datetime) -> list[FieldChange]:
    """Renew the properties update time in the unit that the old value has; unknown units are left alone."""
    filetime, seconds = _EPOCH_1601 + _span(old / 10), _EPOCH_1970 + _span(old * 1_000_000)
    if _PLAUSIBLE[0] <= filetime <= _PLAUSIBLE[1]:
        before, new = filetime, (now - _EPOCH_1601) // timedelta(microseconds=1) * 10
    elif _PLAUSIBLE[0] <= seconds <= _PLAUSIBLE[1]:
        before, new = seconds, int(now.timestamp())
    else:
        return [FieldChange("properties_update_time", str(old), f"{old} (left: its unit cannot be told)")]
    target.write_at(OFFSETS["properties_update_time"], new.to_bytes(8, "little", signed=True), Phase.LINK)
    return [FieldChange("properties_update_time", _moment(before), _moment(now))]


def _moment(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _span(microseconds: float) -> timedelta:
    limit = 150 * 365 * 86400 * 1_000_000 * 5
    return timedelta(microseconds=max(min(microseconds, limit), 0))


def _shown(name: str, raw: bytes) -> str:
    if name == "license_mode":
        return {number: mode for mode, number in _MODES.items()}.get(raw[0], str(raw[0]))
    if name in _TEXTS:
        return raw.decode("utf-16-le", "surrogatepass").partition("\0")[0]
    return str(int.from_bytes(raw, "little"))
