"""Requests over REST, and the traps of the API for services."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest
from engine_kit import runs, until
from engine_subjects import SDK_LEAVES_SOCKETS
from flask.testing import FlaskClient
from proxies import Proxy
from swarm_kit import FOR_EVER, SwarmKit
from swarm_rest import JOBS, client_of, request, rest_end_of

from pman_core import HostPath, Mount, Reason, Status
from pman_core.contract.errors import InvalidJobError, SettingsError

pytestmark = pytest.mark.filterwarnings(SDK_LEAVES_SOCKETS)


@pytest.fixture
def client(harness: SwarmKit) -> FlaskClient:
    return client_of(harness)


def test_a_job_is_posted_asked_for_and_deleted(harness: SwarmKit, client: FlaskClient) -> None:
    asked = request(harness, "cat /share/incoming/given > /share/outgoing/made; ls /share")
    (harness.folder / asked["input_dir"] / "given").write_text("words")
    answer = client.post(JOBS, json=asked)
    assert (answer.status_code, answer.get_json()["status"]) == (201, "notstarted")
    end = rest_end_of(client, asked["jid"])
    assert (end["status"], end["logs"]) == ("finishedSuccessfully", "incoming\noutgoing\n")
    assert (harness.folder / asked["output_dir"] / "made").read_text() == "words"
    listed = client.get(JOBS + "jobs/").get_json()
    assert asked["jid"] in json.dumps(listed)
    assert client.delete(f"{JOBS}{asked['jid']}/").status_code == 204
    assert client.get(f"{JOBS}{asked['jid']}/").status_code == 404
    assert client.delete(f"{JOBS}{asked['jid']}/").status_code == 404
    assert harness.objects() == []
    until(harness.containers, lambda left: not left)


def test_output_is_kept_where_it_is_also_the_input(harness: SwarmKit, client: FlaskClient) -> None:
    asked = request(harness, "cat /share/incoming/given > /share/outgoing/made")
    asked["output_dir"] = asked["input_dir"]
    (harness.folder / asked["input_dir"] / "given").write_text("words")
    client.post(JOBS, json=asked)
    assert rest_end_of(client, asked["jid"])["status"] == "finishedSuccessfully"
    assert (harness.folder / asked["input_dir"] / "made").read_text() == "words"


# ------------------------------------------------------------------ traps


@pytest.mark.parametrize("script", ["true", "exit 3"])
def test_a_job_runs_once_however_it_ends(harness: SwarmKit, script: str) -> None:
    """The API's default is to run a task that ended again, for ever."""
    place = harness.place()
    info = harness.run(harness.shell(f"echo run >> /share/outgoing/runs; {script}", place))
    assert info.status.is_final
    harness.update(info.jid, Labels={**harness.spec(info.jid)["Labels"], "more": "x"})
    other = harness.run(harness.shell("true"))  # the swarm has had time for more
    assert other.status is Status.SUCCEEDED
    assert (runs(place), len(harness.tasks(info.jid))) == (1, 1)
    assert harness.pman().pman_status(info.jid) == info


def test_argv_is_no_argument_of_the_images_entrypoint(harness: SwarmKit) -> None:
    """The SDK's ``command`` of services is the entrypoint; ours ends every job with an error."""
    info = harness.run(harness.job("echo", "{{.Node.ID}}", "$HOME"))
    assert info.status is Status.SUCCEEDED, info
    assert info.argv == ("echo", "{{.Node.ID}}", "$HOME")
    assert harness.log(info) == b"{{.Node.ID}} $HOME\n"


@pytest.fixture
def forgetful(harness: SwarmKit) -> Iterator[None]:
    """``docker swarm update --task-history-limit 0``."""
    manager = harness.swarm.manager

    def keep(limit: int) -> None:
        found = manager.inspect_swarm()
        spec = {**found["Spec"], "Orchestration": {"TaskHistoryRetentionLimit": limit}}
        manager.update_swarm(found["Version"]["Index"], swarm_spec=spec)

    before = manager.inspect_swarm()["Spec"]["Orchestration"]["TaskHistoryRetentionLimit"]
    keep(0)
    try:
        yield
    finally:
        keep(before)


@pytest.mark.usefixtures("forgetful")
def test_an_end_is_kept_though_the_swarm_keeps_no_history(harness: SwarmKit) -> None:
    """It would forget most of what a node refuses at once."""
    nowhere = (Mount(HostPath("/no/such"), "/share/incoming", read_only=True),)
    pman = harness.pman()
    infos = [
        harness.run(attrs.evolve(harness.shell("true"), mounts=nowhere), pman) for _ in range(5)
    ]
    assert all("/no/such" in info.message for info in infos)
    assert (
        harness.run(harness.shell("true")).status is Status.SUCCEEDED
    )  # it has had time to forget
    assert [pman.pman_status(info.jid) for info in infos] == infos


# ------------------------------------------------------------------ what cannot be done


def test_a_missing_image_is_an_error_of_the_job(harness: SwarmKit, client: FlaskClient) -> None:
    asked = request(harness, image="localhost:1/no-such/image:1")
    assert client.post(JOBS, json=asked).status_code == 201
    end = rest_end_of(client, asked["jid"])
    assert end["status"] == "finishedWithError"
    assert "no-such/image" in end["message"]
    assert harness.pman().pman_status(asked["jid"]).reason is Reason.IMAGE_NOT_FOUND


@pytest.mark.parametrize(
    "image",
    ["UPPER/case:1", "a b", "x:y:z", "docker://x/y:1", "https://ghcr.io/x/y", "-x.y/z"],
)
def test_an_impossible_image_is_400_in_the_engines_words(
    harness: SwarmKit, client: FlaskClient, image: str
) -> None:
    secret = "s3cr3t-t0k3n-value"  # noqa: S105 - not one
    answer = client.post(JOBS, json=request(harness, image=image, env=[f"TOKEN={secret}"]))
    assert answer.status_code == 400
    assert "is not a valid repository/tag" in answer.text
    assert secret not in answer.text
    assert harness.objects() == []


def test_a_job_that_is_too_large_is_400(harness: SwarmKit, client: FlaskClient) -> None:
    """The managers of a swarm tell each other everything, in messages that have an end."""
    args = ["x" * 100_000] * 30
    answer = client.post(JOBS, json=request(harness, args=args))
    assert answer.status_code == 400
    assert "too large for a swarm" in answer.text


def test_what_the_swarm_finds_too_large_is_never_asked_for_again(harness: SwarmKit) -> None:
    """Its answer is 500, as if it were to blame; such a job is never taken."""
    with pytest.raises(InvalidJobError, match="too large"):
        harness.pman().pman_submit(harness.job("echo", *["x" * 100_000] * 30))
    assert harness.objects() == []


@pytest.mark.parametrize(
    ("entrypoint", "reason"),
    [("/no/such/program", Reason.CANNOT_START), ("/etc/passwd", Reason.CANNOT_START)],
)
def test_a_bad_entrypoint_is_an_error_of_the_job(
    harness: SwarmKit, client: FlaskClient, entrypoint: str, reason: Reason
) -> None:
    asked = request(harness, entrypoint=[entrypoint])
    assert client.post(JOBS, json=asked).status_code == 201
    end = rest_end_of(client, asked["jid"])
    assert end["status"] == "finishedWithError"
    assert entrypoint in end["message"]
    assert harness.pman().pman_status(asked["jid"]).reason is reason


def test_a_missing_input_directory_is_reported_and_not_created(
    harness: SwarmKit, client: FlaskClient
) -> None:
    asked = request(harness, input_dir="no/such/folder")
    assert client.post(JOBS, json=asked).status_code == 201
    end = rest_end_of(client, asked["jid"])
    assert end["status"] == "finishedWithError"
    assert "no/such/folder" in end["message"]
    assert not (harness.folder / "no").exists()


def test_a_group_alone_is_refused_at_the_start(harness: SwarmKit) -> None:
    with pytest.raises(SettingsError, match="names a group alone; a swarm"):
        client_of(harness, CONTAINER_USER=":1002")


def test_a_time_limit_is_refused(harness: SwarmKit, client: FlaskClient) -> None:
    answer = client.post(JOBS, json=request(harness, time_limit=10))
    assert answer.status_code == 400
    assert "no time limit" in answer.text


def test_values_of_the_environment_are_in_no_answer(harness: SwarmKit, client: FlaskClient) -> None:
    secret = "s3cr3t-t0k3n-value"  # noqa: S105 - not one
    asked = request(harness, entrypoint=["/no/such"], env=[f"TOKEN={secret}"])
    answers = [client.post(JOBS, json=asked).text]
    rest_end_of(client, asked["jid"])
    answers += [client.get(f"{JOBS}{asked['jid']}/").text, client.get(JOBS + "jobs/").text]
    assert secret not in json.dumps(answers)


def test_a_manager_that_is_down_is_503(harness: SwarmKit, manager_proxy: Proxy) -> None:
    address = f"unix://{manager_proxy._listen}"
    client = client_of(harness, DOCKER_HOST=address)
    asked = request(harness)
    assert client.post(JOBS, json=asked).status_code == 201
    manager_proxy.cut()
    assert client.get(f"{JOBS}{asked['jid']}/").status_code == 503
    assert client.get(JOBS + "jobs/").status_code == 503
    assert client.delete(f"{JOBS}{asked['jid']}/").status_code == 503
    assert client.post(JOBS, json=request(harness)).status_code == 503
    manager_proxy.up()
    assert rest_end_of(client, asked["jid"])["status"] == "finishedSuccessfully"
    assert client.delete(f"{JOBS}{asked['jid']}/").status_code == 204


def test_eight_requests_at_once_make_one_job(harness: SwarmKit) -> None:
    place = harness.place()
    job = harness.count(place)
    pmans = [harness.pman() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        infos = list(pool.map(lambda pman: pman.pman_submit(job), pmans))
    assert {info.native for info in infos} == {harness.service(job.jid)["ID"]}
    assert harness.end_of(pmans[0], job.jid).status is Status.SUCCEEDED
    assert runs(place) == 1


def test_a_job_whose_service_somebody_scaled_to_nothing_is_lost(harness: SwarmKit) -> None:
    """Its tasks go, and with them how it ended; it is never told as not started again."""
    pman = harness.pman()
    job = harness.shell(FOR_EVER)
    pman.pman_submit(job)
    until(lambda: harness.containers(), bool)
    harness.update(job.jid, Mode={"Replicated": {"Replicas": 0}})
    until(lambda: harness.tasks(job.jid), lambda tasks: not tasks)
    info: Any = pman.pman_status(job.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST)
    assert info.message == "lost: somebody scaled its service to nothing"
