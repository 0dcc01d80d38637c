"""The records of a pman that cannot see the jobs folder: Cromwell alone keeps them.

What lies in that folder then only people read. A job is found by the labels of its workflow.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from pman_core import Reason
from pman_core.contract.errors import EngineUnavailableError
from pman_cromwell.answers import Found
from pman_cromwell.client import Cromwell
from pman_cromwell.notes import Cancelled, Notes, Verdict
from pman_cromwell.order import Order, from_inputs
from pman_cromwell.patience import until
from pman_cromwell.payload import ENDED_LABEL, NAME_LABEL, asked, is_gone


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
        return [found.labels[NAME_LABEL] for found in self._found() if NAME_LABEL in found.labels]

    def order(self, name: str) -> Order | None:
        """From what was submitted."""
        for found in self._found(name):
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
        if not until(lambda: self.notes(order) is not None, self._timeout_s):
            raise EngineUnavailableError(
                f"Cromwell took job {order.jid!r} and does not list it after "
                f"{self._timeout_s:g} s; submit it again"
            )

    def notes(self, order: Order) -> Notes | None:
        """Only what pman itself noted, on the workflow's labels."""
        for found in self._found(order.name):
            if found.id == order.workflow:
                why = _word(found.labels.get(ENDED_LABEL, ""))
                return Notes(seen=False, accepted=True, cancelled=why)
        return None

    def is_running(self, order: Order) -> bool:
        """It cannot be seen."""
        return False

    def cancel(self, order: Order, why: Cancelled) -> None:
        """A removal has a label of its own. Where two end it at once, the last word stands."""
        if why.reason is None or self._is_told(order):
            return
        self._cromwell.label(order.workflow, {ENDED_LABEL: _label(why)})
        if not until(lambda: self._is_told(order), self._timeout_s):
            raise EngineUnavailableError(
                f"Cromwell does not tell after {self._timeout_s:g} s that job {order.jid!r} is to "
                "end; try again"
            )

    def _is_told(self, order: Order) -> bool:
        """Whether everybody can see that it is to end, or that it is removed."""
        notes = self.notes(order)
        return notes is None or notes.cancelled is not None

    def unended(self) -> Iterable[str]:
        """By their labels."""
        for found in self._found():
            is_told = _word(found.labels.get(ENDED_LABEL, "")) is not None
            if is_told and not found.has_ended and NAME_LABEL in found.labels:
                yield found.labels[NAME_LABEL]

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

    def _found(self, name: str | None = None) -> list[Found]:
        found = self._cromwell.query(asked(self._instance, name))
        return [one for one in found if not is_gone(one)]


def _label(why: Cancelled) -> str:
    """A word of pman's as the value of a label, which has 255 characters at most."""
    return f"{why.time.timestamp()} {why.reason} {why.message}"[:255]


def _word(label: str) -> Cancelled | None:
    """What :func:`_label` wrote; anything else is none."""
    seconds, _, rest = label.partition(" ")
    reason, _, message = rest.partition(" ")
    try:
        return Cancelled(Reason(reason), message, datetime.fromtimestamp(float(seconds), UTC))
    except (ValueError, OverflowError, OSError):
        return None


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
