"""Registry hives: base block, keys, values, and their text form; read-only and lazy."""

from vdiskkit.registry.base_block import BaseBlock
from vdiskkit.registry.hive import LOG_ENDINGS, Hive, HiveLimits
from vdiskkit.registry.key import RegistryKey
from vdiskkit.registry.value import RegistryValue
from vdiskkit.registry.value_types import RegistryData, type_name

__all__ = [
    "LOG_ENDINGS",
    "BaseBlock",
    "Hive",
    "HiveLimits",
    "RegistryData",
    "RegistryKey",
    "RegistryValue",
    "type_name",
]
