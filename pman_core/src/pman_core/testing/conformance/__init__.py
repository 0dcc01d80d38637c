"""The promises of the contract, as a test class that every backend passes.

Subclass it, and say what the backend under test is::

    from pman_core.testing import BackendConformance, Subject

    class TestEcho(BackendConformance):
        @pytest.fixture
        def subject(self, tmp_path):
            return Subject(
                factory=EchoBackend,
                environ={"ECHO_ROOT": str(tmp_path)},
                image="echo/python:3",
                storage=host_storage(str(tmp_path)),
                storebase=tmp_path,
            )

Each job of these tests has a hard memory limit, unless the backend refuses one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pman_core.testing.conformance.argv import ArgvPromises
from pman_core.testing.conformance.cancelling import CancelPromises
from pman_core.testing.conformance.declaration import DeclarationPromises
from pman_core.testing.conformance.directories import DirectoryPromises
from pman_core.testing.conformance.engine import EnginePromises
from pman_core.testing.conformance.feed import FeedPromises
from pman_core.testing.conformance.harness import Harness
from pman_core.testing.conformance.identity import IdentityPromises
from pman_core.testing.conformance.lifecycle import LifecyclePromises, WaitingPromises
from pman_core.testing.conformance.limits import LimitPromises
from pman_core.testing.conformance.links import LinkPromises
from pman_core.testing.conformance.listing import ListPromises
from pman_core.testing.conformance.logs import LogPromises
from pman_core.testing.conformance.removal import RemovalPromises
from pman_core.testing.conformance.subject import PYTHON_PROBE, Subject
from pman_core.testing.conformance.surroundings import SurroundingsPromises

__all__ = ["PYTHON_PROBE", "BackendConformance", "Harness", "Subject"]


class BackendConformance(
    # pytest runs them from the last to the first: that a job succeeds comes before all else.
    DeclarationPromises,
    EnginePromises,
    FeedPromises,
    ListPromises,
    RemovalPromises,
    CancelPromises,
    LogPromises,
    IdentityPromises,
    WaitingPromises,
    LimitPromises,
    LinkPromises,
    DirectoryPromises,
    SurroundingsPromises,
    ArgvPromises,
    LifecyclePromises,
):
    """Every promise that a backend keeps; a subclass provides ``subject``, nothing else."""

    @pytest.fixture
    def subject(self) -> Subject:
        """The backend under test."""
        raise NotImplementedError("a subclass of BackendConformance provides a subject")

    @pytest.fixture
    def harness(
        self, subject: Subject, record_property: Callable[[str, object], None]
    ) -> Iterator[Harness]:
        """The tools of a test; what they made is removed afterwards."""
        record_property("pman-conformance", type(self).__name__)
        harness = Harness(subject)
        for deviation in harness.capabilities.deviations:
            reason = harness.capabilities.deviations[deviation]
            record_property("pman-deviation", (deviation.value, reason))
        yield harness
        harness.clean_up()
