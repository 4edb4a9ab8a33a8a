"""The files of the package are read alike from a folder, a zip archive, and a loader that only gives resources."""

from __future__ import annotations

import ast
import importlib.resources
import sys
import zipfile
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vdiskkit
from vdiskkit.resources import read_resource, resource_names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec
    from importlib.readers import FileReader
    from types import ModuleType

PACKAGE = Path(vdiskkit.__file__).parent
DATA = sorted(
    path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*") if path.suffix in {".json", ".toml", ".csv"}
)
WRITERS = {"schemas/_generate.py"}
"""Makes files of the package, in a checkout only."""


@pytest.fixture
def shipment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with data and a folder of data without modules, which a test puts where it likes."""
    folder = tmp_path / "source" / "shipment"
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text("", encoding="ascii")
    (folder / "b.txt").write_bytes("zwölf\r\nBoxkämpfer\r\n".encode())
    (folder / "a.txt").write_bytes(b"one\n")
    (folder / "deep" / "c.txt").write_bytes(b"deep\n")
    monkeypatch.delitem(sys.modules, "shipment", raising=False)
    yield folder
    sys.modules.pop("shipment", None)


def assert_all_is_read() -> None:
    assert read_resource("shipment", "b.txt") == "zwölf\nBoxkämpfer\n"
    assert read_resource("shipment", "deep/c.txt") == "deep\n"
    assert resource_names("shipment", ".txt") == ("a.txt", "b.txt")
    with pytest.raises(OSError, match=r"none\.txt"):
        read_resource("shipment", "none.txt")


def test_files_of_a_folder(shipment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(shipment.parent)
    assert_all_is_read()


def test_files_of_a_zip_archive(shipment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "all of it.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(shipment.rglob("*")):
            file.write(path, path.relative_to(shipment.parent))
    monkeypatch.syspath_prepend(archive)
    assert_all_is_read()


class ResourcesOnly:
    """A loader of another kind: it gives a resource reader, and no ``get_data``."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "__init__.py")

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual module."""

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is in it."""

    def get_resource_reader(self, name: str) -> FileReader:
        from importlib.readers import FileReader

        return FileReader(self)


def test_files_of_another_loader(shipment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        @staticmethod
        def find_spec(name: str, path: object, target: object = None) -> ModuleSpec | None:
            if name != "shipment":
                return None
            spec = PathFinder.find_spec(name, [str(shipment.parent)])
            assert spec is not None
            spec.loader = ResourcesOnly(shipment)  # type: ignore[assignment]
            return spec

    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    assert_all_is_read()


def test_every_data_file_of_the_package_can_be_had() -> None:
    assert len(DATA) > 30
    for path in DATA:
        folder, _, name = path.rpartition("/")
        package = f"vdiskkit.{folder.replace('/', '.')}"
        if folder == "rules/profiles":
            package, name = "vdiskkit.rules", f"profiles/{name}"
        expected = importlib.resources.files(package).joinpath(name).read_text("utf-8")
        assert read_resource(package, name) == expected
        assert expected


def test_nothing_in_the_package_is_found_by_the_path_of_a_module() -> None:
    """That finds nothing in a zip archive. Names in texts do not count, so it is the syntax that is looked at."""
    used = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name) and node.id == "__file__"
    ]
    assert set(used) == WRITERS
