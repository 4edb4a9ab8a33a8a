"""Profiles: what is said about wrong ones, how they extend each other, and where they are found."""

from __future__ import annotations

import datetime as dt
import tomllib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vdiskkit
from vdiskkit import PolicyError, Severity, UsageError
from vdiskkit.rules.profile import BUILT_IN, ExpectedValue, Profile
from vdiskkit.rules.profile_files import default_profile, find_profile
from vdiskkit.rules.profile_write import STARTER, profile_toml
from vdiskkit.rules.toml_lines import line_of

if TYPE_CHECKING:
    from pathlib import Path

KEY = r'[registry."HKLM\\SOFTWARE\\Key"]'
FULL = rf"""description = "All there is"
extends = "kms-standard"
ignore = ["TGT12", "VHD105"]
fail_on = "warning"
strict_unknown = true
[severity]
KMS110 = "error"
[expect]
kms_host = "kms.example.com"
kms_port = 1688
target_version = "7.33"
free_space_mb = 2048
ad_password = true
{KEY}
Number = 1
Text = "a \"quoted\" \\ text"
List = ["a", "b"]
Gone = {{ absent = true }}
Pattern = {{ regex = "[a-z]+", type = "REG_SZ" }}
[files]
present = ["Windows/explorer.exe"]
absent = ['Windows\evil.exe']
[[waiver]]
rule = "KMS110"
reason = "because"
expires = 2030-01-31
disks = ["a*.vhd"]
[[waiver]]
rule = "KMS112"
reason = "as well"
expires = 2030-02-28
"""


def write(folder: Path, text: str, name: str = "own.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_full_profile(tmp_path: Path) -> None:
    profile = vdiskkit.load_profile(write(tmp_path, FULL))
    assert (profile.name, profile.description) == ("own", "All there is")
    assert profile.ignore == ("TGT12", "VHD105")
    assert (profile.fail_on, profile.strict_unknown) == (Severity.WARNING, True)
    assert profile.severity == {"KMS110": Severity.ERROR}
    assert profile.expect.mode == "standard"  # from kms-standard
    assert profile.expect.kms_host == ("kms.example.com",)
    assert profile.registry[0] == ExpectedValue(r"HKLM\SOFTWARE\Key", "Number", equals=1)
    assert profile.registry[3] == ExpectedValue(r"HKLM\SOFTWARE\Key", "Gone", absent=True)
    assert profile.files_absent == ("Windows\\evil.exe",)
    assert [waiver.expires for waiver in profile.waivers] == [dt.date(2030, 1, 31), dt.date(2030, 2, 28)]
    assert profile.waivers[1].where.endswith("own.toml > line:28")


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ('extend = "mak"', 1, "'extend' is not known", "did you mean 'extends'?"),
        ('\n[expct]\nmode = "any"', 2, "'expct' is not known", "did you mean 'expect'?"),
        ("[expect]\n\nkms_hots = 1", 3, "'expect.kms_hots' is not known", "did you mean 'kms_host'?"),
        ("[expect]\nkms_host = 1", 2, "must be a list of texts", "profile init"),
        ("[expect]\nkms_port = 0", 2, "must be a number from 1 to 65535", "profile init"),
        ("[expect]\nkms_port = true", 2, "must be a number", "profile init"),
        ('[expect]\nmode = "standrad"', 2, "is 'standrad'", "did you mean 'standard'?"),
        ('[expect]\ntarget_version = "seven"', 2, "one to four numbers", "profile init"),
        ('[expect]\nad_password = "yes"', 2, "must be true or false", "profile init"),
        ('ignore = ["KSM110"]', 1, "names 'KSM110', which is no rule", "did you mean 'KMS110'?"),
        ('select = "ALL"', 1, "must be a list of texts", "profile init"),
        ("select = [1]", 1, "must be a list of texts", "profile init"),
        ('[severity]\nKMS110 = "eror"', 2, "is 'eror'", "did you mean 'error'?"),
        ('[severity]\nKSM110 = "error"', 2, "no rule", "did you mean 'KMS110'?"),
        ("[severity]\nKMS110 = 3", 2, "must be a text", "profile init"),
        ('fail_on = "never"', 1, "is 'never'", "it can be note, warning, error"),
        ('strict_unknown = "no"', 1, "must be true or false", "profile init"),
        (f"{KEY}\nA = {{ absnt = true }}", 2, "is not known", "did you mean 'absent'?"),
        (f"{KEY}\nA = {{ absent = true, equals = 1 }}", 2, "cannot be absent and have data", "profile init"),
        (f"{KEY}\nA = {{ }}", 2, "must say one of equals, absent, regex, type", "profile init"),
        (f'{KEY}\nA = {{ regex = "(" }}', 2, "is no regular expression", "profile init"),
        (f'{KEY}\nA = {{ type = "REG_DWROD" }}', 2, "is 'REG_DWROD'", "did you mean 'REG_DWORD'?"),
        (f"{KEY}\nA = 1.5", 2, "must be a number, a text", "profile init"),
        (f"{KEY}\nA = true", 2, "must be a number, a text", "profile init"),
        ('[registry."HKCU\\\\Software"]\nA = 1', 1, "is no registry path", ""),
        ('[registry]\n"HKLM\\\\SOFTWARE" = 1', 2, "must be a table of values", "profile init"),
        ("[files]\nprsent = []", 2, "is not known", "did you mean 'present'?"),
        ('[[waiver]]\nrule = "KMS110"', 1, "a waiver needs reason", "profile init"),
        ('[[waiver]]\nrule = "KMS"\nreason = "x"\nexpires = 2030-01-01', 2, "no rule", "did you mean"),
        ('[[waiver]]\nrule = "KMS110"\nreason = " "\nexpires = 2030-01-01', 3, "must say why", "profile init"),
        ('[[waiver]]\nrule = "KMS110"\nreason = "x"\nexpires = "2030-01-01"', 4, "a day without quotes", ""),
        ('waiver = "x"', 1, "must be an array of tables", "profile init"),
        ('waiver = ["x"]', 1, "must be a table", "profile init"),
    ],
)
def test_what_is_wrong_is_said_with_line_and_what_was_meant(
    tmp_path: Path, text: str, line: int, message: str, hint: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(PolicyError) as caught:
        vdiskkit.load_profile(path)
    assert message in caught.value.message
    assert str(caught.value.location) == f"{path} > line:{line}"
    assert hint in (caught.value.hint or "")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"mode = ", "no TOML"),
        (b"a = 1\na = 2", "no TOML"),
        (b'fail_on = "note"\n\xe4', r"line 2: this is no utf-8 text: unexpected end of data \(e4 at byte 17\)"),
        (b"# " + bytes([65]) * (1 << 20), "larger than 1 MiB"),
    ],
)
def test_files_that_are_no_profile(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(data)
    with pytest.raises(PolicyError, match=message):
        vdiskkit.load_profile(path)


def test_a_missing_profile_names_the_built_in_ones(tmp_path: Path) -> None:
    with pytest.raises(PolicyError) as caught:
        vdiskkit.load_profile(tmp_path / "kms-standrad")
    assert "kms-standard" in (caught.value.hint or "")


def test_profiles_extend_files_beside_them(tmp_path: Path) -> None:
    write(tmp_path, 'extends = "mak"\nignore = ["VHD"]\n[expect]\nkms_port = 1\n', "base.toml")
    write(tmp_path, 'extends = "base.toml"\nignore = ["NTF"]\n[expect]\nfree_space_mb = 5\n', "middle.toml")
    profile = vdiskkit.load_profile(write(tmp_path, 'extends = "middle.toml"\nselect = ["KMS", "NTF1"]\n'))
    assert profile.expect.windows_key == "mak"
    assert (profile.expect.kms_port, profile.expect.free_space_mb) == (1, 5)
    assert profile.selects("NTF101"), "a selection of its own begins anew"
    assert not profile.selects("VHD101")


def test_the_nearer_profile_wins_for_the_same_value(tmp_path: Path) -> None:
    write(tmp_path, f"{KEY}\nA = 1\nB = 1\n", "base.toml")
    own = r'[registry."hklm\\software\\KEY"]'
    profile = vdiskkit.load_profile(write(tmp_path, f'extends = "base.toml"\n{own}\na = 2\n'))
    assert [(value.name, value.equals) for value in profile.registry] == [("a", 2), ("B", 1)]


@pytest.mark.parametrize("names", [("a",), ("a", "b"), ("a", "b", "c")])
def test_a_profile_must_not_extend_itself(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name, following in zip(names, [*names[1:], names[0]], strict=True):
        write(tmp_path, f'extends = "./{following}.toml"\n', f"{name}.toml")
    with pytest.raises(PolicyError, match="extends itself"):
        vdiskkit.load_profile(tmp_path / "a.toml")


def test_the_longest_beginning_decides() -> None:
    profile = Profile("x", select=("ALL", "KMS110"), ignore=("KMS", "VHD101"))
    assert [profile.selects(code) for code in ("KMS110", "KMS111", "VHD101", "VHD102")] == [True, False, False, True]
    assert not Profile("x", select=("KMS",), ignore=("KMS",)).selects("KMS101")


def test_options_of_one_run() -> None:
    base = Profile("x", ignore=("KMS", "OFF"))
    assert base.changed(extend_select=["KMS"]).selects("KMS110")
    assert not base.changed(extend_select=["KMS"]).selects("OFF101")
    assert base.changed(extend_select=["KMS110"]).selects("KMS110")
    assert not base.changed(extend_select=["KMS110"]).selects("KMS111")
    assert base.changed(select=["KMS"]).selects("KMS101")
    assert not base.changed(select=["KMS"]).selects("VHD101")
    assert not base.changed(select=["KMS"], ignore=["KMS101"]).selects("KMS101")
    assert base.changed(fail_on="note").fail_on is Severity.NOTE
    assert base.changed(strict_unknown=True).strict_unknown
    with pytest.raises(UsageError, match="'fatal' is no severity"):
        base.changed(fail_on="fatal")


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_profiles_load_and_survive_being_written(tmp_path: Path, name: str) -> None:
    profile = vdiskkit.load_profile(name)
    assert profile.description
    again = vdiskkit.load_profile(write(tmp_path, profile_toml(profile)))
    assert again._replace(name=profile.name, source=profile.source) == profile


def test_a_full_profile_survives_being_written(tmp_path: Path) -> None:
    profile = vdiskkit.load_profile(write(tmp_path, FULL))
    again = vdiskkit.load_profile(write(tmp_path, profile_toml(profile), "again.toml"))
    plain = [waiver._replace(where="") for waiver in profile.waivers]
    assert [waiver._replace(where="") for waiver in again.waivers] == plain
    by_name = tuple(sorted(profile.registry, key=lambda value: value.name))
    plain_profile = profile._replace(waivers=(), registry=by_name)
    assert again._replace(name="own", source=profile.source, waivers=()) == plain_profile


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_being_written(text: str) -> None:
    written = profile_toml(Profile("x", description=text))
    assert all(line.isprintable() for line in written.splitlines())
    assert tomllib.loads(written)["description"] == text


def test_the_starter_is_kms_standard_and_names_every_key(tmp_path: Path) -> None:
    profile = vdiskkit.load_profile(write(tmp_path, STARTER))
    assert profile.expect == vdiskkit.load_profile("kms-standard").expect
    everything = STARTER.replace("\n# ", "\n").partition("\n\ndescription")[2]
    uncommented = "\n".join(
        line for line in f"description{everything}".splitlines() if "=" in line.partition("#")[0] or line[:1] == "["
    )
    loaded = vdiskkit.load_profile(write(tmp_path, uncommented, "all.toml"))
    assert loaded.expect.kms_host
    assert loaded.registry
    assert loaded.waivers


def test_where_a_profile_is_found(tmp_path: Path) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_profile(below, {}) is None
    path = write(tmp_path, STARTER, "vdiskkit.toml")
    assert find_profile(below, {}) == (str(path.resolve()), "by vdiskkit.toml in or above the working folder")
    nearer = write(below, STARTER, "vdiskkit.toml")
    found = find_profile(below, {})
    assert found is not None
    assert found[0] == str(nearer.resolve())
    assert find_profile(below, {"VDISKKIT_PROFILE": "mak"}) == ("mak", "by VDISKKIT_PROFILE")


def test_without_a_side_car_licensing_is_left_out() -> None:
    assert default_profile(None)[0] == "no-licensing"


def test_lines_of_keys() -> None:
    text = 'a.b = 1\n[t."x.y"]\nc = 2\n[[w]]\nd = 1\n[[w]]\n"d" = [\n 1,\n]\n'
    tomllib.loads(text)
    assert line_of(text, ("a",)) == 1
    assert line_of(text, ("a", "b")) == 1
    assert line_of(text, ("t", "x.y")) == 2
    assert line_of(text, ("t", "x.y", "c")) == 3
    assert line_of(text, ("w", 1, "d")) == 7
    assert line_of(text, ("w", 1, "e")) == 6
    assert line_of(text, ("nowhere",)) is None


@given(st.text())
def test_any_text_is_a_profile_or_a_policy_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("any") / "x.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        vdiskkit.load_profile(path)
    except PolicyError as exc:
        assert exc.message  # noqa: PT017 - both outcomes are right
