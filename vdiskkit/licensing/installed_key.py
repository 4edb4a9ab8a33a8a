"""The installed product key: which blob holds it, whose key it is, and how much of it may be shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.licensing import gvlk
from vdiskkit.licensing.digitalproductid import KeyBlob, KeyBlobState, read_key_blob
from vdiskkit.licensing.facts import GvlkFacts, ProductKeyFacts, RegistryValueFacts
from vdiskkit.licensing.productkey import KeyChannel, channel_of, mask_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vdiskkit.licensing.gvlk import GvlkRow
    from vdiskkit.registry import RegistryKey

__all__ = ["InstalledProduct", "read_backup_key", "read_product_key", "shown_key"]


class InstalledProduct(NamedTuple):
    """What a key must fit: the installed Windows edition."""

    edition_id: str | None
    build: int | None
    installation_type: str | None
    product_name: str | None

    def fits(self, rows: Sequence[GvlkRow]) -> bool | None:
        """Whether one of the products of a key is the installed one; None when that cannot be told."""
        return gvlk.fits_edition(
            rows,
            edition_id=self.edition_id,
            build=self.build,
            installation_type=self.installation_type,
            product_name=self.product_name,
        )


def read_product_key(
    key: RegistryKey | None,
    names: Sequence[str],
    fits: Callable[[Sequence[GvlkRow]], bool | None],
    *,
    show: bool,
) -> ProductKeyFacts:
    """Read the product key from the first usable blob of a registry key.

    Args:
        key: The registry key that holds the blobs.
        names: Value names, the most telling first.
        fits: Says whether the products of a GVLK include the installed one.
        show: Show the whole key even when it is a secret.
    """
    blobs = {name: _blob(key, name) for name in names}
    present = {name: blob for name, blob in blobs.items() if blob.present}
    # An intact blob beats a damaged one; among equals the first name wins.
    usable = sorted(present.items(), key=lambda item: (item[1].state is not KeyBlobState.INTACT, item[1].key is None))
    source, blob = usable[0] if usable else (None, KeyBlob(KeyBlobState.ABSENT))
    text = blob.key.text if blob.key is not None and not blob.cleared else None
    rows = gvlk.lookup(text) if text is not None else ()
    keys = {item.key.text for item in present.values() if item.key is not None}
    problems = [f"{name}: {problem}" for name, item in blobs.items() for problem in item.problems]
    channel = next((item.key_type for item in present.values() if item.key_type), None)
    return ProductKeyFacts(
        channel=channel,
        key=shown_key(text, show=show),
        masked=text is not None and not rows and not show,
        cleared=blob.cleared,
        is_gvlk=bool(rows) if text is not None else None,
        client_key=_is_client_key(channel, listed=bool(rows)),
        gvlk=tuple(GvlkFacts(product=row.product, edition=row.edition) for row in rows),
        fits_edition=fits(rows) if rows else None,
        integrity=_integrity(blobs.values()),
        integrity_detail="; ".join(problems) or None,
        source=source,
        key_group=blob.key.group_id if blob.key is not None and text is not None else None,
        extended_pid=blob.product_id or None,
        activation_id=blob.activation_id or None,
        edition_type=blob.edition or None,
        part_number=blob.part_number or None,
        blobs_agree=len(keys) == 1 if len(present) > 1 else None,
        origin=_origin(key, source),
    )


def read_backup_key(key: RegistryKey | None, path: str, *, show: bool) -> RegistryValueFacts | None:
    """Read BackupProductKeyDefault, a default key that is not reliably the one in use; masked like any other key."""
    value = key.value("BackupProductKeyDefault") if key is not None else None
    if value is None:
        return None
    text = value.data if isinstance(value.data, str) else ""
    return RegistryValueFacts(
        key=path,
        name=value.name,
        type=value.type_name,
        data=shown_key(text, show=show) or "",
        problem=value.problem if isinstance(value.data, str) else f"the type is {value.type_name}, not REG_SZ",
        origin=value.origin,
    )


def shown_key(text: str | None, *, show: bool) -> str | None:
    """Return a key as it may be shown: whole when it is a published GVLK or was asked for, else masked."""
    if not text:
        return None
    return text if show or gvlk.lookup(text) else mask_key(text)


def _is_client_key(channel: str | None, *, listed: bool) -> bool | None:
    # Microsoft's list has not every KMS client key that Windows came with: not being in it is no proof.
    if listed:
        return True
    kind = channel_of(channel)
    return None if kind is None else kind is KeyChannel.GVLK


def _blob(key: RegistryKey | None, name: str) -> KeyBlob:
    value = key.value(name) if key is not None else None
    return read_key_blob(value.raw if value is not None else None)


def _origin(key: RegistryKey | None, source: str | None) -> str | None:
    value = key.value(source) if key is not None and source is not None else None
    return value.origin if value is not None else None


def _integrity(blobs: Iterable[KeyBlob]) -> str:
    states = {blob.state for blob in blobs if blob.state is not KeyBlobState.ABSENT}
    if not states:
        return "unknown"
    return "ok" if states == {KeyBlobState.INTACT} else "bad"
