"""Journals survive a round trip, and whatever happens to their bytes is nothing, the same journal, or a clear error."""

from __future__ import annotations

import struct
from hashlib import sha256
from uuid import UUID
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.effort import tries
from vdiskkit.errors import CorruptStructureError, FormatError, UnsupportedFeatureError
from vdiskkit.io import BytesSource
from vdiskkit.journal import (
    Journal,
    JournalFile,
    JournalState,
    OldStateView,
    Record,
    Watch,
    build_body,
    build_state,
    digest,
    parse_journal,
    sector_digests,
)
from vdiskkit.journal.format import BODY_OFFSET, RECORD_LIMIT, SECTOR, Stamp
from vdiskkit.location import Location

WHERE = Location("journal")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
SIZES = st.integers(0, 6000)


def next_record(draw: st.DrawFn, number: int, file: JournalFile, held: dict[int, bytes]) -> Record:
    """A record that begins where those before it ended; ``held`` is what they left, by offset."""
    old, new = file.old_size, file.new_size
    offset = draw(st.integers(0, max(old, new))) // SECTOR * SECTOR
    end = offset + draw(st.integers(0, 1500))
    filled = bytes([draw(st.integers(0, 255))])
    before = after = b""
    for at in range(offset, end, SECTOR):
        found = held.get(at)
        if found is None:
            found = filled * max(min(end - at, old - at, SECTOR), 0)
        if len(before) < at - offset and found:
            break
        held[at] = bytes([draw(st.integers(0, 255))]) * max(min(end - at, new - at, SECTOR), 0)
        before += found
        after += held[at]
    return Record(number, draw(st.integers(0, 18)), offset, before, len(after), sector_digests(after))


@st.composite
def journals(draw: st.DrawFn) -> Journal:
    files = tuple(
        JournalFile(draw(st.text(min_size=1, max_size=9)), draw(SIZES), draw(SIZES), draw(st.integers(-(2**60), 2**60)))
        for _ in range(draw(st.integers(1, 2)))
    )
    records, watches = [], []
    held: list[dict[int, bytes]] = [{} for _ in files]
    for _ in range(draw(st.integers(0, 4))):
        number = draw(st.integers(0, len(files) - 1))
        record = next_record(draw, number, files[number], held[number])
        if record.before or record.length:
            records.append(record)
        at = draw(st.integers(0, files[number].old_size))
        length = draw(st.integers(0, files[number].old_size - at))
        watches.append(Watch(number, at, length, digest(record.before)))
    state = draw(st.sampled_from([JournalState.ARMED, JournalState.COMMITTED]))
    stamps = tuple(Stamp(draw(st.integers(0, 2**62)), draw(st.integers(-(2**62), 2**62))) for _ in files)
    about = draw(st.dictionaries(st.text(max_size=6), JSON, max_size=3))
    committed = state is JournalState.COMMITTED
    return Journal(
        UUID(int=draw(st.integers(0, 2**128 - 1))), state, about, files, tuple(records), tuple(watches),
        stamps if committed else (), draw(st.integers(0, 2**32 - 1)) if committed else 0,
    )  # fmt: skip


def stored(journal: Journal) -> bytes:
    header, body = build_body(journal)
    return header + build_state(journal.state, journal.stamps, journal.cause) + body


def parsed(data: bytes) -> Journal | FormatError | None:
    """Parse; errors are returned, and have a hint."""
    try:
        return parse_journal(data, WHERE)
    except FormatError as exc:
        error = exc
    assert error.hint
    return error


@given(journals())
def test_round_trip(journal: Journal) -> None:
    assert parse_journal(stored(journal), WHERE) == journal


@given(journals(), st.binary(max_size=700))
def test_what_follows_is_ignored(journal: Journal, rest: bytes) -> None:
    """A file that was extended for a body may be longer than it."""
    assert parse_journal(stored(journal) + rest, WHERE) == journal


@settings(max_examples=tries(300))
@given(journals(), st.data())
def test_flipped_and_cut_journals_are_never_misread(journal: Journal, data: st.DataObject) -> None:
    whole = bytearray(stored(journal))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] ^= data.draw(st.integers(1, 255))
    else:
        del whole[data.draw(st.integers(0, len(whole) - 1)) :]
    found = parsed(bytes(whole))
    if isinstance(found, FormatError):
        return
    # A state that cannot be read counts as armed: then recovery looks at every sector before it does anything.
    assert found is None or found._replace(state=journal.state, stamps=journal.stamps, cause=journal.cause) == journal
    if found is None:
        assert not whole


@settings(max_examples=tries(300))
@given(journals(), st.data())
def test_bodies_that_fit_their_checksum_and_make_no_sense(journal: Journal, data: st.DataObject) -> None:
    header, body = build_body(journal)
    changed = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del changed[data.draw(st.integers(0, len(changed) - 1)) :]
    sealed = bytearray(header)
    struct.pack_into("<I", sealed, 12, crc32(changed))
    struct.pack_into("<Q", sealed, 32, len(changed))
    struct.pack_into("<I", sealed, SECTOR - 4, crc32(sealed[:-4]))
    try:
        found = parse_journal(bytes(sealed) + build_state(JournalState.ARMED) + changed, WHERE)
    except FormatError:
        return
    assert found is not None
    for number, file in enumerate(found.files):
        view = OldStateView(BytesSource(bytes(min(file.new_size, 10_000))), found, number)
        assert len(view.read_at(0, min(view.size, 10_000))) == min(view.size, 10_000)


@given(st.binary(max_size=3000))
def test_any_bytes(data: bytes) -> None:
    assert not isinstance(parsed(data), Journal)


@given(journals())
def test_a_journal_that_was_never_armed_is_none(journal: Journal) -> None:
    header, body = build_body(journal)
    for head in (header, bytes(SECTOR), b"x" * SECTOR):
        for rest in (body, body[: len(body) // 2], b"x" + body, b""):
            assert parse_journal(head + build_state(JournalState.WRITING) + rest, WHERE) is None
    for size in (0, 1, SECTOR, BODY_OFFSET):
        assert parse_journal(bytes(size), WHERE) is None


@given(journals(), st.integers(0, SECTOR - 1), st.data())
def test_a_journal_whose_state_cannot_be_read_may_have_been_armed(
    journal: Journal, at: int, data: st.DataObject
) -> None:
    """By itself that is looked at sector by sector; with any other damage nothing says that it had not begun."""
    header, body = build_body(journal)
    state = bytearray(build_state(JournalState.ARMED))
    state[at] ^= 0x40
    for spoiled in (bytes(state), bytes(SECTOR)):
        whole = header + spoiled + body
        assert parse_journal(whole, WHERE) == journal._replace(state=JournalState.ARMED, stamps=(), cause=0)
        cut = data.draw(st.integers(1, len(whole) - 1))
        with pytest.raises(CorruptStructureError, match="journal is damaged"):
            parse_journal(whole[:cut], WHERE)
        other = data.draw(st.sampled_from([*range(SECTOR), *range(BODY_OFFSET, len(whole))]))
        damaged = bytearray(whole)
        damaged[other] ^= 1
        assert isinstance(parsed(bytes(damaged)), FormatError)
    with pytest.raises(CorruptStructureError, match="journal is damaged"):
        parse_journal(bytes(BODY_OFFSET + 1), WHERE)


def example() -> Journal:
    files = (JournalFile("disk.vhd", 1024, 1024, 0),)
    return Journal(UUID(int=1), JournalState.ARMED, {}, files, (), (), ())


def test_an_armed_journal_that_is_damaged_is_told() -> None:
    whole = stored(example())
    for at in (3, 20, BODY_OFFSET + 5):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        with pytest.raises(CorruptStructureError, match="journal is damaged"):
            parse_journal(bytes(damaged), WHERE)


def give_version(whole: bytearray, version: int) -> None:
    struct.pack_into("<H", whole, 8, version)
    struct.pack_into("<I", whole, SECTOR - 4, crc32(whole[: SECTOR - 4]))


def test_a_journal_of_a_newer_version_is_told() -> None:
    whole = bytearray(stored(example()))
    give_version(whole, 4)
    with pytest.raises(UnsupportedFeatureError, match="the journal has version 4, this program knows version 3"):
        parse_journal(bytes(whole), WHERE)


@pytest.mark.parametrize(
    ("files", "records", "watches"),
    [
        ((), (), ()),
        ((JournalFile("a", -1, 5, 0),), (), ()),
        ((JournalFile("a", 5, 1 << 63, 0),), (), ()),
        ((JournalFile("a", 512, 512, 0),), (Record(1, 0, 0, b"", 0, ()),), ()),
        ((JournalFile("a", 512, 512, 0),), (Record(0, 0, 100, b"x", 1, sector_digests(b"y")),), ()),
        ((JournalFile("a", 512, 512, 0),), (Record(0, 0, 512, b"x", 0, ()),), ()),
        ((JournalFile("a", 512, 512, 0),), (Record(0, 0, 512, b"", 1, sector_digests(b"y")),), ()),
        ((JournalFile("a", 0, (1 << 47) + 1, 0),), (), ()),
        ((JournalFile("a", 0, (1 << 40) + 1, 0),), (), ()),
        ((JournalFile("a", 5, 5, 0),) * 3, (), ()),
        ((JournalFile("a", "5", 5, 0),), (), ()),  # type: ignore[arg-type]
        ((JournalFile("a", 512, 512, 0),), (Record(0, 0, 0, b"", 0, ()),), ()),
        ((JournalFile("a", 512, 512, 0),), (), (Watch(0, 0, 512, bytes(16)),) * 5),
        ((JournalFile("a", 512, 512, 0),), (), (Watch(1, 0, 1, bytes(16)),)),
        ((JournalFile("a", 512, 512, 0),), (), (Watch(0, 512, 1, bytes(16)),)),
    ],
)
def test_journals_that_reach_outside_their_files_are_refused(
    files: tuple[JournalFile, ...], records: tuple[Record, ...], watches: tuple[Watch, ...]
) -> None:
    journal = example()._replace(files=files, records=records, watches=watches)
    with pytest.raises(CorruptStructureError, match="make no sense"):
        parse_journal(stored(journal), WHERE)


def test_a_journal_of_very_many_records_is_refused_at_once() -> None:
    """Three million records of nothing, as no program writes them, would take half a minute and a gigabyte."""
    header, _body = build_body(example())
    about = b'{"about": {}, "files": [["disk.vhd", 1024, 1024, 0]]}'
    body = struct.pack("<IIII", len(about), 1, RECORD_LIMIT + 1, 0) + about
    sealed = bytearray(header)
    struct.pack_into("<I", sealed, 12, crc32(body))
    struct.pack_into("<Q", sealed, 32, len(body))
    struct.pack_into("<I", sealed, SECTOR - 4, crc32(sealed[:-4]))
    with pytest.raises(CorruptStructureError, match="more than 262144 records"):
        parse_journal(bytes(sealed) + build_state(JournalState.ARMED) + body, WHERE)


def test_a_journal_without_repeated_sectors_is_as_it_always_was() -> None:
    """Whoever has an older version of the program can still take such a change back."""
    files = (JournalFile("disk.vhd", 1300, 2600, 77), JournalFile("disk.pvp", 600, 600, 78))
    records = (
        Record(0, 0, 2048, b"", 512, sector_digests(b"f" * 512)),
        Record(0, 1, 1024, b"o" * 276, 700, sector_digests(b"n" * 700)),
        Record(0, 3, 0, b"a" * 512, 512, sector_digests(b"b" * 512)),
        Record(1, 4, 0, b"c" * 512, 512, sector_digests(b"d" * 512)),
    )
    watches = (Watch(0, 512, 512, digest(b"w" * 512)),)
    journal = Journal(UUID(int=9), JournalState.ARMED, {"summary": "t"}, files, records, watches, ())
    data = b"".join(build_body(journal))
    assert sha256(data).hexdigest() == "ddec556a771c5fd0aa5a251d58d5ce8edf7d71d1268cd11aefd6c848239c3012"
    assert data[8:10] == b"\1\0"


@pytest.mark.parametrize(
    ("version", "records"),
    [
        (2, (Record(0, 5, 0, b"a" * 512, 512, sector_digests(b"b" * 512)),)),
        (2, (Record(0, 14, 0, b"a" * 512, 512, sector_digests(b"b" * 512)),)),
        (
            2,
            (
                Record(0, 1, 0, b"a" * 512, 512, sector_digests(b"b" * 512)),
                Record(0, 2, 0, b"b" * 512, 512, sector_digests(b"c" * 512)),
            ),
        ),
        (3, (Record(0, 15, 0, b"a" * 512, 512, sector_digests(b"b" * 512)),)),
        (3, (Record(0, 18, 0, b"a" * 512, 512, sector_digests(b"b" * 512)),)),
    ],
    ids=["a new phase", "the last one of version 2", "a sector twice", "a phase of hives", "the last one"],
)
def test_what_older_programs_would_misread_has_a_version_that_they_refuse(
    version: int, records: tuple[Record, ...]
) -> None:
    journal = example()._replace(records=records)
    whole = bytearray(stored(journal))
    assert whole[8:10] == bytes((version, 0))
    assert parse_journal(bytes(whole), WHERE) == journal
    assert OldStateView(BytesSource(bytes(1024)), journal).read_at(0, 512) == b"a" * 512


@pytest.mark.parametrize(
    "records",
    [
        (
            Record(0, 1, 0, b"a" * 512, 512, sector_digests(b"b" * 512)),
            Record(0, 2, 0, b"x" * 512, 512, sector_digests(b"c" * 512)),
        ),
        (
            Record(0, 1, 0, b"a" * 1024, 1024, sector_digests(b"b" * 1024)),
            Record(0, 2, 512, b"b" * 100, 512, sector_digests(b"c" * 512)),
        ),
        (
            Record(0, 1, 0, b"a" * 512, 512, sector_digests(b"b" * 512)),
            Record(0, 2, 0, b"", 512, sector_digests(b"c" * 512)),
        ),
    ],
    ids=["another content", "shorter", "from nothing"],
)
def test_versions_that_do_not_follow_each_other_are_refused(records: tuple[Record, ...]) -> None:
    with pytest.raises(CorruptStructureError, match="make no sense"):
        parse_journal(stored(example()._replace(records=records)), WHERE)


@pytest.mark.parametrize(("phase", "version"), [(5, 1), (15, 2)])
def test_phases_that_the_version_does_not_have_are_refused(phase: int, version: int) -> None:
    record = Record(0, phase, 0, b"a" * 512, 512, sector_digests(b"b" * 512))
    whole = bytearray(stored(example()._replace(records=(record,))))
    give_version(whole, version)
    with pytest.raises(CorruptStructureError, match="a record has no phase"):
        parse_journal(bytes(whole), WHERE)


def test_records_that_all_lie_on_each_other_are_refused_at_once() -> None:
    """A thousand records of the same gigabyte, as no program writes them, would be looked at sector by sector."""
    file = JournalFile("disk.vhd", 0, 1 << 30, 0)
    records = tuple(Record(0, 1, 0, b"", 1 << 24, (bytes(16),) * (1 << 15)) for _ in range(40))
    with pytest.raises(CorruptStructureError, match="overlap"):
        parse_journal(stored(example()._replace(files=(file,), records=records)), WHERE)
