"""What the engines say of containers, as they said it, becomes what pman reports of jobs."""

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from pman_core import Job, Reason, Resources, Status
from pman_core.kit.job_info import waiting
from pman_core.kit.job_labels import OWNER_LABEL
from pman_core.kit.outcome import Outcome
from pman_docker.labels import container_labels, end_labels, waiting_labels
from pman_docker.status.container import container_info, with_second

NEVER = "0001-01-01T00:00:00Z"
JOB = Job(
    jid="some job",
    image="some/image:1",
    argv=("program", "a b", ""),
    env={"TOKEN": "secret"},
    resources=Resources(memory_mib=64),
    mounts=(),
    labels={"app": "x"},
    fingerprint="v1-abc",
)


def docker_state(status: str, code: int = 0, error: str = "", **more: Any) -> dict[str, Any]:
    """As Docker 20.10 says it."""
    return {
        "Status": status,
        "Running": status in ("running", "paused", "restarting"),
        "Paused": status == "paused",
        "Restarting": status == "restarting",
        "OOMKilled": False,
        "Dead": status == "dead",
        "Pid": 0,
        "ExitCode": code,
        "Error": error,
        "StartedAt": NEVER if status == "created" else "2026-11-21T01:02:03.123456789Z",
        "FinishedAt": "2026-11-21T01:02:04.5Z" if status == "exited" else NEVER,
        **more,
    }


def podman_state(status: str, code: int = 0, **more: Any) -> dict[str, Any]:
    """As Podman 4.3 says it through its Docker-compatible route."""
    healthy = {"Health": {"Status": "", "FailingStreak": 0, "Log": None}}
    return {**docker_state(status, code), **healthy, **more}


def container(state: dict[str, Any], labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "Id": "c0ffee",
        "Created": "2026-11-21T01:02:02.999999999Z",
        "Path": "program",
        "Args": ["a b", ""],
        "State": state,
        "Config": {"Labels": labels or container_labels(JOB, "pman")},
    }


def seen(state: dict[str, Any]) -> tuple[Status, str, int | None, Reason | None]:
    """Status, message, exit code and reason of the job of a container in that state."""
    info = container_info(container(state))
    return info.status, info.message, info.exit_code, info.reason


@pytest.mark.parametrize("state", [docker_state, podman_state])
@pytest.mark.parametrize("word", ["running", "restarting"])
def test_what_has_a_process_is_started(state: Any, word: str) -> None:
    assert seen(state(word)) == (Status.STARTED, word, None, None)


@pytest.mark.parametrize("state", [docker_state, podman_state])
def test_a_paused_container_is_a_suspended_job(state: Any) -> None:
    status, message, code, reason = seen(state("paused"))
    assert (status, code, reason) == (Status.STARTED, None, None)
    assert "suspended" in message


@pytest.mark.parametrize(
    "state",
    [docker_state("created"), podman_state("created"), podman_state("initialized")],
)
def test_a_created_container_is_not_started(state: dict[str, Any]) -> None:
    status, message, code, reason = seen(state)
    assert (status, code, reason) == (Status.NOT_STARTED, None, None)
    assert message
    info = container_info(container(docker_state("created")))
    assert (info.started, info.finished) == (None, None)


@pytest.mark.parametrize(("code", "told"), [(127, 127), (126, 126), (128, 128), (0, 127)])
def test_a_container_that_failed_to_start_is_an_error(code: int, told: int) -> None:
    words = 'exec: "nosuch": executable file not found in $PATH: unknown'
    info = container_info(container(docker_state("created", code, words)))
    assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START)
    assert words in info.message
    # The engine has no time of it: it was started right after it had been created.
    assert (info.exit_code, info.started, info.finished) == (told, None, info.created)


@pytest.mark.parametrize(
    "words",
    [
        "context canceled",  # Docker 26.1, whose client went away during the start
        "Canceled: context canceled",  # Docker 28.5, likewise
        "failed to create task for container: context canceled",
        "mkdir /var/lib/docker/overlay2/x/merged: no space left on device",
        "failed to create shim task: fork/exec /usr/bin/containerd-shim: cannot allocate memory",
        "error while mounting volume: failed to mount local volume: mount :/x: connection refused",
    ],
)
@pytest.mark.parametrize("code", [0, 128])
def test_a_start_that_can_succeed_later_is_no_end(code: int, words: str) -> None:
    info = container_info(container(docker_state("created", code, words)))
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED)
    assert words in info.message
    assert (info.exit_code, info.started, info.finished) == (None, None, None)


@pytest.mark.parametrize(
    "words",
    [
        'exec: "context canceled": executable file not found in $PATH: unknown',
        'exec: "/x/context canceled/y": stat /x/context canceled/y: no such file or directory',
    ],
)
def test_a_program_with_the_name_of_a_fault_is_not_waited_for(words: str) -> None:
    assert (
        container_info(container(docker_state("created", 127, words))).reason is Reason.CANNOT_START
    )


@pytest.mark.parametrize("state", [docker_state, podman_state])
@pytest.mark.parametrize("word", ["running", "paused", "stopping"])
def test_a_run_that_somebody_else_began_is_not_reported_as_started(state: Any, word: str) -> None:
    """The end of the job's own run is kept, and its exit code is not (seen on both engines)."""
    again = state(word, FinishedAt="2026-11-21T01:02:03Z", StartedAt="2026-11-21T02:00:00Z")
    info = container_info(container(again))
    assert (info.status, info.reason, info.exit_code) == (Status.FAILED, Reason.LOST, None)
    assert "started its container again" in info.message
    assert info.started is None
    assert info.finished == datetime(2026, 11, 21, 1, 2, 3, 0, UTC)


@pytest.mark.parametrize("word", ["exited", "stopped"])
def test_exit_code_0_is_success(word: str) -> None:
    assert seen(podman_state(word))[:3] == (Status.SUCCEEDED, "finished", 0)


def test_a_killed_child_does_not_spoil_a_success() -> None:
    assert seen(docker_state("exited", 0, OOMKilled=True))[0] is Status.SUCCEEDED


@pytest.mark.parametrize("code", [7, 137])
def test_out_of_memory_is_reported_where_the_engine_knows_it(code: int) -> None:
    status, message, told, reason = seen(docker_state("exited", code, OOMKilled=True))
    assert (status, told, reason) == (Status.FAILED, code, Reason.OUT_OF_MEMORY)
    assert "memory" in message


@pytest.mark.parametrize("word", ["exited", "stopped"])
@pytest.mark.parametrize(
    ("knows", "wanted"),
    [
        (False, "killed by signal 9 (SIGKILL, exit code 137), probably out of memory"),
        (True, "killed by signal 9 (SIGKILL, exit code 137)"),
    ],
)
def test_137_is_reported_as_probably_memory_where_the_engine_does_not_know_it(
    word: str, knows: bool, wanted: str
) -> None:
    for made in (container(podman_state(word, 137)), container(docker_state(word, 137))):
        info = container_info(made, knows_oom=knows)
        assert (info.status, info.exit_code) == (Status.FAILED, 137)
        assert (info.reason, info.message) == (Reason.KILLED, wanted)
        second = container(made["State"], container_labels(JOB, "pman", of="f1257"))
        assert with_second(waiting(JOB, "pulling"), second, knows_oom=knows).message == wanted


def test_another_code_is_reported_with_the_engines_words() -> None:
    assert "3" in seen(docker_state("exited", 3))[1]
    status, message, code, reason = seen(docker_state("exited", 128, "mount gone"))
    assert (status, code, reason) == (Status.FAILED, 128, Reason.EXIT_CODE)
    assert "mount gone" in message


@pytest.mark.parametrize("word", ["removing", "dead"])
def test_a_container_that_makes_way_is_not_lost(word: str) -> None:
    """Its creator was killed before it started it: another one takes its place."""
    status, _, _, reason = seen(docker_state(word, StartedAt=NEVER))
    assert (status, reason) == (Status.NOT_STARTED, None)


@pytest.mark.parametrize("word", ["created", "configured", "exited"])
def test_what_began_and_never_ended_was_cut_off(word: str) -> None:
    """As Podman tells after the machine was restarted."""
    state = podman_state(word, StartedAt="2026-11-21T01:02:03Z", FinishedAt=NEVER)
    info = container_info(container(state))
    assert (info.status, info.reason, info.exit_code) == (Status.FAILED, Reason.LOST, None)
    assert "its machine was restarted" in info.message
    assert info.started
    assert not info.finished


@pytest.mark.parametrize("word", ["dead", "removing", "a state of the future"])
def test_what_the_engine_gave_up_is_lost(word: str) -> None:
    status, message, _, reason = seen(docker_state(word))
    assert (status, reason) == (Status.FAILED, Reason.LOST)
    assert word in message


def test_everything_of_the_job_is_reported() -> None:
    info = container_info(container(docker_state("exited", 3)))
    assert (info.jid, info.image, info.argv) == (JOB.jid, JOB.image, JOB.argv)
    assert (info.fingerprint, info.labels) == (JOB.fingerprint, JOB.labels)
    assert info.native == "c0ffee"
    assert info.created == datetime(2026, 11, 21, 1, 2, 2, 999999, UTC)
    assert info.started == datetime(2026, 11, 21, 1, 2, 3, 123456, UTC)
    assert info.finished == datetime(2026, 11, 21, 1, 2, 4, 500000, UTC)


def test_an_end_is_never_before_its_start() -> None:
    state = podman_state("exited", FinishedAt="2026-11-21T01:02:03Z")
    info = container_info(container(state))
    assert info.started == info.finished


def test_a_job_without_arguments_has_its_program() -> None:
    assert container_info({**container(docker_state("running")), "Args": None}).argv == ("program",)


def test_labels_of_the_image_are_not_the_jobs() -> None:
    labels = {**container_labels(JOB, "pman"), "maintainer": "somebody"}
    assert container_info(container(docker_state("running"), labels)).labels == {"app": "x"}


def test_the_owner_is_reported_whatever_the_image_has() -> None:
    """Also a nameless one, who is not nobody."""
    for owner in ("Ünï @x/y", "", "null", None):
        owned = attrs.evolve(JOB, owner=owner)
        made = container_info(container(docker_state("running"), container_labels(owned, "pman")))
        second = container_info(
            container(docker_state("exited"), container_labels(owned, "pman", "f1"))
        )
        assert {info.owner for info in (made, second)} == {owner}
    assert OWNER_LABEL in container_labels(JOB, "pman"), "else it would be that of the image"


def test_the_second_object_has_the_outcome() -> None:
    first = waiting(JOB, "pulling", Reason.PULLING, created=datetime(2026, 11, 21, tzinfo=UTC))
    assert (first.status, first.reason) == (Status.NOT_STARTED, Reason.PULLING)
    labels = container_labels(JOB, "pman", of="f1257")
    info = with_second(first, container(docker_state("exited", 3), labels))
    assert (info.status, info.created, info.native) == (Status.FAILED, first.created, "c0ffee")


@pytest.mark.parametrize(
    ("reason", "code"), [(Reason.IMAGE_NOT_FOUND, None), (Reason.CANNOT_START, 127)]
)
def test_a_placeholder_of_an_end_says_why(reason: Reason, code: int | None) -> None:
    first = waiting(JOB, "pulling", Reason.PULLING, created=datetime(2026, 11, 21, tzinfo=UTC))
    labels = end_labels(JOB.jid, "pman", "f1257", Outcome("because", reason))
    info = with_second(first, container(docker_state("created"), labels))
    assert (info.status, info.reason, info.message) == (Status.FAILED, reason, "because")
    assert (info.exit_code, info.started) == (code, None)
    assert info.finished
    assert info.native == ""


def test_only_first_objects_carry_the_job() -> None:
    """The environment may hold tokens, so it is written down once."""
    assert "secret" in str(waiting_labels(JOB, "pman"))
    assert "secret" not in str(container_labels(JOB, "pman", of="f1257"))
