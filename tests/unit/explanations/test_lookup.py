"""Finding a code by whatever form of it was typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vdiskkit
from vdiskkit.errors import NotFoundError
from vdiskkit.explanations.catalogue import explain, explanations
from vdiskkit.explanations.facts import Kind
from vdiskkit.explanations.lookup import keys_of


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("0xC004F074", "0xC004F074"),
        ("0xc004f074", "0xC004F074"),
        ("0XC004F074", "0xC004F074"),
        ("C004F074", "0xC004F074"),
        ("c004f074", "0xC004F074"),
        ("-1073418124", "0xC004F074"),
        ("3221549172", "0xC004F074"),
        ("0xFFFFFFFFC004F074", "0xC004F074"),
        ("ffffffffc004f074", "0xC004F074"),
        ("(0xC004F074)", "0xC004F074"),
        ("0xC004F074.", "0xC004F074"),
        ("'0xC004F074'", "0xC004F074"),
        ("\t0xC004F074\r\n", "0xC004F074"),
        ("SL_E_VL_BINDING_SERVICE_UNAVAILABLE", "0xC004F074"),
        ("activation 0xC004F074", "0xC004F074"),
        ("-1073425657", "0xC004D307"),
        ("80070005", "0x80070005"),
        ("-2147024891", "0x80070005"),
        ("1074065420", "0x4004F00C"),
        ("8007232b", "0x8007232B"),
        ("12288", "12288"),
        ("012288", "12288"),
        ("event 12288", "12288"),
        ("EVENT 8198", "8198"),
        ("4", "4"),
        ("exit 4", "4"),
        ("exit code 4", None),
        ("exit-code 130", "130"),
        ("vhd101", "VHD101"),
        ("rule VHD101", "VHD101"),
        ("RULE kms110", "KMS110"),
        ("inuseerror", "InUseError"),
        ("error InUseError", "InUseError"),
        ("VHD.COPY_MISSING", "vhd.copy_missing"),
        ("notice vhd.copy_missing", "vhd.copy_missing"),
        ("MAP error", "MAP"),
        ("An unexpected  MAP error\noccurred", "MAP"),
        ("Failed to map vDisk, no driver", "MAP"),
        ("skiprearm", "SkipRearm"),
        ("volume:mak", "GVLK"),
        (".lok", ".lok"),
        ("term CMID", "CMID"),
        ("rule 4", None),
        ("event KMS110", None),
        ("event 99999", None),
        ("0xC004F0740", None),
        ("-0", "0"),
        ("-99999999999999999999", None),
        ("9" * 5000, None),
        ("٤", None),
        ("", None),
        ("rule", None),
        ("0x", None),
    ],
)
def test_forms(typed: str, code: str | None) -> None:
    if code is None:
        with pytest.raises(NotFoundError):
            explain(typed)
    else:
        assert explain(typed).code == code


@pytest.mark.parametrize(
    ("typed", "message", "hint"),
    [
        ("KMS11O", "nothing is known about 'KMS11O'", "did you mean KMS110 or"),
        ("rule VHD10l", "there is no rule 'VHD10l'", "VHD101"),
        ("InUsError", "nothing is known about 'InUsError'", "InUseError"),
        ("vhd.copy_mising", "nothing is known about 'vhd.copy_mising'", "vhd.copy_missing"),
        ("SkipReam", "nothing is known about 'SkipReam'", "SkipRearm"),
        ("event 12298", "there is no event '12298'", "did you mean 12290 or 12293 or 12288?"),
        ("KMS999", "nothing is known about 'KMS999'", "`vdiskkit rules KMS` lists those that begin with KMS"),
        ("kms", "nothing is known about 'kms'", "`vdiskkit rules KMS` lists those that begin with KMS"),
        ("gpt.x", "nothing is known about 'gpt.x'", "`vdiskkit explain notices` lists"),
        ("exit 77", "there is no exit code '77'", "`vdiskkit explain` lists what can be explained"),
        ("activation 5", "there is no activation code '5'", "`vdiskkit explain` lists what can be explained"),
        ("0xC004F075", "nothing is known about '0xC004F075'", "did you mean 0xC004F074"),
        ("0xC004F075", "nothing is known about '0xC004F075'", "? Otherwise on Windows `slui.exe 0x2a CODE` shows"),
        ("0xDEADBEEF", "nothing is known about '0xDEADBEEF'", "explained; on Windows `slui.exe 0x2a CODE` shows"),
    ],
)
def test_what_is_said_of_an_unknown_code(typed: str, message: str, hint: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        explain(typed)
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")
    assert caught.value.exit_code == 1


def test_every_code_is_found_by_each_of_its_forms() -> None:
    for item in explanations():
        for form in (item.code, item.code.lower(), item.code.upper(), f"{item.kind} {item.code}", *item.also):
            assert explain(form) == item, form


@given(st.text() | st.text("0123456789abcdefxABCDEFX.-_ ", max_size=40))
def test_any_text_is_explained_or_not_known(typed: str) -> None:
    assert all(len(key) <= 130 for key in keys_of(typed))
    try:
        explained = explain(typed)
    except NotFoundError as exc:
        told = (exc.message, exc.hint or "")
    else:
        told = (explained.title, explained.meaning)
    assert all(told)
    assert len("".join(told)) < 2000


@given(st.integers(-(2**31), 2**32 - 1))
def test_numbers_are_hresults_in_any_form(number: int) -> None:
    key = f"0x{number % 2**32:08x}"
    for form in (key, key.upper(), key[2:], f"ffffffff{key[2:]}"):
        assert key in keys_of(form)
    if not 0 <= number < 2**16:
        assert key in keys_of(str(number))


def test_the_public_names() -> None:
    explained = vdiskkit.explain("-1073418124")
    assert isinstance(explained, vdiskkit.Explanation)
    assert explained.to_dict()["kind"] == "activation"
    assert explanations(Kind.EVENT)[0].code == "12288"


def test_a_broken_package_with_rules_does_not_hide_other_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.metadata

    from vdiskkit.explanations import catalogue
    from vdiskkit.rules import catalogue as rules

    point = importlib.metadata.EntryPoint("broken", "no_such_module_of_rules", rules.GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: (point,))
    for cached in (rules.all_rules, catalogue._of_kind, catalogue._rules):
        cached.cache_clear()
    try:
        assert explain("0xC004F074").code == "0xC004F074"
        with pytest.raises(vdiskkit.UsageError, match="cannot be loaded"):
            explain("KMS110")
    finally:
        for cached in (rules.all_rules, catalogue._of_kind, catalogue._rules):
            cached.cache_clear()
