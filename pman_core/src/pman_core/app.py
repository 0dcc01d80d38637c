"""The WSGI application."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from flask import Flask

from pman_core.environment import read_environment
from pman_core.observers import watch_ends
from pman_core.rest.errors import install_error_handlers
from pman_core.rest.routes import routes
from pman_core.startup import Pman, assemble


def create_app(environ: Mapping[str, str] | None = None) -> Flask:
    """The service that the environment describes.

    :param environ: all variables; by default those of the process, and of a ``.env`` file in
        the working directory.
    :raises SettingsError: with one sentence for each fault.
    """
    if environ is None:
        environ = read_environment(os.environ, Path.cwd())
    return app_for(assemble(environ))


def app_for(pman: Pman) -> Flask:
    """The service of a pman that has been put together already."""
    settings = pman.jobs.settings
    app = Flask("pman_core", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    if settings.secret_key:
        app.secret_key = settings.secret_key.reveal()
    level = logging.DEBUG if settings.application_mode == "development" else logging.INFO
    logging.getLogger("pman_core").setLevel(level)
    install_error_handlers(app)
    app.register_blueprint(routes(pman))
    for blueprint in pman.manager.hook.pman_routes():
        app.register_blueprint(blueprint)
    if pman.jobs.observers.await_ends:
        watch_ends(pman.jobs.backend.watch, pman.jobs.observers)
    return app
