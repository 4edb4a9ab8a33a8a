"""Opening any container as a virtual disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.container.detect import Probe, choose_format
from vdiskkit.container.raw import RawDisk
from vdiskkit.container.single import open_single
from vdiskkit.io.paths import open_source as open_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vdiskkit.container.disk import VirtualDisk
    from vdiskkit.io import ByteSource

__all__ = ["open_container"]


def open_container(
    source: ByteSource,
    *,
    path: str | None,
    format: str | None = None,  # noqa: A002 - the name that users know from qemu-img and from our command line
    parent_dirs: Sequence[str] = (),
    follow_parent_paths: bool = False,
    open_source: Callable[[str], ByteSource] = open_path,
) -> VirtualDisk:
    """Open a disk file and, when it is a differencing disk, its parents down to the base.

    Args:
        source: The file.
        path: Its path; None when it has none, then parents are looked for in ``parent_dirs`` only.
        format: ``vhd``, ``vhdx`` or ``raw``; None lets the content decide, and a raw extension stands for raw.
        parent_dirs: Folders to look for parents in, after the child's own.
        follow_parent_paths: Whether local paths stored in the files are used too; UNC paths never are.
        open_source: Opens a parent's file, so that the caller can put a budget on it.

    Returns:
        The disk. ``close`` closes the parents' files; ``source`` stays the caller's.

    Raises:
        UnknownFormatError: The file is no disk.
        UnsupportedFeatureError: It is a disk of a kind that is not read.
        FormatError: It is damaged.
        ChainError: Its chain of parents does not hold.
        SourceError: The operating system could not read.
        UsageError: ``format`` is no format.
    """
    probe = Probe.of(source)
    kind = choose_format(probe, path, format)
    disk = RawDisk(probe, path) if kind == "raw" else open_single(probe, path)
    if disk.subformat != "differencing":
        return disk
    from vdiskkit.container.chain import attach_parents

    try:
        attach_parents(disk, parent_dirs=parent_dirs, follow_parent_paths=follow_parent_paths, open_source=open_source)
    except BaseException:
        disk.close()
        raise
    return disk
