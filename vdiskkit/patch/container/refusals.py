"""Shapes of containers that are not written to, each with its reason.

Reading gets along with all of them. Writing does not: some are damaged, so that a change would make it harder to say
what the disk held; of others a part would have to be kept in step that only its own program understands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from vdiskkit.container.vhd.disk import BlockVhd, VhdDisk
from vdiskkit.container.vhd.layout import SECTOR_SIZE
from vdiskkit.errors import WriteRefusedError
from vdiskkit.patch.container.vhd import MAX_SIZE

if TYPE_CHECKING:
    from vdiskkit.container import VirtualDisk
    from vdiskkit.container.vhdx.disk import VhdxDisk
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["refuse_unsafe"]

_REPAIR = "repair a copy first: convert it to a new VHD with Convert-VHD or qemu-img, then check what is on it"
_BATMAP_COOKIE = b"tdbatmap"
_COPY_PROBLEMS = {"vhd.copy_missing": "is missing", "vhd.copy_damaged": "is damaged", "vhd.copy_differs": "differs"}


def refuse_unsafe(disk: VirtualDisk, source: ByteSource) -> None:
    """Refuse a container that cannot be written to safely.

    Args:
        disk: The disk; its parents are never written to, so they are not looked at.
        source: Its file.

    Raises:
        WriteRefusedError: It cannot; the message says which shape it has.
        SourceError: The operating system could not read.
    """
    if disk.format == "raw":
        _refuse_forced_raw(disk)
    elif isinstance(disk, VhdDisk):
        _refuse_vhd(disk)
        if isinstance(disk, BlockVhd):
            _refuse_blocks(disk, source)
    elif disk.format == "vhdx":
        from vdiskkit.patch.container.vhdx.refusals import refuse_vhdx

        refuse_vhdx(cast("VhdxDisk", disk))
    else:
        raise _refused(f"{disk.format.upper()} containers are not written to", disk.location, "convert a copy to VHD")


def _refuse_forced_raw(disk: VirtualDisk) -> None:
    for notice in disk.own_notices:
        if notice.code == "raw.other_format":
            raise _refused(
                "the file is a VHD or VHDX container, but it was opened as raw",
                disk.location,
                "leave out the format, so that its content decides",
            )


def _refuse_vhd(disk: VhdDisk) -> None:
    if disk.footer_state == "short_511":
        raise _refused(
            "the VHD footer has 511 bytes, as tools before 2004 wrote it",
            disk.location,
            "convert a copy to a new VHD with Convert-VHD or qemu-img",
        )
    if disk.footer_state == "damaged":
        raise _refused("the VHD footer at the end of the file is damaged or missing", disk.location, _REPAIR)
    if disk.footer.saved_state:
        raise _refused(
            "the disk belongs to a virtual machine in saved state, which still has changes in its memory",
            disk.location,
            "start the virtual machine and shut Windows down, or delete its saved state",
        )
    if disk.size > MAX_SIZE:
        raise _refused(
            f"the VHD has {disk.size} bytes, more than the 2040 GiB that the format allows", disk.location, None
        )


def _refuse_blocks(disk: BlockVhd, source: ByteSource) -> None:
    for notice in disk.own_notices:
        if notice.code in _COPY_PROBLEMS:
            raise _refused(
                f"the copy of the VHD footer at the start of the file {_COPY_PROBLEMS[notice.code]}",
                disk.location,
                _REPAIR,
            )
    if source.size % SECTOR_SIZE:
        raise _refused(
            f"the file's length of {source.size} bytes is no multiple of 512, so a block cannot be added behind it",
            disk.location,
            _REPAIR,
        )
    table_end = disk.header.table_offset + -(-disk.header.max_table_entries * 4 // SECTOR_SIZE) * SECTOR_SIZE
    if table_end + SECTOR_SIZE <= source.size and source.read_at(table_end, len(_BATMAP_COOKIE)) == _BATMAP_COOKIE:
        raise _refused(
            "XenServer keeps a map of full blocks (batmap) in this VHD, which would have to be kept in step",
            disk.location,
            "export the disk from XenServer, or convert a copy with qemu-img",
        )


def _refused(why: str, location: Location, hint: str | None) -> WriteRefusedError:
    return WriteRefusedError(f"this disk is not written to: {why}", location=location, hint=hint)
