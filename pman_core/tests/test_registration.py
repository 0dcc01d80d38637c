"""What a plugin must have to be registered, and what an extension may not."""

from collections.abc import Generator
from typing import Any

import attrs
import pytest

from pman_core import Job, JobInfo, hookimpl
from pman_core._internal.backend import Backend
from pman_core._internal.registry import new_manager, register_backend, register_extension
from pman_core.contract import hookspecs
from pman_core.contract.errors import PluginLoadError
from pman_core.testing import MemoryBackend

ORIGIN = "'acme' of acme-dist 1.0"


def refused(plugin: object, *, extension: bool = False) -> str:
    register = register_extension if extension else register_backend
    with pytest.raises(PluginLoadError) as caught:
        register(new_manager(), plugin, ORIGIN)
    assert str(caught.value).startswith(ORIGIN)
    return str(caught.value)


def lacking(name: str) -> object:
    """A backend without one hook."""
    return type("Lacking", (MemoryBackend,), {name: None})({})


@pytest.mark.parametrize("hook", hookspecs.REQUIRED)
def test_a_backend_that_lacks_a_required_hook_is_refused(hook: str) -> None:
    assert refused(lacking(hook)).endswith(f"it lacks {hook}")


def test_all_hooks_that_are_missing_are_reported() -> None:
    message = refused(object())
    assert all(hook in message for hook in hookspecs.REQUIRED)
    assert not any(hook in message for hook in hookspecs.OPTIONAL)


def test_a_hook_that_is_not_marked_is_missing() -> None:
    class Unmarked(MemoryBackend):
        def pman_ping(self) -> str:
            return "pong"

    assert refused(Unmarked({})).endswith("it lacks pman_ping")


def test_a_hook_that_is_only_wrapped_is_missing() -> None:
    class Wrapped(MemoryBackend):
        @hookimpl(wrapper=True)
        def pman_ping(self) -> Any:
            return (yield)

    assert refused(Wrapped({})).endswith("it lacks pman_ping")


class Misspelt(MemoryBackend):
    @hookimpl
    def pman_sumbit(self, job: Job) -> JobInfo:
        raise NotImplementedError


class Arguments(MemoryBackend):
    @hookimpl
    def pman_status(self, jid: str, force: bool) -> JobInfo:  # type: ignore[override]
        raise NotImplementedError


def test_a_misspelt_hook_is_refused() -> None:
    assert "pman_sumbit" in refused(Misspelt({}))
    assert "pman_sumbit" in refused(Misspelt({}), extension=True)


def test_an_argument_that_a_hook_does_not_have_is_refused() -> None:
    message = refused(Arguments({}))
    assert "force" in message
    assert "pman_status" in message


def test_fewer_arguments_are_no_fault() -> None:
    class Fewer(MemoryBackend):
        @hookimpl
        def pman_list(self) -> Any:  # type: ignore[override]
            return super().pman_list

    register_backend(new_manager(), Fewer({}), ORIGIN)


def test_the_next_plugin_is_not_blamed_for_a_misspelt_hook() -> None:
    manager = new_manager()
    with pytest.raises(PluginLoadError):
        register_extension(manager, Misspelt({}), ORIGIN)
    register_backend(manager, MemoryBackend({}), "a good one")


@pytest.mark.parametrize("hook", [*hookspecs.REQUIRED, *hookspecs.OPTIONAL])
def test_an_extension_may_not_implement_a_hook_of_a_backend(hook: str) -> None:
    class Usurper:
        pass

    setattr(Usurper, hook, hookimpl(lambda self: None))
    message = refused(Usurper(), extension=True)
    assert f"implements {hook}:" in message
    assert "wrapper=True" in message


def test_an_extension_that_wraps_a_hook_is_called() -> None:
    class Polite:
        @hookimpl(wrapper=True)
        def pman_ping(self) -> Generator[None, str, str]:
            answer = yield
            return f"{answer}, please"

    manager = new_manager()
    register_backend(manager, MemoryBackend({}), "memory")
    register_extension(manager, Polite(), ORIGIN)
    assert Backend(manager, "memory").ping() == "memory engine, please"


PLUGIN_HOOKS = sorted(name for name in vars(hookspecs.PluginHooks) if name.startswith("pman_"))


@pytest.mark.parametrize("style", ["wrapper", "hookwrapper"])
@pytest.mark.parametrize("extension", [True, False], ids=["extension", "backend"])
@pytest.mark.parametrize("hook", PLUGIN_HOOKS)
def test_a_plugin_that_wraps_a_hook_of_plugins_is_refused(
    hook: str, extension: bool, style: str
) -> None:
    def wrap(self: object) -> Generator[None, Any, Any]:
        return (yield)

    mark = hookimpl(wrapper=True) if style == "wrapper" else hookimpl(hookwrapper=True)
    marked = {hook: mark(wrap)}
    plugin = type("Wrapping", () if extension else (MemoryBackend,), marked)
    message = refused(plugin() if extension else plugin({}), extension=extension)
    assert f"wraps {hook}:" in message


def test_two_plugins_of_one_name_are_refused() -> None:
    manager = new_manager()
    register_extension(manager, object(), ORIGIN)
    with pytest.raises(PluginLoadError):
        register_extension(manager, object(), ORIGIN)


def test_managers_do_not_share_plugins() -> None:
    first, second = new_manager(), new_manager()
    register_backend(first, MemoryBackend({}), "memory")
    assert second.list_name_plugin() == []


def test_a_plugin_without_a_hash_is_refused_and_not_found_out_later() -> None:
    @attrs.define
    class Unhashable:
        name: str = "x"

    assert "unhashable" in refused(Unhashable(), extension=True)
