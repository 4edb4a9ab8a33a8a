from __future__ import annotations

import pytest

from vdiskkit.windows.target import guest_path


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
    ],
)
def test_image_paths_as_services_store_them(image_path: str, expected: str | None) -> None:
    assert guest_path(image_path, "Windows") == expected
