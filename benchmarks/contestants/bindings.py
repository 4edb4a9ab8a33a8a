"""The libvhdi, libfsntfs and libregf bindings: SkipRearm; with ``all`` also the KMS host and two token store sizes."""
# ruff: noqa: ANN001, ANN201, ANN204, D101, D102, D103, FBT002 - a contestant, as short as its user would write it

import sys

import pyfsntfs
import pyregf
import pyvhdi

SERVICE = "\\Microsoft\\Windows NT\\CurrentVersion\\SoftwareProtectionPlatform"
ROAMING = "\\Windows\\ServiceProfiles\\NetworkService\\AppData\\Roaming\\Microsoft"
STORES = ("\\Windows\\System32\\spp\\store\\2.0\\tokens.dat", ROAMING + "\\SoftwareProtectionPlatform\\tokens.dat")


class Partition:  # the bindings take no offset, so the first GPT partition becomes a file object
    def __init__(self, disk):
        disk.seek(1024 + 32)
        self.start, last = (int.from_bytes(disk.read(8), "little") * 512 for _ in range(2))
        self.disk, self.size, self.place = disk, last + 512 - self.start, 0

    def seek(self, offset, whence=0):
        self.place = offset + (0, self.place, self.size)[whence]

    def tell(self):
        return self.place

    def get_size(self):
        return self.size

    def read(self, size):
        self.disk.seek(self.start + self.place)
        data = self.disk.read(min(size, self.size - self.place))
        self.place += len(data)
        return data


def answer(image, everything=False):
    disk = pyvhdi.file()
    disk.open(image)
    volume = pyfsntfs.volume()
    volume.open_file_object(Partition(disk))
    hive = pyregf.file()
    hive.open_file_object(volume.get_file_entry_by_path("\\Windows\\System32\\config\\SOFTWARE"))
    key = hive.get_key_by_path(SERVICE)
    answers = [key.get_value_by_name("SkipRearm").get_data_as_integer()]
    if everything:
        answers.append(key.get_value_by_name("KeyManagementServiceName").get_data_as_string())
        answers += [volume.get_file_entry_by_path(path).get_size() for path in STORES]
    return answers


if __name__ == "__main__":
    print(*answer(sys.argv[1], "all" in sys.argv[2:]))
