"""Change a small NTFS volume in memory, in place: contents, sizes, times, names of equal length, volume flags.

Test images start from volumes that mkntfs and ntfs-3g made (``tests/data/base``); what a test wants inside is patched
here, in pure Python and without the readers under test. Nothing is ever allocated: a file can only be given what fits
into the clusters it has.
"""

from __future__ import annotations

import datetime as dt
import functools
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STRIDE = 512  # update sequence stride, whatever the sector size
_FILE_NAME, _STANDARD_INFORMATION, _VOLUME_INFORMATION = 0x30, 0x10, 0x70
DATA, INDEX_ROOT, _INDEX_ALLOCATION, BITMAP = 0x80, 0x90, 0xA0, 0xB0
_FILETIME_EPOCH = dt.datetime(1601, 1, 1, tzinfo=dt.UTC)


Runs = list[tuple[int, int]]


class Attribute(NamedTuple):
    kind: int
    name: str
    offset: int  # of the attribute in its record
    resident: bool


def filetime(when: dt.datetime) -> int:
    """100-ns units since 1601, exact."""
    delta = when - _FILETIME_EPOCH
    return (delta.days * 86400 + delta.seconds) * 10_000_000 + delta.microseconds * 10


def _unprotect(block: bytearray) -> None:
    """Put the saved last words of every stride back (update sequence array)."""
    offset, count = struct.unpack_from("<HH", block, 4)
    for index in range(1, count):
        end = index * _STRIDE - 2
        assert block[end : end + 2] == block[offset : offset + 2], "torn record"
        block[end : end + 2] = block[offset + 2 * index : offset + 2 * index + 2]


def _protect(block: bytearray) -> None:
    offset, count = struct.unpack_from("<HH", block, 4)
    number = (struct.unpack_from("<H", block, offset)[0] % 0xFFFE) + 1
    struct.pack_into("<H", block, offset, number)
    for index in range(1, count):
        end = index * _STRIDE - 2
        block[offset + 2 * index : offset + 2 * index + 2] = block[end : end + 2]
        struct.pack_into("<H", block, end, number)


def _pieces(runs: Runs, offset: int, length: int) -> Iterator[tuple[int, int]]:
    """The places in the volume of a range of a stream; a hole has place -1."""
    for start, size in runs:
        if offset < size and length:
            part = min(size - offset, length)
            yield (start + offset if start >= 0 else -1), part
            offset, length = offset + part, length - part
        offset -= size


class Names(NamedTuple):
    """What a scan of all records finds; it can be given to the next editor of an equal volume."""

    paths: dict[str, int]
    extensions: dict[int, list[int]]  # base record -> its extension records


class VolumeEditor:
    """One NTFS volume held in ``data``; every method changes ``data`` at once."""

    def __init__(self, data: bytearray, names: Names | None = None) -> None:
        assert data[3:11] == b"NTFS    "
        self.data = data
        sector, sectors = struct.unpack_from("<HB", data, 11)
        self.cluster = sector * sectors
        mft_lcn, mirror_lcn = struct.unpack_from("<QQ", data, 48)
        self.record_size = self._unit(data[64])
        self.index_size = self._unit(data[68])
        self._mirror = mirror_lcn * self.cluster
        # Record 0 tells where the others are; until it is read, only its first cluster is known.
        self._mft = [(mft_lcn * self.cluster, self.record_size)]
        record = self.record(0)
        attribute = self.find(record, DATA)
        self._mft = list(self.record_runs(record, attribute))
        self.records = struct.unpack_from("<Q", record, attribute.offset + 48)[0] // self.record_size
        self.paths, self.extensions = names or self._scan()

    def _unit(self, code: int) -> int:
        return 1 << (256 - code) if code > 127 else code * self.cluster

    # records and attributes

    def place(self, number: int) -> int:
        offset = number * self.record_size
        for start, length in self._mft:
            if offset < length:
                return start + offset
            offset -= length
        raise AssertionError(f"no record {number}")

    def record(self, number: int) -> bytearray:
        place = self.place(number)
        record = bytearray(self.data[place : place + self.record_size])
        assert record[:4] == b"FILE"
        _unprotect(record)
        return record

    def put_record(self, number: int, record: bytearray) -> None:
        block = bytearray(record)
        _protect(block)
        place = self.place(number)
        self.data[place : place + self.record_size] = block
        if number < max(4, self.cluster // self.record_size):
            mirror = self._mirror + number * self.record_size
            self.data[mirror : mirror + self.record_size] = block

    def attributes(self, record: bytearray) -> Iterator[Attribute]:
        offset = struct.unpack_from("<H", record, 20)[0]
        while (kind := struct.unpack_from("<I", record, offset)[0]) != 0xFFFFFFFF:
            length, non_resident, name_length, name_offset = struct.unpack_from("<IBBH", record, offset + 4)
            name = record[offset + name_offset : offset + name_offset + 2 * name_length].decode("utf-16-le")
            yield Attribute(kind, name, offset, not non_resident)
            offset += length

    def find(self, record: bytearray, kind: int, name: str = "") -> Attribute:
        for attribute in self.attributes(record):
            if (attribute.kind, attribute.name) == (kind, name):
                return attribute
        raise AssertionError(f"no attribute {kind:#x} {name!r}")

    def record_runs(self, record: bytearray, attribute: Attribute) -> Iterator[tuple[int, int]]:
        """(byte offset in the volume, length) of each run; a hole has offset -1."""
        at = attribute.offset + struct.unpack_from("<H", record, attribute.offset + 32)[0]
        lcn = 0
        while head := record[at]:
            size, back = head & 15, head >> 4
            length = int.from_bytes(record[at + 1 : at + 1 + size], "little")
            lcn += int.from_bytes(record[at + 1 + size : at + 1 + size + back], "little", signed=True)
            yield (lcn * self.cluster if back else -1), length * self.cluster
            at += 1 + size + back

    @staticmethod
    def value(record: bytearray, attribute: Attribute) -> tuple[int, int]:
        """Start and length of a resident value inside the record."""
        length, start = struct.unpack_from("<IH", record, attribute.offset + 16)
        return attribute.offset + start, length

    def names(self, record: bytearray) -> Iterator[tuple[int, int, int, str]]:
        """(offset of the value, parent record, namespace, name) of each $FILE_NAME."""
        for attribute in self.attributes(record):
            if attribute.kind == _FILE_NAME:
                start, _ = self.value(record, attribute)
                parent = int.from_bytes(record[start : start + 6], "little")
                count, space = record[start + 64], record[start + 65]
                text = record[start + 66 : start + 66 + 2 * count].decode("utf-16-le", "surrogatepass")
                yield start, parent, space, text

    def _scan(self) -> Names:
        found: dict[int, list[tuple[int, str]]] = {}
        extensions: dict[int, list[int]] = {}
        for number in range(self.records):
            place = self.place(number)
            if self.data[place : place + 4] != b"FILE" or not self.data[place + 22] & 1:
                continue
            record = self.record(number)
            base = int.from_bytes(record[32:38], "little")
            if base:
                extensions.setdefault(base, []).append(number)
            links = [(parent, name) for _, parent, space, name in self.names(record) if space != 2]
            found.setdefault(base or number, []).extend(links)

        def folder(number: int) -> str:
            if number == 5:
                return ""
            parent, name = found[number][0]
            return f"{folder(parent)}{name}\\"

        paths = {
            (folder(parent) + name).casefold(): number
            for number, links in found.items()
            for parent, name in links
            if number != 5
        }
        return Names(paths, extensions)

    def number(self, path: str) -> int:
        """Record number of a file or folder; ``""`` is the root."""
        return self.paths[path.casefold()] if path else 5

    # contents and sizes

    def capacity(self, path: str) -> int:
        """How many bytes fit without allocating."""
        record = self.record(self.number(path))
        attribute = self.find(record, DATA)
        if attribute.resident:
            return self.value(record, attribute)[1]
        return sum(length for _, length in self.record_runs(record, attribute))

    def size(self, path: str) -> int:
        record = self.record(self.number(path))
        attribute = self.find(record, DATA)
        if attribute.resident:
            return self.value(record, attribute)[1]
        return int(struct.unpack_from("<Q", record, attribute.offset + 48)[0])

    def runs(self, path: str) -> list[tuple[int, int]]:
        record = self.record(self.number(path))
        return list(self.record_runs(record, self.find(record, DATA)))

    def read(self, path: str) -> bytes:
        """The file's stored bytes up to its size."""
        record = self.record(self.number(path))
        return self._content(record, self.find(record, DATA))

    def write(self, path: str, content: bytes, *, resize: bool = True) -> None:
        """Replace the content. ``resize=False`` keeps the size and leaves what follows ``content`` as it is."""
        number = self.number(path)
        record = self.record(number)
        attribute = self.find(record, DATA)
        if len(content) > self.capacity(path):
            raise ValueError(f"{path}: {len(content)} bytes do not fit into {self.capacity(path)}")
        if attribute.resident:
            start, length = self.value(record, attribute)
            record[start : start + length] = content.ljust(length, b"\0")
            self.put_record(number, record)
            return
        self._write_runs(list(self.record_runs(record, attribute)), 0, content)
        if resize:
            self.set_size(path, len(content))

    def set_size(self, path: str, size: int, initialized: int | None = None) -> None:
        """Set data size and initialized size (default: the same) of a non-resident file."""
        number = self.number(path)
        record = self.record(number)
        attribute = self.find(record, DATA)
        assert not attribute.resident
        assert size <= self.capacity(path)
        struct.pack_into("<QQ", record, attribute.offset + 48, size, size if initialized is None else initialized)
        allocated = struct.unpack_from("<Q", record, attribute.offset + 40)[0]
        for start, *_ in self.names(record):
            struct.pack_into("<QQ", record, start + 40, allocated, size)
        self.put_record(number, record)
        self._sync_index(number, record)

    def set_times(
        self,
        path: str,
        *,
        modified: dt.datetime,
        created: dt.datetime | None = None,
        changed: dt.datetime | None = None,
        accessed: dt.datetime | None = None,
    ) -> None:
        """Set the four times of $STANDARD_INFORMATION and their copies; what is not given equals ``modified``."""
        times = [filetime(when or modified) for when in (created, modified, changed, accessed)]
        self._put_times(self.number(path), times)

    def _put_times(self, number: int, times: list[int]) -> None:
        record = self.record(number)
        for attribute in self.attributes(record):
            if attribute.kind == _STANDARD_INFORMATION:
                struct.pack_into("<4Q", record, self.value(record, attribute)[0], *times)
        for start, *_ in self.names(record):
            struct.pack_into("<4Q", record, start + 8, *times)
        self.put_record(number, record)
        self._sync_index(number, record)

    def set_all_times(self, when: dt.datetime) -> None:
        """Give every record the same four times, so that a volume compresses well and says nothing of its making."""
        times = [filetime(when)] * 4
        for number in {*range(12), *self.paths.values()}:
            self._put_times(number, times)

    # names

    def rename(self, path: str, name: str) -> None:
        """Give another name of the same length that sorts to the same place among its neighbours."""
        number = self.number(path)
        record = self.record(number)
        old = path.rpartition("\\")[2]
        assert len(name) == len(old), "a new name must have the same length"
        encoded = name.encode("utf-16-le", "surrogatepass")
        found = [start for start, _, space, text in self.names(record) if space != 2 and text == old]
        assert found, f"{old!r} is not the exact name of a link of {path!r}"
        before = bytes(record[found[0] : found[0] + 8]), old.encode("utf-16-le", "surrogatepass")
        for block, entry in self.entries(number, *before):
            block[entry + 82 : entry + 82 + len(encoded)] = encoded
        record[found[0] + 66 : found[0] + 66 + len(encoded)] = encoded
        self.put_record(number, record)
        folder = path[: len(path) - len(old)].casefold()
        moved = {key: value for key, value in self.paths.items() if key.startswith(path.casefold())}
        self.paths = {key: value for key, value in self.paths.items() if key not in moved}
        self.paths |= {(folder + name + key[len(path) :]).casefold(): value for key, value in moved.items()}

    def _sync_index(self, number: int, record: bytearray) -> None:
        """Copy times, sizes and flags of each $FILE_NAME into the index entry of its folder."""
        for start, _, _, text in list(self.names(record)):
            encoded = text.encode("utf-16-le", "surrogatepass")
            key = bytes(record[start + 8 : start + 64])
            for node, entry in self.entries(number, bytes(record[start : start + 8]), encoded):
                node[entry + 24 : entry + 80] = key

    def entries(self, number: int, parent: bytes, name: bytes) -> Iterator[tuple[bytearray, int]]:
        """The index node and place of the entry for one name in its folder; the node is written back afterwards."""
        reference = number.to_bytes(6, "little") + bytes(self.data[(at := self.place(number) + 16) : at + 2])
        for node, header, write in self._nodes(int.from_bytes(parent[:6], "little")):
            first, used = struct.unpack_from("<II", node, header)
            entry = header + first
            while not node[entry + 12] & 2:  # the end entry has no name
                if (
                    node[entry : entry + 8] == reference
                    and node[entry + 82 : entry + 82 + 2 * node[entry + 80]] == name
                ):
                    yield node, entry
                    write(node)
                    return
                entry += struct.unpack_from("<H", node, entry + 8)[0]
            assert entry < header + used

    def _nodes(self, folder: int) -> Iterator[tuple[bytearray, int, Callable[[bytearray], None]]]:
        """Each index node in use: its bytes, the place of its index header, and how to put it back."""
        holders = [(holder, self.record(holder)) for holder in (folder, *self.extensions.get(folder, ()))]
        parts = [(holder, record, one) for holder, record in holders for one in self.attributes(record)]
        for holder, record, attribute in parts:
            if attribute.kind == INDEX_ROOT:
                yield record, self.value(record, attribute)[0] + 16, functools.partial(self.put_record, holder)
        blocks = [list(self.record_runs(record, one)) for _, record, one in parts if one.kind == _INDEX_ALLOCATION]
        bitmaps = [self._content(record, one) for _, record, one in parts if one.kind == BITMAP]
        if not blocks:
            return
        for index in range(sum(length for _, length in blocks[0]) // self.index_size):
            if bitmaps[0][index // 8] >> (index % 8) & 1:  # freed blocks keep their old entries
                node = self._read_runs(blocks[0], index * self.index_size, self.index_size)
                _unprotect(node)
                yield node, 24, functools.partial(self._put_node, blocks[0], index * self.index_size)

    def _put_node(self, runs: Runs, offset: int, node: bytearray) -> None:
        block = bytearray(node)
        _protect(block)
        self._write_runs(runs, offset, block)

    def _content(self, record: bytearray, attribute: Attribute) -> bytes:
        if attribute.resident:
            start, length = self.value(record, attribute)
            return bytes(record[start : start + length])
        size = struct.unpack_from("<Q", record, attribute.offset + 48)[0]
        return bytes(self._read_runs(list(self.record_runs(record, attribute)), 0, size))

    def _read_runs(self, runs: Runs, offset: int, length: int) -> bytearray:
        result = bytearray()
        for at, size in _pieces(runs, offset, length):
            result += bytes(size) if at < 0 else self.data[at : at + size]
        return result

    def _write_runs(self, runs: Runs, offset: int, content: bytes | bytearray) -> None:
        done = 0
        for at, size in _pieces(runs, offset, len(content)):
            assert at >= 0, "a hole cannot be written"
            self.data[at : at + size] = content[done : done + size]
            done += size

    # the volume

    def set_volume_flags(self, flags: int) -> None:
        """Flags of $VOLUME_INFORMATION: 1 is "dirty"."""
        record = self.record(3)
        attribute = self.find(record, _VOLUME_INFORMATION)
        struct.pack_into("<H", record, self.value(record, attribute)[0] + 10, flags)
        self.put_record(3, record)

    def set_serial(self, serial: int) -> None:
        """Serial number in the boot sector and in its copy at the end."""
        for at in (0, len(self.data) - struct.unpack_from("<H", self.data, 11)[0]):
            assert self.data[at + 3 : at + 11] == b"NTFS    "
            struct.pack_into("<Q", self.data, at + 72, serial)
