"""Keys, lists, values and security descriptors for the structural check."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.registry.cells import NO_CELL
from vdiskkit.registry.upcase import code_units, name_hash, sort_key

if TYPE_CHECKING:
    from vdiskkit.patch.registry.check_cells import CellMap

__all__ = ["KeyChecker"]

_KEY = struct.Struct("<2sHQIIIIIIIIIIHHIIIIHH")
_VALUE = struct.Struct("<2sHIIIHH")
_LIST = struct.Struct("<2sH")
_BIG_DATA = struct.Struct("<2sHI")
_SECURITY = struct.Struct("<2sHIIII")
_LATIN1_KEY, _PREDEFINED, _LATIN1_VALUE = 0x20, 0x40, 1
_SEGMENT = 16344
_INLINE = 0x80000000
_DEPTH_MAX = 512
"""Windows makes no more levels of keys."""


class _Child(NamedTuple):
    offset: int
    kind: bytes
    tail: int


class _Todo(NamedTuple):
    offset: int
    parent: int | None
    path: str
    depth: int


class KeyChecker:
    """Checks keys one by one or all of them; problems go to the cell map.

    Attributes:
        references: How many of the keys seen use each security descriptor.
    """

    def __init__(self, cells: CellMap) -> None:
        self._cells = cells
        self.references: dict[int, int] = {}
        self._claimed: set[int] = set()
        self._shared = True
        self._names: dict[int, str] = {}

    def walk(self) -> None:
        """Check all keys, and that no two things share a cell."""
        self._shared = False
        todo = [_Todo(self._cells.base.root_cell, None, "", 0)]
        seen: set[int] = set()
        while todo:
            item = todo.pop()
            if item.offset in seen or item.depth > _DEPTH_MAX:
                self._cells.report("key", f"the key {item.path!r} is listed twice or nested too deep", item.offset)
                continue
            seen.add(item.offset)
            for child in self.key(item.offset, item.parent, item.path, children=True):
                name = self._names.pop(child.offset, "?")
                path = f"{item.path}\\{name}" if item.path else name
                todo.append(_Todo(child.offset, item.offset, path, item.depth + 1))

    def key(self, offset: int, parent: int | None, path: str, *, children: bool) -> list[_Child]:
        """Check one key with its values; with its subkey lists when ``children``; return its subkeys."""
        raw = self._content(offset, _KEY.size, f"the key {path!r}", "key")
        if raw is None:
            return []
        fields = _KEY.unpack_from(raw)
        if fields[0] != b"nk":
            self._cells.report("key", f"the key {path!r} begins with {fields[0]!r} instead of 'nk'", offset)
            return []
        flags, count, list_offset, value_count, value_list = fields[1], fields[5], fields[7], fields[9], fields[10]
        security, class_offset, name_length, class_length = fields[11], fields[12], fields[19], fields[20]
        if not name_length or name_length > len(raw) - _KEY.size or (not flags & _LATIN1_KEY and name_length & 1):
            self._cells.report("key", f"the name of the key {path!r} has {name_length} bytes", offset)
        if parent is not None and fields[4] != parent:
            self._cells.report("key", f"the key {path!r} names {fields[4]:#x} as its parent", offset)
        if class_length:
            self._content(class_offset, class_length, f"the class name of {path!r}", "key")
        self.references[security] = self.references.get(security, 0) + 1
        if value_count and not flags & _PREDEFINED:
            self._values(offset, path, value_count, value_list, fields[16], fields[17])
        if not children or not count:
            return []
        found = self._list(list_offset, path, nested=False)
        if len(found) != count:
            self._cells.report("list", f"the key {path!r} counts {count} subkeys, its list has {len(found)}", offset)
        self._order(path, offset, found, fields[13])
        return found

    def _order(self, path: str, key: int, children: list[_Child], longest: int) -> None:
        previous = b""
        for child in children:
            raw = self._peek(child.offset, _KEY.size, f"a subkey of {path!r}", "list")
            if raw is None or raw[:2] != b"nk":
                self._cells.report("list", f"a subkey of {path!r} is no key", child.offset)
                continue
            (flags,), (length,) = struct.unpack_from("<H", raw, 2), struct.unpack_from("<H", raw, 72)
            (parent,) = struct.unpack_from("<I", raw, 16)
            name = _name(raw[_KEY.size : _KEY.size + length], latin1=bool(flags & _LATIN1_KEY))
            self._names[child.offset] = name
            current = sort_key(name)
            if current <= previous:
                self._cells.report("list", f"the subkey {name!r} of {path!r} is out of order", child.offset)
            previous = current
            if parent != key:
                self._cells.report("key", f"the subkey {name!r} of {path!r} has another parent", child.offset)
            if child.kind == b"lh" and child.tail != name_hash(name):
                self._cells.report("list", f"the subkey {name!r} of {path!r} has a wrong hash", child.offset)
            if child.kind == b"lf" and not _hint_fits(child.tail, name):
                self._cells.report("list", f"the subkey {name!r} of {path!r} has a wrong hint", child.offset)
            if 2 * len(code_units(name)) > longest:
                message = f"the longest subkey name of {path!r} is said to have {longest} bytes, {name!r} has more"
                self._cells.report("maximum", message, key, severe=False)

    def _list(self, offset: int, path: str, *, nested: bool) -> list[_Child]:
        what = f"the subkey list of {path!r}"
        raw = self._content(offset, _LIST.size, what, "list")
        if raw is None:
            return []
        kind, count = _LIST.unpack_from(raw)
        width = {b"lf": 8, b"lh": 8, b"li": 4, b"ri": 4}.get(kind, 0)
        if not width or not count or _LIST.size + width * count > len(raw) or (nested and kind == b"ri"):
            self._cells.report("list", f"{what} is a {kind!r} of {count} elements in {len(raw)} bytes", offset)
            return []
        numbers = struct.unpack_from(f"<{width // 4 * count}I", raw, _LIST.size)
        if kind == b"li":
            return [_Child(number, kind, 0) for number in numbers]
        if kind == b"ri":
            return [child for number in numbers for child in self._list(number, path, nested=True)]
        return [_Child(numbers[at], kind, numbers[at + 1]) for at in range(0, len(numbers), 2)]

    def _values(self, key: int, path: str, count: int, offset: int, longest_name: int, longest_data: int) -> None:
        raw = self._content(offset, 4 * count, f"the list of {count} values of {path!r}", "value")
        if raw is None:
            return
        for number in struct.unpack_from(f"<{count}I", raw):
            record = self._content(number, _VALUE.size, f"a value of {path!r}", "value")
            if record is None:
                continue
            signature, name_length, length, data, _, flags, _ = _VALUE.unpack_from(record)
            latin1 = bool(flags & _LATIN1_VALUE)
            if signature != b"vk" or name_length > len(record) - _VALUE.size or (not latin1 and name_length & 1):
                self._cells.report("value", f"a value of {path!r} is damaged", number)
                continue
            name = _name(record[_VALUE.size : _VALUE.size + name_length], latin1=latin1)
            self._data(f"the data of {path!r}, {name!r}", length, data)
            if 2 * len(code_units(name)) > longest_name or length & ~_INLINE > longest_data:
                message = f"the value {name!r} of {path!r} is longer than the key's maximum fields say"
                self._cells.report("maximum", message, key, severe=False)

    def _data(self, what: str, length: int, offset: int) -> None:
        if length & _INLINE:
            if length & ~_INLINE > 4:
                self._cells.report("value", f"{what}: {length & ~_INLINE} bytes in a field of 4", None)
        elif length > _SEGMENT and self._cells.base.minor > 3:
            self._big_data(what, length, offset)
        elif length or offset != NO_CELL:
            self._content(offset, max(length, 1), what, "value")

    def _big_data(self, what: str, length: int, offset: int) -> None:
        raw = self._content(offset, _BIG_DATA.size, what, "value")
        if raw is None:
            return
        signature, count, table = _BIG_DATA.unpack_from(raw)
        if signature != b"db" or count != -(-length // _SEGMENT):
            self._cells.report("value", f"{what}: {length} bytes in {count} segments under {signature!r}", offset)
            return
        numbers = self._content(table, 4 * count, f"the segment list of {what}", "value")
        for number in struct.unpack_from(f"<{count}I", numbers) if numbers else ():
            self._content(number, min(length, _SEGMENT), f"a segment of {what}", "value")
            length -= _SEGMENT

    # -- security descriptors --------------------------------------------------------------------------------------
    def securities(self) -> None:
        """Check all security descriptors: one ring, and the right count in each."""
        if not self.references:
            return
        start = at = min(self.references)
        ring: set[int] = set()
        while at not in ring:
            ring.add(at)
            following = self.security(at, self.references.get(at, 0))
            if following is None:
                return
            at = following
        if at != start or not self.references.keys() <= ring:
            self._cells.report("security", "the security descriptors are not linked in one ring", start)

    def security(self, offset: int, references: int | None = None) -> int | None:
        """Check one security descriptor and its links; return the next one."""
        what = "a security descriptor"
        raw = self._content(offset, _SECURITY.size, what, "security")
        if raw is None:
            return None
        signature, _, following, previous, stored, length = _SECURITY.unpack_from(raw)
        if signature != b"sk" or _SECURITY.size + length > len(raw):
            self._cells.report("security", f"{what} is damaged", offset)
            return None
        users = "some" if references is None else references
        if not stored or (references is not None and stored != references):
            self._cells.report("security", f"{what} counts {stored} keys, {users} use it", offset)
        for other, at in ((following, 8), (previous, 4)):
            neighbour = self._peek(other, _SECURITY.size, f"the neighbour of {what}", "security")
            if neighbour is None:
                return None
            if int.from_bytes(neighbour[at : at + 4], "little") != offset:
                self._cells.report("security", f"the neighbour of {what} does not lead back to it", offset)
        return int(following)

    def leaks(self) -> None:
        """Report used cells that nothing refers to."""
        lost = [offset for offset, size in self._cells.sizes.items() if size < 0 and offset not in self._claimed]
        if lost:
            self._cells.report("leak", f"{len(lost)} used cells are referred to by nothing", lost[0], severe=False)

    def _content(self, offset: int, need: int, what: str, code: str) -> bytes | None:
        if not self._shared:
            if offset in self._claimed:
                self._cells.report(code, f"{what} shares its cell with something else", offset)
                return None
            self._claimed.add(offset)
        return self._peek(offset, need, what, code)

    def _peek(self, offset: int, need: int, what: str, code: str) -> bytes | None:
        return self._cells.content(offset, need, what, code)


def _name(raw: bytes, *, latin1: bool) -> str:
    return raw.decode("latin-1") if latin1 else raw[: len(raw) & ~1].decode("utf-16-le", "surrogatepass")


def _hint_fits(hint: int, name: str) -> bool:
    units = code_units(name)[:4]
    if not hint & 0xFF or any(unit > 0x7F for unit in units):
        return True
    return hint == int.from_bytes(bytes(units).ljust(4, b"\0"), "little")
