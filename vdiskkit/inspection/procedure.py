"""The eight steps that prepare a vDisk for KMS, and what an image shows of each.

A step is ``done`` or ``not_done`` only where the image proves it. Activation, the client machine id and the rearm count
are in an encrypted store, and what PVS does at the switch to Standard mode leaves no trace: steps that only change
those stay ``unknown``, with what little there is as evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.inspection.facts import ProcedureStep, StepState
from vdiskkit.inspection.preparation import judge_preparation
from vdiskkit.licensing.facts import StoreKind

if TYPE_CHECKING:
    from collections.abc import Collection

    from vdiskkit.licensing.facts import LicensingFacts, OfficeFacts, ProductKeyFacts, TokenStoreFacts
    from vdiskkit.pair.facts import PairFacts
    from vdiskkit.pvp.facts import PvpFacts
    from vdiskkit.windows.facts import WindowsFacts

__all__ = ["read_procedure"]

_OFFICE = "licensing.office_unreadable"
_Result = tuple[StepState, str]

_TITLES = (
    "Create the vDisk with licence mode KMS",
    "Clean the activation state (tokens.dat)",
    "Install the KMS client key of Windows",
    "Test the activation",
    "Rearm Windows",
    "Install the KMS client key of Office",
    "Rearm Office",
    "Switch to Standard mode",
)


def read_procedure(
    windows: WindowsFacts | None,
    licensing: LicensingFacts | None,
    pvp: PvpFacts | None,
    pair: PairFacts | None,
    *,
    unread: Collection[str] = (),
) -> tuple[ProcedureStep, ...]:
    """Judge the eight steps by facts alone.

    Args:
        windows: What is known of the installation.
        licensing: What is known of its licensing.
        pvp: The side-car.
        pair: The files around the disk.
        unread: Codes of the notices about what could not be read; ``volume`` when a volume could not. What may have
            been there then is no proof of anything.
    """
    results = (
        _created(windows, pvp, unread),
        _cleaned(licensing, pvp, unread),
        _windows_key(licensing),
        (StepState.UNKNOWN, "the activation state is encrypted and cannot be read offline"),
        _rearmed(licensing),
        _office_key(licensing, unread),
        _office_rearmed(licensing, unread),
        _standard_mode(pvp, pair),
    )
    return tuple(
        ProcedureStep(step=number, title=title, state=state, evidence=evidence)
        for number, (title, (state, evidence)) in enumerate(zip(_TITLES, results, strict=True), start=1)
    )


def _created(windows: WindowsFacts | None, pvp: PvpFacts | None, unread: Collection[str]) -> _Result:
    if windows is None and "volume" in unread:
        return StepState.UNKNOWN, "not every volume can be read, so whether there is a Windows cannot be told"
    if windows is None:
        return StepState.NOT_DONE, "no Windows installation was found in the image"
    if windows.target_software.installed is False:
        return StepState.NOT_DONE, "the PVS target device software is not registered in this Windows"
    if pvp is None:
        return StepState.UNKNOWN, "there is no .pvp side-car, which holds the licence mode"
    if pvp.license_mode != "kms":
        return StepState.NOT_DONE, f"the licence mode in the .pvp is {pvp.license_mode}, not kms"
    if windows.target_software.installed is None:
        return StepState.UNKNOWN, "the licence mode is kms; whether the target software is there cannot be read"
    return StepState.DONE, "Windows and the PVS target device software are there, the licence mode in the .pvp is kms"


def _cleaned(licensing: LicensingFacts | None, pvp: PvpFacts | None, unread: Collection[str]) -> _Result:
    if licensing is None:
        return StepState.UNKNOWN, "the licensing facts cannot be read"
    active = _active_store(licensing, StoreKind.WINDOWS)
    if active is None:
        return StepState.UNKNOWN, "the token store of this Windows version is not known"
    tokens = [file for file in active.files if file.path.casefold().endswith("\\tokens.dat")]
    if not tokens and "licensing.store_unreadable" in unread:
        return StepState.UNKNOWN, "not every token store can be read"
    if not tokens and pvp is not None and pvp.mode == "standard":
        return (
            StepState.NOT_DONE,
            f"{active.path} holds no tokens.dat, so in Standard mode every target builds a new one at every start",
        )
    if not tokens:
        return StepState.DONE, f"{active.path} holds no tokens.dat; Windows builds a new one when it next starts"
    written = f", last written {tokens[0].modified:%Y-%m-%d %H:%M} UTC" if tokens[0].modified else ""
    return (
        StepState.UNKNOWN,
        (
            f"{tokens[0].path} is there ({tokens[0].size} bytes{written}); whether it was built anew after a cleaning "
            "cannot be told"
        ),
    )


def _windows_key(licensing: LicensingFacts | None) -> _Result:
    if licensing is None:
        return StepState.UNKNOWN, "the licensing facts cannot be read"
    key = licensing.product_key
    channel = f", channel {key.channel}" if key.channel else ""
    if key.is_gvlk:
        products = ", ".join(dict.fromkeys(f"{item.product} {item.edition}" for item in key.gvlk))
        if key.fits_edition is False:
            return StepState.NOT_DONE, f"the KMS client key {key.key} belongs to another edition: {products}"
        fits = "it fits the installed edition" if key.fits_edition else "whether it fits the edition cannot be told"
        return StepState.DONE, f"{key.key} is the KMS client key of {products}; {fits}"
    if key.key is not None:
        return _unlisted_key(key)
    if key.client_key is False:
        return StepState.NOT_DONE, f"the channel of the installed key is {key.channel}, the key itself was removed"
    return StepState.UNKNOWN, f"no product key can be read{channel}"


def _unlisted_key(key: ProductKeyFacts) -> _Result:
    """Judge a key that Microsoft's list of KMS client keys does not have: by its channel."""
    if key.client_key is None:
        return (
            StepState.UNKNOWN,
            f"the installed key {key.key} is not in Microsoft's list of KMS client keys, and no channel is stored",
        )
    if not key.client_key:
        return StepState.NOT_DONE, f"the installed key {key.key} is no KMS client key, channel {key.channel}"
    return (
        StepState.DONE,
        (
            f"{key.key} is a KMS client key by its channel, {key.channel}; Microsoft's list does not have it, so "
            "whether it fits the edition cannot be told by it"
        ),
    )


def _rearmed(licensing: LicensingFacts | None) -> _Result:
    if licensing is None:
        return StepState.UNKNOWN, "the licensing facts cannot be read"
    skip = licensing.skip_rearm
    if skip.present is None:
        return StepState.UNKNOWN, "SkipRearm cannot be read, nor whether a rearm was run"
    if skip.present and skip.problem is None and skip.data == 1:
        return (
            StepState.UNKNOWN,
            (
                "SkipRearm is 1: by Microsoft's documentation a rearm then changes nothing, so the client machine id "
                "may not be new"
            ),
        )
    value = f"SkipRearm is {skip.data}" if skip.present else "SkipRearm is absent"
    problem = f" ({skip.problem})" if skip.problem else ""
    return StepState.UNKNOWN, f"{value}{problem}; whether a rearm was run is not readable offline"


def _office_key(licensing: LicensingFacts | None, unread: Collection[str]) -> _Result:
    if licensing is None:
        return StepState.UNKNOWN, "the licensing facts cannot be read"
    volume = [office for office in licensing.office if office.volume is not False]
    if not volume:
        return _no_office(unread)
    other = [office for office in volume if office.product_key is not None and office.product_key.client_key is False]
    if other:
        return StepState.NOT_DONE, f"no KMS client key: {_names(other)}"
    hidden = [office for office in volume if office.product_key is None or not office.product_key.client_key]
    if hidden:
        return StepState.UNKNOWN, f"what kind of key it is cannot be read: {_names(hidden)}"
    if _OFFICE in unread:
        return StepState.UNKNOWN, f"KMS client key installed: {_names(volume)}; not every registration can be read"
    return StepState.DONE, f"KMS client key installed: {_names(volume)}"


def _no_office(unread: Collection[str]) -> _Result:
    if _OFFICE in unread:
        return StepState.UNKNOWN, "not every registration of Office can be read"
    return StepState.DONE, "nothing to do: no volume Office was found"


def _office_rearmed(licensing: LicensingFacts | None, unread: Collection[str]) -> _Result:
    if licensing is None:
        return StepState.UNKNOWN, "the licensing facts cannot be read"
    volume = [office for office in licensing.office if office.volume is not False]
    if not volume:
        return _no_office(unread)
    own = [office for office in volume if office.licensing_service == "ospp"]
    if not own:
        return StepState.UNKNOWN, "Office is licensed by the Windows service here; its rearm is not readable offline"
    return (
        StepState.UNKNOWN,
        (
            f"{_names(own)} has its own licensing service: run OSPPREARM.EXE before sealing; the rearm count is not "
            "readable offline"
        ),
    )


def _standard_mode(pvp: PvpFacts | None, pair: PairFacts | None) -> _Result:
    if pvp is None:
        return StepState.UNKNOWN, "there is no .pvp side-car, which holds the mode"
    if pvp.mode == "private":
        return StepState.NOT_DONE, "the vDisk is in Private mode"
    if pvp.mode != "standard":
        return StepState.UNKNOWN, f"the write cache type {pvp.write_cache_type.value} in the .pvp names no known mode"
    if pvp.license_mode != "kms":
        return StepState.NOT_DONE, f"Standard mode, but the licence mode is {pvp.license_mode}: PVS prepares nothing"
    lock = f"; a lock file is there ({', '.join(pair.lock_files)})" if pair is not None and pair.lock_files else ""
    prepared = judge_preparation(pvp, pair)
    told = (
        ""
        if prepared is None
        else f"; {prepared.doubt} ({prepared.evidence})"
        if prepared.doubt
        else f"; {prepared.evidence}"
    )
    return StepState.UNKNOWN, f"Standard mode with licence mode kms{told}{lock}"


def _active_store(licensing: LicensingFacts, kind: StoreKind) -> TokenStoreFacts | None:
    return next((store for store in licensing.token_stores if store.kind is kind and store.active), None)


def _names(offices: list[OfficeFacts]) -> str:
    return ", ".join(dict.fromkeys(office.product for office in offices))
