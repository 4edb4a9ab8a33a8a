"""Rules about the licensing of Windows: the key, rearm, the token store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.rules import gaps
from vdiskkit.rules.facts import Severity
from vdiskkit.rules.model import NotApplicable, Passed, Problem, Rule, Unknown, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.licensing.facts import LicensingFacts, ProductKeyFacts, StoreFileFacts
    from vdiskkit.rules.model import Context, Outcome

__all__ = ["RULES"]

_GVLK_DOC = "learn.microsoft.com: KMS client activation and product keys"
_SLMGR_DOC = "learn.microsoft.com: Slmgr.vbs options for volume activation"
_TOKENS_DOC = "Microsoft KB2736303: how to rebuild tokens.dat"
_CMID_DOC = "Microsoft KB929829: the KMS current count does not increase (duplicate client machine ids)"
_KEY_PLACE = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion, {name}"
_VISTA = "Windows Vista, Server 2008 and later"
_IPK = (
    "start the vDisk in Private mode and run `cscript slmgr.vbs /ipk <KMS client key of this edition>`, then set "
    "Standard mode again"
)


def _place(context: Context, key: ProductKeyFacts) -> str:
    return context.at(_KEY_PLACE.format(name=key.source or "DigitalProductId4"))


def _seen(key: ProductKeyFacts) -> str:
    channel = f", channel {key.channel}" if key.channel else ""
    return f"key {key.key}{channel}" if key.key else f"no key in the registry{channel}"


def _key(context: Context) -> ProductKeyFacts | Unknown:
    """The installed key, or why nothing is known about it."""
    if context.licensing is None:
        return gaps.no_windows(context)
    lost = gaps.unreadable(context, "licensing.product_key_unreadable", "licensing.key_unreadable")
    key = context.licensing.product_key
    if lost is not None:
        return lost
    if key.source is None or (key.key is None and not key.channel and not key.cleared):
        return Unknown("no DigitalProductId that can be decoded is in the registry")
    return key


def _channel(key: ProductKeyFacts) -> str | None:
    from vdiskkit.licensing.productkey import channel_of

    return channel_of(key.channel)


@rule(
    "KMS101",
    "The installed Windows key is a KMS client key",
    severity="error",
    reads="DigitalProductId4 (else DigitalProductId), decoded and looked up among the published KMS client keys; the "
    "channel that Windows stored with it",
    judgement="when KMS is wanted: passes with a published KMS client key (GVLK), or with a removed key whose channel "
    "is Volume:GVLK; gives a note for a key of that channel that Microsoft's list does not have; fails with any other "
    "channel; not determinable when the key is in no list and has no channel",
    why="With a MAK, OEM or retail key the targets never ask the KMS host, whatever the licence mode says.",
    fix=_IPK,
    versions=_VISTA,
    source=_GVLK_DOC,
)
def client_key(context: Context) -> Iterator[Outcome]:
    """Judge the key where KMS is wanted."""
    if not _gvlk_wanted(context):
        yield NotApplicable("KMS is not wanted")
        return
    key = _key(context)
    if isinstance(key, Unknown):
        yield key
        return
    channel = _channel(key)
    if channel == "csvlk":
        yield NotApplicable("the key is a KMS host key, which is a rule of its own")
    elif key.is_gvlk:
        yield Passed(f"{key.key}: {_products(key)}")
    elif key.is_gvlk is None and channel == "gvlk":
        yield Passed("the key was removed from the registry; its channel is Volume:GVLK")
    elif channel == "gvlk":
        yield Problem(
            "the key is a KMS client key by its channel, and Microsoft's list does not have it",
            _place(context, key),
            _seen(key),
            Severity.NOTE,
            "none when `cscript slmgr.vbs /dli` in Private mode calls it a VOLUME_KMSCLIENT channel of this edition",
        )
    elif channel is None:
        gone = "the key was removed from the registry" if key.is_gvlk is None else "Microsoft's list has no such key"
        yield Unknown(f"{gone}, and no channel is stored")
    else:
        both = " although licence mode KMS and Standard mode are set" if _sealed_for_kms(context) else ""
        yield Problem(
            f"the installed key is no KMS client key but {key.channel}{both}", _place(context, key), _seen(key)
        )


@rule(
    "KMS102",
    "The KMS client key belongs to the installed edition",
    severity="warning",
    reads="the products of the installed KMS client key, else the edition stored with it; EditionID, build and "
    "installation type",
    judgement="passes when one of the products, or the edition stored with a key that Microsoft's list does not have, "
    "is the installed one; warns otherwise",
    why="A key of another edition is refused at activation (0xC004F069), or changes the edition at the next start.",
    fix=_IPK,
    versions=_VISTA,
    source=_GVLK_DOC,
)
def edition(context: Context) -> Iterator[Outcome]:
    """Compare key and edition."""
    key = _key(context)
    if isinstance(key, Unknown):
        yield key
    elif not key.is_gvlk and key.client_key:
        yield from _stored_edition(context, key)
    elif not key.is_gvlk:
        yield NotApplicable("the installed key is no KMS client key")
    elif key.fits_edition is None:
        yield Unknown("the edition or build of this Windows is not known")
    elif not key.fits_edition:
        windows = context.windows
        installed = f"{windows.product_name} ({windows.edition_id}, build {windows.build})" if windows else "unknown"
        yield Problem(
            "the KMS client key belongs to another edition",
            _place(context, key),
            f"key of {_products(key)}; installed is {installed}",
        )


@rule(
    "KMS103",
    "No KMS host key is inside",
    severity="error",
    reads="the channel in DigitalProductId4",
    judgement="passes with any channel but Volume:CSVLK; fails with it",
    why="Every target would become a KMS host, publish itself in DNS and use up the host key's six activations.",
    fix=_IPK,
    versions=_VISTA,
    source=_GVLK_DOC,
)
def host_key(context: Context) -> Iterator[Outcome]:
    """Look for a KMS host key."""
    key = _key(context)
    if isinstance(key, Unknown):
        yield key
    elif key.channel is None:
        yield Unknown("no channel is stored with the key")
    elif _channel(key) == "csvlk":
        yield Problem("a KMS host key (CSVLK) is installed", _place(context, key), _seen(key))


@rule(
    "KMS104",
    "Key and channel agree",
    severity="error",
    reads="the decoded key and the channel in DigitalProductId4, both blobs of the key",
    judgement="passes when a published KMS client key has the channel Volume:GVLK, and both blobs hold the same key; "
    "fails otherwise. A key of that channel need not be in Microsoft's list",
    why="The two are written together. When they differ, one of them was written by hand or by a tool, and Windows "
    "itself goes by what is in its token store.",
    fix=_IPK,
    versions=_VISTA,
    source="observed in DigitalProductId values",
)
def agreement(context: Context) -> Iterator[Outcome]:
    """Compare key and channel."""
    key = _key(context)
    if isinstance(key, Unknown):
        yield key
        return
    channel = _channel(key)
    if key.is_gvlk is None or channel is None:
        yield Unknown("the key was removed from the registry" if key.cleared else "no channel is stored with the key")
    elif key.is_gvlk and channel != "gvlk":
        yield Problem("the key is a KMS client key, but its channel is another one", _place(context, key), _seen(key))
    if key.blobs_agree is False:
        yield Problem("DigitalProductId and DigitalProductId4 hold different keys", _place(context, key), _seen(key))


@rule(
    "KMS105",
    "The key's registry data are whole",
    severity="warning",
    reads="CRC of DigitalProductId, SHA-256 of DigitalProductId4",
    judgement="passes when all checksums fit; warns otherwise",
    why="Windows wrote none of these bytes: a tool did, or the hive is damaged.",
    fix=_IPK,
    versions=_VISTA,
    source="observed in DigitalProductId values",
)
def integrity(context: Context) -> Iterator[Outcome]:
    """Judge the checksums of the blobs."""
    if context.licensing is None:
        yield gaps.no_windows(context)
        return
    key = context.licensing.product_key
    if key.integrity == "unknown":
        yield gaps.unreadable(context, "licensing.product_key_unreadable") or Unknown("there is nothing to check")
    elif key.integrity == "bad":
        yield Problem("the stored key is inconsistent", _place(context, key), key.integrity_detail)


@rule(
    "KMS106",
    "The installed Windows key is the MAK that is expected",
    severity="error",
    reads="the channel in DigitalProductId4 and the decoded key",
    judgement="when the profile expects a MAK: passes with channel Volume:MAK; fails with any other",
    why="With licence mode MAK, PVS activates each target with a MAK. A KMS client key looks for a KMS host instead.",
    fix="start the vDisk in Private mode and run `cscript slmgr.vbs /ipk <MAK>`, then set Standard mode again",
    versions=_VISTA,
    source="docs.citrix.com, Citrix Provisioning 7.15: vDisk volume licensing",
)
def mak(context: Context) -> Iterator[Outcome]:
    """Judge the key where a MAK is wanted."""
    if context.expect.windows_key != "mak":
        yield NotApplicable("the profile expects no MAK")
        return
    key = _key(context)
    if isinstance(key, Unknown):
        yield key
        return
    channel = _channel(key)
    if channel is None and not key.is_gvlk:
        yield Unknown("no channel is stored with the key, and it is no published KMS client key")
    elif channel == "csvlk":
        yield NotApplicable("the key is a KMS host key, which is a rule of its own")
    elif channel != "mak":
        yield Problem("the installed key is no MAK", _place(context, key), _seen(key))


@rule(
    "KMS110",
    "SkipRearm is not left at 1",
    severity="warning",
    reads="SkipRearm in the key of the licensing service",
    judgement="passes when it is absent or 0; warns when it is 1; fails with another value or type",
    why="While SkipRearm is 1, a rearm is documented to change nothing: the clones may share one client machine id, "
    "and the KMS host counts them once. It is set to silence 0xC004D307 (no rearm left) and then forgotten.",
    fix="vdiskkit kms-prep DISK --skip-rearm 0 (in Private mode), then rearm once and seal again",
    versions=_VISTA,
    source=f"{_SLMGR_DOC}; {_CMID_DOC}",
)
def skip_rearm(context: Context) -> Iterator[Outcome]:
    """Judge SkipRearm."""
    licensing = context.licensing
    if licensing is None:
        yield gaps.no_windows(context)
        return
    lost = gaps.unreadable(context, "licensing.skip_rearm_unreadable")
    value = licensing.skip_rearm
    where = context.at(f"{value.key}, SkipRearm")
    if lost is not None:
        yield lost
    elif not value.present:
        yield Passed("SkipRearm is absent")
    elif value.problem:
        yield Problem(
            "SkipRearm has a value or type that Windows does not know",
            where,
            f"{value.type} {value.data}: {value.problem}",
            Severity.ERROR,
        )
    elif value.data == 1:
        yield Problem("SkipRearm is 1: a rearm changes nothing, the clones may share a client machine id", where, "1")


@rule(
    "KMS111",
    "Answer files do not set SkipRearm",
    severity="warning",
    reads=r"SkipRearm in Windows\Panther\unattend.xml, Windows\Panther\Unattend and Windows\System32\sysprep; nothing "
    "else of those files",
    judgement="passes when no answer file sets it to 1; warns otherwise",
    why="Microsoft's procedure sets it while an image is customised and takes it back before the last sysprep. Left "
    "in, the next sysprep keeps the client machine id.",
    fix="set <SkipRearm> to 0 in the answer file, or delete the file from the image",
    versions=_VISTA,
    source=_CMID_DOC,
)
def answer_files(context: Context) -> Iterator[Outcome]:
    """Judge SkipRearm in answer files."""
    files = context.readiness.answer_files if context.readiness is not None else None
    if context.readiness is None:
        yield gaps.no_readiness(context)
        return
    if files is None:
        yield Unknown("the folders of answer files cannot be read")
        return
    for file in files:
        if file.skip_rearm:
            yield Problem("an answer file sets SkipRearm", context.at(f"ntfs:\\{file.path}"), str(file.skip_rearm))
    lost = [file for file in files if file.problem]
    if lost and not any(file.skip_rearm for file in files):
        yield Unknown(f"{lost[0].path} cannot be read: {lost[0].problem}")


@rule(
    "KMS112",
    "The token store of this Windows holds tokens.dat",
    severity="warning",
    reads="the folder of the licence store that TokenStore of the licensing service names, else that of this build",
    judgement="passes when tokens.dat is there; warns when it is missing, and fails when the disk is also in Standard "
    "mode with KMS wanted",
    why="Windows builds the store anew at its next start and then needs its licences and its key again. In Standard "
    "mode every target does that at every start, as nothing is kept.",
    fix="start the vDisk in Private mode, run `cscript slmgr.vbs /rilc`, restart, `slmgr.vbs /ipk <KMS client key>`, "
    "then set Standard mode again",
    versions=_VISTA,
    source=_TOKENS_DOC,
)
def tokens(context: Context) -> Iterator[Outcome]:
    """Look for tokens.dat."""
    licensing = context.licensing
    if licensing is None:
        yield gaps.no_windows(context)
        return
    lost = gaps.unreadable(context, "licensing.store_unreadable")
    active = [store for store in licensing.token_stores if store.kind == "windows" and store.active]
    if lost is not None or not active:
        yield lost or Unknown("which token store this Windows uses is not known")
        return
    found = _tokens(licensing)
    if found is not None:
        yield Passed(f"{found.path}, {found.size} bytes")
        return
    sealed = context.pvp is not None and context.pvp.mode == "standard" and context.kms_wanted
    yield Problem(
        "tokens.dat is missing: Windows builds the store anew at its next start, and needs /rilc and /ipk"
        + (", here on every target at every start" if sealed else ""),
        context.at(f"ntfs:\\{active[0].path}"),
        None if active[0].exists else "the folder is missing too",
        Severity.ERROR if sealed else None,
    )


@rule(
    "KMS113",
    "No token store of another Windows version is left",
    severity="warning",
    reads="the folders that other Windows versions keep their licences in, TokenStore of the licensing service",
    judgement="passes when none of them holds tokens.dat; warns otherwise",
    why="The store of another version is what an in-place upgrade leaves, or what a script with a wrong path made: "
    "cleaning it does nothing, and the store in use was not cleaned.",
    fix="delete the folder of the other version; clean the one in use with vdiskkit kms-prep DISK --remove-tokens",
    versions=_VISTA,
    source=_TOKENS_DOC,
)
def other_stores(context: Context) -> Iterator[Outcome]:
    """Look for stores of other versions."""
    licensing = context.licensing
    if licensing is None:
        yield gaps.no_windows(context)
        return
    lost = gaps.unreadable(context, "licensing.store_unreadable")
    stores = [store for store in licensing.token_stores if store.kind == "windows"]
    if lost is not None or any(store.active is None for store in stores) or not stores:
        yield lost or Unknown("which token store this Windows uses is not known")
        return
    for store in stores:
        if not store.active and any(_is_tokens(file.path) for file in store.files):
            yield Problem(
                "there is a tokens.dat in the store of another Windows version",
                context.at(f"ntfs:\\{store.path}"),
                f"used by {store.used_by}",
            )


@rule(
    "KMS114",
    "The token store was written in the last session",
    severity="note",
    reads="time of tokens.dat, time of the last shutdown in SYSTEM",
    judgement="passes when tokens.dat was written at most a week before the last shutdown; gives a note otherwise",
    why="The licensing service writes the store whenever it changes its state. A store much older than the last "
    "session was put there, or the service did not run: the cleaning and rearm of the preparation may be missing.",
    fix="start the vDisk in Private mode, check `sc query sppsvc` and run `cscript slmgr.vbs /rearm` as the last step "
    "before shutting down",
    versions=_VISTA,
    source="observed",
)
def fresh(context: Context) -> Iterator[Outcome]:
    """Compare the times."""
    if context.licensing is None or context.readiness is None:
        yield gaps.no_readiness(context) if context.readiness is None else gaps.no_windows(context)
        return
    found, shutdown = _tokens(context.licensing), context.readiness.last_shutdown
    if found is None or found.modified is None:
        yield Unknown("there is no tokens.dat whose time could be read")
    elif shutdown is None:
        yield Unknown("the time of the last shutdown is not stored")
    else:
        text = f"written {found.modified:%Y-%m-%d %H:%M} UTC, last shutdown {shutdown:%Y-%m-%d %H:%M} UTC"
        if (shutdown - found.modified).total_seconds() > 7 * 86400:
            yield Problem("tokens.dat is much older than the last session", context.at(f"ntfs:\\{found.path}"), text)
        else:
            yield Passed(text)


def _stored_edition(context: Context, key: ProductKeyFacts) -> Iterator[Outcome]:
    """Compare the edition that Windows stored with a key with the installed one."""
    installed = context.windows.edition_id if context.windows is not None else None
    if not key.edition_type or not installed:
        yield Unknown("Microsoft's list does not have the key, and no edition is stored with it or with Windows")
    elif key.edition_type.casefold() == installed.casefold():
        yield Passed(f"the edition stored with the key is {installed}")
    else:
        yield Problem(
            "the KMS client key belongs to another edition",
            _place(context, key),
            f"key of {key.edition_type}; installed is {installed}",
        )


def _gvlk_wanted(context: Context) -> bool:
    return context.expect.windows_key == "gvlk" or (context.expect.windows_key == "any" and context.kms_wanted)


def _sealed_for_kms(context: Context) -> bool:
    return context.pvp is not None and context.pvp.license_mode == "kms" and context.pvp.mode == "standard"


def _products(key: ProductKeyFacts) -> str:
    return ", ".join(dict.fromkeys(f"{item.product} {item.edition}".strip() for item in key.gvlk))


def _is_tokens(path: str) -> bool:
    return path.casefold().endswith("\\tokens.dat")


def _tokens(licensing: LicensingFacts) -> StoreFileFacts | None:
    """``tokens.dat`` of the store in use."""
    stores = (store for store in licensing.token_stores if store.kind == "windows" and store.active)
    return next((file for store in stores for file in store.files if _is_tokens(file.path)), None)


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
