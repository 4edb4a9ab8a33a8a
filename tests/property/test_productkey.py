"""Properties of the product key codec: an inverse pair, total on any bytes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build.digitalproductid import build_digital_product_id, build_digital_product_id4
from vdiskkit.errors import FormatError
from vdiskkit.licensing.digitalproductid import KeyBlobState, read_key_blob
from vdiskkit.licensing.gvlk import lookup
from vdiskkit.licensing.productkey import ALPHABET, decode_key, encode_key, mask_key


@st.composite
def key_texts(draw: st.DrawFn) -> str:
    letters = draw(st.lists(st.sampled_from(ALPHABET), min_size=25, max_size=25))
    if draw(st.booleans()):
        letters[draw(st.integers(0, 23))] = "N"
    return "-".join("".join(letters[start : start + 5]) for start in range(0, 25, 5))


@settings(deadline=None)
@given(key_texts())
def test_text_to_bytes_and_back(text: str) -> None:
    data = encode_key(text)
    assert len(data) == 15
    assert decode_key(data).text == text


@settings(deadline=None)
@given(st.binary(min_size=15, max_size=15))
def test_bytes_to_text_and_back(data: bytes) -> None:
    try:
        key = decode_key(data)
    except FormatError:
        # Only numbers beyond 25 base-24 digits stand for no key.
        assert int.from_bytes(data, "little") & ~(8 << 112) >= 24**25
    else:
        assert encode_key(key.text) == data


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_key_or_a_format_error(text: str) -> None:
    mask_key(text)
    lookup(text)
    try:
        data = encode_key(text)
    except FormatError:
        return
    assert decode_key(data).text.replace("-", "") == text.strip().upper().replace("-", "")


@settings(deadline=None)
@given(st.binary(max_size=1400) | st.builds(lambda size, rest: size.to_bytes(4, "little") + rest,
                                            st.sampled_from([164, 1272]), st.binary(max_size=1400)))  # fmt: skip
def test_any_bytes_give_a_result(data: bytes) -> None:
    blob = read_key_blob(data)
    assert blob.size == len(data)
    assert blob.present == (blob.state is not KeyBlobState.WRONG_SIZE)
    repr(blob)


@settings(deadline=None)
@given(key_texts(), st.integers(4, 1271), st.integers(1, 255))
def test_a_changed_byte_is_noticed(text: str, position: int, change: int) -> None:
    for build in (build_digital_product_id, build_digital_product_id4):
        data = bytearray(build(text))
        data[position % (len(data) - 4) + 4] ^= change
        assert read_key_blob(bytes(data)).state is KeyBlobState.INCONSISTENT
