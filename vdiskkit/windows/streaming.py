r"""What streamed boots leave in an image, and what disturbs them: Personality.ini, PVSAgent, MCS IO, SCSI adapters."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from vdiskkit.windows.facts import ServiceFacts
from vdiskkit.windows.state_facts import PersonalityFacts, ScsiAdapterFacts, StreamingFacts
from vdiskkit.windows.values import number_value, text_value

if TYPE_CHECKING:
    from vdiskkit.ntfs import NtfsFile
    from vdiskkit.registry import RegistryKey
    from vdiskkit.windows.state import StateReader

__all__ = ["MCS_IO_SERVICE", "SCSI_ADAPTERS", "personality_values", "read_scsi_adapters", "read_streaming"]

MCS_IO_SERVICE = "CtxMcsWbc"
"""Filter driver of the Machine Creation Services write-back cache."""

SCSI_ADAPTERS = r"Control\Class\{4D36E97B-E325-11CE-BFC1-08002BE10318}"
_PERSONALITY = "Personality.ini"
_PERSONALITY_LIMIT = 64 * 1024
_INSTANCE = re.compile(r"[0-9]{4}")
"""How Windows numbers the devices of a class."""
_TEXT_LIMIT = 200
_BOMS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"), (codecs.BOM_UTF8, "utf-8"))


def read_streaming(reader: StateReader) -> StreamingFacts:
    """Gather what streamed boots left behind."""
    agent: tuple[bool | None, int | None, str | None] = (None, None, None)
    service = None
    if reader.control_set is not None:
        agent = reader.attempt("PVSAgent", lambda: _agent(reader), agent)
        service = reader.attempt(f"the service {MCS_IO_SERVICE}", lambda: _service(reader, MCS_IO_SERVICE), None)
    return StreamingFacts(
        personality=reader.attempt(_PERSONALITY, lambda: _personality(reader), None),
        agent_present=agent[0],
        agent_write_cache_type=agent[1],
        agent_disk_name=agent[2],
        mcs_io=service,
    )


def read_scsi_adapters(reader: StateReader) -> tuple[ScsiAdapterFacts, ...] | None:
    """Gather the instances of the SCSI adapter class; None when they cannot be read."""
    if reader.control_set is None:
        return None
    return reader.attempt("SCSI adapter instances", lambda: _adapters(reader), None)


def personality_values(data: bytes) -> dict[str, str]:
    """Return the values of a ``Personality.ini`` by lower-case name; the first of a name counts."""
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    text = data.decode(encoding, "replace").removeprefix("\ufeff")
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith((";", "[")):
            values.setdefault(name.strip().casefold(), value.strip()[:_TEXT_LIMIT])
    return values


def _agent(reader: StateReader) -> tuple[bool | None, int | None, str | None]:
    key = reader.current(r"Services\bnistack\PVSAgent")
    return key is not None, number_value(key, "WriteCacheType"), text_value(key, "DiskName")


def _service(reader: StateReader, name: str) -> ServiceFacts:
    key = reader.current(rf"Services\{name}")
    return ServiceFacts(
        name=name, present=key is not None, start=number_value(key, "Start"), image_path=text_value(key, "ImagePath")
    )


def _personality(reader: StateReader) -> PersonalityFacts:
    file = reader.image.volume.find(_PERSONALITY)
    if file is None or file.is_directory:
        return PersonalityFacts(
            path=_PERSONALITY,
            present=False,
            modified=None,
            disk_mode=None,
            disk_name=None,
            write_cache_type=None,
            problem=None,
        )
    values, problem = _personality_file(file)
    return PersonalityFacts(
        path=file.path,
        present=True,
        modified=file.modified,
        disk_mode=values.get("$diskmode") or values.get("_diskmode"),
        disk_name=values.get("$diskname"),
        write_cache_type=values.get("$writecachetype"),
        problem=problem,
    )


def _personality_file(file: NtfsFile) -> tuple[dict[str, str], str | None]:
    size = file.size
    if size > _PERSONALITY_LIMIT:
        return {}, f"it has {size} bytes, more than {_PERSONALITY_LIMIT} are not read"
    return personality_values(file.open().read_at(0, size)), None


def _adapters(reader: StateReader) -> tuple[ScsiAdapterFacts, ...]:
    key = reader.current(SCSI_ADAPTERS)
    if key is None:
        return ()
    # Besides the devices there is "Properties".
    return tuple(_adapter(instance) for instance in key.subkeys() if _INSTANCE.fullmatch(instance.name))


def _adapter(key: RegistryKey) -> ScsiAdapterFacts:
    description, provider, device, inf = (
        text_value(key, name) for name in ("DriverDesc", "ProviderName", "MatchingDeviceId", "InfPath")
    )
    said = [_is_citrix(text) for text in (description, provider) if text]
    return ScsiAdapterFacts(
        instance=key.name,
        description=description,
        provider=provider,
        device_id=device,
        inf_file=inf,
        streaming=any(said) or (device is not None and ("cvhdmp" in device.casefold() or _is_citrix(device))),
        mixed=any(said) and not all(said),
    )


def _is_citrix(text: str) -> bool:
    return "citrix" in text.casefold()
