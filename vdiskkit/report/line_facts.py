r"""What one JSON line tells: results cut down to a bounded size, for readers that take no long text.

Windows PowerShell 5.1 refuses JSON of more than 2 MiB. So texts and lists from an image are cut here, and the cut is
told: a text says so at its end, a list has its full length beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from vdiskkit.facts import Facts, Notice
from vdiskkit.inspection.facts import ProcedureStep
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from vdiskkit.inspection.facts import Inspection
    from vdiskkit.licensing.facts import KmsValueFacts, SkipRearmFacts, TokenStoreFacts
    from vdiskkit.patch.api import PatchResult
    from vdiskkit.patch.plan import Plan
    from vdiskkit.registry import RegistryValue
    from vdiskkit.report.journal_facts import JournalChange
    from vdiskkit.report.registry_facts import RegistrySource

__all__ = [
    "ChangeItem",
    "ChangeOutcome",
    "DiskSummary",
    "KmsHostItem",
    "RecoverOutcome",
    "TokenStoreItem",
    "UndoOutcome",
    "ValueItem",
    "change_items",
    "change_outcome",
    "disk_summary",
    "past_items",
    "recover_outcome",
    "undo_outcome",
    "value_item",
]

LONGEST_TEXT = 400
LONGEST_LIST = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsHostItem(Facts):
    """One KMS host, port or look-up domain that is stored.

    Attributes:
        scope: ``service``, ``application``, ``sku`` or ``office``; a narrower setting wins over a wider one.
        view: ``native``, or ``wow6432node`` for the view of 32-bit programs.
        name: Value name.
        data: Data as text.
        problem: What is wrong with type or data, None when nothing is.
    """

    scope: str
    view: str
    name: str
    data: str
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStoreItem(Facts):
    """One folder that holds, or may hold, licence tokens.

    Attributes:
        path: Folder inside the volume.
        kind: ``windows`` or ``office``.
        active: Whether the installed version uses it; None when that cannot be told.
        exists: Whether the folder exists.
        files: Names of the files found there, from this folder on.
    """

    path: str
    kind: str
    active: bool | None
    exists: bool
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSummary(Facts):
    """A vDisk in one line: what an overview of many disks shows. ``inspect --json`` has everything.

    Attributes:
        disk: The disk file.
        vdisk_name: Name of the vDisk, None for a file object without a path.
        version: Version number of this disk; None when it has no file name of a vDisk.
        newest_version: Highest version number in the folder.
        is_newest: Whether this disk is of that version; None when that cannot be told.
        format: ``vhd``, ``vhdx`` or ``raw``.
        type: ``fixed``, ``dynamic`` or ``differencing``.
        virtual_size: Bytes of the disk.
        file_size: Bytes of the file.
        unique_id: Id of the disk, None for a raw image.
        chain_length: Number of files that the disk is made of.
        side_car: Path of the side-car, None without one.
        mode: ``private`` or ``standard``, None without a side-car.
        license_mode: ``none``, ``mak`` or ``kms``, None without a side-car.
        write_cache: Where the write cache is, None without a side-car.
        locked: Whether a lock file of this disk is there; None when the folder was not read.
        volume_clean: Whether the volume was closed cleanly; None without an NTFS volume.
        product_name: The Windows, None when there is none or it cannot be told.
        edition_id: EditionID, such as ``Enterprise``.
        display_version: ``22H2``, ``1809``, or a service pack.
        build: Build number.
        ubr: Update build revision.
        architecture: ``x64``, ``x86``, ``arm64``.
        computer_name: Name stored for the next boot.
        install_date: When this Windows was installed, UTC.
        target_software: Version of the PVS target device software, None when no source shows one.
        stale: Whether a hive is dirty and its logs could not be replayed: what follows may be old. None without
            a Windows.
        product_key: The Windows key, masked to its last five characters unless it is a published KMS client key or was
            asked for.
        channel: Its channel, such as ``Volume:GVLK``.
        is_gvlk: Whether it is a published KMS client key; None when there is no key to look up.
        fits_edition: Whether it belongs to the installed edition; None when that cannot be told.
        skip_rearm: SkipRearm as text, ``absent`` when there is none; None without a Windows.
        skip_rearm_problem: What is wrong with its type or data, None when nothing is.
        kms_hosts: KMS hosts, ports and look-up domains at all levels.
        kms_host_count: How many there are.
        token_stores: Token stores of every Windows version and of Office.
        office: Names of installed Office products.
        office_count: How many there are.
        procedure: The eight steps that prepare a vDisk for KMS.
        notices: What is worth telling besides.
        notice_count: How many there are.
    """

    disk: str
    vdisk_name: str | None
    version: int | None
    newest_version: int | None
    is_newest: bool | None
    format: str
    type: str
    virtual_size: int
    file_size: int
    unique_id: str | None
    chain_length: int
    side_car: str | None
    mode: str | None
    license_mode: str | None
    write_cache: str | None
    locked: bool | None
    volume_clean: bool | None
    product_name: str | None
    edition_id: str | None
    display_version: str | None
    build: int | None
    ubr: int | None
    architecture: str | None
    computer_name: str | None
    install_date: datetime | None
    target_software: str | None
    stale: bool | None
    product_key: str | None
    channel: str | None
    is_gvlk: bool | None
    fits_edition: bool | None
    skip_rearm: str | None
    skip_rearm_problem: str | None
    kms_hosts: tuple[KmsHostItem, ...]
    kms_host_count: int
    token_stores: tuple[TokenStoreItem, ...]
    office: tuple[str, ...]
    office_count: int
    procedure: tuple[ProcedureStep, ...]
    notices: tuple[Notice, ...]
    notice_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueItem(Facts):
    r"""One registry value, whole.

    Attributes:
        key: Full key path; ``\...`` in a hive file.
        asked: The path that was asked for when it led through ``CurrentControlSet``, else None.
        name: Value name, empty for the default value.
        type: ``REG_DWORD``, ``REG_SZ`` and so on.
        form: What ``data`` is: ``number``, ``text``, ``list`` (of texts) or ``hex``.
        data: Number, text, list of texts, or hex text for everything else.
        problem: What is wrong with the data, None when nothing is.
        origin: ``primary``, or ``log`` when only a replayed log of the hive says so.
        hive: The hive's path inside the image, or the hive file.
        dirty: Whether Windows would replay the hive's logs before it uses it.
        stale: Whether it is dirty and its logs could not be replayed: the value may be older than those in the logs.
        last_written: When the key was last written, UTC.
    """

    key: str
    asked: str | None
    name: str
    type: str
    form: str
    data: int | str | tuple[str, ...]
    problem: str | None
    origin: str
    hive: str
    dirty: bool
    stale: bool
    last_written: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeItem(Facts):
    """One change in the user's words.

    Attributes:
        kind: ``value``, ``key``, ``file``, ``log`` or ``pvp``.
        where: Registry key, file path, what the log belongs to, or field of the side-car.
        name: Name of the value, empty for the default value; None for everything else.
        before: What is there before, as text; None when there is nothing.
        after: What is there afterwards, as text; None when nothing is.
        text: All of it as one line for people.
    """

    kind: str
    where: str
    name: str | None
    before: str | None
    after: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeOutcome(Facts):
    """What a command that changes something did, or would do.

    Attributes:
        dry_run: Whether it was only planned.
        written: Whether anything was written; false also when everything was as asked already.
        change_id: Id of the change, None when nothing was written.
        journal: The kept journal that takes the change back, None when none is kept.
        plan_file: Where the plan was saved.
        copied_to: The copy that is made and changed instead of the disk.
        digest: Digest of the plan, as ``apply --digest`` takes it.
        forced: Gates that were forced.
        changes: Number of the lines of type ``change`` before this one; none when everything is as asked already.
        notes: What to know about the consequences.
        ranges: Number of ranges of the files that are written.
        bytes_written: Bytes of these ranges.
        growth: Bytes by which the files grow.
    """

    dry_run: bool
    written: bool
    change_id: str | None
    journal: str | None
    plan_file: str | None
    copied_to: str | None
    digest: str
    forced: tuple[str, ...]
    changes: int
    notes: tuple[str, ...]
    ranges: int
    bytes_written: int
    growth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoOutcome(Facts):
    """What ``undo`` did.

    Attributes:
        dry_run: Whether it was only checked.
        change_id: Id of the change that was taken back, or could be.
        made: When it was planned, UTC; None when the journal does not say.
        summary: What had been asked for.
        journal: Path of its journal.
        changes: Number of the lines of type ``change`` before this one.
        bytes_written: Bytes that the change had written, and that were, or would be, put back.
    """

    dry_run: bool
    change_id: str
    made: datetime | None
    summary: str
    journal: str
    changes: int
    bytes_written: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoverOutcome(Facts):
    """What ``recover`` did.

    Attributes:
        dry_run: Whether it was only checked.
        action: ``nothing``, ``discarded``, ``rolled_back`` or ``finished``.
        change_id: Id of the change that was concerned, None when none was.
        changes: Number of the lines of type ``change`` before this one.
    """

    dry_run: bool
    action: str
    change_id: str | None
    changes: int


def disk_summary(inspection: Inspection) -> DiskSummary:
    """Cut an inspection down to one line."""
    container, pair, pvp = inspection.container, inspection.pair, inspection.pvp
    windows, licensing = inspection.windows, inspection.licensing
    key = licensing.product_key if licensing is not None else None
    hosts = licensing.kms_host if licensing is not None else ()
    stores = licensing.token_stores if licensing is not None else ()
    office = licensing.office if licensing is not None else ()
    skip = licensing.skip_rearm if licensing is not None else None
    return DiskSummary(
        disk=inspection.target,
        vdisk_name=pair.vdisk_name if pair is not None else None,
        version=pair.version if pair is not None else None,
        newest_version=pair.newest_version if pair is not None else None,
        is_newest=pair.is_newest if pair is not None else None,
        format=container.format,
        type=container.type,
        virtual_size=container.virtual_size,
        file_size=container.file_size,
        unique_id=container.unique_id,
        chain_length=len(container.chain),
        side_car=pair.pvp_path if pair is not None else None,
        mode=_cut(pvp.mode) if pvp is not None else None,
        license_mode=_cut(pvp.license_mode) if pvp is not None else None,
        write_cache=_cut(pvp.write_cache_type.name) if pvp is not None else None,
        locked=pair.locked if pair is not None else None,
        volume_clean=inspection.volume.clean if inspection.volume is not None else None,
        product_name=_cut(windows.product_name) if windows is not None else None,
        edition_id=_cut(windows.edition_id) if windows is not None else None,
        display_version=_cut(windows.display_version) if windows is not None else None,
        build=windows.build if windows is not None else None,
        ubr=windows.ubr if windows is not None else None,
        architecture=_cut(windows.architecture) if windows is not None else None,
        computer_name=_cut(windows.computer_name) if windows is not None else None,
        install_date=windows.install_date if windows is not None else None,
        target_software=_cut(windows.target_software.version) if windows is not None else None,
        stale=windows.stale if windows is not None else None,
        product_key=_cut(key.key) if key is not None else None,
        channel=_cut(key.channel) if key is not None else None,
        is_gvlk=key.is_gvlk if key is not None else None,
        fits_edition=key.fits_edition if key is not None else None,
        skip_rearm=_skip_rearm(skip) if skip is not None else None,
        skip_rearm_problem=_cut(skip.problem) if skip is not None else None,
        kms_hosts=tuple(_host(item) for item in hosts[:LONGEST_LIST]),
        kms_host_count=len(hosts),
        token_stores=tuple(_store(item) for item in stores[:LONGEST_LIST]),
        office=tuple(_cut(item.product) or "" for item in office[:LONGEST_LIST]),
        office_count=len(office),
        procedure=tuple(_step(step) for step in inspection.procedure),
        notices=tuple(_notice(item) for item in inspection.notices[:LONGEST_LIST]),
        notice_count=len(inspection.notices),
    )


def value_item(value: RegistryValue, source: RegistrySource) -> ValueItem:
    """One value with what is known about its place. Its data is whole, however long."""
    from vdiskkit.report.registry_facts import plain_data

    data = value.data
    form = "number" if isinstance(data, int) else "text" if isinstance(data, str) else "list"
    return ValueItem(
        key=source.key,
        asked=source.asked,
        name=value.name,
        type=value.type_name,
        form="hex" if isinstance(data, bytes) else form,
        data=plain_data(data),
        problem=value.problem,
        origin=value.origin,
        hive=source.hive,
        dirty=source.dirty,
        stale=source.stale,
        last_written=source.last_written,
    )


def change_items(plan: Plan) -> list[ChangeItem]:
    """What a plan changes."""
    return [_item(item.kind, item.where, item.name, item.before, item.after) for item in plan.changes]


def past_items(change: JournalChange | None) -> list[ChangeItem]:
    """What a change of the past did."""
    items = change.items if change is not None else ()
    return [_item(item.kind, item.where, item.name, item.before, item.after) for item in items]


def change_outcome(
    plan: Plan, result: PatchResult | None, *, saved_to: str | None = None, copied_to: str | None = None
) -> ChangeOutcome:
    """What came of a plan; ``result`` is None when it was only planned."""
    written = result is not None and result.written
    return ChangeOutcome(
        dry_run=result is None,
        written=written,
        change_id=str(result.change_id) if result is not None and written else None,
        journal=result.journal if result is not None else None,
        plan_file=saved_to,
        copied_to=copied_to,
        digest=plan.digest,
        forced=tuple(plan.forced),
        changes=len(plan.changes),
        notes=tuple(displayable(note, limit=LONGEST_TEXT) for note in plan.notes[:LONGEST_LIST]),
        ranges=len(plan.ranges),
        bytes_written=plan.bytes_written,
        growth=plan.growth,
    )


def undo_outcome(change: JournalChange, *, dry_run: bool) -> UndoOutcome:
    """What ``undo`` did."""
    return UndoOutcome(
        dry_run=dry_run,
        change_id=change.id,
        made=change.made,
        summary=displayable(change.summary, limit=LONGEST_TEXT),
        journal=change.journal,
        changes=len(change.items),
        bytes_written=sum(file.bytes_written for file in change.files),
    )


def recover_outcome(action: str, change: JournalChange | None, *, dry_run: bool) -> RecoverOutcome:
    """What ``recover`` did."""
    return RecoverOutcome(
        dry_run=dry_run,
        action=action,
        change_id=change.id if change is not None else None,
        changes=len(change.items) if change is not None else 0,
    )


def _cut(text: str | None) -> str | None:
    return displayable(text, limit=LONGEST_TEXT) if text is not None else None


def _skip_rearm(skip: SkipRearmFacts) -> str:
    if skip.present is None:
        return "unknown"
    if not skip.present:
        return "absent"
    data = skip.data
    return displayable("; ".join(data) if isinstance(data, tuple) else str(data), limit=LONGEST_TEXT)


def _host(item: KmsValueFacts) -> KmsHostItem:
    data = item.data
    return KmsHostItem(
        scope=item.scope,
        view=item.view,
        name=displayable(item.name, limit=LONGEST_TEXT),
        data=displayable("; ".join(data) if isinstance(data, tuple) else str(data), limit=LONGEST_TEXT),
        problem=_cut(item.problem),
    )


def _store(item: TokenStoreFacts) -> TokenStoreItem:
    names = [file.path.removeprefix(f"{item.path}\\") for file in item.files]
    return TokenStoreItem(
        path=displayable(item.path, limit=LONGEST_TEXT),
        kind=item.kind,
        active=item.active,
        exists=item.exists,
        files=tuple(displayable(name, limit=LONGEST_TEXT) for name in names[:LONGEST_LIST]),
    )


def _step(step: ProcedureStep) -> ProcedureStep:
    return ProcedureStep(
        step=step.step, title=step.title, state=step.state, evidence=displayable(step.evidence, limit=LONGEST_TEXT)
    )


def _notice(notice: Notice) -> Notice:
    return Notice(
        code=notice.code, message=displayable(notice.message, limit=LONGEST_TEXT), location=_cut(notice.location)
    )


def _item(kind: str, where: str, name: str | None, before: str | None, after: str | None) -> ChangeItem:
    from vdiskkit.report.patch_text import change_row

    row = change_row(kind, where, name, before, after)
    return ChangeItem(
        kind=kind,
        where=displayable(where),
        name=displayable(name) if name is not None else None,
        before=displayable(before) if before is not None else None,
        after=displayable(after) if after is not None else None,
        text=f"{row.label} {row.text}",
    )
