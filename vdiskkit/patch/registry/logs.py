"""The sequence numbers in a hive's logs, as the editor needs them; the log parser is :mod:`vdiskkit.registry.logs`."""

from vdiskkit.registry.logs import LogFormat, LogState, read_log, read_log_sequences

__all__ = ["LogFormat", "LogState", "read_log", "read_log_sequences"]
