"""Every field of a side-car as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.report.layout import Row, moment, quoted, render, size_text
from vdiskkit.report.text_pair import pvp_problems, pvp_summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.pvp.facts import PvpFacts, PvpTime
    from vdiskkit.report.style import Style

__all__ = ["pvp_lines"]


def pvp_lines(facts: PvpFacts, path: str, style: Style) -> list[str]:
    """Set a side-car as lines.

    Args:
        facts: The side-car.
        path: Where it lies.
        style: What the place of the output can show.
    """
    return render(_rows(facts, path), style)


def _rows(facts: PvpFacts, path: str) -> Iterator[Row]:
    yield Row("pvp", path, level=0)
    yield Row("summary", pvp_summary(facts), "plain" if facts.plausible else "warning")
    yield from pvp_problems(facts)
    size = "not plausible" if facts.disk_size_bytes is None else size_text(facts.disk_size_bytes)
    geometry = f"{facts.cylinders}/{facts.heads}/{facts.sectors_per_track}"
    yield Row("disk size", f"{size}: {facts.total_sectors} sectors of {facts.sector_size} bytes, geometry {geometry}")
    yield Row("block size", f"{facts.vhd_block_size} bytes")
    for label, text in (
        ("description", facts.description),
        ("title", facts.title),
        ("author", facts.author),
        ("company", facts.company),
        ("date", facts.date),
        ("internal name", facts.internal_name),
        ("original file", facts.original_file),
        ("hardware target", facts.hardware_target),
        ("serial number", facts.serial_number),
        ("class", facts.disk_class),
        ("image type", facts.image_type),
    ):
        yield Row(label, quoted(text) if text else "empty")
    yield Row("release", f"{facts.major_release}.{facts.minor_release}.{facts.build}")
    yield Row("changed", _time(facts.properties_update_time))
    yield Row("activation", _activation(facts))
    yield Row("AD password", f"management {_switch(facts.ad_password_enabled)}")
    yield Row("auto update", _switch(facts.auto_update_enabled))
    yield Row("printers", f"management {_switch(facts.printer_management_enabled)}")
    yield Row(
        "multicast",
        f"enable {facts.enable_multicast}, address {facts.multicast_address}, "
        f"time to live {facts.multicast_time_to_live}, invite type {facts.multicast_invite_type}, "
        f"invite period {facts.multicast_invite_period}",
    )
    yield Row("network card", _network_card(facts))
    yield Row("other", _other(facts))
    yield Row("names area", f"{facts.object_names_size} bytes, changed {_time(facts.object_names_update_time)}")
    yield Row("format", _format(facts))
    yield Row("file size", f"{facts.file_size} bytes, {facts.tail_size} of them after the footer")
    for area in facts.unknown_areas:
        text = (
            f"{area.name}: {area.size} bytes at {area.offset}, {area.used_bytes} of them not zero; meaning not public"
        )
        yield Row("unknown area", text)
    if facts.texts_with_residue:
        yield Row("residue", f"behind the end mark of {', '.join(facts.texts_with_residue)}")


def _switch(value: bool | None) -> str:  # noqa: FBT001 - the value is what is shown
    return {True: "on", False: "off", None: "unknown"}[value]


def _time(time: PvpTime) -> str:
    if time.time is not None:
        return f"{moment(time.time)} (stored as {time.unit} time {time.raw})"
    return "not set" if time.unit == "unset" else f"unit unknown, stored as {time.raw}"


def _activation(facts: PvpFacts) -> str:
    stored = f"day {facts.activation_day}, month {facts.activation_month}, year {facts.activation_year}"
    date = facts.activation_date or f"no date ({stored})"
    return f"{_switch(facts.activation_date_enabled)}, {date}"


def _network_card(facts: PvpFacts) -> str:
    return (
        f"vendor {facts.nic_vendor_id:04x}, device {facts.nic_device_id:04x}, "
        f"bus/device/function {facts.nic_bus_dev_function:04x}, base io {facts.nic_base_io:04x}, irq {facts.nic_irq}"
    )


def _other(facts: PvpFacts) -> str:
    return (
        f"IPsec {facts.enable_ipsec}, port blocker {facts.port_blocker_enabled}, OS type {facts.os_type}, "
        f"licence mask {facts.license_mask:#x}, device mask {facts.device_mask:#x}"
    )


def _format(facts: PvpFacts) -> str:
    return (
        f"signature {facts.signature}, header {facts.header_version}, properties {facts.properties_version}, "
        f"footer {facts.footer_version}, reserved {facts.reserved}"
    )
