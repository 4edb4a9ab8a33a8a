"""Byte sources: the files and file objects that everything above reads from, with budgets and a small cache."""

from vdiskkit.io.budget import GuardedSource, ReadBudget
from vdiskkit.io.cache import PageCache
from vdiskkit.io.source import ByteSource, BytesSource, FileSource, SliceSource, SourceFile, StreamSource, stream_name

__all__ = [
    "ByteSource",
    "BytesSource",
    "FileSource",
    "GuardedSource",
    "PageCache",
    "ReadBudget",
    "SliceSource",
    "SourceFile",
    "StreamSource",
    "stream_name",
]
