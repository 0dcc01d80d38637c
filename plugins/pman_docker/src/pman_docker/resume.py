"""What a pman that was killed has left undone, and going on with it at the next start."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from pman_core import JobInfo, Status
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_core.kit.names import JID_LABEL
from pman_docker.cancel import Canceller
from pman_docker.errors import RefusedError
from pman_docker.job_objects import JobObjects, Summary, is_second
from pman_docker.labels import CONTAINER, KIND, OF, is_of_cancellation
from pman_docker.parts import Parts
from pman_docker.reconcile import Reconciler


def resume(parts: Parts, reconciler: Reconciler, canceller: Canceller) -> bool:
    """Go on with jobs that wait or are half cancelled, and remove objects of no job.

    A fault with one job keeps none of the others.

    :return: whether some job has not been started yet; a later look may find it abandoned.
    :raises EngineUnavailableError: there was a fault.
    """
    objects = parts.objects
    listed = objects.of_all()
    steps: list[Callable[[], object]] = [
        functools.partial(parts.engine.remove, orphan) for orphan in orphans(objects, listed)
    ]
    steps += [functools.partial(canceller.cancel, jid) for jid in half_cancelled(listed)]
    steps += [
        functools.partial(reconciler.find, summary["Labels"][JID_LABEL])
        for summary in objects.by_name(listed).values()
        if summary["State"] == "created"
    ]
    waits = False
    fault: Exception | None = None
    for step in steps:
        try:
            info = step()
            waits |= isinstance(info, JobInfo) and info.status is Status.NOT_STARTED
        except UnknownJobError:
            pass  # it has been removed meanwhile
        except (RefusedError, EngineUnavailableError) as error:
            fault = error
    if fault:
        raise EngineUnavailableError(f"not every job can be gone on with: {fault}") from fault
    return waits


def orphans(objects: JobObjects, listed: Sequence[Summary]) -> list[str]:
    """Second objects without a first: who removed the job was killed meanwhile."""
    ids = {summary["Id"] for summary in listed}
    return [
        summary["Id"]
        for summary in listed
        if is_second(summary) and objects.has_its_name(summary) and summary["Labels"][OF] not in ids
    ]


def half_cancelled(listed: Sequence[Summary]) -> list[str]:
    """The jobs that are cancelled and run on: who cancelled them was killed meanwhile."""
    firsts_of_cancelled = {
        summary["Labels"][OF] for summary in listed if is_of_cancellation(summary["Labels"])
    }
    return [
        summary["Labels"][JID_LABEL]
        for summary in listed
        if summary["Labels"][KIND] == CONTAINER
        and summary["State"] in ("running", "paused")
        and (summary["Labels"].get(OF) or summary["Id"]) in firsts_of_cancelled
    ]
