"""What init containers do to a job, by objects that a cluster of 1.36 sent."""

from typing import Any

import pytest
from k8s_objects import (
    BACKOFF,
    ENDED,
    RUNS,
    job,
    pod,
    recorded,
    state_by,
)

from pman_core import Reason, Status
from pman_core.kit.causes import pull_message
from pman_k8s.status.pods import Pod

Object = dict[str, Any]


def initialized(state: Object, phase: str = "Pending", restart: str | None = None) -> Object:
    found = pod(phase, {"waiting": {"reason": "PodInitializing"}})
    found["spec"]["initContainers"] = [{"name": "mesh", "restartPolicy": restart}]
    status = {"name": "mesh", "state": state, "image": "r/mesh:1"}
    found["status"]["initContainerStatuses"] = [status]
    return found


def test_an_init_container_that_fails_is_named_with_its_code() -> None:
    told = state_by(job(BACKOFF, failed=1), [recorded("initfail")])
    assert (told.status, told.reason) == (Status.FAILED, Reason.CANNOT_START)
    assert told.message == "cannot start: init container mesh: exited with code 9"
    # The job itself had no process.
    assert (told.started, told.exit_code) == (None, None)
    before = state_by(job(active=1), [recorded("initfail")])
    assert before.status is Status.NOT_STARTED
    assert before.message == "ending: cannot start: init container mesh: exited with code 9"


def test_the_message_says_that_an_init_container_was_out_of_memory() -> None:
    state = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": ENDED}}
    told = state_by(job(BACKOFF, failed=1), [initialized(state, "Failed")])
    assert told.reason is Reason.CANNOT_START
    assert "init container mesh: out of memory" in told.message


def test_a_native_sidecar_that_was_ended_is_not_what_failed() -> None:
    state = {"terminated": {"exitCode": 137, "reason": "Error", "finishedAt": ENDED}}
    found = initialized(state, "Failed", restart="Always")
    found["spec"]["initContainers"].append({"name": "prepare"})
    end = {"terminated": {"exitCode": 9, "reason": "Error", "finishedAt": ENDED}}
    found["status"]["initContainerStatuses"].append({"name": "prepare", "state": end})
    assert "prepare: exited with code 9" in state_by(job(BACKOFF), [found]).message


@pytest.mark.parametrize(
    ("state", "restart", "words"),
    [
        (RUNS, None, "init container mesh runs"),
        (RUNS, "Always", "PodInitializing"),
        ({"waiting": {"reason": "PodInitializing"}}, None, "PodInitializing"),
        (
            {"waiting": {"reason": "ErrImagePull", "message": "manifest unknown"}},
            None,
            "init container mesh: " + pull_message("r/mesh:1", "ErrImagePull: manifest unknown"),
        ),
    ],
)
def test_the_message_says_what_an_init_container_waits_for(
    state: Object, restart: str | None, words: str
) -> None:
    waits = Pod(initialized(state, restart=restart)).waits
    assert waits.message == words
    assert (waits.reason is Reason.IMAGE_NOT_FOUND) == ("ErrImagePull" in words)
