"""Change a small NTFS volume in memory, in place: contents, sizes, times, names of equal length, volume flags.

Test images start from volumes that mkntfs and ntfs-3g made (``tests/data/base``); what a test wants inside is patched
here, in pure Python and without the readers under test. Nothing is ever allocated: a file can only be given what fits
into the clusters it has.
"""

from __future__ import annotations

import datetime as dt
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_STRIDE = 512  # update sequence stride, whatever the sector size
_FILE_NAME, _STANDARD_INFORMATION, _VOLUME_INFORMATION = 0x30, 0x10, 0x70
DATA, INDEX_ROOT, _INDEX_ALLOCATION = 0x80, 0x90, 0xA0
_FILETIME_EPOCH = dt.datetime(1601, 1, 1, tzinfo=dt.UTC)


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
        attribute = self.find(record, DATA)
        if attribute.resident:
            start, length = self.value(record, attribute)
            return bytes(record[start : start + length])
        parts = [
            bytes(length) if start < 0 else bytes(self.data[start : start + length])
            for start, length in self.record_runs(record, attribute)
        ]
        return b"".join(parts)[: self.size(path)]

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
        rest = content
        for start, length in self.record_runs(record, attribute):
            part, rest = rest[:length], rest[length:]
            if part:
                assert start >= 0, "a hole cannot be written"
                self.data[start : start + len(part)] = part
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
            for block, entry in self.entries(number, bytes(record[start : start + 8]), encoded):
                block[entry + 24 : entry + 80] = key

    def entries(self, number: int, parent: bytes, name: bytes) -> Iterator[tuple[bytearray, int]]:
        """The block and place of the entry for one name in its folder; the block is written back afterwards."""
        reference = self._reference(number)
        folder = int.from_bytes(parent[:6], "little")
        for holder in (folder, *self.extensions.get(folder, ())):
            record = self.record(holder)
            for attribute in list(self.attributes(record)):
                if attribute.kind == INDEX_ROOT:
                    start, length = self.value(record, attribute)
                    place = self._entry(record, start, start + length, reference, name)
                    if place is not None:
                        yield record, place
                        self.put_record(holder, record)
                        return
                elif attribute.kind == _INDEX_ALLOCATION:
                    found = self._large_entry(record, attribute, reference, name)
                    if found is not None:
                        at, block, place = found
                        yield block, place
                        _protect(block)
                        self.data[at : at + self.index_size] = block
                        return

    def _large_entry(
        self, record: bytearray, attribute: Attribute, reference: bytes, name: bytes
    ) -> tuple[int, bytearray, int] | None:
        """The index block that holds an entry: its place in the volume, itself unprotected, the entry's place."""
        for run, run_length in self.record_runs(record, attribute):
            for at in range(run, run + run_length, self.index_size):
                if self.data[at : at + 4] == b"INDX":
                    block = self.data[at : at + self.index_size]
                    _unprotect(block)
                    place = self._entry(block, 0, len(block), reference, name)
                    if place is not None:
                        return at, block, place
        return None

    def _reference(self, number: int) -> bytes:
        place = self.place(number)
        return number.to_bytes(6, "little") + bytes(self.data[place + 16 : place + 18])

    @staticmethod
    def _entry(block: bytearray, start: int, end: int, reference: bytes, name: bytes) -> int | None:
        at = block.find(reference, start, end)
        while at >= 0:
            if block[at + 80] * 2 == len(name) and block[at + 82 : at + 82 + len(name)] == name:
                return at
            at = block.find(reference, at + 1, end)
        return None

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
