"""Requests over REST that the original answered with 500 or with silent damage."""

import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint
from typing import Any

import attrs
import pytest
from engine_kit import EngineKit, runs, until
from engine_subjects import IMAGE, SDK_LEAVES_SOCKETS
from flask.testing import FlaskClient
from proxies import Proxy

from pman_core import Job, Reason, Resources, Status
from pman_core._internal.registry import Offer
from pman_core._internal.startup import compose
from pman_core.app import app_for
from pman_core.contract.errors import UnsupportedError
from pman_docker.engine_info import EngineInfo

pytestmark = pytest.mark.filterwarnings(SDK_LEAVES_SOCKETS)

JOBS = "/api/v1/"
ENTRY = EntryPoint("docker", "pman_docker.backend:DockerBackend", "pman.backends")


def client_of(harness: EngineKit, **environ: str) -> FlaskClient:
    """pman as it is served."""
    served = {
        "CONTAINER_ENV": harness.engine.name,
        "STORAGE_TYPE": "host",
        "STOREBASE": str(harness.folder),
        **environ,
    }
    offer = Offer(harness.engine.name, ENTRY, "pman-docker", "0")
    pman = compose({**harness.environ, **served}, offer, harness.pman(**served))
    return app_for(pman).test_client()


@pytest.fixture
def client(harness: EngineKit) -> FlaskClient:
    return client_of(harness)


def request(harness: EngineKit, script: str = "true", **changes: Any) -> dict[str, Any]:
    """A request as pfcon makes it, with a hard memory limit."""
    name = harness.place().name
    asked = {
        "jid": f"rest-{name}",
        "auid": "cube",
        "type": "ds",
        "image": IMAGE,
        "entrypoint": ["/bin/sh", "-c"],
        "args": [script],
        "input_dir": f"{name}/in",
        "output_dir": f"{name}/out",
        "memory_limit": 128,
        "cpu_limit": 1000,
        "number_of_workers": 1,
        "gpu_limit": 0,
    }
    return {**asked, **changes}


def end_of(client: FlaskClient, jid: str) -> dict[str, Any]:
    answer = until(
        lambda: client.get(f"{JOBS}{jid}/").get_json(),
        lambda seen: str(seen.get("status")).startswith("finished"),
    )
    return dict(answer)


def container(harness: EngineKit, jid: str) -> dict[str, Any]:
    return harness.inspect(harness.name(jid))


# ------------------------------------------------------------------ what the job gets


def test_output_is_kept_where_it_is_also_the_input(harness: EngineKit, client: FlaskClient) -> None:
    asked = request(harness, "cat /share/incoming/given > /share/outgoing/made && ls /share")
    folder = harness.folder / asked["input_dir"]
    asked["output_dir"] = asked["input_dir"]
    (folder / "given").write_text("words")
    assert client.post(JOBS, json=asked).status_code == 201
    assert end_of(client, asked["jid"])["status"] == "finishedSuccessfully"
    assert (folder / "made").read_text() == "words"


def test_memory_and_swap_are_hard_limits(harness: EngineKit, client: FlaskClient) -> None:
    asked = request(harness)
    client.post(JOBS, json=asked)
    host = container(harness, asked["jid"])["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 128 * 2**20
    assert not host["MemoryReservation"]


def test_the_group_is_the_jobs_own(harness: EngineKit) -> None:
    client = client_of(harness, CONTAINER_USER="1001:1002")
    asked = request(harness, "id -u; id -g; id -G")
    client.post(JOBS, json=asked)
    assert end_of(client, asked["jid"])["logs"] == "1001\n1002\n1002\n"


@pytest.mark.parametrize(
    ("image_user", "uid"), [("", "0"), ("1001", "1001"), ("1001:1003", "1001"), ("nobody", "65534")]
)
def test_a_group_alone_leaves_the_user_to_the_image(
    harness: EngineKit, image_user: str, uid: str
) -> None:
    client = client_of(harness, CONTAINER_USER=":1002")
    with image_of(harness, f"USER {image_user}" if image_user else "LABEL x=y") as image:
        asked = {**request(harness, "id -u; id -g; id -G"), "image": image}
        client.post(JOBS, json=asked)
        assert end_of(client, asked["jid"])["logs"] == f"{uid}\n1002\n1002\n"
        client.delete(f"{JOBS}{asked['jid']}/")


def test_no_user_at_all_leaves_both_to_the_image(harness: EngineKit) -> None:
    client = client_of(harness, CONTAINER_USER=":")
    with image_of(harness, "USER 1001:1003") as image:
        asked = {**request(harness, "id -u; id -g"), "image": image}
        client.post(JOBS, json=asked)
        assert end_of(client, asked["jid"])["logs"] == "1001\n1003\n"
        client.delete(f"{JOBS}{asked['jid']}/")


def test_a_group_alone_is_no_500_where_there_is_no_image(harness: EngineKit) -> None:
    client = client_of(harness, CONTAINER_USER=":1002")
    for image in ("localhost:1/no-such-image:1", "../info", "Not An Image", "a@b"):
        answer = client.post(JOBS, json={**request(harness), "image": image})
        assert answer.status_code in (201, 400), (image, answer.text)


@contextlib.contextmanager
def image_of(harness: EngineKit, change: str) -> Iterator[str]:
    """The image of the tests, changed in one instruction."""
    api, name = harness.engine.api, f"localhost/{harness.instance}"
    made = api.create_container(IMAGE, ["true"])  # it is never started
    try:
        api.commit(made["Id"], repository=name, tag="1", changes=[change])
    finally:
        api.remove_container(made["Id"], force=True)
    try:
        yield f"{name}:1"
    finally:
        api.remove_image(f"{name}:1", force=True)


def test_shared_memory_is_exact(harness: EngineKit) -> None:
    client = client_of(harness, SHM_SIZE="16")
    asked = request(harness, "grep ' /dev/shm ' /proc/mounts")
    client.post(JOBS, json=asked)
    assert container(harness, asked["jid"])["HostConfig"]["ShmSize"] == 16777216
    assert "size=16384k" in end_of(client, asked["jid"])["logs"]


# ------------------------------------------------------------------ what cannot be done


def test_a_missing_image_is_no_500(harness: EngineKit) -> None:
    client = client_of(harness, START_DEADLINE="3")  # its registry may answer later
    asked = request(harness, image="localhost:1/no-such/image:1")
    answer = client.post(JOBS, json=asked)
    assert (answer.status_code, answer.get_json()["status"]) == (201, "notstarted")
    end = end_of(client, asked["jid"])
    assert end["status"] == "finishedWithError"
    assert "no-such/image" in end["message"]


@pytest.mark.parametrize("image", ["lower/UPPER:1", "a b", "x:y:z", "-"])
def test_an_impossible_image_is_no_500(harness: EngineKit, client: FlaskClient, image: str) -> None:
    asked = request(harness, image=image)
    answer = client.post(JOBS, json=asked)
    if answer.status_code != 400:
        assert answer.status_code == 201
        assert end_of(client, asked["jid"])["status"] == "finishedWithError"


def test_a_bad_entrypoint_is_an_error_of_the_job(harness: EngineKit, client: FlaskClient) -> None:
    asked = request(harness, entrypoint=["/no/such/program"])
    assert client.post(JOBS, json=asked).status_code == 201
    end = end_of(client, asked["jid"])
    assert end["status"] == "finishedWithError"
    assert "/no/such/program" in end["message"]
    fresh = harness.pman().pman_status(asked["jid"])
    assert (fresh.status, fresh.reason) == (Status.FAILED, Reason.CANNOT_START)
    assert fresh.message == end["message"]
    assert client.delete(f"{JOBS}{asked['jid']}/").status_code == 204
    assert harness.objects() == []


def test_a_name_in_use_is_409_and_its_owner_is_untouched(
    harness: EngineKit, client: FlaskClient
) -> None:
    asked = request(harness)
    host = harness.engine.api.create_host_config(mem_limit="64m")
    foreign = harness.engine.api.create_container(
        IMAGE, ["x"], name=harness.name(asked["jid"]), host_config=host
    )["Id"]
    try:
        assert client.get(f"{JOBS}{asked['jid']}/").status_code == 404
        assert client.delete(f"{JOBS}{asked['jid']}/").status_code == 404
        answer = client.post(JOBS, json=asked)
        assert answer.status_code == 409
        assert "did not create" in str(answer.get_json())
        asked["image"] = "localhost:1/no-such/image:1"  # also where it must be pulled
        assert client.post(JOBS, json=asked).status_code == 409
        assert harness.inspect(foreign)["State"]["Status"] == "created"
    finally:
        harness.engine.api.remove_container(foreign, force=True)


def test_a_missing_input_directory_is_reported_and_not_created(
    harness: EngineKit, client: FlaskClient
) -> None:
    asked = request(harness, input_dir="no/such/folder")
    answer = client.post(JOBS, json=asked)
    words = str(answer.get_json())
    if answer.status_code == 201:
        words = str(end_of(client, asked["jid"]))
        assert "finishedWithError" in words
    else:
        assert answer.status_code == 400
    assert "no/such/folder" in words
    assert not (harness.folder / "no").exists()


def test_a_dead_daemon_is_503(harness: EngineKit, engine_proxy: Proxy, tmp_path: Any) -> None:
    address = f"unix://{engine_proxy._listen}"
    client = client_of(harness, DOCKER_HOST=address)
    asked = request(harness)
    assert client.post(JOBS, json=asked).status_code == 201
    engine_proxy.cut()
    assert client.get(f"{JOBS}{asked['jid']}/").status_code == 503
    assert client.delete(f"{JOBS}{asked['jid']}/").status_code == 503
    assert client.post(JOBS, json=request(harness)).status_code == 503
    engine_proxy.up()
    assert end_of(client, asked["jid"])["status"] == "finishedSuccessfully"
    assert client.delete(f"{JOBS}{asked['jid']}/").status_code == 204


def test_more_cpu_than_there_is_does_not_break_pman(
    harness: EngineKit, client: FlaskClient
) -> None:
    """Docker refuses it, Podman gives what there is."""
    asked = request(harness, cpu_limit=9999000)
    answer = client.post(JOBS, json=asked)
    assert answer.status_code == (400 if harness.engine.name == "docker" else 201), answer.text


def test_values_of_the_environment_are_in_no_answer(
    harness: EngineKit, client: FlaskClient
) -> None:
    secret = "s3cr3t-t0k3n-value"  # noqa: S105 - not one
    asked = request(harness, entrypoint=["/no/such"], env=[f"TOKEN={secret}"])
    answers = [client.post(JOBS, json=asked).text]
    end_of(client, asked["jid"])
    answers += [client.get(f"{JOBS}{asked['jid']}/").text, client.get(JOBS + "jobs/").text]
    assert secret not in json.dumps(answers)


# ------------------------------------------------------------------ removal

#: ENGINE_TIMEOUT where eight remove one container: a busy engine lets each wait for the others.
PATIENT = "60"


def test_eight_removals_at_once_are_no_error(harness: EngineKit) -> None:
    for script in ("true", "sleep 100", "sleep 100"):
        job = harness.shell(script)
        harness.pman().pman_submit(job)
        pmans = [harness.pman(ENGINE_TIMEOUT=PATIENT) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            removed = list(pool.map(lambda pman, jid=job.jid: pman.pman_remove(jid), pmans))
        assert any(removed)
        assert harness.objects() == []


def test_eight_removals_over_rest_are_204_or_404(harness: EngineKit) -> None:
    asked = request(harness, "sleep 100")
    client_of(harness).post(JOBS, json=asked)
    clients = [client_of(harness, ENGINE_TIMEOUT=PATIENT) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        codes = list(
            pool.map(lambda client: client.delete(f"{JOBS}{asked['jid']}/").status_code, clients)
        )
    assert set(codes) <= {204, 404}
    assert 204 in codes


def test_a_job_that_just_ends_can_be_removed(harness: EngineKit) -> None:
    pman = harness.pman()
    for _ in range(6):
        job = harness.shell("true")
        pman.pman_submit(job)
        assert pman.pman_remove(job.jid)
    assert harness.objects() == []


# ------------------------------------------------------------------ limits that are not kept


@contextlib.contextmanager
def pretending(harness: EngineKit, **engine_info: Any) -> Iterator[Any]:
    """A pman whose engine says something else of itself."""
    pman = harness.pman()
    real = pman._engine.info()
    pman._engine._info = attrs.evolve(real, **engine_info)
    assert isinstance(pman._engine.info(), EngineInfo)
    yield pman


def test_a_limit_that_the_engine_drops_is_refused(harness: EngineKit) -> None:
    place = harness.place()
    limited = harness.count(place)
    with pretending(harness, enforces_limits=False, rootless=True) as pman:
        for resources in (Resources(memory_mib=64), Resources(cpu_millicores=500)):
            refused: Job = attrs.evolve(limited, resources=resources)
            with pytest.raises(UnsupportedError, match="IGNORE_LIMITS=yes"):
                pman.pman_submit(refused)
    assert harness.objects() == []
    assert runs(place) == 0
