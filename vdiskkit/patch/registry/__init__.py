"""Changing registry hives: values and keys set, added and deleted in place; ``.reg`` text; checks of what was done."""

from vdiskkit.patch.registry.changes import ChangeKind, HiveChange, Touched, ValueData
from vdiskkit.patch.registry.check import HiveProblem, check_hive, check_touched
from vdiskkit.patch.registry.editor import HiveEditor
from vdiskkit.patch.registry.encode import encode
from vdiskkit.patch.registry.regfile import RegAction, RegEdit, apply_edits, parse_reg
from vdiskkit.registry.logs import LogFormat, LogState, read_log, read_log_sequences

__all__ = [
    "ChangeKind",
    "HiveChange",
    "HiveEditor",
    "HiveProblem",
    "LogFormat",
    "LogState",
    "RegAction",
    "RegEdit",
    "Touched",
    "ValueData",
    "apply_edits",
    "check_hive",
    "check_touched",
    "encode",
    "parse_reg",
    "read_log",
    "read_log_sequences",
]
