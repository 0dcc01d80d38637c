"""A job that uses what a job can have, and what the engine says of it, for pure tests."""

from typing import Any

import attrs

from pman_core import Job, JobInfo, Resources
from pman_core.kit.settings import load
from pman_swarm.payload import NOWHERE, service_payload
from pman_swarm.settings import SwarmSettings
from pman_swarm.status import info_of

JOB = Job(
    jid="Some Job",
    image="some/image:1",
    argv=("program", "", "{{.Node.ID}} $HOME"),
    env={"TOKEN": "secret"},
    resources=Resources(memory_mib=64),
    mounts=(),
    labels={"app": "x", "org.example/role": "y"},
    fingerprint="v1-abc",
)

#: The specification of a task that no node runs.
NEVER = {"Placement": {"Constraints": [NOWHERE]}}

#: All states of a task (Engine API 1.41, TaskState).
WAITING = ("new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting")
OVER = ("complete", "shutdown", "failed", "rejected", "remove", "orphaned")


def task(state: str, err: str = "", *, slot: int = 1, code: int | None = 0, **more: Any) -> Any:
    """As Docker 20.10 says it."""
    status: dict[str, Any] = {
        "Timestamp": f"2026-11-21T01:02:0{slot}.123456789Z",
        "State": state,
        "Message": {"complete": "finished", "running": "started"}.get(state, state),
    }
    if err:
        status["Err"] = err
    if state not in ("new", "allocated", "pending", "assigned", "orphaned"):
        status["ContainerStatus"] = {"ContainerID": "c0ffee", "PID": 7, "ExitCode": code}
    made = {
        "ID": f"t{slot}",
        "CreatedAt": "2026-11-21T01:02:00.5Z",
        "Slot": slot,
        "NodeID": "n1",
        "Spec": {},
        "Status": status,
        "DesiredState": "shutdown" if state in OVER else "running",
    }
    return {**made, **more}


def barred(*, slot: int = 1) -> Any:
    """What the swarm makes in the place of a worker that pman has ended."""
    made = task("pending", "no suitable node", slot=slot, ID=f"barred{slot}")
    del made["NodeID"]
    return {**made, "CreatedAt": "2026-11-21T01:03:00Z", "Spec": NEVER}


def service(workers: int = 1, spec: Any = None) -> Any:
    made = attrs.evolve(JOB, resources=Resources(workers=workers, memory_mib=64))
    return {
        "ID": "5e7f1ce",
        "CreatedAt": "2026-11-21T01:02:00.25Z",
        "UpdatedAt": "2026-11-21T01:02:59.5Z",
        "Version": {"Index": 7},
        "Spec": spec or service_payload("some-job", made, load(SwarmSettings, {})),
    }


def reported(*tasks: Any, workers: int = 0) -> JobInfo:
    return info_of(service(workers or len(tasks) or 1), tasks)
