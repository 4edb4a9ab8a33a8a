from __future__ import annotations

import pytest

from tests.build.hive import utf16
from vdiskkit.registry.value_types import decode, type_name


def text(value: str) -> bytes:
    return utf16(value, terminated=False)


@pytest.mark.parametrize(
    ("kind", "raw", "data"),
    [
        (0, b"", b""),
        (0, b"\1\2\3", b"\1\2\3"),
        (1, text("abc\0"), "abc"),
        (1, text("abc\0\0\0"), "abc"),
        (1, b"", ""),
        (1, text("\0"), ""),
        (1, text("ab"[0] + "\u4e2d\0"), "a\u4e2d"),
        (1, text("\u3130\u3131\0"), "\u3130\u3131"),  # bytes that look like ASCII are UTF-16 all the same
        (2, text("%SystemRoot%\0"), "%SystemRoot%"),
        (1, text("x\ud800y\0"), "x\ud800y"),
        (3, b"\0", b"\0"),
        (4, b"\1\0\0\0", 1),
        (4, b"\xff\xff\xff\xff", 0xFFFFFFFF),
        (5, b"\0\0\0\1", 1),
        (6, text("\\Registry\\Machine"), "\\Registry\\Machine"),
        (7, text("a\0b\0\0"), ("a", "b")),
        (7, text("\0"), ()),
        (7, text("\0\0"), ()),
        (7, b"", ()),
        (8, b"\1", b"\1"),
        (11, b"\0\0\0\0\0\0\0\x80", 2**63),
        (12, b"xyz", b"xyz"),
        (0xFFFF0012, b"xyz", b"xyz"),
    ],
)
def test_healthy_data(kind: int, raw: bytes, data: object) -> None:
    assert decode(kind, raw) == (data, None)


@pytest.mark.parametrize(
    ("kind", "raw", "data", "problem"),
    [
        (4, b"", b"", "REG_DWORD with 0 bytes instead of 4"),
        (4, b"\1", b"\1", "REG_DWORD with 1 bytes instead of 4"),
        (4, b"\1" * 8, b"\1" * 8, "REG_DWORD with 8 bytes instead of 4"),
        (5, b"\1\2\3", b"\1\2\3", "REG_DWORD_BIG_ENDIAN with 3 bytes instead of 4"),
        (11, b"\1" * 4, b"\1" * 4, "REG_QWORD with 4 bytes instead of 8"),
        (1, text("abc"), "abc", "text without its terminating NUL"),
        (1, text("abc\0") + b"x", "abc", "text of an odd number of bytes (9)"),
        (1, b"x", "", "text of an odd number of bytes (1)"),
        (1, text("abc\0def\0"), "abc", "text goes on behind its terminating NUL"),
        (6, text("abc") + b"\0", "abc", "text of an odd number of bytes (7)"),
        (7, text("a\0b\0"), ("a", "b"), "list of texts without its terminating NUL"),
        (7, text("a"), ("a",), "list of texts without its terminating NUL"),
        (7, text("a\0\0b\0\0"), ("a",), "list of texts goes on behind its end"),
        (7, text("\0b\0\0"), (), "list of texts goes on behind its end"),
        (7, text("a\0\0") + b"x", ("a",), "text of an odd number of bytes (7)"),
    ],
)
def test_odd_data_is_said_and_never_guessed(kind: int, raw: bytes, data: object, problem: str) -> None:
    assert decode(kind, raw) == (data, problem)


def test_type_names() -> None:
    assert [type_name(kind) for kind in (0, 1, 4, 7, 11)] == [
        "REG_NONE",
        "REG_SZ",
        "REG_DWORD",
        "REG_MULTI_SZ",
        "REG_QWORD",
    ]
    assert type_name(12) == "0x0000000c"
    assert type_name(0xFFFF0012) == "0xffff0012"
