from __future__ import annotations

import pytest

from vdiskkit.errors import UsageError
from vdiskkit.windows.regpath import parse_registry_path


@pytest.mark.parametrize(
    ("text", "hive", "key"),
    [
        (r"HKLM\SOFTWARE\Microsoft", "SOFTWARE", "Microsoft"),
        (r"HKEY_LOCAL_MACHINE\Software\Microsoft\\", "SOFTWARE", "Microsoft"),
        (r"hklm:\SYSTEM\Select", "SYSTEM", "Select"),
        ("HKLM/SOFTWARE/Microsoft", "SOFTWARE", "Microsoft"),
        (r"HKLM\SOFTWARE\msft:rm/algorithm/hwid/4.0", "SOFTWARE", "msft:rm/algorithm/hwid/4.0"),
        (r"Computer\HKEY_LOCAL_MACHINE\SAM", "SAM", ""),
        (r"SOFTWARE\Microsoft", "SOFTWARE", "Microsoft"),
        (r"HKCR\.txt", "SOFTWARE", r"Classes\.txt"),
        (r"HKU\S-1-5-20\Software", "NETWORKSERVICE", "Software"),
        (r"HKU\.DEFAULT", "DEFAULT", ""),
    ],
)
def test_forms_that_people_type(text: str, hive: str, key: str) -> None:
    path = parse_registry_path(text)
    assert (path.hive, path.key) == (hive, key)


def test_full_text_form() -> None:
    assert parse_registry_path(r"SOFTWARE\A").text == r"HKLM\SOFTWARE\A"
    assert parse_registry_path(r"HKU\S-1-5-20\A").text == r"HKU\S-1-5-20\A"


@pytest.mark.parametrize(
    "text", ["", "\\", "HKLM", "HKU", r"HKLM\NOPE\x", r"HKCU\Software", r"HKU\S-1-5-21-1-2-3-500", "nope"]
)
def test_refusals_tell_what_to_write(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_registry_path(text)
    assert refused.value.hint
    assert refused.value.exit_code == 2
