"""What pman does with answers that a real API server seldom gives: overload, races, expiry."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from k8s_jobs import BASE
from k8s_objects import (
    BACKOFF,
    COMPLETE,
    CREATED,
    STARTED,
    ended,
    event,
    job,
    named,
    pod,
    running,
    waiting,
)
from k8s_standin import Answer, Request, said, standin

from pman_core import JobFilter, Reason, Status
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError, UnknownJobError
from pman_core.kit.causes import pull_message
from pman_core.kit.times import parsed_time
from pman_k8s.backend import KubernetesBackend, OpenShiftBackend
from pman_k8s.labels import PULL
from pman_k8s.record import end_patch
from pman_k8s.status.current import state_of
from pman_k8s.status.info import info_of
from pman_k8s.status.state import JobState

Object = dict[str, Any]


LOOKS: list[Callable[[KubernetesBackend], Any]] = [
    lambda pman: pman.pman_status(BASE.jid),
    lambda pman: pman.pman_list(JobFilter(), 10, None).jobs[0],
]


@pytest.mark.parametrize(
    ("answer", "words", "after"),
    [
        (said(429, "too many requests", Retry_After="9"), "too many requests", 9),
        (said(500, "etcdserver: leader changed"), "leader changed", None),
        (said(503, "starting"), "starting", None),
        (said(504, "Timeout: request did not complete"), "did not complete", None),
        (said(502, "<html>Bad Gateway</html>"), "Bad Gateway", None),
        (said(200, "<html>a portal</html>"), "cannot be reached", None),
        (said(200, "null"), "no API server", None),
        (said(200, '{"message": "welcome"}'), "no API server", None),
        (said(503, '{"code": 14, "message": "no upstream", "details": ["x"]}'), "upstream", None),
        ((404, "404 page not found", {}), "something before the API server", None),
        (said(401, "Unauthorized"), "credentials", None),
        (said(400, "no"), "no", None),
    ],
)
def test_every_hook_reports_a_server_that_cannot_serve(
    tmp_path: Path, answer: Answer, words: str, after: float | None
) -> None:
    with standin(tmp_path, lambda request: answer) as server:
        pman = KubernetesBackend(server.environ())
        for ask in (
            lambda: pman.pman_status("any"),
            lambda: pman.pman_remove("any"),
            pman.pman_ping,
        ):
            with pytest.raises(EngineUnavailableError, match=words) as caught:
                ask()
            assert caught.value.retry_after_s == after


@pytest.mark.parametrize(
    ("backend", "group", "words"),
    [
        (KubernetesBackend, "apps", None),
        (OpenShiftBackend, "security.openshift.io", None),
        (OpenShiftBackend, "apps", "set CONTAINER_ENV=kubernetes"),
        (KubernetesBackend, "security.openshift.io", "set CONTAINER_ENV=openshift"),
        (OpenShiftBackend, None, None),  # the server does not say
    ],
)
def test_check_notes_a_server_of_the_other_platform(
    tmp_path: Path, backend: type[KubernetesBackend], group: str | None, words: str | None
) -> None:
    def answer(request: Request) -> Answer:
        if request.path == "/apis" and group is None:
            return said(403, 'forbidden: User "u" cannot get path "/apis"')
        if request.path == "/version":
            return said(200, {"gitVersion": "v1.36.2"})
        return said(200, {"groups": [{"name": group}], "status": {"allowed": True}})

    with standin(tmp_path, answer) as server:
        told = backend(server.environ()).pman_ping()
    assert told.startswith(f"{backend.platform.name} v1.36.2 at ")
    assert (words in told) if words else ("\n" not in told)


def test_a_cursor_that_has_expired_is_refused(tmp_path: Path) -> None:
    gone = said(410, "The provided continue parameter is too old")
    with (
        standin(tmp_path, lambda request: gone) as server,
        pytest.raises(InvalidJobError) as caught,
    ):
        KubernetesBackend(server.environ()).pman_list(JobFilter(), 10, "old")
    assert "expired" in caught.value.faults["cursor"]


@pytest.mark.parametrize(("code", "kind"), [(400, InvalidJobError), (403, EngineUnavailableError)])
def test_a_cursor_is_blamed_only_where_the_server_does_not_take_it(
    tmp_path: Path, code: int, kind: type[Exception]
) -> None:
    with (
        standin(tmp_path, lambda request: said(code, "no")) as server,
        pytest.raises(kind),
    ):
        KubernetesBackend(server.environ()).pman_list(JobFilter(), 10, "made-up")


@pytest.mark.parametrize(("labels", "cursor"), [({}, ""), ({"no label": "x"}, "made-up")])
def test_a_cursor_that_no_page_can_have_is_refused_without_asking(
    tmp_path: Path, labels: dict[str, str], cursor: str
) -> None:
    first_page: dict[str, Any] = {"items": [], "metadata": {}}
    with (
        standin(tmp_path, lambda request: said(200, first_page)) as server,
        pytest.raises(InvalidJobError) as caught,
    ):
        KubernetesBackend(server.environ()).pman_list(JobFilter(labels=labels), 10, cursor)
    assert "cursor" in caught.value.faults


def test_a_submit_whose_answer_was_lost_finds_its_job(tmp_path: Path) -> None:
    """The job was made all the same, and a repeated request gets it."""
    made = named(job())

    def answer(request: Request) -> Answer:
        if request.method == "POST":
            return said(409, 'jobs.batch "x" already exists')
        return said(200, made if "/jobs/" in request.path else {"items": []})

    with standin(tmp_path, answer) as server:
        info = KubernetesBackend(server.environ()).pman_submit(BASE)
    assert (info.status, info.fingerprint) == (Status.NOT_STARTED, BASE.fingerprint)


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (said(403, "is forbidden: exceeded quota: q, used: count/jobs=1"), EngineUnavailableError),
        (said(403, 'admission webhook "policy" denied the request: no'), InvalidJobError),
    ],
)
def test_a_submit_that_would_be_refused_now_finds_its_job(
    tmp_path: Path, refusal: Answer, kind: type[Exception]
) -> None:
    """A server asks its quotas and policies before it sees that there is such a Job."""
    made: list[Object] = []

    def answer(request: Request) -> Answer:
        if request.method == "POST":
            return refusal
        if "/jobs/" not in request.path:
            return said(200, {"items": []})
        return said(200, made[0]) if made else said(404, "not found")

    with standin(tmp_path, answer) as server:
        pman = KubernetesBackend(server.environ())
        with pytest.raises(kind):
            pman.pman_submit(BASE)
        made.append(named(job()))
        assert pman.pman_submit(BASE).fingerprint == BASE.fingerprint


def test_an_end_that_another_pman_recorded_stays(tmp_path: Path) -> None:
    """Two see the end at once: the second is refused, and reports what the first recorded."""
    seen = named(job(BACKOFF, pods="the-job-abcde"))
    told = state_of(seen, [ended(3)])
    first = named(job(BACKOFF, pods="the-job-abcde"))
    first["metadata"]["annotations"] |= end_patch(seen, told)["metadata"]["annotations"]
    jobs = iter([seen, first])

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            return said(409, "the object has been modified")
        return said(200, next(jobs) if "/jobs/" in request.path else ended(4))

    with standin(tmp_path, answer) as server:
        info = KubernetesBackend(server.environ()).pman_status(BASE.jid)
    assert (info.status, info.exit_code) == (Status.FAILED, 3)


def test_an_end_is_reported_only_once_it_is_recorded(tmp_path: Path) -> None:
    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            return said(500, "etcdserver: request timed out")
        found = named(job(BACKOFF, pods="the-job-abcde"))
        return said(200, found if "/jobs/" in request.path else ended(3))

    with (
        standin(tmp_path, answer) as server,
        pytest.raises(EngineUnavailableError, match="timed out"),
    ):
        KubernetesBackend(server.environ()).pman_status(BASE.jid)


def test_a_lost_run_is_stopped_by_the_change_that_records_its_end(tmp_path: Path) -> None:
    kept = named(job(pods="the-job-abcde", active=1))

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            kept["metadata"]["annotations"] |= request.body["metadata"]["annotations"]
            return said(200, kept)
        return said(200, kept if "/jobs/" in request.path else running(deleted=True))

    with standin(tmp_path, answer) as server:
        info = KubernetesBackend(server.environ()).pman_status(BASE.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST)
    (patch,) = [request.body for request in server.asked if request.method == "PATCH"]
    assert patch["spec"]["parallelism"] == 0
    assert patch["metadata"]["resourceVersion"] == "7"


def test_a_job_that_is_removed_meanwhile_is_unknown(tmp_path: Path) -> None:
    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            return said(404, "not found")
        return said(200, named(job(BACKOFF)) if "/jobs/" in request.path else {"items": []})

    with standin(tmp_path, answer) as server, pytest.raises(UnknownJobError):
        KubernetesBackend(server.environ()).pman_status(BASE.jid)


def test_no_end_is_reported_of_a_job_that_is_being_removed(tmp_path: Path) -> None:
    """Its pods go first: a process that has just read the Job finds them gone."""
    jobs = [named(job(active=1, pods="the-job-abcde", begun=True)) for _ in range(2)]
    jobs[1]["metadata"]["deletionTimestamp"] = "2026-11-21T01:00:20Z"

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            return said(409, "the object has been modified")
        if "/jobs/" in request.path:
            return said(200, jobs.pop(0) if len(jobs) > 1 else jobs[0])
        return said(404, "not found") if "/pods/" in request.path else said(200, {"items": []})

    with standin(tmp_path, answer) as server, pytest.raises(UnknownJobError):
        KubernetesBackend(server.environ()).pman_status(BASE.jid)


def test_a_job_that_somebody_deletes_is_not_visible(tmp_path: Path) -> None:
    """It is kept for its pods only: a foreground deletion by hand."""
    deleting = named(job())
    deleting["metadata"]["deletionTimestamp"] = "2026-11-21T01:00:20Z"

    def answer(request: Request) -> Answer:
        if request.path.endswith("/jobs"):
            return said(200, {"metadata": {}, "items": [deleting]})
        return said(200, deleting if "/jobs/" in request.path else {"items": []})

    with standin(tmp_path, answer) as server:
        pman = KubernetesBackend(server.environ())
        with pytest.raises(UnknownJobError):
            pman.pman_status(BASE.jid)
        assert pman.pman_list(JobFilter(), 10, None).jobs == ()
        assert pman.pman_remove(BASE.jid) is True


def test_a_webhook_that_forbids_the_record_of_an_end_is_503(tmp_path: Path) -> None:
    """A repeated submission gets the same answer."""

    def answer(request: Request) -> Answer:
        if request.method == "POST":
            return said(409, 'jobs.batch "x" already exists')
        if request.method == "PATCH":
            return said(403, 'admission webhook "policy" denied the request: no')
        found = named(job(BACKOFF, pods="the-job-abcde"))
        return said(200, found if "/jobs/" in request.path else ended(3))

    with standin(tmp_path, answer) as server:
        pman = KubernetesBackend(server.environ())
        with pytest.raises(EngineUnavailableError, match="denied the request"):
            pman.pman_submit(BASE)
        with pytest.raises(EngineUnavailableError, match="denied the request"):
            pman.pman_status(BASE.jid)


def test_a_job_whose_end_cannot_be_written_down_hides_no_other(tmp_path: Path) -> None:
    found = named(job(BACKOFF, pods="the-job-abcde"))
    ends = ended(3)
    ends["metadata"]["labels"] = {"controller-uid": "u-1"}

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            return said(403, 'admission webhook "policy" denied the request: no')
        if request.path.endswith("/jobs"):
            return said(200, {"metadata": {}, "items": [found]})
        if "/jobs/" in request.path:
            return said(200, found)
        return said(200, {"items": [ends]} if request.path.endswith("/pods") else ends)

    with standin(tmp_path, answer) as server:
        (info,) = KubernetesBackend(server.environ()).pman_list(JobFilter(), 10, None).jobs
    assert info.status is Status.STARTED
    assert "denied the request" in info.message


@pytest.mark.parametrize("refusal", [said(500, "etcdserver: timed out"), said(400, "no")])
def test_events_that_cannot_be_read_fail_no_status(tmp_path: Path, refusal: Answer) -> None:
    found = named(job(active=1, pods="the-job-abcde"))

    def answer(request: Request) -> Answer:
        if request.path.endswith("/events"):
            return refusal
        return said(200, found if "/jobs/" in request.path else waiting("ContainerCreating"))

    with standin(tmp_path, answer) as server:
        info = KubernetesBackend(server.environ()).pman_status(BASE.jid)
    assert (info.status, info.message) == (Status.NOT_STARTED, "ContainerCreating")
    assert server.asked[-1].path.endswith("/events")


@pytest.mark.parametrize("look", LOOKS)
def test_why_an_image_cannot_be_pulled_is_known_for_longer_than_events_last(
    tmp_path: Path, look: Callable[[KubernetesBackend], Any]
) -> None:
    """Until 1.30 a kubelet that waits for its next attempt does not say it again."""
    kept = named(job(active=1, pods="the-job-abcde"))
    image = "some/image:1"
    pods = [waiting("ErrImagePull", "dial tcp: lookup r: no such host")]
    pods[0]["metadata"]["labels"] = {"controller-uid": "u-1"}

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            kept["metadata"]["annotations"] |= request.body["metadata"]["annotations"]
        if request.path.endswith("/jobs"):
            return said(200, {"metadata": {}, "items": [kept]})
        if request.path.endswith("/events"):
            return said(200, {"items": []})
        if request.path.endswith("/pods"):
            return said(200, {"items": pods})
        return said(200, kept if "/jobs/" in request.path else pods[0])

    with standin(tmp_path, answer) as server:
        pman = KubernetesBackend(server.environ())
        first = pman.pman_status(BASE.jid)
        assert pman.pman_status(BASE.jid) == first
        pods[0]["status"]["containerStatuses"][0]["state"] = {
            "waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling "{image}"'}
        }
        later = look(pman)
        assert pman.pman_status(BASE.jid) == first
        notes = [one.body for one in server.asked if one.method == "PATCH"]
    words = "ErrImagePull: dial tcp: lookup r: no such host"
    assert first.message == later.message == pull_message(image, words)
    assert first.reason is later.reason is Reason.PULLING
    assert [note["metadata"]["annotations"][PULL] for note in notes] == [f"{image}\n{words}"]


@pytest.mark.parametrize(
    ("words", "end"),
    [
        ("manifest unknown", (Status.FAILED, Reason.IMAGE_NOT_FOUND)),
        ("unauthorized", (Status.NOT_STARTED, Reason.PULLING)),  # not believed yet
    ],
)
def test_a_list_ends_what_is_refused_for_good_as_a_status_does(
    tmp_path: Path, words: str, end: tuple[Status, Reason]
) -> None:
    kept = named(job(active=1, pods="the-job-abcde"))
    refused = waiting("ErrImagePull", words)
    refused["metadata"]["labels"] = {"controller-uid": "u-1"}

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            kept["metadata"]["annotations"] |= request.body["metadata"]["annotations"]
        if request.path.endswith("/jobs"):
            return said(200, {"metadata": {}, "items": [kept]})
        if request.path.endswith("/pods"):
            return said(200, {"items": [refused]})
        return said(200, kept if "/jobs/" in request.path else refused)

    with standin(tmp_path, answer) as server:
        pman = KubernetesBackend(server.environ())
        (info,) = pman.pman_list(JobFilter(), 10, None).jobs
        assert pman.pman_status(BASE.jid) == info
    assert (info.status, info.reason) == end


@pytest.mark.parametrize(("at", "is_over"), [(CREATED, False), ("2026-11-21T00:59:00Z", True)])
def test_a_file_server_has_a_minute_to_come_back(tmp_path: Path, at: str, is_over: bool) -> None:
    found = waiting("CreateContainerConfigError", 'failed to prepare subPath for volumeMount "x"')
    found["status"]["startTime"] = at
    kept = named(job(active=1, pods="the-job-abcde"))

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            kept["metadata"]["annotations"] |= request.body["metadata"]["annotations"]
        return said(200, kept if "/jobs/" in request.path else found)

    with standin(tmp_path, answer) as server:
        info = KubernetesBackend(server.environ()).pman_status(BASE.jid)
    end = (Status.FAILED, Reason.CANNOT_START) if is_over else (Status.NOT_STARTED, None)
    assert (info.status, info.reason) == end
    assert "prepare subPath" in info.message


@pytest.mark.parametrize(("at", "is_over"), [(CREATED, False), ("2026-11-21T00:59:00Z", True)])
def test_a_cluster_has_a_minute_to_read_its_constraints(
    tmp_path: Path, at: str, is_over: bool
) -> None:
    """There is no pod yet, so it counts from the Job."""
    kept = named(job())
    kept["metadata"]["creationTimestamp"] = at
    words = "unable to validate against any security context constraint: []"

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            kept["metadata"]["annotations"] |= request.body["metadata"]["annotations"]
        if request.path.endswith("/events"):
            return said(200, {"items": [event("FailedCreate", words)]})
        return said(200, kept if "/jobs/" in request.path else {"items": []})

    with standin(tmp_path, answer) as server:
        info = KubernetesBackend(server.environ()).pman_status(BASE.jid)
    end = (Status.FAILED, Reason.CANNOT_START) if is_over else (Status.NOT_STARTED, None)
    assert (info.status, info.reason) == end
    assert words in info.message


def test_a_start_is_written_down_once_and_outlives_its_pod(tmp_path: Path) -> None:
    kept = named(job(active=1, pods="the-job-abcde"))
    pods = [running()]

    def answer(request: Request) -> Answer:
        if request.method == "PATCH":
            kept["metadata"]["annotations"] |= request.body["metadata"]["annotations"]
        return said(200, kept if "/jobs/" in request.path else pods[0])

    with standin(tmp_path, answer) as server:
        pman = KubernetesBackend(server.environ())
        begun = [pman.pman_status(BASE.jid) for _ in range(2)]
        pods[0] = pod("Failed", reason="Evicted")
        evicted = pman.pman_status(BASE.jid)
    assert begun == [begun[0]] * 2
    assert (evicted.status, evicted.started) == (Status.STARTED, parsed_time(STARTED))
    assert len([request for request in server.asked if request.method == "PATCH"]) == 1


def test_few_workers_are_asked_for_by_name(tmp_path: Path) -> None:
    """A list looks at every pod of the namespace."""
    kept = named(job(active=2, workers=2, pods="a b", begun=True))

    def answer(request: Request) -> Answer:
        name = request.path.rpartition("/")[2]
        return said(200, kept if "/jobs/" in request.path else running(name=name))

    with standin(tmp_path, answer) as server:
        info = KubernetesBackend(server.environ()).pman_status(BASE.jid)
    assert info.status is Status.STARTED
    asked = ["/".join(request.path.split("/")[-2:]) for request in server.asked]
    assert asked[1:] == ["pods/a", "pods/b"]


@pytest.mark.parametrize(
    "made",
    [
        job(COMPLETE, succeeded=2, pods="a", begun=True),  # the cluster has counted another
        job(COMPLETE, succeeded=1, pods="gone", begun=True),
    ],
)
def test_a_second_run_is_not_overlooked(tmp_path: Path, made: Object) -> None:
    """Who asks only for the pods that are known never meets another."""

    def answer(request: Request) -> Answer:
        name = request.path.rpartition("/")[2]
        if request.method == "PATCH":
            notes = made["metadata"]["annotations"] | request.body["metadata"]["annotations"]
            return said(200, {**made, "metadata": {**made["metadata"], "annotations": notes}})
        if "/jobs/" in request.path:
            return said(200, made)
        if name == "pods":
            return said(200, {"items": [ended(name="a"), ended(name="b")]})
        return said(200, ended(name=name)) if name == "a" else said(404, "not found")

    named(made)
    with standin(tmp_path, answer) as server:
        info = KubernetesBackend(server.environ()).pman_status(BASE.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST)


def log_of(folder: Path, told: JobState, answer: Answer) -> bytes:
    info = info_of(named(job(pods="the-job-abcde")), told)
    with standin(
        folder,
        lambda request: answer if "/pods/" in request.path else said(200, named(job())),
    ) as server:
        return KubernetesBackend(server.environ()).pman_logs(info, 10, 1000)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (said(200, "<what it wrote>"), b"<what it wrote>"),
        (said(404, "not found"), b"(the log is gone with its pod the-job-abcde)\n"),
        (said(400, "is waiting to start"), b"(no log: is waiting to start)\n"),
    ],
)
def test_the_log_of_a_lost_job_does_not_say_that_it_did_not_start(
    tmp_path: Path, answer: Answer, words: bytes
) -> None:
    lost = JobState(status=Status.FAILED, message="lost", reason=Reason.LOST)
    assert log_of(tmp_path, lost, answer) == words


def test_of_a_job_that_had_no_process_the_log_says_so(tmp_path: Path) -> None:
    refused = JobState(status=Status.FAILED, message="no such program", reason=Reason.CANNOT_START)
    assert log_of(tmp_path, refused, said(200, "")) == b"(it did not start: no such program)\n"
