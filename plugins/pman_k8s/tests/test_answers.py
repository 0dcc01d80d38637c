"""What pman does with answers that a real API server seldom gives: overload, races, expiry."""

from pathlib import Path
from typing import Any

import pytest
from k8s_standin import Answer, Request, said, standin

from pman_core.contract.errors import EngineUnavailableError
from pman_k8s.backend import KubernetesBackend, OpenShiftBackend

Object = dict[str, Any]


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
