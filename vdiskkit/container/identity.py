"""Who a disk file says it is, from its headers alone: a few small reads, no checks of the whole file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.container.detect import Probe
from vdiskkit.errors import ReadLimitError

if TYPE_CHECKING:
    from vdiskkit.container.vhdx.metadata import Metadata
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["LOG_BUDGET", "DiskIdentity", "LogBudget", "read_disk_id", "read_disk_identity", "read_own_id"]

LOG_BUDGET = 16 * 1024 * 1024
"""Bytes of logs that are replayed to learn who the files beside a disk are: about a second."""


class DiskIdentity(NamedTuple):
    """Ids as UUID text; ``parent_id`` is None for a disk without parent."""

    unique_id: str
    parent_id: str | None


class LogBudget:
    """How many bytes of logs may still be replayed for files that nobody asked for."""

    def __init__(self, size: int = LOG_BUDGET) -> None:
        self._left = size

    def spend(self, size: int, location: Location) -> None:
        """Take ``size`` bytes.

        Raises:
            ReadLimitError: So many are not left.
        """
        if size > self._left:
            raise ReadLimitError(
                f"its log of {size} bytes is not replayed: that costs more than a file beside the disk is worth",
                location=location,
                hint="name this file itself to look into it",
            )
        self._left -= size


def read_disk_identity(source: ByteSource, budget: LogBudget | None = None) -> DiskIdentity | None:
    """Return the ids of a VHD or VHDX file; None when it is neither.

    Args:
        source: The file.
        budget: What may be spent on replaying logs; None for any amount.

    Raises:
        FormatError: It is one, but its headers are damaged, or its log is larger than the budget.
        SourceError: The operating system could not read.
    """
    probe = Probe.of(source)
    if probe.is_vhdx:
        return _vhdx_identity(probe, budget)
    return _vhd_identity(probe) if probe.is_vhd else None


def read_disk_id(source: ByteSource) -> str | None:
    """Return the id that a disk file keeps whatever is written to it: a VHD's unique id, a VHDX's virtual disk id.

    Returns:
        The id as UUID text; None for a file that is neither.

    Raises:
        FormatError: Its headers are damaged.
        SourceError: The operating system could not read.
    """
    probe = Probe.of(source)
    if not probe.is_vhdx:
        return read_own_id(probe) if probe.is_vhd else None
    return _vhdx_metadata(probe).disk_id


def read_own_id(probe: Probe) -> str:
    """Return the id by which a child knows a VHD or VHDX file.

    Raises:
        FormatError: The file's headers are damaged.
        SourceError: The operating system could not read.
    """
    if probe.is_vhdx:
        return probe.vhdx_headers().header.data_write_guid
    from vdiskkit.container.vhd.footer import read_footer
    from vdiskkit.container.vhd.layout import uuid_text

    return uuid_text(read_footer(probe).footer.unique_id)


def _vhd_identity(probe: Probe) -> DiskIdentity:
    from vdiskkit.container.vhd.footer import read_footer
    from vdiskkit.container.vhd.layout import DYNAMIC_HEADER_SIZE, parse_dynamic_header, uuid_text

    footer = read_footer(probe).footer
    parent = None
    if footer.kind == "differencing":
        where = probe.location.at("byte", footer.data_offset)
        header = parse_dynamic_header(probe.read_at(footer.data_offset, DYNAMIC_HEADER_SIZE), where)
        parent = uuid_text(header.parent_unique_id)
    return DiskIdentity(uuid_text(footer.unique_id), parent)


def _vhdx_identity(probe: Probe, budget: LogBudget | None) -> DiskIdentity:
    from vdiskkit.container.vhdx.link import parent_link_of

    locator = _vhdx_metadata(probe, budget).parent_locator
    parent = None if locator is None else parent_link_of(locator, probe.source.location).unique_id
    return DiskIdentity(probe.vhdx_headers().header.data_write_guid, parent)


def _vhdx_metadata(probe: Probe, budget: LogBudget | None = None) -> Metadata:
    from vdiskkit.container.vhdx.header import find_metadata
    from vdiskkit.container.vhdx.log import ReplayedSource, replay_log
    from vdiskkit.container.vhdx.metadata import read_metadata

    source, header = probe.source, probe.vhdx_headers().header
    if header.log_pending:
        if budget is not None:
            budget.spend(header.log_length, source.location)
        source = ReplayedSource(source, replay_log(source, header))
    return read_metadata(source, find_metadata(source))
