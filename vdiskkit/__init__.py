"""vdiskkit: look inside Citrix Provisioning (PVS) vDisks, and change them, without mounting them.

::

    import vdiskkit

    with vdiskkit.open_vdisk("win10.vhd") as disk:      # can only read
        print(disk.inspect().licensing.skip_rearm)
        vdiskkit.validate(disk, "kms-standard").raise_for_findings()

    plan = vdiskkit.plan_kms_prep("win10.vhd", skip_rearm=0, remove_tokens=True)
    print(plan.describe())                              # nothing is written yet
    result = vdiskkit.apply(plan)
    vdiskkit.undo("win10.vhd")

Names are loaded on first use, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vdiskkit._version import __version__

if TYPE_CHECKING:
    from vdiskkit.chain.facts import ChainFacts
    from vdiskkit.chain.read import read_chain
    from vdiskkit.errors import (
        ChainError,
        ChangedSinceError,
        ChecksumError,
        CorruptStructureError,
        FileMissingError,
        FormatError,
        HibernatedVolumeError,
        InUseError,
        JournalPendingError,
        KeyMissingError,
        LogReplayNeededError,
        NotFoundError,
        ParentMismatchError,
        ParentNotFoundError,
        PatchError,
        PolicyError,
        ReadLimitError,
        RollbackFailedError,
        SourceError,
        StalePlanError,
        StateError,
        UnknownFormatError,
        UnsupportedFeatureError,
        UsageError,
        ValidationFailed,
        ValueMissingError,
        VDiskError,
        VerifyFailedError,
        WriteRefusedError,
    )
    from vdiskkit.explanations.catalogue import explain
    from vdiskkit.explanations.facts import Explanation
    from vdiskkit.hivefile import open_hive
    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.location import Location
    from vdiskkit.patch.api import PatchResult, apply, plan, plan_kms_prep, plan_replay
    from vdiskkit.patch.fix_plan import plan_fixes
    from vdiskkit.patch.history import DamagedJournal, KeptChange, Recovery, RecoveryAction
    from vdiskkit.patch.operations import (
        CreateKey,
        DeleteFile,
        DeleteKey,
        DeleteValue,
        ReplayLogs,
        SetPvpField,
        SetValue,
    )
    from vdiskkit.patch.past import find_change, history, newest_change, pending_change, recover, undo
    from vdiskkit.patch.plan import Plan, SavedPlan, load_plan
    from vdiskkit.pvp import Pvp, read_pvp
    from vdiskkit.rules.catalogue import all_rules
    from vdiskkit.rules.chain_check import check_chain
    from vdiskkit.rules.facts import Finding, Report, RuleResult, Severity, Verdict
    from vdiskkit.rules.model import NotApplicable, Passed, Problem, Rule, Unknown, rule
    from vdiskkit.rules.profile import Profile
    from vdiskkit.rules.profile_files import load_profile
    from vdiskkit.rules.validate import validate, validate_path
    from vdiskkit.vdisk import VDisk, inspect_path, open_vdisk

_HOMES = {
    "ChainFacts": "vdiskkit.chain.facts",
    "CreateKey": "vdiskkit.patch.operations",
    "DamagedJournal": "vdiskkit.patch.history",
    "DeleteFile": "vdiskkit.patch.operations",
    "DeleteKey": "vdiskkit.patch.operations",
    "DeleteValue": "vdiskkit.patch.operations",
    "Explanation": "vdiskkit.explanations.facts",
    "Finding": "vdiskkit.rules.facts",
    "Inspection": "vdiskkit.inspection.facts",
    "KeptChange": "vdiskkit.patch.history",
    "Location": "vdiskkit.location",
    "NotApplicable": "vdiskkit.rules.model",
    "Passed": "vdiskkit.rules.model",
    "PatchResult": "vdiskkit.patch.api",
    "Plan": "vdiskkit.patch.plan",
    "Problem": "vdiskkit.rules.model",
    "Profile": "vdiskkit.rules.profile",
    "Pvp": "vdiskkit.pvp",
    "Recovery": "vdiskkit.patch.history",
    "RecoveryAction": "vdiskkit.patch.history",
    "ReplayLogs": "vdiskkit.patch.operations",
    "Report": "vdiskkit.rules.facts",
    "Rule": "vdiskkit.rules.model",
    "RuleResult": "vdiskkit.rules.facts",
    "SavedPlan": "vdiskkit.patch.plan",
    "SetPvpField": "vdiskkit.patch.operations",
    "SetValue": "vdiskkit.patch.operations",
    "Severity": "vdiskkit.rules.facts",
    "Unknown": "vdiskkit.rules.model",
    "VDisk": "vdiskkit.vdisk",
    "Verdict": "vdiskkit.rules.facts",
    "all_rules": "vdiskkit.rules.catalogue",
    "apply": "vdiskkit.patch.api",
    "check_chain": "vdiskkit.rules.chain_check",
    "explain": "vdiskkit.explanations.catalogue",
    "find_change": "vdiskkit.patch.past",
    "history": "vdiskkit.patch.past",
    "inspect_path": "vdiskkit.vdisk",
    "load_plan": "vdiskkit.patch.plan",
    "load_profile": "vdiskkit.rules.profile_files",
    "newest_change": "vdiskkit.patch.past",
    "open_hive": "vdiskkit.hivefile",
    "open_vdisk": "vdiskkit.vdisk",
    "pending_change": "vdiskkit.patch.past",
    "plan": "vdiskkit.patch.api",
    "plan_fixes": "vdiskkit.patch.fix_plan",
    "plan_kms_prep": "vdiskkit.patch.api",
    "plan_replay": "vdiskkit.patch.api",
    "read_chain": "vdiskkit.chain.read",
    "read_pvp": "vdiskkit.pvp",
    "recover": "vdiskkit.patch.past",
    "rule": "vdiskkit.rules.model",
    "undo": "vdiskkit.patch.past",
    "validate": "vdiskkit.rules.validate",
    "validate_path": "vdiskkit.rules.validate",
}
_ERRORS = (
    "ChainError",
    "ChangedSinceError",
    "ChecksumError",
    "CorruptStructureError",
    "FileMissingError",
    "FormatError",
    "HibernatedVolumeError",
    "InUseError",
    "JournalPendingError",
    "KeyMissingError",
    "LogReplayNeededError",
    "NotFoundError",
    "ParentMismatchError",
    "ParentNotFoundError",
    "PatchError",
    "PolicyError",
    "ReadLimitError",
    "RollbackFailedError",
    "SourceError",
    "StalePlanError",
    "StateError",
    "UnknownFormatError",
    "UnsupportedFeatureError",
    "UsageError",
    "VDiskError",
    "ValidationFailed",
    "ValueMissingError",
    "VerifyFailedError",
    "WriteRefusedError",
)

__all__ = [
    "ChainError",
    "ChainFacts",
    "ChangedSinceError",
    "ChecksumError",
    "CorruptStructureError",
    "CreateKey",
    "DamagedJournal",
    "DeleteFile",
    "DeleteKey",
    "DeleteValue",
    "Explanation",
    "FileMissingError",
    "Finding",
    "FormatError",
    "HibernatedVolumeError",
    "InUseError",
    "Inspection",
    "JournalPendingError",
    "KeptChange",
    "KeyMissingError",
    "Location",
    "LogReplayNeededError",
    "NotApplicable",
    "NotFoundError",
    "ParentMismatchError",
    "ParentNotFoundError",
    "Passed",
    "PatchError",
    "PatchResult",
    "Plan",
    "PolicyError",
    "Problem",
    "Profile",
    "Pvp",
    "ReadLimitError",
    "Recovery",
    "RecoveryAction",
    "ReplayLogs",
    "Report",
    "RollbackFailedError",
    "Rule",
    "RuleResult",
    "SavedPlan",
    "SetPvpField",
    "SetValue",
    "Severity",
    "SourceError",
    "StalePlanError",
    "StateError",
    "Unknown",
    "UnknownFormatError",
    "UnsupportedFeatureError",
    "UsageError",
    "VDisk",
    "VDiskError",
    "ValidationFailed",
    "ValueMissingError",
    "Verdict",
    "VerifyFailedError",
    "WriteRefusedError",
    "__version__",
    "all_rules",
    "apply",
    "check_chain",
    "explain",
    "find_change",
    "history",
    "inspect_path",
    "load_plan",
    "load_profile",
    "newest_change",
    "open_hive",
    "open_vdisk",
    "pending_change",
    "plan",
    "plan_fixes",
    "plan_kms_prep",
    "plan_replay",
    "read_chain",
    "read_pvp",
    "recover",
    "rule",
    "undo",
    "validate",
    "validate_path",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public name
    home = "vdiskkit.errors" if name in _ERRORS else _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
