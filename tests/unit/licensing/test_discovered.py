from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.build.files import unattend
from tests.build.hive import HiveBuilder
from tests.build.products import MAK, WINDOWS
from tests.build.state import state_volume
from tests.build.windows import WINDOWS_APP, network_service_hive, put, sku_id
from vdiskkit.facts import NoticeLog
from vdiskkit.io import BytesSource
from vdiskkit.licensing import discovered
from vdiskkit.licensing.discovered import read_answer_files, read_discovered_hosts, skip_rearm_setting
from vdiskkit.ntfs import NtfsVolume
from vdiskkit.registry import Hive
from vdiskkit.windows.image import WindowsImage

if TYPE_CHECKING:
    from vdiskkit.licensing.witness_facts import AnswerFileFacts

SERVICE = r"Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
SECOND = "Windows/System32/sysprep/second.xml"
SECRETS = ("not-to-be-shown", MAK, "PVS-MASTER01")


def answer_files(**arguments: Any) -> tuple[dict[str, AnswerFileFacts], NoticeLog]:
    log = NoticeLog()
    image = WindowsImage(NtfsVolume(BytesSource(bytes(state_volume(**arguments)))))
    files = read_answer_files(image, log)
    assert files is not None
    assert len({file.path for file in files}) == len(files)
    return {file.path: file for file in files}, log


# answer files


def test_the_usual_places() -> None:
    files, log = answer_files()
    assert {path: file.skip_rearm for path, file in files.items()} == {
        r"Windows\Panther\unattend.xml": 0,
        r"Windows\Panther\Unattend\unattend.xml": None,  # empty
        r"Windows\System32\sysprep\unattend.xml": 0,
    }
    assert all(file.problem is None for file in files.values())
    assert log.notices() == ()


def test_every_place_that_windows_looks_at() -> None:
    keep = [SECOND, "unattend.xml", "autounattend.xml"]
    files, _ = answer_files(keep=keep, files=dict.fromkeys(keep, unattend(skip_rearm=True)))
    assert {path for path, file in files.items() if file.skip_rearm == 1} == {path.replace("/", "\\") for path in keep}


@pytest.mark.parametrize(
    "named", [r"C:\pagefile.sys", r"c:\PAGEFILE.SYS", r"D:\answers.xml", "nowhere.xml", "\\\\server\\x.xml", ":"]
)
def test_the_file_that_setup_was_given(named: str) -> None:
    files, _ = answer_files(files={"pagefile.sys": unattend(skip_rearm=True)}, system_keys={"answer_file": named})
    assert [file.skip_rearm for file in files.values()].count(1) == ("pagefile" in named.lower())


def test_nothing_but_the_setting_is_shown() -> None:
    content = unattend(skip_rearm=True, product_key=MAK)
    assert all(secret.encode() in content for secret in SECRETS)
    broken = content.replace(b"</unattend>", b"")
    files, log = answer_files(
        keep=[SECOND], files={"Windows/Panther/unattend.xml": content, SECOND: broken}, system={"computer": "OTHER"}
    )
    assert files[r"Windows\Panther\unattend.xml"].skip_rearm == 1
    assert files[r"Windows\System32\sysprep\second.xml"].problem == "it is no well-formed XML"
    shown = str(files) + str(log.notices())
    assert "well-formed" in str(log.notices())
    assert not [secret for secret in SECRETS if secret in shown]


def test_large_files_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovered, "MAX_ANSWER_BYTES", 1000)
    files, log = answer_files()
    read = [file for file in files.values() if file.problem is None]
    assert sum(file.size for file in read) <= 1000
    assert len(log.notices()) == len(files) - len(read) > 0


@pytest.mark.parametrize(
    ("data", "setting", "problem"),
    [
        (b"", None, False),
        (bytes(4096), None, False),
        (b"\r\n", None, False),
        (unattend(skip_rearm=True), 1, False),
        (unattend(skip_rearm=False), 0, False),
        (unattend(skip_rearm=True).decode().replace("utf-8", "utf-16").encode("utf-16"), 1, False),
        (b"<unattend/>", None, False),
        (b"<a><SkipRearm>0</SkipRearm><b><skiprearm> 1 </skiprearm></b></a>", 1, False),
        (b"<a><SkipRearm>true</SkipRearm></a>", None, True),
        (b"<a><SkipRearm/></a>", None, True),
        (b"<a><SkipRearm>0</SkipRearm><SkipRearm>x</SkipRearm></a>", 0, True),
        (b"<a>" * 100_000, None, True),
        (b"<a>" * 50_000 + b"</a>" * 50_000, None, False),
        (b"not xml", None, True),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', None, True),
        (b'<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;">]><a><SkipRearm>&c;</SkipRearm></a>', None, True),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', None, True),
    ],
)
def test_settings(data: bytes, setting: int | None, problem: bool) -> None:
    found, why = skip_rearm_setting(data)
    assert found == setting
    assert (why is not None) == problem


@given(st.binary(max_size=400) | st.text(alphabet="<>/a='&;!-[]SkipRearm1", max_size=200).map(str.encode))
def test_any_bytes_are_an_answer_file_or_not(data: bytes) -> None:
    setting, why = skip_rearm_setting(data)
    assert setting is None or setting >= 0
    assert why is None or "\n" not in why


# cached hosts


def test_the_host_that_was_found_last() -> None:
    hive = Hive(BytesSource(network_service_hive("win10", "10.20.30.40")))
    (host,) = read_discovered_hosts(None, hive, SERVICE, NoticeLog())
    assert host.key == rf"HKU\S-1-5-20\Software\{SERVICE}\{WINDOWS_APP}\{sku_id(WINDOWS['win10'])}"
    assert (host.app_id, host.sku_id) == (WINDOWS_APP, sku_id(WINDOWS["win10"]))
    assert (host.host, host.address, host.port) == ("kms.example.com", "10.20.30.40", "1688")
    assert host.written is not None


def test_no_host_was_found() -> None:
    builder = HiveBuilder(5, "NTUSER.DAT")
    builder.key(rf"Software\{SERVICE}\{WINDOWS_APP}\{sku_id(WINDOWS['win10'])}")
    assert read_discovered_hosts(None, Hive(BytesSource(builder.build())), SERVICE, NoticeLog()) == ()


def test_hosts_at_every_level_and_in_both_hives() -> None:
    def hive(path: str) -> Hive:
        builder = HiveBuilder(5)
        for level, below in enumerate(("", rf"\{WINDOWS_APP}", rf"\{WINDOWS_APP}\some-sku")):
            put(builder, path + below, {"DiscoveredKeyManagementServiceName": f"kms{level}"})
        return Hive(BytesSource(builder.build()))

    found = read_discovered_hosts(hive(SERVICE), hive(rf"Software\{SERVICE}"), SERVICE, NoticeLog())
    assert [host.host for host in found] == ["kms0", "kms1", "kms2"] * 2
    assert [host.sku_id for host in found] == [None, None, "some-sku"] * 2
    assert [host.key.split("\\")[0] for host in found] == ["HKU"] * 3 + ["HKLM"] * 3


def test_hosts_of_any_number_of_products_are_read() -> None:
    builder = HiveBuilder(5)
    for number in range(700):
        put(builder, rf"Software\{SERVICE}\{WINDOWS_APP}\s{number:03}", {"DiscoveredKeyManagementServiceName": "kms"})
    log = NoticeLog()
    assert len(read_discovered_hosts(None, Hive(BytesSource(builder.build())), SERVICE, log)) == 700
    assert log.notices() == ()


def test_a_damaged_hive_is_noted() -> None:
    data = network_service_hive("win10")
    hive = Hive(BytesSource(data[:4096] + b"\xff" * (len(data) - 4096)))
    log = NoticeLog()
    assert read_discovered_hosts(None, hive, SERVICE, log) == ()
    assert [notice.code for notice in log.notices()] == ["licensing.discovered_unreadable"]
