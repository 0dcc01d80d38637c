"""The WSGI application."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from flask import Flask

from pman_core._internal import registry
from pman_core._internal.background import until_done
from pman_core._internal.environment import read_environment
from pman_core._internal.following import following
from pman_core._internal.observers import each_plugin
from pman_core._internal.startup import Pman, assemble
from pman_core._internal.writes import Writes
from pman_core.contract.errors import PluginLoadError
from pman_core.contract.service import Service
from pman_core.rest.access import install_access, principal_now
from pman_core.rest.errors import install_error_handlers
from pman_core.rest.routes import routes

log = logging.getLogger(__name__)


def create_app(environ: Mapping[str, str] | None = None) -> Flask:
    """The service that the environment describes.

    :param environ: all variables; by default those of the process, and of a ``.env`` file in
        the working directory.
    :raises ConfigurationError: with one sentence for each fault.
    """
    if environ is None:
        environ = read_environment(os.environ, Path.cwd())
    pman = assemble(environ)
    if pman.authenticator.is_local_only:  # other servers than pman's own listen all the same
        log.warning(
            "no tokens are set up, so pman serves this machine only, wherever the server listens; "
            "for others set AUTH_TOKENS_FILE (`pman token new NAME` makes a token), or AUTH=none"
        )
    return app_for(pman)


def app_for(pman: Pman, writes: Writes | None = None) -> Flask:
    """The service of a pman that has been put together already.

    :param writes: what the processes of this server know of one another; ``None`` where a server
        is not pman's own. There the engine is asked for each answer: another process may have
        changed the job meanwhile.
    :raises PluginLoadError: the routes of a plugin cannot be served.
    """
    settings = pman.jobs.settings
    pman = following(pman, writes)
    app = Flask("pman_core", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    # One more than is accepted: Werkzeug cuts a chunked body off here without a word.
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes + 1
    if settings.secret_key:
        app.secret_key = settings.secret_key.reveal()
    level = logging.DEBUG if settings.application_mode == "development" else logging.INFO
    # pman_kit is no plugin: plugins are built on it.
    for package in ("pman_core", "pman_kit", *registry.packages()):
        logging.getLogger(package).setLevel(level)
    install_error_handlers(app)
    install_access(app, pman.authenticator)
    app.register_blueprint(routes(pman))
    service = Service(lambda: pman.jobs.by(principal_now()))
    for name, blueprints in each_plugin(pman.manager, "pman_routes"):
        try:
            for blueprint in blueprints(service=service):
                app.register_blueprint(blueprint)
        except Exception as error:
            raise PluginLoadError(
                f"the routes of {name} cannot be served: {type(error).__name__}: {error}"
            ) from error
    until_done("pman-resume", pman.jobs.backend.keep_resuming)
    return app
