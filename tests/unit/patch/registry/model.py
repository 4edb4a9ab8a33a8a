"""A hive as nested dictionaries, and the judges that compare an edited hive with it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vdiskkit.io import BytesSource
from vdiskkit.patch.registry import HiveEditor, Touched, check_hive, check_touched
from vdiskkit.patch.staging import Phase, StagedFile
from vdiskkit.registry import Hive
from vdiskkit.registry.dissect_view import CheckedRegistryHive
from vdiskkit.registry.upcase import upcase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vdiskkit.location import Location
    from vdiskkit.registry import RegistryKey

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

Values = dict[str, tuple[str, int, bytes]]
Flat = dict[tuple[str, ...], dict[str, tuple[int, bytes]]]


class Node:
    """A key of the model."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.children: dict[str, Node] = {}
        self.values: Values = {}

    def child(self, name: str) -> Node:
        return self.children.setdefault(upcase(name), Node(name))

    def walk(self, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Node]]:
        yield names, self
        for child in self.children.values():
            yield from child.walk((*names, child.name))

    def flat(self) -> Flat:
        return {names: {name: (kind, data) for name, kind, data in node.values.values()} for names, node in self.walk()}


def load_model(data: bytes) -> Node:
    root = Node("")
    for names, values in flat(data).items():
        node = root
        for name in names:
            node = node.child(name)
        node.values = {upcase(name): (name, kind, raw) for name, (kind, raw) in values.items()}
    return root


def flat(data: bytes, *, look_up: bool = True) -> Flat:
    """All keys and values as our own reader sees them; each key is looked up by its name too."""
    hive = Hive(BytesSource(data))
    found: Flat = {}

    def visit(key: RegistryKey, names: tuple[str, ...]) -> None:
        values = list(key.values())
        found[names] = {value.name: (value.type, value.raw) for value in values}
        assert len(found[names]) == len(values) == key.value_count
        for child in key.subkeys():
            assert (*names, child.name) not in found
            assert not look_up or key.subkey(child.name) is not None
            visit(child, (*names, child.name))

    visit(hive.root, ())
    return found


def by_dissect(data: bytes) -> list[Any]:
    """The same by dissect.regf, sorted; compare with :func:`as_dissect`."""
    view = CheckedRegistryHive(Hive(BytesSource(data)))
    found: list[Any] = []

    def visit(key: Any, names: tuple[str, ...]) -> None:
        values = [
            ("" if value.cell.NameLength == 0 else value.name, value.type, value.data.hex()) for value in key.values()
        ]
        found.append((names, sorted(values)))
        for child in key.subkeys():
            visit(child, (*names, child.name))

    visit(view.root(), ())
    return sorted(found)


def as_dissect(expected: Flat) -> list[Any]:
    """What dissect makes of names of one byte per character: it takes them for UTF-8 where they can be that."""
    return sorted(
        (
            tuple(_as_dissect(name) for name in names),
            sorted((_as_dissect(name), kind, data.hex()) for name, (kind, data) in values.items()),
        )
        for names, values in expected.items()
    )


def _as_dissect(name: str) -> str:
    try:
        return name.encode("latin-1").decode()
    except UnicodeError:
        return name


def edited(data: bytes, change: Callable[[HiveEditor], object], *, logs: tuple[int, ...] = (), **options: Any) -> bytes:
    """The hive after one edit, which all structural checks find sound."""
    staged = StagedFile(BytesSource(data))
    editor = HiveEditor(staged, name="TEST", now=NOW, grow=staged.extend)
    change(editor)
    editor.commit(logs, **options)
    result = staged.read_at(0, staged.size)
    judge(result, editor.touched)
    return result


def judge(data: bytes, touched: Touched | None = None) -> None:
    """Nothing may be wrong with the hive."""
    assert check_hive(BytesSource(data)) == ()
    if touched is not None:
        assert check_touched(BytesSource(data), touched) == ()


class Recorder:
    """A source that remembers the order of writes."""

    def __init__(self, data: bytes) -> None:
        self.staged = StagedFile(BytesSource(data))
        self.writes: list[tuple[int, bytes, Phase]] = []
        self.reads = 0

    @property
    def size(self) -> int:
        return self.staged.size

    @property
    def location(self) -> Location:
        return self.staged.location

    def read_at(self, offset: int, length: int) -> bytes:
        self.reads += 1
        return self.staged.read_at(offset, length)

    def write_at(self, offset: int, data: bytes, phase: Phase) -> None:
        self.writes.append((offset, data, phase))
        self.staged.write_at(offset, data, phase)
