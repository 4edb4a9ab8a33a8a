"""All explanations, and finding one by whatever form of its code was typed."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from vdiskkit import errors
from vdiskkit.errors import NotFoundError
from vdiskkit.explanations.facts import KIND_NAMES, Explanation, Kind
from vdiskkit.explanations.load import read_entries
from vdiskkit.explanations.lookup import keys_of, near, signed, split_kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vdiskkit.explanations.load import Entry
    from vdiskkit.rules.facts import RuleFacts

__all__ = ["FILES", "explain", "explanations", "of_rule"]

FILES = {
    Kind.ACTIVATION: ("activation",),
    Kind.EVENT: ("events",),
    Kind.TERM: ("terms",),
    Kind.NOTICE: ("notices_disk", "notices_windows", "notices_pair"),
    Kind.ERROR: ("errors",),
    Kind.EXIT: ("exit_codes",),
}
"""Kind to the files that hold its texts. Those of rules stand beside the rules."""


def explain(code: str) -> Explanation:
    """Explain a code.

    Args:
        code: ``0xC004F074`` in any form (without ``0x``, as a decimal number), a rule (``KMS110``), the number of an
            event or exit code, the type of an error, the code of a notice. A kind may stand before it:
            ``event 12288``.

    Raises:
        NotFoundError: There is no such code; the hint names similar ones.
    """
    kind, rest = split_kind(code)
    found = _find(code) or (_find(rest, kind) if kind is not None else None)
    if found is not None:
        return found
    what = "nothing is known about" if kind is None else f"there is no {KIND_NAMES[kind]}"
    raise NotFoundError(f"{what} {rest[:200]!r}", hint=_what_now(rest, kind))


def explanations(kind: Kind | None = None) -> tuple[Explanation, ...]:
    """Return all explanations, or those of one kind, in the order in which they are listed.

    Raises:
        UsageError: Rules of an installed package cannot be loaded.
    """
    return tuple(item for one in Kind if kind in (None, one) for item in _of_kind(one))


def of_rule(rule: RuleFacts) -> Explanation:
    """Return the explanation of a rule, made of its own texts."""
    return Explanation(
        code=rule.code,
        kind=Kind.RULE,
        title=rule.title,
        also=(),
        severity=rule.severity,
        exit_code=None,
        reads=rule.reads,
        meaning=rule.judgement,
        why=rule.why,
        fix=(rule.fix,) if rule.fix else (),
        commands=tuple(_commands_for(rule)),
        versions=rule.versions,
        related=_named_by().get(rule.code, ()),
        source=rule.source,
    )


def _commands_for(rule: RuleFacts) -> Iterator[str]:
    from vdiskkit.patch.fixes import FIXABLE, TOKEN_CODES

    text = f"{rule.reads} {rule.judgement}"
    deep = " --deep" if "--deep" in text else ""
    yield f"vdiskkit validate DISK --select {rule.code}{deep}"
    if "chain check" in text:
        yield f"vdiskkit chain check DISK --select {rule.code}"
    if rule.code in FIXABLE:
        tokens = " --fix-tokens" if rule.code in TOKEN_CODES else ""
        yield f"vdiskkit validate DISK --select {rule.code} --fix{tokens}"


def _what_now(code: str, kind: Kind | None) -> str:
    known = [item.code for item in explanations(kind)]
    similar = near(code, known)
    family = re.match(r"[A-Z]+(?=[0-9]|$)|[a-z]+\.", code if "." in code else code.upper())
    if similar:
        hint = f"did you mean {' or '.join(similar)}?"
    elif family and any(item.startswith(family[0]) for item in known):
        lists = f"rules {family[0]}" if family[0].isupper() else "explain notices"
        hint = f"`vdiskkit {lists}` lists those that begin with {family[0]}"
    else:
        hint = "`vdiskkit explain` lists what can be explained"
    if any(key.startswith("0x") for key in keys_of(code)):
        words = "on Windows `slui.exe 0x2a CODE` shows Microsoft's words for an activation code"
        hint = f"{hint} Otherwise {words}" if similar else f"{hint}; {words}"
    return hint


def _of_entry(kind: Kind, entry: Entry) -> Explanation:
    meaning, exit_code, also = entry.meaning, entry.exit_code, entry.also
    error = getattr(errors, entry.code, None) if kind is Kind.ERROR else None
    if error is not None:
        meaning = meaning or _first_paragraph(error.__doc__)
        exit_code = error.exit_code
    if kind is Kind.ACTIVATION:
        also = (*also, signed(entry.code))
    return Explanation(
        code=entry.code,
        kind=kind,
        title=entry.title,
        also=also,
        severity=None,
        exit_code=exit_code,
        reads="",
        meaning=meaning,
        why=entry.why,
        fix=entry.fix,
        commands=entry.commands,
        versions=entry.versions,
        related=tuple(dict.fromkeys((*entry.related, *_named_by().get(entry.code, ())))),
        source="; ".join(entry.source),
    )


def _first_paragraph(text: str | None) -> str:
    return " ".join((text or "").partition("\n\n")[0].replace("``", "`").split())


def _find(code: str, kind: Kind | None = None) -> Explanation | None:
    keys = keys_of(code)
    for index in (_written, _rules):  # rules may come from other packages: they are looked at last
        for key in keys:
            for found in index().get(key, ()):
                if kind in (None, found.kind):
                    return found
    return None


@functools.cache
def _of_kind(kind: Kind) -> tuple[Explanation, ...]:
    if kind is Kind.RULE:
        from vdiskkit.rules.catalogue import all_rules

        return tuple(of_rule(rule.facts()) for rule in all_rules())
    return tuple(_of_entry(kind, entry) for entry in _entries(kind))


@functools.cache
def _entries(kind: Kind) -> tuple[Entry, ...]:
    return tuple(entry for name in FILES[kind] for entry in read_entries(name))


@functools.cache
def _named_by() -> dict[str, tuple[str, ...]]:
    """Code to the codes of the entries that name it."""
    found: dict[str, tuple[str, ...]] = {}
    for kind in FILES:
        for entry in _entries(kind):
            for code in entry.related:
                found[code] = (*found.get(code, ()), entry.code)
    return found


@functools.cache
def _written() -> dict[str, tuple[Explanation, ...]]:
    return _index(
        (item, (item.code, *item.also, *entry.words))
        for kind in FILES
        for item, entry in zip(_of_kind(kind), _entries(kind), strict=True)
    )


@functools.cache
def _rules() -> dict[str, tuple[Explanation, ...]]:
    return _index((item, (item.code,)) for item in _of_kind(Kind.RULE))


def _index(items: Iterable[tuple[Explanation, tuple[str, ...]]]) -> dict[str, tuple[Explanation, ...]]:
    found: dict[str, tuple[Explanation, ...]] = {}
    for item, forms in items:
        for form in forms:
            key = keys_of(form)[0]
            found[key] = (*found.get(key, ()), item)
    return found
