"""Events: told through logging to whoever set it up, at no cost and without a word to everybody else."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import vdiskkit
from tests.build.products import MAK, WINDOWS
from vdiskkit.events import Event, tell, wanted
from vdiskkit.licensing.secrets import mask_keys, names_secret

SAMPLE = Path(__file__).parents[3] / "sample_images" / "win10-private-mak.vhd"
GVLK = WINDOWS["win10"].key
HIDDEN = f"XXXXX-XXXXX-XXXXX-XXXXX-{MAK[-5:]}"


def test_text_of_an_event() -> None:
    event = Event("a.b", {"one": 1, "yes": True, "no": False, "none": None, "path": r"C:\x y\z", "bare": r"C:\z"})
    assert str(event) == r'a.b one=1 yes=true no=false path="C:\x y\z" bare=C:\z'
    assert str(Event("x", {"said": 'he "said"', "empty": "", "list": ["a", "b c"], "tuple": ()})) == (
        'x said="he ""said""" empty="" list=(a "b c") tuple=()'
    )
    assert str(Event("x", {"text": "a\nb\x1b \u202e##vso[x]"})) == r'x text="a\u{a}b\u{1b} \u{202e}\u{23}#vso[x]"'


def test_product_keys_are_hidden_in_every_field() -> None:
    event = Event("x", {"text": f"/ipk {MAK}", "list": [MAK, GVLK], "other": Path(MAK)})
    assert event.fields == {"text": f"/ipk {HIDDEN}", "list": [HIDDEN, GVLK], "other": HIDDEN}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (MAK, HIDDEN),
        (MAK.lower(), HIDDEN),
        (MAK.replace("-", ""), HIDDEN),
        (GVLK, GVLK),
        (GVLK.lower(), GVLK.lower()),
        (GVLK.replace("-", ""), GVLK.replace("-", "")),
        (f"{MAK};{GVLK}", f"{HIDDEN};{GVLK}"),
        (f"notes-{MAK}", "XXXXX-XXXXX-XXXXX-XXXXX-XXXXX"),
        ("00330-80000-00000-AA123", "00330-80000-00000-AA123"),
        ("b81829a6-9248-40ae-9f36-ec1599e507da", "b81829a6-9248-40ae-9f36-ec1599e507da"),
        ("0f2c79f6b5948bd931a8935d5b5b4f36756a6ff3", "0f2c79f6b5948bd931a8935d5b5b4f36756a6ff3"),
    ],
)
def test_masked_text(text: str, masked: str) -> None:
    assert mask_keys(text) == masked


def test_names_of_secrets() -> None:
    assert all(map(names_secret, ("DigitalProductId4", "DefaultPassword", "ClientSecret")))
    assert not any(map(names_secret, ("SkipRearm", "ProductId", "")))


def test_a_script_gets_what_it_asks_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for suffix in (".vhd", ".pvp"):
        shutil.copy(SAMPLE.with_suffix(suffix), tmp_path)
    disk = tmp_path / SAMPLE.name
    with caplog.at_level(logging.INFO, "vdiskkit"):
        result = vdiskkit.apply(vdiskkit.plan_kms_prep(disk, skip_rearm=0))
        vdiskkit.undo(disk)
        vdiskkit.recover(disk)
        with vdiskkit.open_vdisk(disk) as opened:
            vdiskkit.validate(opened)
    events = [record.msg for record in caplog.records if record.name.startswith("vdiskkit")]
    assert [event.name for event in events if event.name != "rule"] == [
        *("plan", "plan.item", "change.begin", *["change.step"] * 5, "change.item", "change.done"),
        *("undo.begin", *["undo.step"] * 5, "undo.done", "recover.begin", "recover.done"),
        *("finding", "verdict"),
    ]
    changes = {event.fields["change"] for event in events if event.name.startswith(("change.", "undo."))}
    assert changes == {str(result.change_id)}
    assert all(event.fields["disk"] == str(disk) for event in events)


def test_a_callback_that_fails_at_the_commit_takes_the_change_back(tmp_path: Path) -> None:
    for suffix in (".vhd", ".pvp"):
        shutil.copy(SAMPLE.with_suffix(suffix), tmp_path)
    disk = tmp_path / SAMPLE.name
    before = disk.read_bytes()

    def stop(step: str) -> None:
        if step == "commit":
            raise RuntimeError("planted")

    with pytest.raises(RuntimeError):
        vdiskkit.apply(vdiskkit.plan_kms_prep(disk, skip_rearm=0), progress=stop)
    assert disk.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "logging")
    assert not wanted("patch", "critical")
    tell("patch", "x")
    assert "logging" not in sys.modules


@pytest.mark.thorough
@pytest.mark.parametrize("first", ["", "import logging; "])
def test_a_script_that_sets_nothing_up_sees_nothing(tmp_path: Path, first: str) -> None:
    for suffix in (".vhd", ".pvp"):
        shutil.copy(SAMPLE.with_suffix(suffix), tmp_path)
    code = (
        f"{first}import sys, vdiskkit\n"
        "vdiskkit.apply(vdiskkit.plan_kms_prep(sys.argv[1], skip_rearm=0)); vdiskkit.undo(sys.argv[1])\n"
        "with vdiskkit.open_vdisk(sys.argv[1]) as disk: vdiskkit.validate(disk)\n"
        "import logging; assert not logging.getLogger().handlers\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / SAMPLE.name)],
        cwd=Path(vdiskkit.__file__).parents[1],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
