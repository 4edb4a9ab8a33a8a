"""Make the NTFS volumes in ``tests/data/ntfs``: small real volumes whose shapes are hard to read right.

Needs root, mkntfs and ntfs-3g; run once when the shapes change and commit the result::

    python tests/data/make_ntfs_volumes.py [NAME ...]

Beside each volume stands a ``.json`` with what ntfs-3g itself read from it: path -> [size, start of SHA-256], so that
the unit tests have a judge without any program installed. Faults are patched in by the tests, not here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import lzma
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KIB, MIB = 1024, 1024 * 1024
TARGET = Path(__file__).parent / "ntfs"
BULK = ("many", "thinned", "aliases", "mixed")  # folders of generated files: only their number is noted


def text(seed: str, size: int) -> bytes:
    """Compressible content that differs in every line."""
    lines = "".join(f"{seed} line {number}\n" for number in range(size // (len(seed) + 8) + 1))
    return lines.encode()[:size]


def noise(seed: int, size: int) -> bytes:
    """Incompressible content."""
    return random.Random(seed).randbytes(size)  # noqa: S311 - wanted: the same bytes every time


def link_data(target: str, *, tag: int, relative: bool = False) -> bytes:
    """A reparse buffer of a symbolic link or junction."""
    raw = target.encode("utf-16-le")
    names = struct.pack("<HHHH", 0, len(raw), len(raw) + 2, len(raw))
    if tag == 0xA000000C:
        names += struct.pack("<I", int(relative))
    data = names + raw + b"\0\0" + raw + b"\0\0"
    return struct.pack("<IHH", tag, len(data), 0) + data


def set_reparse(path: Path, data: bytes) -> None:
    os.setxattr(path, "system.ntfs_reparse_data", data)


def basic(root: Path) -> None:
    """Names, links, streams, storage forms."""
    config = root / "Windows" / "System32" / "config"
    config.mkdir(parents=True)
    (config / "SOFTWARE").write_bytes(text("software", 300 * KIB))
    (config / "SYSTEM").write_bytes(noise(1, 9 * KIB + 5))
    (root / "empty.txt").touch()
    (root / "resident.txt").write_bytes(b"short content stays in the record")
    (root / "one cluster.bin").write_bytes(noise(2, 4096))
    for name in (
        "Straße",
        "STRASSE",
        "µ-micro",
        "ısız",
        "ſtreet",
        "Ünïcödé",
        "日本語",
        "emoji😀",
        "éclair",
        "Ωmega",
        "zz\u00ff",
    ):
        (root / "names" / name).parent.mkdir(exist_ok=True)
        (root / "names" / name).write_bytes(name.encode())
    (root / "names" / "readme").write_bytes(b"lower")
    (root / "names" / "README").write_bytes(b"upper")  # the POSIX namespace lets both be

    (root / "links").mkdir()
    (root / "links" / "original.txt").write_bytes(text("original", 9000))
    os.link(root / "links" / "original.txt", root / "links" / "second.txt")
    os.link(root / "links" / "original.txt", root / "Windows" / "third.txt")

    (root / "streams").mkdir()
    (root / "streams" / "host.txt").write_bytes(b"the content itself")
    os.setxattr(root / "streams" / "host.txt", "user.Zone.Identifier", b"[ZoneTransfer]\r\nZoneId=3\r\n")
    os.setxattr(root / "streams" / "host.txt", "user.large", text("stream", 20 * KIB))
    os.setxattr(root / "streams", "user.folder note", b"a stream of a directory")

    with (root / "sparse.bin").open("wb") as file:
        file.write(noise(4, 5000))
        file.seek(900 * KIB)
        file.write(noise(5, 7000))
        file.truncate(2 * MIB + 3)

    packed = root / "packed"
    packed.mkdir()
    os.setxattr(packed, "system.ntfs_attrib", struct.pack("<I", 0x810))
    (packed / "text.log").write_bytes(text("log", 200 * KIB + 77))
    (packed / "noise.bin").write_bytes(noise(6, 70 * KIB))
    (packed / "mixed.bin").write_bytes(text("mixed", 70 * KIB) + noise(6, 70 * KIB) + bytes(130 * KIB) + b"end")
    (packed / "zeros.bin").write_bytes(bytes(100 * KIB))
    (packed / "tail.txt").write_bytes(text("tail", 64 * KIB) + b"x")

    short = root / "A Long Name.configuration"
    short.write_bytes(b"has a short name")
    os.setxattr(short, "system.ntfs_dos_name", b"ALONGN~1.CON")
    folder = root / "Program Files"
    folder.mkdir()
    (folder / "inside.txt").write_bytes(b"inside")
    os.setxattr(folder, "system.ntfs_dos_name", b"PROGRA~1")
    links(root)
    (root / "will be wof.dll").write_bytes(text("wof", 30 * KIB))
    (root / "plain.bin").write_bytes(text("plain", 40 * KIB))


def links(root: Path) -> None:
    """Symbolic links and junctions, healthy and not."""
    symlink, junction = 0xA000000C, 0xA0000003
    folder = root / "jumps"
    folder.mkdir()
    for name, target, tag, relative in (
        ("relative file", "..\\links\\original.txt", symlink, True),
        ("absolute file", "\\??\\C:\\Windows\\third.txt", symlink, False),
        ("rooted file", "\\resident.txt", symlink, True),
        ("loop a", "loop b", symlink, True),
        ("loop b", "loop a", symlink, True),
        ("dangling", "nowhere.txt", symlink, True),
        ("other drive", "\\??\\D:\\data.txt", symlink, False),
        ("share", "\\??\\UNC\\server\\share\\x.txt", symlink, False),
    ):
        (folder / name).touch()
        set_reparse(folder / name, link_data(target, tag=tag, relative=relative))
    for name, target in (
        ("to config", "\\??\\C:\\Windows\\System32\\config"),
        ("itself", "\\??\\C:\\jumps\\itself"),
        ("volume", "\\??\\Volume{00000000-0000-0000-0000-000000000000}\\"),
    ):
        (folder / name).mkdir()
        set_reparse(folder / name, link_data(target, tag=junction))
    (folder / "relative folder").mkdir()
    set_reparse(folder / "relative folder", link_data("..\\Windows", tag=symlink, relative=True))


def directory(root: Path) -> None:
    """An index of several levels, and one whose blocks have mostly been freed."""
    for name, count in (("many", 3000), ("thinned", 1500)):
        (root / name).mkdir()
        for number in range(count):
            (root / name / f"{name} entry number {number:05}").touch()
    for number in range(3, 1500):
        (root / "thinned" / f"thinned entry number {number:05}").unlink()


def fragmented(root: Path) -> None:
    """A file of so many runs that its record needs an attribute list: two files grow in turn."""
    content = text("scattered", 500 * KIB + 3)
    with (
        (root / "scattered.bin").open("wb", buffering=0) as file,
        (root / "other.bin").open("wb", buffering=0) as other,
    ):
        for offset in range(0, len(content), 1024):
            file.write(content[offset : offset + 1024])
            os.fsync(file)
            other.write(content[offset : offset + 1024])
            os.fsync(other)
    (root / "other.bin").unlink()


def large_records(root: Path) -> None:
    """4096-byte sectors and MFT records."""
    (root / "Windows" / "System32").mkdir(parents=True)
    (root / "Windows" / "System32" / "kernel.bin").write_bytes(text("kernel", 50 * KIB))
    (root / "resident.txt").write_bytes(text("resident", 2500))
    (root / "hiberfil.sys").write_bytes(bytes(16 * KIB))
    (root / "many").mkdir()
    for number in range(150):
        (root / "many" / f"many entry number {number:05}").touch()


def large_clusters(root: Path) -> None:
    """Clusters larger than an index block: subnodes count in units of 512 bytes."""
    (root / "many").mkdir()
    for number in range(400):
        (root / "many" / f"many entry number {number:05}").touch()
    (root / "file.bin").write_bytes(text("file", 200 * KIB))


def edits(root: Path) -> None:
    """What is hard to delete: names in extension records, object ids, short keys above long ones in an index."""
    (root / "aliases").mkdir()
    (root / "ids").mkdir()
    (root / "ids" / "linked").write_bytes(text("linked", 9000))
    for number in range(60):
        os.link(root / "ids" / "linked", root / "aliases" / f"one of many names of the same file, number {number:03}")
    for number in range(3):
        (root / "ids" / f"with id {number}").write_bytes(b"id")
        os.setxattr(root / "ids" / f"with id {number}", "system.ntfs_object_id", bytes([number + 1]) * 16)
    (root / "mixed").mkdir()
    numbers = list(range(260))
    random.Random(8).shuffle(numbers)  # noqa: S311 - wanted: the same order every time
    for number in numbers:
        tail = "" if number % 5 == 2 else " with a tail that makes the key as long as keys can become" * 3
        (root / "mixed" / f"{number:03}{tail}").touch()


VOLUMES: dict[str, tuple[Callable[[Path], None], int, list[str]]] = {
    "basic": (basic, 16 * MIB, ["-L", "Basic ä"]),
    "directory": (directory, 16 * MIB, ["-L", "Directory"]),
    "fragmented": (fragmented, 5 * MIB, ["-c", "1024", "-L", "Fragmented"]),
    "records4096": (large_records, 16 * MIB, ["-s", "4096", "-c", "4096", "-L", "Records"]),
    "edits": (edits, 8 * MIB, ["-L", "Edits"]),
    "clusters65536": (large_clusters, 32 * MIB, ["-c", "65536", "-L", "Clusters"]),
}


@contextlib.contextmanager
def mounted(image: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        options = "compression,streams_interface=xattr"
        subprocess.run(["ntfs-3g", str(image), folder, "-o", options], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def noted(root: Path) -> dict[str, object]:
    """What ntfs-3g reads: files with size and hash, folders of generated files with their number."""
    found: dict[str, object] = {}
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        relative = here.relative_to(root).as_posix()
        if relative in BULK:
            found[relative] = len(files)
            folders.clear()
            continue
        for name in files:
            path = here / name
            if path.is_symlink() or relative == "jumps":
                continue
            data = path.read_bytes()
            found[path.relative_to(root).as_posix()] = [len(data), hashlib.sha256(data).hexdigest()[:32]]
    return dict(sorted(found.items()))


def make(name: str) -> None:
    fill, size, options = VOLUMES[name]
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "volume"
        with image.open("wb") as file:
            file.truncate(size)
        subprocess.run(["mkntfs", "-F", "-q", "-p", "2048", "-H", "255", "-S", "63", *options, str(image)], check=True)
        with mounted(image) as root:
            fill(root)
        with mounted(image) as root:
            facts = noted(root)
        # $UpCase is a table of rising numbers; told as differences it takes next to nothing.
        filters = [{"id": lzma.FILTER_DELTA, "dist": 1}, {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
        packed = lzma.compress(image.read_bytes(), filters=filters)
    TARGET.mkdir(exist_ok=True)
    (TARGET / f"{name}.ntfs.xz").write_bytes(packed)
    (TARGET / f"{name}.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{name}: {len(packed)} bytes, {len(facts)} entries")  # noqa: T201 - a script


if __name__ == "__main__":
    for chosen in sys.argv[1:] or VOLUMES:
        make(chosen)
