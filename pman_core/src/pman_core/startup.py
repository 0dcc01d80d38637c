"""Puts pman together from the environment, or tells everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pluggy

from pman_core import registry
from pman_core.backend import Backend
from pman_core.build import refused_options, sample_job
from pman_core.core_settings import CoreSettings
from pman_core.core_storage import CoreStorage
from pman_core.errors import ClientError, ConfigurationError, PluginLoadError, SettingsError
from pman_core.jobs import Jobs
from pman_core.observers import Observers, each_plugin
from pman_core.registry import Offer
from pman_core.settings import load, names
from pman_core.storage import Storage


@attrs.frozen
class Pman:
    """A pman that is ready to serve."""

    jobs: Jobs
    offer: Offer
    extensions: tuple[Offer, ...]
    manager: pluggy.PluginManager


class Faults:
    """Collects what is wrong, so that the operator is told of everything at once."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def __enter__(self) -> Faults:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, SettingsError):
            self.problems += error.problems
        elif isinstance(error, ConfigurationError):
            self.problems.append(str(error))
        return isinstance(error, ConfigurationError)

    def raise_if_any(self) -> None:
        """:raises SettingsError: with all that has been collected."""
        if self.problems:
            raise SettingsError(self.problems)


def assemble(environ: Mapping[str, str]) -> Pman:
    """Read the settings and load the plugins; no engine is asked.

    :raises SettingsError: with one sentence for each fault.
    """
    faults = Faults()
    offer: Any = None
    plugin: Any = None
    with faults:
        wanted = environ.get("CONTAINER_ENV") or None
        offer = registry.choose(wanted, registry.installed(registry.BACKENDS))
        plugin = offer.make(offer.load(), environ)
    extensions = _extensions(environ, faults)
    return compose(environ, offer, plugin, extensions, faults)


def compose(
    environ: Mapping[str, str],
    offer: Offer,
    plugin: object,
    extensions: tuple[tuple[Offer, object], ...] = (),
    faults: Faults | None = None,
) -> Pman:
    """Join a backend and extensions that have been made already.

    :param plugin: the backend; ``None`` if it could not be made, which ``faults`` then tells.
    :param faults: what is known to be wrong already.
    :raises SettingsError: with one sentence for each fault.
    """
    faults = faults or Faults()
    manager = registry.new_manager()
    settings: Any = None
    backend: Any = None
    storage: Any = None
    with faults:
        settings = load(CoreSettings, environ)
    with faults:
        registry.register_extension(manager, CoreStorage(), "pman-core")
        if plugin is not None:
            registry.register_backend(manager, plugin, str(offer))
            backend = Backend(manager, offer.name)
        for extension, made in extensions:
            registry.register_extension(manager, made, str(extension))
    if backend:
        with faults:
            storage = _resolve_storage(manager, backend, environ)
    if backend and settings:
        with faults:
            _check_settings_fit(backend, settings)
    faults.raise_if_any()
    jobs = Jobs(backend, settings, storage, Observers(manager))
    return Pman(jobs, offer, tuple(extension for extension, _ in extensions), manager)


def _extensions(environ: Mapping[str, str], faults: Faults) -> tuple[tuple[Offer, object], ...]:
    disabled = names(environ.get("DISABLED_EXTENSIONS", ""))
    known = {offer.name for offer in registry.installed(registry.EXTENSIONS)}
    faults.problems += [
        f"DISABLED_EXTENSIONS names {name!r}, but no such extension is installed"
        for name in disabled
        if name not in known
    ]
    made = []
    for offer in registry.enabled_extensions(disabled):
        with faults:
            made.append((offer, _extension(offer, environ)))
    return tuple(made)


def _extension(offer: Offer, environ: Mapping[str, str]) -> object:
    try:
        return offer.make(offer.load(), environ)
    except PluginLoadError as error:
        raise PluginLoadError(
            f"extension {error}, or set DISABLED_EXTENSIONS={offer.name} to run without it"
        ) from error


def _resolve_storage(
    manager: pluggy.PluginManager, backend: Backend, environ: Mapping[str, str]
) -> Storage:
    wanted = environ.get("STORAGE_TYPE") or backend.capabilities.default_storage
    answers: list[tuple[str, Storage]] = []
    for name, resolve in each_plugin(manager, "pman_resolve_storage"):
        answers += [(name, s) for s in resolve(storage_type=wanted, environ=environ)]
    if not answers:
        asked = ", ".join(name for name, _ in each_plugin(manager, "pman_resolve_storage"))
        raise SettingsError(
            [f"STORAGE_TYPE={wanted} is unknown to every installed plugin ({asked})"]
        )
    if len(answers) > 1:
        both = " and ".join(name for name, _ in answers)
        raise SettingsError([f"STORAGE_TYPE={wanted} is claimed by {both}; remove one of them"])
    storage = answers[0][1]
    if storage.kind not in backend.capabilities.mounts:
        can = ", ".join(sorted(kind.__name__ for kind in backend.capabilities.mounts))
        raise SettingsError(
            [
                f"STORAGE_TYPE={wanted} makes a {storage.kind.__name__}, which backend "
                f"{backend.name!r} cannot mount (it can: {can})"
            ]
        )
    return storage


def _check_settings_fit(backend: Backend, settings: CoreSettings) -> None:
    """Refuse settings that would make the backend refuse every single job."""
    sample = sample_job(settings)
    problems = [
        f"{option} is set, but it {reason}; unset it"
        for option, reason in refused_options(sample, backend.capabilities).items()
    ]
    problems = [problem.replace("time_limit is", "TIMELIMIT_MINUTES is") for problem in problems]
    if not problems:
        try:
            backend.validate(sample)
        except ClientError as error:
            problems.append(
                f"backend {backend.name!r} cannot run jobs with these settings: {error}"
            )
    if problems:
        raise SettingsError(problems)
