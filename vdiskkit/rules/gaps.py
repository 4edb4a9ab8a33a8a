"""Why something is not determinable, said the same way by every rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.rules.model import Unknown

if TYPE_CHECKING:
    from vdiskkit.rules.model import Context

__all__ = ["no_pair", "no_pvp", "no_readiness", "no_windows", "raw", "unreadable"]

_HIVE_LOST = ("windows.hive_unreadable",)


def no_windows(context: Context) -> Unknown:
    """There are no facts about Windows or its licensing."""
    encrypted = [item for item in context.inspection.volumes if item.file_system == "bitlocker"]
    if encrypted and context.windows is None:
        return Unknown(f"partition {encrypted[0].partition} is encrypted with BitLocker")
    problems = [
        f"partition {item.partition} cannot be read: {item.problem}"
        for item in context.inspection.volumes
        if item.problem
    ]
    if context.windows is None:
        return Unknown(problems[0] if problems else "no Windows was found in the image")
    lost = unreadable(context, *_HIVE_LOST)
    return lost or Unknown("the licensing facts cannot be read")


def no_readiness(context: Context) -> Unknown:
    """The facts that only a validation gathers are not there."""
    if context.windows is None:
        return no_windows(context)
    return Unknown("this was not gathered: the inspection was made without it")


def no_pvp(context: Context) -> Unknown:
    """There is no side-car, or it cannot be read."""
    found = unreadable(context, "pvp.unreadable")
    if found is not None:
        return found
    if context.pair is None:
        return Unknown("the disk is no file in a folder, so there is no side-car to look at")
    return Unknown("there is no .pvp side-car")


def no_pair(_: Context) -> Unknown:
    """The disk has no folder around it."""
    return Unknown("the disk is no file in a folder, so nothing is known about what lies beside it")


def raw() -> Unknown:
    """A raw image has no structure of its own."""
    return Unknown("a raw image has no header, footer or block table to check")


def unreadable(context: Context, *codes: str) -> Unknown | None:
    """What a notice of these codes says could not be read, None when all could."""
    found = context.noticed(*codes)
    return Unknown(found[0].message) if found else None
