"""Facts about Windows and Office licensing that an image shows.

What an image cannot show has no field here: the licence status, the client machine id and the rearm count are in an
encrypted store. Nothing in these facts says "activated".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vdiskkit.facts import Facts

__all__ = [
    "GvlkFacts",
    "KmsValueFacts",
    "LicensingFacts",
    "OfficeFacts",
    "ProductKeyFacts",
    "RegistryValueFacts",
    "SkipRearmFacts",
    "StoreFileFacts",
    "StoreKind",
    "TokenStoreFacts",
]


class StoreKind(StrEnum):
    """Whose licences a token store holds."""

    WINDOWS = "windows"
    OFFICE = "office"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryValueFacts(Facts):
    r"""One registry value as found.

    Attributes:
        key: Full key path, ``HKLM\SOFTWARE\...``.
        name: Value name.
        type: ``REG_DWORD``, ``REG_SZ`` and so on.
        data: Number, text, list of texts, or hex text for binary data.
        problem: What is wrong with type or data, None when nothing is.
        origin: ``primary``, or ``log`` when only a replayed log of the hive says so.
    """

    key: str
    name: str
    type: str
    data: int | str | tuple[str, ...]
    problem: str | None
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipRearmFacts(Facts):
    """SkipRearm of this Windows version's licensing key.

    Attributes:
        key: The key that this Windows version reads.
        present: Whether the value exists; None when that cannot be read.
        type: Registry type, None when absent.
        data: Data, None when absent.
        problem: What is wrong with type or data, None when nothing is.
        origin: ``primary``, or ``log`` when only a replayed log of the hive says so, or deletes it.
    """

    key: str
    present: bool | None
    type: str | None
    data: int | str | tuple[str, ...] | None
    problem: str | None
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsValueFacts(Facts):
    """One KMS setting, with the level at which it is set.

    Attributes:
        scope: ``service`` (whole licensing service), ``application`` (one AppId), ``sku`` (one product), or
            ``office`` (the Office licensing service). A narrower setting wins over a wider one.
        view: ``native``, or ``wow6432node`` for the view of 32-bit programs.
        name: Value name.
        type: Registry type.
        data: Number, text, list of texts, or hex text.
        key: Full key path.
        app_id: Application id below which it is set, None at service level.
        sku_id: SKU (activation) id below which it is set.
        problem: What is wrong with type or data, None when nothing is.
        origin: ``primary``, or ``log`` when only a replayed log of the hive says so.
    """

    scope: str
    view: str
    name: str
    type: str
    data: int | str | tuple[str, ...]
    key: str
    app_id: str | None
    sku_id: str | None
    problem: str | None
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GvlkFacts(Facts):
    """One product that a KMS client setup key belongs to."""

    product: str
    edition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductKeyFacts(Facts):
    """The installed product key, as the DigitalProductId blobs show it.

    Attributes:
        channel: ``Volume:GVLK``, ``Volume:MAK``, ``Retail`` and so on; None when no blob names one.
        key: The key, masked to its last five characters unless it is a published GVLK or was asked for.
        masked: Whether ``key`` is masked.
        cleared: The key bytes are all zero: the key was removed from the registry (usual for MAK).
        is_gvlk: Whether the key is a published KMS client setup key; None when there is no key to look up.
        client_key: Whether it is a KMS client key at all: a published one, or one whose channel is Volume:GVLK, which
            Windows itself stored with it; None when neither list nor channel tells.
        gvlk: The products that key belongs to.
        fits_edition: Whether one of them is the installed edition; None when that cannot be told.
        integrity: ``ok``, ``bad`` (a checksum in the blob is wrong), or ``unknown`` (nothing to check).
        integrity_detail: Which checks failed, None when none did.
        source: Value that the key comes from.
        key_group: Key group id.
        extended_pid: Extended product id.
        activation_id: SKU id.
        edition_type: Edition named in the blob.
        part_number: Part number named in the blob.
        blobs_agree: Whether DigitalProductId and DigitalProductId4 hold the same key; None when one is missing.
        origin: ``primary``, or ``log`` when only a replayed log of the hive holds that blob; None without one.
    """

    channel: str | None
    key: str | None
    masked: bool
    cleared: bool
    is_gvlk: bool | None
    client_key: bool | None
    gvlk: tuple[GvlkFacts, ...]
    fits_edition: bool | None
    integrity: str
    integrity_detail: str | None
    source: str | None
    key_group: int | None
    extended_pid: str | None
    activation_id: str | None
    edition_type: str | None
    part_number: str | None
    blobs_agree: bool | None
    origin: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFileFacts(Facts):
    """One file of a token store. Size in bytes, time in UTC."""

    path: str
    size: int
    modified: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStoreFacts(Facts):
    """One folder that holds (or may hold) licence tokens.

    Attributes:
        path: Folder inside the volume.
        kind: Whose licences.
        used_by: The Windows or Office versions that use this folder by themselves, or ``the value TokenStore``.
        active: Whether the installed Windows uses it, by the value ``TokenStore`` or, where that is not stored, by its
            version; None when that cannot be told.
        exists: Whether the folder exists.
        files: ``tokens.dat`` and its siblings that were found there.
    """

    path: str
    kind: StoreKind
    used_by: str
    active: bool | None
    exists: bool
    files: tuple[StoreFileFacts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficeFacts(Facts):
    """One installed Office product.

    Attributes:
        product: Product name, or the Click-to-Run release id when no name is stored.
        version: ``14.0``, ``15.0``, ``16.0``.
        installer: ``msi`` or ``click_to_run``.
        view: ``native`` or ``wow6432node``.
        release_id: Click-to-Run release id such as ``ProPlus2021Volume``.
        product_code: Product GUID of an MSI installation.
        volume: Whether it is a volume product; None when that cannot be told.
        licensing_service: ``ospp`` (Office's own service) or ``spp`` (the Windows service).
        product_key: The key, None when the product stores no blob (usual for Click-to-Run).
        install_path: Installation folder.
        found_at: The registry key of an MSI product, the key and value that a Click-to-Run product is listed in.
    """

    product: str
    version: str
    installer: str
    view: str
    release_id: str | None
    product_code: str | None
    volume: bool | None
    licensing_service: str
    product_key: ProductKeyFacts | None
    install_path: str | None
    found_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LicensingFacts(Facts):
    """Everything about licensing that the image shows.

    Attributes:
        service_key: The licensing key of this Windows version.
        skip_rearm: SkipRearm there.
        kms_host: KMS host names, ports and look-up domains at all levels and in both views.
        kms_settings: The other KMS client and KMS host settings, same shape.
        product_key: The Windows key.
        backup_key: BackupProductKeyDefault (a default key, not reliably the one in use), masked like ``product_key``.
        token_stores: Token stores of every Windows version and of Office that exist or should exist.
        unrelated_stores: Files of the same name that belong to another store (Store apps) and must stay.
        office: Installed Office products.
        deleted_in_log: Of SkipRearm and the KMS values, those that the hive file alone still has: a log deletes them.
        stale: True when the SOFTWARE hive is dirty and its logs could not be replayed: the values may be old.
    """

    service_key: str
    skip_rearm: SkipRearmFacts
    kms_host: tuple[KmsValueFacts, ...]
    kms_settings: tuple[KmsValueFacts, ...]
    product_key: ProductKeyFacts
    backup_key: RegistryValueFacts | None
    token_stores: tuple[TokenStoreFacts, ...]
    unrelated_stores: tuple[StoreFileFacts, ...]
    office: tuple[OfficeFacts, ...]
    deleted_in_log: tuple[RegistryValueFacts, ...]
    stale: bool
