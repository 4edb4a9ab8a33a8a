"""The XML manifest that PVS exports beside a vDisk, needed to import a chain of versions.

``versionManifest`` holds ``startingVersion`` and one ``version`` for each disk file. Times are UTC, some written with a
space and some with a ``T``. The XML is untrusted: entities and document types are refused, nothing of it is kept in
memory but the known elements, and it is never used to find or open a file.
"""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vdiskkit.errors import CorruptStructureError, FormatError, UnsupportedFeatureError
from vdiskkit.location import Location
from vdiskkit.pair.facts import ManifestFacts, ManifestVersionFacts, NamedNumber
from vdiskkit.text import displayable

if TYPE_CHECKING:
    import os

__all__ = ["ACCESS_NAMES", "LARGEST_SIZE", "TYPE_NAMES", "parse_manifest", "read_manifest"]

LARGEST_SIZE = 4 * 1024 * 1024
"""A larger manifest is refused: one version takes less than a kibibyte."""

TYPE_NAMES = {0: "Base", 1: "Manual", 2: "Automatic", 3: "Merge", 4: "MergeBase"}
ACCESS_NAMES = {
    0: "Production",
    1: "Maintenance",
    2: "MaintenanceHighestVersion",
    3: "Override",
    4: "Merge",
    5: "MergeMaintenance",
    6: "MergeTest",
    7: "Test",
}

_MOST_VERSIONS = 4096
_MOST_PROBLEMS = 100
_LONGEST_TEXT = 4096
_DEEPEST = 16
_FIELDS = {
    "versionnumber",
    "description",
    "type",
    "access",
    "createdate",
    "scheduleddate",
    "deletewhenfree",
    "diskfilename",
    "size",
    "lastwritetime",
}
_NUMBER = re.compile(r"[0-9]{1,19}")
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.\d{1,9})?Z?", re.ASCII)
_HINT = "export the vDisk's manifest again in the PVS console"


def read_manifest(path: str | os.PathLike[str]) -> ManifestFacts:
    """Read a manifest file.

    Raises:
        SourceError: The file cannot be opened or read.
        FormatError: It is no manifest, no sound XML, uses entities, or is larger than 4 MiB.
    """
    from vdiskkit.io.paths import open_source

    with open_source(path) as source:
        if source.size > LARGEST_SIZE:
            raise UnsupportedFeatureError(
                f"the manifest is larger than {LARGEST_SIZE} bytes", location=source.location, hint=_HINT
            )
        return parse_manifest(source.read_at(0, source.size), location=source.location)


def parse_manifest(data: bytes, *, location: Location | None = None) -> ManifestFacts:
    """Read a manifest from its bytes; comparing it with the folder is the caller's part.

    Args:
        data: The whole file.
        location: Where the bytes are from, for errors and the file name.

    Raises:
        FormatError: It is no manifest, no sound XML, or uses entities or a document type.
    """
    location = location or Location("")
    collector = _parse_xml(data, location)
    problems = _Problems()
    starting = collector.starting_version.strip()
    versions = tuple(_version(fields, number, problems) for number, fields in enumerate(collector.versions, 1))
    if collector.dropped:
        problems.add(f"{collector.dropped} more versions were not read")
    numbers = sorted(item.version for item in versions if item.version is not None)
    twice = {number for number, following in itertools.pairwise(numbers) if number == following}
    problems.found += [f"version {number} is there more than once" for number in sorted(twice)]
    return ManifestFacts(
        file_name=location.path,
        starting_version=problems.number(starting, "startingVersion") if starting else None,
        versions=versions,
        highest_version=max(numbers, default=None),
        highest_version_matches=None,
        problems=tuple(problems.found[:_MOST_PROBLEMS]),
    )


class _Collector:
    """Target of the XML parser: keeps the known elements only, so that no tree grows in memory."""

    def __init__(self) -> None:
        self.starting_version = ""
        self.versions: list[dict[str, str]] = []
        self.dropped = 0
        self.root: str | None = None
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0

    def start(self, tag: str, _attributes: dict[str, str]) -> None:
        name = tag.rpartition("}")[2].lower()
        if self.root is None:
            self.root = name
            if name != "versionmanifest":
                raise _NotAManifestError(tag)
        self._path.append(name)
        if len(self._path) > _DEEPEST:
            raise _TooDeepError
        if self._path[1:] == ["version"]:
            if len(self.versions) < _MOST_VERSIONS:
                self.versions.append({})
            else:
                self.dropped += 1
        self._text.clear()
        self._length = 0

    def data(self, text: str) -> None:
        if self._length < _LONGEST_TEXT:
            self._text.append(text[: _LONGEST_TEXT - self._length])
            self._length += len(text)

    def end(self, _tag: str) -> None:
        text = "".join(self._text)
        if self._path[1:] == ["startingversion"]:
            self.starting_version = text
        elif len(self._path) == 3 and self._path[1] == "version" and self._path[2] in _FIELDS and not self.dropped:
            self.versions[-1].setdefault(self._path[2], text)
        self._path.pop()
        self._text.clear()
        self._length = 0

    def close(self) -> _Collector:
        return self


class _NotAManifestError(Exception):
    pass


class _TooDeepError(Exception):
    pass


def _parse_xml(data: bytes, location: Location) -> _Collector:
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import DefusedXMLParser, ParseError

    collector = _Collector()
    parser = DefusedXMLParser(target=collector, forbid_dtd=True, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(data)
        parser.close()
    except _NotAManifestError as exc:
        raise FormatError(
            f"not a vDisk manifest: the document is a {displayable(str(exc), 64)}", location=location
        ) from None
    except _TooDeepError:
        raise CorruptStructureError("the manifest's elements are nested too deeply", location=location) from None
    except DefusedXmlException as exc:
        raise UnsupportedFeatureError(
            "the manifest declares entities or a document type, which no manifest needs; it was not read",
            location=location,
            hint="do not trust this file; " + _HINT,
        ) from exc
    except (ParseError, ValueError, LookupError) as exc:
        raise CorruptStructureError(
            f"the manifest is not sound XML: {displayable(str(exc), 200)}", location=location, hint=_HINT
        ) from exc
    return collector


class _Problems:
    """Collects what cannot be read."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, text: str) -> None:
        self.found.append(text)

    def number(self, text: str, name: str) -> int | None:
        if _NUMBER.fullmatch(text):
            return int(text)
        self.add(f"{name} is no number: {_shown(text)}")
        return None

    def time(self, text: str, name: str) -> datetime | None:
        match = _TIME.fullmatch(text)
        try:
            if match is not None:
                year, month, day, hour, minute, second = map(int, match.groups())
                return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            pass
        self.add(f"{name} is no time: {_shown(text)}")
        return None

    def boolean(self, text: str, name: str) -> bool | None:
        known = {"0": False, "1": True, "false": False, "true": True}.get(text.lower())
        if known is None:
            self.add(f"{name} is neither 0 nor 1: {_shown(text)}")
        return known


def _shown(text: str) -> str:
    return displayable(text, 64)


def _version(fields: dict[str, str], position: int, problems: _Problems) -> ManifestVersionFacts:
    texts = {name: text.strip() for name, text in fields.items()}
    place = _shown(f"version {texts.get('versionnumber') or f'at place {position}'}")

    def number(name: str, shown: str) -> int | None:
        text = texts.get(name, "")
        if not text:
            problems.add(f"{place}: {shown} is missing")
            return None
        return problems.number(text, f"{place}: {shown}")

    def time(name: str, shown: str) -> datetime | None:
        text = texts.get(name, "")
        return problems.time(text, f"{place}: {shown}") if text else None

    version = number("versionnumber", "versionNumber")
    kind = number("type", "type")
    access = number("access", "access")
    if not texts.get("diskfilename"):
        problems.add(f"{place}: diskFileName is missing")
    free = texts.get("deletewhenfree", "")
    return ManifestVersionFacts(
        version=version,
        description=fields.get("description", ""),
        type=_named(kind, TYPE_NAMES),
        access=_named(access, ACCESS_NAMES),
        created=time("createdate", "createDate"),
        scheduled=time("scheduleddate", "scheduledDate"),
        delete_when_free=problems.boolean(free, f"{place}: deleteWhenFree") if free else None,
        disk_file_name=texts.get("diskfilename", ""),
        size=number("size", "size"),
        last_write_time=time("lastwritetime", "lastWriteTime"),
    )


def _named(value: int | None, names: dict[int, str]) -> NamedNumber | None:
    return None if value is None else NamedNumber(value=value, name=names.get(value, "unknown"))
