"""Which folder is the token store: the value TokenStore decides, the version of Windows only where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import vdiskkit
from tests.build.image import build_disk
from tests.build.state import state_volume

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

SERVICE = r"Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
USUAL = r"Windows\System32\spp\store\2.0"


def inspected(folder: Path, value: str | None, *, drive: str = "C") -> vdiskkit.Inspection:
    def edit(builder: Any) -> None:
        builder.sz(r"Microsoft\Windows NT\CurrentVersion", "SystemRoot", rf"{drive}:\Windows")
        if value is not None:
            builder.expand(SERVICE, "TokenStore", value)

    from tests.build.windows import software_hive

    def replace(name: str, data: bytes) -> bytes:
        return software_hive("win10", edit=edit) if name == "SOFTWARE" else data

    path = folder / "x.raw"
    path.write_bytes(build_disk([state_volume("win10", edit_hive=replace)]))
    with vdiskkit.open_vdisk(path) as disk:
        return disk.inspect()


def stores(facts: vdiskkit.Inspection) -> list[tuple[str, bool | None]]:
    assert facts.licensing is not None
    return [(item.path, item.active) for item in facts.licensing.token_stores if item.kind == "windows"]


def codes(facts: vdiskkit.Inspection) -> list[str]:
    return [notice.code for notice in facts.notices]


@pytest.mark.parametrize(
    "value", [None, r"%WINDIR%\System32\spp\store\2.0", "C:\\windows\\system32\\SPP\\store\\2.0\\"]
)
def test_the_usual_folder(tmp_path: Path, value: str | None) -> None:
    facts = inspected(tmp_path, value)
    assert stores(facts) == [(USUAL, True)]
    assert codes(facts) == []


@pytest.mark.parametrize(
    ("value", "folder"),
    [
        (r"%WINDIR%\System32\spp\store_test\2.0", r"Windows\System32\spp\store_test\2.0"),
        (r"%SystemRoot%\System32\spp\store", r"Windows\System32\spp\store"),
        (r"%SystemDrive%\Licences", "Licences"),
    ],
)
def test_another_folder_that_the_value_names_counts(tmp_path: Path, value: str, folder: str) -> None:
    facts = inspected(tmp_path, value)
    found = dict(stores(facts))
    assert found[folder] is True
    assert found[USUAL] is False
    assert codes(facts) == ["licensing.store_unusual"]
    assert facts.notices[0].message == (
        f"TokenStore names {folder}, which is not the folder that this Windows version uses by itself; it counts"
    )
    # No tokens.dat there: step 2 is about that folder.
    assert folder in facts.procedure[1].evidence


@pytest.mark.parametrize(("value", "drive"), [(r"D:\spp\store", "C"), (r"C:\Windows\spp", "E"), (r"%LICENCES%\x", "C")])
def test_a_folder_on_another_drive_is_not_known(tmp_path: Path, value: str, drive: str) -> None:
    facts = inspected(tmp_path, value, drive=drive)
    assert stores(facts) == [(USUAL, None)]
    assert codes(facts) == ["licensing.store_elsewhere"]
    assert facts.notices[0].message == f"TokenStore names a folder that is not on this volume: {value}"
    assert facts.procedure[1].state == "unknown"


def test_kms_prep_says_when_it_may_clean_what_is_left_over(tmp_path: Path) -> None:
    from vdiskkit.patch.kms_prep import KmsPrep, kms_prep_operations

    facts = inspected(tmp_path, r"D:\spp\store")
    assert facts.licensing is not None
    _, notes = kms_prep_operations(KmsPrep(remove_tokens=True), facts.licensing)
    assert notes[0] == "which token store this Windows uses is not known: what is removed may be left over"
