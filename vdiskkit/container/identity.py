"""Who a disk file says it is, from its footer and header alone: two small reads, no checks of the whole file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.container.detect import Probe
from vdiskkit.container.vhd_footer import read_footer
from vdiskkit.container.vhd_layout import DYNAMIC_HEADER_SIZE, parse_dynamic_header, uuid_text

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource

__all__ = ["DiskIdentity", "read_disk_identity"]


class DiskIdentity(NamedTuple):
    """Ids as UUID text; ``parent_id`` is None for a disk without parent."""

    unique_id: str
    parent_id: str | None


def read_disk_identity(source: ByteSource) -> DiskIdentity | None:
    """Return the ids of a VHD file; None when it is none.

    Raises:
        FormatError: It is one, but its footer or header is damaged.
        SourceError: The operating system could not read.
    """
    probe = Probe.of(source)
    if not probe.is_vhd:
        return None
    footer = read_footer(probe).footer
    parent = None
    if footer.kind == "differencing":
        where = source.location.at("byte", footer.data_offset)
        header = parse_dynamic_header(source.read_at(footer.data_offset, DYNAMIC_HEADER_SIZE), where)
        parent = uuid_text(header.parent_unique_id)
    return DiskIdentity(uuid_text(footer.unique_id), parent)
