"""The facts of one search for a parent: stored paths, candidates, and what came of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdiskkit.chain.facts import CandidateFacts, ParentSearchFacts, StoredPathFacts
from vdiskkit.container.chain_facts import vhd_time
from vdiskkit.container.parents import followed_path, in_order, path_kind, stored_file_name
from vdiskkit.pair.listing import split

if TYPE_CHECKING:
    from vdiskkit.chain.walk import WalkedFile

__all__ = ["search_facts"]


def search_facts(item: WalkedFile, *, follow: bool) -> ParentSearchFacts | None:
    """Return what a file says about its parent and how it was looked for; None for one without a parent.

    Args:
        item: The child.
        follow: Whether local paths stored in the file were used.
    """
    link = item.link
    if link is None:
        return None
    stored = [*in_order(link.locators), *([("name", link.name)] if link.name else [])]
    folder = split(item.path)[0]
    found = next((attempt.path for attempt in item.attempts if not attempt.problem), None)
    return ParentSearchFacts(
        name=link.name,
        unique_id=link.unique_id,
        other_ids=link.other_ids,
        modified=vhd_time(link.timestamp),
        time_matches=item.search.time_matches if item.search is not None else None,
        stored_paths=tuple(_stored(code, text, folder, found, follow=follow) for code, text in stored),
        candidates=tuple(
            CandidateFacts(
                path=attempt.path,
                outcome="taken" if not attempt.problem else "absent" if attempt.absent else "refused",
                problem=attempt.problem or None,
                by=tuple(code for code, text in stored if _leads_to(text, attempt.path, folder, follow=follow)),
            )
            for attempt in item.attempts
        ),
        found=found,
    )


def _stored(code: str, text: str, folder: str, found: str | None, *, follow: bool) -> StoredPathFacts:
    kind = path_kind(text, follow=follow, folder=folder)
    led = found is not None and _leads_to(text, found, folder, follow=follow)
    return StoredPathFacts(
        code=code,
        path=text,
        kind=kind.kind,
        file_name=stored_file_name(text),
        note=kind.note,
        led_to=found if led else None,
    )


def _leads_to(text: str, path: str, folder: str, *, follow: bool) -> bool:
    name = stored_file_name(text)
    if name is not None and name.casefold() == split(path)[1].casefold():
        return True
    return follow and followed_path(text, folder) == path
