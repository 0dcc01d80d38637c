"""Invisible characters that change what is seen, and text without them.

Ids of jobs, images, the words of engines and of registries may hold newlines, escape sequences for
terminals, and marks that turn the direction of text. A reader who gets them as they are may see
something else than what is there.
"""

from __future__ import annotations

import re

#: Control characters, separators of lines, marks of direction, and what has no width: what stands
#: between the brackets of a regular expression, in Python as in a JSON schema.
HIDDEN = (
    r"\u0000-\u001f\u007f-\u009f"
    r"\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"
)

#: No schema can name lone surrogates: no JSON holds them that keeps to its standard.
_HIDDEN = re.compile(rf"[{HIDDEN}\ud800-\udfff]")


def holds_hidden(text: str) -> bool:
    """Whether there is any such character in ``text``."""
    return bool(_HIDDEN.search(text))


def escaped(text: str) -> str:
    """``text`` as one line: each of these characters as Python would write it."""
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
