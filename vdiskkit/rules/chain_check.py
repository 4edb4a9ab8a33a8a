"""Judging a chain by its files alone: what ``chain check`` does, also when a link is missing or damaged.

The rules are those of ``validate``; here each judges all files of the chain, out of
:class:`~vdiskkit.chain.facts.ChainFacts`. Windows is not looked at, so no disk has to be readable as a whole.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from vdiskkit.rules import chain_files
from vdiskkit.rules.catalogue import built_in_rules, check_codes
from vdiskkit.rules.chain import judge_maintenance, judge_manifest
from vdiskkit.rules.chain_files import at_file, structures_of
from vdiskkit.rules.engine import Judging, judge_by
from vdiskkit.rules.model import NotApplicable, Passed, Problem, Unknown
from vdiskkit.rules.profile import Profile
from vdiskkit.rules.profile_files import load_profile

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vdiskkit.chain.facts import ChainFacts
    from vdiskkit.rules.facts import Report, Severity
    from vdiskkit.rules.model import Outcome, Rule

__all__ = ["ExaminedChain", "chain_rules", "check_chain", "examine_chain"]

DEFAULT_PROFILE = "integrity-only"


class ExaminedChain(NamedTuple):
    """A chain, what the rules say of it, and the profile it was judged by."""

    chain: ChainFacts
    report: Report
    profile: Profile

    @property
    def inspection(self) -> None:
        """Nothing: the disk's content was not looked at."""


def check_chain(
    target: str | os.PathLike[str],
    profile: Profile | str | None = None,
    *,
    parent_dirs: Sequence[str | os.PathLike[str]] = (),
    follow_parent_paths: bool = False,
) -> Report:
    """Read every structure of a disk's file and of all its parents, and judge them.

    Args:
        target: Path of a disk file, or of its ``.pvp``.
        profile: A profile, a built-in name, or the path of a TOML file: which rules count. None takes
            ``integrity-only``.
        parent_dirs: Folders in which parents are looked for besides each file's own.
        follow_parent_paths: Whether local paths stored in the files are used too.

    Raises:
        SourceError: The disk file cannot be opened.
        UnknownFormatError: It is no disk.
        PolicyError: The profile says something that cannot be.
    """
    from vdiskkit.chain import read_chain

    chain = read_chain(target, parent_dirs=parent_dirs, follow_parent_paths=follow_parent_paths, check=True)
    return examine_chain(chain, profile).report


def examine_chain(
    chain: ChainFacts,
    profile: Profile | str | None = None,
    *,
    select: Sequence[str] = (),
    extend_select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    fail_on: Severity | str | None = None,
    strict_unknown: bool | None = None,
    now: datetime | None = None,
    chosen_by: str | None = None,
) -> ExaminedChain:
    """Judge a chain that was read with ``check=True``; nothing more is read.

    Args:
        chain: The chain.
        profile: Which rules count; None takes ``integrity-only``.
        select: Only rules whose codes begin so, instead of the profile's choice.
        extend_select: These as well.
        ignore: Not these.
        fail_on: Severity from which on the chain is not fit; None for the profile's.
        strict_unknown: Whether what is not determinable is an error; None for the profile's.
        now: The time that waivers are judged by; None for the present.
        chosen_by: Why this profile is used, for the report.

    Raises:
        PolicyError: The profile says something that cannot be.
        UsageError: A code is none.
    """
    rules = chain_rules()
    check_codes((*select, *extend_select, *ignore), [rule.code for rule in built_in_rules()])
    why = chosen_by or ("asked for" if profile is not None else "the one that judges files alone")
    loaded = profile if isinstance(profile, Profile) else load_profile(profile or DEFAULT_PROFILE)
    used = loaded.changed(
        select=select, extend_select=extend_select, ignore=ignore, fail_on=fail_on, strict_unknown=strict_unknown
    )
    name = chain.files[0].file_name
    judging = Judging(chain.target, name, used, now or datetime.now(UTC), why)
    return ExaminedChain(chain, judge_by(lambda rule: _CHECKS[rule.code](chain), judging, rules), used)


def chain_rules() -> tuple[Rule, ...]:
    """The rules that judge a chain by its files alone."""
    return tuple(rule for rule in built_in_rules() if rule.code in _CHECKS)


def _footers(chain: ChainFacts) -> Iterator[Outcome]:
    none = True
    for where, state, problem in structures_of(chain, "vhd", ("footer",)):
        none = False
        if state in ("damaged", "missing"):
            yield Problem(f"the footer at the end of the file cannot be used: {problem}", where)
    if none:
        yield NotApplicable("no file of the chain is a VHD")


def _copies(chain: ChainFacts) -> Iterator[Outcome]:
    none = True
    for where, state, problem in structures_of(chain, "vhd", ("footer copy",)):
        none = False
        if state != "ok":
            yield Problem(f"the copy of the footer at the start of the file {_STATES[state]}: {problem}", where)
    if none:
        yield NotApplicable("no file of the chain is a VHD with a copy of its footer")


_STATES = {"damaged": "cannot be used", "missing": "is missing", "differs": "is another one"}


def _headers(chain: ChainFacts) -> Iterator[Outcome]:
    none = True
    for where, state, problem in structures_of(chain, "vhdx", ("header 1", "header 2")):
        none = False
        if state != "ok":
            yield Problem(f"a header {_STATES[state]}: {problem}", where)
    if none:
        yield NotApplicable("no file of the chain is a VHDX")


def _region_tables(chain: ChainFacts) -> Iterator[Outcome]:
    none = True
    for where, state, problem in structures_of(chain, "vhdx", ("region table 1",)):
        none = False
        if state != "ok":
            yield Problem(f"the first region table {_STATES[state]}: {problem}", where)
    if none:
        yield NotApplicable("no region table could be looked at")


def _logs(chain: ChainFacts) -> Iterator[Outcome]:
    none = True
    for where, state, problem in structures_of(chain, "vhdx", ("log",)):
        none = False
        if state == "pending":
            yield Problem(f"the log is not empty: {problem}", where)
    if none:
        yield NotApplicable("no log could be looked at")


def _interrupted(chain: ChainFacts) -> Iterator[Outcome]:
    for item in chain.files:
        if item.interrupted:
            yield Problem(item.interrupted, at_file(item.path))


def _noticed(*codes: str) -> Callable[[ChainFacts], Iterator[Outcome]]:
    """What was noticed in the files, or in the folder."""

    def judge(chain: ChainFacts) -> Iterator[Outcome]:
        for notice in (*chain.notices, *(notice for item in chain.files for notice in item.notices)):
            if notice.code in codes:
                yield Problem(notice.message, notice.location)

    return judge


def _in_folder(*codes: str) -> Callable[[ChainFacts], Iterator[Outcome]]:
    """What was noticed in the folder, when it could be listed."""
    noticed = _noticed(*codes)

    def judge(chain: ChainFacts) -> Iterator[Outcome]:
        gap = _unlisted(chain)
        if gap is not None:
            yield gap
        else:
            yield from noticed(chain)

    return judge


def _parent_times(chain: ChainFacts) -> Iterator[Outcome]:
    children = [item for item in chain.files if item.parent is not None]
    recorded = [item for item in children if item.parent is not None and item.parent.modified is not None]
    yield from _noticed("vhd.parent_time")(chain)
    if not children:
        yield Passed("the disk has no parent")
    elif not recorded:
        if all(item.format == "vhdx" for item in children):
            yield NotApplicable("a VHDX keeps the id of its parent's content instead of its time")
        else:
            yield Unknown("no file records its parent's time")


def _side_cars(chain: ChainFacts) -> Iterator[Outcome]:
    for item in chain.files:
        if item.side_car is None:
            yield Problem("a file of the chain has no .pvp", at_file(item.path))
        elif item.side_car.problem is not None:
            yield Problem("the .pvp of a file of the chain cannot be read", at_file(item.path), item.side_car.problem)
    for other in chain.others:
        if not other.has_pvp:
            yield Problem("a disk file of this vDisk has no .pvp", _beside(chain, other.file_name))


def _plausible(chain: ChainFacts) -> Iterator[Outcome]:
    for item in chain.files:
        for problem in item.side_car.implausible if item.side_car is not None else ():
            yield Problem("a side-car is not plausible", at_file(item.path), problem)
    yield from _noticed("pair.several_side_cars")(chain)


def _side_car_sizes(chain: ChainFacts) -> Iterator[Outcome]:
    for item in chain.files:
        described = item.side_car.disk_size if item.side_car is not None else None
        if described is not None and item.virtual_size is not None and described != item.virtual_size:
            evidence = f"{described} bytes in the .pvp, {item.virtual_size} in the disk"
            yield Problem("the side-car describes a disk of another size", at_file(item.path), evidence)


def _side_car_blocks(chain: ChainFacts) -> Iterator[Outcome]:
    for item in chain.files:
        if item.side_car is None:
            continue
        pairs = (
            ("block", item.side_car.block_size, item.block_size),
            ("sector", item.side_car.sector_size, item.sector_size),
        )
        for what, named, own in pairs:
            if named is not None and own is not None and named != own:
                evidence = f"{named} bytes in the .pvp, {own} in the disk"
                yield Problem(f"the side-car names another {what} size than the disk has", at_file(item.path), evidence)


def _newest(chain: ChainFacts) -> Iterator[Outcome]:
    own = chain.files[0].version
    gap = _unlisted(chain)
    if gap is not None:
        yield gap
    elif own is None or chain.newest_version is None:
        yield Unknown("the disk is not among the versions in its folder")
    elif own < chain.newest_version:
        yield Problem(
            f"a newer version lies beside this one: {chain.newest_version}", evidence=f"this is version {own}"
        )


def _maintenance(chain: ChainFacts) -> Iterable[Outcome]:
    gap = _no_manifest(chain)
    if gap is not None or chain.manifest is None:
        return [gap] if gap is not None else []
    return judge_maintenance(chain.manifest, _beside(chain, chain.manifest.file_name))


def _manifest(chain: ChainFacts) -> Iterable[Outcome]:
    gap = _no_manifest(chain)
    if gap is not None or chain.manifest is None:
        return [gap] if gap is not None else []
    return judge_manifest(chain.manifest, chain.newest_version, _beside(chain, chain.manifest.file_name))


def _names(chain: ChainFacts) -> Iterable[Outcome]:
    gap = _no_manifest(chain)
    if gap is not None or chain.manifest is None:
        return [gap] if gap is not None else []
    files = [
        (item.file_name, item.version, item.kind)
        for item in chain.files
        if item.version is not None and item.kind is not None
    ]
    files += [(item.file_name, item.version, item.kind) for item in chain.others]
    return chain_files.judge_names(chain.manifest, files, _beside(chain, chain.manifest.file_name))


def _no_manifest(chain: ChainFacts) -> Outcome | None:
    if chain.manifest is not None:
        return None
    gap = _unlisted(chain) or next(
        (Unknown(notice.message) for notice in chain.notices if notice.code == "pair.manifest_unreadable"), None
    )
    if gap is not None:
        return gap
    if len(chain.files) + len(chain.others) == 1 and not chain.files[0].version:
        return NotApplicable("the vDisk has no versions and no export manifest")
    return Unknown("there is no export manifest; the access of the versions is only in the PVS database")


def _unlisted(chain: ChainFacts) -> Unknown | None:
    """Why nothing is known about the folder, None when it could be listed."""
    found = next((notice for notice in chain.notices if notice.code == "pair.folder_unreadable"), None)
    return Unknown(found.message) if found is not None else None


def _beside(chain: ChainFacts, file_name: str) -> str:
    return f"{at_file(chain.target)} > file:{file_name}"


_CHECKS: dict[str, Callable[[ChainFacts], Iterable[Outcome]]] = {
    "VHD101": _footers,
    "VHD102": _copies,
    "VHD103": _noticed("vhd.saved_state"),
    "VHD104": _noticed("vhd.geometry_size", "vhd.fixed_size"),
    "VHD106": _interrupted,
    "VHD107": chain_files.judge_structures,
    "VHX101": _headers,
    "VHX102": _region_tables,
    "VHX103": _logs,
    "VHX104": chain_files.judge_region_copies,
    "VHX105": chain_files.judge_vhdx_structures,
    "CHN101": _in_folder("pair.parent_missing", "pair.parent_id_unknown"),
    "CHN102": _parent_times,
    "CHN103": _side_cars,
    "CHN104": _in_folder("pair.version_twice", "pair.name_ambiguous"),
    "CHN105": _newest,
    "CHN106": _maintenance,
    "CHN107": _manifest,
    "CHN108": chain_files.judge_whole,
    "CHN109": chain_files.judge_sizes,
    "CHN110": _names,
    "CHN111": chain_files.judge_locks,
    "PVP102": _plausible,
    "PVP106": _side_car_sizes,
    "PVP107": _side_car_blocks,
}
