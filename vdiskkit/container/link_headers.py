"""A differencing file's own headers, for files whose block table cannot be used: who it is and who its parent is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.container.identity import read_own_id

if TYPE_CHECKING:
    from vdiskkit.container.detect import Probe
    from vdiskkit.container.disk import ParentLink
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["LinkHeaders", "read_parent_link"]


class LinkHeaders:
    """What can be known of a damaged file.

    Attributes:
        path: The file, None without one.
        format: ``vhd`` or ``vhdx``.
        location: Its address.
        unique_id: Its own id, None when it cannot be read.
    """

    def __init__(self, probe: Probe, path: str | None) -> None:
        from vdiskkit.errors import FormatError

        self.path = path
        self.format = "vhdx" if probe.is_vhdx else "vhd"
        self.location: Location = probe.location
        self.unique_id: str | None = None
        self._parent_link: ParentLink | None = None
        try:
            self.unique_id = read_own_id(probe)
            self._parent_link = read_parent_link(probe)
        except FormatError:
            return

    def read_parent_link(self) -> ParentLink | None:
        """Return what the file says about its parent, None when that cannot be read or there is none."""
        return self._parent_link


def read_parent_link(probe: Probe) -> ParentLink | None:
    """Return what a file says about its parent, from its headers alone; None when it has none.

    Raises:
        FormatError: The headers are damaged.
        SourceError: The operating system could not read.
    """
    return _vhdx_link(probe) if probe.is_vhdx else _vhd_link(probe)


def _vhd_link(probe: Probe) -> ParentLink | None:
    from vdiskkit.container.vhd.disk import vhd_parent_link
    from vdiskkit.container.vhd.footer import read_footer
    from vdiskkit.container.vhd.structures import read_header

    reading = read_footer(probe)
    if reading.footer.kind != "differencing":
        return None
    return vhd_parent_link(read_header(probe, reading), probe.source)


def _vhdx_link(probe: Probe) -> ParentLink | None:
    from vdiskkit.container.vhdx.header import find_metadata, read_headers
    from vdiskkit.container.vhdx.link import parent_link_of
    from vdiskkit.container.vhdx.log import ReplayedSource, replay_log
    from vdiskkit.container.vhdx.metadata import read_metadata

    source: ByteSource = probe.source
    header = read_headers(source).header
    if header.log_pending:
        source = ReplayedSource(source, replay_log(source, header))
    locator = read_metadata(source, find_metadata(source)).parent_locator
    return None if locator is None else parent_link_of(locator, source.location)
