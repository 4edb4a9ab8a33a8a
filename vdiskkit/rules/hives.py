"""Rules about the registry hives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.rules import gaps
from vdiskkit.rules.model import Problem, Rule, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.rules.model import Context, Outcome

__all__ = ["RULES"]

_REGF = "Windows registry file format (regf), base block"
_SHUT_DOWN = "start the vDisk in Private mode and shut Windows down properly"
_FOLLOWING = ("windows.services_unreadable", "windows.no_control_set")
_DAMAGE = (
    "windows.key_unreadable",
    "windows.value_unreadable",
    "licensing.key_unreadable",
    "licensing.skip_rearm_unreadable",
    "licensing.product_key_unreadable",
    "licensing.backup_key_unreadable",
    "licensing.kms_unreadable",
    "licensing.office_unreadable",
)


@rule(
    "HIV101",
    "SOFTWARE and SYSTEM were written back",
    severity="warning",
    reads="sequence numbers and checksum in the base block of both hives",
    judgement="passes when they agree; warns otherwise",
    why="What Windows had not written back is only in the logs of the hive: every value judged here may be old, and "
    "each target replays the logs at every start.",
    fix=_SHUT_DOWN,
    versions="all",
    source=_REGF,
)
def written_back(context: Context) -> Iterator[Outcome]:
    """Judge the sequence numbers."""
    if context.windows is None or not context.windows.hives:
        yield gaps.no_windows(context)
        return
    for hive in context.windows.hives:
        if hive.dirty:
            yield Problem(
                f"the {hive.name} hive is dirty: values in it may be older than its logs",
                context.at(f"hive:{hive.name}"),
                hive.dirty_reason,
            )


@rule(
    "HIV102",
    "SOFTWARE and SYSTEM can be read",
    severity="error",
    reads="both hives, as far as the other questions need them",
    judgement="passes when nothing damaged was met; fails otherwise",
    why="Windows does not start, or starts without the part that is damaged; and what cannot be read cannot be judged.",
    fix="take the last version of the vDisk that started; Windows keeps no automatic copy of hives since 1803",
    versions="all",
    source=_REGF,
)
def readable(context: Context) -> Iterator[Outcome]:
    """Look for damage that was met."""
    if context.windows is None:
        yield gaps.no_windows(context)
        return
    lost = context.noticed("windows.hive_unreadable")
    # Without SYSTEM there are no services and no control set either: that is said once.
    yield from lost or context.noticed(*_FOLLOWING)
    yield from context.noticed(*_DAMAGE)


@rule(
    "HIV103",
    "No registry transaction is pending",
    severity="warning",
    reads="the flags in the base block of both hives",
    judgement="passes when none is set; warns otherwise",
    why="An update or a driver installation was interrupted half-way; Windows rolls it back or forward at the next "
    "start, on every target anew.",
    fix=_SHUT_DOWN,
    versions="all",
    source=_REGF,
)
def transactions(context: Context) -> Iterator[Outcome]:
    """Judge pending transactions."""
    if context.windows is None or not context.windows.hives:
        yield gaps.no_windows(context)
        return
    for hive in context.windows.hives:
        if hive.ktm_pending:
            yield Problem(f"a transaction on the {hive.name} hive is pending", context.at(f"hive:{hive.name}"))


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
