"""Sections on licensing: Windows key and KMS values, token stores, Office."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.report.layout import Row, moment, quoted, stale_mark
from vdiskkit.report.text_windows import absent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.licensing.facts import GvlkFacts, KmsValueFacts, ProductKeyFacts, SkipRearmFacts, TokenStoreFacts

__all__ = ["license_rows", "office", "tokens"]

_FITS = {True: "fits what is installed", False: "does not fit what is installed", None: "fit not determinable"}
_SLASH = "\\"
_FROM_LOG = "(only in a log of the hive)"


def license_rows(inspection: Inspection) -> Iterator[Row]:
    """Windows key, SkipRearm and KMS settings."""
    facts = inspection.licensing
    if facts is None:
        yield Row("license", absent(inspection) if inspection.windows is None else "cannot be read")
        return
    stale = facts.stale
    key = facts.product_key
    yield Row("license", _marked(_key_text(key), stale=stale, origin=key.origin), _key_mark(key))
    yield from _key_details(key, stale=stale)
    if facts.backup_key is not None:
        backup = f"{_data(facts.backup_key.data)}: BackupProductKeyDefault, not reliably the key in use"
        yield Row("backup key", _marked(backup, stale=stale, origin=facts.backup_key.origin), level=2)
    mark, text = _skip_rearm(facts.skip_rearm)
    yield Row("SkipRearm", _marked(text, stale=stale, origin=facts.skip_rearm.origin), mark, level=2)
    yield Row("in key", stale_mark(facts.service_key, stale=stale), level=2)
    if _unread(inspection, "licensing.kms_unreadable"):
        found = "there may be others" if facts.kms_host else "whether one is stored is not determinable"
        yield Row("KMS host", f"not all KMS settings can be read: {found}", "unknown", level=2)
    elif not facts.kms_host:
        yield Row("KMS host", stale_mark("none stored: found by DNS", stale=stale), level=2)
    for value in facts.kms_host:
        text = _marked(_kms_text(value), stale=stale, origin=value.origin)
        yield Row("KMS host", text, "warning" if value.problem else "plain", level=2)
    for value in facts.kms_settings:
        text = _marked(_kms_text(value), stale=stale, origin=value.origin)
        yield Row("KMS value", text, "warning" if value.problem else "plain", level=2)


def tokens(inspection: Inspection) -> Iterator[Row]:
    """Token stores of every Windows version and of Office."""
    facts = inspection.licensing
    if facts is None:
        yield Row("tokens", absent(inspection) if inspection.windows is None else "cannot be read")
        return
    there = sum(1 for store in facts.token_stores for file in store.files if _is_tokens(file.path))
    active = next((store for store in facts.token_stores if store.kind == "windows" and store.active), None)
    if active is None:
        text = f"the store of this Windows version is not known, {there} tokens.dat found"
        yield Row("tokens", stale_mark(text, stale=facts.stale), "unknown")
    else:
        if any(_is_tokens(file.path) for file in active.files):
            state = "tokens.dat is there"
        elif _unread(inspection, "licensing.store_unreadable"):
            state = "whether it holds a tokens.dat cannot be read"
        else:
            state = "holds no tokens.dat"
        yield Row("tokens", stale_mark(f"{active.path} is the active Windows store: {state}", stale=facts.stale))
    for store in facts.token_stores:
        yield Row("store", _store_text(store), level=2)
    for file in facts.unrelated_stores:
        text = f"{file.path}, {file.size} bytes, written {moment(file.modified)}: another store, leave it alone"
        yield Row("unrelated", text, level=2)


def office(inspection: Inspection) -> Iterator[Row]:
    """Installed Office products."""
    facts = inspection.licensing
    if facts is None:
        yield Row("office", absent(inspection) if inspection.windows is None else "cannot be read")
        return
    unread = _unread(inspection, "licensing.office_unreadable")
    if not facts.office:
        text = "not determinable: its registrations cannot all be read" if unread else "no Office found"
        yield Row("office", stale_mark(text, stale=facts.stale), "unknown" if unread else "plain")
        return
    count = f"{len(facts.office)} product{'s' if len(facts.office) > 1 else ''}"
    count += "; not all registrations can be read, there may be others" if unread else ""
    yield Row("office", stale_mark(count, stale=facts.stale), "unknown" if unread else "plain")
    for item in facts.office:
        kind = {True: "volume", False: "not volume", None: "volume or not is not determinable"}[item.volume]
        ids = [part for part in (item.release_id, item.product_code) if part]
        details = [
            f"{quoted(item.product)} {item.version}",
            "Click-to-Run" if item.installer == "click_to_run" else "MSI",
            item.view,
            kind,
            f"licensed by {item.licensing_service.upper()}",
            *ids,
        ]
        yield Row("product", stale_mark(", ".join(details), stale=facts.stale), level=2)
        if item.product_key is not None:
            text, mark = _key_text(item.product_key), _key_mark(item.product_key)
            yield Row("key", _marked(text, stale=facts.stale, origin=item.product_key.origin), mark, level=2)
        if item.install_path:
            yield Row("folder", stale_mark(item.install_path, stale=facts.stale), level=2)


def _unread(inspection: Inspection, code: str) -> bool:
    """Whether something of this kind is there that could not be read, so that what is shown may not be all."""
    return any(notice.code == code for notice in inspection.notices)


def _marked(text: str, *, stale: bool, origin: str | None) -> str:
    return f"{text}  {_FROM_LOG}" if origin == "log" else stale_mark(text, stale=stale)


def _key_text(key: ProductKeyFacts) -> str:
    channel = f"channel {key.channel}" if key.channel else "channel unknown"
    if key.cleared:
        return f"the key was removed from the registry, {channel}"
    if key.key is None:
        return f"no product key can be read, {channel}"
    if key.is_gvlk:
        names = ", ".join(dict.fromkeys(_gvlk_name(item) for item in key.gvlk))
        return f"{key.key} is a KMS client key (GVLK) of {names}; {_FITS[key.fits_edition]}; {channel}"
    if key.client_key:
        return f"{key.key} is a KMS client key (GVLK) by its {channel}; Microsoft's list of them does not have it"
    if key.client_key is None:
        return f"{key.key} is not in Microsoft's list of KMS client keys (GVLK), {channel}"
    return f"{key.key} is no KMS client key (GVLK), {channel}"


def _gvlk_name(item: GvlkFacts) -> str:
    # "Office 2010" + "Office Professional Plus 2010" would say the product twice.
    doubled = set(item.product.split()) <= set(item.edition.split())
    return item.edition if doubled else f"{item.product} {item.edition}".strip()


def _key_mark(key: ProductKeyFacts) -> str:
    if key.integrity == "bad" or key.blobs_agree is False:
        return "warning"
    if key.is_gvlk:
        return {True: "good", False: "bad", None: "unknown"}[key.fits_edition]
    return "plain" if key.key is not None else "unknown"


def _key_details(key: ProductKeyFacts, *, stale: bool) -> Iterator[Row]:
    checks = {"ok": "checksums fit", "bad": "a checksum does not fit", "unknown": "nothing to check it by"}
    text = checks.get(key.integrity, key.integrity)
    if key.integrity_detail:
        text += f": {key.integrity_detail}"
    if key.source:
        text += f"; read from {key.source}"
    yield Row("integrity", stale_mark(text, stale=stale), "warning" if key.integrity == "bad" else "plain", level=2)
    if key.blobs_agree is False:
        text = "DigitalProductId and DigitalProductId4 hold different keys"
        yield Row("conflict", stale_mark(text, stale=stale), "warning", level=2)
    named = (
        ("edition", key.edition_type),
        ("extended id", key.extended_pid),
        ("activation id", key.activation_id),
        ("part number", key.part_number),
    )
    details = ", ".join(f"{label} {quoted(value)}" for label, value in named if value)
    if details:
        yield Row("blob", stale_mark(details, stale=stale), level=2)


def _skip_rearm(facts: SkipRearmFacts) -> tuple[str, str]:
    if facts.present is None:
        return "unknown", "not determinable: it cannot be read"
    if not facts.present:
        return "plain", "absent: a rearm runs"
    text = f"{_data(facts.data)} ({facts.type})"
    if facts.problem:
        return "warning", f"{text}: {facts.problem}"
    if facts.data == 1:
        return "warning", f"{text}: a rearm is skipped, the client machine id may not be new"
    return "plain", f"{text}: a rearm runs" if facts.data == 0 else text


def _kms_text(value: KmsValueFacts) -> str:
    where = [f"{value.scope} level"]
    if value.app_id:
        where.append(f"AppId {value.app_id}")
    if value.sku_id:
        where.append(f"SkuId {value.sku_id}")
    if value.view != "native":
        where.append("32-bit view")
    problem = f": {value.problem}" if value.problem else ""
    return f"{value.name} = {_data(value.data)} ({value.type}; {', '.join(where)}){problem}"


def _store_text(store: TokenStoreFacts) -> str:
    use = {True: "active", False: "not active", None: "whether it is active cannot be told"}[store.active]
    text = f"{store.path} ({store.kind}, {use}; used by {store.used_by})"
    if not store.exists:
        return f"{text}: does not exist"
    files = [
        f"{file.path.removeprefix(store.path).lstrip(_SLASH)} {file.size} bytes, written {moment(file.modified)}"
        for file in store.files
    ]
    return f"{text}: {'; '.join(files) or 'no token files'}"


def _data(data: int | str | tuple[str, ...] | None) -> str:
    if isinstance(data, tuple):
        return ", ".join(quoted(item) for item in data)
    return quoted(data) if isinstance(data, str) else str(data)


def _is_tokens(path: str) -> bool:
    return path.casefold().endswith("tokens.dat")
