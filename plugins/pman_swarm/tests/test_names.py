"""A job is found by its id, and nothing else is ever taken for it."""

import docker.types
import pytest
from flask.testing import FlaskClient
from swarm_kit import SwarmKit
from swarm_rest import JOBS, client_of, request, rest_end_of
from swarm_subjects import IMAGE

from pman_core import JobFilter, Status
from pman_core.contract.errors import NameTakenError, UnknownJobError


@pytest.fixture
def client(bench: SwarmKit) -> FlaskClient:
    return client_of(bench)


def test_a_name_in_use_is_409_and_its_owner_is_untouched(
    bench: SwarmKit, client: FlaskClient
) -> None:
    asked = request(bench)
    with bench.foreign(bench.name(asked["jid"])) as foreign:
        assert client.get(f"{JOBS}{asked['jid']}/").status_code == 404
        assert client.delete(f"{JOBS}{asked['jid']}/").status_code == 404
        answer = client.post(JOBS, json=asked)
        assert answer.status_code == 409
        assert "did not create" in str(answer.get_json())
        assert bench.swarm.manager.services({"id": foreign})


def test_the_jid_of_another_request_is_409(bench: SwarmKit, client: FlaskClient) -> None:
    asked = request(bench, "exit 3")
    assert client.post(JOBS, json=asked).status_code == 201
    assert client.post(JOBS, json=asked).status_code == 201
    assert client.post(JOBS, json={**asked, "args": ["exit 4"]}).status_code == 409
    assert rest_end_of(client, asked["jid"])["status"] == "finishedWithError"
    assert client.post(JOBS, json=asked).status_code == 201
    assert len(bench.tasks(asked["jid"])) == 1


def test_a_job_is_not_another_whose_name_begins_alike(bench: SwarmKit) -> None:
    """The API filters names by how they begin."""
    pman = bench.pman(INSTANCE="pman")  # whose jobs keep their plain names
    jid = f"{bench.instance}-a"
    longer = bench.shell("exit 3", jid=f"{jid}b")
    pman.pman_submit(longer)
    try:
        with pytest.raises(UnknownJobError):
            pman.pman_status(jid)
        assert pman.pman_remove(jid) is False
        job = bench.count(bench.place(), jid=jid)
        pman.pman_submit(job)
        assert bench.end_of(pman, jid).status is Status.SUCCEEDED
        assert pman.pman_remove(jid) is True
        assert bench.end_of(pman, longer.jid).exit_code == 3
    finally:
        pman.pman_remove(jid)
        pman.pman_remove(longer.jid)


def test_a_job_is_not_a_service_whose_id_begins_alike(bench: SwarmKit) -> None:
    """The API takes the beginning of an id for a name."""
    with bench.foreign(f"{bench.instance}-other") as service:
        pman = bench.pman(INSTANCE="pman")
        for jid in (service, service[:8]):
            with pytest.raises(UnknownJobError):
                pman.pman_status(jid)
            assert pman.pman_remove(jid) is False
        assert bench.swarm.manager.services({"id": service})


def test_labels_alone_make_no_service_a_job(bench: SwarmKit) -> None:
    """A copy of a job's service has its labels too."""
    pman = bench.pman()
    job = bench.shell("true")
    pman.pman_submit(job)
    template = {"ContainerSpec": {"Image": IMAGE, "Command": ["true"]}}
    copy = bench.swarm.manager.create_service(
        template,
        name=f"{bench.instance}-copy",
        labels=bench.spec(job.jid)["Labels"],
        mode=docker.types.ServiceMode("replicated", 0),
    )["ID"]
    assert [info.jid for info in pman.pman_list(JobFilter(), 10, None).jobs] == [job.jid]
    assert pman.pman_remove(job.jid)
    assert pman.pman_list(JobFilter(), 10, None).jobs == ()
    assert [service["ID"] for service in bench.services()] == [copy]


def test_a_job_of_another_instance_is_none(bench: SwarmKit) -> None:
    job = bench.shell("true", jid="a-b")
    bench.pman().pman_submit(job)
    other = bench.pman(INSTANCE="another")
    with pytest.raises(UnknownJobError):
        other.pman_status("a-b")
    assert other.pman_list(JobFilter(), 10, None).jobs == ()
    assert other.pman_remove("a-b") is False


def test_a_service_of_a_jobs_name_is_reported_by_the_plugin(bench: SwarmKit) -> None:
    job = bench.shell("true")
    with bench.foreign(bench.name(job.jid)), pytest.raises(NameTakenError):
        bench.pman().pman_submit(job)
