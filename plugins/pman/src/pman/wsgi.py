"""``gunicorn pman.wsgi:application``, which is how pman 6 was served."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

from pman.faults import tell_and_stop
from pman_core.app import create_app
from pman_core.contract.errors import ConfigurationError
from pman_core.log_lines import log_to_stderr

log = logging.getLogger("pman_core.wsgi")


class Application:
    """The service, made anew in each process that is forked: its threads stay behind.

    gunicorn forks after it has loaded this only with ``--preload``.
    """

    def __init__(self) -> None:
        self._serve = _made()
        os.register_at_fork(after_in_child=self._make_anew)

    def _make_anew(self) -> None:
        self._serve = _made()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve a request."""
        answer: Iterable[bytes] = self._serve(environ, start_response)
        return answer


def _made() -> Any:
    """The service that the environment describes.

    :raises SystemExit: it is wrong, which has been reported.
    """
    try:
        return create_app()
    except ConfigurationError as error:
        tell_and_stop(error)


log_to_stderr()
application = Application()
log.info(
    "served by gunicorn, as pman 6 was; pman serve --host 0.0.0.0 replaces it: there a client that "
    "stalls does not keep others from being served"
)
