"""Disks that would make a trusting reader go round for ever: each ends, soon, and by an error or a notice of its own.

What is read is counted in all files that are opened. The last tests show the guard itself at work: images whose every
structure is sound by itself, and that still make a reader read the same bytes again and again.
"""

from __future__ import annotations

import itertools
import struct
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import vdiskkit
from benchmarks.counting import counted_opens
from tests.build.hive_log import new_format, rehashed
from tests.build.pair import write_pair
from tests.build.scenario import windows_disk
from tests.build.vhd import ParentLink, build_vhd
from tests.build.vhdx import BAT_REGION, LOG_GUID, LOG_OFFSET, MIB, PAGE, Image, build_vhdx, link_to
from tests.build.windows import software_hive
from tests.unit.ntfs.test_index import end_subnode, inner
from tests.unit.ntfs.test_mft import SCATTERED, entries
from tests.unit.ntfs.volumes import editor, patch_block
from vdiskkit.cli.run import run as run_command_line
from vdiskkit.cli.session import Session

if TYPE_CHECKING:
    from tests.build.hive import HiveBuilder
    from tests.build.volume_edit import VolumeEditor

ROOT = Path(__file__).parents[2]
MOST_BYTES = 32 * MIB
MOST_CALLS = 20_000
SERVICE = r"Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"


class Outcome(NamedTuple):
    """How a command ended."""

    code: int
    text: str


def ended(capsys: pytest.CaptureFixture[str], *args: object) -> Outcome:
    """Run a command that must end within what an image that is no trap could need."""
    with counted_opens() as files:
        code = run_command_line([str(arg) for arg in args], Session())
    captured = capsys.readouterr()
    reads = [read for file in files for read in file.reads]
    assert len(reads) <= MOST_CALLS
    assert sum(length for _at, length in reads) <= MOST_BYTES
    return Outcome(code, captured.out + captured.err)


def refused(capsys: pytest.CaptureFixture[str], path: Path, message: str) -> None:
    """Reading and changing commands say the same."""
    for command in (("inspect",), ("kms-prep", "--dry-run", "--skip-rearm", "0")):
        outcome = ended(capsys, command[0], path, *command[1:])
        assert outcome.code in (3, 5), outcome
        assert message in " ".join(outcome.text.split()), outcome


# containers


def test_a_chain_of_vhds_in_a_circle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = b"1" * 16, b"2" * 16
    for own, other, name, parent in ((one, two, "a.1.avhd", "a.2.avhd"), (two, one, "a.2.avhd", "a.1.avhd")):
        link = ParentLink(other, parent, ((b"W2ru", f".\\{parent}"),))
        (tmp_path / name).write_bytes(build_vhd("differencing", 4 * MIB, parent=link, unique_id=own))
    refused(capsys, tmp_path / "a.1.avhd", "the chain of parents is a loop")


def test_a_chain_of_vhdx_files_in_a_circle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [uuid.UUID(int=number + 1) for number in range(3)]
    for number in range(3):
        following = (number + 1) % 3
        texts = link_to(ids[following], f"a.{following}.avhdx")
        image = build_vhdx("differencing", 4 * MIB, parent=texts, data_write=ids[number])
        image.save(tmp_path / f"a.{number}.avhdx")
    refused(capsys, tmp_path / "a.0.avhdx", "the chain of parents is a loop")


def test_a_vhd_whose_blocks_are_all_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(build_vhd("dynamic", 2040 << 30, content={0: b"x" * 512}))
    count = (2040 << 30) // (2 * MIB)
    (first,) = struct.unpack_from(">I", data, 1536)
    data[1536 : 1536 + 4 * count] = struct.pack(">I", first) * count
    path = tmp_path / "disk.vhd"
    path.write_bytes(data)
    refused(capsys, path, "no room for all the blocks")


@pytest.mark.parametrize(("size", "message"), [(6 * MIB, "lies on the last block (5)"), (1 << 40, "has no room for")])
def test_a_vhdx_whose_blocks_are_all_one(
    tmp_path: Path, size: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    image = build_vhdx("dynamic", size, content={0: b"x"})
    blocks = size // MIB
    image.write(image.region(BAT_REGION), struct.pack("<Q", image.entry(0)) * (blocks + (blocks - 1) // 4096))
    refused(capsys, image.save(tmp_path / "disk.vhdx"), message)


def test_a_log_of_entries_without_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = logged_with(0).save(tmp_path / "disk.vhdx")
    refused(capsys, path, "there is no valid sequence of entries in the log")


@pytest.mark.parametrize("length", [2 * PAGE, 4 * MIB])
def test_a_log_whose_entries_lie_on_each_other(tmp_path: Path, length: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Each begins inside others. With two sectors each it could be a log of two rounds, but no checksum fits."""
    message = "there is no valid sequence" if length == 2 * PAGE else "its 1024 entries lie on each other"
    refused(capsys, logged_with(length).save(tmp_path / "disk.vhdx"), message)


def logged_with(length: int) -> Image:
    """A disk with a log of 32 MiB in which every sector begins an entry of a length, each naming another as oldest."""
    count = 4 * MIB // PAGE
    image = build_vhdx("dynamic", 4 * MIB, content={0: b"x"}, log_length=4 * MIB)
    image.write(LOG_OFFSET, b"".join(
        struct.pack("<4sIIIQII16sQQ", b"loge", 0, length, PAGE * (number * 7 % count), number + 1, 0, 0,
                    LOG_GUID.bytes_le, 0, 0).ljust(PAGE, b"\0")
        for number in range(count)
    ))  # fmt: skip
    image.set_header(log_guid=LOG_GUID)
    return image


# NTFS


def saved(volume: VolumeEditor, tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(volume.data)
    return path


def test_an_index_with_a_block_below_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    volume = editor("directory")
    place, vcn = inner(volume)
    patch_block(volume, place, lambda block: end_subnode(block, vcn))
    path = saved(volume, tmp_path)
    outcome = ended(capsys, "ls", path, "many")
    assert "twice" in outcome.text
    assert ended(capsys, "inspect", path).code == 0
    assert ended(capsys, "cat", path, "many\\zzzz").code in (1, 3, 5)


def test_attribute_lists_in_a_circle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The list names itself; the list says that all parts are in the record that has the list."""
    volume = editor("fragmented")
    own = volume.number(SCATTERED)
    for place, _kind, _vcn, number in entries(volume):
        if number != own:
            struct.pack_into("<Q", volume.data, place + 16, own | 1 << 48)
    assert ended(capsys, "cat", saved(volume, tmp_path), SCATTERED, "--output", tmp_path / "out").code == 3
    volume = editor("fragmented")
    struct.pack_into("<I", volume.data, entries(volume)[-1][0], 0x20)
    outcome = ended(capsys, "cat", saved(volume, tmp_path), SCATTERED, "--output", tmp_path / "out")
    assert outcome.code == 3
    assert "names itself" in outcome.text


# registry


def hive_disk(tmp_path: Path, fault: str, key: str, **arguments: object) -> Path:
    def edit(builder: HiveBuilder) -> None:
        if fault == "ri-self":
            builder.key(key, lists="ri-nested")
        builder.fault(fault, key, **arguments)  # type: ignore[arg-type] # what the fault takes

    return write_pair(tmp_path, "disk", windows_disk("win10", software={"edit": edit}), pvp={})


@pytest.mark.parametrize("ancestor", ["", "Microsoft"])
def test_a_key_that_is_below_itself(tmp_path: Path, ancestor: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = hive_disk(tmp_path, "subkey-is-ancestor", r"Microsoft\Windows NT\CurrentVersion", argument=ancestor)
    assert ended(capsys, "inspect", path, "--readiness").code == 0
    assert ended(capsys, "validate", path).code in (0, 1, 2)
    for command in (("reg", "ls", path, r"HKLM\SOFTWARE", "--depth", "99"), ("reg", "export", path, r"HKLM\SOFTWARE")):
        outcome = ended(capsys, *command)
        assert outcome.code != 0
        assert "is listed in two places" in outcome.text


@pytest.mark.parametrize("size", [0, 512])
def test_hive_logs_of_entries_without_end(tmp_path: Path, size: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Entries of no size, and of no pages; their hashes are right."""
    states = [software_hive("win10", skip_rearm=number) for number in (0, 1)]
    dirty = new_format(states)
    (sequence,) = struct.unpack_from("<I", dirty.log1, 4)
    entries = [
        rehashed(struct.pack("<4sIIIIIQQ", b"HvLE", size, 0, sequence + number, 1 << 20, 0, 0, 0).ljust(512, b"\0"))
        for number in range(60)
    ]
    log = dirty.log1[:512] + b"".join(entries)

    def edit_hive(name: str, data: bytes) -> bytes:
        return dirty.primary if name == "SOFTWARE" else data

    config = "Windows/System32/config"
    raw = windows_disk("win10", edit_hive=edit_hive, files={f"{config}/SOFTWARE.LOG1": log})
    path = write_pair(tmp_path, "disk", raw, pvp={})
    assert ended(capsys, "inspect", path).code == 0
    outcome = ended(capsys, "reg", "get", path, rf"HKLM\SOFTWARE\{SERVICE}", "SkipRearm")
    assert outcome.code in (0, 1)
    assert "stale" in outcome.text or "log" in outcome.text


# the guard


def cross_linked(name: str, length: int) -> VolumeEditor:
    """A volume with one file of at least so many bytes, whose runs are all the whole volume."""
    volume = editor("records4096")
    number = volume.number(name)
    record = volume.record(number)
    attribute = volume.find(record, 0x80)
    assert not attribute.resident
    sector, sectors_in_cluster = struct.unpack_from("<HB", volume.data, 11)
    (clusters,) = struct.unpack_from("<Q", volume.data, 40)
    clusters, cluster = clusters // sectors_in_cluster, sector * sectors_in_cluster
    count = -(-length // (clusters * cluster))
    run = b"\x13" + clusters.to_bytes(3, "little") + b"\0"
    at, (old,) = attribute.offset, struct.unpack_from("<I", record, attribute.offset + 4)
    (pairs,) = struct.unpack_from("<H", record, at + 32)
    new = bytearray(record[at : at + pairs] + run * count + b"\0")
    new += bytes(-len(new) % 8)
    struct.pack_into("<I", new, 4, len(new))
    total = count * clusters
    struct.pack_into("<QQ", new, 16, 0, total - 1)
    struct.pack_into("<QQQ", new, 40, *[total * cluster] * 3)
    (used,) = struct.unpack_from("<I", record, 24)
    changed = record[:at] + new + record[at + old : used]
    assert len(changed) <= len(record)
    struct.pack_into("<I", changed, 24, len(changed))
    volume.put_record(number, bytearray(changed.ljust(len(record), b"\0")))
    return volume


CROSS_LINKED = "Windows\\System32\\kernel.bin"


def test_the_guard_stops_a_file_that_is_the_same_bytes_again_and_again(tmp_path: Path) -> None:
    """Each run is a place of the volume. Nothing is wrong with one of them; together they are a file without end."""
    path = saved(cross_linked(CROSS_LINKED, 1536 * MIB), tmp_path)
    with vdiskkit.open_vdisk(path) as disk:
        file = disk.volume.lookup(CROSS_LINKED)
        assert file.size >= 1536 * MIB
        source = file.open()
        with pytest.raises(vdiskkit.ReadLimitError, match="reading was stopped after") as caught:
            list(map(source.read_at, range(0, source.size, MIB), itertools.repeat(MIB)))
        assert caught.value.used_up
        assert disk.budget.spent_bytes <= 4 * path.stat().st_size + (1 << 30) + MIB


def test_the_guard_on_the_command_line(tmp_path: Path) -> None:
    path = saved(cross_linked(CROSS_LINKED, 1536 * MIB), tmp_path)
    command = [sys.executable, "-m", "vdiskkit", "cat", str(path), CROSS_LINKED]
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, cwd=ROOT, timeout=120
    )
    assert done.returncode == 3, done.stderr
    assert "error: reading was stopped after" in done.stderr
    assert "the image is damaged in a way that makes its reader loop" in " ".join(done.stderr.split())


@pytest.mark.parametrize("container", ["vhd", "vhdx"])
def test_the_guard_is_over_all_files_of_a_chain(tmp_path: Path, container: str) -> None:
    """An inspection that may read no more stops, whichever file it reads from, and says that nothing more is read."""
    sample = ROOT / "sample_images" / "win7-kms.vhd"
    with vdiskkit.open_vdisk(sample) as disk:
        size, content = (
            disk.container.size,
            {
                at: disk.container.read_at(at, min(MIB, disk.container.size - at))
                for at in range(0, disk.container.size, MIB)
            },
        )
    if container == "vhd":
        (tmp_path / "disk.vhd").write_bytes(build_vhd("dynamic", size, content=content))
        link = ParentLink.to(tmp_path / "disk.vhd")
        path = tmp_path / "disk.1.avhd"
        path.write_bytes(build_vhd("differencing", size, content={0: content[0][:512]}, parent=link))
    else:
        base = build_vhdx("dynamic", size, content=content)
        base.save(tmp_path / "disk.vhdx")
        image = build_vhdx("differencing", size, content={0: content[0][:512]}, parent=link_to(base, "disk.vhdx"))
        path = image.save(tmp_path / "disk.1.avhdx")
    with vdiskkit.open_vdisk(path) as disk:
        before = disk.budget.spent_bytes
        with disk.budget.limited(64 << 10, 1000), pytest.raises(vdiskkit.ReadLimitError) as caught:
            disk.inspect()
        assert caught.value.used_up
        assert disk.budget.spent_bytes - before <= (64 << 10) + MIB
