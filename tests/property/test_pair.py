"""Properties of the pair: any names and any XML give a result or a format error."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from vdiskkit.errors import FormatError
from vdiskkit.pair.listing import Listing
from vdiskkit.pair.manifest import parse_manifest
from vdiskkit.pair.versions import Identity, find_members, find_stem, link_by_id, link_by_name

NAME_PARTS = st.sampled_from(
    ["win10", "WIN10", "2019", "1", "2", "3", "007", "0", "99999", "vhd", "avhd", "vhdx", "pvp", "xml", ""]
)
NAMES = st.lists(NAME_PARTS, min_size=1, max_size=5).map(".".join) | st.text(max_size=12)


@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=12, unique=True), st.data())
def test_any_names_make_a_sound_chain(names: list[str], data: st.DataObject) -> None:
    listing = Listing("")
    for name in names:
        listing.add_name(name)
    this = data.draw(st.sampled_from(names))
    stem, _doubt = find_stem(this, listing)
    members = find_members(stem, listing, this)
    assert [member.version for member in members] == sorted(member.version for member in members)
    by_name = {member.file_name: member for member in members}
    assert set(by_name) <= set(names)
    link_by_name(members)
    for member in members:
        if member.parent is not None:
            assert by_name[member.parent].version < member.version
            assert by_name[member.parent].is_vhdx == member.is_vhdx
    ids = st.sampled_from(["a", "b", "c", "d"])
    for member in members:
        member.identity = data.draw(st.none() | st.builds(Identity, ids, st.none() | ids))
    strays = link_by_id(members, lambda _: None)
    for member in members:
        assert member.parent != member.file_name
        assert (member.parent is None) == (member.parent_by is None)
        assert member.file_name not in strays or member.parent is None


SOUND = (
    b'<?xml version="1.0" encoding="utf-8"?><versionManifest><startingVersion>0</startingVersion><version>'
    b"<versionNumber>0</versionNumber><type>0</type><access>0</access><createDate>2024-03-01 08:00:00</createDate>"
    b"<diskFileName>a.vhd</diskFileName><size>1</size></version></versionManifest>"
)


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    data = bytearray(SOUND)
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(start + 16, len(data))))
        data[start:end] = draw(
            st.binary(max_size=8) | st.sampled_from([b"<", b">", b"&#0;", b"&x;", b"<version>", b"<!--", b"<![CDATA["])
        )
    return bytes(data)


@settings(deadline=None)
@given(documents() | st.binary(max_size=64))
def test_any_document_is_a_manifest_or_a_format_error(data: bytes) -> None:
    try:
        facts = parse_manifest(data)
    except FormatError:
        return
    facts.to_dict()
