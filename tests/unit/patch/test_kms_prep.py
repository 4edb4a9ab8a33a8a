"""Which operations prepare an image for KMS: by Windows version, view and store, and only what was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import vdiskkit
from tests.build.pair import PRIVATE, write_pair
from tests.build.scenario import make, windows_disk
from vdiskkit.licensing.facts import LicensingFacts, StoreFileFacts, StoreKind, TokenStoreFacts
from vdiskkit.patch.kms_prep import KmsPrep, kms_prep_operations
from vdiskkit.patch.operations import DeleteFile, DeleteValue, SetValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.build.volume_edit import VolumeEditor


SPP = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
WOW = SPP.replace(r"SOFTWARE", r"SOFTWARE\WOW6432Node", 1)
OSPP = r"HKLM\SOFTWARE\Microsoft\OfficeSoftwareProtectionPlatform"
OFFICE = r"ProgramData\Microsoft\OfficeSoftwareProtectionPlatform"
ROAMING = r"Windows\ServiceProfiles\NetworkService\AppData\Roaming\Microsoft"


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Make a disk once for each set of arguments: planning writes nothing."""
    made: dict[str, str] = {}

    def make(product: str = "win10", **arguments: Any) -> str:
        name = repr((product, arguments))
        if name not in made:
            raw = windows_disk(product, **arguments)
            folder = tmp_path_factory.mktemp("desk")
            made[name] = str(write_pair(folder, "desk", raw, pvp={"write_cache_type": PRIVATE}))
        return made[name]

    return make


def value(key: str, name: str, text: str) -> SetValue:
    return SetValue(key=key, name=name, type=1, data=f"{text}\0".encode("utf-16-le"), create_keys=True)


def operations(path: str, **wanted: object) -> tuple[Any, ...]:
    return vdiskkit.plan_kms_prep(path, **wanted).operations  # type: ignore[arg-type]  # handed on as they are


@pytest.mark.parametrize("number", [0, 1])
def test_skip_rearm_is_a_dword_at_the_service(disk: Callable[..., str], number: int) -> None:
    data = number.to_bytes(4, "little")
    wanted = SetValue(key=SPP, name="SkipRearm", type=4, data=data, create_keys=True)
    assert operations(disk(), skip_rearm=number) == (wanted,)


def test_absent_deletes_and_does_not_mind(disk: Callable[..., str]) -> None:
    path = disk()
    assert operations(path, skip_rearm="absent", kms_host="ABSENT", kms_port="Absent") == (
        DeleteValue(key=SPP, name="SkipRearm", missing_ok=True),
        DeleteValue(key=SPP, name="KeyManagementServiceName", missing_ok=True),
        DeleteValue(key=SPP, name="KeyManagementServicePort", missing_ok=True),
    )
    assert vdiskkit.plan_kms_prep(path, skip_rearm="absent").empty


@pytest.mark.parametrize("port", [1700, "1700", "01700"])
def test_the_port_is_text(disk: Callable[..., str], port: int | str) -> None:
    assert operations(disk(), kms_port=port) == (value(SPP, "KeyManagementServicePort", "1700"),)


def test_a_wrong_type_is_put_right(disk: Callable[..., str]) -> None:
    path = disk(software={"kms": {"": {"KeyManagementServicePort": 1688}}})
    plan = vdiskkit.plan_kms_prep(path, kms_port=1688)
    assert [(change.before, change.after) for change in plan.changes] == [("REG_DWORD 1688", 'REG_SZ "1688"')]


@pytest.mark.parametrize("host", ["kms.example.com", "KMS01", "192.0.2.7", "2001:db8::7", "kms_host"])
def test_hosts(disk: Callable[..., str], host: str) -> None:
    assert operations(disk(), kms_host=host) == (value(SPP, "KeyManagementServiceName", host),)


def test_office_of_its_own_service_reads_its_own_key(disk: Callable[..., str]) -> None:
    path = disk("win7", software={"office": ["2010"], "office_bits": 32})
    assert {item.key for item in operations(path, kms_host="kms")} == {SPP}
    with_office = {item.key for item in operations(path, kms_host="kms", office=True)}
    assert with_office == {SPP, OSPP.replace("SOFTWARE", r"SOFTWARE\WOW6432Node")}


def test_office_without_a_service_of_its_own_reads_the_view_of_its_bits(disk: Callable[..., str]) -> None:
    path = disk("win10", software={"office": ["2016"], "office_bits": 32})
    keys = {item.key for item in operations(path, kms_host="kms", office=True)}
    assert keys == {SPP, WOW}


def test_narrower_hosts_are_told(disk: Callable[..., str]) -> None:
    application = "55c92734-d682-4d71-983e-d6ec3f16059f"
    path = disk(software={"kms": {application: {"KeyManagementServiceName": "other.example.com"}}})
    notes = vdiskkit.plan_kms_prep(path, kms_host="kms.example.com").notes
    assert any("a narrower setting wins" in note and "other.example.com" in note for note in notes)


class TestTokens:
    @pytest.mark.parametrize(
        ("product", "folder"),
        [
            ("win7", rf"{ROAMING}\SoftwareProtectionPlatform"),
            ("win8", r"Windows\System32\spp\store"),
            ("win10", r"Windows\System32\spp\store\2.0"),
            ("server2022", r"Windows\System32\spp\store\2.0"),
        ],
    )
    def test_the_store_of_the_version(self, disk: Callable[..., str], product: str, folder: str) -> None:
        assert operations(disk(product), remove_tokens=True) == (
            DeleteFile(path=rf"{folder}\tokens.dat", missing_ok=True),
            DeleteFile(path=rf"{folder}\cache\cache.dat", missing_ok=True),
        )

    def test_nothing_else_of_that_name(self, disk: Callable[..., str]) -> None:
        path = disk()
        with vdiskkit.open_vdisk(path) as opened:
            for other in (
                r"ProgramData\Microsoft\Windows\ClipSVC\tokens.dat",
                r"Windows\System32\spp\store\2.0\data.dat",
            ):
                assert opened.volume.find(other) is not None
        assert len(operations(path, remove_tokens=True)) == 2

    def test_stores_of_other_versions_too(self) -> None:
        """Whatever the licensing facts list as a store of Windows, in use or left over."""
        facts = _facts(
            (StoreKind.WINDOWS, True, r"W\spp\store\2.0"),
            (StoreKind.WINDOWS, False, r"W\spp\store"),
            (StoreKind.WINDOWS, None, r"W\spp\store_test\2.0"),
            (StoreKind.OFFICE, True, r"P\Office"),
        )
        found, _ = kms_prep_operations(KmsPrep(remove_tokens=True), facts)
        assert [item.path for item in found if isinstance(item, DeleteFile)] == [
            r"W\spp\store\2.0\TOKENS.DAT",
            r"W\spp\store\2.0\cache\cache.dat",
            r"W\spp\store\TOKENS.DAT",
            r"W\spp\store\cache\cache.dat",
            r"W\spp\store_test\2.0\TOKENS.DAT",
            r"W\spp\store_test\2.0\cache\cache.dat",
        ]

    def test_office_only_when_asked_for(self, disk: Callable[..., str]) -> None:
        path = disk("win7", software={"office": ["2010"], "office_bits": 32})
        without = vdiskkit.plan_kms_prep(path, remove_tokens=True)
        assert not any(item.path.startswith("ProgramData") for item in without.operations)
        assert f"Office's own token store is left as it is ({OFFICE}); --office includes it" in without.notes
        with_office = operations(path, remove_tokens=True, office=True)
        assert DeleteFile(path=rf"{OFFICE}\tokens.dat", missing_ok=True) in with_office

    def test_what_follows_is_told(self, disk: Callable[..., str]) -> None:
        plan = vdiskkit.plan_kms_prep(disk(), remove_tokens=True)
        assert any("slmgr /rilc" in note and "slmgr /ipk" in note for note in plan.notes)

    def test_a_store_that_cannot_be_read_is_no_empty_store(self, disk: Callable[..., str]) -> None:
        def spoil(editor: VolumeEditor) -> None:
            at = editor.place(editor.number(r"Windows\System32\spp\store\2.0\tokens.dat"))
            editor.data[at : at + 4] = b"BAAD"

        path = disk(edit=spoil)
        with pytest.raises(vdiskkit.CorruptStructureError, match="every token store can be removed is not known"):
            operations(path, remove_tokens=True)
        assert operations(path, skip_rearm=0)

    def test_none_there(self, disk: Callable[..., str]) -> None:
        folder = "Windows/System32/spp/store/2.0"
        plan = vdiskkit.plan_kms_prep(
            disk(removed=[f"{folder}/tokens.dat", f"{folder}/cache/cache.dat"]), remove_tokens=True
        )
        assert plan.empty
        assert plan.notes == ("no tokens.dat was found to remove",)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({}, "nothing was asked for"),
        ({"office": True}, "nothing was asked for"),
        ({"skip_rearm": 2}, "SkipRearm is 0, 1 or absent, not 2"),
        ({"skip_rearm": "0"}, "SkipRearm is 0, 1 or absent, not '0'"),
        ({"kms_port": 0}, "is no TCP port"),
        ({"kms_port": 65536}, "is no TCP port"),
        ({"kms_port": -1}, "is no TCP port"),
        ({"kms_port": ""}, "is no TCP port"),
        ({"kms_port": "١٢"}, "is no TCP port"),
        ({"kms_host": ""}, "it is no host name or address"),
        ({"kms_host": "a b"}, "it is no host name or address"),
        ({"kms_host": "kms.example.com\n"}, "it is no host name or address"),
        ({"kms_host": "kms.corp.local:1688"}, "it holds the port too, which has a value of its own"),
        ({"kms_host": "10.0.0.5:1688"}, "it holds the port too"),
        ({"kms_host": "[fd00::5]:1688"}, "it holds the port too"),
        ({"kms_host": "999.1.1.1"}, "it is no IP address"),
        ({"kms_host": "kms..x"}, "it is no host name or address"),
        ({"kms_host": "-kms"}, "it is no host name or address"),
        ({"kms_host": "kms_1-.x"}, "it is no host name or address"),
        ({"kms_host": "x" * 256}, "it is no host name or address"),
    ],
)
def test_impossible_wishes(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(vdiskkit.UsageError, match=message):
        kms_prep_operations(KmsPrep(**wanted), None)


def test_an_unreadable_image() -> None:
    with pytest.raises(vdiskkit.NotFoundError, match="no readable Windows installation"):
        kms_prep_operations(KmsPrep(skip_rearm=0), None)


def _facts(*stores: tuple[StoreKind, bool | None, str]) -> LicensingFacts:
    """The facts of a real disk with other stores."""
    from dataclasses import replace
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder, vdiskkit.open_vdisk(make("win10-private-mak", Path(folder))) as opened:
        licensing = opened.inspect().licensing
    assert licensing is not None
    made = tuple(
        TokenStoreFacts(
            path=path,
            kind=kind,
            used_by="x",
            active=active,
            exists=True,
            files=tuple(
                StoreFileFacts(path=f"{path}\\{name}", size=1, modified=None)
                for name in ("TOKENS.DAT", "data.dat", "cache\\cache.dat")
            ),
        )
        for kind, active, path in stores
    )
    return replace(licensing, token_stores=made)
