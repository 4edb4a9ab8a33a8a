"""A VHD through the eyes of dissect.hypervisor, as second opinion on what this package reads or has written."""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any, cast

from vdiskkit.io import GuardedSource, ReadBudget, SourceFile

if TYPE_CHECKING:
    from vdiskkit.io import ByteSource

__all__ = ["open_with_dissect"]

_PACKAGE = "dissect.hypervisor"


def open_with_dissect(source: ByteSource, budget: ReadBudget) -> Any:  # noqa: ANN401 - dissect has no type information
    """Open a fixed or dynamic VHD; dissect cannot look through a differencing one.

    Args:
        source: The file.
        budget: How much may be read: dissect checks little of what the file says.

    Returns:
        A ``dissect.hypervisor.disk.vhd.VHD``, a readable and seekable file object. It raises what dissect raises.
    """
    _put_off_other_formats()
    from dissect.hypervisor.disk.vhd import VHD

    return VHD(SourceFile(GuardedSource(source, budget)))


def _put_off_other_formats() -> None:
    """Have the package's own imports happen at the first use of one of its names, not with its VHD module.

    They are the readers of a dozen other formats, and take as long as a whole change of a disk. Whoever imports the
    package meets all of its names as ever.
    """
    if _PACKAGE in sys.modules:
        return
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.loader is None:
        return
    module, loader = importlib.util.module_from_spec(spec), spec.loader

    def load(name: str) -> object:
        vars(module).pop("__getattr__", None)
        loader.exec_module(module)
        return getattr(module, name)

    cast("Any", module).__getattr__ = load
    sys.modules[_PACKAGE] = module
    parent, _, name = _PACKAGE.rpartition(".")
    setattr(sys.modules[parent], name, module)  # as an import does
