from __future__ import annotations

import pytest

from vdiskkit.registry.upcase import code_units, name_hash, sort_key, upcase


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("SkipRearm", "SKIPREARM"),
        ("äöüé", "ÄÖÜÉ"),
        ("ключ", "КЛЮЧ"),
        ("straße", "STRAßE"),  # one unit to one unit: never SS
        ("\u00b5\u0131\u017f\u0149", "\u00b5\u0131\u017f\u0149"),  # micro, dotless i, long s, 'n: unchanged
        ("\u00ff", "\u0178"),
        ("\u1f80", "\u1f88"),  # str.upper() makes two letters of it
        ("\u10d0\uab70\u1c80", "\u10d0\uab70\u1c80"),  # letters that got their capitals after the table was made
        ("\U00010428", "\U00010428"),  # outside the BMP: two surrogates, unchanged
        ("a\ud800b", "A\ud800B"),
        ("a\0b", "A\0B"),
    ],
)
def test_folds_one_unit_to_one_unit(text: str, folded: str) -> None:
    assert upcase(text) == folded


def test_the_table_has_the_size_of_the_one_made_by_windows() -> None:
    changed = [unit for unit in range(0x10000) if upcase(chr(unit)) != chr(unit)]
    assert len(changed) == 973
    assert not [unit for unit in changed if 0xD800 <= unit < 0xE000]
    assert all(upcase(upcase(chr(unit))) == upcase(chr(unit)) for unit in changed)


def test_hash_is_over_folded_code_units() -> None:
    assert name_hash("ab") == 37 * ord("A") + ord("B")
    assert name_hash("Select") == name_hash("SELECT")
    assert name_hash("abcd_äöüß") != name_hash("abcd_ÄÖÜSS")
    assert name_hash("\U00010428") == 37 * 0xD801 + 0xDC28
    assert name_hash("x" * 255) < 2**32


def test_order_is_by_code_unit_not_by_character() -> None:
    # U+FF5A is above the surrogates that stand for U+10428, though the character is below it.
    assert sort_key("\U00010428") < sort_key("\uff5a")
    assert sort_key("_") > sort_key("a")  # folded letters come before the underscore


def test_code_units_keep_lone_surrogates() -> None:
    assert code_units("a\udfff\U00010000") == (0x61, 0xDFFF, 0xD800, 0xDC00)
