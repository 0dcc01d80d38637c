"""Fixtures that the tests of the core share."""

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from access_helpers import Clock, Tokens
from plugin_helpers import Site, fake_site
from rest_helpers import Service, memory_engine, serve
from server_helpers import Start, pman_serves

from pman_core._internal import authentication, registry
from pman_core._internal.rate import Rate
from pman_core.testing import MemoryEngine


@pytest.fixture
def storebase(tmp_path: Path) -> Path:
    """A storebase with the directories ``in`` and ``out``."""
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def engine() -> Iterator[MemoryEngine]:
    """An engine whose jobs are ended with the test."""
    engine = memory_engine()
    yield engine
    engine.up = True
    for record in engine.records.values():
        if record:
            engine.destroy(record)


@pytest.fixture
def start(storebase: Path, engine: MemoryEngine) -> Callable[..., Service]:
    """Starts services that share one engine and one storebase."""
    return partial(serve, storebase, engine=engine)


@pytest.fixture
def service(start: Callable[..., Service]) -> Service:
    """A service with nothing but what it needs."""
    return start()


@pytest.fixture
def pman_serve(tmp_path: Path) -> Iterator[Start]:
    """Starts ``pman serve`` as people do."""
    with pman_serves(tmp_path) as begin:
        yield begin


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which requests of principals are counted."""
    made = Clock()
    monkeypatch.setattr(authentication, "Rate", partial(Rate, clock=made))
    return made


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    """A file of tokens; there are none yet."""
    made = Tokens(tmp_path / "tokens")
    made.path.touch(0o600)
    return made


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A folder on the path, for fake distributions; no backend is installed elsewhere."""
    real = registry.installed
    found = fake_site(tmp_path / "site", monkeypatch)

    def installed(group: str) -> tuple[registry.Offer, ...]:
        inside = {path.name.split("-")[0] for path in found.folder.glob("*.dist-info")}
        return tuple(o for o in real(group) if o.distribution.replace("-", "_") in inside)

    monkeypatch.setattr(registry, "installed", installed)
    yield found
    for module in found.imported():
        del sys.modules[module]
