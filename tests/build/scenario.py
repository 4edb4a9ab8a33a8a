"""Named, complete vDisks in a folder: disk file, side-car and what else lies beside them.

disk = make("win7-kms", tmp_path)                 # one of SCENARIOS; returns the path of the (newest) disk
disk = write_pair(tmp_path, "desk", windows_disk("win11", software={"skip_rearm": 1}), pvp={"license_mode": 2})
disk = chain(tmp_path, versions=5)
"""

from __future__ import annotations

import datetime as dt
import functools
import struct
from typing import TYPE_CHECKING, Any

from tests.build import hostile, vhdx_pair
from tests.build.files import OFFICE_STORE, STORE, hibernation_header, other_hives, user_hives, windows_files
from tests.build.hive import HiveBuilder, seal
from tests.build.image import EFI_SYSTEM, LINUX_DATA, MIB, MICROSOFT_RESERVED, PartitionSpec, build_disk, build_volume
from tests.build.logfile import restart_pages
from tests.build.pair import MAK_MODE, NONE, PRIVATE, SMALL_BLOCKS, manifest, write_pair
from tests.build.products import MAK, WINDOWS
from tests.build.vhd import with_checksum
from tests.build.windows import OFFICE_APP, WINDOWS_APP, sku_id, software_hive, system_hive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from tests.build.volume_edit import VolumeEditor

TOKENS_WRITTEN = dt.datetime(2023, 6, 14, 8, 12, 3, 512000, tzinfo=dt.UTC)


def windows_volume(
    product: str = "win10",
    *,
    software: Mapping[str, Any] | None = None,
    system: Mapping[str, Any] | None = None,
    files: Mapping[str, bytes] | None = None,
    removed: Iterable[str] = (),
    clean_log: bool = True,
    volume_flags: int = 0,
    base: str | None = None,
    edit_hive: Callable[[str, bytes], bytes] | None = None,
    edit: Callable[[VolumeEditor], object] | None = None,
) -> bytearray:
    """Return the volume of a Windows that is ready for PVS.

    Args:
        product: A key of ``products.WINDOWS``.
        software: Arguments for ``software_hive``.
        system: Arguments for ``system_hive``.
        files: Content by path, besides ``files.windows_files``.
        removed: Paths to delete. Office's token store goes by itself when no Office of its own service is installed.
        clean_log: Whether ``$LogFile`` says that the volume was unmounted.
        volume_flags: 1 is "dirty".
        base: Base volume; by default the product's.
        edit_hive: Called with ``SOFTWARE`` and ``SYSTEM`` and their bytes; returns the bytes to use.
        edit: Called last with the volume's editor.
    """
    windows = WINDOWS[product]
    hives = {
        "SOFTWARE": software_hive(product, **(software or {})),
        "SYSTEM": system_hive(product, **(system or {})),
        **other_hives(),
    }
    if edit_hive is not None:
        hives |= {name: edit_hive(name, hives[name]) for name in ("SOFTWARE", "SYSTEM")}
    removed = [path.replace("/", "\\") for path in removed]
    own_service = {"2010"} | ({"2013", "2016"} if windows.build < 9200 else set())
    content = windows_files(product) | user_hives()
    if not own_service & set((software or {}).get("office", ())):
        removed.append(OFFICE_STORE.replace("/", "\\"))
        content = {path: data for path, data in content.items() if not path.startswith(OFFICE_STORE)}
    store = STORE[windows.base]

    def finish(editor: VolumeEditor) -> None:
        editor.write("$LogFile", restart_pages(clean=clean_log, size=editor.size("$LogFile")), resize=False)
        if edit is not None:
            edit(editor)

    config = "Windows/System32/config"
    written = [
        *(path for path in content if path.startswith((store, OFFICE_STORE, "Users", "Windows/ServiceProfiles"))),
        *(f"{config}/{name}" for name in hives),
        "pagefile.sys",
    ]
    gone = {path.casefold() for path in removed}
    return build_volume(
        base or windows.base,
        hives=hives,
        files=content | dict(files or {}),
        times={path: TOKENS_WRITTEN for path in written if path.replace("/", "\\").casefold() not in gone},
        removed=removed,
        volume_flags=volume_flags,
        edit=finish,
    )


def windows_disk(product: str = "win10", *, table: str = "mbr", sector_size: int = 512, **arguments: Any) -> bytes:
    """Return a raw disk with the volume of :func:`windows_volume`, behind the partitions that Windows Setup makes."""
    volume = windows_volume(product, **arguments)
    if table == "none":
        return build_disk([volume], table=table, sector_size=sector_size)
    windows = PartitionSpec(volume)
    return build_disk([*boot_partitions(table), windows], table=table, sector_size=sector_size)


def boot_partitions(table: str) -> list[PartitionSpec]:
    """What lies in front of Windows: EFI and reserved partition, or "System Reserved" on an MBR disk."""
    if table != "gpt":
        return [PartitionSpec(build_volume("reserved"), active=True)]
    # A FAT boot sector without a file system behind it: nothing looks further.
    fat = (b"\xebX\x90MSDOS5.0" + struct.pack("<HBH", 512, 1, 32)).ljust(82, b"\0") + b"FAT32   "
    efi = PartitionSpec(
        (fat.ljust(510, b"\0") + b"\x55\xaa").ljust(MIB, b"\0"), gpt_type=EFI_SYSTEM, name="EFI system partition"
    )
    reserved = PartitionSpec(bytes(MIB), gpt_type=MICROSOFT_RESERVED, name="Microsoft reserved partition")
    return [efi, reserved]


# the scenarios


def win7_kms(folder: Path) -> Path:
    """Windows 7 prepared for KMS and sealed: GVLK, licence mode KMS, Standard, Office 2010 with its own service."""
    raw = windows_disk("win7", software={"office": ["2010"], "office_bits": 32, "rearm_tool": True})
    # PVS 7 side-cars are said to have a tail of 512 KiB.
    return write_pair(folder, "win7-kms", raw, pvp={"tail": bytes(512 * 1024)})


def win10_private_mak(folder: Path) -> Path:
    """Windows 10 in Private mode with a MAK and its tokens; Office LTSC 2021 by Click-to-Run."""
    raw = windows_disk(
        "win10",
        software={"key": MAK, "channel": "Volume:MAK", "office": ["2021"]},
        system={"write_cache_type": PRIVATE, "computer": "DESK10-MASTER"},
        table="gpt",
    )
    fields = {"write_cache_type": PRIVATE, "license_mode": MAK_MODE}
    return write_pair(folder, "win10-private-mak", raw, pvp=fields)


def faulty(folder: Path) -> Path:
    """Sealed with KMS chosen, and three things wrong: a MAK inside, SkipRearm 1, no tokens.dat."""
    raw = windows_disk(
        "win10",
        software={"key": MAK, "channel": "Volume:MAK", "skip_rearm": 1},
        removed=[f"{STORE['win10']}/tokens.dat"],
    )
    return write_pair(folder, "faulty", raw, pvp={})


def desk10(folder: Path) -> Path:
    """Three versions: the base, a monthly update, a KMS host name set; with the export manifest."""
    return chain(folder, "desk10", versions=2)


def chain(folder: Path, name: str = "desk10", *, versions: int = 2, block_size: int = SMALL_BLOCKS) -> Path:
    """Write a base and ``versions`` differencing files on it, each with changed hives; return the newest disk."""
    raw = _chain_disk(0)
    disk = write_pair(folder, name, raw, block_size=block_size, pvp={})
    entries = [(0, disk)]
    for number in range(1, versions + 1):
        following = _chain_disk(number)
        fields = {"original_file": f"{name}.{number}.avhd", "build": 3 + number}
        disk = write_pair(
            folder,
            f"{name}.{number}",
            following,
            block_size=block_size,
            pvp=fields,
            extension="avhd",
            parent=disk,
            parent_raw=raw,
        )
        raw = following
        entries.append((number, disk))
    (folder / f"{name}.xml").write_text(manifest(entries), encoding="utf-8", newline="\r\n")
    return disk


@functools.lru_cache(maxsize=4)
def _chain_disk(number: int) -> bytes:
    tokens = f"{STORE['win10']}/tokens.dat".replace("/", "\\")
    kms: dict[str, dict[str, str | int]] = {}
    if number >= 2:
        kms = {
            "": {"KeyManagementServiceName": "kms.example.com", "KeyManagementServicePort": "1688"},
            rf"{WINDOWS_APP}\{sku_id(WINDOWS['win10'])}": {"KeyManagementServiceName": f"kms{number}.example.com"},
            rf"WOW6432Node\{OFFICE_APP}": {"KeyManagementServiceName": "kms.example.com"},
        }

    def update(builder: HiveBuilder) -> None:
        builder.dword(r"Microsoft\Windows NT\CurrentVersion", "UBR", WINDOWS["win10"].ubr + number)

    return windows_disk(
        "win10",
        software={"kms": kms, "office": ["2019"], "sequence": 187 + 2 * number, "edit": update},
        system={"computer": "DESK10-MASTER", "sequence": 412 + 3 * number},
        edit=lambda editor: editor.set_times(tokens, modified=TOKENS_WRITTEN + dt.timedelta(days=number)),
    )


def desk11(folder: Path) -> Path:
    """A VHDX chain whose newest version was switched off: the truth is in the logs of its hive and of the file."""
    return vhdx_pair.desk11(folder, windows_disk)


def healthy(product: str) -> Callable[[Path], Path]:
    """A scenario: this Windows prepared for KMS and sealed."""

    def write(folder: Path) -> Path:
        return write_pair(folder, product, windows_disk(product), pvp={})

    return write


def dirty_hive(folder: Path) -> Path:
    """SOFTWARE was not written back: its sequence numbers differ."""

    def spoil(name: str, data: bytes) -> bytes:
        if name == "SYSTEM":
            return data
        changed = bytearray(data)
        changed[4] += 1
        seal(changed)
        return bytes(changed)

    return write_pair(folder, "dirty-hive", windows_disk("win10", edit_hive=spoil), pvp={})


def dirty_volume(folder: Path) -> Path:
    """The volume has the dirty flag, and its log was not closed."""
    return write_pair(folder, "dirty-volume", windows_disk("win10", volume_flags=1, clean_log=False), pvp={})


def hibernated(folder: Path) -> Path:
    """Shut down with fast startup: ``hiberfil.sys`` is live."""

    def live(editor: VolumeEditor) -> None:
        editor.write("hiberfil.sys", hibernation_header(), resize=False)

    raw = windows_disk("win10", system={"fast_startup": True}, edit=live)
    return write_pair(folder, "hibernated", raw, pvp={})


def two_windows(folder: Path) -> Path:
    """Two volumes with a Windows each."""
    volumes = [PartitionSpec(windows_volume("win7"), active=True), PartitionSpec(windows_volume("win10"))]
    return write_pair(folder, "two-windows", build_disk(volumes), pvp={})


def data_only(folder: Path) -> Path:
    """NTFS without a Windows folder."""
    raw = build_disk([build_volume("win8", removed=["Windows/System32/config"])])
    return write_pair(folder, "data-only", raw, pvp={})


def linux(folder: Path) -> Path:
    """A Linux target: no NTFS at all."""
    data = bytearray(8 * MIB)
    data[1024 + 56 : 1024 + 58] = b"\x53\xef"  # magic of an ext4 superblock
    raw = build_disk([PartitionSpec(data, mbr_type=0x83, gpt_type=LINUX_DATA, active=True)])
    return write_pair(folder, "linux", raw, pvp={"license_mode": NONE})


def bitlocker(folder: Path) -> Path:
    """The volume is encrypted."""
    volume = windows_volume("win10")
    volume[3:11] = b"-FVE-FS-"
    return write_pair(folder, "bitlocker", build_disk([volume]), pvp={})


def no_side_car(folder: Path) -> Path:
    """The disk was copied without its ``.pvp``."""
    return write_pair(folder, "no-side-car", windows_disk("win10"), pvp=None)


def locked(folder: Path) -> Path:
    """Fixed disk, in use: a ``.lok`` beside it and a server-side write cache."""
    cache = folder / "WriteCache"
    cache.mkdir()
    (cache / "00-15-5d-01-02-03.vhd").write_bytes(bytes(4096))
    return write_pair(folder, "locked", windows_disk("server2022"), kind="fixed", pvp={}, lock=True)


def merged(folder: Path) -> Path:
    """A chain of two versions that was merged into a new base; the old files are still there."""
    chain(folder, "merged", versions=2)
    return write_pair(folder, "merged.2", _chain_disk(2), block_size=16 * MIB, pvp={"build": 5})


def missing_parent(folder: Path) -> Path:
    """A version whose base was not copied."""
    disk = chain(folder, "missing-parent", versions=1)
    (folder / "missing-parent.vhd").unlink()
    return disk


def wrong_parent(folder: Path) -> Path:
    """A version whose base was replaced by another disk of the same name."""
    disk = chain(folder, "wrong-parent", versions=1)
    base = folder / "wrong-parent.vhd"
    other = bytearray(base.read_bytes())
    for at in (0, len(other) - 512):
        other[at + 68] ^= 1  # unique id
        other[at : at + 512] = with_checksum(bytes(other[at : at + 512]), 64)
    base.write_bytes(other)
    return disk


def second_control_set(folder: Path) -> Path:
    """ControlSet002 is in use; ControlSet001 tells another computer name. Windows lies in a logical partition."""
    raw = windows_disk("server2019", system={"control_set": 2, "computer": "RDS-MASTER02"}, table="extended")
    return write_pair(folder, "second-control-set", raw, pvp={})


def hostile_pair(folder: Path) -> Path:
    """Every text that can be shown holds what harms terminals, logs, annotations and markup."""
    volume = windows_volume(
        "win10",
        base="hostile",
        software={"edit": hostile.spoil_software, "office": ["2013"]},
        system={"computer": hostile.TEXTS[0], "edit": hostile.spoil_system},
        edit=hostile.spoil_volume,
    )
    raw = build_disk([PartitionSpec(volume, name=hostile.PARTITION_NAME)], table="gpt")
    disk = write_pair(folder, "hostile", raw, pvp=hostile.pvp_texts())
    (folder / "hostile.xml").write_text(hostile.manifest(disk), encoding="utf-8", newline="\n")
    return disk


SCENARIOS: dict[str, Callable[[Path], Path]] = {
    "win7-kms": win7_kms,
    "win10-private-mak": win10_private_mak,
    "faulty": faulty,
    "desk10": desk10,
    "hostile": hostile_pair,
    "desk11": desk11,
    "dirty-hive": dirty_hive,
    "dirty-volume": dirty_volume,
    "hibernated": hibernated,
    "two-windows": two_windows,
    "data-only": data_only,
    "linux": linux,
    "bitlocker": bitlocker,
    "no-side-car": no_side_car,
    "locked": locked,
    "merged": merged,
    "missing-parent": missing_parent,
    "wrong-parent": wrong_parent,
    "second-control-set": second_control_set,
    **{f"healthy-{product}": healthy(product) for product in WINDOWS},
}


def make(name: str, folder: Path) -> Path:
    """Write a scenario into a folder; return its (newest) disk."""
    folder.mkdir(parents=True, exist_ok=True)
    return SCENARIOS[name](folder)
