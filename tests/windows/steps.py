"""Command lines that must do the same on Linux and on Windows, in the order in which they run on one vDisk."""

from __future__ import annotations

from typing import NamedTuple

from tests.cli.writing import SPP, TOKENS

SOFTWARE = r"HKLM\SOFTWARE"
VERSION = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
EXAMPLE = r"HKLM\SOFTWARE\Example"
CONFIG = r"Windows\System32\config"
CHANGES = ("--skip-rearm", "0", "--kms-host", "kms.example.com", "--kms-port", "1688", "--remove-tokens")

REG_TEXT = (
    "Windows Registry Editor Version 5.00\n\n"
    "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Example]\n"
    '@="default"\n"Number"=dword:0000002a\n"List"=hex(7):61,00,00,00,62,00,00,00,00,00\n"Größe"="ü"\n'
    "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Example\\Empty]\n\n"
    "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion]\n"
    '"CurrentBuild"=-\n"Not there"=-\n\n[-HKEY_LOCAL_MACHINE\\SYSTEM\\Setup]\n'
)
INPUTS = {
    "regedit.reg": REG_TEXT.replace("\n", "\r\n").encode("utf-16"),
    "plain.reg": REG_TEXT.encode("utf-8"),
    "broken.reg": REG_TEXT.replace("dword:", "dword:x").encode("utf-8"),
    "profile.toml": b'extends = "kms-standard"\r\nignore = ["KMS110"]\r\n',
    "wrong.toml": b'extends = "kms-standard"\r\nignored = ["KMS110"]\r\n',
}
"""Files that lie in the folder of every vDisk."""


class Step(NamedTuple):
    """One command line.

    Attributes:
        args: What follows ``vdiskkit``; ``{here}`` stands for the folder of the vDisk and the separator behind it.
        process: Whether it runs in a process of its own, with pipes.
        dies: The call that changes a file at which its process is killed, -1 for one that lives; None for no process.
        how: ``before`` that call, or ``half``: when half of it is written.
    """

    args: tuple[str, ...]
    process: bool = False
    dies: int | None = None
    how: str = "before"

    def __str__(self) -> str:
        """How a difference is told."""
        how = f" (killed at call {self.dies}, {self.how})" if self.dies is not None else ""
        return " ".join(self.args) + (" (a process)" if self.process else "") + how


def step(*args: str) -> Step:
    return Step(args)


def process(*args: str) -> Step:
    return Step(args, process=True)


def killed(dies: int, how: str, *args: str) -> Step:
    return Step(args, dies=dies, how=how)


def reading(disk: str) -> list[Step]:
    """Every command that reads, on one disk."""
    side_car = disk.rpartition(".")[0] + ".pvp"
    return [
        step("inspect", disk),
        step("inspect", "{here}" + disk, "--json", "--readiness", "--blocks", "--deep"),
        step("inspect", side_car, "--section", "license,tokens,pvp,procedure", "--color", "always"),
        step("inspect", disk, "--second-opinion", "--output", "facts.txt"),
        step("license", disk),
        step("license", disk, "--json", "--show-key"),
        step("pvp", "show", disk),
        step("pvp", "show", side_car, "--json"),
        step("chain", "show", disk),
        step("chain", "show", "{here}" + disk, "--json"),
        step("chain", "check", disk),
        step("validate", disk, "--all-results"),
        step(
            "validate", "{here}" + disk, "--json", "--deep", "--report", "junit=out.xml", "--report", "sarif=out.sarif"
        ),
        step("validate", disk, "--profile", "profile.toml", "--output-format", "csv", "--report", "html=out.html"),
        step("validate", disk, "--output-format", "azure", "--strict-unknown", "--fail-on", "warning"),
        step("validate", "*.vhd*", "--output-format", "jsonl", "--jobs", "2"),
        step("reg", "get", disk, VERSION, "EditionID"),
        step("reg", "get", disk, VERSION.replace("\\", "/"), "EditionID", "--json"),
        step("reg", "get", disk, VERSION, "nothing"),
        step("reg", "ls", disk, SOFTWARE, "--depth", "2"),
        step("reg", "ls", disk, r"HKLM\SYSTEM\CurrentControlSet", "--json"),
        step("reg", "export", disk, SPP),
        step("reg", "export", disk, VERSION, "--output", "version.reg"),
        step("ls", disk, "-l"),
        step("ls", disk, CONFIG, "-l", "--streams", "--json"),
        step("ls", disk, r"\nowhere"),
        step("cat", disk, rf"{CONFIG}\SOFTWARE", "--output", "SOFTWARE"),
        step("reg", "get", "SOFTWARE", r"Microsoft\Windows NT\CurrentVersion", "EditionID"),
        step("stat", disk, rf"{CONFIG}\SYSTEM"),
        step("stat", disk, rf"{CONFIG}\SYSTEM".replace("\\", "/"), "--json"),
        step("journal", "ls", disk),
        step("journal", "show", disk),
        process("inspect", disk, "--section", "container,license"),
        process("cat", disk, rf"{CONFIG}\DEFAULT"),
        process("validate", disk, "--output-format", "csv"),
        process("reg", "export", disk, SPP),
    ]


def interrupted(disk: str, calls: list[tuple[int, str]], *change: str) -> list[Step]:
    """A change that is killed at several calls; what is seen of it, and its end."""
    steps = []
    for call, how in calls:
        steps += [
            killed(call, how, *change),
            step("inspect", disk, "--section", "container,license,pvp"),
            step("validate", disk, "--select", "CHN,VHD,VHX,NTF,HIV"),
            step("recover", disk, "--dry-run"),
            step("recover", disk, "--yes"),
            step("undo", disk, "--yes"),
        ]
    return steps


PRIVATE = "win10-private-mak.vhd"
PRIVATE_STEPS = [
    *reading(PRIVATE),
    step("kms-prep", PRIVATE, *CHANGES, "--dry-run"),
    step("kms-prep", PRIVATE, *CHANGES, "--check"),
    step("kms-prep", PRIVATE, *CHANGES),
    step("kms-prep", PRIVATE, *CHANGES, "--plan-out", "kms.plan"),
    step("apply", "kms.plan", "--dry-run"),
    step("apply", "kms.plan", "--yes"),
    step("apply", "kms.plan", "--yes"),
    step("reg", "get", PRIVATE, SPP, "SkipRearm"),
    step("validate", PRIVATE),
    step("journal", "ls", PRIVATE),
    step("journal", "show", "{here}" + PRIVATE, "--json"),
    step("undo", PRIVATE, "--id", "ffffffff", "--yes"),
    step("undo", PRIVATE, "--dry-run"),
    step("undo", PRIVATE, "--yes"),
    step("undo", PRIVATE, "--yes"),
    step("reg", "set", PRIVATE, EXAMPLE, "Text", "Grüße", "--type", "sz", "--yes"),
    step("reg", "set", PRIVATE, EXAMPLE, "Text", "Grüße \U0001f600", "--type", "sz", "--create-keys", "--yes"),
    step("reg", "set", PRIVATE, EXAMPLE, "Number", "42", "--type", "dword", "--yes", "--json"),
    step("reg", "set", PRIVATE, EXAMPLE, "Big", "18446744073709551615", "--type", "qword", "--yes"),
    step("reg", "set", PRIVATE, EXAMPLE, "List", "a", "b c", "--type", "multi_sz", "--yes"),
    step("reg", "set", PRIVATE, EXAMPLE, "Raw", "00 ff", "--type", "binary", "--yes"),
    step("reg", "ls", PRIVATE, EXAMPLE),
    step("reg", "delete", PRIVATE, EXAMPLE, "Number", "--yes"),
    step("reg", "delete", PRIVATE, EXAMPLE, "Number", "--yes"),
    step("reg", "delete", PRIVATE, EXAMPLE, "--recursive", "--yes"),
    step("reg", "import", PRIVATE, "regedit.reg", "--yes"),
    step("reg", "import", PRIVATE, "plain.reg", "--yes"),
    step("reg", "import", PRIVATE, "broken.reg", "--yes"),
    step("rm", PRIVATE, TOKENS, "--yes"),
    step("rm", PRIVATE, TOKENS, "--yes"),
    step("rm", PRIVATE, TOKENS, "--missing-ok", "--yes"),
    step("pvp", "set", PRIVATE, "description=Größe", "author=me", "--yes"),
    step("pvp", "set", PRIVATE, "nothing=1", "--yes"),
    step("journal", "ls", PRIVATE, "--json"),
    *[step("undo", PRIVATE, "--yes") for _ in range(10)],
    step("kms-prep", PRIVATE, *CHANGES, "--copy-to", "copy.vhd", "--yes"),
    step("kms-prep", PRIVATE, *CHANGES, "--copy-to", "{here}copy.vhd", "--yes"),
    step("inspect", "copy.vhd", "--readiness"),
    step("undo", "copy.vhd", "--yes"),
    *interrupted(
        PRIVATE,
        [(1, "before"), (3, "half"), (9, "half"), (15, "before"), (24, "half")],
        *("kms-prep", PRIVATE, *CHANGES, "--yes"),
    ),
    step("recover", PRIVATE, "--yes"),
    process("kms-prep", PRIVATE, *CHANGES, "--dry-run", "--log-file", "{here}log.txt"),
    killed(-1, "before", "kms-prep", PRIVATE, *CHANGES, "--yes", "--no-undo"),
    step("undo", PRIVATE, "--yes"),
]

STANDARD = "win7-kms.vhd"
STANDARD_STEPS = [
    *reading(STANDARD),
    step("kms-prep", STANDARD, "--skip-rearm", "1", "--yes"),
    step("kms-prep", STANDARD, *CHANGES, "--office", "--force", "standard-mode", "--verify", "full", "--yes"),
    step("pvp", "set", STANDARD, "write_cache_type=0", "--yes"),
    step("pvp", "set", STANDARD, "write_cache_type=0", "--force", "mode", "--yes"),
    step("undo", STANDARD, "--yes"),
    step("undo", STANDARD, "--force", "standard-mode", "--yes"),
]

FAULTY = "faulty.vhd"
FORCED = ("--force", "standard-mode")
FAULTY_STEPS = [
    step("validate", FAULTY),
    step("validate", FAULTY, "--profile", "wrong.toml"),
    step("validate", FAULTY, "--fix"),
    step("validate", FAULTY, "--fix", "--fix-tokens", "--yes"),
    step("validate", FAULTY, "--fix", "--fix-tokens", "--yes", *FORCED),
    step("validate", FAULTY, "--json"),
    step("undo", FAULTY, "--yes", *FORCED),
    step("validate", FAULTY, "--fix", "--select", "KMS", "--yes", *FORCED, "--output-format", "json"),
    step("undo", FAULTY, "--yes", *FORCED),
]

NEWEST = "desk10.2.avhd"
CHAIN_STEPS = [
    *reading(NEWEST),
    step("chain", "show", "desk10.vhd"),
    step("chain", "check", "desk10.vhd", NEWEST, "--json"),
    step("inspect", "desk10.vhd", "--at", "latest"),
    step("reg", "get", "desk10.pvp", SPP, "KeyManagementServiceName", "--at", "2"),
    step("reg", "get", "desk10.vhd", SPP, "KeyManagementServiceName", "--at", "9"),
    step("kms-prep", "desk10.vhd", "--skip-rearm", "0", "--yes", *FORCED),
    step("kms-prep", NEWEST, *CHANGES, "--yes", *FORCED),
    step("undo", NEWEST, "--yes", *FORCED),
]

DIRTY = "desk11.1.avhdx"
DIRTY_STEPS = [
    *reading(DIRTY),
    step("replay", DIRTY, "--check"),
    step("replay", DIRTY, "--dry-run"),
    step("replay", DIRTY, "--yes"),
    step("replay", DIRTY, "--yes"),
    step("undo", DIRTY, "--yes"),
    step("kms-prep", DIRTY, *CHANGES, "--yes"),
    step("validate", DIRTY),
    step("undo", DIRTY, "--yes"),
    *interrupted(DIRTY, [(6, "half"), (12, "half"), (30, "before")], *("replay", DIRTY, "--yes")),
]

HOSTILE = "hostile.vhd"
HOSTILE_STEPS = [*reading(HOSTILE), step("ls", HOSTILE, r"Users\Public", "-l"), step("explain", "4")]

KNOWLEDGE_STEPS = [
    step(),
    step("--help"),
    step("nothing"),
    step("inspect"),
    step("inspect", "not-there.vhd"),
    step("inspect", "con"[:0]),
    step("inspect", "profile.toml"),
    step("kms-prep", "not-there.vhd", "--skip-rearm", "2"),
    step("explain"),
    step("explain", "0xC004F074", "12288", "SkipRearm", "KMS110", "InUseError", "4"),
    step("explain", "0xC004F074", "--json"),
    step("explain", "nonsense"),
    step("rules"),
    step("rule", "KMS110"),
    step("schema"),
    step("schema", "validate"),
    step("schema", "nonsense"),
    step("profile", "show", "kms-standard"),
    step("profile", "check", "profile.toml", "wrong.toml"),
    step("profile", "init"),
    process("--version"),
    process("inspect", "not-there.vhd"),
    process("nothing"),
]

GROUPS = {
    "win10-private-mak": PRIVATE_STEPS,
    "win7-kms": STANDARD_STEPS,
    "faulty": FAULTY_STEPS,
    "desk10": CHAIN_STEPS,
    "desk11": DIRTY_STEPS,
    "hostile": HOSTILE_STEPS,
    "": KNOWLEDGE_STEPS,
}
"""The steps for each sample; those under no name need none."""
