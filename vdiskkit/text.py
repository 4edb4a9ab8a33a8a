r"""Untrusted text made displayable, and numbers with their nouns.

Every string that comes from an image or a side-car (key names, values, file names, labels, side-car texts) is
untrusted: it may hold escape sequences, line breaks, bidirectional overrides or lone surrogates. One function makes
it safe for every output; what it replaces is shown as ``\u{1b}``, so that nothing is lost silently. Build servers
act on marks such as ``##vso[`` anywhere in a line of output, so the first ``#`` of such a mark is replaced too.
"""

from __future__ import annotations

import re

__all__ = ["DEFAULT_LIMIT", "counted", "displayable"]

DEFAULT_LIMIT = 4096
"""Characters shown of one text unless the caller says otherwise."""

# C0, DEL and C1 controls, line and paragraph separators, zero-width and bidirectional controls, the byte order mark,
# interlinear annotation marks, tag characters, lone surrogates and noncharacters.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
    "|#(?=#(?:[Vv][Ss][Oo])?\\[)"
)


def displayable(text: str, limit: int | None = DEFAULT_LIMIT) -> str:
    r"""Return ``text`` as one line without control, bidirectional and surrogate characters.

    Args:
        text: Any string, also one with lone surrogates.
        limit: Longest result in characters of the source; longer text is cut and the cut is said. None: no limit.

    Returns:
        Text that can be printed, encoded and put on one line; replaced characters stand as ``\u{hex}``.
    """
    cut = 0
    if limit is not None and len(text) > limit:
        cut = len(text) - limit
        text = text[:limit]
    if _UNSAFE.search(text):
        text = _UNSAFE.sub(lambda match: f"\\u{{{ord(match.group()):x}}}", text)
    return f"{text}... ({cut} more characters)" if cut else text


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return ``1 key``, ``2 keys``; ``many`` is for plurals that take more than an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"
