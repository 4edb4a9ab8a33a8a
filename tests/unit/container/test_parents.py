"""What kind of path a stored path is, and what of it is used; never more than a file name unless that is asked for."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdiskkit.container.parents import followed_path, path_kind, stored_file_name

ONLY_NAME = "only its file name is used"


@pytest.mark.parametrize(
    ("text", "kind", "file_name"),
    [
        ("disk.vhd", "name", "disk.vhd"),
        (r".\disk.vhd", "name", "disk.vhd"),
        (r"..\other\disk.vhd", "relative", "disk.vhd"),
        (r"sub\disk.vhd", "relative", "disk.vhd"),
        (r"D:\vdisks\disk.vhd", "absolute", "disk.vhd"),
        ("d:/vdisks/disk.vhd", "absolute", "disk.vhd"),
        ("D:disk.vhd", "absolute", "disk.vhd"),
        (r"\vdisks\disk.vhd", "absolute", "disk.vhd"),
        ("/srv/disk.vhd", "absolute", "disk.vhd"),
        (r"\\?\D:\vdisks\disk.vhd", "absolute", "disk.vhd"),
        (r"\\pvs01\store$\disk.vhd", "unc", "disk.vhd"),
        ("//pvs01/store/disk.vhd", "unc", "disk.vhd"),
        (r"\/pvs01/store/disk.vhd", "unc", "disk.vhd"),
        (r"\\?\UNC\pvs01\store\disk.vhd", "unc", "disk.vhd"),
        (r"\\?\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\disk.vhd", "volume", "disk.vhd"),
        ("file:///D:/vdisks/my%20disk.vhd", "url", "my disk.vhd"),
        (r"D:\vdisks\..", "absolute", None),
        (r"\\pvs01\store\con", "unc", None),
        ("", "name", None),
        ("nul.vhd", "name", None),
        ("a\x1bb.vhd", "name", None),
    ],
)
def test_kinds(text: str, kind: str, file_name: str | None) -> None:
    for follow in (False, True):
        found = path_kind(text, follow=follow, folder="folder")
        assert found.kind == kind
        assert stored_file_name(text) == file_name
        if file_name is None:
            assert found.note == "it gives no usable file name"
        elif kind == "name":
            assert found.note == "looked for"
        elif kind in ("unc", "volume", "url"):
            assert "never opened" in found.note
        elif follow and followed_path(text, "folder") is not None:
            assert "then the path is followed" in found.note
        else:
            assert ONLY_NAME in found.note


@given(text=st.text(st.sampled_from("\\/:.?abCUN{}%2fvhd \0file"), max_size=40))
def test_a_note_never_promises_more_than_is_done(text: str) -> None:
    found = path_kind(text, follow=True, folder="folder")
    followed = followed_path(text, "folder")
    if found.kind in ("unc", "volume", "url"):
        assert followed is None
    if "followed" in found.note:
        assert followed is not None
        assert not followed.startswith(("\\\\", "//"))
    name = stored_file_name(text)
    assert name is None or (os.path.basename(name) == name and name not in ("", ".", ".."))  # noqa: PTH119 - text only
