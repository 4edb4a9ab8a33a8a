"""Ids that a change gives to what it writes: new ones, but the same when the same change is derived once more.

A VHDX gets new ids with every change. A plan is carried out by deriving its writes anew and comparing them with what
was planned, so the ids follow from the plan and from what the disk was before it: its time, its operations, and the id
by which the content of the disk is known. Whoever applies one plan to replicas of a disk has replicas afterwards.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from vdiskkit.patch.operations import Operation

__all__ = ["ids_for"]


def ids_for(now: datetime, operations: Sequence[Operation], disk_id: str) -> Callable[[], UUID]:
    """Return a function that gives another id with each call, and the same row of ids for the same arguments.

    Args:
        now: The time that the change gives to what it writes.
        operations: What it does.
        disk_id: The id of the disk's content before.
    """
    change = json.dumps([now.isoformat(), disk_id, [operation.to_dict() for operation in operations]], sort_keys=True)
    numbers = count()

    def new_id() -> UUID:
        text = f"{next(numbers)}\0{change}".encode("utf-8", "surrogatepass")
        return UUID(bytes=blake2b(text, digest_size=16, person=b"vdiskkit id").digest(), version=4)

    return new_id
