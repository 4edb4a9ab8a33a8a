"""What holds for the repository as a whole: start-up cost, public names, docstrings, locks, true documents."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dev
import vdiskkit
from benchmarks.budgets import cli_statement, imported_modules

ROOT = Path(__file__).resolve().parent.parent
READERS = {"dissect", "construct"}
SAMPLE = "sample_images/win7-kms.vhd"
SERVICE = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"


def tracked_files() -> list[Path]:
    try:
        done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    paths = [ROOT / name for name in done.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def top_level(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        pytest.param("import vdiskkit", READERS | {"click", "rich", "dataclasses"}, id="import"),
        pytest.param(cli_statement("--help"), READERS | {"rich", "dataclasses"}, id="help"),
        pytest.param(cli_statement("reg", "ls", SAMPLE, SERVICE), READERS | {"rich", "defusedxml"}, id="reg"),
    ],
)
def test_start_up_loads_no_reader_library(statement: str, unwanted: set[str]) -> None:
    loaded = top_level(imported_modules(statement))
    assert "vdiskkit" in loaded
    assert not loaded & unwanted


def test_every_public_name_can_be_had_and_is_listed() -> None:
    assert list(vdiskkit.__all__) == sorted(set(vdiskkit.__all__))
    for name in vdiskkit.__all__:
        assert getattr(vdiskkit, name) is not None
    script = "import vdiskkit; print(*[name for name in dir(vdiskkit) if name[0] != '_'])"
    listed = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(listed.stdout.split()) >= set(vdiskkit.__all__) - {"__version__"}


def test_no_public_name_is_that_of_a_module() -> None:
    """Importing such a module would put it in the place of the name."""
    modules = {path.stem if path.is_file() else path.name for path in Path(vdiskkit.__file__).parent.iterdir()}
    assert not modules & set(vdiskkit.__all__) - {"__init__"}


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="open_disc"):
        vdiskkit.open_disc  # noqa: B018 - the access is the test


@pytest.mark.parametrize("folder", ["vdiskkit", "benchmarks", "tools"])
def test_every_module_says_what_it_is_for(folder: str) -> None:
    modules = list((ROOT / folder).rglob("*.py"))
    assert modules
    silent = [str(path) for path in modules if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []


def test_no_path_of_one_machine_is_in_a_tracked_file() -> None:
    pattern = re.compile(rb"(?<![A-Za-z0-9_.])/(?:w[o]rk|r[o]ot|f[a]rm|h[o]me/[a-z]+)/")
    found = [
        f"{path.relative_to(ROOT)}: {match.group()!r}"
        for path in tracked_files()
        if path.suffix in {"", ".csv", ".json", ".md", ".py", ".sh", ".toml", ".txt", ".xml"}
        for match in pattern.finditer(path.read_bytes())
    ]
    assert found == []


def readme_commands() -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^    (python dev\.py \w+)", text, re.MULTILINE)


def test_ci_runs_the_commands_of_the_readme() -> None:
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = readme_commands()
    assert commands == ["python dev.py demo", "python dev.py test"]
    for command in commands:
        assert f" {command.replace('python', 'python3', 1)}\n" in run


def test_the_demo_commands_name_samples_that_are_there() -> None:
    images = [word for words in dev.DEMOS for word in words if word.startswith("sample_images/")]
    assert len(images) == len(dev.DEMOS)
    assert all((ROOT / image).is_file() for image in images)


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index-url" not in text
    found = re.findall(r"^([a-z0-9-]+)==(\S+)(.*)\n((?:    --hash=sha256:[0-9a-f]{64}.*\n)+)", text, re.MULTILINE)
    assert len(found) == len(re.findall(r"^[a-z]", text, re.MULTILINE))  # each has its hashes
    return {package: version for package, version, *_ in found}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~ ;\[]", text, maxsplit=1)[0].lower().replace(".", "-") for text in requirements}


def test_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    runtime, development = locked("runtime"), locked("dev")
    assert names(project["project"]["dependencies"]) <= runtime.keys()
    assert names(groups["test"] + groups["lint"]) <= development.keys()
    assert names(groups["oracle"]) <= locked("oracle").keys()
    assert names(project["build-system"]["requires"]) <= locked("build").keys()
    assert {*names(project["project"]["dependencies"]), "pyinstaller"} <= locked("exe").keys()
    assert names(project["project"]["dependencies"] + groups["test"]) <= locked("windows").keys()


def test_all_locks_agree() -> None:
    development = locked("dev")
    overrides = (ROOT / "requirements" / "windows.in").read_text(encoding="utf-8").splitlines()
    older = names([line for line in overrides if not line.startswith("#")])
    assert older < development.keys()
    for name in ("build", "runtime", "oracle", "windows", "exe"):
        for package, version in locked(name).items():
            if name != "windows" or package not in older:
                assert development.get(package, version) == version, package


@pytest.mark.parametrize(("arguments", "code"), [((), 2), (("dmeo",), 2), (("--help",), 0)])
def test_dev_explains_itself(arguments: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main(arguments) == code
    assert "python dev.py demo" in capsys.readouterr().out


def test_dev_refuses_an_old_python(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(dev, "OLDEST", (4, 0))
    monkeypatch.setattr(dev, "is_ready", lambda *_locks: False)
    assert dev.main(["test"]) == 1
    assert "this needs Python 4.0 or later" in capsys.readouterr().err


def test_dev_says_when_locking_needs_uv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert dev.main(["lock"]) == 1
    assert "locking needs uv" in capsys.readouterr().err
