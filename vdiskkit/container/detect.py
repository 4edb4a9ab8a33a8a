"""Which container a file is: told by its content, never guessed. What is no disk is refused and named."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vdiskkit.container.vhd.layout import FOOTER_COOKIE, FOOTER_SIZE, POISON_COOKIE
from vdiskkit.errors import UnknownFormatError, UsageError
from vdiskkit.naming import RAW_EXTENSIONS, parse_vdisk_name

if TYPE_CHECKING:
    from vdiskkit.container.vhdx.header import HeaderChoice
    from vdiskkit.io import ByteSource
    from vdiskkit.location import Location

__all__ = ["FORMATS", "Probe", "choose_format"]

FORMATS = ("vhd", "vhdx", "raw")
_HEAD_SIZE = 4096
_VHDX_SIGNATURE = b"vhdxfile"
_CONVERT = "convert a copy: qemu-img convert -O vpc -o subformat=dynamic,force_size FILE FILE.vhd"
_SAY_RAW = "if it is the plain content of a disk, say so with --format raw (format='raw')"
_FOOTER_SEARCH = 4 * 1024 * 1024
"""Bytes at the end of a file in which a footer is looked for that is not in its place."""
_COPY_AGAIN = "copy the file again from its source and compare the sizes"

# (offset in the head, bytes there, what it is, what to do)
_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"KDMV", "a VMDK image", _CONVERT),
    (0, b"COWD", "a VMDK image", _CONVERT),
    (0, b"# Disk DescriptorFile", "a VMDK descriptor", "name a VHD or VHDX file"),
    (0, b"QFI\xfb", "a QCOW2 image", _CONVERT),
    (0x40, b"\x7f\x10\xda\xbe", "a VirtualBox VDI image", _CONVERT),
    (0, b"EVF\x09\x0d\x0a\xff\x00", "an EnCase (E01) image", "export it as a raw image first"),
    (0, b"MSWIM\0\0\0", "a WIM archive", "name the vDisk that it was applied to"),
    (0, b"regf", "a registry hive", "it is no disk; 'reg ls' and 'reg get' read a bare hive"),
    (0, b"PK\x03\x04", "a ZIP archive", "unpack it first"),
    (0, b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (0, b"\xfd7zXZ\0", "an xz archive", "unpack it first"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"),
    (0, b"Rar!\x1a\x07", "a RAR archive", "unpack it first"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first"),
    (0, b"MZ", "a Windows program", "name a .vhd, .vhdx or .pvp file"),
    (0, b"\x7fELF", "a Linux program", "name a .vhd, .vhdx or .pvp file"),
    (0, b"%PDF-", "a PDF document", "name a .vhd, .vhdx or .pvp file"),
    (3, b"NTFS    ", "an NTFS volume without a container", _SAY_RAW),
)
_ISO_AT = 0x8001
_ISO_SIGNATURE = b"CD001"


class Probe:
    """What says which file it is, read once and used by everything that opens it.

    Attributes:
        source: The file.
        head: Its first bytes.
        tail: Its last bytes; empty for a VHDX, which needs none.
    """

    __slots__ = ("_vhdx_headers", "head", "source", "tail")

    def __init__(self, source: ByteSource, head: bytes, tail: bytes) -> None:
        self.source = source
        self.head = head
        self.tail = tail
        self._vhdx_headers: HeaderChoice | None = None

    @classmethod
    def of(cls, source: ByteSource) -> Probe:
        """Read head and tail: two calls, and only the head of a VHDX, which ends with nothing of its own.

        Raises:
            SourceError: The operating system could not read.
        """
        size = source.size
        head = source.read_at(0, min(size, _HEAD_SIZE))
        if head.startswith(_VHDX_SIGNATURE):
            return cls(source, head, b"")
        if size <= len(head):
            return cls(source, head, head[-FOOTER_SIZE:])
        return cls(source, head, source.read_at(size - FOOTER_SIZE, FOOTER_SIZE))

    @property
    def location(self) -> Location:
        """The address of byte 0."""
        return self.source.location

    def read_at(self, offset: int, length: int) -> bytes:
        """Read, from the head where that suffices; see :class:`~vdiskkit.io.ByteSource`."""
        if offset >= 0 and offset + length <= len(self.head):
            return self.head[offset : offset + length]
        return self.source.read_at(offset, length)

    @property
    def footer_at_end(self) -> tuple[int, bytes] | None:
        """Offset and 512 bytes of what stands where a VHD footer belongs; None when no cookie is there.

        Tools older than Virtual PC 2004 wrote 511 bytes; the missing last one counts as zero.
        """
        size = self.source.size
        if self.tail[:8] in (FOOTER_COOKIE, POISON_COOKIE) and len(self.tail) == FOOTER_SIZE:
            return size - FOOTER_SIZE, self.tail
        short = self.tail[-(FOOTER_SIZE - 1) :]
        if size % FOOTER_SIZE == FOOTER_SIZE - 1 and short[:8] in (FOOTER_COOKIE, POISON_COOKIE):
            return size - len(short), short + b"\0"
        return None

    @property
    def footer_at_start(self) -> bytes | None:
        """The 512 bytes at the start when they look like the copy of a footer."""
        copy = self.head[:FOOTER_SIZE]
        return copy if copy[:8] in (FOOTER_COOKIE, POISON_COOKIE) and len(copy) == FOOTER_SIZE else None

    @property
    def is_vhd(self) -> bool:
        """Whether a footer or its copy is in its place, damaged or not."""
        return self.footer_at_end is not None or self.footer_at_start is not None

    @property
    def is_vhdx(self) -> bool:
        """Whether the file begins with the VHDX file type identifier."""
        return self.head.startswith(_VHDX_SIGNATURE)

    def vhdx_headers(self) -> HeaderChoice:
        """Return the current header of a VHDX.

        Raises:
            FormatError: Neither can be used, or both claim to be current and differ.
            SourceError: The operating system could not read.
        """
        if self._vhdx_headers is None:
            from vdiskkit.container.vhdx.header import read_headers

            self._vhdx_headers = read_headers(self.source)
        return self._vhdx_headers


def choose_format(probe: Probe, path: str | None, asked: str | None) -> str:
    """Return ``vhd``, ``vhdx`` or ``raw``.

    Args:
        probe: Head and tail of the file.
        path: The file's name, whose extension may say that it is raw.
        asked: What the user said, None to let the content decide.

    Raises:
        UnknownFormatError: The content is no known disk, or not the one that was asked for.
        UsageError: ``asked`` is no format.
    """
    if asked is not None and asked not in FORMATS:
        raise UsageError(f"unknown format {asked!r}", hint=f"known are {', '.join(FORMATS)}")
    if asked == "raw":
        return "raw"
    found = "vhdx" if probe.is_vhdx else "vhd" if probe.is_vhd else None
    if found is not None and asked in (None, found):
        return found
    if found is not None:
        raise UnknownFormatError(
            f"this is no {(asked or '').upper()} file: its content is {found.upper()}",
            location=probe.location,
            hint=f"leave out the format or say {found}",
        )
    if asked is None and _extension(path) in RAW_EXTENSIONS and probe.source.size:
        return "raw"
    raise _unknown(probe, path, asked or ("vhdx" if _is_vhdx_name(path) else "vhd"))


def _extension(path: str | None) -> str:
    return os.path.splitext(path or "")[1][1:].lower()  # noqa: PTH122 - a UNC path is only text here


def _unknown(probe: Probe, path: str | None, wanted: str) -> UnknownFormatError:
    what, hint = _looks_like(probe, path)
    return UnknownFormatError(f"this is no {wanted.upper()} file: {what}", location=probe.location, hint=hint)


def _looks_like(probe: Probe, path: str | None) -> tuple[str, str]:
    head = probe.head
    if not head:
        return "the file is empty", _COPY_AGAIN
    for offset, signature, name, hint in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            if hint is _SAY_RAW and _is_disk_name(path):
                break
            return f"it looks like {name}", hint
    if not head.strip(b"\0") and not probe.tail.strip(b"\0"):
        return _looks_like_zeros(probe)
    if head[510:512] == b"\x55\xaa" or head[512:520] == b"EFI PART":
        if _is_disk_name(path) and not _is_vhdx_name(path):
            return _behind_footer(probe) or (
                "it begins like a disk, but the footer at the end of the file is missing",
                f"the file may have been cut: {_COPY_AGAIN}; {_SAY_RAW}",
            )
        return "it looks like a raw disk image", _SAY_RAW
    if _extension(path) == "pvp":
        return "it is the properties file of a vDisk", "name the disk file itself"
    if _is_text(head):
        return "it looks like a text file", "name a .vhd, .vhdx or .pvp file"
    if _is_vhdx_name(path):
        return "it does not begin as one does", f"the file is damaged or encrypted: {_COPY_AGAIN}"
    if _is_disk_name(path):
        return (
            "neither its end nor its start has a VHD footer",
            f"the file is damaged, cut or encrypted: {_COPY_AGAIN}",
        )
    return "its content is not known", f"name a .vhd, .vhdx or .pvp file; {_SAY_RAW}"


def _behind_footer(probe: Probe) -> tuple[str, str] | None:
    """What to say of a fixed VHD whose file goes on behind its footer; None when no footer is near the end."""
    size = probe.source.size
    start = max(size - _FOOTER_SEARCH, 0) // FOOTER_SIZE * FOOTER_SIZE
    tail = probe.source.read_at(start, size - start)
    at = len(tail) // FOOTER_SIZE * FOOTER_SIZE
    while at >= 0:
        if tail[at : at + 8] == FOOTER_COOKIE and len(tail) - at >= FOOTER_SIZE:
            break
        at -= FOOTER_SIZE
    else:
        return None
    footer, rest = start + at, tail[at + FOOTER_SIZE :]
    what = "zeros" if not any(rest) else "bytes that are none of its own"
    return (
        f"its footer lies at {footer:#x}, and {len(rest)} {what} follow, where the file should end",
        (
            "nothing is cut off: the file is longer than its disk, as storage that rounds sizes up leaves it. Copy its "
            f"first {footer + FOOTER_SIZE} bytes into a new file"
        ),
    )


def _looks_like_zeros(probe: Probe) -> tuple[str, str]:
    # An ISO image begins with zeros too.
    end = _ISO_AT + len(_ISO_SIGNATURE)
    if probe.source.size >= end and probe.source.read_at(_ISO_AT, len(_ISO_SIGNATURE)) == _ISO_SIGNATURE:
        return "it looks like an ISO image", "name a .vhd, .vhdx or .pvp file"
    return "it begins and ends with zeros only", f"a copy that failed leaves such files; {_COPY_AGAIN}"


def _is_disk_name(path: str | None) -> bool:
    return path is not None and parse_vdisk_name(path.replace("\\", "/").rpartition("/")[2]) is not None


def _is_vhdx_name(path: str | None) -> bool:
    return _is_disk_name(path) and _extension(path).endswith("x")


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    # A character may be cut at the end of what was read.
    text = head.decode("utf-8", "replace").rstrip("\ufffd")
    return all(char.isprintable() or char in "\t\r\n\f\ufeff" for char in text)
