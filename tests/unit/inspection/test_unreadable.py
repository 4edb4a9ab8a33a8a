"""What cannot be read is no proof of anything: nothing is called absent or done because of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.build.pair import write_pair
from tests.build.scenario import make, windows_disk
from tests.build.windows import service_key
from vdiskkit import open_vdisk
from vdiskkit.facts import Notice
from vdiskkit.inspection.facts import Inspection, StepState
from vdiskkit.inspection.procedure import read_procedure
from vdiskkit.report.style import Style
from vdiskkit.report.text import inspection_lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.build.hive import HiveBuilder

CLICK_TO_RUN = r"Microsoft\Office\ClickToRun\Configuration"


def inspected(folder: Path, edit: Callable[[HiveBuilder], object]) -> Inspection:
    raw = windows_disk("win10", software={"edit": edit, "office": ["2021"]})
    with open_vdisk(write_pair(folder, "damaged", raw, pvp={})) as disk:
        return disk.inspect()


def text(inspection: Inspection) -> str:
    return "\n".join(inspection_lines(inspection, Style()))


def test_kms_settings_behind_damage_are_not_called_absent(tmp_path: Path) -> None:
    facts = inspected(tmp_path, lambda builder: builder.fault("list-signature", service_key("win10")))
    assert "licensing.kms_unreadable" in {notice.code for notice in facts.notices}
    shown = text(facts)
    assert "none stored" not in shown
    assert "not all KMS settings can be read: whether one is stored is not determinable" in shown


def test_office_behind_damage_is_not_called_absent(tmp_path: Path) -> None:
    facts = inspected(tmp_path, lambda builder: builder.fault("value-count", CLICK_TO_RUN, argument=0x7FFFFFFF))
    assert "licensing.office_unreadable" in {notice.code for notice in facts.notices}
    assert facts.licensing is not None
    assert not facts.licensing.office
    assert "no Office found" not in text(facts)
    assert [facts.procedure[number].state for number in (5, 6)] == [StepState.UNKNOWN, StepState.UNKNOWN]


def test_a_token_store_that_cannot_be_read_is_not_called_clean(tmp_path: Path) -> None:
    with open_vdisk(make("faulty", tmp_path)) as disk:
        facts = disk.inspect()
    told = (facts.windows, facts.licensing, facts.pvp, facts.pair)
    assert read_procedure(*told)[1].state is StepState.NOT_DONE
    assert read_procedure(*told, unread={"licensing.store_unreadable"})[1].state is StepState.UNKNOWN
    assert "holds no tokens.dat" in text(facts)
    unread = Notice(code="licensing.store_unreadable", message="the folder cannot be read", location=None)
    assert "holds no tokens.dat" not in text(replace(facts, notices=(unread,), procedure=()))


def test_a_volume_that_cannot_be_read_may_hold_a_windows(tmp_path: Path) -> None:
    with open_vdisk(make("bitlocker", tmp_path)) as disk:
        facts = disk.inspect()
    assert facts.procedure[0].state is StepState.UNKNOWN
    assert "windows not determinable: partition 1 cannot be read: the volume is encrypted" in " ".join(
        text(facts).split()
    )
    with open_vdisk(make("linux", tmp_path)) as disk:
        assert disk.inspect().procedure[0].state is StepState.NOT_DONE
