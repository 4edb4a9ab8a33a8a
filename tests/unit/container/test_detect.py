"""Which container a file is, and what is said of files that are none."""

from __future__ import annotations

import io
import zipfile

import pytest

from tests.build.vhd import MIB, build_vhd
from tests.build.vhdx import build_vhdx
from vdiskkit.container import open_container
from vdiskkit.errors import UnknownFormatError, UsageError
from vdiskkit.io import BytesSource
from vdiskkit.location import Location

MBR = bytes(510) + b"\x55\xaa"


def source(data: bytes, name: str = "file") -> BytesSource:
    return BytesSource(data, Location(name))


def zip_bytes() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("disk.vhd", b"x" * 1000)
    return target.getvalue()


LOOKS = [
    ("disk.vhd", b"", "the file is empty", "copy the file again"),
    ("disk.vhd", b"hello world\r\n", "it looks like a text file", "name a .vhd"),
    ("disk.vhd", "Grüße ".encode() * 1000, "it looks like a text file", "name a .vhd"),
    ("disk.vhd", "\ufeffGrüße".encode("utf-16-le"), "it looks like a text file", "name a .vhd"),
    ("disk.vhd", zip_bytes(), "it looks like a ZIP archive", "unpack"),
    ("disk.vhd", b"\x1f\x8b\x08" + bytes(600), "it looks like a gzip archive", "unpack"),
    ("disk.vhd", b"KDMV" + bytes(600), "it looks like a VMDK image", "qemu-img convert"),
    ("disk.vmdk", b"# Disk DescriptorFile\nversion=1\n", "it looks like a VMDK descriptor", "name a VHD"),
    ("disk.qcow2", b"QFI\xfb" + bytes(600), "it looks like a QCOW2 image", "qemu-img convert"),
    ("disk.vdi", b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + b"\x7f\x10\xda\xbe" + bytes(600),
     "it looks like a VirtualBox VDI image", "qemu-img convert"),
    ("disk.iso", bytes(0x8001) + b"CD001" + bytes(5000), "it looks like an ISO image", "name a .vhd"),
    ("disk.vhd", bytes(100_000), "it begins and ends with zeros only", "copy the file again"),
    ("disk.vhd", bytes(20), "it begins and ends with zeros only", "copy the file again"),
    ("SOFTWARE", b"regf" + bytes(8000), "it looks like a registry hive", "bare hive"),
    ("disk", MBR + bytes(5000), "it looks like a raw disk image", "--format raw"),
    ("disk", bytes(512) + b"EFI PART" + bytes(5000), "it looks like a raw disk image", "--format raw"),
    ("disk.vhd", MBR + bytes(5000), "the footer at the end of the file is missing", "copy the file again"),
    (
        "disk.vhd",
        MBR + bytes(4096) + b"conectix".ljust(512, b"\0") + bytes(3 * 512),
        "its footer lies at 0x1200, and 1536 zeros follow, where the file should end",
        "Copy its first 5120 bytes into a new file",
    ),
    ("a.1.avhd", MBR + bytes(5000), "the footer at the end of the file is missing", "copy the file again"),
    ("disk", b"\xeb\x52\x90NTFS    " + bytes(499) + b"\x55\xaa", "an NTFS volume without a container", "--format raw"),
    ("disk.vhd", b"\xeb\x52\x90NTFS    " + bytes(499) + b"\x55\xaa", "the footer at the end", "copy the file again"),
    ("name.pvp", b"\1\2\3\4" * 1200, "it is the properties file of a vDisk", "name the disk"),
    ("disk.vhd", b"\x91\x02" * 3000, "neither its end nor its start has a VHD footer", "copy the file again"),
    ("blob", b"\x91\x02" * 3000, "its content is not known", "--format raw"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "what", "hint"), LOOKS)
def test_no_disk(name: str, data: bytes, what: str, hint: str) -> None:
    with pytest.raises(UnknownFormatError) as caught:
        open_container(source(data, name), path=name)
    assert caught.value.message.startswith("this is no VHD file: ")
    assert what in caught.value.message
    assert hint in (caught.value.hint or "")
    assert caught.value.exit_code == 3


def test_vhdx_is_known_by_its_content() -> None:
    image = build_vhdx("dynamic", MIB, content={0: b"x"})
    for path, kind in (("disk.vhd", None), ("disk.bin", None), (None, "vhdx")):
        assert open_container(image, path=path, format=kind).format == "vhdx"


@pytest.mark.parametrize("content", [b"?" * 4000, b"\x91\x02" * 3000, MBR + bytes(1000), b"MZ" + bytes(1000)])
def test_a_vhdx_by_name_only(content: bytes) -> None:
    with pytest.raises(UnknownFormatError, match="this is no VHDX file: ") as caught:
        open_container(source(content), path="disk.1.avhdx")
    assert caught.value.exit_code == 3
    assert caught.value.hint


@pytest.mark.parametrize("name", ["disk.raw", "disk.IMG", r"\\server\share\disk.dd"])
def test_raw_by_extension(name: str) -> None:
    data = MBR + bytes(100 * 512)
    disk = open_container(source(data), path=name)
    assert (disk.format, disk.subformat, disk.size, disk.sector_size) == ("raw", "fixed", len(data), 512)
    assert (disk.block_size, disk.unique_id, disk.parent, disk.notices) == (None, "", None, ())
    assert disk.read_at(500, 20) == data[500:520]


def test_raw_when_asked_for() -> None:
    disk = open_container(source(MBR * 3), path="disk.vhd", format="raw")
    assert disk.format == "raw"
    assert disk.facts().to_dict()["format"] == "raw"


def test_raw_is_never_guessed() -> None:
    with pytest.raises(UnknownFormatError):
        open_container(source(MBR * 3), path=None)


def test_content_wins_over_a_raw_extension() -> None:
    assert open_container(source(build_vhd("fixed", MIB)), path="disk.img").format == "vhd"


def test_a_vhd_taken_as_raw_is_said() -> None:
    data = build_vhd("dynamic", MIB)
    disk = open_container(source(data), path="disk.vhd", format="raw")
    assert disk.size == len(data)
    assert [notice.code for notice in disk.notices] == ["raw.other_format"]


def test_an_odd_length_is_said() -> None:
    disk = open_container(source(MBR + b"x"), path="disk.raw")
    assert [notice.code for notice in disk.notices] == ["raw.size_unaligned"]
    assert disk.read_at(510, 3) == b"\x55\xaax"


@pytest.mark.parametrize(("path", "kind"), [("disk.raw", "raw"), ("disk.vhd", "raw")])
def test_less_than_a_sector_is_no_raw_disk(path: str, kind: str) -> None:
    with pytest.raises(UnknownFormatError, match="less than one sector"):
        open_container(source(b"x" * 100), path=path, format=kind)


def test_an_empty_raw_file() -> None:
    with pytest.raises(UnknownFormatError, match="the file is empty"):
        open_container(source(b""), path="disk.raw")


def test_another_format_than_asked_for() -> None:
    with pytest.raises(UnknownFormatError, match="this is no VHDX file: its content is VHD"):
        open_container(source(build_vhd("fixed", MIB)), path=None, format="vhdx")
    with pytest.raises(UnknownFormatError, match="this is no VHD file: its content is VHDX"):
        open_container(source(b"vhdxfile" + bytes(5000)), path=None, format="vhd")
    with pytest.raises(UnknownFormatError, match="this is no VHDX file: it looks like a text file"):
        open_container(source(b"hello"), path=None, format="vhdx")


def test_an_unknown_format() -> None:
    with pytest.raises(UsageError, match="unknown format 'qcow2'") as caught:
        open_container(source(b"x"), path=None, format="qcow2")
    assert caught.value.exit_code == 2


def test_reads_of_opening_are_few_and_small() -> None:
    """Head, tail and table: whatever the size of the disk."""
    calls: list[int] = []

    class Counting(BytesSource):
        def read_at(self, offset: int, length: int) -> bytes:
            calls.append(length)
            return super().read_at(offset, length)

    disk = open_container(Counting(build_vhd("dynamic", 4096 * MIB, content={0: b"x"})), path=None)
    assert calls == [4096, 512, 2048 * 4]
    disk.read_at(0, 10)
    assert calls[3:] == [10]
