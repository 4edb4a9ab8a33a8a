"""A second opinion: the same answers read again by the dissect libraries.

vdiskkit reads containers, NTFS and hives with parsers of its own, which check every structure before it is believed.
The dissect readers (``dissect.hypervisor``, ``dissect.volume``, ``dissect.ntfs``, ``dissect.regf``) are another
implementation, by other people. On request they are asked the questions that matter most (are these the bytes of the
virtual disk, where are the partitions, what is in the hive file, in SkipRearm and in the key, how large is
``tokens.dat``), and every difference is told.

They are not asked where they are known to be wrong: differencing disks read as zeros, key names outside ASCII.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from vdiskkit.inspection.facts import CrossCheckFacts
from vdiskkit.io import GuardedSource, ReadBudget, SourceFile
from vdiskkit.windows.details import CURRENT_VERSION
from vdiskkit.windows.regpath import HIVE_FILES

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdiskkit.container import VirtualDisk
    from vdiskkit.io import ByteSource
    from vdiskkit.licensing.facts import LicensingFacts
    from vdiskkit.ntfs import NtfsFile, NtfsVolume
    from vdiskkit.partition import PartitionTable
    from vdiskkit.windows.image import WindowsImage

__all__ = ["cross_check"]

_SAMPLE = 64 * 1024
_BYTES = 256 * 1024 * 1024
_CALLS = 1_000_000
_CURRENT_VALUES = ("ProductName", "EditionID", "CurrentBuild", "DigitalProductId", "DigitalProductId4")


class _Opinions:
    """Collects what was asked and what came out different."""

    def __init__(self) -> None:
        self.checked: list[str] = []
        self.differences: list[str] = []

    def ask(self, what: str, ours: object, theirs: Callable[[], object]) -> None:
        try:
            answer = theirs()
        except Exception as exc:  # noqa: BLE001 - on odd images a foreign reader raises anything; it is only an opinion
            self.differences.append(f"{what}: the second reader failed ({type(exc).__name__}: {exc})")
            return
        self.checked.append(what)
        if answer != ours:
            self.differences.append(f"{what}: the second reader got another answer")


def cross_check(
    container: VirtualDisk,
    file: ByteSource,
    partitions: PartitionTable,
    image: WindowsImage | None,
    licensing: LicensingFacts | None,
) -> CrossCheckFacts:
    """Ask the dissect readers the same questions.

    Args:
        container: The virtual disk as we read it.
        file: The bytes of the disk file itself.
        partitions: The partition table as we read it.
        image: The installation, None when there is none.
        licensing: The licensing facts to compare, None when there are none.
    """
    opinions = _Opinions()
    if container.format == "vhd" and container.subformat != "differencing":
        _check_container(container, file, opinions)
    if partitions.scheme != "none":
        _check_partitions(container, partitions, opinions)
    if image is not None:
        _check_volume(image, licensing, opinions)
        _check_hive(image, licensing, opinions)
    return CrossCheckFacts(checked=tuple(opinions.checked), differences=tuple(opinions.differences))


def _bounded(source: ByteSource) -> BinaryIO:
    return cast("BinaryIO", SourceFile(GuardedSource(source, ReadBudget(_BYTES, _CALLS))))


def _check_container(container: VirtualDisk, file: ByteSource, opinions: _Opinions) -> None:
    from vdiskkit.container.dissect_view import open_with_dissect

    disk: list[Any] = []

    def read(offset: int, length: int) -> bytes:
        if not disk:
            disk.append(open_with_dissect(file, ReadBudget(_BYTES, _CALLS)))
        disk[0].seek(offset)
        return cast("bytes", disk[0].read(length))

    last = max(container.size - _SAMPLE, 0)
    for offset in sorted({0, container.size // 3 // 512 * 512, last}):
        length = min(_SAMPLE, container.size - offset)
        ours = container.read_at(offset, length)
        opinions.ask(
            f"virtual disk bytes {offset:#x} to {offset + length:#x}",
            ours,
            partial(read, offset, length),
        )


def _check_partitions(container: VirtualDisk, partitions: PartitionTable, opinions: _Opinions) -> None:
    from dissect.volume.disk import Disk

    ours = {(item.offset, item.size) for item in partitions.partitions}
    # dissect.volume 3.18 takes the last sector of a GPT partition for the first one behind it.
    gpt = partitions.scheme == "gpt"
    short = {(offset, size - partitions.sector_size) for offset, size in ours}

    def read() -> set[tuple[int, int]]:
        found = {
            (item.offset, item.size)
            for item in Disk(_bounded(container), sector_size=partitions.sector_size).partitions
        }
        return ours if gpt and found == short else found

    known = " (a GPT's may be one sector short there, which was allowed for)" if gpt else ""
    opinions.ask(f"offsets and sizes of the partitions{known}", ours, read)


def _check_volume(image: WindowsImage, licensing: LicensingFacts | None, opinions: _Opinions) -> None:
    from dissect.ntfs import NTFS

    volumes: list[Any] = []

    def record(file: NtfsFile) -> Any:  # noqa: ANN401 - dissect has no type information
        if not volumes:
            volumes.append(NTFS(_bounded(image.volume.source)))
        return volumes[0].mft.get(file.record_number)

    def head(file: NtfsFile) -> tuple[int, bytes]:
        stream = record(file).open()
        return record(file).size(), cast("bytes", stream.read(_SAMPLE))

    paths = [f"{image.root}\\{HIVE_FILES['SOFTWARE']}"]
    if licensing is not None:
        paths += [file.path for store in licensing.token_stores for file in store.files]
    for path in paths:
        found = _readable(image.volume, path)
        if found is not None:
            file, source = found
            ours = (file.size, source.read_at(0, min(_SAMPLE, source.size)))
            opinions.ask(f"size and first bytes of {path}", ours, partial(head, file))


def _readable(volume: NtfsVolume, path: str) -> tuple[NtfsFile, ByteSource] | None:
    file = volume.find(path)
    return (file, file.open()) if file is not None and not file.is_directory else None


def _check_hive(image: WindowsImage, licensing: LicensingFacts | None, opinions: _Opinions) -> None:
    from vdiskkit.registry.dissect_view import hive_for_dissect

    software = image.registry("SOFTWARE")
    hives: list[Any] = []

    def key(path: str) -> Any:  # noqa: ANN401 - dissect has no type information
        if not hives:
            hives.append(hive_for_dissect(_bounded(software.source)))
        return hives[0].open(path)

    def data(path: str, name: str) -> bytes | None:
        wanted = name.casefold()
        return next((value.data for value in key(path).values() if value.name.casefold() == wanted), None)

    paths = [(CURRENT_VERSION, name) for name in _CURRENT_VALUES]
    if licensing is not None:
        paths.append((licensing.service_key.removeprefix("HKLM\\SOFTWARE\\"), "SkipRearm"))
    for path, name in paths:
        node = software.find(path)
        if node is None:
            continue
        value = node.value(name)
        ours = value.raw if value is not None else None
        opinions.ask(f"HKLM\\SOFTWARE\\{path}, {name}", ours, partial(data, path, name))
