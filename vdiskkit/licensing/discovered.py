r"""Traces of licensing work: the SkipRearm setting of answer files, and KMS hosts that were found by DNS and cached.

Cached hosts lie in the NetworkService hive from Windows 8 on, under the same key path as the settings; older Windows
keeps them in the licensing service's own key.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vdiskkit.errors import UnsupportedFeatureError
from vdiskkit.licensing.kms import APP_IDS
from vdiskkit.licensing.witness_facts import AnswerFileFacts, DiscoveredHostFacts
from vdiskkit.windows.guest_path import guest_path
from vdiskkit.windows.values import text_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.facts import NoticeLog
    from vdiskkit.ntfs import NtfsFile
    from vdiskkit.registry import Hive, RegistryKey
    from vdiskkit.windows.image import WindowsImage

__all__ = ["MAX_ANSWER_BYTES", "read_answer_files", "read_discovered_hosts", "skip_rearm_setting"]

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""Bytes of one answer file, and of all of them together."""

_FILES = (r"{root}\Panther\unattend.xml", "unattend.xml", "autounattend.xml")
_FOLDERS = (r"{root}\Panther\Unattend", r"{root}\System32\sysprep")
_FILES_MAX = 1000
"""Files that are opened; each costs a read of its own."""
_HOST, _ADDRESS, _PORT = (f"DiscoveredKeyManagementService{part}" for part in ("Name", "IpAddress", "Port"))


def read_answer_files(image: WindowsImage, log: NoticeLog) -> tuple[AnswerFileFacts, ...] | None:
    r"""Find the answer files that Windows Setup and sysprep use, and read SkipRearm out of them.

    Places: ``Panther``, ``Panther\Unattend``, ``System32\sysprep``, the root of the volume, and the file that
    ``SYSTEM\Setup``, UnattendFile names.

    Returns:
        The files; None when the places cannot be looked at.
    """
    find = partial(_answer_files, image)
    found = log.attempt("licensing.answer_files_unreadable", "answer files cannot be looked for", find, None)
    if found is None:
        return None
    files, result = found
    for lost in result:
        log.add("licensing.answer_file_unreadable", f"{lost.path}: {lost.problem}")
    left = MAX_ANSWER_BYTES
    for file in files:
        facts = log.attempt(
            "licensing.answer_file_unreadable", f"{file.path} cannot be read", partial(_answer_file, file, left), None
        )
        if facts is None:
            facts = AnswerFileFacts(
                path=file.path, size=file.size, modified=None, skip_rearm=None, problem="the file cannot be read"
            )
        elif facts.problem is not None:
            log.add("licensing.answer_file_unreadable", f"{facts.path}: {facts.problem}", file.location)
        left = max(left - file.size, 0)
        result.append(facts)
    return tuple(result)


def read_discovered_hosts(
    software: Hive | None, network_service: Hive, service: str, log: NoticeLog
) -> tuple[DiscoveredHostFacts, ...]:
    r"""Gather the cached KMS hosts.

    Args:
        software: The SOFTWARE hive, None when it cannot be read.
        network_service: The NetworkService hive.
        service: Key path of the licensing service below the SOFTWARE root.
        log: Takes what could not be read.
    """
    places = [(network_service, f"Software\\{service}", rf"HKU\S-1-5-20\Software\{service}")]
    if software is not None:
        places.append((software, service, rf"HKLM\SOFTWARE\{service}"))
    found: list[DiscoveredHostFacts] = []
    for hive, path, text in places:
        read = partial(_hosts, hive, path, text)
        found += log.attempt("licensing.discovered_unreadable", f"cached KMS hosts at {text}", read, [])
    return tuple(found)


def skip_rearm_setting(data: bytes) -> tuple[int | None, str | None]:
    """Return SkipRearm of an answer file and what is wrong; the largest number when several elements set it."""
    if not data.strip(b"\0 \t\r\n"):
        return None, None  # an empty file sets nothing
    from defusedxml import ElementTree

    try:
        root = ElementTree.fromstring(data, forbid_dtd=True)
    except (SyntaxError, ValueError, LookupError):
        # The parser's own words may quote the file, which holds passwords.
        return None, "it is no well-formed XML"
    numbers: list[int] = []
    problem = None
    for element in root.iter():
        if isinstance(element.tag, str) and element.tag.rpartition("}")[2].casefold() == "skiprearm":
            text = (element.text or "").strip()
            if text.isascii() and text.isdigit() and len(text) < 10:
                numbers.append(int(text))
            else:
                problem = "a SkipRearm element holds no number"
    return max(numbers, default=None), problem


def _answer_files(image: WindowsImage) -> tuple[list[NtfsFile], list[AnswerFileFacts]]:
    """The files that are there, and those that cannot be looked at."""
    volume, root = image.volume, image.root
    paths = [path.format(root=root) for path in _FILES]
    stored = text_value(image.find_key(r"HKLM\SYSTEM\Setup"), "UnattendFile")
    named = guest_path(stored, root, image.system_drive) if stored else None
    lost: list[AnswerFileFacts] = []
    if named:
        paths.append(named)
    elif stored:
        lost.append(_not_read(stored, "it is not on the volume of Windows, or its path cannot be followed"))
    for folder in (path.format(root=root) for path in _FOLDERS):
        directory = volume.find(folder)
        if directory is None or not directory.is_directory:
            continue
        for entry in volume.listdir(directory, verify=False):
            if not entry.is_directory and entry.name.casefold().endswith(".xml"):
                paths.append(f"{folder}\\{entry.name}")
                if len(paths) > _FILES_MAX:
                    raise UnsupportedFeatureError(
                        f"there are more than {_FILES_MAX} files that may be answer files", location=directory.location
                    )
    found: dict[int, NtfsFile] = {}
    for path in paths:
        file = volume.find(path)
        if file is not None and not file.is_directory:
            found.setdefault(file.record_number, file)
    return list(found.values()), lost


def _not_read(path: str, problem: str) -> AnswerFileFacts:
    return AnswerFileFacts(path=path, size=None, modified=None, skip_rearm=None, problem=problem)


def _answer_file(file: NtfsFile, left: int) -> AnswerFileFacts:
    size, setting, problem = file.size, None, None
    if size > left:
        problem = f"it is not read: answer files of more than {MAX_ANSWER_BYTES // 1024 // 1024} MiB are none"
    else:
        setting, problem = skip_rearm_setting(file.open().read_at(0, size))
    return AnswerFileFacts(path=file.path, size=size, modified=file.modified, skip_rearm=setting, problem=problem)


def _hosts(hive: Hive, path: str, text: str) -> list[DiscoveredHostFacts]:
    key = hive.find(path)
    if key is None:
        return []
    found = list(_host(key, text, None, None))
    for app_id in APP_IDS:
        app = key.subkey(app_id)
        if app is None:
            continue
        below = rf"{text}\{app.name}"
        found += _host(app, below, app_id, None)
        for sku in app.subkeys():
            found += _host(sku, rf"{below}\{sku.name}", app_id, sku.name)
    return found


def _host(key: RegistryKey, text: str, app_id: str | None, sku_id: str | None) -> Iterator[DiscoveredHostFacts]:
    host, address, port = (text_value(key, name) for name in (_HOST, _ADDRESS, _PORT))
    if host or address:
        yield DiscoveredHostFacts(
            key=text, app_id=app_id, sku_id=sku_id, host=host, address=address, port=port, written=key.last_written
        )
