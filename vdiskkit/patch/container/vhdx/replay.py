"""A pending log of a VHDX, written to its place as the first part of a change.

Follows [MS-VHDX] section 2.3.3. What the log holds has been found and checked by the reader.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.patch.staging import SECTOR, Phase

if TYPE_CHECKING:
    from vdiskkit.container.vhdx.log import LogReplay
    from vdiskkit.patch.staging import StagedFile

__all__ = ["stage_replay"]

_PIECE = 1024 * 1024


def stage_replay(staged: StagedFile, replay: LogReplay, size: int) -> None:
    """Stage what a log holds; what is written there later in the change comes over it.

    Args:
        staged: The overlay over the file.
        replay: What the log holds.
        size: Length of the file after the replay.
    """
    old_size = staged.size
    staged.extend(size)
    for start, end in replay.zeros:
        # Where the file grows, zeros are there already.
        stop = min(end, -(-old_size // SECTOR) * SECTOR, size)
        for at in range(start, stop, _PIECE):
            staged.write_interim(at, bytes(min(_PIECE, stop - at)), Phase.REPLAY)
    for offset, page in replay.pages.items():
        staged.write_interim(offset, page, Phase.REPLAY)
