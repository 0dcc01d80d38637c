"""Cromwell's answers over HTTP, in its own words, and what they become."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Script, fail
from spec_samples import job, settings, spec

from pman_core.contract.errors import EngineUnavailableError
from pman_cromwell import payload
from pman_cromwell.client import Cromwell
from pman_cromwell.errors import RefusedError
from pman_cromwell.job_spec import encoded
from pman_cromwell.labels import workflow_labels

_ID = spec().workflow


@pytest.fixture
def client(script: Script) -> Cromwell:
    return Cromwell(script.url, 5)


def test_a_submission_has_cromwells_parts(script: Script, client: Cromwell) -> None:
    script.say(201, {"id": _ID, "status": "Submitted"})
    inputs = payload.inputs(spec(), job().env, settings())
    client.submit(_ID, payload.document(), inputs, payload.OPTIONS, workflow_labels(spec()))
    ((method, path, body),) = script.asked
    assert (method, path) == ("POST", "/api/workflows/v1")
    for name in ("workflowSource", "workflowInputs", "workflowOptions", "labels"):
        assert f'name="{name}"'.encode() in body
    assert f'name="requestedWorkflowId"\r\n\r\n{_ID}'.encode() in body


def test_a_submission_is_never_repeated_by_the_client_itself(
    script: Script, client: Cromwell
) -> None:
    script.hang_up()
    with pytest.raises(EngineUnavailableError):
        client.submit(_ID, "", {}, {}, {})
    assert len(script.asked) == 1


def test_a_question_is_asked_again_when_the_connection_breaks(
    script: Script, client: Cromwell
) -> None:
    script.hang_up()
    script.say(200, {"id": _ID, "status": "Running"})
    found = client.status(_ID)
    assert found
    assert found.status == "Running"


def test_an_unknown_workflow_is_none(script: Script, client: Cromwell) -> None:
    script.say(404, fail(f"Unrecognized workflow ID: {_ID}"))
    assert client.status(_ID) is None


@pytest.mark.parametrize("content", ["<html>no such service</html>", {"message": "no route"}])
def test_a_404_that_does_not_name_the_workflow_is_none_of_cromwells(
    script: Script, client: Cromwell, content: Any
) -> None:
    asks: list[Callable[[], object]] = [
        lambda: client.status(_ID),
        lambda: client.state(_ID),
        lambda: client.abort(_ID),
        lambda: client.label(_ID, {"a": "b"}),
    ]
    for ask in asks:
        script.say(404, content)
        with pytest.raises(EngineUnavailableError, match="404"):
            ask()


def test_an_abort_of_what_has_ended_is_no_error(script: Script, client: Cromwell) -> None:
    words = f"Couldn't abort {_ID} because no workflow with that ID is in progress"
    script.say(404, fail(words, "error"))
    assert client.abort(_ID) is False


def test_a_label_before_the_summary_is_not_set(script: Script, client: Cromwell) -> None:
    script.say(404, fail(f"Unrecognized workflow ID: {_ID}"))
    assert client.label(_ID, {"a": "b"}) is False


def test_a_refusal_has_cromwells_message(script: Script, client: Cromwell) -> None:
    script.say(400, fail("Error(s): Unexpected body part name: x"))
    with pytest.raises(RefusedError, match="Unexpected body part"):
        client.submit(_ID, "", {}, {}, {})


@pytest.mark.parametrize("code", [500, 502, 503, 429])
def test_a_server_in_trouble_is_unavailable(script: Script, client: Cromwell, code: int) -> None:
    script.say(code, fail("Cromwell service is shutting down."))
    with pytest.raises(EngineUnavailableError, match="shutting down"):
        client.status(_ID)


@pytest.mark.parametrize("text", ["", "<html>", "[]", "{}", '{"status": 1}'])
def test_a_response_that_makes_no_sense_is_reported(
    script: Script, client: Cromwell, text: str
) -> None:
    script.say(200, text)
    with pytest.raises(EngineUnavailableError, match="unexpected answer"):
        client.status(_ID)


def test_a_proxys_response_is_reported_in_short(script: Script, client: Cromwell) -> None:
    script.say(403, "<html>" + "x" * 5000)
    with pytest.raises(EngineUnavailableError) as caught:
        client.status(_ID)
    assert len(str(caught.value)) < 400


def test_a_password_for_a_proxy_comes_from_netrc(
    script: Script, client: Cromwell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login pman password abc\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    script.say(404, fail(f"Unrecognized workflow ID: {_ID}"))
    client.status(_ID)
    assert script.credentials == ["Basic cG1hbjphYmM="]


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(EngineUnavailableError, match="cannot be reached"):
        Cromwell("http://127.0.0.1:1", 5).status(_ID)


def test_a_server_that_answers_too_slowly_is_given_up(script: Script) -> None:
    script.drips = True
    script.otherwise = 200, '{"status": "x"}'.ljust(30)
    client = Cromwell(script.url, 1)
    for ask in (client.version, lambda: client.status(_ID), lambda: client.abort(_ID)):
        with pytest.raises(EngineUnavailableError, match="did not answer in time"):
            ask()
    assert len(script.asked) == 3  # and none is asked again


def test_a_list_that_changed_while_it_was_read_is_read_anew(
    script: Script, client: Cromwell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pman_cromwell.client._PAGE", 1)

    def page(name: str, total: int) -> dict[str, Any]:
        one = {"id": name, "status": "Running", "metadataArchiveStatus": "Unarchived"}
        return {"results": [one], "totalResultsCount": total}

    for name, total in (("a", 3), ("b", 2), ("c", 2), ("b", 2), ("c", 2)):
        script.say(200, page(name, total))
    assert {one.id for one in client.query({"a": "b:c"})} == {"b", "c"}
    assert "label=a%3Ab%3Ac" in script.asked[0][1]


def test_no_value_of_the_environment_is_in_an_error(script: Script, client: Cromwell) -> None:
    script.hang_up()
    with pytest.raises(EngineUnavailableError) as caught:
        client.submit(_ID, "", payload.inputs(spec(), job().env, settings()), {}, {})
    assert "secret" not in str(caught.value)
    assert encoded("secret") not in str(caught.value)


def test_the_password_of_a_malformed_proxy_is_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://pman:secret/x@127.0.0.1:1")
    with pytest.raises(EngineUnavailableError, match="a proxy") as caught:
        Cromwell("http://192.0.2.1:8000", 2).version()
    assert "secret" not in str(caught.value)
