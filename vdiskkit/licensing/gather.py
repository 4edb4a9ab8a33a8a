"""Everything about licensing that an image shows, gathered into :class:`LicensingFacts`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vdiskkit.licensing.facts import LicensingFacts, SkipRearmFacts
from vdiskkit.licensing.generation import generation_of, service_key
from vdiskkit.licensing.installed_key import InstalledProduct, read_backup_key, read_product_key
from vdiskkit.licensing.kms import read_deleted, read_kms_values, read_skip_rearm
from vdiskkit.licensing.office import read_office
from vdiskkit.licensing.tokens import read_token_stores, read_unrelated
from vdiskkit.windows.details import CURRENT_VERSION, open_hive

if TYPE_CHECKING:
    from vdiskkit.facts import NoticeLog
    from vdiskkit.windows.facts import WindowsFacts
    from vdiskkit.windows.image import WindowsImage

__all__ = ["read_licensing"]

_KEY_VALUES = ("DigitalProductId4", "DigitalProductId")


def read_licensing(
    image: WindowsImage, windows: WindowsFacts, log: NoticeLog, *, show_keys: bool = False
) -> LicensingFacts | None:
    """Gather the licensing facts of an installation.

    Args:
        image: The installation.
        windows: The facts about it, which say what to look for where.
        log: Takes what could not be read.
        show_keys: Show product keys whole that are no published GVLKs.

    Returns:
        The facts; None when the SOFTWARE hive cannot be opened.
    """
    software = open_hive(image, "SOFTWARE", log)
    if software is None:
        return None
    generation = generation_of(windows.build)
    service = service_key(generation)
    product = InstalledProduct(
        windows.edition_id, windows.build, windows.installation_type, windows.product_name_stored
    )
    current = log.attempt("licensing.key_unreadable", "CurrentVersion", partial(software.find, CURRENT_VERSION), None)
    service_node = log.attempt("licensing.key_unreadable", service, partial(software.find, service), None)
    service_text = rf"HKLM\SOFTWARE\{service}"
    kms_host, kms_settings = read_kms_values(software, service, log)
    office = read_office(software, generation, log, show=show_keys)
    skip_rearm = log.attempt(
        "licensing.skip_rearm_unreadable",
        "SkipRearm cannot be read",
        partial(read_skip_rearm, software, service),
        SkipRearmFacts(
            key=service_text, present=None, type=None, data=None, problem="it cannot be read", origin="primary"
        ),
    )
    return LicensingFacts(
        service_key=service_text,
        skip_rearm=skip_rearm,
        kms_host=kms_host,
        kms_settings=kms_settings,
        product_key=log.attempt(
            "licensing.product_key_unreadable",
            "the product key cannot be read",
            partial(read_product_key, current, _KEY_VALUES, product.fits, show=show_keys),
            read_product_key(None, (), product.fits, show=show_keys),
        ),
        backup_key=log.attempt(
            "licensing.backup_key_unreadable",
            "BackupProductKeyDefault cannot be read",
            partial(read_backup_key, service_node, service_text, show=show_keys),
            None,
        ),
        token_stores=read_token_stores(
            image,
            generation,
            service_node,
            office_service=any(item.licensing_service == "ospp" for item in office),
            log=log,
        ),
        unrelated_stores=read_unrelated(image, log),
        office=office,
        deleted_in_log=read_deleted(software, service, skip_rearm, (*kms_host, *kms_settings)),
        stale=software.stale,
    )
