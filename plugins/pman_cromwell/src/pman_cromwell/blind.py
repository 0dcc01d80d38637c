"""The records of a pman that cannot see the jobs folder: Cromwell alone keeps them.

What lies in that folder then only people read. A job is found by the labels of its workflow.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from pman_core.errors import EngineUnavailableError
from pman_core.names import INSTANCE_LABEL
from pman_cromwell.answers import Found
from pman_cromwell.client import Cromwell
from pman_cromwell.notes import Cancelled, Notes, Verdict
from pman_cromwell.order import Order, from_inputs
from pman_cromwell.payload import ENDED_LABEL, NAME_LABEL, is_gone

_PAUSE_S = 0.1


class Blind:
    """Records in Cromwell."""

    def __init__(self, cromwell: Cromwell, instance: str, timeout_s: float) -> None:
        self._cromwell = cromwell
        self._instance = instance
        self._timeout_s = timeout_s

    def check(self) -> None:
        """Cromwell has been asked already."""

    def names(self) -> Iterable[str]:
        """Of all workflows of this instance that are not removed."""
        return [found.labels[NAME_LABEL] for found in self._found({}) if NAME_LABEL in found.labels]

    def order(self, name: str) -> Order | None:
        """From what was submitted."""
        for found in self._found({NAME_LABEL: name}):
            workflow = self._cromwell.submitted(found.id)
            if workflow:
                order = submitted_order(workflow.submitted_files.inputs)
                if (order.instance, order.name) == (self._instance, name):
                    return order
        return None

    def is_foreign(self, name: str) -> bool:
        """Names belong to nobody in Cromwell."""
        return False

    def create(self, order: Order) -> bool:
        """Cromwell takes an id once."""
        return True

    def accept(self, order: Order) -> None:
        """Wait until Cromwell lists it: its summary is a second behind."""
        deadline = time.monotonic() + self._timeout_s
        while not any(one.id == order.workflow for one in self._found({NAME_LABEL: order.name})):
            if time.monotonic() > deadline:
                raise EngineUnavailableError(
                    f"Cromwell took job {order.jid!r} and does not list it after "
                    f"{self._timeout_s:g} s; submit it again"
                )
            time.sleep(_PAUSE_S)

    def notes(self, order: Order) -> Notes | None:
        """Only what pman itself noted, on the workflow's labels."""
        for found in self._found({NAME_LABEL: order.name}):
            if found.id == order.workflow:
                seconds, _, message = found.labels.get(ENDED_LABEL, "").partition(" ")
                if not message:
                    return Notes(seen=False, accepted=True)
                ended = datetime.fromtimestamp(float(seconds), UTC)
                why = Cancelled(message, ended, deadline=True)
                return Notes(seen=False, accepted=True, cancelled=why)
        return None

    def is_running(self, order: Order) -> bool:
        """It cannot be seen."""
        return False

    def cancel(self, order: Order, why: Cancelled) -> None:
        """A removal has a label of its own."""
        if why.deadline:
            text = f"{why.time.timestamp()} {why.message}"
            self._cromwell.label(order.workflow, {ENDED_LABEL: text[:255]})

    def settle(self, order: Order, verdict: Verdict) -> None:
        """Cromwell's word stays what it is."""

    def delete(self, order: Order) -> None:
        """The label has done it."""

    def sweep(self) -> None:
        """Nothing is left."""

    def log(self, order: Order, tail_lines: int, max_bytes: int) -> bytes:
        """Where to look."""
        paths = "".join(f"{order.folder}/log.{number}\n" for number in range(order.workers))
        return (
            f"pman cannot see the logs (CROMWELL_SEES_JOBS=no); on the cluster:\n{paths}".encode()
        )

    def _found(self, labels: dict[str, str]) -> list[Found]:
        found = self._cromwell.query({INSTANCE_LABEL: self._instance, **labels})
        return [one for one in found if not is_gone(one)]


def submitted_order(inputs: str) -> Order:
    """The order of a workflow that carries our labels.

    :raises EngineUnavailableError: it has none, or its metadata is in the archive.
    """
    try:
        return from_inputs(inputs)
    except ValueError as error:
        raise EngineUnavailableError(
            "Cromwell does not give the inputs of a workflow with pman's labels: "
            "its metadata is archived, or somebody else set the labels"
        ) from error
