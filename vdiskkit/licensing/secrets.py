"""Product keys hidden in text that is kept: plans, journals, logs.

A product key is a secret unless Microsoft publishes it. What a change shows ends up in logs of build servers, so all
but the last five letters are hidden there.
"""

from __future__ import annotations

import re

__all__ = ["mask_keys", "names_secret"]

# Nothing is asked of what stands around it: a key in the midst of a file's name is a key as well.
_GROUPS = re.compile(r"[A-Z0-9]{5}(?:-[A-Z0-9]{5}){4,}", re.IGNORECASE | re.ASCII)
_LETTERS = re.compile(
    r"(?<![A-Z0-9])[BCDFGHJKMNPQRTVWXY2346789]{25}(?![A-Z0-9])",
    re.IGNORECASE | re.ASCII,
)
_SECRET = re.compile(r"digitalproductid|password|passwd|passphrase|secret", re.IGNORECASE | re.ASCII)


def mask_keys(text: str) -> str:
    """Return ``text`` with all but the last five letters of every product key hidden.

    A key is five or more groups of five letters or digits with dashes between, or 25 letters that keys are written
    with. Published KMS client keys stay.
    """
    if len(text) < 25:  # letters of a key
        return text
    return _LETTERS.sub(_masked, _GROUPS.sub(_masked, text))


def names_secret(name: str) -> bool:
    """Whether a value of this name holds a secret: a product key in binary, or a password."""
    return _SECRET.search(name) is not None


def _masked(match: re.Match[str]) -> str:
    from vdiskkit.licensing.gvlk import is_gvlk
    from vdiskkit.licensing.productkey import mask_key

    key = match.group().upper()
    if "-" not in key:
        key = "-".join(key[start : start + 5] for start in range(0, len(key), 5))
    return match.group() if is_gvlk(key) else mask_key(key)
