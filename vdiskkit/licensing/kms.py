r"""SkipRearm and the KMS settings at all levels and in both registry views.

Levels: the whole service (``SoftwareProtectionPlatform``), one application (``...\<AppId>``), one product
(``...\<AppId>\<SkuId>``), and Office's own service (``OfficeSoftwareProtectionPlatform``). Views: the native one and
``WOW6432Node``, which 32-bit programs see.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vdiskkit.facts import NoticeLog
from vdiskkit.licensing.facts import KmsValueFacts, RegistryValueFacts, SkipRearmFacts
from vdiskkit.licensing.host_name import host_problem
from vdiskkit.licensing.registry_values import fact_data, in_the_file_alone, type_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vdiskkit.registry import Hive, RegistryKey, RegistryValue

__all__ = [
    "APP_IDS",
    "HOST_VALUES",
    "OFFICE_SERVICE_KEY",
    "VIEWS",
    "read_deleted",
    "read_kms_values",
    "read_skip_rearm",
]

APP_IDS = {
    "55c92734-d682-4d71-983e-d6ec3f16059f": "Windows",
    "59a52881-a989-479d-af46-f275c6370663": "Office 2010",
    "0ff1ce15-a989-479d-af46-f275c6370663": "Office 2013 and later",
}
OFFICE_SERVICE_KEY = r"Microsoft\OfficeSoftwareProtectionPlatform"
VIEWS = {"native": "", "wow6432node": "WOW6432Node\\"}
HOST_VALUES = {
    "KeyManagementServiceName": "REG_SZ",
    "KeyManagementServicePort": "REG_SZ",
    "KeyManagementServiceLookupDomain": "REG_SZ",
}
"""Values that say which KMS host is used, and the type that Windows reads."""

_SETTING_VALUES = {
    "DisableKeyManagementServiceHostCaching": "REG_DWORD",
    "VLActivationType": "REG_DWORD",
    "VLActivationInterval": "REG_DWORD",
    "VLRenewalInterval": "REG_DWORD",
    "DisableDnsPublishing": "REG_DWORD",
    "DnsDomainPublishList": "REG_MULTI_SZ",
    "EnableKmsLowPriority": "REG_DWORD",
    "KeyManagementServiceListeningPort": "REG_SZ",
    "UserOperations": "REG_DWORD",
}
_KNOWN = {name.casefold(): kind for name, kind in (HOST_VALUES | _SETTING_VALUES).items()}
_HOSTS = ("keymanagementservicename", "keymanagementservicelookupdomain")


def read_skip_rearm(software: Hive, service: str) -> SkipRearmFacts:
    """Read SkipRearm of the licensing service at ``service``, a key path below the SOFTWARE root."""
    value = _value(software, service, "SkipRearm")
    text = rf"HKLM\SOFTWARE\{service}"
    if value is None:
        there = in_the_file_alone(
            software, lambda alone: _value(alone, service, "SkipRearm") is not None, default=False
        )
        return SkipRearmFacts(
            key=text, present=False, type=None, data=None, problem=None, origin="log" if there else "primary"
        )
    problem, data = type_problem(value, "REG_DWORD"), fact_data(value)
    if problem is None and data not in (0, 1):
        problem = f"the value is {data}, but only 0 and 1 have a meaning"
    return SkipRearmFacts(key=text, present=True, type=value.type_name, data=data, problem=problem, origin=value.origin)


def read_kms_values(
    software: Hive, service: str, log: NoticeLog
) -> tuple[tuple[KmsValueFacts, ...], tuple[KmsValueFacts, ...]]:
    """Return the values that name a KMS host, and the other KMS settings, of all levels and views."""
    found: list[KmsValueFacts] = []
    for view, prefix in VIEWS.items():
        for scope, path in (("service", prefix + service), ("office", prefix + OFFICE_SERVICE_KEY)):
            read = partial(_read_levels, software, path, scope=scope, view=view)
            found += log.attempt("licensing.kms_unreadable", f"KMS settings at {path}", read, [])
    hosts = {name.casefold() for name in HOST_VALUES}
    return (
        tuple(value for value in found if value.name.casefold() in hosts),
        tuple(value for value in found if value.name.casefold() not in hosts),
    )


def read_deleted(
    software: Hive, service: str, skip_rearm: SkipRearmFacts, kms: Iterable[KmsValueFacts]
) -> tuple[RegistryValueFacts, ...]:
    """Return SkipRearm and KMS values that the hive file alone still has, while a replayed log deletes them.

    Args:
        software: The SOFTWARE hive.
        service: Key path of the licensing service below its root.
        skip_rearm: SkipRearm as after the replay.
        kms: The KMS values as after the replay.
    """
    there = {(value.key, value.name.casefold()) for value in kms}
    if skip_rearm.present:
        there.add((skip_rearm.key, "skiprearm"))

    def read(alone: Hive) -> tuple[RegistryValueFacts, ...]:
        found = []
        before = _value(alone, service, "SkipRearm")
        if before is not None:
            found.append(_plain(before, rf"HKLM\SOFTWARE\{service}"))
        for values in read_kms_values(alone, service, NoticeLog()):
            found += [
                RegistryValueFacts(
                    key=value.key,
                    name=value.name,
                    type=value.type,
                    data=value.data,
                    problem=value.problem,
                    origin="primary",
                )
                for value in values
            ]
        return tuple(value for value in found if (value.key, value.name.casefold()) not in there)

    return in_the_file_alone(software, read, ())


def _plain(value: RegistryValue, key: str) -> RegistryValueFacts:
    return RegistryValueFacts(
        key=key,
        name=value.name,
        type=value.type_name,
        data=fact_data(value),
        problem=value.problem,
        origin="primary",
    )


def _value(software: Hive, path: str, name: str) -> RegistryValue | None:
    key = software.find(path)
    return key.value(name) if key is not None else None


def _read_levels(software: Hive, path: str, *, scope: str, view: str) -> list[KmsValueFacts]:
    key = software.find(path)
    if key is None:
        return []
    text = rf"HKLM\SOFTWARE\{path}"
    found = list(_values(key, text, scope=scope, view=view))
    for app_id in APP_IDS:
        app = key.subkey(app_id)
        if app is None:
            continue
        app_text = rf"{text}\{app.name}"
        found += _values(app, app_text, scope="application", view=view, app_id=app_id)
        for sku in app.subkeys():
            found += _values(sku, rf"{app_text}\{sku.name}", scope="sku", view=view, app_id=app_id, sku_id=sku.name)
    return found


def _values(
    key: RegistryKey, text: str, *, scope: str, view: str, app_id: str | None = None, sku_id: str | None = None
) -> Iterator[KmsValueFacts]:
    for value in key.values():
        expected = _KNOWN.get(value.name.casefold())
        if expected is None:
            continue
        problem = type_problem(value, expected)
        if problem is None and value.name.casefold().endswith("port") and not _is_port(value.data):
            problem = "this is no TCP port number"
        if problem is None and value.name.casefold() in _HOSTS and str(value.data).strip():
            problem = host_problem(str(value.data))
        yield KmsValueFacts(
            scope=scope,
            view=view,
            name=value.name,
            type=value.type_name,
            data=fact_data(value),
            key=text,
            app_id=app_id,
            sku_id=sku_id,
            problem=problem,
            origin=value.origin,
        )


def _is_port(data: object) -> bool:
    return isinstance(data, str) and data.isascii() and data.isdigit() and 0 < int(data[:6]) < 65536
