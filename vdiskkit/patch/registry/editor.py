r"""Setting, adding and deleting values and keys of one hive.

    logs = [("SOFTWARE.LOG1", log1), ("SOFTWARE.LOG2", log2)]
    editor = HiveEditor(source, name="SOFTWARE", now=datetime.now(UTC), grow=file.grow, logs=logs)
    editor.set_value(r"Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform", "SkipRearm", REG_DWORD, 1)
    editor.commit()

Everything is checked before it is changed, kept in memory until :meth:`HiveEditor.commit`, and handed on there in an
order in which each prefix is a sound hive: new cells, then what leads to them, then what is given back. A hive that was
not closed cleanly is edited as its logs leave it, and they are replayed into it with the edit.

Follows Maxim Suhanov's "Windows registry file format specification".
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vdiskkit.errors import KeyMissingError, UsageError, ValueMissingError, WriteRefusedError
from vdiskkit.patch.registry.base import open_base_block, seal
from vdiskkit.patch.registry.bins import bins_over
from vdiskkit.patch.registry.buffer import WriteBuffer
from vdiskkit.patch.registry.cells import CellStore
from vdiskkit.patch.registry.changes import ChangeKind, HiveChange, Touched, ValueData
from vdiskkit.patch.registry.encode import encode
from vdiskkit.patch.registry.moving import move_torn_keys
from vdiskkit.patch.registry.names import check_new_keys, check_new_value, split_path
from vdiskkit.patch.registry.records import (
    NK_MAX_SUBKEY_NAME,
    NK_WRITTEN,
    U64,
    VALUE_TOMBSTONE,
    KeyRecord,
    ValueRecord,
    name_size,
    new_key,
    put16,
    read_key,
)
from vdiskkit.patch.registry.replay import replayed_hive
from vdiskkit.patch.registry.security import SecurityCounts
from vdiskkit.patch.registry.subkeys import SubkeyList
from vdiskkit.patch.registry.tree import collect_tree, free_tree, refuse_stand_in
from vdiskkit.patch.registry.values import DATA_MAX, PLAIN_DATA_MAX, KeyValues
from vdiskkit.registry.logs import read_log_sequences
from vdiskkit.registry.value_types import type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from vdiskkit.io import ByteSource
    from vdiskkit.patch.registry.replay import ReplayedHive
    from vdiskkit.patch.staging import WritableSource
    from vdiskkit.registry.base_block import BaseBlock
    from vdiskkit.registry.replay import Replayed
    from vdiskkit.registry.value_types import RegistryData

__all__ = ["HiveEditor"]

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_TIME_MAX = 2**63
_TYPE_MAX = 0xFFFFFFFF
_LISTS_HELD = 64
"""Subkey lists that are held while they are edited: those on the path of a key, and of its neighbours."""


class HiveEditor:
    """Edits one hive.

    Args:
        source: The hive file.
        name: Short name in messages, such as ``SOFTWARE``.
        now: The time that changed keys get: an aware datetime, or a FILETIME.
        grow: Makes the hive file longer; called with its new size in bytes, a multiple of 4096. Without it a hive
            that has no room left is refused.
        refuse_ktm: Refuse a hive that is marked as having pending transactions of the kernel transaction manager.
            Windows 7 to 10 leave that mark on SYSTEM and SOFTWARE at every shutdown, so it tells little.
        logs: The hive's transaction logs by file name. They are only read.
        replayed: What becomes of them when they are replayed into this hive, where that is known already.

    Raises:
        FormatError: The file is no hive, or a damaged one.
        LogReplayNeededError: It is dirty and no log can be replayed, or pending and ``refuse_ktm`` is set.
        WriteRefusedError: It is a layered hive, or its logs made it longer and the file cannot grow.
    """

    def __init__(
        self,
        source: WritableSource,
        *,
        name: str = "",
        now: int | datetime,
        grow: Callable[[int], None] | None = None,
        refuse_ktm: bool = False,
        logs: Sequence[tuple[str, ByteSource]] = (),
        replayed: Replayed | None = None,
    ) -> None:
        self._logs = tuple(logs)
        self._replayed = replayed_hive(source, self._logs, name, replayed)
        self._buffer = WriteBuffer(source, grow, self._replayed)
        self._name = name
        self._now = now if isinstance(now, int) else _filetime(now)
        if not 0 < self._now < _TIME_MAX:
            raise UsageError(f"the time {now} is not one that can be stored")
        self._base = open_base_block(self._buffer, name, refuse_ktm=refuse_ktm)
        self._cells = CellStore(self._buffer, self._base.hive_bins_size)
        self._securities = SecurityCounts(self._cells)
        self._ordered: set[int] = set()
        self._lists: dict[int, SubkeyList] = {}
        self._open_values: KeyValues | None = None
        self._last: tuple[str, list[KeyRecord]] | None = None
        self._changes: list[HiveChange] = []
        self._keys: dict[str, bool] = {}
        self._bins: set[int] = set()
        self._broken = False
        self._replay_wanted = False
        refuse_stand_in(self._cells, self._root(), "the root key")

    @property
    def base_block(self) -> BaseBlock:
        """The base block as it was before the edit (after the replay, for a dirty hive), or after the last commit."""
        return self._base

    @property
    def replayed(self) -> ReplayedHive | None:
        """What the logs made of the hive before the edit; None for a hive that was closed cleanly."""
        return self._replayed

    @property
    def changes(self) -> tuple[HiveChange, ...]:
        """What was done, in order."""
        return tuple(self._changes)

    @property
    def touched(self) -> Touched:
        """The keys that were changed, and the hive bins that were written by the commits so far."""
        lists = tuple(path for path, subkeys_changed in self._keys.items() if subkeys_changed)
        return Touched(tuple(self._keys), lists, tuple(sorted(self._bins)))

    def replay(self) -> bool:
        """Have the logs replayed into the hive by the next commit, even without an edit.

        Returns:
            Whether there is anything to replay: False for a hive that was closed cleanly.
        """
        self._replay_wanted = self._buffer.replayed is not None
        return self._replay_wanted

    # -- values ----------------------------------------------------------------------------------------------------
    def set_value(
        self, key_path: str, name: str, kind: int, data: RegistryData, *, create_keys: bool = False
    ) -> HiveChange | None:
        r"""Set a value, adding it when it is missing.

        Args:
            key_path: Path of the key from the hive's root, names joined by ``\``.
            name: Name of the value, ``""`` for the default value.
            kind: Type number.
            data: Bytes, or what :func:`~vdiskkit.patch.registry.encode.encode` takes for the type.
            create_keys: Make missing keys.

        Returns:
            The change; None when the value has that type and data already, and nothing was written.

        Raises:
            KeyMissingError: There is no such key.
            UsageError: The data does not fit the type.
            WriteRefusedError: The change is not safe, or not allowed in a hive.
            FormatError: The hive is damaged on the way.
        """
        raw = self._checked_data(kind, data)
        chain, missing = self._resolve(key_path)
        if missing and not create_keys:
            raise self._key_missing(key_path)
        record = before = None
        if not missing:
            values = self._values(chain[-1])
            record = values.find(name)
            before = None if record is None else self._value_data(values, record)
        if before == ValueData(kind, raw):
            return None
        check_new_keys(missing, len(chain))
        if record is None:
            check_new_value(name)
        with self._changing():
            if missing:
                values = self._values(self._make_keys(chain, missing))
            if record is None:
                values.add(name, kind, raw)
            else:
                values.change(record, kind, raw)
            path = self._finish_key(chain)
            stored = name if record is None else record.name
            return self._record(HiveChange(ChangeKind.SET_VALUE, path, stored, before, ValueData(kind, raw)))

    def delete_value(self, key_path: str, name: str) -> HiveChange:
        """Delete a value.

        Raises:
            KeyMissingError: There is no such key.
            ValueMissingError: There is no such value.
            WriteRefusedError: The change is not safe.
            FormatError: The hive is damaged on the way.
        """
        chain, missing = self._resolve(key_path)
        if missing:
            raise self._key_missing(key_path)
        values = self._values(chain[-1])
        record = values.find(name)
        if record is None:
            raise ValueMissingError(
                f"the key {_path(chain)!r} has no value {name!r}", location=self._cells.location(chain[-1].offset)
            )
        before = self._value_data(values, record)
        with self._changing():
            values.remove(record)
            path = self._finish_key(chain)
            return self._record(HiveChange(ChangeKind.DELETE_VALUE, path, record.name, before, values=1))

    def value(self, key_path: str, name: str) -> ValueData | None:
        """Return a value as it is now, uncommitted changes included; None when there is no such key or value.

        Raises:
            WriteRefusedError: It could not be changed.
            FormatError: The hive is damaged on the way.
        """
        chain, missing = self._resolve(key_path)
        if missing:
            return None
        values = self._values(chain[-1])
        record = values.find(name)
        return None if record is None else self._value_data(values, record)

    # -- keys ------------------------------------------------------------------------------------------------------
    def has_key(self, key_path: str) -> bool:
        """Whether there is such a key, uncommitted changes included.

        Raises:
            WriteRefusedError: It could not be changed.
            FormatError: The hive is damaged on the way.
        """
        return not self._resolve(key_path)[1]

    def create_key(self, key_path: str) -> tuple[HiveChange, ...]:
        """Make a key, and the missing ones above it; they inherit the security descriptor of the key above.

        Returns:
            One change for each key that was made; none when it was there.

        Raises:
            WriteRefusedError: The change is not safe, or a name is not allowed.
            FormatError: The hive is damaged on the way.
        """
        chain, missing = self._resolve(key_path)
        if not missing:
            return ()
        check_new_keys(missing, len(chain))
        done = len(self._changes)
        with self._changing():
            self._make_keys(chain, missing)
        return tuple(self._changes[done:])

    def delete_key(self, key_path: str, *, recursive: bool = True) -> HiveChange:
        """Delete a key with its values and, when ``recursive``, all keys below it.

        Raises:
            KeyMissingError: There is no such key.
            WriteRefusedError: It is the root, may not be deleted, has subkeys, or the change is not safe.
            FormatError: The hive is damaged on the way.
        """
        self._settle_lists()
        chain, missing = self._resolve(key_path)
        if missing:
            raise self._key_missing(key_path)
        key, path = chain[-1], _path(chain)
        if len(chain) == 1:
            raise WriteRefusedError("the root key of a hive cannot be deleted", location=self._buffer.location)
        if key.subkey_count and not recursive:
            raise WriteRefusedError(
                f"the key {path!r} has {key.subkey_count} subkeys", location=self._cells.location(key.offset)
            )
        tree = collect_tree(self._cells, key, path, self._subkeys)
        parent = self._subkeys(chain[-2])
        with self._changing():
            parent.remove(key.name)
            values = free_tree(self._cells, tree, self._subkeys, self._securities, self._base.minor)
            self._lists.clear()
            self._last = None
            self._forget(path)
            self._finish_key(chain[:-1], subkeys_changed=True)
            return self._record(HiveChange(ChangeKind.DELETE_KEY, path, keys=len(tree), values=values))

    # -- commit ----------------------------------------------------------------------------------------------------
    def commit(self, log_sequences: Iterable[int] = (), *, old_format_logs: bool = True) -> int | None:
        """Hand the edit on to the source, with what was replayed below it; without an edit neither, unless asked for.

        Args:
            log_sequences: The highest sequence numbers of further transaction logs of the hive.
            old_format_logs: Whether the logs may be in the format of Windows 8 and earlier: then the hive's
                last-written time is changed too, so that an old log no longer fits. False leaves the first hive bin
                alone.

        Returns:
            The hive's new sequence number; None when there was nothing to write.

        Raises:
            WriteRefusedError: No sequence number is left, or the source refuses.
            SourceError: A log cannot be read.
        """
        self._settle_lists()
        if not self._buffer.changed and not self._replay_wanted:
            return None
        numbers = [*log_sequences, *(read_log_sequences(source) for _, source in self._logs)]
        replayed = self._buffer.replayed
        with self._changing():
            if replayed is not None:
                self._bins.update(bins_over(self._buffer.read_at, self._cells.bins_size, replayed.pages))
            for path, has_subkeys in move_torn_keys(self._cells, self._base.root_cell, self._base.minor):
                self._keys[path] = has_subkeys or self._keys.get(path, False)
            self._ordered.clear()
            self._securities.settle()
            self._cells.settle()
            bins_size = self._cells.bins_size
            sequence = seal(
                self._buffer, self._base, bins_size, max(numbers, default=0), self._now, old_format_logs=old_format_logs
            )
            for start, end in self._buffer.written():
                self._bins.update(self._cells.bins_between(start, end))
            self._buffer.flush()
            self._replay_wanted = False
            self._base = open_base_block(self._buffer, self._name, refuse_ktm=False)
        return sequence

    # -- look-up ---------------------------------------------------------------------------------------------------
    def _root(self) -> KeyRecord:
        return read_key(self._cells, self._base.root_cell, "the root key")

    def _subkeys(self, key: KeyRecord) -> SubkeyList:
        """Return the subkeys of a key. The lists of the last keys are held, as edits come key by key."""
        found = self._lists.get(key.offset)
        if found is None:
            if len(self._lists) >= _LISTS_HELD:
                self._lists.clear()
            found = self._lists[key.offset] = SubkeyList(self._cells, key, self._base.minor, self._ordered)
        return found

    def _values(self, key: KeyRecord) -> KeyValues:
        """Return the values of a key. Those of the last key are held; their list is written when it is left."""
        held = self._open_values
        if held is None or held.key_offset != key.offset:
            if held is not None:
                with self._changing():
                    held.store()
            held = self._open_values = KeyValues(self._cells, key, self._base.minor)
        return held

    def _settle_lists(self) -> None:
        """Write what is held of the lists of keys, and hold nothing any more."""
        self._check_whole()
        held, self._open_values, self._last = self._open_values, None, None
        self._lists.clear()
        if held is not None:
            with self._changing():
                held.store()

    def _resolve(self, key_path: str) -> tuple[list[KeyRecord], list[str]]:
        """Return the keys on a path, root first, and the names that have no key."""
        self._check_whole()
        if self._last is not None and self._last[0] == key_path:
            return list(self._last[1]), []
        names = split_path(key_path)
        chain = [self._root()]
        for index, name in enumerate(names):
            child = self._subkeys(chain[-1]).find(name)
            if child is None:
                return chain, names[index:]
            chain.append(child)
            refuse_stand_in(self._cells, child, _path(chain))
        self._last = (key_path, list(chain))
        return chain, []

    def _value_data(self, values: KeyValues, record: ValueRecord) -> ValueData:
        if record.flags & VALUE_TOMBSTONE:
            raise WriteRefusedError(
                f"the value {record.name!r} is marked as deleted in a layered key; it is not edited",
                location=self._cells.location(record.offset),
            )
        return ValueData(record.type, values.data(record))

    def _key_missing(self, key_path: str) -> KeyMissingError:
        return KeyMissingError(
            f"there is no key {key_path!r} in the hive {self._name or 'file'}", location=self._buffer.location
        )

    def _checked_data(self, kind: int, data: RegistryData) -> bytes:
        if not 0 <= kind <= _TYPE_MAX:
            raise UsageError(f"{kind} is no value type: it is a number of 32 bits")
        raw = encode(kind, data)
        limit = DATA_MAX if self._base.minor > 3 else PLAIN_DATA_MAX
        if len(raw) > limit:
            raise WriteRefusedError(
                f"{len(raw)} bytes are more than a value of type {type_name(kind)} gets here; the limit in a hive of "
                f"version {self._base.version} is {limit}",
                location=self._buffer.location,
            )
        return raw

    # -- change ----------------------------------------------------------------------------------------------------
    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Mark the editor as broken unless the change inside comes to its end."""
        before, self._broken = self._broken, True
        yield
        self._broken = before

    def _check_whole(self) -> None:
        if self._broken:
            raise WriteRefusedError(
                f"an earlier change of the hive {self._name or 'file'} failed half-way; nothing of this edit was or "
                "will be written",
                location=self._buffer.location,
                hint="begin again with a new editor",
            )

    def _make_keys(self, chain: list[KeyRecord], names: list[str]) -> KeyRecord:
        """Make keys, each below the one before; ``chain`` gets them at its end."""
        self._last = None
        for name in names:
            parent = chain[-1]
            offset = self._cells.allocate(new_key(parent, name, self._now), parent.offset)
            self._securities.add(parent.security, 1)
            self._subkeys(parent).insert(name, offset)
            if name_size(name) > parent.max_subkey_name:
                put16(self._cells, parent.offset, NK_MAX_SUBKEY_NAME, name_size(name))
            self._finish_key(chain, subkeys_changed=True)
            chain.append(read_key(self._cells, offset))
            self._record(HiveChange(ChangeKind.CREATE_KEY, self._finish_key(chain)))
        return chain[-1]

    def _finish_key(self, chain: list[KeyRecord], *, subkeys_changed: bool = False) -> str:
        """Give a changed key its time; return its path."""
        self._cells.write(chain[-1].offset, NK_WRITTEN, U64.pack(self._now))
        path = _path(chain)
        self._keys[path] = subkeys_changed or self._keys.get(path, False)
        return path

    def _record(self, change: HiveChange) -> HiveChange:
        self._changes.append(change)
        return change

    def _forget(self, path: str) -> None:
        below = f"{path}\\"
        for known in [known for known in self._keys if known == path or known.startswith(below)]:
            del self._keys[known]


def _path(chain: list[KeyRecord]) -> str:
    return "\\".join(key.name for key in chain[1:])


def _filetime(when: datetime) -> int:
    if when.tzinfo is None:
        raise UsageError("the time of an edit needs a time zone")
    return (when - _EPOCH) // timedelta(microseconds=1) * 10
