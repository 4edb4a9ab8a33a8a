"""Product key codec and DigitalProductId values, against public vectors."""

from __future__ import annotations

import pytest

from tests.build.digitalproductid import build_digital_product_id, build_digital_product_id4, key_bytes
from vdiskkit.errors import CorruptStructureError, FormatError
from vdiskkit.licensing.digitalproductid import KeyBlobState, read_key_blob
from vdiskkit.licensing.gvlk import rows
from vdiskkit.licensing.productkey import CLEARED_KEY, KeyChannel, channel_of, decode_key, encode_key, mask_key

GENERIC = "VK7JG-NPHTM-C97JM-9MPGT-3V66T"

VECTORS = [
    ("ec0c00000000a8d27b6e89814f6d0900", GENERIC, 3308),
    ("d71000000000288b1b9eaf44f3d70800", "J4WNC-H9BG3-6XRX4-3XD8K-Y7XRX", 4311),
    ("ef0c10000000343dc5394ebd6e2f0900", "W269N-WFGWX-YVC9B-4J6C9-T83GX", 3311),
    ("da0c30000000186367e01565be190800", "NPPR9-FWDCX-D2C8J-H872K-2YT43", 3290),
    ("c211100000002cf35630dc2e70ed0800", "WX4NM-KYWYW-QJJR4-XV3QB-6VM33", 4546),
    ("740800000000dc0684aa2b715cf80900", "YC7DK-G2NP3-2QQC3-J6H88-GVGXT", 2164),
    ("7d29d9af2c54917dd6ecd23311d20400", "33PXH-7Y6KF-2VJC9-XBBR8-HVTHH", None),
    ("de2e5d07b13cecb9d55fea1fd39a0500", "74YFP-3QFB3-KQT8W-PMXWJ-7M648", None),
]


@pytest.mark.parametrize(("stored", "text", "group_id"), VECTORS)
def test_vectors_decode_and_encode(stored: str, text: str, group_id: int | None) -> None:
    data = bytes.fromhex(stored)
    key = decode_key(data)
    assert key.text == text
    assert key.group_id == group_id
    assert key.has_n == (group_id is not None)
    assert not key.cleared
    assert decode_key(data[:15]) == key
    assert encode_key(text) == data[:15]
    assert encode_key(text.lower().replace("-", "")) == data[:15]


def test_every_published_key_survives_both_ways() -> None:
    for row in rows():
        data = encode_key(row.key)
        assert data + b"\0" == key_bytes(row.key)
        key = decode_key(data)
        assert key.text == row.key
        assert key.has_n == ("N" in row.key)


def test_the_flag_is_bit_3_and_not_a_division_by_six() -> None:
    # Values 6 and 7 of byte 14 read as "has N" in much-copied code.
    data = bytes(14) + b"\x06"
    assert not decode_key(data).has_n
    assert decode_key(bytes(14) + b"\x08").has_n


def test_cleared_key() -> None:
    key = decode_key(bytes(16))
    assert key.cleared
    assert key.text == CLEARED_KEY


@pytest.mark.parametrize("length", [0, 14, 17])
def test_wrong_length_is_a_format_error(length: int) -> None:
    with pytest.raises(CorruptStructureError, match="15 bytes"):
        decode_key(bytes(length))


def test_number_too_large_for_a_key() -> None:
    with pytest.raises(CorruptStructureError, match="no product key"):
        decode_key(b"\xff" * 15)


@pytest.mark.parametrize(
    "text",
    ["", "ABCDE", "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA", "NNBBB-BBBBB-BBBBB-BBBBB-BBBBB", "BBBBB-BBBBB-BBBBB-BBBBB-BBBBN"],
)
def test_text_that_is_no_key(text: str) -> None:
    with pytest.raises(FormatError):
        encode_key(text)


def test_masking() -> None:
    assert mask_key(GENERIC) == "XXXXX-XXXXX-XXXXX-XXXXX-3V66T"
    assert mask_key(GENERIC.lower()) == "XXXXX-XXXXX-XXXXX-XXXXX-3V66T"
    assert mask_key("my secret 12345") == "XXXXX-XXXXX-XXXXX-XXXXX-XXXXX"
    assert mask_key("") == "XXXXX-XXXXX-XXXXX-XXXXX-XXXXX"


def test_no_key_in_a_repr() -> None:
    blob = read_key_blob(build_digital_product_id4(GENERIC))
    assert "VK7JG" not in repr(blob)
    assert "3V66T" in repr(blob)


def test_public_version_3_value_has_the_public_checksum() -> None:
    # The fields of a public Windows 11 value; its stored checksum is 3aebb3d7.
    data = build_digital_product_id(GENERIC, install_time=0x680F704D, random=0x3722035D)
    assert data[160:].hex() == "d7b3eb3a"
    blob = read_key_blob(data)
    assert blob.state is KeyBlobState.INTACT
    assert (blob.version, blob.major, blob.minor) == (3, 3, 0)
    assert blob.checksum_ok
    assert blob.key_hash_ok is None
    assert blob.product_id == "00330-80000-00000-AA965"
    assert blob.key_group_id == 3308
    assert blob.part_number == "[TH]X19-98841"
    assert blob.install_time == 0x680F704D
    assert blob.random == 0x3722035D
    assert blob.license_type == 0
    assert blob.key is not None
    assert blob.key.text == GENERIC
    assert blob.channel is None
    assert blob.problems == ()


def test_public_version_4_value_has_the_public_hashes() -> None:
    data = build_digital_product_id4(GENERIC)
    assert data[824:856].hex() == "58ed3820fbf01d2cf44d615860ce274a3cf5af8470d167f54b2113f4a7dfc119"
    assert data[856:888].hex() == "fe24621376018d3ff2ba9520a3c013777e49f7afb55bfb494131b33747b925b8"
    blob = read_key_blob(data)
    assert blob.state is KeyBlobState.INTACT
    assert (blob.version, blob.key_hash_ok, blob.blob_hash_ok, blob.checksum_ok) == (4, True, True, None)
    assert blob.key is not None
    assert blob.key.text == GENERIC
    assert blob.product_id == "03612-03308-000-000000-00-1033-26100.0000-1182025"
    assert blob.key_group_id == 3308
    assert blob.activation_id == "4de7cb65-cdf1-4de9-8ae8-e3cce27b9f2c"
    assert (blob.edition, blob.part_number, blob.key_type, blob.eula, blob.oem_id) == (
        "Professional",
        "[TH]X19-98841",
        "Retail",
        "Retail",
        "",
    )
    assert blob.channel is KeyChannel.RETAIL
    assert blob.is_upgrade == 0
    assert blob.problems == ()


def test_absent_and_cleared_are_told_apart() -> None:
    absent = read_key_blob(None)
    assert absent.state is KeyBlobState.ABSENT
    assert not absent.present
    assert not absent.cleared
    cleared = read_key_blob(build_digital_product_id4(None, key_type="Volume:MAK"))
    assert cleared.state is KeyBlobState.INTACT
    assert cleared.present
    assert cleared.cleared
    assert cleared.channel is KeyChannel.MAK


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xa4\0\0",
        bytes(164),
        bytes(1272),
        (164).to_bytes(4, "little"),
        build_digital_product_id(GENERIC)[:-1],
        build_digital_product_id4(GENERIC)[:-1],
        (0xFFFFFFFF).to_bytes(4, "little") + bytes(160),
    ],
    ids=["empty", "3 bytes", "164 zeros", "1272 zeros", "size only", "v3 cut", "v4 cut", "huge size"],
)
def test_what_is_no_blob_says_so(data: bytes) -> None:
    blob = read_key_blob(data)
    assert blob.state is KeyBlobState.WRONG_SIZE
    assert not blob.present
    assert blob.key is None
    assert blob.size == len(data)
    assert len(blob.problems) == 1


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (build_digital_product_id(GENERIC, bad_checksum=True), "checksum does not fit"),
        (build_digital_product_id4(GENERIC, bad_key_hash=True), "hash of the key"),
        (build_digital_product_id4(GENERIC, bad_blob_hash=True), "hash of the value"),
    ],
)
def test_inconsistent_values_still_show_the_key(data: bytes, problem: str) -> None:
    blob = read_key_blob(data)
    assert blob.state is KeyBlobState.INCONSISTENT
    assert any(problem in text for text in blob.problems)
    assert blob.key is not None
    assert blob.key.text == GENERIC


def test_key_bytes_that_are_no_key() -> None:
    blob = read_key_blob(build_digital_product_id(key_data=b"\xf7" * 15 + b"\0"))
    assert blob.state is KeyBlobState.INTACT
    assert blob.key is None
    assert any("no product key" in text for text in blob.problems)


def test_contradicting_group_id_and_trailing_bytes_are_told() -> None:
    blob = read_key_blob(build_digital_product_id(GENERIC, group_id=1) + b"\0\0")
    assert blob.state is KeyBlobState.INTACT
    assert blob.size == 166
    assert blob.problems[0].startswith("2 bytes follow the 164")
    assert blob.problems[1] == "the key group id field is 1, the key itself is of group 3308"


def test_hostile_texts_are_bounded_and_told() -> None:
    data = build_digital_product_id4(GENERIC, key_type="A" * 64, edition="\ud800x", extended_pid="no-\u0664\u0662-pid")
    blob = read_key_blob(data)
    assert blob.key_type == "A" * 64
    assert blob.edition == "\ud800x"
    assert blob.key_group_id is None
    assert blob.channel is KeyChannel.OTHER
    assert "the key type has no end mark" in blob.problems
    assert "the edition is not valid UTF-16" in blob.problems


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        (None, None),
        ("", None),
        ("Volume:GVLK", KeyChannel.GVLK),
        ("Volume:MAK", KeyChannel.MAK),
        ("Volume:CSVLK", KeyChannel.CSVLK),
        ("OEM:DM", KeyChannel.OEM),
        ("OEM:NONSLP", KeyChannel.OEM),
        ("Retail", KeyChannel.RETAIL),
        ("Retail:TB:Eval", KeyChannel.RETAIL),
        ("Volume", KeyChannel.OTHER),
        ("Volume:GVLK2", KeyChannel.OTHER),
    ],
)
def test_channels(text: str | None, channel: KeyChannel | None) -> None:
    assert channel_of(text) is channel
