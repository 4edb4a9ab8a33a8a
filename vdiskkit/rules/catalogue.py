"""All rules: the built-in ones, and those that other packages bring by the entry point group ``vdiskkit.rules``.

An entry point names a :class:`~vdiskkit.rules.model.Rule`, a sequence of them, or a module with rules in it. One that
cannot be loaded is an error: a check that silently does not run is worse than none.
"""

from __future__ import annotations

import functools
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from vdiskkit.errors import UsageError
from vdiskkit.rules.model import Rule
from vdiskkit.rules.profile import ALL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["FAMILIES", "GROUP", "all_rules", "built_in_rules", "check_codes", "find_rule", "rule_codes", "with_rules"]

GROUP = "vdiskkit.rules"
"""Entry point group of rules of other packages."""

FAMILIES = {
    "VHD": ("container", "The disk file, VHD"),
    "VHX": ("vhdx", "The disk file, VHDX"),
    "CHN": ("chain", "Versions and their chain"),
    "PRT": ("partition", "Partitions"),
    "NTF": ("ntfs", "The volume"),
    "HIV": ("hives", "Registry hives"),
    "PVP": ("pvp", "Side-car and pair"),
    "KMS": ("kms", "Licensing of Windows"),
    "OFF": ("office", "Licensing of Office"),
    "SEC": ("leftovers", "Leftovers"),
    "TGT": ("target", "Windows and PVS target software"),
    "EXP": ("expected", "What the profile asks for"),
    "WVR": ("expected", "The profile's waivers"),
}
"""Family of the code to its module and what it is about."""

_MODULES = (*dict.fromkeys(module for module, _ in FAMILIES.values()), "kms_host", "chain_files")
_ORDER = {family: number for number, family in enumerate(FAMILIES)}


@functools.cache
def built_in_rules() -> tuple[Rule, ...]:
    """The rules of vdiskkit itself, by family and code."""
    found = [rule for module in _MODULES for rule in import_module(f"vdiskkit.rules.{module}").RULES]
    return tuple(sorted(found, key=_place))


@functools.cache
def all_rules() -> tuple[Rule, ...]:
    """The built-in rules and those of installed packages.

    Raises:
        UsageError: An entry point cannot be loaded or holds no rule, or two rules have the same code.
    """
    from importlib.metadata import entry_points

    found: list[Rule] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.value, point.name)):
        try:
            loaded = point.load()
        except Exception as exc:  # a foreign package raises anything while it is imported
            raise UsageError(
                f"the rules of the entry point {point.name!r} cannot be loaded: {type(exc).__name__}: {exc}",
                hint=f"mend or remove the package that provides {point.value}",
            ) from exc
        rules = _rules_in(loaded)
        if not rules:
            raise UsageError(
                f"the entry point {point.name!r} holds no rule",
                hint=f"let {point.value} be a rule made with @vdiskkit.rule, a list of them, or a module with some",
            )
        found += rules
    return with_rules(found)


def with_rules(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The built-in rules and these.

    Raises:
        UsageError: Two rules have the same code.
    """
    return _distinct((*built_in_rules(), *rules))


def _distinct(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    by_code: dict[str, Rule] = {}
    for rule in rules:
        if by_code.setdefault(rule.code, rule) is not rule:
            raise UsageError(f"two rules have the code {rule.code}", hint="codes are unique; built-in ones are taken")
    return tuple(sorted(by_code.values(), key=_place))


def find_rule(code: str) -> Rule:
    """Return a rule by its code, whatever its case.

    Raises:
        UsageError: There is none.
    """
    from difflib import get_close_matches

    wanted = code.strip().upper()
    rules = {rule.code: rule for rule in all_rules()}
    if wanted not in rules:
        near = get_close_matches(wanted, rules, n=1)
        raise UsageError(
            f"there is no rule {code!r}", hint=f"did you mean {near[0]}?" if near else "`rules` lists them all"
        )
    return rules[wanted]


def check_codes(beginnings: Iterable[str], codes: Sequence[str]) -> None:
    """Make sure that each beginning stands for a rule: one that was mistyped would silently check nothing.

    Raises:
        UsageError: One does not.
    """
    from difflib import get_close_matches

    for beginning in beginnings:
        if beginning != ALL and not (beginning and any(code.startswith(beginning) for code in codes)):
            near = get_close_matches(beginning.upper(), [*codes, *FAMILIES], n=1)
            raise UsageError(
                f"no rule code begins with {beginning!r}",
                hint=f"did you mean {near[0]}?" if near else "`rules` lists them all",
            )


def rule_codes() -> tuple[str, ...]:
    """Codes of all rules."""
    return tuple(rule.code for rule in all_rules())


def _rules_in(loaded: object) -> list[Rule]:
    if isinstance(loaded, Rule):
        return [loaded]
    if isinstance(loaded, ModuleType):
        return [value for value in vars(loaded).values() if isinstance(value, Rule)]
    if isinstance(loaded, tuple | list):
        return [value for value in loaded if isinstance(value, Rule)]
    return []


def _place(rule: Rule) -> tuple[int, str, int]:
    number = int(rule.code[len(rule.family) :])
    return (_ORDER.get(rule.family, len(_ORDER)), rule.family, number)
