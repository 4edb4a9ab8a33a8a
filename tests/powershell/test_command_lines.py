"""Every command line that the module makes, run; and every member that it reads of the answer, looked up there."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import sys
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import SAMPLES, Outcome
from tests.cli.test_help import COMMANDS
from tests.powershell import syntax
from tests.powershell.syntax import MODULE, SCRIPTS
from tests.powershell.test_scripts import EXPORTED, FUNCTIONS, choices
from tests.schemas import check
from vdiskkit.cli.exitcodes import MEANING
from vdiskkit.cli.run import run as run_command_line
from vdiskkit.cli.session import Session
from vdiskkit.facts import Facts
from vdiskkit.report import line_facts
from vdiskkit.schemas import read_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.thorough

DATA: dict[str, Any] = syntax.literal(syntax.tree(MODULE / "CommandLines.psd1"))
LINES: dict[str, list[Any]] = DATA["CommandLines"]
KEY = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
SCHEMA = json.loads(read_schema("vdiskkit.lines/1"))


def values_of(name: str, values: Mapping[str, Any]) -> list[Any]:
    value = values.get(name)
    listed = value if isinstance(value, list) else [value]
    return [item for item in listed if item is not None and item is not False]


def command_line(name: str, values: Mapping[str, Any]) -> list[str]:
    """What ``Get-CommandLine`` makes of a command line: this is its rule once more."""
    arguments: list[str] = []
    for item in LINES[name]:
        if isinstance(item, dict):
            for value in values_of(item["With"], values):
                arguments += [str(value) if word == f"{{{item['With']}}}" else word for word in item["Arguments"]]
        elif match := re.fullmatch(r"\{(\w+)\}", item):
            arguments += [str(value) for value in values_of(match[1], values)]
        else:
            arguments.append(item)
    return arguments


def placeholders(name: str) -> set[str]:
    words = [item["With"] if isinstance(item, dict) else item.strip("{}") for item in LINES[name]]
    return {word for word, item in zip(words, LINES[name], strict=True) if isinstance(item, dict) or item[0] == "{"}


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[dict[str, Any]]]]:
    """Run a command line of the module; its answer is held to the schema."""

    def call(name: str, **values: Any) -> tuple[int, list[dict[str, Any]]]:
        arguments = command_line(name, {"Verbosity": "-q", **values})
        code = run_command_line(arguments, Session(clock=lambda: dt.datetime(2026, 11, 24, 9, 12, 3, tzinfo=dt.UTC)))
        captured = capsys.readouterr()
        assert captured.err == "" or values.get("Verbosity") == "-v"
        lines = [json.loads(line) for line in captured.out.splitlines()]
        for line in lines:
            check(line, "vdiskkit.lines/1")
        # The rule by which Invoke-VDiskKit takes an answer for one.
        last = lines[-1]["type"]
        assert last == "error" or code == 0 or (last == "report" and code == 1)
        assert (last == "error") == (code not in (0, 1) or (code == 1 and last != "report"))
        return code, lines

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Copies of the samples in a folder whose name has what must be quoted."""
    made = tmp_path / "a b [1] ü"
    made.mkdir()
    for path in SAMPLES.iterdir():
        if path.suffix in (".vhd", ".avhd", ".vhdx", ".avhdx", ".pvp", ".xml"):
            shutil.copy(path, made)
    return made


# Values for everything that a command line can be given; each is run alone and all of them together.
RUNS: dict[str, dict[str, Any]] = {
    "Inspect": {"ShowKey": True, "At": "latest", "ParentFolder": ["FOLDER", "FOLDER"]},
    "Validate": {
        "ProfileName": "kms-standard",
        "Select": ["KMS", "PVP"],
        "Ignore": ["KMS110", "KMS112"],
        "FailOn": "warning",
        "StrictUnknown": True,
        "Deep": True,
        "At": "base",
        "ParentFolder": ["FOLDER"],
    },
    "GetValue": {"At": "1", "ParentFolder": ["FOLDER"]},
    "SetValue": {"CreateKey": True, "Force": ["lok", "mode"], "ParentFolder": ["FOLDER"]},
    "PrepareKms": {
        "SkipRearm": "0",
        "KmsHost": "kms.example.com",
        "KmsPort": "1689",
        "RemoveToken": True,
        "Office": True,
        "Force": ["lok"],
        "ParentFolder": ["FOLDER"],
    },
    "ApplyPlan": {"ParentFolder": ["FOLDER"]},
    "PlanUndo": {"Id": "ID", "Force": ["lok"]},
    "Undo": {"Force": ["lok"]},
}


def test_every_group_of_every_command_line_is_run() -> None:
    groups = {name: {item["With"] for item in line if isinstance(item, dict)} for name, line in LINES.items()}
    assert groups.pop("Version") == set()
    assert groups == {name: set(values) for name, values in RUNS.items()}


def choices_of(name: str) -> list[dict[str, Any]]:
    values = RUNS[name]
    return [{}, *({key: value} for key, value in values.items()), values]


def filled(values: Mapping[str, Any], folder: Path, **more: str) -> dict[str, Any]:
    words = {"FOLDER": str(folder), **more}
    return {
        key: [words.get(item, item) for item in value] if isinstance(value, list) else words.get(str(value), value)
        for key, value in values.items()
    }


@pytest.mark.parametrize("values", choices_of("Inspect"), ids=str)
def test_inspect(answer: Callable[..., Any], folder: Path, values: dict[str, Any]) -> None:
    code, (line,) = answer("Inspect", Path=folder / "desk10.vhd", **filled(values, folder))
    assert (code, line["type"]) == (0, "disk")
    assert line["result"]["version"] == (2 if "At" in values else 0)


@pytest.mark.parametrize("values", choices_of("Validate"), ids=str)
def test_validate(answer: Callable[..., Any], folder: Path, values: dict[str, Any]) -> None:
    code, lines = answer("Validate", Path=folder / "faulty.vhd", **filled(values, folder))
    assert lines[-1]["type"] == "report"
    assert lines[-1]["failed"] == (code == 1)


@pytest.mark.parametrize("values", choices_of("GetValue"), ids=str)
@pytest.mark.parametrize(("key", "name"), [(KEY, "CurrentBuild"), (rf"{KEY}\SoftwareProtectionPlatform", "SkipRearm")])
def test_get_value(answer: Callable[..., Any], folder: Path, values: dict[str, Any], key: str, name: str) -> None:
    code, (line,) = answer("GetValue", Path=folder / "desk10.vhd", Key=key, Name=name, **filled(values, folder))
    if code == 0:
        assert line["result"]["name"] == name
    else:
        assert (code, line["error"]["type"]) == (1, "ValueMissingError")


def test_powershell_paths_of_keys(answer: Callable[..., Any], folder: Path) -> None:
    key = KEY.replace("HKLM", "HKLM:")
    code, (line,) = answer("GetValue", Path=folder / "win7-kms.vhd", Key=key, Name="CurrentBuild")
    assert (code, line["result"]["key"]) == (0, KEY)


def changed(
    answer: Callable[..., Any], name: str, folder: Path, values: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    """Plan, apply, plan to undo, undo: as the functions of the module do one after the other."""
    disk = folder / "win10-private-mak.vhd"
    before = disk.read_bytes()
    plan = folder / "change.plan"
    code, lines = answer(name, Path=disk, PlanFile=plan, **values)
    assert code == 0
    planned = lines[-1]["result"]
    assert len(lines) == planned["changes"] + 1 > 1
    assert plan.is_file()
    assert disk.read_bytes() == before
    code, again = answer("ApplyPlan", PlanFile=plan, Digest=planned["digest"], **after.get("ApplyPlan", {}))
    assert (code, again[:-1]) == (0, lines[:-1])
    assert again[-1]["result"]["written"] is True
    change = again[-1]["result"]["change_id"]
    code, told = answer("PlanUndo", Path=disk, **filled(after.get("PlanUndo", {}), folder, ID=change))
    assert (code, told[-1]["result"]["change_id"]) == (0, change)
    code, told = answer("Undo", Path=disk, Id=change, **after.get("Undo", {}))
    assert (code, told[-1]["result"]["dry_run"]) == (0, False)
    assert disk.read_bytes() == before
    return dict(planned)


@pytest.mark.parametrize("values", choices_of("PrepareKms"), ids=str)
def test_prepare_kms(answer: Callable[..., Any], folder: Path, values: dict[str, Any]) -> None:
    values = filled(values, folder)
    if {"SkipRearm", "KmsHost", "KmsPort", "RemoveToken"} & set(values):
        changed(answer, "PrepareKms", folder, values, {})
        return
    code, (line,) = answer("PrepareKms", Path=folder / "win10-private-mak.vhd", PlanFile=folder / "x", **values)
    assert (code, line["error"]["type"]) == (2, "UsageError")


@pytest.mark.parametrize(
    "after", [{name: values} for name in ("ApplyPlan", "PlanUndo", "Undo") for values in choices_of(name)], ids=str
)
def test_apply_and_undo(answer: Callable[..., Any], folder: Path, after: dict[str, Any]) -> None:
    after = {name: filled(values, folder, ID="ID") for name, values in after.items()}
    changed(answer, "PrepareKms", folder, {"SkipRearm": "0"}, after)


@pytest.mark.parametrize("values", choices_of("SetValue"), ids=str)
def test_set_value_with_each_option(answer: Callable[..., Any], folder: Path, values: dict[str, Any]) -> None:
    key = rf"{KEY}\Example key" if "CreateKey" in values else KEY
    more = {"Key": key, "Name": "-Name", "Type": "dword", "Value": ["0x1"]}
    changed(answer, "SetValue", folder, {**filled(values, folder), **more}, {})


@pytest.mark.parametrize(
    ("kind", "value", "name"),
    [
        ("DWord", ["0xffffffff"], ""),
        ("QWord", ["0xffffffffffffffff"], "x"),
        ("String", ["-n"], "-Name"),
        ("String", [""], ""),
        ("ExpandString", [r"%SystemRoot%\a b"], "x y"),
        ("MultiString", ["one", "two three"], "x"),
        ("MultiString", [], "x"),
        ("Binary", ["00ff10"], "x"),
        ("None", [], "x"),
    ],
)
def test_set_value_of_each_type(
    answer: Callable[..., Any], folder: Path, kind: str, value: list[str], name: str
) -> None:
    more = {"Key": KEY, "Name": name, "Type": DATA["Types"][kind], "Value": value}
    planned = changed(answer, "SetValue", folder, more, {})
    assert planned["changes"] == 1


@pytest.mark.parametrize(
    ("name", "values", "code"),
    [
        ("Inspect", {}, 3),
        ("Validate", {}, 3),
        ("Validate", {"ProfileName": "none.toml"}, 2),
        ("GetValue", {"Key": KEY, "Name": "x"}, 3),
        ("SetValue", {"Key": KEY, "Name": "x", "Type": "dword", "Value": ["x"]}, 2),
        ("PrepareKms", {"SkipRearm": "0"}, 3),
        ("PlanUndo", {}, 3),
    ],
)
def test_a_failure_is_an_error_line(
    answer: Callable[..., Any], tmp_path: Path, name: str, values: dict[str, Any], code: int
) -> None:
    values = {"Path": tmp_path / "missing.vhd", "PlanFile": tmp_path / "x.plan", **values}
    told, (line,) = answer(name, **values)
    assert (told, line["exit_code"]) == (code, code)


def test_a_plan_of_another_digest_is_not_applied(answer: Callable[..., Any], folder: Path) -> None:
    plan = folder / "x.plan"
    answer("PrepareKms", Path=folder / "win10-private-mak.vhd", PlanFile=plan, SkipRearm="0")
    code, (line,) = answer("ApplyPlan", PlanFile=plan, Digest="0" * 40)
    assert (code, line["error"]["type"]) == (4, "StalePlanError")


def test_verbose_shows_on_stderr_only(answer: Callable[..., Any], folder: Path) -> None:
    assert answer("Inspect", Path=folder / "faulty.vhd", Verbosity="-v")[0] == 0


def test_the_version_is_recognised(run: Callable[..., Outcome]) -> None:
    (pattern,) = re.findall(r"\$ran\.Output -match '([^']+)'", FUNCTIONS["Find-Python"].text)
    assert re.search(pattern, run(*command_line("Version", {})).out)


# what the functions give to the command lines


def tables(node: syntax.Node) -> Iterator[tuple[str, set[str]]]:
    """For each variable that a table is put into: its name, and the keys that it gets in all."""
    found: dict[str, set[str]] = {}
    for assignment in syntax.nodes(node, "assignment_expression"):
        target, *_ = assignment.named_children
        name = syntax.text(target)
        if match := re.fullmatch(r"(\$\w+)\['(\w+)'\]", name):
            found.setdefault(match[1].lower(), set()).add(match[2])
        elif bodies := syntax.nodes(assignment, "hash_literal_body"):
            entries = [entry for entry in bodies[0].named_children if entry.type == "hash_entry"]
            keys = {syntax.text(entry.named_children[0]) for entry in entries}
            found.setdefault(name.lower(), set()).update(keys)
    yield from found.items()


@pytest.mark.parametrize(
    ("function", "name", "variable", "added"),
    [
        ("Get-VDisk", "Inspect", "$values", set()),
        ("Test-VDisk", "Validate", "$values", set()),
        ("Get-VDiskRegistryValue", "GetValue", "$values", set()),
        ("Set-VDiskRegistryValue", "SetValue", "$values", {"PlanFile"}),
        ("Initialize-VDiskKms", "PrepareKms", "$values", {"PlanFile"}),
        ("Invoke-VDiskChange", "ApplyPlan", "$apply", set()),
        ("Undo-VDiskChange", "PlanUndo", "$values", set()),
        ("Undo-VDiskChange", "Undo", "$values", set()),
    ],
)
def test_a_function_gives_what_its_command_line_takes(function: str, name: str, variable: str, added: set[str]) -> None:
    source = FUNCTIONS[function].node
    given = dict(tables(source))[variable] | added | {"Verbosity"}
    assert given == placeholders(name)
    starts = [call for call in syntax.calls(source) if call.name in ("Invoke-VDiskKit", "Invoke-VDiskChange")]
    names = [call.parameters["Name"] for call in starts]
    called = {syntax.string(text) for node in names if node for text in syntax.nodes(node, "string_literal")}
    assert name in called


def test_what_is_added_on_the_way() -> None:
    assert dict(tables(FUNCTIONS["Invoke-VDiskChange"].node))["$values"] == {"PlanFile"}
    assert dict(tables(FUNCTIONS["Invoke-VDiskKit"].node))["$all"] == {"Verbosity"}


def test_every_parameter_is_used() -> None:
    for name in EXPORTED:
        function = FUNCTIONS[name]
        body = function.text.partition("\n    begin {")[2]
        for parameter in function.parameters.values():
            assert re.search(rf"\${parameter.name}\b", body), f"{name} -{parameter.name}"


# what is read of the answers


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def pascal(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def schema_members() -> dict[str, set[str]]:
    """Members of each class of the schema by its name; those of the lines themselves under ''."""
    found = {name: set(made.get("properties", ())) for name, made in SCHEMA["$defs"].items()}
    found[""] = {
        member
        for choice in SCHEMA["oneOf"]
        for part in choice.get("allOf", [choice])
        for member in part.get("properties", ())
    }
    return found


RESULTS = ("DiskSummary", "ValueItem", "ChangeOutcome", "UndoOutcome")
INNER = {
    "result": RESULTS,
    "error": ("Error",),
    "change": ("ChangeItem",),
    "profile": ("ProfileFacts",),
    "counts": ("Counts",),
}
READ = {"$line": "", "$outcome": "", "$report": "", "$told": "error", "$result": "result"}
NOT_JSON = {"PSObject", "Count", "Length"}


def test_every_member_that_is_read_is_in_the_schema() -> None:
    known = schema_members()
    seen = set()
    for name, function in FUNCTIONS.items():
        for base, *chain in syntax.members(function.node):
            if base.lower() not in READ or (name == "New-VDiskValidation" and base == "$result"):
                continue
            place = READ[base.lower()]
            for word in chain:
                if word in NOT_JSON:
                    break
                member = snake(word)
                classes = INNER.get(place, ("",))
                assert any(member in known[item] for item in classes), f"{name}: {base}.{'.'.join(chain)}"
                seen.add((base.lower(), *chain))
                place = member
    assert ("$outcome", "Result", "Digest") in seen
    assert ("$told", "Hint") in seen
    assert ("$result", "Form") in seen
    assert ("$report", "Counts", "Warnings") in seen
    assert len(seen) > 20


def test_no_member_hides_the_path_of_the_disk_and_names_stay_apart() -> None:
    for name in RESULTS:
        members = [pascal(member).lower() for member in schema_members()[name]]
        assert "path" not in members
        assert len(set(members)) == len(members)
    assert "value" not in schema_members()["ValueItem"]


def test_times_are_those_of_the_results() -> None:
    classes = [made for made in vars(line_facts).values() if isinstance(made, type) and issubclass(made, Facts)]
    hints = [item for made in classes for item in get_type_hints(made).items()]
    assert {name for name, hint in hints if dt.datetime in (hint, *get_args(hint))} == set(DATA["Times"])


def test_what_is_shown_is_there() -> None:
    known = schema_members()
    own = {
        "VDiskKit.Disk": known["DiskSummary"],
        "VDiskKit.RegistryValue": known["ValueItem"] | {"value"},
        "VDiskKit.Change": known["ChangeOutcome"],
        "VDiskKit.Finding": known["Finding"],
    }
    validation = dict(tables(FUNCTIONS["New-VDiskValidation"].node))["$result"]
    for name, shown in DATA["Shown"].items():
        there = validation if name == "VDiskKit.Validation" else {pascal(member) for member in own[name]}
        assert set(shown) - {"Path"} <= there, name


# what the module says about the command line


def test_categories_are_those_of_the_exit_codes() -> None:
    assert set(DATA["Categories"]) == {str(code) for code in MEANING if code}
    known = {
        "ObjectNotFound", "InvalidArgument", "InvalidData", "ResourceUnavailable", "NotImplemented", "WriteError",
        "OperationStopped", "ReadError", "InvalidResult",
    }  # fmt: skip
    assert set(DATA["Categories"].values()) == known


def option(path: tuple[str, ...], name: str) -> click.Option:
    (found,) = [param for param in dict(COMMANDS)[path].params if name in param.opts]
    assert isinstance(found, click.Option)
    return found


def test_choices_are_those_of_the_command_line() -> None:
    def listed(path: tuple[str, ...], name: str) -> tuple[str, ...]:
        kind = option(path, name).type
        assert isinstance(kind, click.Choice)
        return tuple(kind.choices)

    for path in (("kms-prep",), ("reg", "set"), ("undo",)):
        # No cmdlet deletes a file that Windows starts with.
        assert choices("force") == {tuple(gate for gate in listed(path, "--force") if gate != "boot-file")}
    assert choices("skiprearm") == {listed(("kms-prep",), "--skip-rearm")}
    assert choices("failon") == {listed(("validate",), "--fail-on")}
    assert set(DATA["Types"].values()) == set(listed(("reg", "set"), "--type"))
    assert choices("type") == {tuple(DATA["Types"])}


# texts on their way to the program and back, by the expressions that stand in the module


def replacements(name: str) -> list[tuple[str, str]]:
    """The pairs of pattern and replacement in a function, in Python's form."""
    pairs = re.findall(r"\[regex\]::Replace\(\$\w+, '([^\n]+?)', '([^\n]+?)'\)", FUNCTIONS[name].text)
    assert pairs
    return [(pattern.replace(r"\z", r"\Z"), new.replace("\\", "\\\\").replace("$1", r"\1")) for pattern, new in pairs]


def quoted(argument: str) -> str:
    """What ``ConvertTo-NativeArgument`` makes of an argument."""
    (plain,) = re.findall(r"\$Argument -match '([^']+)'", FUNCTIONS["ConvertTo-NativeArgument"].text)
    if re.search(plain.replace(r"\z", r"\Z"), argument):
        return argument
    for pattern, new in replacements("ConvertTo-NativeArgument"):
        argument = re.sub(pattern, new, argument)
    return f'"{argument}"'


def split_as_windows_does(line: str) -> list[str]:
    """The documented rules: 2n backslashes and a quote are n backslashes and a mark; one more is a plain quote."""
    arguments: list[str] = []
    current: list[str] = []
    inside = started = False
    at = 0
    while at < len(line):
        backslashes = len(line[at:]) - len(line[at:].lstrip("\\"))
        at += backslashes
        if line[at : at + 1] == '"':
            current.append("\\" * (backslashes // 2))
            if backslashes % 2:
                current.append('"')
            else:
                inside = not inside
            started, at = True, at + 1
            continue
        current.append("\\" * backslashes)
        started |= backslashes > 0
        if at < len(line):
            if line[at] in " \t" and not inside:
                if started:
                    arguments.append("".join(current))
                current, started = [], False
            else:
                current.append(line[at])
                started = True
            at += 1
    return [*arguments, "".join(current)] if started else arguments


def test_the_cases_that_the_module_names() -> None:
    cases = re.findall(r"^    #   (.+?)  +becomes  (.+)$", FUNCTIONS["ConvertTo-NativeArgument"].text, re.MULTILINE)
    assert [(before, quoted(before)) for before, _ in cases] == cases
    assert quoted(r"C:\x.vhd") == r"C:\x.vhd"
    assert len(cases) == 2


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        (r"a b", ["a", "b"]),
        (r'"a b" c', ["a b", "c"]),
        (r'"a\"b" "\\"', ['a"b', "\\"]),
        (r'"C:\a b\\" d', ["C:\\a b\\", "d"]),
        (r'a\\\b d"e f"g h', [r"a\\\b", "de fg", "h"]),
        (r"a\\\"b c", [r"a\"b", "c"]),
        ('""', [""]),
    ],
)
def test_the_rules_of_windows(line: str, arguments: list[str]) -> None:
    """The examples of the documentation, and what this module makes."""
    assert split_as_windows_does(line) == arguments


TEXTS = st.text(alphabet=st.sampled_from('ab \\"\t\n\u00fc\u2192\U0001f600'), max_size=12)


@given(st.lists(TEXTS, max_size=5))
def test_arguments_arrive_as_they_are(arguments: list[str]) -> None:
    line = " ".join(quoted(argument) for argument in arguments)
    assert split_as_windows_does(line) == arguments


@pytest.mark.skipif(sys.platform != "win32", reason="asks Windows itself, which is not here")
@given(st.lists(TEXTS, max_size=5))
def test_windows_itself_takes_arguments_apart_so(arguments: list[str]) -> None:
    import ctypes

    split = ctypes.windll.shell32.CommandLineToArgvW  # type: ignore[attr-defined]  # on Windows alone
    split.argtypes, split.restype = [ctypes.c_wchar_p, ctypes.POINTER(ctypes.c_int)], ctypes.POINTER(ctypes.c_wchar_p)
    count = ctypes.c_int()
    words = split(" ".join(["program.exe", *map(quoted, arguments)]), ctypes.byref(count))
    assert words[1 : count.value] == arguments


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet=st.sampled_from('a2/:,[{ "\\\x01T-'), max_size=14),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=12,
)


def unmarked(value: Any) -> Any:
    """What ``ConvertTo-VDiskObject`` makes of texts."""
    if isinstance(value, str):
        return value.removeprefix("\x01")
    if isinstance(value, list):
        return [unmarked(item) for item in value]
    return {key: unmarked(item) for key, item in value.items()} if isinstance(value, dict) else value


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        yield from texts(item)


@given(st.dictionaries(st.sampled_from(["a", "b"]), JSON, max_size=3))
def test_texts_come_back_as_they_are_and_none_looks_like_a_date(value: dict[str, Any]) -> None:
    from vdiskkit.report.json import dumps

    ((pattern, new),) = replacements("ConvertFrom-VDiskLine")
    marked = json.loads(re.sub(pattern, new, dumps(value, indent=None)))
    assert not [text for text in texts(marked) if re.match(r"\d|/", text)]
    assert unmarked(marked) == json.loads(dumps(value))


def test_names_become_those_of_powershell() -> None:
    assert pascal("skip_rearm") == "SkipRearm"
    assert {snake(pascal(name)) for name in schema_members()["DiskSummary"]} == schema_members()["DiskSummary"]


# the examples


def example_lines() -> list[tuple[str, str]]:
    return [
        (path.name, syntax.text(command))
        for path in SCRIPTS
        if path.parent.name == "examples"
        for command in syntax.nodes(syntax.tree(path), "command")
        if syntax.text(command).startswith("vdiskkit ")
    ]


@pytest.mark.parametrize(("script", "line"), example_lines())
@pytest.mark.parametrize("sample", ["win7-kms", "faulty"])
def test_command_lines_of_the_examples_run(
    run: Callable[..., Outcome], folder: Path, script: str, line: str, sample: str
) -> None:
    words = {"$Disk": folder / f"{sample}.vhd", "$copy": folder / f"{sample}.vhd", "$GateProfile": "kms-standard"}
    words["$Results"] = folder
    for name, value in words.items():
        line = line.replace(name, str(value))
    arguments = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)][1:]
    assert not [word for word in arguments if "$" in word]
    code = run(*(word.replace(f"{folder}\\", f"{folder}/") for word in arguments)).code
    assert code == (1 if sample == "faulty" and "kms-standard" in line else 0)
    if script == "gate.ps1":
        assert {"vdisk-junit.xml", "vdisk.html"} <= {path.name for path in folder.iterdir()}
