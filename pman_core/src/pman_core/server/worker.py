"""What each process of the server loads for itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import attrs
from uvicorn.config import STARTUP_FAILURE

from pman_core._internal.environment import Environment, read_environment
from pman_core._internal.startup import Pman, assemble
from pman_core._internal.writes import Writes
from pman_core.app import app_for
from pman_core.contract.errors import ConfigurationError
from pman_core.server.asgi import Application, application


@attrs.frozen
class Worker:
    """Makes the application in a process that uvicorn has spawned.

    :param threads: how many requests a process works on at once.
    :param development: whether the settings are those of ``--dev``.
    :param writes: what the processes of the server know of one another.
    """

    threads: int
    development: bool = False
    writes: Writes = attrs.field(factory=Writes)

    def environment(self) -> Environment:
        """The variables that pman starts with, as they are now."""
        overridden = {"APPLICATION_MODE": "development"} if self.development else {}
        return read_environment({**os.environ, **overridden}, Path.cwd())

    def assemble(self) -> Pman:
        """Put pman together.

        :raises SettingsError: with one sentence for each fault.
        """
        return assemble(self.environment())

    def serving(self, pman: Pman) -> Application:
        """The application of a pman that has been put together."""
        flask = app_for(pman, self.writes)
        return application(flask, self.threads, pman.jobs.settings.engine_timeout_s)

    def __call__(self) -> Application:
        """The application that the environment describes."""
        try:
            return self.serving(self.assemble())
        except ConfigurationError as error:
            sys.stderr.write(f"Error: pman cannot start as it is configured:\n{error}\n")
            raise SystemExit(STARTUP_FAILURE) from error
