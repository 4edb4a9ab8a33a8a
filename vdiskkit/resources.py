"""The files that come with the package: read in one way from a folder, a zip archive and a frozen program.

``importlib.resources`` would do, but its import takes longer than all other imports of a run. It stands on the loaders,
and so does this: every loader of the standard library, and PyInstaller's, has ``get_data``. Only what they do not have,
listing a folder, and a loader of another kind need ``importlib.resources`` itself.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from types import ModuleType

__all__ = ["read_resource", "resource_names"]


def read_resource(package: str, name: str) -> str:
    """Return a text file of a package, with plain line feeds.

    Args:
        package: Full name of the package.
        name: The file below the package's folder; ``/`` stands between names.

    Raises:
        OSError: There is no such file.
    """
    module = import_module(package)
    loader: Any = module.__spec__.loader if module.__spec__ is not None else None
    if hasattr(loader, "get_data"):
        data: bytes = loader.get_data(_path(module, name))
    else:
        data = _folder(package).joinpath(*name.split("/")).read_bytes()
    return data.decode("utf-8").replace("\r\n", "\n")  # a checkout on Windows may have CRLF


def resource_names(package: str, ending: str) -> tuple[str, ...]:
    """Return the names of a package's files that end so, in order."""
    return tuple(sorted(item.name for item in _folder(package).iterdir() if item.name.endswith(ending)))


def _path(module: ModuleType, name: str) -> str:
    """The path as the loader wants it: that of the package, extended."""
    (folder, *_) = module.__path__
    return os.sep.join((folder, *name.split("/")))  # noqa: PTH118 - loaders take text; pathlib costs start-up time


def _folder(package: str) -> Traversable:
    from importlib.resources import files

    return files(package)
