"""Disks for the rules: one that is healthy, and one for each thing that can be wrong, by name.

A case writes its files into a folder and returns what ``open_vdisk`` takes.
"""

from __future__ import annotations

import datetime as dt
import functools
import io
import os
import struct
import uuid
from typing import TYPE_CHECKING, Any

import vdiskkit
from tests.build.digitalproductid import build_digital_product_id, build_digital_product_id4
from tests.build.evtx import activation_failed, build_log, kms_answer, kms_request
from tests.build.files import unattend
from tests.build.hive import filetime, seal, utf16
from tests.build.hive_log import new_format
from tests.build.image import MIB, PartitionSpec, build_disk, build_volume
from tests.build.pair import MAK_MODE, NONE, PRIVATE, SEALED, manifest, side_car, write_pair
from tests.build.products import MAK, MAK_WITHOUT_N, OFFICE, WINDOWS
from tests.build.scenario import STORE, hibernation_header, make
from tests.build.state import LOGGED, RAM_DISK, SHUTDOWN, software_state, state_volume, system_state
from tests.build.vhd import build_vhd
from tests.build.vhd_faults import break_vhd, set_footer, set_header
from tests.build.vhdx import HEADERS, REGION_TABLES, Page, build_vhdx, put_log
from tests.build.windows import OFFICE_APP, WINDOWS_APP, software_hive, system_hive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO

BLOCK = 16 * MIB
CHUNK = 64 * 1024
HEALTHY = {"netlogon": {"DisablePasswordChange": 1}, "page_files": (r"c:\pagefile.sys 0 0",)}
TOKENS = f"{STORE['win10']}/tokens.dat"
PERSONALITY = "Personality.ini"


def volume(**arguments: Any) -> bytearray:
    """A healthy volume with these differences; see ``state_volume``."""
    arguments["system_keys"] = {**HEALTHY, **arguments.get("system_keys", {})}
    return state_volume(arguments.pop("product", "win10"), **arguments)


@functools.cache
def healthy_raw() -> bytes:
    return build_disk([volume()])


@functools.cache
def healthy_vhd() -> bytes:
    raw = healthy_raw()
    return build_vhd("dynamic", len(raw), BLOCK, raw, aligned_4k=True)


def pair(folder: Path, *, vhd: bytes | bytearray | None = None, pvp: dict[str, Any] | None = None) -> Path:
    """The healthy disk, or another file in its place, with its side-car."""
    disk = folder / "disk.vhd"
    write_sparse(disk, healthy_vhd() if vhd is None else vhd)
    fields = {"object_names_size": 0, **(pvp or {})}
    disk.with_suffix(".pvp").write_bytes(side_car("disk", len(healthy_raw()), BLOCK, **fields))
    return disk


def on_disk(folder: Path, raw: bytes, **fields: Any) -> Path:
    disk = folder / "disk.vhd"
    write_sparse(disk, build_vhd("dynamic", len(raw), BLOCK, raw, aligned_4k=True))
    disk.with_suffix(".pvp").write_bytes(side_car("disk", len(raw), BLOCK, **fields))
    return disk


def write_sparse(path: Path, data: bytes | bytearray) -> None:
    """Write a file with holes where there are zeros, which is much faster."""
    with path.open("wb") as file:
        for at in range(0, len(data), CHUNK):
            part = data[at : at + CHUNK]
            if part.count(0) != len(part):
                file.seek(at)
                file.write(part)
        file.truncate(len(data))


def image(**arguments: Any) -> Callable[[Path], Path]:
    """A case: the healthy pair with another volume."""
    fields = arguments.pop("pvp", {})
    return lambda folder: on_disk(folder, build_disk([volume(**arguments)]), **fields)


def with_pvp(**fields: Any) -> Callable[[Path], Path]:
    """A case: the healthy disk with another side-car."""
    return lambda folder: pair(folder, pvp=fields)


def changed_system(edit: Callable[[Any], object]) -> Callable[[Path], Path]:
    """A case: something else in SYSTEM."""

    def both(builder: Any) -> None:
        system_state(**HEALTHY)(builder)
        edit(builder)

    def replace(name: str, data: bytes) -> bytes:
        return system_hive("win10", edit=both) if name == "SYSTEM" else data

    return image(edit_hive=replace)


def spoiled(name: str, change: Callable[[bytearray], object]) -> Callable[[Path], Path]:
    """A case: changed bytes of a hive; the base block's checksum is put right."""

    def spoil(hive: str, data: bytes) -> bytes:
        if hive != name:
            return data
        copy = bytearray(data)
        change(copy)
        if copy[:4] == b"regf":
            seal(copy)
        return bytes(copy)

    return image(edit_hive=spoil)


def unwritten(before: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    """A case: SOFTWARE was not written back. In the file it is as ``before`` makes it of what it is with its log."""
    logs: list[bytes] = []

    def split(hive: str, data: bytes) -> bytes:
        if hive != "SOFTWARE":
            return data
        dirty = new_format([before(data), data])
        logs.append(dirty.log1)
        return dirty.primary

    return image(edit_hive=split, edit=lambda editor: editor.write(r"Windows\System32\config\SOFTWARE.LOG1", logs[-1]))


def another_build(data: bytes) -> bytes:
    return data.replace(utf16("19045"), utf16("19044"))


def another_key(_: bytes) -> bytes:
    return software_hive("win10", key=MAK, edit=software_state())


# the disk file


def vhd_with(fault: str) -> Callable[[Path], Path]:
    return lambda folder: pair(folder, vhd=break_vhd(healthy_vhd(), fault))


def saved_state(folder: Path) -> Path:
    return pair(folder, vhd=set_footer(healthy_vhd(), 84, b"\1"))


def other_geometry(folder: Path) -> Path:
    return pair(folder, vhd=build_vhd("dynamic", len(healthy_raw()), BLOCK, healthy_raw(), aligned_4k=True,
                                      creator=b"vpc ", geometry=(10, 4, 17)))  # fmt: skip


def unaligned(folder: Path) -> Path:
    return pair(folder, vhd=build_vhd("dynamic", len(healthy_raw()), BLOCK, healthy_raw(), aligned_4k=False))


def interrupted(folder: Path) -> Path:
    """A change was written, but not committed."""
    from vdiskkit.journal import JournalState, build_state
    from vdiskkit.journal.format import STATE_OFFSET

    disk = pair(folder, pvp={"write_cache_type": PRIVATE})
    plan = vdiskkit.plan(disk, [vdiskkit.SetPvpField(field="description", value="changed")])
    vdiskkit.apply(plan)
    journal = next(folder.glob("disk.vhd.vdiskkit-undo-*"))
    data = bytearray(journal.read_bytes())
    state = build_state(JournalState.ARMED)
    data[STATE_OFFSET : STATE_OFFSET + len(state)] = state
    journal.unlink()
    (folder / "disk.vhd.vdiskkit-journal").write_bytes(data)
    return disk


def raw_image(folder: Path) -> Path:
    path = folder / "disk.raw"
    path.write_bytes(healthy_raw())
    return path


def stream(_: Path) -> BinaryIO:
    return io.BytesIO(healthy_vhd())


def vhdx(folder: Path, change: Callable[[Any], object] = lambda image: None) -> Path:
    """The healthy disk as VHDX."""
    raw = healthy_raw()
    file = build_vhdx("dynamic", len(raw), BLOCK, raw)
    change(file)
    disk = folder / "disk.vhdx"
    write_sparse(disk, file.read_at(0, file.size))
    fields = {"original_file": "disk.vhdx"}
    disk.with_suffix(".pvp").write_bytes(side_car("disk", len(raw), BLOCK, **fields))
    return disk


def with_log(file: Any) -> None:
    last = file.size - 4096
    put_log(file, [[Page(last, file.read_at(last, 4096))]])


# chains


def versions(
    folder: Path, *, manifested: bool = True, access: int = 0, parent_time: int | None = None, number: int = 1
) -> Path:
    """A base and one version with the same content but a few bytes."""
    base = pair(folder)
    raw = bytearray(healthy_raw())
    raw[600:604] = b"next"
    newest = write_pair(
        folder, f"disk.{number}", bytes(raw), block_size=BLOCK, pvp={"original_file": f"disk.{number}.avhd"},
        extension="avhd", parent=base, parent_raw=healthy_raw(),
    )  # fmt: skip
    if parent_time is not None:
        newest.write_bytes(set_header(newest.read_bytes(), 56, struct.pack(">I", parent_time)))
    if manifested:
        text = manifest([(0, base), (number, newest)])
        head, _, tail = text.rpartition("<access>0</access>")
        (folder / "disk.xml").write_text(f"{head}<access>{access}</access>{tail}", encoding="utf-8")
    return newest


def without_parent(folder: Path) -> Path:
    """A merged base is whole; an older version lies there without its own base."""
    versions(folder, manifested=False)
    (folder / "disk.vhd").unlink()
    (folder / "disk.pvp").unlink()
    return write_pair(folder, "disk.2", healthy_raw(), block_size=BLOCK, pvp={"original_file": "disk.2.vhd"})


def parent_changed(folder: Path) -> Path:
    return versions(folder, parent_time=12345)


def parent_time_unknown(folder: Path) -> Path:
    return versions(folder, parent_time=0)


def base_without_side_car(folder: Path) -> Path:
    newest = versions(folder)
    (folder / "disk.pvp").unlink()
    return newest


def twice(folder: Path) -> Path:
    versions(folder, manifested=False)
    return write_pair(folder, "disk.1", healthy_raw(), block_size=BLOCK, pvp={"original_file": "disk.1.vhd"})


def not_newest(folder: Path) -> Path:
    versions(folder)
    return folder / "disk.vhd"


def larger_than_its_parent(folder: Path) -> Path:
    newest = versions(folder, manifested=False)
    base = folder / "disk.vhd"
    smaller = (len(healthy_raw()) - 512).to_bytes(8, "big")
    base.write_bytes(set_footer(base.read_bytes(), 48, smaller))
    text = manifest([(0, base), (1, newest)])
    (folder / "disk.xml").write_text(text, encoding="utf-8")
    return newest


def without_its_version(folder: Path) -> Path:
    """The manifest does not name the base, which is there."""
    newest = versions(folder)
    text = (folder / "disk.xml").read_text(encoding="utf-8")
    first, last = text.index("  <version>"), text.rindex("  <version>")
    rest = (text[:first] + text[last:]).replace("<startingVersion>0", "<startingVersion>1")
    (folder / "disk.xml").write_text(rest, encoding="utf-8")
    return newest


def parent_locked(folder: Path) -> Path:
    newest = versions(folder)
    (folder / "disk.lok").write_bytes(b"")
    return newest


def misfit_manifest(folder: Path) -> Path:
    newest = versions(folder)
    text = (folder / "disk.xml").read_text(encoding="utf-8")
    (folder / "disk.xml").write_text(text.replace("disk.1.avhd", "disk.9.avhd"), encoding="utf-8")
    return newest


# partitions and volumes


def gpt_damaged(folder: Path) -> Path:
    raw = bytearray(build_disk([volume()], table="gpt"))
    raw[-512:] = bytes(512)
    return on_disk(folder, bytes(raw))


def dynamic_disk(folder: Path) -> Path:
    """Windows on a basic volume that was converted to a dynamic one."""
    return on_disk(folder, build_disk([PartitionSpec(volume(), mbr_type=0x42)]))


def other_volume(kind: str) -> Callable[[Path], Path]:
    """All there is is a volume that is not read: a piece of a dynamic disk or of Storage Spaces, or ReFS."""
    guid = {"ldm": "af9b60a0-1431-4f62-bc68-3311714a69ad", "spaces": "e75caf8f-f680-4cee-afa3-b001e56efc2d"}.get(kind)
    data = bytearray(MIB)
    if guid is None:
        data[3:11] = b"ReFS\0\0\0\0"
    spec = PartitionSpec(data, gpt_type=uuid.UUID(guid)) if guid else PartitionSpec(data)
    return lambda folder: on_disk(folder, build_disk([spec], table="gpt"))


def dirty_beside(folder: Path) -> Path:
    """Another volume of the disk was not closed."""
    return on_disk(folder, build_disk([volume(), build_volume("reserved", volume_flags=1)]))


def past_end(folder: Path) -> Path:
    raw = bytearray(healthy_raw())
    struct.pack_into("<I", raw, 446 + 12, 0x7FFFFFF)
    return on_disk(folder, bytes(raw))


def two_windows(folder: Path) -> Path:
    return on_disk(folder, build_disk([volume(), PartitionSpec(volume())]))


def blank(folder: Path) -> Path:
    return on_disk(folder, bytes(4 * MIB))


def encrypted(folder: Path) -> Path:
    """All there is lies on an encrypted volume."""
    data = bytearray(healthy_raw())
    at = struct.unpack_from("<I", data, 446 + 8)[0] * 512
    data[at + 3 : at + 11] = b"-FVE-FS-"
    return on_disk(folder, bytes(data))


def encrypted_beside(folder: Path) -> Path:
    """An encrypted data volume behind Windows."""
    other = build_volume("reserved")
    other[3:11] = b"-FVE-FS-"
    return on_disk(folder, build_disk([volume(), other]))


def volume_cut(folder: Path) -> Path:
    raw = bytearray(healthy_raw())
    (sectors,) = struct.unpack_from("<I", raw, 446 + 12)
    struct.pack_into("<I", raw, 446 + 12, sectors - 64)
    return on_disk(folder, bytes(raw))


def full(folder: Path) -> Path:
    def fill(editor: Any) -> None:
        editor.write("$Bitmap", b"\xff" * editor.size("$Bitmap"), resize=False)

    return image(edit=fill)(folder)


def hibernated(folder: Path) -> Path:
    return image(edit=lambda editor: editor.write("hiberfil.sys", hibernation_header(), resize=False))(folder)


def no_windows(folder: Path) -> Path:
    return on_disk(folder, build_disk([build_volume("reserved")]))


# side-car and folder


def alone(folder: Path) -> Path:
    disk = pair(folder)
    disk.with_suffix(".pvp").unlink()
    return disk


def locked(folder: Path) -> Path:
    disk = pair(folder)
    disk.with_suffix(".lok").write_bytes(bytes(64))
    return disk


def cached(folder: Path) -> Path:
    (folder / "WriteCache").mkdir()
    return pair(folder)


def sealed_late(folder: Path) -> Path:
    disk = pair(folder, pvp={"properties_update_time": filetime(SEALED)})
    before = (SEALED - dt.timedelta(days=3)).timestamp()
    os.utime(disk, (before, before))
    return disk


# licensing


def bad_crc(folder: Path) -> Path:
    def flip(data: bytearray) -> None:
        start = data.index(struct.pack("<IHH", 164, 3, 0))
        data[start + 130] ^= 1  # in the hardware id, which only the CRC covers

    return spoiled("SOFTWARE", flip)(folder)


def win8_with_other_store(folder: Path) -> Path:
    """Windows 8, with the store of a later Windows."""

    def replace(name: str, data: bytes) -> bytes:
        return software_hive("win8") if name == "SOFTWARE" else data

    return image(edit_hive=replace)(folder)


def unreadable_blob(folder: Path) -> Path:
    return image(software={"channel": None})(folder)


def office_2010_mak(folder: Path) -> Path:
    """Office 2010 with a MAK: its blob has no channel."""

    def replace(name: str, data: bytes) -> bytes:
        if name != "SOFTWARE":
            return data
        old = build_digital_product_id(OFFICE["2010"].key, product_id="02260-018-0000106-48484",
                                       part_number="X19-98795", install_time=INSTALLED)  # fmt: skip
        new = build_digital_product_id(MAK_WITHOUT_N, product_id="02260-018-0000106-48484", part_number="X19-98795",
                                       install_time=INSTALLED)  # fmt: skip
        assert old in data
        return data.replace(old, new)

    return image(software={"office": ["2010"]}, edit_hive=replace, software_keys=MARKED_OFFICE)(folder)


def office_mak(folder: Path) -> Path:
    """Office 2016 with a MAK."""

    def replace(name: str, data: bytes) -> bytes:
        if name != "SOFTWARE":
            return data
        at = data.index(utf16("ProPlus").ljust(64, b"\0"))  # the edition in the blob
        start = data.rindex(struct.pack("<IHH", 1272, 4, 0), 0, at)
        blob = build_digital_product_id4(MAK, extended_pid="", activation_id="", edition="ProPlus",
                                         part_number="X19-98795", key_type="Volume:MAK", eula="Volume")  # fmt: skip
        return data[:start] + blob + data[start + len(blob) :]

    return image(software={"office": ["2016"]}, edit_hive=replace)(folder)


INSTALLED = int(dt.datetime(2023, 5, 9, 7, 41, 12, tzinfo=dt.UTC).timestamp())
MARKED = {"markers": {"LIC_BISF_RearmOS_run": 1, "LIC_BISF_RearmOS_date": "2031-01-01"}}
MARKED_OFFICE = {"markers": {"LIC_BISF_RearmOF_run": 1}}
HOST = {"": {"KeyManagementServiceName": "kms.example.com", "KeyManagementServicePort": "1688"}}


def fault_of_target(name: str, values: dict[str, int]) -> Callable[[Path], Path]:
    def edit(builder: Any) -> None:
        for value, data in values.items():
            builder.dword(rf"ControlSet001\Services\{name}", value, data)

    return changed_system(edit)


CURRENT = r"Microsoft\Windows\CurrentVersion"
PENDING: dict[str, tuple[str, str, str | None]] = {
    "in-progress": ("SOFTWARE", rf"{CURRENT}\Component Based Servicing\RebootInProgress", None),
    "packages": ("SOFTWARE", rf"{CURRENT}\Component Based Servicing\PackagesPending", None),
    "setup-execute": ("SYSTEM", r"Control\Session Manager", "SetupExecute"),
    "reporting": ("SOFTWARE", rf"{CURRENT}\WindowsUpdate\Auto Update\PostRebootReporting", None),
    "services": ("SOFTWARE", rf"{CURRENT}\WindowsUpdate\Services\Pending\{{117cab2d}}", None),
    "renames-2": ("SYSTEM", r"Control\Session Manager", "PendingFileRenameOperations2"),
    "volatile": ("SOFTWARE", r"Microsoft\Updates", "UpdateExeVolatile"),
    "dvd": ("SOFTWARE", rf"{CURRENT}\RunOnce", "DVDRebootSignal"),
    "server": ("SOFTWARE", r"Microsoft\ServerManager\CurrentRebootAttempts", None),
    "join": ("SYSTEM", r"Services\Netlogon", "JoinDomain"),
    "spn": ("SYSTEM", r"Services\Netlogon", "AvoidSpnSet"),
    "name": ("SYSTEM", r"Services\Tcpip\Parameters", "NV Hostname"),
    "sccm": ("SOFTWARE", r"Microsoft\SMS\Mobile Client\Reboot Management\RebootData", None),
}
"""Hive, key and value of each place that says that a restart is waited for, besides those with cases of their own."""


def pending(hive: str, key: str, value: str | None) -> Callable[[Path], Path]:
    """A case: that place says so."""

    def edit(builder: Any) -> None:
        path = rf"ControlSet001\{key}" if hive == "SYSTEM" else key
        builder.key(path)
        if value == "UpdateExeVolatile":
            builder.dword(path, value, 3)
        elif value in ("SetupExecute", "PendingFileRenameOperations2"):
            builder.multi(path, value, [r"\??\C:\Temp\a.dll"])
        elif value is not None:
            builder.sz(path, value, "RENAMED")
            if value == "NV Hostname":
                builder.sz(path, "Hostname", "MASTER")

    if hive == "SYSTEM":
        return changed_system(edit)

    def replace(name: str, data: bytes) -> bytes:
        return software_hive("win10", edit=lambda builder: (software_state()(builder), edit(builder))) if (
            name == "SOFTWARE") else data  # fmt: skip

    return image(edit_hive=replace)


def log_by_policy(name: str, data: bytes) -> bytes:
    """The Application log lies on another drive by a group policy; the old file is still in its usual place."""
    if name != "SOFTWARE":
        return data

    def edit(builder: Any) -> None:
        software_state()(builder)
        builder.sz(r"Policies\Microsoft\Windows\EventLog\Application", "File", r"D:\Logs\Application.evtx")

    return software_hive("win10", edit=edit)


def gpt_enlarged(folder: Path) -> Path:
    """The disk was enlarged, and its partition table was not."""
    return on_disk(folder, build_disk([volume()], table="gpt") + bytes(4 * MIB))


def spoil_sid(editor: Any) -> None:
    path = r"Windows\System32\config\SECURITY"
    data = bytearray(editor.read(path))
    at = data.index(bytes((1, 4, 0, 0, 0, 0, 0, 5)))
    data[at] = 7
    editor.write(path, bytes(data))


BNDEVICE = r"ControlSet001\Services\BNDevice"
ON_SYSTEM_DRIVE = r"%SystemDrive%\Program Files\Citrix\Provisioning Services\BNDevice.exe"

CASES: dict[str, Callable[[Path], Path | BinaryIO]] = {
    "healthy": pair,
    "footer-damaged": vhd_with("footer_checksum"),
    "copy-damaged": vhd_with("copy_checksum"),
    "saved-state": saved_state,
    "vhdx": vhdx,
    "vhdx-header": lambda folder: vhdx(folder, lambda file: file.write(HEADERS[0] + 100, b"damaged")),
    "vhdx-regions": lambda folder: vhdx(folder, lambda file: file.write(REGION_TABLES[0] + 8, b"damaged")),
    "vhdx-log": lambda folder: vhdx(folder, with_log),
    "geometry": other_geometry,
    "unaligned": unaligned,
    "interrupted": interrupted,
    "raw": raw_image,
    "stream": stream,
    "versions": versions,
    "no-manifest": lambda folder: versions(folder, manifested=False),
    "maintenance": lambda folder: versions(folder, access=1),
    "test-version": lambda folder: versions(folder, access=7),
    "without-parent": without_parent,
    "parent-changed": parent_changed,
    "parent-time-unknown": parent_time_unknown,
    "base-without-side-car": base_without_side_car,
    "twice": twice,
    "not-newest": not_newest,
    "misfit-manifest": misfit_manifest,
    "larger-than-its-parent": larger_than_its_parent,
    "without-its-version": without_its_version,
    "parent-locked": parent_locked,
    "gpt-damaged": gpt_damaged,
    "dynamic-disk": dynamic_disk,
    "ldm": other_volume("ldm"),
    "spaces": other_volume("spaces"),
    "refs": other_volume("refs"),
    "dirty-beside": dirty_beside,
    "past-end": past_end,
    "two-windows": two_windows,
    "blank": blank,
    "encrypted": encrypted,
    "encrypted-beside": encrypted_beside,
    "volume-cut": volume_cut,
    "full": full,
    "dirty-volume": image(volume_flags=1, clean_log=False),
    "hibernated": hibernated,
    "fast-startup": image(system={"fast_startup": True}),
    "no-windows": no_windows,
    "unwritten": unwritten(another_build),
    "key-in-log": unwritten(another_key),
    "dirty-hive": spoiled("SOFTWARE", lambda data: data.__setitem__(4, data[4] + 1)),
    "no-system-hive": spoiled("SYSTEM", lambda data: data.__setitem__(slice(0, 4), b"nope")),
    "no-software-hive": spoiled("SOFTWARE", lambda data: data.__setitem__(slice(0, 4), b"nope")),
    "transaction": spoiled(
        "SYSTEM",
        lambda data: (data.__setitem__(144, 1), data.__setitem__(slice(164, 168), b"rmtm")),
    ),
    "alone": alone,
    "implausible": with_pvp(auto_update_enabled=7),
    "private": with_pvp(write_cache_type=PRIVATE),
    "license-none": with_pvp(license_mode=NONE),
    "locked": locked,
    "other-size": with_pvp(total_sectors=8192),
    "other-block-size": with_pvp(vhd_block_size=2 * MIB),
    "renamed": with_pvp(original_file="other.vhd"),
    "sealed-late": sealed_late,
    "write-cache": cached,
    "mak": image(software={"key": MAK, "channel": "Volume:MAK"}),
    "mak-pair": image(software={"key": MAK, "channel": "Volume:MAK"}, pvp={"license_mode": MAK_MODE}),
    "gvlk-in-mak-pair": with_pvp(license_mode=MAK_MODE),
    "other-edition": image(software={"key": WINDOWS["server2022"].key}),
    "gvlk-unlisted": image(software={"key": MAK, "channel": "Volume:GVLK"}),
    "key-unknown": image(software={"key": MAK, "channel": ""}),
    "sid-damaged": image(edit=spoil_sid),
    "system-drive": changed_system(lambda builder: builder.expand(BNDEVICE, "ImagePath", ON_SYSTEM_DRIVE)),
    "device-elsewhere": changed_system(lambda builder: builder.expand(BNDEVICE, "ImagePath", r"E:\PVS\BNDevice.exe")),
    "csvlk": image(software={"key": MAK, "channel": "Volume:CSVLK"}),
    "channel-differs": image(software={"channel": "Volume:MAK"}),
    "bad-crc": bad_crc,
    "no-key": unreadable_blob,
    "skip-rearm": image(software={"skip_rearm": 1}),
    "skip-rearm-odd": image(software={"skip_rearm": 7}),
    "unattend": image(files={"Windows/Panther/unattend.xml": unattend(skip_rearm=True)}),
    "no-tokens": image(removed_files=[TOKENS]),
    "no-tokens-private": image(removed_files=[TOKENS], pvp={"write_cache_type": PRIVATE}),
    "win8-on-10": win8_with_other_store,
    "old-tokens": image(system_keys={"shutdown": SHUTDOWN + dt.timedelta(days=30)}),
    "kms-host": image(software={"kms": HOST}),
    "kms-port-dword": image(software={"kms": {"": {"KeyManagementServicePort": 1688}}}),
    "kms-public": image(software={"kms": {"": {"KeyManagementServiceName": "kms8.msguides.com"}}}),
    "activation-type": image(software={"kms": {"": {"VLActivationType": 1}}}),
    "unanswered": image(log=build_log([kms_answer(LOGGED), kms_request(LOGGED + dt.timedelta(hours=1))])),
    "failed": image(log=build_log([kms_request(LOGGED), kms_answer(LOGGED), activation_failed(LOGGED)])),
    "retail-office": image(software={"office": ["365"]}),
    "office-2010": image(software={"office": ["2010"]}, software_keys=MARKED_OFFICE),
    "office-2010-unmarked": image(software={"office": ["2010"]}),
    "office-not-rearmed": image(software={"office": ["2010"]}, software_keys={"markers": {"LIC_BISF_RearmOF_run": 0}}),
    "office-mak": office_mak,
    "office-2010-mak": office_2010_mak,
    "office-c2r": image(software={"office": ["2021"]}),
    "office-host": image(software={"kms": {OFFICE_APP: {"KeyManagementServiceName": "kms.example.com"}}}),
    "office-no-tokens": image(
        software={"office": ["2010"]},
        software_keys=MARKED_OFFICE,
        removed_files=["ProgramData/Microsoft/OfficeSoftwareProtectionPlatform/tokens.dat"],
    ),
    "host-role": image(software={"kms": {"": {"KeyManagementServiceListeningPort": "1688"}}}),
    "windows-app-host": image(software={"kms": {WINDOWS_APP: {"KeyManagementServiceName": "kms.example.com"}}}),
    "cached-host": image(discovered="10.20.30.40"),
    "mcs": image(system_keys={"mcs_io": True}),
    "standard-traces": image(files={PERSONALITY: b"[StringData]\r\n$DiskMode=Shared\r\n"}),
    "bisf": image(software_keys=MARKED),
    "bisf-old": image(software_keys={"markers": {"LIC_BISF_RearmOS_run": 1, "LIC_BISF_RearmOS_date": "2001-01-01"}}),
    "scsi": image(system_keys={"adapters": ({**RAM_DISK, "DriverDesc": "Citrix Virtual Hard Disk Adapter"},)}),
    "no-target": image(system={"target_software": False}),
    "driver-disabled": fault_of_target("bnistack", {"Start": 4}),
    "no-driver-file": image(removed_files=["Windows/System32/drivers/CVhdMp.sys"]),
    "password-change": image(system_keys={"netlogon": {}}),
    "password-unmanaged": with_pvp(ad_password_enabled=0),
    "page-file": image(system_keys={"page_files": (r"d:\pagefile.sys 4096 4096",)}),
    "servicing": image(software_keys={"servicing": True}),
    "update": image(software_keys={"update": True}),
    **{f"pending-{name}": pending(*place) for name, place in PENDING.items()},
    "policy-log": image(software={}, edit_hive=log_by_policy),
    "answer-failed": image(log=build_log([kms_request(LOGGED), kms_answer(LOGGED, result="0xC004F074")])),
    "gpt-enlarged": gpt_enlarged,
    "renames": image(system_keys={"renames": [(r"C:\Temp\old.dll", "")]}),
    "resealed": image(software_keys={"image_state": "IMAGE_STATE_GENERALIZE_RESEAL_TO_OOBE"}),
    "in-setup": image(system={"setup_in_progress": True}),
    "scenario-desk10": lambda folder: make("desk10", folder),
}
"""Name to what writes it."""
