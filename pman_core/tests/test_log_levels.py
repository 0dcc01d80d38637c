"""How much the log shows: as much of plugins as of the core."""

import logging
from collections.abc import Callable, Iterator

import pytest
from plugin_helpers import Site
from rest_helpers import Service

#: One that is used, one that is not, an extension, and a module that is not at the top.
INSTALLED = {"used": "backends", "unused": "backends", "policy": "extensions", "deep": "backends"}


@pytest.fixture(autouse=True)
def _levels_of_before() -> Iterator[None]:
    before = {name: logging.getLogger(name).level for name in ("pman_core", *INSTALLED)}
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(("mode", "level"), [("production", "INFO"), ("development", "DEBUG")])
def test_loggers_of_all_installed_plugins_have_the_level_of_the_core(
    mode: str, level: str, site: Site, start: Callable[..., Service]
) -> None:
    for name, kind in INSTALLED.items():
        module = f"{name}.inner.module" if name == "deep" else name
        site.install(f"pman-{name}", name, **{kind: f"{name} = {module}:Backend"})
    start(APPLICATION_MODE=mode)
    for name in ("pman_core", *INSTALLED):
        found = logging.getLogger(f"{name}.inner.module").getEffectiveLevel()
        assert logging.getLevelName(found) == level, name
    assert site.imported() == set()


def test_loggers_of_other_libraries_keep_their_level(
    site: Site, start: Callable[..., Service]
) -> None:
    site.install("pman-used", "used", backends="used = used:Backend")
    start(APPLICATION_MODE="development")
    assert logging.getLogger("urllib3").getEffectiveLevel() == logging.WARNING
