"""A submission makes its job or finds it, whatever the server answers."""

from pathlib import Path
from typing import Any

import pytest
from k8s_jobs import BASE
from k8s_objects import (
    job,
    named,
)
from k8s_standin import Answer, Request, said, standin

from pman_core import Status
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_k8s.backend import KubernetesBackend

Object = dict[str, Any]


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
