"""A profile out of a TOML document; every unknown key and wrong value is an error with its line."""

from __future__ import annotations

import re
from datetime import date, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from vdiskkit.errors import PolicyError, UsageError
from vdiskkit.location import Location
from vdiskkit.rules.facts import Severity
from vdiskkit.rules.patterns import check_pattern
from vdiskkit.rules.profile import ALL, ExpectedValue, Profile, Waiver
from vdiskkit.rules.toml_lines import line_of
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

__all__ = ["KEYS", "Document"]

_T = TypeVar("_T")
_Path = tuple["str | int", ...]

KEYS = (
    "description",
    "extends",
    "select",
    "ignore",
    "fail_on",
    "strict_unknown",
    "severity",
    "expect",
    "registry",
    "files",
    "waiver",
)
_EXPECT = (
    "mode",
    "license_mode",
    "windows_key",
    "kms_host",
    "kms_port",
    "target_version",
    "free_space_mb",
    "ad_password",
)
_MOST_VALUES = 2000
_VALUE = ("equals", "absent", "regex", "type")
_WAIVER = ("rule", "reason", "expires", "disks")
_MODES = ("standard", "private", "any")
_LICENSES = ("kms", "mak", "none", "any")
_WINDOWS_KEYS = ("gvlk", "mak", "any")
_TYPES = (
    "REG_NONE",
    "REG_SZ",
    "REG_EXPAND_SZ",
    "REG_BINARY",
    "REG_DWORD",
    "REG_DWORD_BIG_ENDIAN",
    "REG_LINK",
    "REG_MULTI_SZ",
    "REG_QWORD",
)


class Document:
    """A parsed TOML document and where it comes from.

    Args:
        data: What ``tomllib`` made of it.
        text: Its text, for line numbers.
        source: File path, or what it is called in messages.
        codes: Codes of all rules that are known.
    """

    def __init__(self, data: dict[str, Any], text: str, source: str, codes: Collection[str]) -> None:
        self.data = data
        self.text = text
        self.source = source
        self.codes = codes

    @property
    def extends(self) -> str | None:
        """Name or file of the profile that this one changes."""
        return self._get(("extends",), str, "a text: a built-in name or a file")

    def apply(self, base: Profile, name: str, source: str) -> Profile:
        """Return ``base`` with what this document says.

        Raises:
            PolicyError: It says something that cannot be.
        """
        self._known((), self.data, KEYS)
        files = self._table(("files",), ("present", "absent"))
        fail_on = self._choice(("fail_on",), [level.value for level in Severity])
        strict = self._get(("strict_unknown",), bool, "true or false")
        select = self._codes(("select",))
        return base._replace(
            name=name,
            source=source,
            description=self._get(("description",), str, "a text") or "",
            select=select if "select" in self.data else base.select,
            # A fresh selection starts from nothing; otherwise what the base ignores stays ignored.
            ignore=(*(() if "select" in self.data else base.ignore), *self._codes(("ignore",))),
            severity={**base.severity, **self._severities()},
            expect=base.expect._replace(**self._expectations()),
            registry=_merged(base.registry, self._registry()),
            files_present=(*base.files_present, *self._texts(("files", "present"), files)),
            files_absent=(*base.files_absent, *self._texts(("files", "absent"), files)),
            waivers=(*base.waivers, *self._waivers()),
            fail_on=Severity(fail_on) if fail_on is not None else base.fail_on,
            strict_unknown=base.strict_unknown if strict is None else strict,
        )

    # the parts

    def _severities(self) -> dict[str, Severity]:
        table = self._get(("severity",), dict, "a table of rule codes") or {}
        found = {}
        for code in table:
            self._code(("severity", code), code)
            found[code] = Severity(self._choice(("severity", code), [level.value for level in Severity]) or "")
        return found

    def _expectations(self) -> dict[str, Any]:
        table = self._table(("expect",), _EXPECT)
        found: dict[str, Any] = {}
        for name, choices in (("mode", _MODES), ("license_mode", _LICENSES), ("windows_key", _WINDOWS_KEYS)):
            if name in table:
                found[name] = self._choice(("expect", name), choices)
        if "kms_host" in table:
            hosts = table["kms_host"]
            one = isinstance(hosts, str)
            found["kms_host"] = (hosts,) if one else self._texts(("expect", "kms_host"), table)
        if "kms_port" in table:
            found["kms_port"] = self._number(("expect", "kms_port"), 1, 65535)
        if "free_space_mb" in table:
            found["free_space_mb"] = self._number(("expect", "free_space_mb"), 0, 1 << 30)
        if "ad_password" in table:
            found["ad_password"] = self._get(("expect", "ad_password"), bool, "true or false")
        if "target_version" in table:
            version = self._get(("expect", "target_version"), str, 'a text such as "7.33"')
            if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,5}){0,3}", version or ""):
                self._wrong(("expect", "target_version"), 'must be one to four numbers with dots, such as "7.33"')
            found["target_version"] = version
        return found

    def _registry(self) -> tuple[ExpectedValue, ...]:
        from vdiskkit.windows.regpath import parse_registry_path

        found = []
        for key, values in (self._get(("registry",), dict, "a table of registry keys") or {}).items():
            here: _Path = ("registry", key)
            try:
                parse_registry_path(key)
            except UsageError as exc:
                self._wrong(here, f"is no registry path: {exc.message}", hint=exc.hint)
            if not isinstance(values, dict):
                self._wrong(here, 'must be a table of values: [registry."HKLM\\\\SOFTWARE\\\\..."]')
            found += [self._value(key, name) for name in values]
            if len(found) > _MOST_VALUES:
                self._wrong(here, f"makes more than {_MOST_VALUES} registry values")
        return tuple(found)

    def _value(self, key: str, name: str) -> ExpectedValue:
        here: _Path = ("registry", key, name)
        wanted = self._find(here)
        if not isinstance(wanted, dict):
            return ExpectedValue(key, name, equals=self._data(here, wanted))
        table = self._table(here, _VALUE)
        absent = bool(self._get((*here, "absent"), bool, "true or false"))
        regex = self._get((*here, "regex"), str, "a text")
        if regex is not None:
            problem = check_pattern(regex)
            if problem is not None:
                self._wrong((*here, "regex"), f"is no regular expression that can be used: {problem}")
        kind = self._choice((*here, "type"), _TYPES)
        equals = self._data((*here, "equals"), table["equals"]) if "equals" in table else None
        if absent and (equals is not None or regex is not None or kind is not None):
            self._wrong(here, "cannot be absent and have data")
        if not absent and equals is None and regex is None and kind is None:
            self._wrong(here, "must say one of equals, absent, regex, type")
        return ExpectedValue(key, name, equals, absent, regex, kind)

    def _data(self, path: _Path, data: object) -> int | str | tuple[str, ...]:
        if isinstance(data, bool) or not isinstance(data, int | str | list):
            self._wrong(path, "must be a number, a text, a list of texts, or a table with equals, absent, regex, type")
        if isinstance(data, list):
            return self._as_texts(path, data)
        return data

    def _waivers(self) -> tuple[Waiver, ...]:
        entries = self._get(("waiver",), list, "an array of tables: [[waiver]]") or []
        return tuple(self._waiver(number) for number in range(len(entries)))

    def _waiver(self, number: int) -> Waiver:
        here: _Path = ("waiver", number)
        table = self._table(here, _WAIVER)
        for name in ("rule", "reason", "expires"):
            if name not in table:
                self._wrong(here, f"a waiver needs {name}")
        code = self._get((*here, "rule"), str, "a rule code") or ""
        if code not in self.codes:
            self._code((*here, "rule"), code, whole=True)
        reason = self._get((*here, "reason"), str, "a text") or ""
        if not reason.strip():
            self._wrong((*here, "reason"), "must say why")
        expires = table["expires"]
        if not isinstance(expires, date) or isinstance(expires, datetime):
            self._wrong((*here, "expires"), "must be a day without quotes, such as 2026-12-31")
        return Waiver(code, reason, expires, self._texts((*here, "disks"), table), self._where(here))

    # reading and refusing

    def _codes(self, path: _Path) -> tuple[str, ...]:
        found = self._texts(path, self.data)
        for code in found:
            if code != ALL and not any(known.startswith(code) for known in self.codes):
                self._code(path, code)
        return found

    def _code(self, path: _Path, code: str, *, whole: bool = False) -> None:
        if code in self.codes or (not whole and any(known.startswith(code) for known in self.codes) and code):
            return
        self._wrong(
            path,
            f"names {displayable(code, 80)!r}, which is no rule",
            hint=_near(code, self.codes, "`rules` lists them"),
        )

    def _texts(self, path: _Path, table: Mapping[str, Any]) -> tuple[str, ...]:
        return self._as_texts(path, table[str(path[-1])]) if path[-1] in table else ()

    def _as_texts(self, path: _Path, data: object) -> tuple[str, ...]:
        if not isinstance(data, list) or not all(isinstance(item, str) for item in data):
            self._wrong(path, "must be a list of texts")
        return tuple(data)

    def _table(self, path: _Path, known: Iterable[str]) -> dict[str, Any]:
        table: dict[str, Any] = self._get(path, dict, "a table") or {}
        self._known(path, table, tuple(known))
        return table

    def _known(self, path: _Path, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for name in table:
            if name not in known:
                self._wrong((*path, name), "is not known", hint=_near(name, known, f"known: {', '.join(known)}"))

    def _choice(self, path: _Path, choices: Iterable[str]) -> str | None:
        value = self._get(path, str, "a text")
        allowed = tuple(choices)
        if value is not None and value not in allowed:
            self._wrong(
                path, f"is {displayable(value, 80)!r}", hint=_near(value, allowed, f"it can be {', '.join(allowed)}")
            )
        return value

    def _number(self, path: _Path, least: int, most: int) -> int:
        value = self._find(path)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self._wrong(path, f"must be a number from {least} to {most}")
        return value

    def _get(self, path: _Path, kind: type[_T], what: str) -> _T | None:
        value = self._find(path)
        if value is not None and not isinstance(value, kind):
            self._wrong(path, f"must be {what}")
        return value

    def _find(self, path: _Path) -> Any:  # noqa: ANN401 - whatever the document holds there
        node: Any = self.data
        for step in path:
            if isinstance(node, dict):
                node = node.get(step)
            elif isinstance(node, list) and isinstance(step, int):
                node = node[step]
            else:
                return None
        return node

    def _where(self, path: _Path) -> str:
        return str(self._location(path))

    def _location(self, path: _Path) -> Location:
        where = Location(self.source)
        line = line_of(self.text, path)
        return where.at("line", str(line)) if line is not None else where

    def _wrong(self, path: _Path, why: str, *, hint: str | None = None) -> NoReturn:
        name = displayable(".".join(str(part) for part in path if not isinstance(part, int)), 200)
        raise PolicyError(
            f"profile key {name!r} {why}",
            location=self._location(path),
            hint=hint or "`profile init` prints a profile with every key explained",
        )


def _merged(base: tuple[ExpectedValue, ...], own: tuple[ExpectedValue, ...]) -> tuple[ExpectedValue, ...]:
    """Both; where they name the same value, the own one counts."""
    values = {(value.key.casefold(), value.name.casefold()): value for value in (*base, *own)}
    return tuple(values.values())


def _near(word: str, known: Iterable[str], otherwise: str) -> str:
    by_fold = {item.casefold(): item for item in known}
    near = get_close_matches(word.casefold(), by_fold, n=1)
    return f"did you mean {by_fold[near[0]]!r}?" if near else otherwise
