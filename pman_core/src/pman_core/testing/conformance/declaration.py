"""What a backend declares, and that no promise is dropped in silence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pman_core.testing.conformance.harness import Harness


class DeclarationPromises:
    """The declarations themselves."""

    def test_every_refusal_and_deviation_has_a_reason(self, harness: Harness) -> None:
        """In words for the operator."""
        declared = harness.capabilities
        for reason in (*declared.refusals.values(), *declared.deviations.values()):
            assert len(reason.split()) > 2, reason

    def test_the_storage_of_the_subject_can_be_mounted(self, harness: Harness) -> None:
        """Otherwise the core would refuse to start."""
        assert harness.subject.storage.kind in harness.capabilities.mounts

    def test_no_promise_is_overridden(self) -> None:
        """A subclass may replace a test only under an xfail mark that gives the reason."""
        for name, mine, promise in overridden(type(self)):
            marks = getattr(mine, "pytestmark", [])
            explained = any(m.name == "xfail" and m.kwargs.get("reason") for m in marks)
            assert explained, f"{name} replaces {promise.__qualname__} without giving a reason"


def overridden(subclass: type[Any]) -> Iterator[tuple[str, Any, Any]]:
    """Tests of the conformance class that ``subclass`` replaces."""
    kit = __name__.rpartition(".")[0]
    for base in subclass.__mro__:
        if base.__module__.startswith(kit):
            for name, promise in vars(base).items():
                mine = getattr(subclass, name)
                if name.startswith("test_") and mine is not promise:
                    yield name, mine, promise
