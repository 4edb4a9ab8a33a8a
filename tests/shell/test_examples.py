"""Every command line that a user can read does what its text says, as it is printed: in bash, on Windows in cmd.

A row says what must come out; an example without one fails, so a new example cannot be forgotten.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.cli.conftest import environment
from tests.shell import world
from tests.shell.lines import blocks_for_sh, lines_for_all

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.thorough

LINES = [line.text for line in lines_for_all()]
BLOCKS = [block.text for block in blocks_for_sh()]


class Row(NamedTuple):
    """What an example does.

    Attributes:
        shown: A pattern that its output matches.
        code: Its exit code.
        first: What must be so before.
        made: A file that it makes.
        answer: What somebody types on the terminal that it then needs.
    """

    shown: str
    code: int = 0
    first: Callable[[pytest.MonkeyPatch], None] | None = None
    made: str | None = None
    answer: str | None = None


K = r"SoftwareProtectionPlatform, SkipRearm: absent → REG_DWORD 0\n"
ROWS: dict[str, Row] = {
    r'vdiskkit inspect "D:\store\win10.vhd"': Row(r"^disk +D:\\store\\win10\.vhd\n  container +VHD dynamic"),
    "vdiskkit inspect win10.pvp --json": Row(r'"target": "win10\.vhd"'),
    "vdiskkit inspect *.vhd --output-format jsonl": Row(r'"type": "disk", "target": "desk10\.vhd"(?s:.*)"win10\.vhd"'),
    "python -m vdiskkit --version": Row(r"^vdiskkit \d+\.\d+\.\d+\n"),
    "vdiskkit powershell": Row(r"VDiskKit[/\\]VDiskKit\.psd1\n$"),
    "vdiskkit powershell --quiet": Row(r"VDiskKit[/\\]VDiskKit\.psd1\n$"),
    "vdiskkit inspect win10.vhd --at latest --section license,tokens": Row(
        r"^disk +win10\.3\.avhd\n  license (?s:.*)\n  tokens ", first=world.versions
    ),
    r'vdiskkit validate "D:\store\win10.vhd"': Row(r"profile +mak, by the licence mode in the side-car", 1),
    "vdiskkit validate win10.vhd --profile kms-standard --report junit=out.xml": Row(
        r"profile +kms-standard, by --profile", 1, made="out.xml"
    ),
    "vdiskkit validate *.vhd --fail-on warning --ignore VHD105 --json": Row(r'"target": "desk10\.vhd"(?s:.*)win10', 1),
    "vdiskkit validate win10.vhd --fix": Row(r"(?m)^  errors +1$", 1),
    "vdiskkit chain show win10.3.avhd": Row(
        r"win10\.3\.avhd(?s:.*)win10\.2\.avhd(?s:.*)win10\.vhd", first=world.versions
    ),
    "vdiskkit chain show win10.pvp --at latest --json": Row(r'"target": "win10\.3\.avhd"', first=world.versions),
    r'vdiskkit chain check "D:\store\win10.pvp"': Row(r"^disk +D:\\store\\win10\.vhd\n(?s:.*)fit: no findings"),
    "vdiskkit chain check win10.vhd --at latest --fail-on warning": Row(r"^disk +win10\.3\.avhd", first=world.versions),
    "vdiskkit chain check *.avhd --json": Row(r'"target": "desk10\.1\.avhd"(?s:.*)"target": "desk10\.2\.avhd"'),
    "vdiskkit license win10.vhd": Row(r"license +XXXXX-XXXXX-XXXXX-XXXXX-46789 is no KMS client key"),
    "vdiskkit license win10.vhd --json --show-key": Row(
        r'"key": "(?!XXXXX)[A-Z0-9-]{23}46789"|"[B-Y2-9]{5}-[-B-Y2-9]+46789"'
    ),
    "vdiskkit pvp show win10.pvp": Row(r"summary +private image, licence mode MAK"),
    "vdiskkit pvp show win10.vhd --json": Row(r'"mode": "private"'),
    "vdiskkit pvp set win10.vhd license_mode=kms --dry-run": Row(r"license_mode: mak → kms\n(?s:.*)nothing written"),
    'vdiskkit pvp set win10.vhd "description=Windows 10, November" major_release=4 --yes': Row(
        r"description: master image win10-private-mak → Windows 10, November\n.*major_release: 1 → 4\n"
    ),
    r'vdiskkit reg get win10.vhd "HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion" CurrentBuild': Row(r"^19045\n$"),
    r'vdiskkit reg get SOFTWARE "Microsoft\Windows NT\CurrentVersion" CurrentBuild --json': Row(r'"data": "19045"'),
    r'vdiskkit reg ls win10.vhd "HKLM\SYSTEM\Select"': Row(r"value  Current  REG_DWORD  1\n"),
    "vdiskkit reg ls SOFTWARE --depth 2 --json": Row(r'"name": "Windows NT"'),
    r'vdiskkit reg export win10.vhd "HKLM\SYSTEM\Select" --output select.reg': Row(r"^$", made="select.reg"),
    r'vdiskkit reg export SOFTWARE "Microsoft\Office" --root SOFTWARE': Row(
        r"\[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Office\\ClickToRun\]"
    ),
    r'vdiskkit reg set win10.vhd "HKLM\SYSTEM\CurrentControlSet\Control" Example 0x1f --type dword --dry-run': Row(
        r"HKLM\\SYSTEM\\ControlSet001\\Control, Example: absent → REG_DWORD 31\n(?s:.*)nothing written"
    ),
    r'vdiskkit reg set win10.vhd "HKLM\SYSTEM\Select" Names one two --type multi_sz --yes': Row(
        r'^changed (?s:.*)Select, Names: absent → REG_MULTI_SZ "one", "two"\n'
    ),
    r'vdiskkit reg set win10.vhd "HKLM\SOFTWARE\Example" --default text --type sz --create-keys --yes': Row(
        r'^changed (?s:.*)HKLM\\SOFTWARE\\Example, \(default\): absent → REG_SZ "text"\n'
    ),
    r'vdiskkit reg delete win10.vhd "HKLM\SOFTWARE\Policies\Example" Server --missing-ok --yes': Row(
        r"^changed (?s:.*)delete +HKLM\\SOFTWARE\\Policies\\Example, Server", first=world.some_keys
    ),
    r'vdiskkit reg delete win10.vhd "HKLM\SOFTWARE\Example" --recursive --dry-run': Row(
        r"delete +HKLM\\SOFTWARE\\Example \(was 2 keys, 1 value\)", first=world.some_keys
    ),
    "vdiskkit reg import win10.vhd settings.reg --dry-run": Row(
        r'set +HKLM\\SOFTWARE\\Example, Größe: absent → REG_SZ "ü"'
    ),
    "vdiskkit reg import win10.vhd old.reg --encoding cp1252 --yes": Row(
        r'^changed (?s:.*)HKLM\\SOFTWARE\\Example, Größe: absent → REG_SZ "ü"'
    ),
    r'vdiskkit ls win10.vhd "Windows\System32\config" -l': Row(r"file  2023-06-14 08:12:03Z +1048576  SOFTWARE\n"),
    "vdiskkit ls win10.vhd --json": Row(r'"name": "Windows"'),
    r'vdiskkit cat win10.vhd "Windows\System32\config\SOFTWARE" --output SOFTWARE': Row(
        r"^$", first=world.no_hive, made="SOFTWARE"
    ),
    "vdiskkit cat win10.vhd Personality.ini": Row(r"^\[StringData\]\n"),
    r'vdiskkit stat win10.vhd "Windows\System32\spp\store\2.0\tokens.dat"': Row(r"size +52000 bytes"),
    "vdiskkit stat win10.vhd Windows/explorer.exe --json": Row(r'"path": "Windows\\\\explorer.exe"'),
    "vdiskkit kms-prep win10.vhd --skip-rearm 0 --remove-tokens --dry-run": Row(
        rf"^plan (?s:.*){K}(?s:.*)nothing written"
    ),
    "vdiskkit kms-prep win10.vhd --skip-rearm 0 --remove-tokens --yes": Row(rf"^changed (?s:.*){K}"),
    "vdiskkit kms-prep win10.vhd --kms-host kms.example.com --kms-port 1688 --check": Row(
        r'KeyManagementServicePort: absent → REG_SZ "1688"\n(?s:.*)nothing written', 1
    ),
    r'vdiskkit rm win10.vhd "Windows\System32\spp\store\2.0\tokens.dat" --dry-run': Row(
        r"delete +Windows\\System32\\spp\\store\\2\.0\\tokens\.dat \(52000 bytes, 1 name\)\n(?s:.*)nothing written"
    ),
    r'vdiskkit rm win10.vhd "Windows\Temp\setup.log" --missing-ok --yes': Row(r"^already so"),
    "vdiskkit replay win11.vhdx --dry-run": Row(r"SOFTWARE hive: 2 entries(?s:.*)nothing written"),
    "vdiskkit replay win11.vhdx --check": Row(r"SOFTWARE hive: 2 entries(?s:.*)nothing written", 1),
    "vdiskkit replay win11.vhdx --yes": Row(r"^changed (?s:.*)SOFTWARE hive: 2 entries"),
    "vdiskkit apply win10.plan --yes": Row(rf"^changed (?s:.*){K}", first=world.a_plan),
    "vdiskkit apply win10.plan --disk D:/store/win10.vhd --dry-run": Row(
        r"^plan +\w+ for D:/store/win10\.vhd(?s:.*)nothing written", first=world.a_plan
    ),
    "vdiskkit undo win10.vhd --dry-run": Row(r"^undo +win10\.vhd: can be taken back", first=world.a_change),
    "vdiskkit undo win10.vhd --id 7f3a --yes": Row(r"^undo +win10\.vhd: taken back", first=world.a_change),
    "vdiskkit recover win10.vhd --yes": Row(
        r"^recover +win10\.vhd: the files are as they were before", first=world.an_interrupted_change
    ),
    "vdiskkit recover win10.vhd --forward --dry-run": Row(
        r"^recover +win10\.vhd: the change can be finished", first=world.an_interrupted_change
    ),
    "vdiskkit journal ls win10.vhd": Row(r"^journal +win10\.vhd: 1 change\n", first=world.a_change),
    "vdiskkit journal ls win10.vhd --json": Row(r'"7f3a0000-0000-4000-8000-000000000001"', first=world.a_change),
    "vdiskkit journal show win10.vhd": Row(r"(?m)^      range +0x", first=world.a_change),
    "vdiskkit journal show win10.vhd --id 7f3a --json": Row(r'"7f3a0000-0000-4000-8000-0', first=world.a_change),
    "vdiskkit rules": Row(r"(?m)^  KMS110 .* SkipRearm is not left at 1$"),
    "vdiskkit rules KMS OFF --json": Row(r'"OFF103"'),
    "vdiskkit rule KMS110": Row(r"^rule +KMS110 SkipRearm"),
    "vdiskkit rule kms110 --json": Row(r'"KMS110"'),
    "vdiskkit explain 0xC004F074": Row(r"^activation code   0xC004F074 No KMS host could be reached\n"),
    "vdiskkit explain -1073418124": Row(r"^activation code   0xC004F074 No KMS host could be reached\n"),
    "vdiskkit explain KMS110 vhd.copy_missing InUseError": Row(
        r"(?m)^rule +KMS110 (?s:.*)^notice +vhd\.copy_missing (?s:.*)^error +InUseError "
    ),
    "vdiskkit explain event 12288": Row(r"^event +12288 A request was sent to a KMS host\n"),
    "vdiskkit explain": Row(r"^activation +Activation codes of Windows and Office\n"),
    "vdiskkit profile show": Row(r"^kms-standard +Ready to be copied"),
    "vdiskkit profile show kms-standard": Row(r"^# kms-standard, built in\n"),
    "vdiskkit profile check vdiskkit.toml": Row(r"^ok: vdiskkit\.toml: ", first=world.a_profile),
    "vdiskkit profile check strict.toml base.toml": Row(r"^ok: strict\.toml: .*\nok: base\.toml: "),
    "vdiskkit profile init": Row(r'(?m)^extends = "kms-standard"$'),
    "vdiskkit profile init --output vdiskkit.toml": Row(r"^$", made="vdiskkit.toml"),
    "vdiskkit schema": Row(r"(?m)^vdiskkit\.inspect/1$"),
    "vdiskkit schema inspect --output inspect.schema.json": Row(r"^$", made="inspect.schema.json"),
    "vdiskkit completion powershell": Row(r"^Register-ArgumentCompleter -Native -CommandName vdiskkit "),
    "vdiskkit completion bash --output vdiskkit.bash": Row(r"^$", made="vdiskkit.bash"),
    "python -m vdiskkit inspect sample_images/faulty.vhd --section license,tokens,pvp,procedure": Row(
        r"step 3 +. not done"
    ),
    "python -m vdiskkit validate sample_images/faulty.vhd": Row(r"KMS101 (?s:.*)KMS112 ", 1),
    "python -m vdiskkit kms-prep desk.vhd --skip-rearm 0 --kms-host kms.example.com --dry-run": Row(
        rf"^plan (?s:.*){K}"
    ),
    "python -m vdiskkit kms-prep desk.vhd --skip-rearm 0 --kms-host kms.example.com --yes": Row(
        rf"^changed (?s:.*){K}"
    ),
    "python -m vdiskkit undo desk.vhd --yes": Row(r"^undo +desk\.vhd: taken back", first=world.a_change_of_desk),
    r'python -m vdiskkit reg get sample_images/desk11.1.avhdx "HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    r'\SoftwareProtectionPlatform" SkipRearm': Row(r"^0\n(?s:.*)note: SkipRearm \(only in a log of the hive\)"),
    "vdiskkit kms-prep win10.vhd --skip-rearm 0 --remove-tokens": Row(
        rf"write this\? \[y/N\] (?s:.*)changed (?s:.*){K}", answer="y"
    ),
    "vdiskkit undo win10.vhd": Row(r"\[y/N\] (?s:.*)taken back", first=world.a_change, answer="y"),
    BLOCKS[0]: Row(r"^$", first=world.skip_rearm),
    BLOCKS[1]: Row(rf"(?m)^plan (?s:.*)^changed (?s:.*){K}", made="win10.plan"),
}


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples") / "store"
    world.build(folder)
    return folder


def in_a_shell(text: str, path: str) -> subprocess.CompletedProcess[str]:
    """Run a text as it is in bash, on Windows in cmd."""
    return subprocess.run(
        _shell(text),
        shell=os.name == "nt",
        env=environment({"PATH": path}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


def on_a_terminal(text: str, path: str, answer: str) -> subprocess.CompletedProcess[str]:
    """The same, with somebody there to answer the question."""
    import pty

    terminal, inner = pty.openpty()
    with subprocess.Popen(
        _shell(text), env=environment({"PATH": path}), stdin=inner, stdout=subprocess.PIPE, stderr=inner
    ) as child:
        os.close(inner)
        os.write(terminal, f"{answer}\n".encode())
        out = child.communicate(timeout=120)[0]
    told = os.read(terminal, 1 << 20)
    os.close(terminal)
    return subprocess.CompletedProcess(text, child.returncode, told.decode() + out.decode(), "")


def _shell(text: str) -> str | list[str]:
    if os.name == "nt":
        return text
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    return [bash, "--norc", "-c", text]


def test_every_example_has_its_row() -> None:
    assert sorted(ROWS) == sorted({*LINES, *BLOCKS})


@pytest.mark.parametrize("text", [*dict.fromkeys(LINES), *BLOCKS])
def test_it_does_what_it_says(text: str, master: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ROWS[text]
    if os.name == "nt" and (text in BLOCKS or row.answer or "D:" in text):
        pytest.skip("needs a shell or a terminal of POSIX, or a drive D:")
    folder = tmp_path / "store"
    world.copy(master, folder, text)
    monkeypatch.chdir(folder)
    for name in list(os.environ):
        if name.startswith("VDISKKIT_"):
            monkeypatch.delenv(name)
    if row.first is not None:
        row.first(monkeypatch)
    path = world.put_program(tmp_path / "bin")
    done = in_a_shell(text, path) if row.answer is None else on_a_terminal(text, path, row.answer)
    told = done.stdout + done.stderr
    assert done.returncode == row.code, told
    assert re.search(row.shown, told), told
    assert row.made is None or (folder / row.made).is_file()
