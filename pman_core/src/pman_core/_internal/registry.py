"""Finds plugins, loads the ones that are wanted, and proves that they are complete.

Runs once, at start. Only the metadata of installed distributions is read until a backend
has been chosen: a broken neighbour is never imported.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import attrs
import pluggy

from pman_core.contract import hookspecs
from pman_core.contract.errors import BackendNotFoundError, ConfigurationError, PluginLoadError

BACKENDS = "pman.backends"
EXTENSIONS = "pman.extensions"

DEFAULT_BACKEND = "docker"

#: The distributions that this project publishes. For other names no package is suggested:
#: a guessed name on a public index is an invitation to squatters.
PUBLISHED = {
    "process": "pman-process",
    "docker": "pman-docker",
    "podman": "pman-docker",
    "swarm": "pman-swarm",
    "kubernetes": "pman-k8s",
    "openshift": "pman-k8s",
    "cromwell": "pman-cromwell",
}

_BACKEND_HOOKS = frozenset(hookspecs.REQUIRED + hookspecs.OPTIONAL)


@attrs.frozen
class Offer:
    """One entry point that an installed distribution registers."""

    name: str
    entry_point: EntryPoint
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.name!r} of {self.distribution} {self.version}"

    def load(self) -> Any:
        """Import what the entry point names.

        :raises PluginLoadError: the import fails, for whatever reason.
        """
        try:
            return self.entry_point.load()
        except Exception as error:
            raise PluginLoadError(
                f"{self} cannot be imported: {type(error).__name__}: {error}; "
                f"reinstall or remove {self.distribution}"
            ) from error

    def make(self, factory: Any, environ: Mapping[str, str]) -> object:
        """Call the loaded factory.

        :raises ConfigurationError: as the factory does.
        :raises PluginLoadError: the factory fails otherwise.
        """
        try:
            plugin: object = factory(environ)
        except ConfigurationError:
            raise
        except Exception as error:
            raise PluginLoadError(
                f"{self} cannot be started: {type(error).__name__}: {error}; "
                f"report this to the authors of {self.distribution}"
            ) from error
        if plugin is None:
            raise PluginLoadError(
                f"{self} cannot be started: its factory returned None instead of a plugin; "
                f"report this to the authors of {self.distribution}"
            )
        return plugin


def installed(group: str) -> tuple[Offer, ...]:
    """What is installed for a group, in the order of names; nothing is imported."""
    found = []
    for entry_point in entry_points(group=group):
        dist = entry_point.dist
        name, version = (dist.name, dist.version) if dist else ("an unknown distribution", "?")
        found.append(Offer(entry_point.name, entry_point, name, version))
    return tuple(sorted(found, key=lambda offer: (offer.name, offer.distribution)))


def packages() -> frozenset[str]:
    """The top-level packages of all installed plugins; nothing is imported."""
    offers = (*installed(BACKENDS), *installed(EXTENSIONS))
    return frozenset(offer.entry_point.module.partition(".")[0] for offer in offers)


def choose(wanted: str | None, offers: Collection[Offer]) -> Offer:
    """The backend that ``CONTAINER_ENV`` names, or the one that holds where it is unset.

    :raises BackendNotFoundError: says what is installed and, for names that this project
        publishes, the package to install.
    :raises PluginLoadError: two distributions offer the name.
    """
    available = sorted({offer.name for offer in offers})
    name = wanted or DEFAULT_BACKEND
    if not wanted and name not in available and len(available) == 1:
        name = available[0]
    matching = [offer for offer in offers if offer.name == name]
    if len(matching) > 1:
        both = " and ".join(f"{o.distribution} {o.version}" for o in matching)
        raise PluginLoadError(f"backend {name!r} is offered by {both}; remove one of them")
    if matching:
        return matching[0]
    raise BackendNotFoundError(_not_found(wanted, name, available))


def _not_found(wanted: str | None, name: str, available: list[str]) -> str:
    said = f"CONTAINER_ENV={name}" if wanted else f"CONTAINER_ENV is not set, which means {name}"
    have = f"installed backends: {', '.join(available)}" if available else "none is installed"
    if name in PUBLISHED:
        hint = f"pip install {PUBLISHED[name]}"
    elif near := difflib.get_close_matches(name, {*available, *PUBLISHED}, n=1, cutoff=0.7):
        hint = f"did you mean {near[0]}?"
        return f"{said}, but no such backend is installed ({have}); {hint}"
    elif wanted:
        hint = "install a distribution that offers it"
    else:
        hint = "install a backend"
    choice = ", or set CONTAINER_ENV to one that is installed" if available else ""
    return f"{said}, but no such backend is installed ({have}); {hint}{choice}"


def new_manager() -> pluggy.PluginManager:
    """A plugin manager that knows the contract and has no plugins."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs.BackendHooks)
    manager.add_hookspecs(hookspecs.PluginHooks)
    return manager


def register_backend(manager: pluggy.PluginManager, plugin: object, origin: str) -> None:
    """Register the one backend, and prove that it has every required hook.

    :param origin: names the plugin in messages.
    :raises PluginLoadError: a hook is missing, misspelt or has arguments of its own, or a
        hook of plugins is wrapped.
    """
    implemented = _register(manager, plugin, origin)
    missing = [hook for hook in hookspecs.REQUIRED if hook not in implemented]
    if missing:
        raise PluginLoadError(f"{origin} is no complete backend: it lacks {', '.join(missing)}")


def register_extension(manager: pluggy.PluginManager, plugin: object, origin: str) -> None:
    """Register a plugin that is no backend.

    :raises PluginLoadError: as above, or it implements a hook that only a backend may.
    """
    usurped = sorted(_register(manager, plugin, origin) & _BACKEND_HOOKS)
    if usurped:
        raise PluginLoadError(
            f"{origin} implements {', '.join(usurped)}: an extension may only wrap the hooks of "
            "a backend, with @hookimpl(wrapper=True)"
        )


def _register(manager: pluggy.PluginManager, plugin: object, origin: str) -> set[str]:
    """Register ``plugin``; return the hooks that it implements, without those it wraps."""
    try:
        hash(plugin)  # pluggy puts plugins into sets, but not before they are called
        manager.register(plugin, name=origin)
    except (pluggy.PluginValidationError, TypeError, ValueError) as error:
        raise PluginLoadError(f"{origin} does not fit this pman: {error}") from error
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        manager.unregister(plugin)  # or the next plugin would be blamed for it
        raise PluginLoadError(f"{origin} does not fit this pman: {error}") from error
    implemented: set[str] = set()
    wrapped: set[str] = set()
    for caller in manager.get_hookcallers(plugin) or ():
        for impl in caller.get_hookimpls():
            if impl.plugin is plugin:
                wraps = impl.wrapper or impl.hookwrapper
                (wrapped if wraps else implemented).add(caller.name)
    vain = sorted(wrapped - _BACKEND_HOOKS)
    if vain:
        manager.unregister(plugin)
        raise PluginLoadError(
            f"{origin} wraps {', '.join(vain)}: only the hooks of a backend may be wrapped, since "
            "those of plugins are called for one plugin at a time"
        )
    return implemented


def enabled_extensions(disabled: Iterable[str]) -> tuple[Offer, ...]:
    """The installed extensions, less those that the operator disabled."""
    names = set(disabled)
    return tuple(offer for offer in installed(EXTENSIONS) if offer.name not in names)
