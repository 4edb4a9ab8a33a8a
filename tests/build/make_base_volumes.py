"""Make the base volumes in ``tests/data/base``: real NTFS with Windows-like trees and empty, allocated files.

Needs root, mkntfs and ntfs-3g; run once when the trees change and commit the result::

    python -m tests.build.make_base_volumes [NAME ...]

The files that tests fill (hives, token stores, drivers, unattend files ...) exist here with zero bytes, as many as
their test content may need. ``volume_edit.VolumeEditor`` puts content in. Nothing comes from a real Windows: folder and
file names are common knowledge, everything else is made up.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import lzma
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.build.volume_edit import VolumeEditor

if TYPE_CHECKING:
    from collections.abc import Iterator

KIB, MIB = 1024, 1024 * 1024
TARGET = Path(__file__).parent.parent / "data" / "base"
TIME = dt.datetime(2019, 12, 7, 9, 14, 52, tzinfo=dt.UTC)

CONFIG = {
    f"Windows/System32/config/{hive}{log}": size
    for hive, sizes in {
        "SOFTWARE": (MIB, 32 * KIB),
        "SYSTEM": (512 * KIB, 32 * KIB),
        "SAM": (16 * KIB, 8 * KIB),
        "SECURITY": (16 * KIB, 8 * KIB),
        "DEFAULT": (64 * KIB, 8 * KIB),
    }.items()
    for log, size in (("", sizes[0]), (".LOG1", sizes[1]), (".LOG2", sizes[1]))
}
COMMON = {
    "$Recycle.Bin/S-1-5-18/": 0,
    "PerfLogs/": 0,
    "Program Files/Citrix/Provisioning Services/BNDevice.exe": 16 * KIB,
    "Program Files/Citrix/Provisioning Services/StatusTray.exe": 8 * KIB,
    "Program Files/Common Files/microsoft shared/ClickToRun/OfficeClickToRun.exe": 8 * KIB,
    "Program Files/Microsoft Office/Office16/OSPP.VBS": 8 * KIB,
    "Program Files/Microsoft Office/Office16/OSPPREARM.EXE": 8 * KIB,
    "Program Files (x86)/Microsoft Office/Office14/OSPPREARM.EXE": 8 * KIB,
    "ProgramData/Microsoft/OfficeSoftwareProtectionPlatform/tokens.dat": 64 * KIB,
    "ProgramData/Microsoft/OfficeSoftwareProtectionPlatform/Cache/cache.dat": 16 * KIB,
    "ProgramData/Microsoft/Windows/Start Menu/desktop.ini": 174,
    "System Volume Information/": 0,
    "Users/Public/Documents/desktop.ini": 278,
    "Users/Jörg Müßig/NTUSER.DAT": 256 * KIB,
    "Users/Jörg Müßig/Documents/Übersicht \u2013 Straße.docx": 12 * KIB,
    "Users/Администратор/Документы/": 0,
    "Users/管理者/ドキュメント/予定表 😀.txt": 5000,
    "Windows/INF/setupapi.dev.log": 12 * KIB,
    "Windows/Panther/unattend.xml": 12 * KIB,
    "Windows/ServiceProfiles/LocalService/NTUSER.DAT": 64 * KIB,
    "Windows/ServiceProfiles/NetworkService/NTUSER.DAT": 64 * KIB,
    "Windows/System32/drivers/bnistack6.sys": 16 * KIB,
    "Windows/System32/drivers/CFsDep2.sys": 8 * KIB,
    "Windows/System32/drivers/CVhdMp.sys": 8 * KIB,
    "Windows/System32/drivers/etc/hosts": 824,
    "Windows/System32/ntoskrnl.exe": 64 * KIB,
    "Windows/System32/oem/": 0,
    "Windows/System32/slmgr.vbs": 8 * KIB,
    "Windows/System32/spp/tokens/pkeyconfig/pkeyconfig.xrm-ms": 16 * KIB,
    "Windows/System32/sysprep/unattend.xml": 12 * KIB,
    "Windows/System32/sysprep/Panther/setupact.log": 8 * KIB,
    "Windows/System32/winevt/Logs/Application.evtx": 68 * KIB,
    "Windows/System32/winevt/Logs/System.evtx": 68 * KIB,
    "Windows/explorer.exe": 16 * KIB,
    "pagefile.sys": 256 * KIB,
    "hiberfil.sys": 64 * KIB,
    "Personality.ini": 4200,
}
ROAMING = "Windows/ServiceProfiles/NetworkService/AppData/Roaming/Microsoft"
TRUSTED = "Windows/System32/7B296FB0-376B-497e-B012-9C450E1B7327-5P-{}.C7483456-A289-439d-8115-601632D005A0"
STORES = {
    "vista": {f"{ROAMING}/SoftwareLicensing/tokens.dat": 64 * KIB},
    "win7": {
        f"{ROAMING}/SoftwareProtectionPlatform/tokens.dat": 64 * KIB,
        f"{ROAMING}/SoftwareProtectionPlatform/cache/cache.dat": 16 * KIB,
        TRUSTED.format(0): 8 * KIB,
        TRUSTED.format(1): 8 * KIB,
    },
    "win8": {
        "Windows/System32/spp/store/tokens.dat": 64 * KIB,
        "Windows/System32/spp/store/data.dat": 32 * KIB,
        "Windows/System32/spp/store/cache/cache.dat": 16 * KIB,
    },
    "win10": {
        "Windows/System32/spp/store/2.0/tokens.dat": 64 * KIB,
        "Windows/System32/spp/store/2.0/data.dat": 32 * KIB,
        "Windows/System32/spp/store/2.0/cache/cache.dat": 16 * KIB,
        "ProgramData/Microsoft/Windows/ClipSVC/tokens.dat": 16 * KIB,
        "Windows/Panther/Unattend/unattend.xml": 12 * KIB,
        "swapfile.sys": 64 * KIB,
    },
}
# What tells the state of an installation: files that a healthy one does not have, and a log of 21 chunks.
STATE = {
    "Windows/WinSxS/pending.xml": 8 * KIB,
    "Windows/System32/sysprep/Sysprep_succeeded.tag": 0,
    "Windows/System32/sysprep/second.xml": 12 * KIB,
    "Windows/System32/winevt/Logs/Application.evtx": (4 + 21 * 64) * KIB,
    "autounattend.xml": 12 * KIB,
    "unattend.xml": 12 * KIB,
}
# What a name from an image can do to a terminal, a log, a build server's annotations, markup and a spreadsheet.
HOSTILE = {
    f"Users/Public/{name}": 5000
    for name in (
        "\x1b[31mred\x1b[0m",
        "bell\x07 and\x9b31m",
        "line\nbreak\r\n::error file=x::planted",
        "##vso[task.setvariable variable=x]planted",
        "<script>alert(1)<",  # "/" cannot be in a name
        "=cmd|' 'calc'!A1",
        "\u202egnp.exe",
        "zero\u200bwidth",
        "noncharacter\uffff",
        "%s%n{0}{{7*7}}",
        "x" * 255,
    )
}


RESERVED = {
    "Boot/BCD": 32 * KIB,
    "Boot/BCD.LOG": 24 * KIB,
    "Boot/memtest.exe": 8 * KIB,
    "System Volume Information/": 0,
    "bootmgr": 64 * KIB,
    "BOOTSECT.BAK": 8 * KIB,
}


FORBIDDEN = {*map(chr, range(32)), *'"*/:<>?\\|'}
DOS_FORM = re.compile(r"[A-Za-z0-9$%'_@~!(){}^#&-]{1,8}(\.[A-Za-z0-9$%'_@~!(){}^#&-]{1,3})?")


class Base(NamedTuple):
    layout: str  # key of STORES; "" for the small partition that Windows boots from
    size: int
    components: int = 0  # folders in WinSxS
    sector: int = 512
    cluster: int = 4096
    extra: dict[str, int] | None = None


BASES = {
    "win7": Base("win7", 46 * MIB, 2500),
    "win10": Base("win10", 46 * MIB, 3000),
    "vista": Base("vista", 30 * MIB, 40),
    "win8": Base("win8", 30 * MIB, 40),
    "hostile": Base("win10", 30 * MIB, 40, extra=HOSTILE),
    "sector4096": Base("win10", 30 * MIB, 40, sector=4096),
    "state": Base("win10", 30 * MIB, 40, extra=STATE),
    "cluster512": Base("win10", 30 * MIB, 40, cluster=512),
    "reserved": Base("", 4 * MIB),
    "cluster65536": Base("win10", 46 * MIB, 40, cluster=65536),
}
_PARTS = "audio-core bits-client capi2 com-base crypto-api devices-sensors directx explorer gdi http-api ime kernel32"
_MORE = "lsa mf-core netapi ntdll ole-auto print-spooler rpc security-spp shell32 tcpip update-agent wmi xml zip-folder"


def components(count: int) -> Iterator[str]:
    """Folder names as in WinSxS: long, alike, ending in a number that looks random."""
    parts = [*_PARTS.split(), *_MORE.split()]
    for index in range(count):
        part = parts[index % len(parts)]
        arch = ("amd64", "wow64", "x86")[index % 3]
        mark = (index * 2654435761) & 0xFFFFFFFF
        yield f"{arch}_microsoft-windows-{part}_31bf3856ad364e35_10.0.{index:05}.1_none_{mark:08x}{index:08x}"


def main() -> None:
    """Make the bases named on the command line, or all."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or BASES:
        make(name, BASES[name])


def make(name: str, base: Base) -> None:
    """Make one base volume and store it compressed."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "volume.raw")
        with image.open("wb") as file:
            file.truncate(base.size)
        label = "System" if base.layout else "System Reserved"
        options = ["-F", "-q", "-Q", "-T", "-L", label, "-s", str(base.sector), "-c", str(base.cluster)]
        # Hidden sectors, heads and sectors per track are those of the partition at 1 MiB that image.py makes.
        geometry = ["-p", str(MIB // base.sector), "-H", "255", "-S", "63"]
        run("mkntfs", *options, *geometry, str(image))
        with mounted(image, Path(folder, "mount")) as root:
            fill(root, base)
        data = bytearray(image.read_bytes())
    editor = VolumeEditor(data)
    set_namespaces(editor)
    editor.set_all_times(TIME)
    editor.set_serial(0x5C3A_77D0_1122_0000 + sum(name.encode()))
    # The delta filter shrinks $UpCase, a table of rising 16-bit numbers, from 80 KiB to next to nothing.
    filters = [{"id": lzma.FILTER_DELTA, "dist": 2}, {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
    packed = lzma.compress(bytes(data), filters=filters)
    target = TARGET / f"{name}.ntfs.xz"
    target.write_bytes(packed)
    print(f"{name}: {len(editor.paths)} names, {len(packed) // 1024} KiB")  # noqa: T201 - a script's output


def set_namespaces(editor: VolumeEditor) -> None:
    """Turn ntfs-3g's POSIX names into what Windows writes: Win32, or both at once for a name of DOS form."""
    for number in editor.paths.values():
        record = editor.record(number)
        for start, _parent, space, name in list(editor.names(record)):
            if space == 0 and not set(name) & FORBIDDEN:
                record[start + 65] = 3 if DOS_FORM.fullmatch(name) else 1
                encoded = name.encode("utf-16-le")
                for block, entry in editor.entries(number, bytes(record[start : start + 8]), encoded):
                    block[entry + 81] = record[start + 65]
        editor.put_record(number, record)


def run(*command: str) -> None:
    """Run a program; its failure ends this script."""
    subprocess.run(command, check=True)


@contextlib.contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """The volume, writable, at ``folder``."""
    folder.mkdir()
    run("ntfs-3g", "-o", "compression,streams_interface=xattr,no_def_opts", str(image), str(folder))
    try:
        yield folder
    finally:
        run("umount", str(folder))
        # ntfs-3g finishes after umount returns; the device is free when it can be locked again.
        run("ntfsfix", "-n", str(image))


def fill(root: Path, base: Base) -> None:
    """Put the tree in."""
    if not base.layout:
        put_files(root, RESERVED)
        return
    files = {**CONFIG, **COMMON, **STORES[base.layout], **(base.extra or {})}
    make_fragmented(root, "Windows/System32/config/SOFTWARE", files.pop("Windows/System32/config/SOFTWARE"))
    put_files(root, files)
    store = root / "Windows" / "WinSxS"
    store.mkdir(exist_ok=True)
    for index, name in enumerate(components(base.components)):
        (store / name).mkdir()
        if index % 50 == 0:
            (store / name / "component.dll").write_bytes(bytes(3 * 4096))
    # A file of System32 is a second link to one in WinSxS.
    os.link(next(store.glob("*/component.dll")), root / "Windows" / "System32" / "component.dll")
    make_special(root)
    for path, short in {
        "Program Files": "PROGRA~1",
        "Program Files (x86)": "PROGRA~2",
        "ProgramData": "PROGRA~3",
        "Program Files/Citrix/Provisioning Services": "PROVIS~1",
    }.items():
        os.setxattr(root / path, "system.ntfs_dos_name", short.encode())
    for path in ("pagefile.sys", "hiberfil.sys", "System Volume Information", "$Recycle.Bin", "ProgramData"):
        set_attributes(root / path, 0x06)  # hidden, system


def put_files(root: Path, files: dict[str, int]) -> None:
    """Files of zeros, and folders."""
    for path, size in files.items():
        target = root / path
        if path.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(bytes(size))


def make_fragmented(root: Path, path: str, size: int) -> None:
    """A file in many runs: written in turns with others that are deleted afterwards."""
    target = root / path
    target.parent.mkdir(parents=True)
    step = max(size // 16, 64 * KIB)
    for number in range(0, size, step):
        with target.open("ab") as file:
            file.write(bytes(step))
        Path(root, f"gap{number}").write_bytes(bytes(64 * KIB))
    for gap in root.glob("gap*"):
        gap.unlink()


def make_special(root: Path) -> None:
    """Files that are not stored plainly, links and loops of links, a second stream."""
    folder = root / "Windows" / "Storage"
    folder.mkdir()
    (folder / "sparse.bin").touch()
    os.truncate(folder / "sparse.bin", 512 * KIB)
    with (folder / "sparse.bin").open("r+b") as file:
        file.seek(256 * KIB)
        file.write(b"island")
    packed = folder / "Packed"
    packed.mkdir()
    set_attributes(packed, 0x800)  # what is made in a compressed folder is compressed
    (packed / "compressed.txt").write_bytes(b"the same line again and again\r\n" * 4096)
    # WOF: the content is in a stream, the unnamed $DATA is a hole; tag 0x80000017, file provider, XPRESS4K.
    wof = folder / "wof.dll"
    wof.touch()
    os.truncate(wof, 128 * KIB)
    os.setxattr(wof, "user.WofCompressedData", bytes(range(256)) * 16)
    reparse = bytes.fromhex("17000080 1000 0000 01000000 02000000 01000000 00000000")
    os.setxattr(wof, "system.ntfs_reparse_data", reparse)
    os.setxattr(root / "Windows" / "explorer.exe", "user.Zone.Identifier", b"[ZoneTransfer]\r\nZoneId=3\r\n")
    # Windows has these junctions, and the second one leads into itself.
    junction(root / "Documents and Settings", "C:\\Users")
    junction(root / "ProgramData" / "Application Data", "C:\\ProgramData")
    symlink(folder / "loop1", "loop2")
    symlink(folder / "loop2", "loop1")
    symlink(folder / "link to explorer.exe", "..\\explorer.exe")


def set_attributes(path: Path, flags: int) -> None:
    """File attributes (hidden, system, compressed ...)."""
    os.setxattr(path, "system.ntfs_attrib_be", flags.to_bytes(4, "big"))


def junction(path: Path, target: str) -> None:
    """A mount point (tag 0xA0000003)."""
    path.mkdir()
    substitute, shown = f"\\??\\{target}".encode("utf-16-le"), target.encode("utf-16-le")
    names = substitute + b"\0\0" + shown + b"\0\0"
    places = [0, len(substitute), len(substitute) + 2, len(shown)]
    set_reparse(path, 0xA0000003, b"".join(n.to_bytes(2, "little") for n in places) + names)


def symlink(path: Path, target: str) -> None:
    """A relative symbolic link (tag 0xA000000C, flag 1)."""
    path.touch()
    name = target.encode("utf-16-le")
    places = [0, len(name), len(name), len(name)]
    head = b"".join(n.to_bytes(2, "little") for n in places) + (1).to_bytes(4, "little")
    set_reparse(path, 0xA000000C, head + name + name)


def set_reparse(path: Path, tag: int, data: bytes) -> None:
    """Reparse data with its header."""
    header = tag.to_bytes(4, "little") + len(data).to_bytes(2, "little") + bytes(2)
    os.setxattr(path, "system.ntfs_reparse_data", header + data)


if __name__ == "__main__":
    main()
