from __future__ import annotations

import pytest

from vdiskkit.windows.guest_path import guest_path, other_drive


@pytest.mark.parametrize(
    ("image_path", "expected"),
    [
        (r"\SystemRoot\System32\drivers\bnistack6.sys", r"Windows\System32\drivers\bnistack6.sys"),
        (r"system32\DRIVERS\CVhdMp.sys", r"Windows\system32\DRIVERS\CVhdMp.sys"),
        (r"%SystemRoot%\System32\x.exe -k netsvcs", r"Windows\System32\x.exe"),
        (
            r'"C:\Program Files\Citrix\Provisioning Services\BNDevice.exe" /s',
            r"Program Files\Citrix\Provisioning Services\BNDevice.exe",
        ),
        (
            r"C:\Program Files\Citrix\Provisioning Services\BNDevice.exe",
            r"Program Files\Citrix\Provisioning Services\BNDevice.exe",
        ),
        (r"\??\C:\Windows\System32\drivers\x.sys", r"Windows\System32\drivers\x.sys"),
        (r"D:\tools\x.exe", None),
        (r"%SystemDrive%\Program Files\Citrix\x.exe", r"Program Files\Citrix\x.exe"),
        (r'"%ProgramFiles%\Citrix\x.exe" -service', r"Program Files\Citrix\x.exe"),
        (r"%ProgramFiles(x86)%\Citrix\x.exe", r"Program Files (x86)\Citrix\x.exe"),
        (r"%CommonProgramFiles%\Citrix\x.exe", r"Program Files\Common Files\Citrix\x.exe"),
        (r"%windir%\x.exe", r"Windows\x.exe"),
        (r"%AllUsersProfile%\x.exe", r"ProgramData\x.exe"),
        (r"%SystemDrive%", None),
        (r"%PVS_HOME%\x.exe", None),
        (r"%SystemRoot%\%name%\x.exe", None),
        (r"\\server\share\x.exe", None),
        (r"\??\UNC\server\share\x.exe", None),
        (r"\Device\HarddiskVolume2\x.exe", None),
        (r"\\?\C:\tools\x.exe", r"tools\x.exe"),
        ("", None),
    ],
)
def test_image_paths_as_services_store_them(image_path: str, expected: str | None) -> None:
    assert guest_path(image_path, "Windows") == expected


def test_the_letter_of_the_windows_volume_is_the_images_own() -> None:
    assert guest_path(r"D:\tools\x.exe", "Windows", "d") == r"tools\x.exe"
    assert guest_path(r"C:\tools\x.exe", "Windows", "d") is None


@pytest.mark.parametrize(
    ("text", "other"),
    [
        (r"c:\pagefile.sys 0 0", False),
        (r"?:\pagefile.sys", False),
        (r"%SystemDrive%\pagefile.sys", False),
        (r"e:\pagefile.sys 4096 4096", True),
        (r"%CACHE%\pagefile.sys", None),
    ],
)
def test_which_drive_a_path_names(text: str, *, other: bool | None) -> None:
    assert other_drive(text) is other
