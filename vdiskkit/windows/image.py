"""The Windows installation on one NTFS volume: its hives and files, opened at first need."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO, cast

from vdiskkit.errors import FileMissingError, FormatError, KeyMissingError, ReadLimitError, UnsupportedFeatureError
from vdiskkit.io import SourceFile
from vdiskkit.registry import LOG_ENDINGS, Hive
from vdiskkit.windows.regpath import HIVE_FILES, RegistryPath, parse_registry_path
from vdiskkit.windows.values import text_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.io import ByteSource
    from vdiskkit.ntfs import NtfsVolume
    from vdiskkit.registry import RegistryKey

__all__ = ["WindowsImage", "find_windows_root"]

_SOFTWARE, _SYSTEM = HIVE_FILES["SOFTWARE"], HIVE_FILES["SYSTEM"]
_REPLAY_BYTES = 2 * 1024 * 1024 * 1024
"""What the replay of one hive may read; no hive and its logs come near it."""
_ROOT_LIMIT = 64
"""Directories of the volume root that are tried when there is no folder named Windows."""


def find_windows_root(volume: NtfsVolume) -> str | None:
    """Return the Windows folder's name on ``volume``, found by its hives; None when there is none.

    A Windows that has lost one of its hives is still a Windows.

    Raises:
        FormatError: The volume is damaged on the way, so that nobody can say whether there is one.
    """
    if _has_hives(volume, "Windows"):
        return "Windows"
    for tried, entry in enumerate(volume.listdir("")):
        if tried >= _ROOT_LIMIT:
            break
        if entry.is_directory and entry.name.casefold() not in {"windows", "."}:
            try:
                if _has_hives(volume, entry.name):
                    return entry.name
            except UnsupportedFeatureError:
                continue
    return None


def _has_hives(volume: NtfsVolume, root: str) -> bool:
    return any(volume.find(f"{root}\\{path}") is not None for path in (_SOFTWARE, _SYSTEM))


class WindowsImage:
    r"""A Windows folder on a volume.

    Args:
        volume: The NTFS volume.
        root: Name of the Windows folder.
        grant: Called with the bytes that must be read besides what a look costs, before a dirty hive is replayed.
    """

    def __init__(
        self, volume: NtfsVolume, root: str = "Windows", *, grant: Callable[[int], None] | None = None
    ) -> None:
        self.volume = volume
        self.root = root
        self._grant = grant
        self._hives: dict[str, Hive] = {}
        self._control_set: int | None = None
        self._drive: str | None = None

    def registry(self, name: str) -> Hive:
        r"""Open a hive by its name: ``SOFTWARE``, ``SYSTEM``, ``SAM``, ``SECURITY``, ``DEFAULT``, ``NetworkService``.

        The hive is read through the file's runs where it lies; it is never copied. When it is dirty its logs are
        replayed in memory.

        Raises:
            FileMissingError: The image has no such hive.
            FormatError: The file is no hive.
        """
        wanted = name.upper()
        hive = self._hives.get(wanted)
        if hive is None:
            path = HIVE_FILES.get(wanted)
            if path is None:
                raise FileMissingError(f"{name!r} is not a hive name", hint=f"known: {', '.join(HIVE_FILES)}")
            path = f"{self.root}\\{path}"
            source = self.volume.lookup(path).open()
            hive = Hive(source, wanted, logs=lambda: self._granted_logs(path, source.size))
            self._hives[wanted] = hive
        return hive

    def _granted_logs(self, path: str, hive_size: int) -> list[tuple[str, ByteSource]]:
        found = self.log_files(path)
        if self._grant is not None:
            # A log is read for its hashes and for its pages, the hive for the walk, with its logs and at worst without.
            total = 2 * hive_size + sum(2 * source.size for _, source in found)
            self._grant(min(total, _REPLAY_BYTES))
        return found

    def log_files(self, path: str) -> list[tuple[str, ByteSource]]:
        """Return the transaction logs beside a hive that exist, by name.

        Args:
            path: The hive's path on the volume.

        Raises:
            FormatError: The volume is damaged on the way.
            UnsupportedFeatureError: A log is stored in a way that cannot be read.
        """
        found: list[tuple[str, ByteSource]] = []
        for ending in LOG_ENDINGS:
            file = self.volume.find(f"{path}{ending}")
            if file is not None and not file.is_directory:
                found.append((file.name, file.open()))
        return found

    def grant_walk(self, hive: Hive) -> None:
        """Allow for the reads of a walk through a whole hive."""
        if self._grant is not None:
            self._grant(2 * hive.source.size)

    def open_hives(self) -> dict[str, Hive]:
        """The hives opened so far, by name."""
        return dict(self._hives)

    def open_file(self, path: str) -> BinaryIO:
        r"""Open a file of the volume for reading, such as ``Windows\System32\license.rtf``.

        Raises:
            FileMissingError: There is no such file.
            UnsupportedFeatureError: The file is stored in a way that cannot be read (WOF, EFS).
        """
        source = self.volume.lookup(path).open()
        return cast("BinaryIO", io.BufferedReader(SourceFile(source), buffer_size=64 * 1024))

    @property
    def system_drive(self) -> str:
        r"""Letter of the volume in the running Windows, lower case, as SystemRoot says; ``c`` when it does not."""
        if self._drive is None:
            self._drive = "c"
            try:
                key = self.registry("SOFTWARE").find(r"Microsoft\Windows NT\CurrentVersion")
                stored = text_value(key, "SystemRoot") or ""
            except (FormatError, FileMissingError) as exc:
                if isinstance(exc, ReadLimitError) and exc.used_up:
                    raise
                stored = ""
            if stored[1:3] == ":\\" and stored[0].isascii() and stored[0].isalpha():
                self._drive = stored[0].lower()
        return self._drive

    @property
    def control_set(self) -> int | None:
        r"""Number of the control set that Windows starts with next; None when it is not stored.

        That is ``Default`` in ``SYSTEM\Select``. ``Current`` is the one of the last start, and counts when the other
        names no control set of the hive. Everything that is read or changed below ``CurrentControlSet`` goes there.
        """
        if self._control_set is None:
            system = self.registry("SYSTEM")
            for name in ("Default", "Current"):
                number = self._selected_set(name)
                if number is not None and system.find(f"ControlSet{number:03d}") is not None:
                    self._control_set = number
                    break
        return self._control_set

    @property
    def control_sets_differ(self) -> str | None:
        """What to tell when the last start used another control set than the next one will; None otherwise."""
        last, used = self._selected_set("Current"), self.control_set
        if last is None or used is None or last == used:
            return None
        return (
            f"Windows last ran with ControlSet{last:03d} and starts next with ControlSet{used:03d}: "
            "that one is read and changed"
        )

    def _selected_set(self, name: str) -> int | None:
        select = self.registry("SYSTEM").find("Select")
        value = select.value(name) if select is not None else None
        number = value.data if value is not None else None
        return number if isinstance(number, int) and 0 < number < 1000 else None

    def resolve(self, text: str) -> RegistryPath:
        """Split a registry path and put the control set in use in place of ``CurrentControlSet``.

        Raises:
            UsageError: The path names no hive that an image has.
        """
        path = parse_registry_path(text)
        first, _, rest = path.key.partition("\\")
        if path.hive == "SYSTEM" and first.casefold() == "currentcontrolset" and self.control_set is not None:
            name = f"ControlSet{self.control_set:03d}"
            path = RegistryPath(path.hive, f"{name}\\{rest}" if rest else name)
        return path

    def find_key(self, text: str) -> RegistryKey | None:
        """Return the key with a full path, None when the key (or its hive) does not exist."""
        path = self.resolve(text)
        try:
            hive = self.registry(path.hive)
        except FileMissingError:
            return None
        return hive.find(path.key)

    def key(self, text: str) -> RegistryKey:
        """Return the key with a full path.

        Raises:
            KeyMissingError: There is no such key.
            FileMissingError: The image has no such hive.
        """
        path = self.resolve(text)
        key = self.registry(path.hive).find(path.key)
        if key is None:
            raise KeyMissingError(f"there is no key {path.text}", location=self.registry(path.hive).location)
        return key
