"""Values in words: displayable, one line, and no product key that is a secret."""

from __future__ import annotations

import pytest

from tests.build.products import MAK, WINDOWS
from vdiskkit.patch.describe import describe
from vdiskkit.patch.registry import ValueData
from vdiskkit.text import counted

GVLK = WINDOWS["win10"].key
HIDDEN = f"XXXXX-XXXXX-XXXXX-XXXXX-{MAK[-5:]}"


def text(value: str) -> bytes:
    return f"{value}\0".encode("utf-16-le", "surrogatepass")


@pytest.mark.parametrize(
    ("kind", "raw", "shown"),
    [
        (4, b"\x2a\0\0\0", "REG_DWORD 42"),
        (4, b"\x2a", "REG_DWORD 2a"),
        (11, b"\xff" * 8, "REG_QWORD 18446744073709551615"),
        (0, b"", "REG_NONE"),
        (3, bytes(40), f"REG_BINARY {' '.join(['00'] * 32)} ... (40 bytes)"),
        (1, text("a\x1b[31m\n\u202e##vso[x]"), r'REG_SZ "a\u{1b}[31m\u{a}\u{202e}\u{23}#vso[x]"'),
        (1, text("\ud800"), r'REG_SZ "\u{d800}"'),
        (7, text("a") + text("b\n") + b"\0\0", r'REG_MULTI_SZ "a", "b\u{a}"'),
        (99, b"x", "0x00000063 78"),
        (1, text(GVLK), f'REG_SZ "{GVLK}"'),
        (1, text(MAK), f'REG_SZ "{HIDDEN}"'),
        (1, text(MAK.lower()), f'REG_SZ "{HIDDEN}"'),
        (1, text(f"/ipk {MAK} now"), f'REG_SZ "/ipk {HIDDEN} now"'),
        (2, text(f"{MAK};{GVLK}"), f'REG_EXPAND_SZ "{HIDDEN};{GVLK}"'),
        (7, text(MAK) + text("x") + b"\0\0", f'REG_MULTI_SZ "{HIDDEN}", "x"'),
        (1, text("00330-80000-00000-AA123"), 'REG_SZ "00330-80000-00000-AA123"'),
    ],
)
def test_values(kind: int, raw: bytes, shown: str) -> None:
    assert describe(ValueData(kind, raw), "Value") == shown


@pytest.mark.parametrize("name", ["DigitalProductId", "DigitalProductId4", "DIGITALPRODUCTID"])
def test_key_blobs_are_hidden(name: str) -> None:
    assert describe(ValueData(3, bytes(range(164))), name) == "REG_BINARY (164 bytes, which hold a product key)"


def test_counted() -> None:
    assert [counted(number, "key") for number in (0, 1, 2)] == ["0 keys", "1 key", "2 keys"]
