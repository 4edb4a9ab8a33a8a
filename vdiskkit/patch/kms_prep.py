r"""Which operations prepare an image for KMS: decided by the facts of the image, as plain operations.

Keys and folders are those of the installed Windows version. A token store is removed only when asked for: all Windows
store folders, active or not, and Office's own only with ``office``; never ``data.dat``, the Store apps' licences or
``spp\tokens``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from vdiskkit.errors import NotFoundError, UsageError
from vdiskkit.licensing.facts import StoreKind
from vdiskkit.licensing.host_name import host_problem
from vdiskkit.licensing.kms import OFFICE_SERVICE_KEY, VIEWS
from vdiskkit.patch.operations import DeleteFile, DeleteValue, SetValue
from vdiskkit.registry.value_types import REG_DWORD, REG_SZ

if TYPE_CHECKING:
    from vdiskkit.licensing.facts import LicensingFacts
    from vdiskkit.patch.operations import Operation

__all__ = ["ABSENT", "KmsPrep", "kms_prep_operations"]

ABSENT = "absent"
"""Asks for a value to be removed."""

_VALUES = ("skip_rearm", "kms_host", "kms_port")
_REMOVED_FILES = ("\\tokens.dat", "\\cache\\cache.dat")


class KmsPrep(NamedTuple):
    """What is wanted; None leaves a thing as it is.

    Attributes:
        skip_rearm: 0, 1, or :data:`ABSENT`.
        kms_host: Host name or address, or :data:`ABSENT` to find it by DNS.
        kms_port: TCP port, or :data:`ABSENT` for the default.
        remove_tokens: Remove ``tokens.dat`` and ``cache.dat`` from every Windows token store.
        office: Apply host, port and token removal to Office's own licensing service as well.
    """

    skip_rearm: int | str | None = None
    kms_host: str | None = None
    kms_port: int | str | None = None
    remove_tokens: bool = False
    office: bool = False


def kms_prep_operations(wanted: KmsPrep, licensing: LicensingFacts | None) -> tuple[list[Operation], list[str]]:
    """Return the operations and what the user should know about them.

    Args:
        wanted: What is wanted.
        licensing: What is known of the image; None when its SOFTWARE hive cannot be opened.

    Raises:
        NotFoundError: The licensing facts cannot be read.
        UsageError: A wanted value is impossible, or nothing was asked for.
    """
    wanted = _check(wanted)
    if licensing is None:
        raise NotFoundError("there is no readable Windows installation in this image", hint="`inspect` shows what is")
    operations: list[Operation] = []
    notes: list[str] = []
    if wanted.skip_rearm is not None:
        operations.append(_value(licensing.service_key, "SkipRearm", wanted.skip_rearm))
        if wanted.skip_rearm == 1:
            notes.append(
                "SkipRearm 1: by Microsoft's documentation a rearm then changes nothing, and clones may share one "
                "client machine id; set it back to 0 before the image is sealed"
            )
    for key in _host_keys(licensing, office=wanted.office):
        if wanted.kms_host is not None:
            operations.append(_value(key, "KeyManagementServiceName", wanted.kms_host))
        if wanted.kms_port is not None:
            operations.append(_value(key, "KeyManagementServicePort", str(wanted.kms_port)))
    if wanted.kms_host is not None:
        notes += [
            f"a narrower setting wins over this one: {item.key} has {item.data}"
            for item in licensing.kms_host
            if item.scope in {"application", "sku"} and item.name.casefold() == "keymanagementservicename"
        ]
    if wanted.remove_tokens:
        operations += _token_operations(licensing, office=wanted.office, notes=notes)
    return operations, notes


def _check(wanted: KmsPrep) -> KmsPrep:
    """Return what is wanted in plain form."""
    # No host is named like that: whoever writes Absent means none.
    absent = [name for name in _VALUES if str(getattr(wanted, name)).casefold() == ABSENT]
    plain: dict[str, Any] = dict.fromkeys(absent, ABSENT)
    wanted = wanted._replace(**plain)
    if wanted == KmsPrep(office=wanted.office):
        raise UsageError(
            "nothing was asked for", hint="give at least one of --skip-rearm, --kms-host, --kms-port, --remove-tokens"
        )
    if wanted.skip_rearm not in {None, 0, 1, ABSENT}:
        raise UsageError(f"SkipRearm is 0, 1 or {ABSENT}, not {wanted.skip_rearm!r}")
    if wanted.kms_port not in {None, ABSENT} and not _is_port(str(wanted.kms_port)):
        raise UsageError(f"{wanted.kms_port!r} is no TCP port", hint="KMS hosts listen on 1688 unless set otherwise")
    problem = host_problem(wanted.kms_host) if wanted.kms_host not in {None, ABSENT} else None
    if problem is not None:
        raise UsageError(
            f"{wanted.kms_host!r} cannot be a KMS host: {problem}",
            hint=f"give a name, an address, or {ABSENT} for DNS; the port with --kms-port",
        )
    if wanted.kms_port not in {None, ABSENT}:
        wanted = wanted._replace(kms_port=str(int(wanted.kms_port or 0)))
    return wanted


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) < 65536


def _value(key: str, name: str, wanted: int | str) -> Operation:
    if wanted == ABSENT:
        return DeleteValue(key=key, name=name, missing_ok=True)
    if isinstance(wanted, int):
        return SetValue(key=key, name=name, type=REG_DWORD, data=wanted.to_bytes(4, "little"), create_keys=True)
    return SetValue(key=key, name=name, type=REG_SZ, data=f"{wanted}\0".encode("utf-16-le"), create_keys=True)


def _host_keys(licensing: LicensingFacts, *, office: bool) -> list[str]:
    """The keys that take a KMS host: the Windows service's, and with Office those that its service and view read."""
    keys = [licensing.service_key]
    if office:
        path = licensing.service_key.removeprefix("HKLM\\SOFTWARE\\")
        for product in licensing.office:
            view = VIEWS[product.view]
            service = OFFICE_SERVICE_KEY if product.licensing_service == "ospp" else path
            keys.append(rf"HKLM\SOFTWARE\{view}{service}")
    return list(dict.fromkeys(keys))


def _token_operations(licensing: LicensingFacts, *, office: bool, notes: list[str]) -> list[Operation]:
    operations: list[Operation] = []
    if any(store.kind is StoreKind.WINDOWS and store.active is None for store in licensing.token_stores):
        notes.append("which token store this Windows uses is not known: what is removed may be left over")
    for store in licensing.token_stores:
        if store.kind is StoreKind.OFFICE and not office:
            notes.append(f"Office's own token store is left as it is ({store.path}); --office includes it")
            continue
        operations += [
            DeleteFile(path=file.path, missing_ok=True)
            for file in store.files
            if file.path.casefold().endswith(_REMOVED_FILES)
        ]
    if operations:
        notes.append(
            "Windows builds a new token store when it next starts; then `slmgr /rilc`, two restarts and `slmgr /ipk` "
            "with the KMS client key are needed before the image is sealed"
        )
    else:
        notes.append("no tokens.dat was found to remove")
    return operations
