"""Binary XML, the form in which event logs keep their records.

Names and templates lie anywhere in a chunk and are addressed from its start. A template is parsed once for each chunk;
a record then gives the values for it. What comes out is no tree but the texts with the path of their element, which is
all that a search for a few events needs.

Every offset and size comes from the file. Reading never leaves the chunk, nesting is bounded, and so are all steps that
one chunk may take: overlapping templates could otherwise be gone through without end.

Follows [MS-EVEN6] section 2.2.12 and the libevtx documentation of the format.
"""

from __future__ import annotations

import struct
import uuid
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.registry.filetime import filetime_to_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BinaryXml", "BinaryXmlError"]

_MAX_DEPTH = 24
_MAX_STEPS = 400_000
"""Tokens, values and texts that one chunk may take; a full chunk of Windows takes some thousands."""
_MAX_VALUES = 512
_MAX_NAME = 512
_CHARACTERS_PER_STEP = 64

_U16, _U32, _U64 = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<Q")
_END, _OPEN, _CLOSE_OPEN, _CLOSE_EMPTY, _CLOSE = 0, 1, 2, 3, 4
_VALUE, _ATTRIBUTE, _CDATA, _CHAR, _ENTITY = 5, 6, 7, 8, 9
_TARGET, _DATA, _INSTANCE, _NORMAL, _OPTIONAL, _FRAGMENT = 10, 11, 12, 13, 14, 15
_MORE = 0x40
_STRING, _ANSI, _BINARY, _GUID, _SIZE, _TIME, _SID, _XML = 0x01, 0x02, 0x0E, 0x0F, 0x10, 0x11, 0x13, 0x21
_ARRAY = 0x80
_SIGNED = {0x03: 1, 0x05: 2, 0x07: 4, 0x09: 8}
_UNSIGNED = {0x04: 1, 0x06: 2, 0x08: 4, 0x0A: 8, 0x0D: 4}
_HEXADECIMAL = {0x14: 4, 0x15: 8}
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


class BinaryXmlError(Exception):
    """The bytes are no binary XML; the text says why. It never leaves this package."""


class _Slot(NamedTuple):
    """Where a template takes a value."""

    number: int


class _Element(NamedTuple):
    name: str
    attributes: tuple[tuple[str, tuple[_Part, ...]], ...]
    children: tuple[_Part, ...]


class _Instance(NamedTuple):
    """A template with its values."""

    elements: tuple[_Part, ...]
    values: tuple[_Values, ...]


_Values = tuple["str | _Fragment", ...]
"""One substitution: nothing, one value, or the items of an array."""
_Part = str | _Slot | _Element | _Instance


class _Fragment(NamedTuple):
    """Binary XML as a value."""

    parts: tuple[_Part, ...]


class BinaryXml:
    """The binary XML of one chunk.

    Args:
        chunk: All bytes of the chunk.
    """

    def __init__(self, chunk: bytes) -> None:
        self._data = chunk
        self._templates: dict[int, tuple[tuple[_Part, ...], int]] = {}
        self._names: dict[int, tuple[str, int]] = {}
        self._steps = _MAX_STEPS

    def texts(self, start: int, end: int) -> Iterator[tuple[str, str]]:
        """Yield the texts of the fragment at ``start``, each with its path.

        Paths are like ``Event/System/EventID`` for the text of an element, ``Event/System/Provider@Name`` for an
        attribute. An element without anything in it gives an empty text.

        Raises:
            BinaryXmlError: The bytes are no binary XML.
        """
        parts, _ = self._fragment(start, end, 0, inside=False)
        yield from self._walk(parts, (), "", 0)

    # -- parsing ------------------------------------------------------------------------------------------------

    def _fragment(self, at: int, end: int, depth: int, *, inside: bool) -> tuple[tuple[_Part, ...], int]:
        """Parse tokens until the end token or ``end``; ``inside`` a template elements carry a dependency id."""
        parts: list[_Part] = []
        while at < end:
            token = self._byte(at)
            if token == _END:
                return tuple(parts), at + 1
            if token == _FRAGMENT:
                at += 4
            elif token == _INSTANCE:
                instance, at = self._instance(at, end, depth + 1)
                parts.append(instance)
            else:
                part, at = self._part(at, end, depth, inside=inside)
                parts.append(part)
        return tuple(parts), at

    def _part(self, at: int, end: int, depth: int, *, inside: bool) -> tuple[_Part, int]:
        self._step(depth)
        token = self._byte(at)
        kind = token & ~_MORE
        if kind == _OPEN:
            return self._element(at, end, depth + 1, inside=inside)
        if kind in (_NORMAL, _OPTIONAL):
            return _Slot(self._u16(at + 1)), at + 4
        if kind == _VALUE:
            if self._byte(at + 1) != _STRING:
                raise BinaryXmlError(f"a literal value of type {self._byte(at + 1):#x}")
            return self._counted(at + 2)
        if kind == _CDATA:
            return self._counted(at + 1)
        if kind == _CHAR:
            code = self._u16(at + 1)
            return chr(code), at + 3
        if kind == _ENTITY:
            name, at = self._name(at + 1)
            return _ENTITIES.get(name, ""), at
        if kind == _TARGET:
            _, at = self._name(at + 1)
            return "", at
        if kind == _DATA:
            _, at = self._counted(at + 1)
            return "", at
        raise BinaryXmlError(f"the token {token:#04x} is not known here")

    def _element(self, at: int, end: int, depth: int, *, inside: bool) -> tuple[_Element, int]:
        more = self._byte(at) & _MORE
        name, at = self._name(at + (7 if inside else 5))
        attributes = []
        if more:
            stop = at + 4 + self._u32(at)
            at += 4
            while at < stop:
                if self._byte(at) & ~_MORE != _ATTRIBUTE:
                    raise BinaryXmlError("the attribute list holds something else")
                key, at = self._name(at + 1)
                value = []
                while at < stop and self._byte(at) & ~_MORE in (_VALUE, _CHAR, _ENTITY, _NORMAL, _OPTIONAL):
                    part, at = self._part(at, end, depth, inside=inside)
                    value.append(part)
                self._step(depth)
                attributes.append((key, tuple(value)))
        token = self._byte(at)
        if token == _CLOSE_EMPTY:
            return _Element(name, tuple(attributes), ()), at + 1
        if token != _CLOSE_OPEN:
            raise BinaryXmlError(f"the element {name!r} is not closed")
        at += 1
        children: list[_Part] = []
        while self._byte(at) != _CLOSE:
            if at >= end:
                raise BinaryXmlError(f"the element {name!r} has no end")
            child, at = self._part(at, end, depth, inside=inside)
            children.append(child)
        return _Element(name, tuple(attributes), tuple(children)), at + 1

    def _instance(self, at: int, end: int, depth: int) -> tuple[_Instance, int]:
        self._step(depth)
        definition = self._u32(at + 6)
        at += 10
        elements, behind = self._template(definition, depth)
        if definition == at:
            at = behind  # the first record that uses a template holds it
        count = self._u32(at)
        if count > _MAX_VALUES:
            raise BinaryXmlError(f"{count} values for one template")
        at += 4
        place = at + 4 * count
        values: list[_Values] = []
        for number in range(count):
            size, kind = self._u16(at + 4 * number), self._byte(at + 4 * number + 2)
            if place + size > end:
                raise BinaryXmlError("a value reaches over the end of its record")
            values.append(self._value(kind, place, place + size, depth))
            place += size
        return _Instance(elements, tuple(values)), place

    def _template(self, at: int, depth: int) -> tuple[tuple[_Part, ...], int]:
        known = self._templates.get(at)
        if known is None:
            start = at + 24
            end = start + self._u32(at + 20)
            if end > len(self._data):
                raise BinaryXmlError("a template reaches over the end of its chunk")
            elements, _ = self._fragment(start, end, depth + 1, inside=True)
            known = self._templates[at] = (elements, end)
        return known

    def _name(self, at: int) -> tuple[str, int]:
        offset = self._u32(at)
        at += 4
        known = self._names.get(offset)
        if known is None:
            if self._u16(offset + 6) > _MAX_NAME:
                raise BinaryXmlError("a name that is longer than any real one")
            text, behind = self._counted(offset + 6)
            known = self._names[offset] = (text, behind + 2)  # a NUL follows the characters
        name, behind = known
        return name, behind if offset == at else at

    # -- values -------------------------------------------------------------------------------------------------

    def _value(self, kind: int, start: int, end: int, depth: int) -> _Values:
        self._step(depth, 1 + (end - start) // _CHARACTERS_PER_STEP)
        if start == end or kind & ~_ARRAY == 0:
            return ()
        if kind == _XML:
            return (_Fragment(self._fragment(start, end, depth + 1, inside=False)[0]),)
        raw = self._data[start:end]
        if not kind & _ARRAY:
            return (_scalar(kind, raw),)
        kind &= ~_ARRAY
        if kind == _STRING:
            return tuple(_text(raw).removesuffix("\0").split("\0"))
        width = _width(kind)
        if not width or len(raw) % width:
            raise BinaryXmlError(f"an array of type {kind:#x} in {len(raw)} bytes")
        self._step(depth, len(raw) // width)
        return tuple(_scalar(kind, raw[at : at + width]) for at in range(0, len(raw), width))

    # -- putting values in --------------------------------------------------------------------------------------

    def _walk(
        self, parts: tuple[_Part, ...], values: tuple[_Values, ...], path: str, depth: int
    ) -> Iterator[tuple[str, str]]:
        for part in parts:
            self._step(depth)
            if isinstance(part, str):
                self._step(depth, len(part) // _CHARACTERS_PER_STEP)
                yield path, part
            elif isinstance(part, _Element):
                below = f"{path}/{part.name}" if path else part.name
                for key, pieces in part.attributes:
                    yield f"{below}@{key}", "".join(text for _, text in self._walk(pieces, values, "", depth + 1))
                empty = True
                for found in self._walk(part.children, values, below, depth + 1):
                    empty = False
                    yield found
                if empty:
                    yield below, ""
            elif isinstance(part, _Instance):
                yield from self._walk(part.elements, part.values, path, depth + 1)
            elif part.number < len(values):
                for value in values[part.number]:
                    self._step(depth)
                    if isinstance(value, str):
                        self._step(depth, len(value) // _CHARACTERS_PER_STEP)
                        yield path, value
                    else:
                        yield from self._walk(value.parts, (), path, depth + 1)

    # -- bounded access -----------------------------------------------------------------------------------------

    def _step(self, depth: int, steps: int = 1) -> None:
        self._steps -= steps
        if self._steps < 0:
            raise BinaryXmlError("the chunk takes more steps than any healthy one")
        if depth > _MAX_DEPTH:
            raise BinaryXmlError("nested too deeply")

    def _byte(self, at: int) -> int:
        if at >= len(self._data):
            raise BinaryXmlError("cut off")
        return self._data[at]

    def _u16(self, at: int) -> int:
        return self._number(_U16, at)

    def _u32(self, at: int) -> int:
        return self._number(_U32, at)

    def _number(self, layout: struct.Struct, at: int) -> int:
        if at + layout.size > len(self._data):
            raise BinaryXmlError("cut off")
        number: int = layout.unpack_from(self._data, at)[0]
        return number

    def _counted(self, at: int) -> tuple[str, int]:
        end = at + 2 + 2 * self._u16(at)
        if end > len(self._data):
            raise BinaryXmlError("a text reaches over the end of its chunk")
        self._step(0, (end - at) // (2 * _CHARACTERS_PER_STEP))
        return _text(self._data[at + 2 : end]), end


def _width(kind: int) -> int:
    if kind in (_GUID, 0x12):
        return 16
    if kind == _TIME:
        return 8
    return _SIGNED.get(kind) or _UNSIGNED.get(kind) or _HEXADECIMAL.get(kind) or 0


def _text(raw: bytes) -> str:
    return raw[: len(raw) & ~1].decode("utf-16-le", "surrogatepass")


def _scalar(kind: int, raw: bytes) -> str:
    if kind == _STRING:
        return _text(raw).rstrip("\0")
    if kind == _ANSI:
        return raw.rstrip(b"\0").decode("latin-1")
    width = _width(kind)
    if width and len(raw) != width:
        raise BinaryXmlError(f"a value of type {kind:#x} in {len(raw)} bytes")
    if kind in _SIGNED:
        return str(int.from_bytes(raw, "little", signed=True))
    if kind in _UNSIGNED:
        return str(int.from_bytes(raw, "little"))
    if kind in _HEXADECIMAL or (kind == _SIZE and len(raw) in (4, 8)):
        return f"{int.from_bytes(raw, 'little'):#x}"
    if kind == _GUID:
        return f"{{{uuid.UUID(bytes_le=raw)}}}"
    if kind == _TIME:
        when = filetime_to_datetime(int.from_bytes(raw, "little"))
        return when.isoformat() if when is not None else ""
    if kind == _SID and 8 <= len(raw) == 8 + 4 * raw[1]:
        numbers = struct.unpack(f"<{raw[1]}I", raw[8:])
        return "-".join(map(str, ("S", raw[0], int.from_bytes(raw[2:8], "big"), *numbers)))
    return raw.hex()
