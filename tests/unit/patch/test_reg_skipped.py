"""Lines of .reg text that regedit skips: skipped and told on request, errors otherwise."""

from __future__ import annotations

import pytest

from vdiskkit.errors import UsageError
from vdiskkit.patch.registry.regfile import parse_reg

HEAD = "Windows Registry Editor Version 5.00\r\n\r\n"
CASES = [
    ("// a comment of another language", "it is no comment of .reg text"),
    ('[-HKEY_LOCAL_MACHINE\\SOFTWARE\\Old]\r\n"x"="y"', "it stands below a key that is deleted"),
    ('[HKEY_LOCAL_MACHINE\\SOFTWARE\\New]\r\n"x"="y" and more', "something stands behind its closing quote"),
    ('[HKEY_LOCAL_MACHINE\\SOFTWARE\\New]\r\n"x"=plain text', "its data is neither quoted nor of a known kind"),
]


@pytest.mark.parametrize(("text", "why"), CASES)
def test_a_line_that_regedit_skips_is_skipped_and_told(text: str, why: str) -> None:
    data = f'{HEAD}{text}\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\After]\r\n"a"="b"\r\n'.encode()
    skipped: list[str] = []
    edits = parse_reg(data, "x.reg", skipped=skipped)
    line = 3 + text.count("\r\n")
    (told,) = skipped
    assert told.startswith(f"line {line} is skipped, as regedit does: {why}: ")
    assert [(edit.value, edit.key.rpartition("\\")[2]) for edit in edits if edit.action == "set-value"] == [
        ("a", "After")
    ]
    with pytest.raises(UsageError, match=f"^line {line}: "):
        parse_reg(data, "x.reg")


@pytest.mark.parametrize(
    "text", ['"x"=dwrod:1', '"x"=qword:1', "Name=1", '"x"="open', '"x"=dword:zz', "HKEY_LOCAL_MACHINE"]
)
def test_what_was_probably_meant_otherwise_stays_an_error(text: str) -> None:
    with pytest.raises(UsageError):
        parse_reg(f"{HEAD}[HKEY_LOCAL_MACHINE\\SOFTWARE\\New]\r\n{text}\r\n".encode(), skipped=[])
