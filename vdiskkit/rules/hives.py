"""Rules about the registry hives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.rules import gaps
from vdiskkit.rules.model import NotApplicable, Passed, Problem, Rule, Unknown, rule
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.licensing.facts import LicensingFacts
    from vdiskkit.rules.model import Context, Outcome

__all__ = ["RULES"]

_REGF = "Windows registry file format (regf), base block"
_LOGS = "Windows registry file format (regf), transaction log files"
_CURRENT_VERSION = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_SHUT_DOWN = "start the vDisk in Private mode and shut Windows down properly"
_REPLAY = f"vdiskkit replay DISK, or {_SHUT_DOWN}"
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
    judgement="passes when they agree; warns when they do not and the logs of the hive could be replayed. What is "
    "judged is the hive as after the replay. Without usable logs it is HIV104 that fails",
    why="What Windows had not written back is only in the logs of the hive. Each target replays them at every start, "
    "and programs that do not replay them read old values.",
    fix=_REPLAY,
    versions="all",
    source=_REGF,
)
def written_back(context: Context) -> Iterator[Outcome]:
    """Judge the sequence numbers."""
    if context.windows is None or not context.windows.hives:
        yield gaps.no_windows(context)
        return
    for hive in context.windows.hives:
        if hive.dirty and not hive.stale and hive.logs is not None:
            yield Problem(
                f"the {hive.name} hive is dirty; {hive.logs.summary}",
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
    # One damaged place is met by many questions.
    yield from {problem.location or problem.message: problem for problem in context.noticed(*_DAMAGE)}.values()


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


@rule(
    "HIV104",
    "No log that SOFTWARE or SYSTEM needs is lost",
    severity="error",
    reads="base block of both hives, and the logs beside those that were not written back",
    judgement="passes when a hive was written back, or its logs could be replayed; fails otherwise",
    why="The logs were deleted, cut or damaged. What only they held is lost: the values in the hive are older than "
    "those that Windows had, and every other check here judges the old ones.",
    fix="take the disk from where its hives still have their logs; else start the vDisk in Private mode, look at what "
    "Windows made of it, and shut it down properly",
    versions="all",
    source=_LOGS,
)
def not_stale(context: Context) -> Iterator[Outcome]:
    """Judge hives whose logs could not be replayed."""
    if context.windows is None or not context.windows.hives:
        yield gaps.no_windows(context)
        return
    for hive in context.windows.hives:
        if hive.stale:
            reason = hive.logs.reason if hive.logs is not None else None
            yield Problem(
                f"the {hive.name} hive is dirty and its logs cannot be replayed: values in it may be old",
                context.at(f"hive:{hive.name}"),
                "; ".join(part for part in (hive.dirty_reason, reason) if part),
            )


@rule(
    "HIV105",
    "Licensing values are in the hive, not only in its logs",
    severity="warning",
    reads="where SkipRearm, KMS settings and product key data of Windows come from, in a SOFTWARE hive that was not "
    "written back",
    judgement="passes when the hive file alone says the same; warns for each value that only a log says, changes or "
    "deletes; not determinable when the logs cannot be replayed",
    why="A clean-up that deletes the logs takes these values back, and a program that reads the hive file alone sees "
    "others: two checks of the same image then disagree.",
    fix=_REPLAY,
    versions="all",
    source=_LOGS,
)
def in_the_hive(context: Context) -> Iterator[Outcome]:
    """Look for licensing values that only a log holds."""
    facts = context.licensing
    if facts is None:
        yield gaps.no_windows(context)
        return
    if facts.stale:
        yield Unknown("the SOFTWARE hive is dirty, and its logs cannot be replayed")
        return
    for key, name, text in _only_in_logs(facts):
        yield Problem(f"{name} {text} only in a log of the SOFTWARE hive", context.at(f"{key}, {name}"))


@rule(
    "HIV106",
    "SOFTWARE and SYSTEM hold together",
    severity="error",
    reads="with --deep: all bins, cells, keys, lists and values of both hives, as after the replay of their logs",
    judgement="passes when each pointer leads to what it should, each cell is used once and each key is listed by the "
    "key that it names as its parent; fails otherwise. Without --deep it does not apply",
    why="Windows refuses such a hive, or drops the part that is damaged when it loads it: what is read here is then "
    "not what a target has.",
    fix="take the last version of the vDisk whose hives are sound",
    versions="all",
    source=_REGF,
)
def sound(context: Context) -> Iterator[Outcome]:
    """Judge the walk through both hives."""
    if context.windows is None or not context.windows.hives:
        yield gaps.no_windows(context)
        return
    for hive in context.windows.hives:
        if hive.faults is None:
            lost = gaps.unreadable(context, "windows.hive_unreadable")
            yield lost or NotApplicable("--deep walks through the hives")
            return
    for hive in context.windows.hives:
        for fault in hive.faults or ():
            yield Problem(f"the {hive.name} hive is damaged", context.at(f"hive:{hive.name}"), fault)
        if not hive.faults:
            yield Passed(f"{hive.name}: {hive.hive_bins_size} bytes of bins walked through")


def _only_in_logs(facts: LicensingFacts) -> Iterator[tuple[str, str, str]]:
    """Key, name and what is only in a log of each such value."""
    if facts.skip_rearm.origin == "log" and facts.skip_rearm.present:
        yield facts.skip_rearm.key, "SkipRearm", f"is {facts.skip_rearm.data}"
    for gone in facts.deleted_in_log:
        yield gone.key, gone.name, "is deleted"
    for value in (*facts.kms_host, *facts.kms_settings):
        if value.origin == "log":
            yield value.key, value.name, f"is {displayable(str(value.data))}"
    if facts.product_key.origin == "log" and facts.product_key.source is not None:
        yield _CURRENT_VERSION, facts.product_key.source, "has this key"
    if facts.backup_key is not None and facts.backup_key.origin == "log":
        yield facts.backup_key.key, facts.backup_key.name, "has this key"


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
