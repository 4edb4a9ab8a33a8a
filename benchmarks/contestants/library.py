"""vdiskkit as a library: SkipRearm, KMS host and two token store sizes."""

import sys

import vdiskkit

SERVICE = r"Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
ROAMING = r"Windows\ServiceProfiles\NetworkService\AppData\Roaming\Microsoft"
STORES = (r"Windows\System32\spp\store\2.0\tokens.dat", ROAMING + r"\SoftwareProtectionPlatform\tokens.dat")


def answer(image: str) -> list[object]:
    """Open the disk, return the four answers, close it."""
    with vdiskkit.open_vdisk(image) as disk:
        key = disk.windows.registry("SOFTWARE").key(SERVICE)
        values = [key.value(name) for name in ("SkipRearm", "KeyManagementServiceName")]
        answers: list[object] = [value.data for value in values if value is not None]
        return answers + [disk.volume.lookup(path).size for path in STORES]


if __name__ == "__main__":
    print(*answer(sys.argv[1]))
