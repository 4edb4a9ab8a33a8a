"""Rules about the side-car, and about what lies beside the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.inspection.preparation import judge_preparation
from vdiskkit.rules import gaps
from vdiskkit.rules.facts import Severity
from vdiskkit.rules.model import NotApplicable, Passed, Problem, Rule, Unknown, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdiskkit.rules.model import Context, Outcome

__all__ = ["RULES"]

_LICENSING_DOC = "docs.citrix.com, Citrix Provisioning 7.15: vDisk volume licensing"
_PVS = "PVS 5.6 and later"
_ALL = "all PVS versions"


@rule(
    "PVP101",
    "The side-car lies beside the disk",
    severity="error",
    reads="names in the folder of the disk",
    judgement="passes with a .pvp of the same name; fails without one",
    why="Mode, licence mode and cache type are in the .pvp only. A disk that is copied alone is added with default "
    "settings, and its KMS preparation is lost.",
    fix="copy name.pvp from the folder the disk comes from; both files always go together",
    versions=_ALL,
    source=_LICENSING_DOC,
)
def there(context: Context) -> Iterator[Outcome]:
    """Look for the side-car."""
    if context.pair is None:
        yield gaps.no_pair(context)
    elif context.pair.pvp_path is None:
        yield Problem("there is no .pvp side-car beside the disk", context.inspection.target)


@rule(
    "PVP102",
    "The side-car is plausible",
    severity="error",
    reads="every field of the .pvp whose range is known, its length, its texts",
    judgement="passes when all are in range; fails otherwise",
    why="The format has no checksum that is public. A field out of range is a file that was cut, overwritten or "
    "belongs to something else; PVS would apply nonsense.",
    fix="copy the .pvp again from its source, or save the vDisk's properties again in the PVS console",
    versions=_PVS,
    source="observed in .pvp files and in public tools that read them",
)
def plausible(context: Context) -> Iterator[Outcome]:
    """Judge the fields."""
    unreadable = context.noticed("pvp.unreadable")
    if unreadable:
        yield from unreadable
        return
    if context.pvp is None:
        yield gaps.no_pvp(context)
        return
    for problem in context.pvp.problems:
        yield Problem(
            f"the side-car's {problem.field} is not plausible: {problem.why}",
            _place(context, f"byte:{problem.offset:#x}"),
            problem.value,
        )
    yield from context.noticed("pair.several_side_cars")


@rule(
    "PVP103",
    "The access mode is the expected one",
    severity="error",
    reads="writeCacheType in the .pvp: 0 and 10 are Private, all others Standard",
    judgement="passes when the mode is what the profile expects; fails otherwise",
    why="PVS prepares an image for KMS only on the change from Private to Standard, so the change must come before the "
    "copy. An image that is copied in Private mode can be started by one target only.",
    fix="PVS console: shut the target down, wait until the lock is gone, then vDisk, Properties, Access mode: Standard "
    "image",
    versions=_ALL,
    source=_LICENSING_DOC,
)
def mode(context: Context) -> Iterator[Outcome]:
    """Judge the access mode."""
    wanted = context.expect.mode
    if wanted == "any":
        yield NotApplicable("the profile expects no mode")
    elif context.pvp is None:
        yield gaps.no_pvp(context)
    elif context.pvp.mode == "unknown":
        yield Unknown(f"write cache type {context.pvp.write_cache_type.value} has no known meaning")
    elif context.pvp.mode != wanted:
        name = context.pvp.write_cache_type.name
        fix = "PVS console: vDisk, Properties, Access mode: Private image" if wanted == "private" else None
        yield Problem(
            f"the mode is {context.pvp.mode.capitalize()}, not {wanted.capitalize()}",
            _place(context, "writeCacheType"),
            f"write cache type {context.pvp.write_cache_type.value}: {name}",
            fix=fix,
        )


@rule(
    "PVP104",
    "The licence mode is the expected one",
    severity="error",
    reads="licenseMode in the .pvp, and whether the installed Windows key is a KMS client key",
    judgement="passes when the mode is what the profile expects; fails otherwise. When the default profile is used, a "
    "KMS client key in an image with licence mode None is a warning",
    why="With None, PVS does not prepare the image: all targets share one client machine id, and the KMS host counts "
    "them once.",
    fix="PVS console: set Private mode first, then vDisk, Properties, Microsoft Volume Licensing, choose the mode, "
    "then set Standard mode",
    versions=_PVS,
    source=_LICENSING_DOC,
)
def license_mode(context: Context) -> Iterator[Outcome]:
    """Judge the licence mode."""
    wanted = context.expect.license_mode
    if context.pvp is None:
        yield gaps.no_pvp(context)
        return
    found = context.pvp.license_mode
    where = _place(context, "licenseMode")
    if found == "unknown":
        yield Unknown(f"licence mode {context.pvp.license_mode_value} has no known meaning")
    elif wanted not in ("any", found):
        yield Problem(f"the licence mode is {_upper(found)}, not {_upper(wanted)}", where, f"licenseMode {found}")
    elif found == "none" and not context.chosen and context.licensing and context.licensing.product_key.client_key:
        yield Problem(
            "the licence mode is None, but the image holds a KMS client key",
            where,
            f"licenseMode none, installed key {context.licensing.product_key.key}",
            Severity.WARNING,
            "choose KMS as licence mode before the change to Standard mode; if None is meant, say so with "
            "--profile no-licensing",
        )
    elif wanted == "any":
        yield Passed(f"licence mode {found}")


@rule(
    "PVP105",
    "The disk is not locked",
    severity="warning",
    reads="lock files (.lok) of this disk in its folder",
    judgement="passes without one; warns with one, which may be left over from a crash",
    why="A lock means that a target or a server uses the disk. A copy of a disk in use is no consistent copy.",
    fix="shut the targets down; if none runs, PVS console: vDisk, Manage Locks, Remove Locks",
    versions=_ALL,
    source="Citrix: do not copy a vDisk that is in use or locked",
)
def lock(context: Context) -> Iterator[Outcome]:
    """Look for the lock file."""
    if context.pair is None:
        yield gaps.no_pair(context)
        return
    gap = gaps.unreadable(context, "pair.folder_unreadable")
    if gap is not None:
        yield gap
    elif context.pair.locked:
        yield Problem("a lock file lies beside the disk", context.inspection.target, ", ".join(context.pair.lock_files))


@rule(
    "PVP106",
    "Side-car and disk have the same size",
    severity="warning",
    reads="sectors times sector size in the .pvp, virtual size of the disk",
    judgement="passes when they agree; warns otherwise",
    why="The side-car belongs to another disk, or the disk was resized without PVS.",
    fix="copy both files again from the same folder; after a resize, save the vDisk's properties in the PVS console",
    versions=_PVS,
    source="observed in .pvp files",
)
def size(context: Context) -> Iterator[Outcome]:
    """Compare the sizes."""
    if context.pvp is None:
        yield gaps.no_pvp(context)
    elif context.pvp.disk_size_bytes is None:
        yield Unknown("the side-car's size is not plausible")
    elif context.pvp.disk_size_bytes != context.inspection.container.virtual_size:
        yield Problem(
            "the side-car describes a disk of another size",
            _place(context, "total sectors"),
            f"{context.pvp.disk_size_bytes} bytes in the .pvp, {context.inspection.container.virtual_size} in the disk",
        )


@rule(
    "PVP107",
    "Side-car and disk have the same block and sector size",
    severity="warning",
    reads="block size and sector size in the .pvp and in the disk file",
    judgement="passes when they agree or one of them has none; warns otherwise",
    why="The side-car belongs to another disk, or the disk was converted without PVS.",
    fix="copy both files again from the same folder; after a conversion, save the vDisk's properties in the PVS "
    "console",
    versions=_PVS,
    source="observed in .pvp files",
)
def blocks(context: Context) -> Iterator[Outcome]:
    """Compare block and sector sizes."""
    pvp, container = context.pvp, context.inspection.container
    if pvp is None:
        yield gaps.no_pvp(context)
        return
    if pvp.vhd_block_size and container.block_size and pvp.vhd_block_size != container.block_size:
        yield Problem(
            "the side-car names another block size than the disk has",
            _place(context, "block size"),
            f"{pvp.vhd_block_size} bytes in the .pvp, {container.block_size} in the disk",
        )
    if pvp.sector_size in (512, 4096) and pvp.sector_size != container.sector_size:
        yield Problem(
            "the side-car names another sector size than the disk has",
            _place(context, "sector size"),
            f"{pvp.sector_size} bytes in the .pvp, {container.sector_size} in the disk",
        )


@rule(
    "PVP108",
    "The side-car was made for this disk file",
    severity="note",
    reads="originalFile in the .pvp and the name of the disk file",
    judgement="passes when the names agree or none is stored; gives a note otherwise",
    why="The side-car was copied from another vDisk, or the vDisk was renamed. The name alone does no harm, but it is "
    "the first trace of a side-car of another disk.",
    fix="compare the sizes and the description in the side-car with the disk; when the vDisk was renamed, nothing",
    versions=_PVS,
    source="observed in .pvp files",
)
def original(context: Context) -> Iterator[Outcome]:
    """Compare the names."""
    if context.pvp is None:
        yield gaps.no_pvp(context)
        return
    stored = _file_name(context.pvp.original_file)
    own = _file_name(context.inspection.target)
    if stored and own and stored.rpartition(".")[0].casefold() != own.rpartition(".")[0].casefold():
        yield Problem("the side-car names another disk file", _place(context, "originalFile"), f"it names {stored}")


@rule(
    "PVP109",
    "PVS prepared the image at the switch to Standard mode",
    severity="warning",
    reads="properties time in the .pvp, modification time of the disk file, licence mode and access mode",
    judgement="for a Standard mode disk with licence mode KMS: warns when the properties changed more than an hour "
    "after the disk was last written; else not determinable, and never passes: the preparation leaves no trace whose "
    "meaning is public",
    why="On the change from Private to Standard with KMS chosen, PVS writes into the image. When KMS was chosen while "
    "the disk was Standard already, the image is not prepared, and all targets share one client machine id. Properties "
    "that changed later than the disk are a sign of it.",
    fix="when in doubt: set Private mode, start and shut down the vDisk once, check that KMS is chosen, then set "
    "Standard mode and copy both files",
    versions=_PVS,
    source=f"{_LICENSING_DOC}; the procedure of ingmarverheij.com for KMS on a vDisk",
)
def prepared(context: Context) -> Iterator[Outcome]:
    """Tell what the times show of the preparation."""
    if context.pvp is None or context.pair is None:
        yield gaps.no_pvp(context)
        return
    found = judge_preparation(context.pvp, context.pair)
    if found is None:
        yield NotApplicable("only a Standard mode disk with licence mode KMS is prepared by PVS")
    elif found.doubt is not None:
        yield Problem(found.doubt, _place(context, "properties time"), found.evidence)
    else:
        yield Unknown(found.evidence)


@rule(
    "PVP110",
    "No server-side write cache lies in the folder",
    severity="note",
    reads="a folder WriteCache beside the disk",
    judgement="passes without one; gives a note with one",
    why="Caches of running targets are not part of the vDisk. Copied along, they fill the other servers' disks.",
    fix="leave the folder WriteCache out of the copy (robocopy /XD WriteCache)",
    versions=_ALL,
    source="docs.citrix.com, Citrix Provisioning: write cache on server",
)
def write_cache(context: Context) -> Iterator[Outcome]:
    """Look for write caches."""
    if context.pair is None:
        yield gaps.no_pair(context)
        return
    gap = gaps.unreadable(context, "pair.folder_unreadable")
    if gap is not None:
        yield gap
    elif context.pair.write_cache_folder is not None:
        yield Problem("a folder of server-side write caches lies beside the disk", context.pair.write_cache_folder)


@rule(
    "PVP111",
    "Machine account password management is as the profile expects",
    severity="error",
    reads="adPasswordEnabled in the .pvp",
    judgement="passes when it is what the profile expects; fails otherwise",
    why="The profile says so.",
    fix="PVS console: vDisk, Properties, Active Directory machine account password management",
    versions=_PVS,
    source="your profile",
)
def ad_password(context: Context) -> Iterator[Outcome]:
    """Judge password management."""
    wanted = context.expect.ad_password
    if wanted is None:
        yield NotApplicable("the profile expects nothing of machine account passwords")
    elif context.pvp is None:
        yield gaps.no_pvp(context)
    elif context.pvp.ad_password_enabled is None:
        yield Unknown("the side-car's setting is neither 0 nor 1")
    elif context.pvp.ad_password_enabled is not wanted:
        found = "on" if context.pvp.ad_password_enabled else "off"
        yield Problem(f"machine account password management is {found}", _place(context, "adPasswordEnabled"), found)


def _place(context: Context, inside: str) -> str:
    path = context.pair.pvp_path if context.pair is not None else None
    return f"{path} > {inside}" if path else inside


def _upper(mode: str) -> str:
    return {"kms": "KMS", "mak": "MAK", "none": "None"}.get(mode, mode)


def _file_name(path: str) -> str:
    return path.replace("/", "\\").rpartition("\\")[2]


RULES = tuple(value for value in list(globals().values()) if isinstance(value, Rule))
