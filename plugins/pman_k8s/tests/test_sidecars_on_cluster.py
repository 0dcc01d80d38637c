"""On a real cluster: the end of a job, whatever else a webhook put into its pods.

The tests make pman's Job by hand, with more containers, as such a webhook would.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from k8s_cluster import MISSING_IMAGE, admin, until
from k8s_kit import K8sKit

from pman_core import Job, JobFilter, Reason, Resources, Status
from pman_core.kit.settings import load
from pman_k8s.payload import job_payload
from pman_k8s.platform import KUBERNETES
from pman_k8s.settings import K8sSettings
from pman_k8s.status.job import conditions
from pman_k8s.status.pods import Pod

Object = dict[str, Any]


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
