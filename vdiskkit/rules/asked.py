"""What a profile asks to be read besides the inspection: single registry values and files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.errors import FileMissingError, FormatError, NotFoundError, ReadLimitError, VDiskError

if TYPE_CHECKING:
    from vdiskkit.rules.profile import Profile
    from vdiskkit.vdisk import VDisk
    from vdiskkit.windows.image import WindowsImage

__all__ = ["Asked", "AskedFile", "AskedValue", "read_asked"]

_PRODUCT_KEY = re.compile(
    r"(?<![A-Z0-9])[BCDFGHJKMNPQRTVWXY2346789]{5}(?:-[BCDFGHJKMNPQRTVWXY2346789]{5}){4}(?![A-Z0-9])"
)


class AskedValue(NamedTuple):
    """One registry value that the profile names.

    Attributes:
        present: Whether it exists; None when that cannot be read.
        type: Registry type, None when absent.
        data: Number, text, texts or hex text, None when absent.
        shown: The data as it may be shown: product keys that are no published GVLKs are masked.
        problem: Why it cannot be read.
    """

    present: bool | None
    type: str | None = None
    data: int | str | tuple[str, ...] | None = None
    shown: str = ""
    problem: str | None = None


class AskedFile(NamedTuple):
    """One file that the profile names: whether it exists (None: cannot be read), and why that cannot be read."""

    present: bool | None
    problem: str | None = None


class Asked(NamedTuple):
    """What was read; the keys are as the profile writes them."""

    values: dict[tuple[str, str], AskedValue]
    files: dict[str, AskedFile]


def read_asked(disk: VDisk, profile: Profile) -> Asked:
    """Read the registry values and files that a profile names; what cannot be read says why.

    Raises:
        ReadLimitError: The read budget ran out.
    """
    return Asked(
        {(wanted.key, wanted.name): _value(disk, wanted.key, wanted.name) for wanted in profile.registry},
        {path: _file(disk, path) for path in (*profile.files_present, *profile.files_absent)},
    )


def _value(disk: VDisk, key: str, name: str) -> AskedValue:
    try:
        image = disk.windows_image()
        if image is None:
            return AskedValue(None, problem="no Windows was found in the image")
        return _stored(image, key, name)
    except ReadLimitError:
        raise
    except (FormatError, FileMissingError) as exc:
        return AskedValue(None, problem=exc.message)


def _stored(image: WindowsImage, key: str, name: str) -> AskedValue:
    from vdiskkit.licensing.registry_values import fact_data

    path = image.resolve(key)
    # Not find_key: a hive that is not there leaves the question open, a key that is not there answers it.
    found = image.registry(path.hive).find(path.key)
    value = found.value(name) if found is not None else None
    if value is None:
        return AskedValue(present=False)
    data = fact_data(value)
    return AskedValue(present=True, type=value.type_name, data=data, shown=_shown(name, data))


def _shown(name: str, data: int | str | tuple[str, ...]) -> str:
    from vdiskkit.licensing.installed_key import shown_key

    if name.casefold().startswith("digitalproductid"):
        return "(product key data, not shown)"
    if isinstance(data, int):
        return str(data)
    texts = (data,) if isinstance(data, str) else data
    return ", ".join(
        f'"{_PRODUCT_KEY.sub(lambda match: shown_key(match.group(), show=False) or "", text)}"' for text in texts
    )


def _file(disk: VDisk, path: str) -> AskedFile:
    try:
        return AskedFile(disk.volume.find(path) is not None)
    except ReadLimitError:
        raise
    except NotFoundError as exc:
        return AskedFile(None, exc.message)
    except VDiskError as exc:
        return AskedFile(None, exc.message)
