"""Token stores: the folders in which Windows and Office keep ``tokens.dat`` and its siblings.

Which folder counts, the value ``TokenStore`` of the licensing service says. Where it is not stored, it is the folder of
the installed version. A store in another folder is left over (or was put there by a procedure written for another
Windows) and has no effect.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.licensing.facts import StoreFileFacts, StoreKind, TokenStoreFacts
from vdiskkit.licensing.generation import Generation
from vdiskkit.windows.guest_path import guest_path
from vdiskkit.windows.values import text_value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vdiskkit.facts import NoticeLog
    from vdiskkit.ntfs import NtfsVolume
    from vdiskkit.registry import RegistryKey
    from vdiskkit.windows.image import WindowsImage

__all__ = ["OFFICE_STORE", "STORE_FILES", "WINDOWS_STORES", "StoreFolder", "read_token_stores", "read_unrelated"]

STORE_FILES = ("tokens.dat", "data.dat", r"cache\cache.dat")
_ROAMING = r"ServiceProfiles\NetworkService\AppData\Roaming\Microsoft"


class StoreFolder(NamedTuple):
    """A store's folder below the Windows folder, and who uses it."""

    folder: str
    used_by: str
    generations: tuple[Generation, ...]


WINDOWS_STORES = (
    StoreFolder(rf"{_ROAMING}\SoftwareLicensing", "Windows Vista, Server 2008", (Generation.VISTA,)),
    StoreFolder(
        rf"{_ROAMING}\SoftwareProtectionPlatform", "Windows 7, Server 2008 R2", (Generation.WINDOWS_7, Generation.VISTA)
    ),
    StoreFolder(r"System32\spp\store", "Windows 8, Server 2012", (Generation.WINDOWS_8, Generation.WINDOWS_8_1)),
    StoreFolder(
        r"System32\spp\store\2.0",
        "Windows 8.1, 10 and 11, Server 2012 R2 and later",
        (Generation.WINDOWS_8_1, Generation.WINDOWS_10),
    ),
    StoreFolder(r"System32\spp\store_test\2.0", "Windows Insider builds", ()),
)
OFFICE_STORE = r"ProgramData\Microsoft\OfficeSoftwareProtectionPlatform"
_UNRELATED = (r"ProgramData\Microsoft\Windows\ClipSVC\tokens.dat",)
"""Same file name, other purpose: digital licences of Store apps."""


def read_token_stores(
    image: WindowsImage,
    generation: Generation | None,
    service: RegistryKey | None,
    *,
    office_service: bool | None,
    log: NoticeLog,
) -> tuple[TokenStoreFacts, ...]:
    """Gather the token stores that exist, and the one that the installed Windows uses.

    Args:
        image: The installation.
        generation: Which Windows it is, None when that is not known.
        service: Key of the licensing service, whose TokenStore names the folder in use.
        office_service: Whether an installed Office uses its own licensing service; None when that is not known.
        log: Takes what could not be read.
    """
    named = _named(image, service, log)
    folders = [(store, f"{image.root}\\{store.folder}") for store in WINDOWS_STORES]
    if isinstance(named, str) and not any(_same(path, named) for _, path in folders):
        folders.append((StoreFolder(named, "the value TokenStore", ()), named))
    stores: list[_Found] = []
    for store, path in folders:
        exists, files = _contents(image.volume, path, log)
        if isinstance(named, str):
            active: bool | None = _same(path, named)
            shown = bool(active or files)
        else:
            active = None if generation is None else generation in store.generations
            # Windows 8.1 and later keep their store below Windows 8's folder, so an empty folder alone says nothing.
            shown = bool(files or (active and (exists or generation is store.generations[0])))
        if shown:
            stores.append((store, path, exists, files, None if isinstance(named, _Elsewhere) else active))
    _tell_unusual(named, stores, generation, log)
    result = [
        TokenStoreFacts(
            path=path, kind=StoreKind.WINDOWS, used_by=store.used_by, active=active, exists=exists, files=files
        )
        for store, path, exists, files, active in (stores if named is not None else _settle(stores, generation))
    ]
    exists, files = _contents(image.volume, OFFICE_STORE, log)
    if exists or office_service:
        result.append(
            TokenStoreFacts(
                path=OFFICE_STORE,
                kind=StoreKind.OFFICE,
                used_by="Office 2010; Office 2013 and 2016 on Windows 7 and Server 2008 R2",
                active=office_service,
                exists=exists,
                files=files,
            )
        )
    return tuple(result)


def read_unrelated(image: WindowsImage, log: NoticeLog) -> tuple[StoreFileFacts, ...]:
    """Gather files named ``tokens.dat`` that belong to other stores and must stay."""
    found = (_file(image.volume, path, log) for path in _UNRELATED)
    return tuple(file for file in found if file is not None)


_Found = tuple[StoreFolder, str, bool, tuple[StoreFileFacts, ...], bool | None]


class _Elsewhere:
    """The value says that the store is where it cannot be looked at, or cannot be read."""


def _named(image: WindowsImage, service: RegistryKey | None, log: NoticeLog) -> str | _Elsewhere | None:
    """The folder that TokenStore names; None when it is not stored."""
    lost = _Elsewhere()

    def read() -> str | _Elsewhere | None:
        return text_value(service, "TokenStore")

    stored: str | _Elsewhere | None = lost
    stored = log.attempt("licensing.store_unreadable", "TokenStore cannot be read", read, stored)
    if not isinstance(stored, str):
        return stored
    path = guest_path(stored.rstrip("\\/"), image.root, image.system_drive)
    if path is None:
        log.add("licensing.store_elsewhere", f"TokenStore names a folder that is not on this volume: {stored}")
        return lost
    return path


def _same(path: str, other: str) -> bool:
    return path.casefold() == other.casefold()


def _tell_unusual(
    named: str | _Elsewhere | None, stores: Iterable[_Found], generation: Generation | None, log: NoticeLog
) -> None:
    if not isinstance(named, str) or generation is None:
        return
    usual = [folder for folder, _, _, _, active in stores if active and generation in folder.generations]
    if not usual:
        log.add(
            "licensing.store_unusual",
            f"TokenStore names {named}, which is not the folder that this Windows version uses by itself; it counts",
        )


def _settle(stores: Iterable[_Found], generation: Generation | None) -> list[_Found]:
    """Leave one active folder where a generation knows two.

    Sources disagree about Vista's folder, and an 8.1 that was upgraded from 8 may still use the older one: whichever
    holds a ``tokens.dat`` is in use, the generation's own folder when both or neither do.
    """
    stores = list(stores)
    active = [store for store in stores if store[4]]
    if len(active) < 2 or generation is None:
        return stores
    holding = [store for store in active if any(file.path.casefold().endswith("\\tokens.dat") for file in store[3])]
    own = [store for store in active if store[0].generations[0] is generation]
    chosen = holding[0] if len(holding) == 1 else (own or active)[0]
    return [(folder, path, exists, files, flag and folder is chosen[0]) for folder, path, exists, files, flag in stores]


def _contents(volume: NtfsVolume, path: str, log: NoticeLog) -> tuple[bool, tuple[StoreFileFacts, ...]]:
    folder = log.attempt(
        "licensing.store_unreadable", f"the folder {path} cannot be read", partial(volume.find, path), None
    )
    if folder is None or not folder.is_directory:
        return False, ()
    files = (_file(volume, f"{path}\\{name}", log) for name in STORE_FILES)
    return True, tuple(file for file in files if file is not None)


def _file(volume: NtfsVolume, path: str, log: NoticeLog) -> StoreFileFacts | None:
    file = log.attempt("licensing.store_unreadable", f"{path} cannot be read", partial(volume.find, path), None)
    if file is None or file.is_directory:
        return None
    return StoreFileFacts(path=path, size=file.size, modified=file.modified)
