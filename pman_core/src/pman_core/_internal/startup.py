"""Puts pman together from the environment, or reports everything that is wrong with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import attrs
import pluggy

from pman_core._internal import registry
from pman_core._internal.authentication import Authenticator
from pman_core._internal.backend import Backend
from pman_core._internal.core_storage import CoreStorage
from pman_core._internal.job_builder import refused_options, sample_job
from pman_core._internal.jobs import Jobs
from pman_core._internal.lookup import Lookup
from pman_core._internal.observers import Observers, each_plugin
from pman_core._internal.registry import Offer
from pman_core.contract.capabilities import Option
from pman_core.contract.errors import (
    ClientError,
    ConfigurationError,
    PluginLoadError,
    PmanError,
    SettingsError,
)
from pman_core.contract.storage import Storage, guarded
from pman_core.kit.core_settings import CoreSettings
from pman_core.kit.settings import load, names


@attrs.frozen
class Pman:
    """A pman that is ready to serve."""

    jobs: Jobs
    offer: Offer
    extensions: tuple[Offer, ...]
    manager: pluggy.PluginManager
    authenticator: Authenticator


class Faults:
    """Collects what is wrong, so that the operator sees everything at once."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def __enter__(self) -> Faults:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, SettingsError):
            self.problems += error.problems
        elif isinstance(error, PmanError):
            self.problems.append(str(error))
        return isinstance(error, PmanError)

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

    :param plugin: the backend; ``None`` if it could not be made; ``faults`` then says why.
    :param faults: what is known to be wrong already.
    :raises SettingsError: with one sentence for each fault.
    """
    faults = faults or Faults()
    manager = registry.new_manager()
    settings: Any = None
    backend: Any = None
    storage: Any = None
    authenticator: Any = None
    with faults:
        settings = load(CoreSettings, environ)
    with faults:
        registry.register_extension(manager, CoreStorage(), "pman-core")
    if plugin is not None:
        with faults:
            registry.register_backend(manager, plugin, str(offer))
            backend = Backend(manager, offer.name)
    for extension, made in extensions:
        with faults, _or_disable(extension):
            registry.register_extension(manager, made, str(extension))
    if backend:
        with faults:
            storage = _resolve_storage(manager, backend, environ)
    if backend and settings:
        with faults:
            _check_settings_fit(backend, settings)
    if storage and settings:
        follows = settings.storebase_links == "follow"
        mount = settings.storebase_mount
        storage = attrs.evolve(storage, seen_at=mount, follows_links=follows)
    if settings:
        with faults:
            authenticator = Authenticator(settings, manager)
    faults.raise_if_any()
    jobs = Jobs(
        backend, settings, storage, Observers(manager), Lookup(backend, settings.engine_timeout_s)
    )
    offers = tuple(extension for extension, _ in extensions)
    return Pman(jobs, offer, offers, manager, authenticator)


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
        with faults, _or_disable(offer):
            made.append((offer, offer.make(offer.load(), environ)))
    return tuple(made)


@contextlib.contextmanager
def _or_disable(offer: Offer) -> Iterator[None]:
    """Tell of an extension that does not load how to run without it."""
    try:
        yield
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
        answers += [(name, answer) for answer in _resolved(name, resolve, wanted, environ)]
    if not answers:
        asked = ", ".join(name for name, _ in each_plugin(manager, "pman_resolve_storage"))
        raise SettingsError(
            [
                f"STORAGE_TYPE={wanted} is unknown to every installed plugin ({asked}); "
                "host and nfs are built in"
            ]
        )
    if len(answers) > 1:
        both = " and ".join(name for name, _ in answers)
        raise SettingsError([f"STORAGE_TYPE={wanted} is claimed by {both}; remove one of them"])
    name, storage = answers[0]
    if storage.kind not in backend.capabilities.mounts:
        can = ", ".join(sorted(kind.__name__ for kind in backend.capabilities.mounts))
        raise SettingsError(
            [
                f"STORAGE_TYPE={wanted} makes a {storage.kind.__name__}, which backend "
                f"{backend.name!r} cannot mount (it can: {can})"
            ]
        )
    return guarded(storage, name)


def _resolved(
    name: str, resolve: Callable[..., Any], wanted: str, environ: Mapping[str, str]
) -> list[Storage]:
    """What one plugin answers; it may be anything, and raise anything."""
    try:
        answers: list[Storage] = resolve(storage_type=wanted, environ=environ)
    except ConfigurationError:
        raise
    except Exception as error:
        raise PluginLoadError(
            f"{name} cannot resolve STORAGE_TYPE={wanted}: {type(error).__name__}: {error}"
        ) from error
    if not all(isinstance(answer, Storage) for answer in answers):
        raise PluginLoadError(f"{name} resolved STORAGE_TYPE={wanted} to what is no Storage")
    return answers


def _check_settings_fit(backend: Backend, settings: CoreSettings) -> None:
    """Refuse settings that would make the backend refuse every single job."""
    if settings.freshness_s and backend.capabilities.freshness_s is None:
        raise SettingsError(
            [f"FRESHNESS is set, but backend {backend.name!r} has no feed; unset it"]
        )
    sample = sample_job(settings)
    variables: dict[str, str] = {Option.TIME_LIMIT: "TIMELIMIT_MINUTES"}
    if not settings.container_user:
        variables[Option.USER] = "SECURITYCONTEXT_RUN_AS_USER or _GROUP"
    problems = [
        f"{variables.get(option, option)} is set, but it {reason}; unset it"
        for option, reason in refused_options(sample, backend.capabilities).items()
    ]
    if not problems:
        try:
            backend.validate(sample)
        except ClientError as error:
            problems.append(
                f"backend {backend.name!r} cannot run jobs with these settings: {error}"
            )
    if problems:
        raise SettingsError(problems)
