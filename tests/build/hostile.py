"""Texts that do harm where they are shown raw, and where a test image can hold them.

Each text carries the mark ``PLANTED``; an output is safe when no line begins with it or with a command of a build
server, no control character gets through, and markup stays text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from tests.build.hive import REG_SZ, HiveBuilder
from tests.build.windows import CURRENT_VERSION, UNINSTALL, WINDOWS_APP, put

if TYPE_CHECKING:
    from pathlib import Path

    from tests.build.volume_edit import VolumeEditor

MARK = "PLANTED"
TEXTS = (
    f"\x1b[2J\x1b[31m{MARK}\x1b]0;title\x07",
    f"{MARK}\r\n::error file=app.py,line=1::{MARK}",
    f"{MARK}\n##vso[task.setvariable variable=PATH]{MARK}",
    f"<script>alert('{MARK}')</script>&amp;\"'",
    f"=cmd|'/c {MARK}'!A1",
    f"\u202e{MARK}\u2066\u200b\ufeff",
    f"\x9b31m{MARK}\x85\u2028next\u2029",
    f"lone \ud800 surrogate {MARK}\udfff",
    f"%s %n {{0}} {{{{7*7}}}} ${{jndi:x}} {MARK}",
    f"]]>{MARK}<!-- -->",
    f"[link](javascript:{MARK}) `code` |table| **bold**",
)
LABEL = "\x1b[7m\u202e!"
PARTITION_NAME = f"\x1b[5m{MARK}\n::warning::\u202e"


def spoil_software(builder: HiveBuilder) -> None:
    """Put the texts where SOFTWARE has names and values that are shown."""
    service = rf"{CURRENT_VERSION}\SoftwareProtectionPlatform"
    put(builder, CURRENT_VERSION, {"ProductName": TEXTS[0], "EditionID": TEXTS[1], "DisplayVersion": TEXTS[2]})
    put(builder, CURRENT_VERSION, {"InstallationType": TEXTS[3], "ProductId": TEXTS[5], "RegisteredOwner": TEXTS[7]})
    put(builder, service, {"KeyManagementServiceName": TEXTS[1], "KeyManagementServicePort": TEXTS[4]})
    put(builder, service, {"KeyManagementServiceLookupDomain": TEXTS[7], "BackupProductKeyDefault": TEXTS[8]})
    for number, text in enumerate(TEXTS):
        key = (*CURRENT_VERSION.split("\\"), "SoftwareProtectionPlatform", WINDOWS_APP, text)
        builder.set(key, "KeyManagementServiceName", REG_SZ, _utf16(text))
        builder.set(key, text, REG_SZ, _utf16(f"{text} {number}"))
        builder.set((*UNINSTALL.split("\\"), text), "DisplayName", REG_SZ, _utf16(text))
    # Text without an end mark, of odd length, with a NUL inside.
    builder.set(f"{CURRENT_VERSION}\\Odd", "unterminated", REG_SZ, _utf16(TEXTS[0])[:-2])
    builder.set(f"{CURRENT_VERSION}\\Odd", "odd length", REG_SZ, _utf16(MARK) + b"x")
    builder.set(f"{CURRENT_VERSION}\\Odd", "inner end", REG_SZ, _utf16(f"{MARK}\0{TEXTS[1]}"))
    office = r"Microsoft\Office\15.0\Registration\{90150000-0011-0000-1000-0000000FF1CE}"
    put(builder, office, {"ProductName": TEXTS[1], "ProductID": TEXTS[3]})
    put(builder, r"Microsoft\Office\ClickToRun\Configuration", {"ProductReleaseIds": f"{TEXTS[0]},{TEXTS[3]}"})
    put(builder, r"Citrix\ProvisioningServices", {"ProductVersion": TEXTS[2]})


def spoil_system(builder: HiveBuilder) -> None:
    """Put the texts into SYSTEM."""
    services = r"ControlSet001\Services"
    builder.expand(rf"{services}\BNDevice", "ImagePath", TEXTS[1])
    builder.expand(rf"{services}\bnistack", "ImagePath", f"System32\\drivers\\{TEXTS[0]}.sys")
    put(builder, r"ControlSet001\Control\Session Manager\Environment", {"PROCESSOR_ARCHITECTURE": TEXTS[6]})


def spoil_volume(editor: VolumeEditor) -> None:
    """Change the volume's label, and one file name to one with a lone surrogate."""
    record = editor.record(3)
    label = editor.find(record, 0x60)
    start, length = editor.value(record, label)
    encoded = _utf16(LABEL)[:-2]
    assert len(encoded) == length, "the label must keep its length"
    record[start : start + length] = encoded
    editor.put_record(3, record)
    editor.rename("Users\\Public\\noncharacter\uffff", "noncharacter\ud800")


def pvp_texts() -> dict[str, Any]:
    """Fields of a side-car."""
    names = ("description", "author", "title", "company", "internal_name", "original_file", "date", "serial_number")
    texts: dict[str, Any] = {name: text[:36] for name, text in zip(names, TEXTS, strict=False)}
    texts["description"] = "\n".join(TEXTS)[:390]
    return {**texts, "disk_class": TEXTS[1][:40], "image_type": TEXTS[7][:40], "signature": b"\x1b[31m\r\n!"}


def manifest(disk: Path) -> str:
    """An export manifest with the texts, as far as XML can hold them."""
    text = escape("".join(char for char in " ".join(TEXTS) if char in "\n\t" or " " <= char < "\ud800"))
    return f"""<?xml version="1.0" encoding="utf-8"?>
<versionManifest>
  <startingVersion>0</startingVersion>
  <version>
    <versionNumber>0</versionNumber>
    <description>{text}</description>
    <type>0</type>
    <access>0</access>
    <createDate>{escape(TEXTS[3])}</createDate>
    <scheduledDate>::error::{MARK}</scheduledDate>
    <deleteWhenFree>0</deleteWhenFree>
    <diskFileName>{disk.name}</diskFileName>
    <size>{disk.stat().st_size}</size>
    <lastWriteTime>2023-06-14T09:30:00</lastWriteTime>
  </version>
</versionManifest>
"""


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass") + b"\0\0"
