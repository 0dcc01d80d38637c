"""What the operating system refuses, as the contract's error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pman_core.contract.errors import EngineUnavailableError


@contextlib.contextmanager
def engine_errors(root: Path) -> Iterator[None]:
    """Turn any ``OSError`` into ``EngineUnavailableError``: the job store is part of the engine.

    :param root: the folder of the job store, for the message.
    """
    try:
        yield
    except OSError as error:
        raise EngineUnavailableError(
            f"the state folder {root} cannot be used: {error}; "
            "is it mounted, is its disk full, may pman's user still write there?"
        ) from error
