"""Registry hives built from nothing, as Windows lays them out, for tests, samples and benchmarks.

    builder = HiveBuilder(name="SOFTWARE")
    builder.sz(r"Microsoft\\Windows NT\\CurrentVersion", "ProductName", "Windows 10 Enterprise")
    builder.dword(r"Microsoft\\Windows NT\\CurrentVersion\\SoftwareProtectionPlatform", "SkipRearm", 1)
    data = builder.build()

What comes out is healthy: base block with checksum, hive bins of 4096 bytes or more, sorted hash lists split under an
``ri`` list, one ring of shared security cells, inline and big data, compressed names, true maximum fields. Faults are
asked for by name, see :mod:`tests.build.hive_faults`.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vdiskkit.registry.upcase import name_hash, sort_key, upcase

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REG_NONE, REG_SZ, REG_EXPAND_SZ, REG_BINARY, REG_DWORD, REG_DWORD_BIG_ENDIAN = range(6)
REG_LINK, REG_MULTI_SZ, REG_RESOURCE_LIST = 6, 7, 8
REG_FULL_RESOURCE_DESCRIPTOR, REG_RESOURCE_REQUIREMENTS_LIST, REG_QWORD = 9, 10, 11

NONE = 0xFFFFFFFF
BASE_BLOCK = 4096
BIG_DATA = 16344
KEY_NODE = struct.Struct("<2sHQIIIIIIIIIIIIIIIHH")
KEY_VALUE = struct.Struct("<2sHIIIHH")
_U32 = struct.Struct("<I")
_I32 = struct.Struct("<i")
_ENTRY = struct.Struct("<II")

FLAG_ROOT, FLAG_NO_DELETE, FLAG_LINK, FLAG_LATIN1 = 0x04, 0x08, 0x10, 0x20

DEFAULT_TIME = datetime(2023, 6, 14, 8, 30, tzinfo=UTC)

# Owner and group Administrators; full access for SYSTEM and Administrators, read for Users.
DEFAULT_SECURITY = bytes.fromhex(
    "0100048074000000840000000000000014000000"
    "020060000400000000021800 3f000f00 0102000000000005 20000000 20020000"
    "00021400 3f000f00 0101000000000005 12000000"
    "00021800 19000200 0102000000000005 20000000 21020000"
    "000b1400 3f000f00 0101000000000003 00000000"
    "0102000000000005 20000000 20020000"
    "0102000000000005 20000000 20020000"
)


def filetime(when: datetime) -> int:
    """100 ns steps since 1601."""
    delta = when - datetime(1601, 1, 1, tzinfo=UTC)
    return (delta.days * 86400 + delta.seconds) * 10_000_000 + delta.microseconds * 10


def utf16(text: str, *, terminated: bool = True) -> bytes:
    return text.encode("utf-16-le", "surrogatepass") + (b"\0\0" if terminated else b"")


class Key:
    """One key being built; offsets are known after ``build``."""

    __slots__ = (
        "children",
        "class_name",
        "flags",
        "list_kind",
        "list_offset",
        "name",
        "offset",
        "security",
        "value_list_offset",
        "values",
        "written",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.children: dict[str, Key] = {}
        self.values: dict[str, tuple[str, int, bytes]] = {}
        self.class_name = ""
        self.written: datetime | None = None
        self.flags = 0
        self.security: bytes | None = None
        self.list_kind: str | None = None
        self.offset = self.list_offset = self.value_list_offset = NONE

    def child(self, name: str) -> Key:
        """The subkey of that name, made when it is missing."""
        folded = upcase(name)
        found = self.children.get(folded)
        if found is None:
            found = self.children[folded] = Key(name)
        return found

    def set(self, name: str, kind: int, data: bytes) -> Key:
        """Set a value from raw bytes; the default value has the name ``""``."""
        self.values[upcase(name)] = (name, kind, data)
        return self

    def sorted_children(self) -> list[Key]:
        return [self.children[folded] for folded in sorted(self.children, key=sort_key)]


class HiveBuilder:
    r"""Collects keys and values and lays them out.

    Args:
        minor: Minor version: 3 or 4 make ``lf`` lists (3 also has no big data), 5 and 6 ``lh``.
        name: Hive name; its usual path stands in the base block.
        root_name: Name of the root key.
        file_name: What the base block says, when not the usual path.
        written: Last-written time of base block and of every key without one.
        lists: ``lh``, ``lf`` or ``li`` instead of the usual kind.
        leaf_limit: Elements in a list before it is split under an ``ri``.
        file_size: Length of the file in bytes, padded with zeros behind the hive bins.
        sequence: Both sequence numbers.

    Attributes:
        open_bins: How many hive bins are filled at a time. With many, the cells of one key lie far apart, as in a hive
            that has been in use for years.
    """

    def __init__(
        self,
        minor: int = 5,
        name: str = "SOFTWARE",
        *,
        root_name: str = "ROOT",
        file_name: str | None = None,
        written: datetime = DEFAULT_TIME,
        lists: str | None = None,
        leaf_limit: int = 507,
        file_size: int | None = None,
        sequence: int = 187,
    ) -> None:
        self.minor = minor
        self.file_name = rf"emRoot\System32\Config\{name}" if file_name is None else file_name
        self.written = written
        self.lists = lists or ("lh" if minor >= 5 else "lf")
        self.leaf_limit = leaf_limit
        self.file_size = file_size
        self.sequence = sequence
        self.open_bins = 1
        self.security = DEFAULT_SECURITY
        self.root = Key(root_name)
        self.root.flags = FLAG_ROOT | FLAG_NO_DELETE
        self.faults: list[tuple[str, str | tuple[str, ...], str, object]] = []

    # -- content ---------------------------------------------------------------------------------------------------
    def find(self, path: str | tuple[str, ...]) -> Key:
        """An existing key; names with a backslash are given as a tuple of names."""
        key = self.root
        for part in _parts(path):
            key = key.children[upcase(part)]
        return key

    def key(
        self,
        path: str | tuple[str, ...],
        *,
        class_name: str | None = None,
        written: datetime | None = None,
        flags: int | None = None,
        security: bytes | None = None,
        lists: str | None = None,
    ) -> Key:
        """The key at ``path``, made with its parents when missing; the options are set when given."""
        key = self.root
        for part in _parts(path):
            key = key.child(part)
        key.class_name = key.class_name if class_name is None else class_name
        key.written = written or key.written
        key.flags = key.flags if flags is None else flags
        key.security = security or key.security
        key.list_kind = lists or key.list_kind
        return key

    def set(self, path: str | tuple[str, ...], name: str, kind: int, data: bytes) -> None:
        """Set a value from raw bytes."""
        self.key(path).set(name, kind, data)

    def dword(self, path: str | tuple[str, ...], name: str, value: int) -> None:
        self.set(path, name, REG_DWORD, struct.pack("<I", value))

    def qword(self, path: str | tuple[str, ...], name: str, value: int) -> None:
        self.set(path, name, REG_QWORD, struct.pack("<Q", value))

    def sz(self, path: str | tuple[str, ...], name: str, text: str) -> None:
        self.set(path, name, REG_SZ, utf16(text))

    def expand(self, path: str | tuple[str, ...], name: str, text: str) -> None:
        self.set(path, name, REG_EXPAND_SZ, utf16(text))

    def multi(self, path: str | tuple[str, ...], name: str, texts: Iterable[str]) -> None:
        self.set(path, name, REG_MULTI_SZ, b"".join(utf16(text) for text in texts) + b"\0\0")

    def binary(self, path: str | tuple[str, ...], name: str, data: bytes) -> None:
        self.set(path, name, REG_BINARY, data)

    def link(self, path: str | tuple[str, ...], target: str) -> None:
        """Make ``path`` a symbolic link to an absolute ``\\Registry\\Machine\\...`` path."""
        self.key(path, flags=FLAG_LINK).set("SymbolicLinkValue", REG_LINK, utf16(target, terminated=False))

    def fill(self, path: str | tuple[str, ...], keys: int, *, fanout: int = 20, values: int = 2) -> None:
        """Add about ``keys`` keys below ``path``: COM-class-like groups, so that a hive gets its real size."""
        parent = self.key(path)
        text = utf16(r"%SystemRoot%\System32\filler.dll")
        made = 0
        while made < keys:
            group = parent.child(f"{{{made * 2654435761 & NONE:08X}-0000-4000-8000-{made:012X}}}")
            made += 1
            for number in range(min(fanout, keys - made)):
                leaf = group.child(f"Element{number:04d}")
                for index in range(values):
                    leaf.set(f"Value{index}" if index else "", REG_EXPAND_SZ, text)
                made += 1

    def fault(
        self, name: str, path: str | tuple[str, ...] = "", value: str = "", argument: object = None
    ) -> HiveBuilder:
        """Ask for a deliberate fault, see :data:`tests.build.hive_faults.FAULTS`."""
        self.faults.append((name, path, value, argument))
        return self

    # -- layout ----------------------------------------------------------------------------------------------------
    def build(self) -> bytes:
        """Lay everything out; healthy unless a fault was asked for."""
        bins = _Bins(filetime(self.written), self.open_bins)
        _Writer(self, bins).write()
        bins.finish()
        data = bytearray(self._base_block(len(bins.data)))
        data += bins.data
        if self.file_size is not None and self.file_size > len(data):
            data += bytes(self.file_size - len(data))
        if self.faults:
            from tests.build.hive_faults import apply_faults

            apply_faults(self, data)
        return bytes(data)

    def _base_block(self, bins_size: int) -> bytes:
        block = bytearray(BASE_BLOCK)
        stamp = filetime(self.written)
        struct.pack_into(
            "<4sIIQIIIIIII", block, 0,
            b"regf", self.sequence, self.sequence, stamp, 1, self.minor, 0, 1, self.root.offset, bins_size, 1,
        )  # fmt: skip
        block[48:112] = self.file_name.encode("utf-16-le")[:64].ljust(64, b"\0")
        if self.minor >= 5:
            guid = bytes.fromhex("00d3ce6c016ede118bed001e0bcd1824")
            block[112:164] = guid + guid + bytes(4) + guid
            struct.pack_into("<4sQ", block, 164, b"rmtm", stamp)
        seal(block)
        return bytes(block)


def seal(data: bytearray) -> None:
    """Put the right checksum into the base block."""
    value = 0
    for word in struct.unpack_from("<127I", data):
        value ^= word
    _U32.pack_into(data, 508, {0: 1, NONE: NONE - 1}.get(value, value))


def _parts(path: str | tuple[str, ...]) -> Iterator[str]:
    return iter(path) if isinstance(path, tuple) else (part for part in path.split("\\") if part)


class _Bins:
    """Hive bins filled from front to back, one or several at a time."""

    def __init__(self, stamp: int, open_bins: int = 1) -> None:
        self.data = bytearray()
        self._stamp = stamp
        self._open = [[0, 0] for _ in range(open_bins)]  # next free place and end of each
        self._turn = 0

    def allocate(self, length: int) -> int:
        """A used cell for ``length`` bytes; returns its offset from the start of the hive bins."""
        size = (length + 11) & ~7
        self._turn = self._turn * 1103515245 + 12345 & 0x7FFFFFFF
        current = self._open[(self._turn >> 8) % len(self._open)]
        position, end = current
        if position + size > end:
            self._close(current)
            position = len(self.data)
            end = position + ((size + 32 + 4095) & ~4095)
            self.data += bytes(end - position)
            struct.pack_into("<4sIIQQI", self.data, position, b"hbin", position, end - position, 0, self._stamp, 0)
            self._stamp = 0  # only the first bin carries a time
            position += 32
        _I32.pack_into(self.data, position, -size)
        current[:] = position + size, end
        return position

    def add(self, content: bytes) -> int:
        """A used cell with that content."""
        offset = self.allocate(len(content))
        self.data[offset + 4 : offset + 4 + len(content)] = content
        return offset

    def finish(self) -> None:
        """Turn what is left of the open bins into one free cell each."""
        for current in self._open:
            self._close(current)

    def _close(self, current: list[int]) -> None:
        position, end = current
        if position < end:
            _I32.pack_into(self.data, position, end - position)
        current[0] = end


class _Writer:
    """Writes the tree into bins, parents before children; a list entry is filled in when its key gets its place."""

    def __init__(self, builder: HiveBuilder, bins: _Bins) -> None:
        self._builder = builder
        self._bins = bins
        self._stamp = filetime(builder.written)
        self._security: dict[bytes, tuple[int, list[int]]] = {}

    def write(self) -> None:
        data = self._bins.data
        stack: list[tuple[Key, int, int]] = [(self._builder.root, NONE, 0)]
        while stack:
            key, parent, entry = stack.pop()
            raw, latin1 = _name(key.name)
            key.offset = offset = self._bins.allocate(KEY_NODE.size + len(raw))
            if entry:
                _U32.pack_into(data, entry, offset)
            security = self._security_of(key)
            longest = (0, 0, 0, 0)
            if key.values:
                longest = (0, 0, *self._values(key))
            if key.children:
                children = key.sorted_children()
                key.list_offset, entries = self._lists(key, children)
                longest = (
                    max(len(utf16(child.name, terminated=False)) for child in children),
                    max(2 * len(child.class_name) for child in children),
                    *longest[2:],
                )
                stack.extend(reversed([(c, offset, e) for c, e in zip(children, entries, strict=True)]))
            class_raw = key.class_name.encode("utf-16-le")
            KEY_NODE.pack_into(
                data, offset + 4, b"nk", key.flags | (FLAG_LATIN1 if latin1 else 0),
                filetime(key.written) if key.written else self._stamp, 0, parent, len(key.children), 0,
                key.list_offset, NONE, len(key.values), key.value_list_offset, security,
                self._bins.add(class_raw) if class_raw else NONE, *longest, 0, len(raw), len(class_raw),
            )  # fmt: skip
            data[offset + 80 : offset + 80 + len(raw)] = raw
        self._link_security()

    def _security_of(self, key: Key) -> int:
        descriptor = key.security or self._builder.security
        known = self._security.get(descriptor)
        if known is None:
            cell = self._bins.add(struct.pack("<2sHIIII", b"sk", 0, 0, 0, 0, len(descriptor)) + descriptor)
            known = self._security[descriptor] = (cell, [0])
        known[1][0] += 1
        return known[0]

    def _link_security(self) -> None:
        cells = list(self._security.values())
        for index, (cell, count) in enumerate(cells):
            following, previous = cells[(index + 1) % len(cells)][0], cells[index - 1][0]
            struct.pack_into("<III", self._bins.data, cell + 8, following, previous, count[0])

    def _values(self, key: Key) -> tuple[int, int]:
        bins = self._bins
        offsets = []
        longest_name = longest_data = 0
        for name, kind, content in key.values.values():
            raw, latin1 = _name(name)
            length, where = self._data(content)
            header = KEY_VALUE.pack(b"vk", len(raw), length, where, kind, 1 if latin1 and raw else 0, 0)
            offsets.append(bins.add(header + raw))
            longest_name = max(longest_name, len(raw) * 2 if latin1 else len(raw))
            longest_data = max(longest_data, len(content))
        key.value_list_offset = bins.add(struct.pack(f"<{len(offsets)}I", *offsets))
        return longest_name, longest_data

    def _data(self, content: bytes) -> tuple[int, int]:
        if len(content) <= 4:
            return 0x80000000 | len(content), int.from_bytes(content, "little")
        if len(content) <= BIG_DATA or self._builder.minor <= 3:
            return len(content), self._bins.add(content)
        segments = [
            self._bins.add(content[start : start + BIG_DATA]) for start in range(0, len(content), BIG_DATA)
        ]  # fmt: skip
        table = self._bins.add(struct.pack(f"<{len(segments)}I", *segments))
        return len(content), self._bins.add(struct.pack("<2sHI", b"db", len(segments), table))

    def _lists(self, key: Key, children: list[Key]) -> tuple[int, list[int]]:
        """Returns the offset of the (upper) list, and where in the bins each child's offset is to be put."""
        limit = self._builder.leaf_limit
        kind = key.list_kind or self._builder.lists
        nested = kind == "ri-nested"
        kind = self._builder.lists if nested else kind
        leaves, entries = [], []
        for start in range(0, len(children), limit):
            leaf, positions = self._leaf(kind, children[start : start + limit])
            leaves.append(leaf)
            entries += positions
        if len(leaves) == 1 and not nested:
            return leaves[0], entries
        upper = self._bins.add(struct.pack(f"<2sH{len(leaves)}I", b"ri", len(leaves), *leaves))
        if nested:
            upper = self._bins.add(struct.pack("<2sHI", b"ri", 1, upper))
        return upper, entries

    def _leaf(self, kind: str, children: list[Key]) -> tuple[int, list[int]]:
        head = struct.pack("<2sH", kind.encode(), len(children))
        if kind == "li":
            offset = self._bins.add(head + bytes(4 * len(children)))
            return offset, [offset + 8 + 4 * index for index in range(len(children))]
        if kind == "lh":
            tails = [name_hash(child.name) for child in children]
        else:
            tails = [int.from_bytes(_hint(child.name), "little") for child in children]
        offset = self._bins.add(head + b"".join([_ENTRY.pack(0, tail) for tail in tails]))
        return offset, [offset + 8 + 8 * index for index in range(len(children))]


def _hint(name: str) -> bytes:
    """First four characters of a name as Latin-1; characters that do not fit are zero."""
    return bytes(ord(char) if ord(char) < 256 else 0 for char in name[:4])


def _name(name: str) -> tuple[bytes, bool]:
    try:
        return name.encode("latin-1"), True
    except UnicodeEncodeError:
        return name.encode("utf-16-le", "surrogatepass"), False
