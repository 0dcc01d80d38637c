"""The policy in a pman on the memory backend; the table of its README says what is tried here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_helpers import Service, body, memory_engine, serve

from pman_admission.policy import AdmissionPolicy
from pman_core import hookimpl
from pman_core.contract.access import Client, Principal, Role
from pman_core.contract.errors import SettingsError

DIGEST = f"sha256:{'0f' * 32}"


class Names:
    """Knows clients by the name that they give."""

    @hookimpl
    def pman_authenticate(self, client: Client) -> Principal:
        return Principal(client.headers.get("x-name", "ann"), Role.SUBMIT)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts a pman with the policy, as the variables say."""
    engine = memory_engine()

    def begin(**settings: str) -> Service:
        extensions = (Names(), AdmissionPolicy(settings))
        return serve(tmp_path, extensions=extensions, engine=engine)

    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    yield begin
    for record in engine.records.values():
        if record:
            engine.destroy(record)


def submitted(service: Service, jid: str, name: str = "ann", image: str = "hold") -> Any:
    return service.post(body(jid=jid, image=image), headers={"X-Name": name})


def refusal(service: Service, image: str) -> str | None:
    """What the policy says of an image; ``None`` if it admits it."""
    answer = submitted(service, "one", image=image)
    return answer.json["message"]["image"] if answer.status_code == 400 else None


def test_without_settings_everything_is_admitted(start: Callable[..., Service]) -> None:
    service = start()
    assert [submitted(service, str(n)).status_code for n in range(5)] == [201] * 5


LISTED = "fnndsc/, registry.example.org:5000/ours/, alpine"


@pytest.mark.parametrize(
    "image",
    [
        "fnndsc/pl-simpledsapp",
        "fnndsc/pl-simpledsapp:2.1.0",
        f"fnndsc/pl-simpledsapp@{DIGEST}",
        "registry.example.org:5000/ours/deep/er:1",
        "alpine",
        "alpine:3.20",
        f"alpine:3.20@{DIGEST}",
    ],
)
def test_an_image_of_the_list_may_run(start: Callable[..., Service], image: str) -> None:
    assert refusal(start(ADMIT_IMAGES=LISTED), image) is None


@pytest.mark.parametrize(
    "image",
    [
        "fnndsc",
        "fnndsc-evil/x",
        "evil/fnndsc/x",
        "docker.io/fnndsc/x",
        "FNNDSC/x",
        "registry.example.org:5000/theirs/x",
        "registry.example.org:5000/ours",
        "registry.example.org/ours/x",
        "alpine/x",
        "alpine-evil",
        "evil@fnndsc/x",
        "evil:fnndsc/x",
    ],
)
def test_any_other_image_is_refused(start: Callable[..., Service], image: str) -> None:
    told = refusal(start(ADMIT_IMAGES=LISTED), image)
    assert told == "is not on the list of images that may run here"


@pytest.mark.parametrize("image", [f"alpine@{DIGEST}", f"registry:5000/x:1@{DIGEST}"])
def test_an_image_with_its_digest_may_run(start: Callable[..., Service], image: str) -> None:
    assert refusal(start(ADMIT_DIGESTS_ONLY="yes"), image) is None


@pytest.mark.parametrize(
    "image", ["alpine", "alpine:3.20", "alpine@sha256:0f", f"@{DIGEST}", f"alpine@{DIGEST}0"]
)
def test_an_image_without_its_digest_is_refused(start: Callable[..., Service], image: str) -> None:
    assert "with its digest" in (refusal(start(ADMIT_DIGESTS_ONLY="yes"), image) or "")


def test_all_that_is_wrong_with_an_image_is_in_one_answer(start: Callable[..., Service]) -> None:
    told = refusal(start(ADMIT_IMAGES="fnndsc/", ADMIT_DIGESTS_ONLY="yes"), "alpine") or ""
    assert "list of images" in told
    assert "with its digest" in told


def test_an_owner_has_only_so_many_jobs_that_have_not_ended(start: Callable[..., Service]) -> None:
    service = start(ADMIT_RUNNING_PER_OWNER="2")
    assert [submitted(service, jid).status_code for jid in "ab"] == [201, 201]
    refused = submitted(service, "c")
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "30"
    assert refused.json["message"].startswith("ann has 2 jobs that have not ended")
    assert submitted(service, "d", "bob").status_code == 201
    assert service.delete("a/").status_code == 204
    assert submitted(service, "c").status_code == 201


def test_jobs_that_have_ended_do_not_count(start: Callable[..., Service]) -> None:
    service = start(ADMIT_RUNNING_PER_OWNER="1")
    for jid in "ab":
        assert submitted(service, jid, image="local").status_code == 201
        service.ended(jid)


def test_a_repeated_request_finds_its_job_at_the_limit(start: Callable[..., Service]) -> None:
    service = start(ADMIT_RUNNING_PER_OWNER="1")
    assert [submitted(service, "a").status_code for _ in range(3)] == [201] * 3
    assert submitted(service, "a", image="local").status_code == 409


def test_all_jobs_count_however_many_pages_they_fill(
    start: Callable[..., Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pman_admission.policy._PAGE", 1)
    service = start(ADMIT_RUNNING_PER_OWNER="3")
    assert [submitted(service, jid).status_code for jid in "abcd"] == [201, 201, 201, 429]


def test_jobs_without_an_owner_count_together(tmp_path: Path) -> None:
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    service = serve(tmp_path, extensions=(AdmissionPolicy({"ADMIT_RUNNING_PER_OWNER": "1"}),))
    assert [submitted(service, jid).status_code for jid in "ab"] == [201, 429]
    assert service.delete("a/").status_code == 204


def test_wrong_settings_end_the_start() -> None:
    with pytest.raises(SettingsError, match="ADMIT_RUNNING_PER_OWNER") as caught:
        AdmissionPolicy({"ADMIT_RUNNING_PER_OWNER": "0", "ADMIT_DIGESTS_ONLY": "perhaps"})
    assert "ADMIT_DIGESTS_ONLY" in str(caught.value)
