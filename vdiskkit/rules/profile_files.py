"""Finding and loading profiles: built-in names, TOML files, ``extends``, and the default by licence mode."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from vdiskkit.errors import PolicyError, UsageError
from vdiskkit.io.opening import open_shared
from vdiskkit.io.paths import host_path, real_path
from vdiskkit.io.textinput import decode_input
from vdiskkit.location import Location
from vdiskkit.resources import read_resource
from vdiskkit.rules.catalogue import rule_codes
from vdiskkit.rules.profile import BUILT_IN, Profile
from vdiskkit.rules.profile_parse import Document
from vdiskkit.rules.toml_text import TomlError, parse_toml
from vdiskkit.text import displayable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from vdiskkit.pvp.facts import PvpFacts

__all__ = ["FILE_NAME", "VARIABLE", "default_profile", "find_profile", "load_profile"]

FILE_NAME = "vdiskkit.toml"
"""The profile that is used without being asked for, when it lies in the working folder or above it."""

VARIABLE = "VDISKKIT_PROFILE"

_SIZE_LIMIT = 1024 * 1024
_DEPTH_LIMIT = 16


def load_profile(name: str | os.PathLike[str], *, codes: Collection[str] | None = None) -> Profile:
    """Load a profile.

    Args:
        name: A built-in name, or the path of a TOML file.
        codes: Codes of all rules that it may name; None for those of the catalogue.

    Raises:
        PolicyError: There is no such profile, or something in it cannot be; the location names file and line.
        UsageError: The path can not name a file.
    """
    known = tuple(codes) if codes is not None else rule_codes()
    return _load(os.fspath(name), known, ())


def find_profile(folder: str | os.PathLike[str], environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Find the profile that is meant without an option.

    Args:
        folder: Where to begin looking for ``vdiskkit.toml``, upwards.
        environment: Environment variables.

    Returns:
        Its name or path, and why it was taken; None when the licence mode of the disk decides.
    """
    named = environment.get(VARIABLE)
    if named:
        return named, f"by {VARIABLE}"
    here = Path(folder).absolute()
    for place in (here, *here.parents):
        path = place / FILE_NAME
        if path.is_file():
            return str(path), f"by {FILE_NAME} in or above the working folder"
    return None


def default_profile(pvp: PvpFacts | None) -> tuple[str, str]:
    """The built-in profile for a side-car's licence mode, and why."""
    if pvp is None:
        return "no-licensing", "by default: no side-car tells the licence mode"
    name = {"kms": "kms-standard", "mak": "mak"}.get(pvp.license_mode, "no-licensing")
    return name, f"by the licence mode in the side-car: {pvp.license_mode}"


def _load(name: str, codes: Collection[str], chain: tuple[str, ...]) -> Profile:
    built_in = name in BUILT_IN
    shown = name if built_in else str(Path(name))
    identity = shown if built_in else _identity(name)
    path = Path(name if built_in else host_path(name).opened)
    if identity in chain or len(chain) >= _DEPTH_LIMIT:
        raise PolicyError(
            "the profile extends itself: " + " -> ".join((*chain, identity)),
            location=Location(shown),
            hint="take one 'extends' out",
        )
    text = read_resource("vdiskkit.rules", f"profiles/{name}.toml") if built_in else _read(name, shown)
    try:
        data = parse_toml(text)
    except TomlError as exc:
        where = Location(shown)
        if exc.line is not None:
            raise PolicyError(f"this is no profile: {exc}", location=where.at("line", str(exc.line))) from exc
        raise PolicyError(f"the profile is no TOML: {displayable(str(exc), 200)}", location=where) from exc
    document = Document(data, text, shown, codes)
    extends = document.extends
    base = Profile(name)
    if extends is not None:
        beside = extends if extends in BUILT_IN else str(path.parent / extends)
        base = _load(beside, codes, (*chain, identity))
    return document.apply(base, name if built_in else path.stem, "built in" if built_in else shown)


def _identity(name: str) -> str:
    try:
        return os.path.normcase(Path(real_path(name)).absolute())
    except UsageError as exc:
        raise PolicyError(f"the profile's name cannot be a file: {exc.message}", location=exc.location) from exc


def _read(name: str, shown: str) -> str:
    try:
        with os.fdopen(open_shared(host_path(name).opened), "rb") as file:
            data = file.read(_SIZE_LIMIT + 1)
    except OSError as exc:
        raise PolicyError(
            f"the profile cannot be read: {exc.strerror or exc}",
            location=Location(shown),
            hint=f"name a TOML file, or one of {', '.join(BUILT_IN)}",
        ) from exc
    if len(data) > _SIZE_LIMIT:
        raise PolicyError("the profile is larger than 1 MiB", location=Location(shown))
    return decode_input(data, shown, error=PolicyError).replace("\r\n", "\n")
