"""What plugin authors import: complete, in order, documented, and light."""

import inspect
import pkgutil
import subprocess
import sys

import attrs
import pytest

import pman_core
import pman_core.kit
from pman_core.contract import hookspecs

ENGINES = ["docker", "kubernetes", "openshift", "cromwell_tools", "podman", "psij"]

#: Imports modules while no connection can be made, and prints what came in with them.
WATCHED = """
import socket, sys
def refuse(*args, **kwargs):
    raise SystemExit(f"a connection was opened: {args}")
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = refuse
socket.getaddrinfo = refuse
import importlib
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sorted(sys.modules))
"""


def modules_after(*names: str) -> set[str]:
    """All modules that a fresh Python has after these imports."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *names], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return set(done.stdout.split())


def test_all_is_sorted_and_complete() -> None:
    assert list(pman_core.__all__) == sorted(
        pman_core.__all__, key=lambda name: (name[0].islower(), name)
    )
    public = {
        name
        for name, value in vars(pman_core).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }
    assert public == set(pman_core.__all__)


def test_everything_public_is_documented() -> None:
    for name in pman_core.__all__:
        assert inspect.getdoc(getattr(pman_core, name)), name


def hooks(specs: type) -> dict[str, object]:
    return dict(inspect.getmembers(specs, inspect.isfunction))


def test_every_hook_says_when_it_fires() -> None:
    for name, hook in {**hooks(hookspecs.BackendHooks), **hooks(hookspecs.PluginHooks)}.items():
        assert name.startswith("pman_")
        assert "Fires " in (inspect.getdoc(hook) or ""), name


def test_required_and_optional_hooks_are_all_hooks_of_a_backend() -> None:
    assert sorted(hookspecs.REQUIRED + hookspecs.OPTIONAL) == sorted(hooks(hookspecs.BackendHooks))
    assert not set(hooks(hookspecs.PluginHooks)) & set(hooks(hookspecs.BackendHooks))


@pytest.mark.parametrize("name", pman_core.__all__)
def test_values_are_frozen(name: str) -> None:
    value = getattr(pman_core, name)
    if attrs.has(value):
        assert value.__setattr__ is not object.__setattr__, f"{name} can be changed"


def test_no_module_imports_an_engine_or_opens_a_connection() -> None:
    names = [
        module.name
        for module in pkgutil.walk_packages(pman_core.__path__, "pman_core.")
        if not module.name.endswith("__main__")
    ]
    assert len(names) > 40
    found = modules_after(*names)
    assert not found & set(ENGINES)


def test_what_plugin_authors_import_brings_no_flask() -> None:
    names = [
        module.name
        for package in (pman_core.contract, pman_core.kit)
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
        if not module.name.endswith(".engine_http")  # for backends that use requests
    ]
    assert len(names) > 15
    found = modules_after("pman_core", *names)
    assert not found & {"flask", "werkzeug", "click", "uvicorn", "requests", "pytest"}


def test_the_service_brings_no_pytest_and_no_client_library() -> None:
    found = modules_after("pman_core.app", "pman_core.testing.memory")
    assert not found & {"pytest", "_pytest", "uvicorn", "requests"}
