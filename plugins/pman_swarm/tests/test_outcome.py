"""How the engine says that a task ended, as it said it, becomes what pman reports."""

from typing import Any

import pytest
from swarm_jobs import JOB, OVER, reported, task

from pman_core import Reason, Status
from pman_swarm.outcome import outcome_of

EXECUTABLE = (
    "starting container failed: failed to create shim task: OCI runtime create failed: runc create "
    'failed: unable to start container process: exec: "/nosuch": stat /nosuch: no such file or '
    "directory: unknown"
)
BIND = 'invalid mount config for type "bind": bind source path does not exist: /nonexistent'


@pytest.mark.parametrize(
    ("ended", "message", "reason", "code"),
    [
        (task("complete"), "finished", None, 0),
        (
            task("failed", "task: non-zero exit (3)", code=3),
            "exited with code 3",
            Reason.EXIT_CODE,
            3,
        ),
        (
            task("failed", "task: non-zero exit (143)", code=143),
            "exited with code 143",
            Reason.EXIT_CODE,
            143,
        ),
        (
            task("failed", "task: non-zero exit (255)", code=255),
            "exited with code 255, or its engine was restarted",
            Reason.EXIT_CODE,
            255,
        ),
        (
            task("failed", "task: non-zero exit (137)", code=137),
            "killed by signal 9 (SIGKILL, exit code 137), probably out of memory",
            Reason.KILLED,
            137,
        ),
        (
            task("failed", EXECUTABLE, code=127),
            f"cannot start: {EXECUTABLE}",
            Reason.CANNOT_START,
            127,
        ),
        (
            task("failed", "starting container failed: unable to find user nobodyx", code=128),
            "cannot start: starting container failed: unable to find user nobodyx",
            Reason.CANNOT_START,
            128,
        ),
        (
            task("rejected", "No such image: localhost:1/x:1"),
            "cannot start: No such image: localhost:1/x:1; it is missing, or not allowed, or its "
            "registry was not reached",
            Reason.IMAGE_NOT_FOUND,
            None,
        ),
        (
            task("rejected", "manifest unknown: manifest unknown"),
            "cannot get image some/image:1: there is no such image (manifest unknown: manifest "
            "unknown)",
            Reason.IMAGE_NOT_FOUND,
            None,
        ),
        (
            task("rejected", "assigned node no longer meets constraints"),
            "lost: the swarm stopped it: its node no longer has the labels or resources that it "
            "needs",
            Reason.LOST,
            None,
        ),
        (task("rejected", BIND), f"cannot start: {BIND}", Reason.CANNOT_START, None),
        (
            task("rejected", "mkdir /var/lib/docker/overlay2/x: no space left on device"),
            "cannot start: a disk of the engine is full (mkdir /var/lib/docker/overlay2/x: no "
            "space left on device)",
            Reason.CANNOT_START,
            None,
        ),
        (
            task("rejected", "Minimum memory limit allowed is 6MB"),
            "cannot start: Minimum memory limit allowed is 6MB",
            Reason.CANNOT_START,
            None,
        ),
        (
            task("failed", "No such container: some-job.1.t1"),
            "lost: its engine lost the container (No such container: some-job.1.t1)",
            Reason.LOST,
            None,
        ),
        (
            task("shutdown", code=143),
            "lost: the swarm stopped it (shutdown); its node was drained or removed",
            Reason.LOST,
            143,
        ),
        (
            task("orphaned"),
            "lost: the swarm stopped it (orphaned); its node was drained or removed",
            Reason.LOST,
            None,
        ),
        (
            task("remove"),
            "lost: the swarm stopped it (remove); its node was drained or removed",
            Reason.LOST,
            None,
        ),
    ],
)
def test_an_end_is_reported(
    ended: Any, message: str, reason: Reason | None, code: int | None
) -> None:
    ending = outcome_of(ended, JOB.image)
    assert (ending.message, ending.reason, ending.exit_code) == (message, reason, code)
    assert reported(ended).status is (Status.FAILED if reason else Status.SUCCEEDED)


def test_exit_code_0_of_a_task_that_never_ran_is_no_success() -> None:
    """The API gives 0 also where there was no exit."""
    info = reported(task("rejected", BIND, code=0))
    assert (info.status, info.exit_code) == (Status.FAILED, None)


@pytest.mark.parametrize("state", OVER)
def test_nothing_but_complete_is_a_success(state: str) -> None:
    assert (reported(task(state)).status is Status.SUCCEEDED) == (state == "complete")
