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
def client(harness: SwarmKit) -> FlaskClient:
    return client_of(harness)


def test_a_name_in_use_is_409_and_its_owner_is_untouched(
    harness: SwarmKit, client: FlaskClient
) -> None:
    asked = request(harness)
    with harness.foreign(harness.name(asked["jid"])) as foreign:
        assert client.get(f"{JOBS}{asked['jid']}/").status_code == 404
        assert client.delete(f"{JOBS}{asked['jid']}/").status_code == 404
        answer = client.post(JOBS, json=asked)
        assert answer.status_code == 409
        assert "did not create" in str(answer.get_json())
        assert harness.swarm.manager.services({"id": foreign})


def test_the_jid_of_another_request_is_409(harness: SwarmKit, client: FlaskClient) -> None:
    asked = request(harness, "exit 3")
    assert client.post(JOBS, json=asked).status_code == 201
    assert client.post(JOBS, json=asked).status_code == 201
    assert client.post(JOBS, json={**asked, "args": ["exit 4"]}).status_code == 409
    assert rest_end_of(client, asked["jid"])["status"] == "finishedWithError"
    assert client.post(JOBS, json=asked).status_code == 201
    assert len(harness.tasks(asked["jid"])) == 1


def test_a_job_is_not_another_whose_name_begins_alike(harness: SwarmKit) -> None:
    """The API filters names by how they begin."""
    pman = harness.pman(INSTANCE="pman")  # whose jobs keep their plain names
    jid = f"{harness.instance}-a"
    longer = harness.shell("exit 3", jid=f"{jid}b")
    pman.pman_submit(longer)
    try:
        with pytest.raises(UnknownJobError):
            pman.pman_status(jid)
        assert pman.pman_remove(jid) is False
        job = harness.count(harness.place(), jid=jid)
        pman.pman_submit(job)
        assert harness.end_of(pman, jid).status is Status.SUCCEEDED
        assert pman.pman_remove(jid) is True
        assert harness.end_of(pman, longer.jid).exit_code == 3
    finally:
        pman.pman_remove(jid)
        pman.pman_remove(longer.jid)


def test_a_job_is_not_a_service_whose_id_begins_alike(harness: SwarmKit) -> None:
    """The API takes the beginning of an id for a name."""
    with harness.foreign(f"{harness.instance}-other") as service:
        pman = harness.pman(INSTANCE="pman")
        for jid in (service, service[:8]):
            with pytest.raises(UnknownJobError):
                pman.pman_status(jid)
            assert pman.pman_remove(jid) is False
        assert harness.swarm.manager.services({"id": service})


def test_labels_alone_make_no_service_a_job(harness: SwarmKit) -> None:
    """A copy of a job's service has its labels too."""
    pman = harness.pman()
    job = harness.shell("true")
    pman.pman_submit(job)
    template = {"ContainerSpec": {"Image": IMAGE, "Command": ["true"]}}
    copy = harness.swarm.manager.create_service(
        template,
        name=f"{harness.instance}-copy",
        labels=harness.spec(job.jid)["Labels"],
        mode=docker.types.ServiceMode("replicated", 0),
    )["ID"]
    assert [info.jid for info in pman.pman_list(JobFilter(), 10, None).jobs] == [job.jid]
    assert pman.pman_remove(job.jid)
    assert pman.pman_list(JobFilter(), 10, None).jobs == ()
    assert [service["ID"] for service in harness.services()] == [copy]


def test_a_job_of_another_instance_is_none(harness: SwarmKit) -> None:
    job = harness.shell("true", jid="a-b")
    harness.pman().pman_submit(job)
    other = harness.pman(INSTANCE="another")
    with pytest.raises(UnknownJobError):
        other.pman_status("a-b")
    assert other.pman_list(JobFilter(), 10, None).jobs == ()
    assert other.pman_remove("a-b") is False


def test_a_service_of_a_jobs_name_is_reported_by_the_plugin(harness: SwarmKit) -> None:
    job = harness.shell("true")
    with harness.foreign(harness.name(job.jid)), pytest.raises(NameTakenError):
        harness.pman().pman_submit(job)
