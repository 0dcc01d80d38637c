"""Pages of the list of jobs, with answers that a real API server seldom gives."""

from pathlib import Path
from typing import Any

import pytest
from k8s_jobs import BASE
from k8s_objects import (
    BACKOFF,
    ended,
    job,
    named,
    running,
    waiting,
)
from k8s_standin import Answer, Request, said, standin

from pman_core import JobFilter, Reason, Status
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_k8s.backend import KubernetesBackend


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


@pytest.mark.parametrize(
    ("found", "ends", "status"),
    [
        (job(BACKOFF, pods="the-job-abcde"), ended(3), Status.STARTED),
        (job(pods="the-job-abcde"), waiting("InvalidImageName"), Status.NOT_STARTED),
    ],
)
def test_a_job_whose_end_cannot_be_written_down_hides_no_other(
    tmp_path: Path, found: dict[str, Any], ends: dict[str, Any], status: Status
) -> None:
    named(found)
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
    assert (info.status, info.reason) == (status, None)
    assert "denied the request" in info.message


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


@pytest.mark.parametrize(
    "found", [running(), waiting("ContainerCreating"), waiting("ErrImagePull", "unauthorized")]
)
def test_a_list_asks_nothing_more_of_a_job_that_has_not_ended(
    tmp_path: Path, found: dict[str, Any]
) -> None:
    """Neither events, nor to write what is new: a page has many jobs."""
    kept = named(job(active=1))
    found["metadata"]["labels"] = {"controller-uid": "u-1"}

    def answer(request: Request) -> Answer:
        items = [kept] if request.path.endswith("/jobs") else [found]
        return said(200, {"metadata": {}, "items": items})

    with standin(tmp_path, answer) as server:
        assert KubernetesBackend(server.environ()).pman_list(JobFilter(), 10, None).jobs
    assert [request.path.split("/")[-1] for request in server.asked] == ["jobs", "pods"]
