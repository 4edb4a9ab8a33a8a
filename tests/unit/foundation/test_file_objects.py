"""File objects of callers: whatever they raise or return, the error is ours and names what they did."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

import vdiskkit
from vdiskkit.errors import SourceError, VDiskError
from vdiskkit.io import StreamSource, stream_name

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = bytes(range(256)) * 8


class Odd(io.BytesIO):
    """A file object one of whose methods does something else."""

    def __init__(self, **methods: Callable[..., Any]) -> None:
        super().__init__(DATA)
        self.methods = methods

    def read(self, size: int | None = -1, /) -> Any:
        return self.methods["read"](size) if "read" in self.methods else super().read(size)

    def seek(self, offset: int, whence: int = 0, /) -> Any:
        return self.methods["seek"](offset, whence) if "seek" in self.methods else super().seek(offset, whence)


def raises(error: BaseException) -> Callable[..., Any]:
    def method(*_arguments: object) -> None:
        raise error

    return method


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda _size: None, "reading failed: read() returned None instead of bytes"),
        (lambda _size: "text", "reading failed: read() returned a str instead of bytes"),
        (lambda _size: 7, "reading failed: read() returned 7 instead of bytes"),
        (lambda size: bytes(size + 1), "reading failed: read(16) returned 17 bytes"),
        (lambda _size: b"", "reading failed: the file ended early; it has been cut while it was read"),
        (
            raises(ValueError("I/O operation on closed file")),
            "reading failed: ValueError: I/O operation on closed file",
        ),
        (raises(RuntimeError()), "reading failed: RuntimeError"),
        (raises(ZeroDivisionError("x")), "reading failed: ZeroDivisionError: x"),
        (raises(OSError(5, "Input/output error")), "reading failed: Input/output error"),
        (raises(EOFError()), "reading failed: EOFError"),
    ],
)
def test_reading(read: Callable[[int], Any], message: str) -> None:
    source = StreamSource(Odd(read=read), "odd")
    with pytest.raises(SourceError) as caught:
        source.read_at(4, 16)
    assert (caught.value.message, str(caught.value.location)) == (message, "odd > byte:0x4")
    assert caught.value.hint == "check the disk or share, then try again"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("most", [1, 7, 1 << 20])
def test_short_reads_and_other_kinds_of_bytes_are_put_together(kind: Callable[[bytes], Any], most: int) -> None:
    plain = io.BytesIO(DATA)

    def read(size: int) -> Any:
        return kind(plain.read(min(size, most)))

    source = StreamSource(Odd(read=read, seek=plain.seek))
    found = source.read_at(3, 300)
    assert (found, type(found)) == (DATA[3:303], bytes)
    assert source.read_at(5, 0) == b""


@pytest.mark.parametrize(
    ("seek", "why"),
    [
        (lambda _offset, _whence: None, "seek() returned None instead of the new position"),
        (lambda _offset, _whence: -1, "seek() returned -1 instead of the new position"),
        (lambda _offset, _whence: "12", "seek() returned a str instead of the new position"),
        (raises(TypeError("odd")), "TypeError: odd"),
        (raises(io.UnsupportedOperation("not seekable")), "UnsupportedOperation: not seekable"),
    ],
)
def test_seeking(seek: Callable[..., Any], why: str) -> None:
    with pytest.raises(SourceError) as caught:
        StreamSource(Odd(seek=seek))
    assert caught.value.message == f"the file object cannot seek: {why}"
    assert caught.value.hint == "give a path or a seekable binary file object"


def test_an_error_of_ours_and_an_interruption_pass() -> None:
    with pytest.raises(KeyboardInterrupt):
        StreamSource(Odd(read=raises(KeyboardInterrupt()))).read_at(0, 1)
    with pytest.raises(VDiskError, match="mine"):
        StreamSource(Odd(read=raises(VDiskError("mine")))).read_at(0, 1)


def test_names() -> None:
    class Named(io.BytesIO):
        @property
        def name(self) -> str:
            raise RuntimeError

    assert stream_name(Named()) == stream_name(io.BytesIO()) == ""
    numbered: Any = io.BytesIO()
    numbered.name = 3
    assert stream_name(numbered) == ""
    numbered.name = "x"
    assert stream_name(numbered) == "x"


@pytest.mark.parametrize("opened", [vdiskkit.open_vdisk, lambda odd: vdiskkit.open_hive(odd).__enter__()])
def test_through_the_library(opened: Callable[[Any], object]) -> None:
    for odd in (Odd(read=raises(RuntimeError("x"))), Odd(read=lambda _size: None), Odd(seek=raises(LookupError("x")))):
        with pytest.raises(SourceError):
            opened(odd)
    with pytest.raises(SourceError, match="cannot seek: AttributeError"):
        opened(object())
