"""What the engine says of a service and its tasks -> the job info: pure translation.

``GET /services/{id}`` and ``GET /tasks``, Engine API 1.41. A job has a task for each worker. All
states of a task, and the words seen with 20.10, stand in ``outcome.py`` and ``_WAITING``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from pman_core import Job, JobInfo, Reason, Status
from pman_core.kit import job_info
from pman_core.kit.job_labels import IMAGE_LABEL, asked_labels, owner_in
from pman_core.kit.masking import masked
from pman_core.kit.names import FINGERPRINT_LABEL, JID_LABEL
from pman_core.kit.outcome import Outcome
from pman_core.kit.times import parsed_time
from pman_swarm.escaping import unescaped
from pman_swarm.labels import EXIT_CODE, FINISHED, MESSAGE, REASON
from pman_swarm.outcome import outcome_of
from pman_swarm.payload import NOWHERE

_TAKEN = "the swarm has taken it, and has not placed it yet"

Service = Mapping[str, Any]
Task = Mapping[str, Any]

#: The states before ``running``, in which a task has done nothing yet.
_WAITING = frozenset(
    ["new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting"]
)


def info_of(service: Service, tasks: Iterable[Task], out_of_memory: bool | None = None) -> JobInfo:
    """The job that a service is.

    :param out_of_memory: see ``outcome_of``; only of an end that has not been recorded yet.
    """
    spec = service["Spec"]
    container = spec["TaskTemplate"]["ContainerSpec"]
    labels = spec["Labels"]
    info = JobInfo(
        jid=labels[JID_LABEL],
        image=labels[IMAGE_LABEL],
        argv=(*container["Command"], *(container.get("Args") or ())),
        status=Status.NOT_STARTED,
        message=_TAKEN,
        fingerprint=labels[FINGERPRINT_LABEL],
        created=parsed_time(service["CreatedAt"]),
        labels=asked_labels(labels, labels),
        owner=owner_in(labels),
        native=service["ID"],
    )
    if has_recorded_end(service):
        return _recorded(info, labels)
    workers = attempts(tasks)
    info = _by_tasks(info, workers, replicas(service), out_of_memory)
    if any(task["Status"].get("Err") for task in workers):  # it may quote what it was asked
        return attrs.evolve(info, message=masked(info.message, env_of(service)))
    return info


def env_of(service: Service) -> dict[str, str]:
    """The environment of a job."""
    pairs = service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Env") or ()
    return dict(unescaped(pair).partition("=")[::2] for pair in pairs)


def _by_tasks(
    info: JobInfo, workers: Sequence[Task], replicas: int, out_of_memory: bool | None
) -> JobInfo:
    if all(is_waiting(task) for task in workers):
        return _waiting(info, workers)
    if len(workers) < replicas or not all(map(is_over, workers)):
        return _begun(info, workers)
    return _over(info, workers, out_of_memory)


def taken_info(job: Job, service: str) -> JobInfo:
    """A job that the swarm has just taken: no need to look at it again."""
    return job_info.waiting(job, _TAKEN, native=service)


def ended_info(info: JobInfo, end: Outcome, now: datetime) -> JobInfo:
    """A job that pman ends itself; when it began, its tasks do not keep."""
    return job_info.ended(attrs.evolve(info, started=None), end, now)


def has_recorded_end(service: Service) -> bool:
    """Whether the job's end is recorded on its service, so that it never changes again."""
    return MESSAGE in service["Spec"]["Labels"]


def replicas(service: Service) -> int:
    """How many workers the swarm is to run."""
    return int(service["Spec"]["Mode"]["Replicated"]["Replicas"])


def is_being_ended(service: Service, tasks: Sequence[Task]) -> bool:
    """Whether tasks are missing or are stopped: the service is young, or is ended just now."""
    missing = len(attempts(tasks)) < replicas(service)
    return missing or any(is_given_up(task) or task["DesiredState"] == "remove" for task in tasks)


def is_barred(template: Mapping[str, Any]) -> bool:
    """Whether what is specified so never runs: see ``payload.ended``."""
    return NOWHERE in ((template.get("Placement") or {}).get("Constraints") or ())


def busy_nodes(service: Service, tasks: Iterable[Task]) -> set[str | None]:
    """Where something of a job that has ended may run on; ``None`` is a node yet to be chosen."""
    barred = [task for task in tasks if is_barred(task["Spec"])]
    others = [task for task in tasks if not is_barred(task["Spec"])]
    nodes = {task.get("NodeID") for task in others if not (is_over(task) or _never_runs(task))}
    if not is_barred(service["Spec"]["TaskTemplate"]):
        return nodes
    # The swarm stops a worker when it makes the barred task that takes its place.
    all_are_replaced = len({task["Slot"] for task in barred}) >= replicas(service)
    return nodes if all_are_replaced else nodes | {None}


def attempts(tasks: Iterable[Task]) -> list[Task]:
    """The first task of each worker, in the order of workers; the API keeps no order."""
    found: dict[int, Task] = {}
    for task in sorted(tasks, key=lambda task: str(task["CreatedAt"])):
        found.setdefault(task.get("Slot", 0), task)
    return [found[slot] for slot in sorted(found)]


def is_waiting(task: Task) -> bool:
    """Whether a task has done nothing yet, as far as the swarm knows from its node."""
    return task["Status"]["State"] in _WAITING


def is_over(task: Task) -> bool:
    """Whether a task has ended; it never begins again."""
    return not is_waiting(task) and task["Status"]["State"] != "running"


def is_given_up(task: Task) -> bool:
    """Whether the swarm wants a task to end that has not: its node is drained, or is lost."""
    return not is_over(task) and task["DesiredState"] in ("shutdown", "remove", "orphaned")


def _never_runs(task: Task) -> bool:
    """Whether a task was given up before it had a node: if it gets one, that does not start it."""
    return is_given_up(task) and "NodeID" not in task


def _waiting(info: JobInfo, workers: Sequence[Task]) -> JobInfo:
    """The worker that is furthest behind says what the job waits for."""
    for task in workers:
        state, status = task["Status"]["State"], task["Status"]
        if state in ("new", "allocated", "pending"):
            words = status.get("Err") or "the swarm looks for a node"
            return attrs.evolve(info, reason=Reason.QUEUED, message=f"waiting for room: {words}")
    states = {task["Status"]["State"] for task in workers}
    if not states:
        return info
    if "preparing" in states:
        message = f"preparing; the image {info.image} may have to be pulled"
        return attrs.evolve(info, reason=Reason.PULLING, message=message)
    return attrs.evolve(info, message=f"not started yet ({', '.join(sorted(states))})")


def _begun(info: JobInfo, workers: Sequence[Task]) -> JobInfo:
    """Some worker runs or has ended; when one that has ended began, the engine does not keep."""
    running = [task for task in workers if task["Status"]["State"] == "running"]
    started = [parsed_time(task["Status"]["Timestamp"]) for task in running]
    message = "running"
    if len(running) < len(workers):
        over = sum(map(is_over, workers))
        message = f"{len(running)} of {len(workers)} workers running, {over} ended"
    return job_info.running(info, min((at for at in started if at), default=None), message)


def _recorded(info: JobInfo, labels: Mapping[str, str]) -> JobInfo:
    """The end as it was reported first."""
    reason, code, finished = (labels.get(key) for key in (REASON, EXIT_CODE, FINISHED))
    end = Outcome(labels[MESSAGE], Reason(reason) if reason else None, int(code) if code else None)
    return job_info.ended(info, end, parsed_time(finished))


def _over(info: JobInfo, workers: Sequence[Task], out_of_memory: bool | None) -> JobInfo:
    """All workers have ended; the first that failed says why the job did."""
    ends = [outcome_of(task, info.image, out_of_memory) for task in workers]
    failed = [index for index, end in enumerate(ends) if end.reason]
    end = ends[failed[0]] if failed else ends[0]
    if failed and len(workers) > 1:
        worker = f"worker {failed[0] + 1} of {len(workers)}"
        end = attrs.evolve(end, message=f"{worker}: {end.message}")
    times = [parsed_time(task["Status"]["Timestamp"]) for task in workers]
    return job_info.ended(info, end, max((at for at in times if at), default=None))
