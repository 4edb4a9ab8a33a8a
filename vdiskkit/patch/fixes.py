"""Which findings of a validation an edit of the files can mend, and with which operations.

Pure: the facts and the findings go in, operations come out. What needs the running Windows (keys, rearm, the rebuilding
of a token store) is not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.patch.operations import DeleteFile, DeleteValue, ReplayLogs, SetValue
from vdiskkit.registry.value_types import REG_DWORD, REG_SZ

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.licensing.facts import KmsValueFacts, LicensingFacts
    from vdiskkit.patch.operations import Operation
    from vdiskkit.rules.facts import Finding
    from vdiskkit.rules.profile import Expectations

__all__ = ["FIXABLE", "TOKEN_CODES", "Fix", "find_fixes", "operations_of"]

_NAME, _PORT = "keymanagementservicename", "keymanagementserviceport"
_HIVES = ("SOFTWARE", "SYSTEM")
_LOG_CODES = ("VHX103", "HIV101", "HIV105")
_HOST_CODES = ("KMS120", "KMS121", "OFF103")
_CACHED = tuple(f"DiscoveredKeyManagementService{part}" for part in ("Name", "IpAddress", "Port"))
_TOKEN_FILES = ("\\tokens.dat", "\\cache\\cache.dat")

TOKEN_CODES = ("KMS113",)
"""Codes that are mended by removing licence tokens, which is done on request only."""

FIXABLE = (*_LOG_CODES, "KMS110", *_HOST_CODES, "SEC101", "SEC102", *TOKEN_CODES)
"""Codes of which findings can be mended."""


class Fix(NamedTuple):
    """How one finding is mended.

    Attributes:
        finding: What was found.
        operations: What mends it.
    """

    finding: Finding
    operations: tuple[Operation, ...]


def find_fixes(
    inspection: Inspection, findings: Sequence[Finding], expect: Expectations, *, tokens: bool = False
) -> list[Fix]:
    """Find out which findings can be mended.

    SkipRearm becomes 0. A KMS host or port becomes the profile's; where the profile names none the value is deleted, so
    that DNS decides, except that a good port of the wrong type keeps its number. Values of the KMS host role and cached
    KMS hosts are deleted. Logs of a VHDX and of hives are replayed.

    Args:
        inspection: The facts that were judged, under the same name of the disk.
        findings: What was found; waived findings do not belong here.
        expect: What the profile expects.
        tokens: Also remove the tokens that are left in the store of another Windows version.

    Returns:
        One entry for each finding that can be mended, in the order of the findings.
    """
    found = []
    for finding in findings:
        if finding.code not in FIXABLE or (finding.code in TOKEN_CODES and not tokens):
            continue
        operations = tuple(_operations(inspection, finding, expect))
        if operations:
            found.append(Fix(finding, operations))
    return found


def operations_of(fixes: Sequence[Fix]) -> list[Operation]:
    """The operations of all fixes, each once: two findings may speak of the same value."""
    return list(dict.fromkeys(operation for fix in fixes for operation in fix.operations))


def _operations(inspection: Inspection, finding: Finding, expect: Expectations) -> Iterator[Operation]:
    licensing = inspection.licensing
    if finding.code in _LOG_CODES:
        yield from _replays(inspection, finding)
    elif finding.code == "SEC102":
        yield from _cached(inspection, finding)
    elif licensing is None:
        return
    elif finding.code == "KMS110":
        yield SetValue(key=licensing.skip_rearm.key, name="SkipRearm", type=REG_DWORD, data=bytes(4))
    elif finding.code in _HOST_CODES:
        for value in licensing.kms_host:
            if _is_at(inspection, finding, f"{value.key}, {value.name}"):
                yield _client_value(value, expect)
    elif finding.code == "SEC101":
        for value in licensing.kms_settings:
            if _is_at(inspection, finding, f"{value.key}, {value.name}"):
                yield DeleteValue(key=value.key, name=value.name, missing_ok=True)
    else:
        yield from _tokens(inspection, licensing, finding)


def _replays(inspection: Inspection, finding: Finding) -> Iterator[Operation]:
    if finding.code == "HIV101":
        yield from (ReplayLogs(hive=name) for name in _HIVES if _is_at(inspection, finding, f"hive:{name}"))
    elif finding.code == "HIV105":
        yield ReplayLogs(hive="SOFTWARE")
    elif (finding.location or "").startswith(f"{inspection.target} > byte:"):
        # The log of a parent is not this disk's to replay.
        yield ReplayLogs()


def _cached(inspection: Inspection, finding: Finding) -> Iterator[Operation]:
    hosts = inspection.readiness.discovered_hosts if inspection.readiness is not None else None
    for host in hosts or ():
        if _is_at(inspection, finding, host.key):
            yield from (DeleteValue(key=host.key, name=name, missing_ok=True) for name in _CACHED)


def _tokens(inspection: Inspection, licensing: LicensingFacts, finding: Finding) -> Iterator[Operation]:
    for store in licensing.token_stores:
        if store.active is False and _is_at(inspection, finding, f"ntfs:\\{store.path}"):
            for file in store.files:
                if file.path.casefold().endswith(_TOKEN_FILES):
                    yield DeleteFile(path=file.path, missing_ok=True)


def _client_value(value: KmsValueFacts, expect: Expectations) -> Operation:
    """What a KMS client value that was found wrong becomes."""
    name = value.name.casefold()
    wanted = None
    if name == _NAME and expect.kms_host:
        wanted = expect.kms_host[0]
    elif name == _PORT:
        wanted = str(expect.kms_port) if expect.kms_port is not None else _port(value)
    if wanted is None:
        return DeleteValue(key=value.key, name=value.name, missing_ok=True)
    return SetValue(key=value.key, name=value.name, type=REG_SZ, data=f"{wanted}\0".encode("utf-16-le"))


def _port(value: KmsValueFacts) -> str | None:
    """The port that a value of the wrong type means, None when it means none."""
    text = str(value.data).strip() if isinstance(value.data, int | str) else ""
    # Binary data is told as hexadecimal text, which may look like a number.
    if value.type == "REG_BINARY" or not (text.isascii() and text.isdigit() and len(text) < 6):
        return None
    return str(int(text)) if 0 < int(text) < 65536 else None


def _is_at(inspection: Inspection, finding: Finding, place: str) -> bool:
    """Whether a finding is about a place inside the disk; whole, as names in an image may hold anything."""
    return finding.location == (f"{inspection.target} > {place}" if inspection.target else place)
