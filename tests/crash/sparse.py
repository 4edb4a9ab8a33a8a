"""Edits of large files, condensed to the sectors that matter, so that each of thousands of states is cheap.

Those are the sectors that are written, those that are watched, and the ends of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.patch.transaction import FileEdit

if TYPE_CHECKING:
    from tests.build.vhdx import Image
    from vdiskkit.io import ByteSource

SECTOR = 512
_WATCHED = 8 * SECTOR
"""Bytes that are kept of a long range that is watched."""


class Condensed(NamedTuple):
    """An edit of a file that has some sectors of another one only.

    Attributes:
        edit: The edit, with offsets in the condensed file.
        content: The condensed file before the edit.
        sectors: The sector of the whole file that each sector is.
        whole: The whole edit.
    """

    edit: FileEdit
    content: bytes
    sectors: tuple[int, ...]
    whole: FileEdit

    def expanded(self, content: bytes, image: Image) -> Image:
        """Return the whole file for a condensed one.

        Args:
            content: The condensed file in any state.
            image: The whole file before the edit.
        """
        new = image.copy()
        sizes = {len(self.content): self.whole.old_size, self.edit.new_size: self.whole.new_size}
        last = (len(content) - 1) // SECTOR
        new.truncate(sizes.get(len(content), self.sectors[last] * SECTOR + len(content) - last * SECTOR))
        for index, number in enumerate(self.sectors[: last + 1]):
            new.write(number * SECTOR, content[index * SECTOR : (index + 1) * SECTOR])
        new.reads.clear()
        return new


def condense(name: str, edit: FileEdit, source: ByteSource) -> Condensed:
    """Leave out what an edit neither writes nor watches.

    Args:
        name: New name of the file.
        edit: The edit.
        source: The file before it.
    """
    wanted: set[int] = {0, (edit.old_size - 1) // SECTOR, (edit.new_size - 1) // SECTOR}
    watched = [(offset, min(length, _WATCHED)) for offset, length in edit.watched]
    ranges = [(change.offset, max(len(change.before), len(change.after))) for change in edit.changes] + watched
    for offset, length in ranges:
        wanted.update(range(offset // SECTOR, -(-(offset + length) // SECTOR)))
    order = tuple(sorted(wanted))
    place = {number: index * SECTOR for index, number in enumerate(order)}

    def at_new(offset: int) -> int:
        return place[offset // SECTOR] + offset % SECTOR

    content = b"".join(
        source.read_at(number * SECTOR, max(min(SECTOR, edit.old_size - number * SECTOR), 0))
        for number in order
        if number * SECTOR < edit.old_size
    )
    changes = [change._replace(offset=at_new(change.offset)) for change in edit.changes]
    new_size = at_new(edit.new_size - 1) + 1
    new = FileEdit(name, changes, len(content), new_size, [(at_new(offset), length) for offset, length in watched])
    return Condensed(new, content, order, edit)
