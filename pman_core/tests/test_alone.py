"""In an environment that holds only the core, there is nothing of any engine."""

import os
from importlib.metadata import distributions

import pytest

#: Distributions that talk to an engine, and our own that bring them.
ENGINES = {"docker", "podman", "kubernetes", "openshift", "cromwell-tools"}


@pytest.mark.skipif(
    os.environ.get("PMAN_ALONE") != "pman_core",
    reason="this environment may hold other distributions; ./nox -s tests makes one that does not",
)
def test_the_core_brings_no_engine_library() -> None:
    present = {dist.name.lower() for dist in distributions()}
    assert "pman-core" in present
    assert not {name for name in present if name.startswith("pman-")} - {"pman-core"}
    assert not present & ENGINES
