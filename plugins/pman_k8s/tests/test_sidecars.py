"""The end of a job is the end of its own container, whatever else a webhook put into its pods.

Objects of 1.36 are recorded ones. On the cluster the tests make pman's Job by hand, with more
containers, as such a webhook would.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from k8s_cluster import MISSING_IMAGE, admin, until
from k8s_jobs import BASE
from k8s_kit import K8sKit
from k8s_objects import (
    BACKOFF,
    COMPLETE,
    ENDED,
    STARTED,
    ended,
    job,
    named,
    pod,
    running,
)
from k8s_standin import Answer, Request, said, standin

from pman_core import Job, JobFilter, Reason, Resources, Status
from pman_core.kit.causes import pull_message
from pman_core.kit.settings import load
from pman_core.kit.times import parsed_time
from pman_k8s.backend import KubernetesBackend
from pman_k8s.labels import PODS_TO_END
from pman_k8s.payload import job_payload
from pman_k8s.platform import KUBERNETES
from pman_k8s.record import end_patch
from pman_k8s.settings import K8sSettings
from pman_k8s.status.current import state_of
from pman_k8s.status.job import conditions
from pman_k8s.status.pods import Pod

Object = dict[str, Any]

RECORDED = Path(__file__).parent / "recorded"

RUNS: Object = {"running": {"startedAt": STARTED}}
EXIT_3: Object = {"terminated": {"exitCode": 3, "reason": "Error", "finishedAt": ENDED}}


def recorded(name: str) -> Object:
    (found,) = json.loads((RECORDED / f"pod-{name}.json").read_text())
    return dict(found)


def beside(found: Object, state: Object, phase: str = "Running") -> Object:
    """A pod with another container in that state."""
    found["status"]["containerStatuses"].append({"name": "mesh", "state": state})
    found["status"]["phase"] = phase
    return found


def deadline(found: Object, limit: int) -> Object:
    """A pod that its time limit ended."""
    found["spec"]["activeDeadlineSeconds"] = limit
    found["status"] |= {"phase": "Failed", "reason": "DeadlineExceeded", "startTime": STARTED}
    return found


# ------------------------------------------------------------------- other containers


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [(0, Status.SUCCEEDED, None), (3, Status.FAILED, Reason.EXIT_CODE)],
)
@pytest.mark.parametrize("other", [RUNS, {"waiting": {"reason": "ImagePullBackOff"}}])
def test_a_job_has_ended_although_a_sidecar_runs_on(
    code: int, status: Status, reason: Reason | None, other: Object
) -> None:
    told = state_of(job(active=1), [beside(ended(code), other)])
    assert (told.status, told.reason, told.exit_code) == (status, reason, code)
    assert (told.started, told.finished) == (parsed_time(STARTED), parsed_time(ENDED))
    # Its pod is kept, for its log.
    assert (told.pods_to_end, told.ends_it) == (("the-job-abcde",), False)
    assert "spec" not in end_patch(job(active=1), told)


def test_a_job_runs_although_a_sidecar_has_failed() -> None:
    assert state_of(job(active=1), [beside(running(), EXIT_3)]).status is Status.STARTED


def test_a_sidecar_that_fails_makes_no_success_a_failure() -> None:
    """The pod and the Job have failed, and the job has not: recorded, and with a second worker."""
    told = state_of(job(BACKOFF, failed=1), [recorded("classic")])
    assert (told.status, told.reason, told.exit_code) == (Status.SUCCEEDED, None, 0)
    assert told.finished == parsed_time("2026-11-26T21:31:21Z")
    workers = [beside(ended(0, name="a"), EXIT_3, "Failed"), ended(0, name="b")]
    assert state_of(job(BACKOFF, workers=2), workers).status is Status.SUCCEEDED


def test_between_the_failure_of_a_sidecar_and_that_of_the_job_it_is_started() -> None:
    told = state_of(job(active=1), [recorded("classic")])
    assert (told.status, told.pods_to_end) == (Status.STARTED, ())
    assert "ending" in told.message


def test_a_failed_job_has_its_own_exit_code_and_not_a_sidecars() -> None:
    other: Object = {"terminated": {"exitCode": 8, "reason": "Error"}}
    told = state_of(job(BACKOFF, failed=1), [beside(ended(3), other, "Failed")])
    assert (told.exit_code, told.message) == (3, "exited with code 3")


def test_a_worker_that_the_cluster_ended_for_a_sidecar_is_lost_and_the_sidecar_named() -> None:
    workers = [
        beside(ended(0, name="a"), {"terminated": {"exitCode": 8, "reason": "Error"}}, "Failed"),
        running(name="b", deleted=True),
    ]
    told = state_of(job(BACKOFF, workers=2), workers)
    assert (told.status, told.reason) == (Status.FAILED, Reason.LOST)
    assert "pod b was deleted" in told.message
    assert "container mesh of pod a exited with code 8" in told.message


def test_the_workers_of_a_job_end_together() -> None:
    """The pod of one may not be ended before: that would end the others."""
    first = beside(ended(0, name="a"), RUNS)
    waits = state_of(job(active=2, workers=2), [first, running(name="b")])
    assert (waits.status, waits.pods_to_end) == (Status.STARTED, ())
    done = state_of(job(active=1, workers=2), [first, ended(0, name="b")])
    assert (done.status, done.pods_to_end) == (Status.SUCCEEDED, ("a",))
    failed = state_of(
        job(active=2, workers=2), [beside(ended(4, name="a"), RUNS), running(name="b")]
    )
    assert (failed.message, failed.pods_to_end) == ("worker 1 of 2: exited with code 4", ("a", "b"))


def test_a_second_run_is_lost_also_where_a_sidecar_runs_on() -> None:
    told = state_of(job(active=2), [beside(ended(0, name="a"), RUNS), running(name="b")])
    assert (told.status, told.reason, told.ends_it) == (Status.FAILED, Reason.LOST, True)


@pytest.mark.parametrize(
    ("limit", "code", "reason"),
    [
        (60, 0, None),
        (60, 3, Reason.EXIT_CODE),
        # The job itself got SIGTERM, and ended with this code.
        (4, 0, Reason.TIME_LIMIT),
        (4, 143, Reason.TIME_LIMIT),
    ],
)
def test_a_time_limit_of_what_runs_on_is_none_of_the_job(
    limit: int, code: int, reason: Reason | None
) -> None:
    """The job ran for four seconds; pman first looked when its pod had been ended."""
    found = deadline(beside(ended(code), RUNS), limit)
    assert state_of(job(BACKOFF, failed=1), [found]).reason is reason


@pytest.mark.parametrize(
    ("name", "reason", "code"),
    [
        ("sidecar-fail", Reason.EXIT_CODE, 5),
        ("sidecar-oom", Reason.OUT_OF_MEMORY, 137),
        ("timelimit", Reason.TIME_LIMIT, 137),
    ],
)
def test_a_native_sidecar_changes_nothing(name: str, reason: Reason, code: int) -> None:
    told = state_of(job(BACKOFF, failed=1), [recorded(name)])
    assert (told.reason, told.exit_code, told.pods_to_end) == (reason, code, ())


def test_a_native_sidecar_that_still_ends_is_waited_for() -> None:
    """The kubelet ends it; so the last word is the Job's."""
    found = recorded("sidecar-ok")
    assert state_of(job(COMPLETE, succeeded=1), [found]).status is Status.SUCCEEDED
    found["status"]["phase"] = "Running"
    found["status"]["initContainerStatuses"][0]["state"] = RUNS
    told = state_of(job(active=1), [found])
    assert (told.status, told.pods_to_end) == (Status.STARTED, ())


# -------------------------------------------------------------------- init containers


def initialized(state: Object, phase: str = "Pending", restart: str | None = None) -> Object:
    found = pod(phase, {"waiting": {"reason": "PodInitializing"}})
    found["spec"]["initContainers"] = [{"name": "mesh", "restartPolicy": restart}]
    status = {"name": "mesh", "state": state, "image": "r/mesh:1"}
    found["status"]["initContainerStatuses"] = [status]
    return found


def test_an_init_container_that_fails_is_named_with_its_code() -> None:
    told = state_of(job(BACKOFF, failed=1), [recorded("initfail")])
    assert (told.status, told.reason) == (Status.FAILED, Reason.CANNOT_START)
    assert told.message == "cannot start: init container mesh: exited with code 9"
    # The job itself had no process.
    assert (told.started, told.exit_code) == (None, None)
    before = state_of(job(active=1), [recorded("initfail")])
    assert (before.status, before.waits) == (Status.NOT_STARTED, False)
    assert before.message == "ending: cannot start: init container mesh: exited with code 9"


def test_the_message_says_that_an_init_container_was_out_of_memory() -> None:
    state = {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": ENDED}}
    told = state_of(job(BACKOFF, failed=1), [initialized(state, "Failed")])
    assert told.reason is Reason.CANNOT_START
    assert "init container mesh: out of memory" in told.message


def test_a_native_sidecar_that_was_ended_is_not_what_failed() -> None:
    state = {"terminated": {"exitCode": 137, "reason": "Error", "finishedAt": ENDED}}
    found = initialized(state, "Failed", restart="Always")
    found["spec"]["initContainers"].append({"name": "prepare"})
    end = {"terminated": {"exitCode": 9, "reason": "Error", "finishedAt": ENDED}}
    found["status"]["initContainerStatuses"].append({"name": "prepare", "state": end})
    assert "prepare: exited with code 9" in state_of(job(BACKOFF), [found]).message


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


# ------------------------------------------------------------------- ending the rest


class Server:
    """An API server with one Job, whose job has ended with 0 and whose sidecar runs on."""

    def __init__(self) -> None:
        self.job = named(job(active=1, pods="the-job-abcde"))
        self.pod = beside(ended(0), RUNS)
        self.refusal: Answer | None = None

    def answer(self, request: Request) -> Answer:
        is_pod = "/pods/" in request.path
        if request.method == "PATCH" and is_pod:
            return self.refusal or said(200, self.pod)
        if request.method == "PATCH":
            notes = self.job["metadata"]["annotations"] | request.body["metadata"]["annotations"]
            kept = {key: text for key, text in notes.items() if text is not None}
            self.job["metadata"]["annotations"] = kept
        if request.path.endswith("/jobs"):
            return said(200, {"metadata": {}, "items": [self.job]})
        return said(200, self.pod if is_pod else self.job)


def patches(asked: list[Request]) -> list[str]:
    return [request.path.split("/")[-2] for request in asked if request.method == "PATCH"]


def test_the_end_is_written_down_before_the_rest_is_ended(tmp_path: Path) -> None:
    server = Server()
    with standin(tmp_path, server.answer) as between:
        info = KubernetesBackend(between.environ()).pman_status(BASE.jid)
        assert info.status is Status.SUCCEEDED
        assert patches(between.asked) == ["jobs", "pods", "jobs"]
        change = next(one for one in between.asked if "/pods/" in one.path and one.body).body
        assert change == {"spec": {"activeDeadlineSeconds": 1}}
        del between.asked[:]
        assert KubernetesBackend(between.environ()).pman_status(BASE.jid) == info
        assert [request.method for request in between.asked] == ["GET"]


LOOKS: list[Callable[[KubernetesBackend], Any]] = [
    lambda pman: pman.pman_status(BASE.jid),
    lambda pman: pman.pman_list(JobFilter(), 10, None).jobs[0],
]


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(
    "refusal",
    [said(403, 'cannot patch resource "pods" in API group ""'), said(500, "x"), said(422, "x")],
)
def test_an_end_is_reported_even_while_sidecars_cannot_be_ended(
    tmp_path: Path, refusal: Answer, look: Callable[[KubernetesBackend], Any]
) -> None:
    """The next look tries again."""
    server = Server()
    server.refusal = refusal
    with standin(tmp_path, server.answer) as between:
        pman = KubernetesBackend(between.environ())
        first = pman.pman_status(BASE.jid)
        assert first.status is Status.SUCCEEDED
        assert server.job["metadata"]["annotations"][PODS_TO_END] == "the-job-abcde"
        server.refusal = None
        assert look(pman) == first
        assert PODS_TO_END not in server.job["metadata"]["annotations"]


# ------------------------------------------------------------------------ the cluster


@pytest.fixture
def injected(kit: K8sKit) -> Callable[..., None]:
    """Makes the Job of a job by hand, with more containers."""

    def make(made: Job, inits: tuple[Object, ...] = (), others: tuple[Object, ...] = ()) -> None:
        settings = load(K8sSettings, kit.environ)
        body = job_payload(kit.name(made.jid), made, settings, KUBERNETES)
        spec = body["spec"]["template"]["spec"]
        spec["initContainers"] = list(inits)
        places = spec["containers"][0]["volumeMounts"]
        spec["containers"] += [{**one, "volumeMounts": places} for one in others]
        admin().create(body)

    return make


def container(kit: K8sKit, script: str, **changes: Any) -> Object:
    """Another container, with a hard memory limit."""
    return {
        "name": "mesh",
        "image": kit.shell("true").image,
        "command": ["/bin/sh", "-c", script],
        "resources": {"limits": {"memory": "32Mi"}},
        **changes,
    }


#: Until it is ended, which it says.
FOR_EVER = (
    "trap 'echo ended >> /share/outgoing/ended; exit 0' TERM; echo x >> /share/outgoing/begun; "
    "while :; do sleep 0.1; done"
)


@pytest.mark.parametrize("code", [0, 3])
def test_on_a_cluster_the_rest_is_ended_and_the_log_stays(
    kit: K8sKit, injected: Callable[..., None], code: int
) -> None:
    pman = kit.pman()
    place = kit.place()
    script = "while ! [ -e /share/outgoing/begun ]; do sleep 0.1; done"
    made = kit.shell(f"{script}; echo words; exit {code}", place)
    injected(made, others=(container(kit, FOR_EVER),))
    info = kit.end_of(pman, made.jid)
    assert (info.status is Status.SUCCEEDED, info.exit_code) == (code == 0, code)
    assert info.reason is (Reason.EXIT_CODE if code else None)
    # The rest ends, and the Job for Kubernetes too.
    until(place.path("ended").exists, bool)
    until(lambda: kit.found(made.jid), lambda found: "Failed" in conditions(found))
    (found,) = kit.pods(made.jid)
    assert found["status"]["phase"] == "Failed"
    assert pman.pman_logs(info, 10, 1000) == b"words\n"
    assert kit.pman().pman_status(made.jid) == info
    assert pman.pman_remove(made.jid)
    assert kit.pods(made.jid) == []


def test_on_a_cluster_an_end_is_reported_even_where_sidecars_may_not_be_ended(
    kit: K8sKit,
    injected: Callable[..., None],
    role_of_pman_6: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is left until the job is removed, and the log says so once."""
    pman = kit.pman(KUBECONFIG=str(role_of_pman_6))
    place = kit.place()
    made = kit.shell("while ! [ -e /share/outgoing/begun ]; do sleep 0.1; done; exit 3", place)
    injected(made, others=(container(kit, FOR_EVER),))
    info = kit.end_of(pman, made.jid)
    assert (info.status, info.exit_code) == (Status.FAILED, 3)
    assert pman.pman_status(made.jid) == info
    assert kit.pman(KUBECONFIG=str(role_of_pman_6)).pman_status(made.jid) == info
    assert pman.pman_list(JobFilter(), 10, None).jobs == (info,)
    warned = [record.getMessage() for record in caplog.records if "run on" in record.getMessage()]
    assert len(warned) == 1
    assert "not allowed to patch pods" in warned[0]
    (left,) = kit.pods(made.jid)
    assert left["status"]["phase"] == "Running"
    assert pman.pman_remove(made.jid)
    assert kit.pods(made.jid) == []


def test_on_a_cluster_a_sidecar_that_fails_makes_no_success_a_failure(
    kit: K8sKit, injected: Callable[..., None]
) -> None:
    pman = kit.pman()
    made = kit.shell("sleep 2")
    injected(made, others=(container(kit, "exit 3"),))
    info = kit.end_of(pman, made.jid)
    assert (info.status, info.exit_code) == (Status.SUCCEEDED, 0), info


def test_on_a_cluster_the_workers_of_a_job_end_together(
    kit: K8sKit, injected: Callable[..., None]
) -> None:
    """The first ends at once, and the other only when it may."""
    pman = kit.pman()
    place = kit.place()
    script = (
        "mkdir /share/outgoing/first && exit 0; echo run >> /share/outgoing/runs; "
        "while ! [ -e /share/outgoing/release ]; do sleep 0.1; done"
    )
    made = kit.shell(script, place, resources=Resources(memory_mib=32, workers=2))
    injected(made, others=(container(kit, FOR_EVER),))
    until(place.runs, bool)
    until(
        lambda: [Pod(one) for one in kit.pods(made.jid)],
        lambda pods: any(one.sidecars_run_on for one in pods),
    )
    assert pman.pman_status(made.jid).status is Status.STARTED
    place.path("release").touch()
    info = kit.end_of(pman, made.jid)
    assert (info.status, info.exit_code) == (Status.SUCCEEDED, 0), info
    until(lambda: kit.found(made.jid), lambda found: "Failed" in conditions(found))
    assert place.runs() == 1


def test_on_a_cluster_a_time_limit_of_what_runs_on_is_none_of_the_job(
    kit: K8sKit, injected: Callable[..., None]
) -> None:
    """Nobody looks until the pod is ended."""
    made = kit.shell("echo words", time_limit_s=8)
    injected(made, others=(container(kit, FOR_EVER),))
    until(lambda: kit.found(made.jid), lambda found: "Failed" in conditions(found))
    info = kit.pman().pman_status(made.jid)
    assert (info.status, info.exit_code) == (Status.SUCCEEDED, 0), info
    assert kit.pman().pman_logs(info, 10, 1000) == b"words\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 9", "init container mesh: exited with code 9"),
        ("exec tail /dev/zero", "init container mesh: out of memory"),
        ("", "init container mesh: "),
    ],
)
def test_on_a_cluster_an_init_container_that_fails_is_named(
    kit: K8sKit, injected: Callable[..., None], script: str, words: str
) -> None:
    pman = kit.pman()
    made = kit.shell("echo words")
    changes = {} if script else {"command": ["no-such-program"]}
    injected(made, inits=(container(kit, script, **changes),))
    info = kit.end_of(pman, made.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START), info
    assert (info.started, info.exit_code) == (None, None)
    assert words in info.message
    assert "(it did not start: " in pman.pman_logs(info, 10, 1000).decode()


def test_on_a_cluster_an_init_container_that_waits_is_named(
    kit: K8sKit, injected: Callable[..., None]
) -> None:
    pman = kit.pman()
    made = kit.shell("true")
    injected(made, inits=(container(kit, "true", image=MISSING_IMAGE),))
    info = until(lambda: pman.pman_status(made.jid), lambda info: "mesh" in info.message)
    assert info.status is Status.NOT_STARTED
