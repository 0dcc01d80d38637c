"""Objects from what was read of JSON."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def structured(content: object, kind: type[T]) -> T:
    """The content as an object of an attrs class.

    :param content: what ``json.loads`` returned.
    :raises ValueError: it is something else. The content is not quoted: it may be secret.
    """
    import cattrs  # it takes a tenth of the time in which pman starts

    try:
        return cattrs.structure(content, kind)
    except Exception as error:  # cattrs raises groups of whatever the parts raised
        raise ValueError(f"it is no {kind.__name__}") from error
