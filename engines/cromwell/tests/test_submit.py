"""D1: what a submission answers."""

import json
import uuid

import pytest

from standin_server import WDL, Server, until


def test_a_submission_answers_201_with_its_id(server: Server) -> None:
    answer = server.send({"workflowSource": WDL, "workflowInputs": "{}"})
    assert (answer.code, answer.json["status"]) == (201, "Submitted")
    assert str(uuid.UUID(answer.json["id"])) == answer.json["id"]


def test_every_answer_says_that_this_is_a_stand_in(shared: Server) -> None:
    assert "stand-in" in shared.get("/backends").server
    assert "stand-in" in shared.get("/engine/v1/version").json["cromwell"]
    assert "NOT Cromwell" in shared.log


def test_an_unknown_part_is_refused(shared: Server) -> None:
    answer = shared.send({"workflowSource": WDL, "colour": "blue"})
    assert answer.code == 400
    assert answer.json == {
        "status": "fail",
        "message": "Error(s): Unexpected body part name: colour",
    }
    assert answer.text.startswith('{\n  "status"')


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"workflowSource": WDL, "workflowUrl": "http://localhost/x"},
        {"workflowUrl": "http://localhost/" + "x" * 2000},
        {"workflowSource": WDL, "workflowInputs": "{"},
        {"workflowSource": WDL, "workflowInputs": "5"},
        {"workflowSource": WDL, "workflowOptions": "[]"},
        {"workflowSource": WDL, "workflowOptions": "no"},
        {"workflowSource": WDL, "labels": '{"a": 1}'},
        {"workflowSource": WDL, "labels": json.dumps({"": "x"})},
        {"workflowSource": WDL, "labels": json.dumps({"k" * 256: "x"})},
        {"workflowSource": WDL, "labels": json.dumps({"k": "x" * 256})},
        {"workflowSource": WDL, "workflowOnHold": "perhaps"},
        {"workflowSource": WDL, "requestedWorkflowId": "foo"},
        {"workflowSource": WDL, "workflowInputs": "[{}, {}]"},
    ],
)
def test_a_wrong_form_is_refused(shared: Server, form: dict[str, str]) -> None:
    answer = shared.send(form)
    assert (answer.code, answer.json["status"]) == (400, "fail")


def test_every_fault_is_told_at_once(shared: Server) -> None:
    answer = shared.send({"colour": "blue", "labels": '{"a": 1}'})
    assert "colour" in answer.json["message"]
    assert "workflowSource" in answer.json["message"]
    assert "Labels must be strings" in answer.json["message"]


def test_labels_of_255_characters_and_any_sort_are_taken(server: Server) -> None:
    labels = {"k" * 255: "v" * 255, "Ä b/c": "", "x": "a:b {}"}
    workflow = server.submit(labels=json.dumps(labels))
    found = server.reaches(workflow, "Succeeded")["labels"]
    assert found == {**labels, "cromwell-workflow-id": f"cromwell-{workflow}"}


def test_later_inputs_win(server: Server) -> None:
    form = {
        "workflowSource": WDL,
        "workflowInputs": '{"Hello.line": "echo one"}',
        "workflowInputs_10": '{"Hello.line": "echo ten"}',
        "workflowInputs_2": '{"Hello.line": "echo two"}',
    }
    workflow = server.send(form).json["id"]
    assert (
        server.reaches(workflow, "Succeeded")["calls"]["Hello.say"][0]["commandLine"] == "echo ten"
    )


def test_a_batch_answers_a_list(server: Server) -> None:
    form = {
        "workflowSource": WDL,
        "workflowInputs": '[{"Hello.line": "a"}, {"Hello.line": "b"}]',
    }
    answer = server.send(form, "/batch")
    assert answer.code == 201
    assert len({one["id"] for one in answer.json}) == 2


def test_a_requested_id_is_used_and_a_second_one_refused_in_two_ways(server: Server) -> None:
    wanted = str(uuid.uuid4())
    assert server.submit("sleep 60", requestedWorkflowId=wanted) == wanted
    early = server.send({"workflowSource": WDL, "requestedWorkflowId": wanted})
    until(lambda: server.get(f"/{wanted}/status").code == 200)
    late = server.send({"workflowSource": WDL, "requestedWorkflowId": wanted})
    assert (early.code, late.code) == (400, 400)
    assert late.json["message"] == f"Requested workflow IDs are already in use: {wanted}"
    assert server.query().json["totalResultsCount"] == 1


def test_a_requested_id_stays_taken_after_the_end(server: Server) -> None:
    wanted = server.submit(requestedWorkflowId=str(uuid.uuid4()))
    server.reaches(wanted, "Succeeded")
    assert server.send({"workflowSource": WDL, "requestedWorkflowId": wanted}).code == 400


def test_a_workflow_on_hold_waits_for_its_release(server: Server) -> None:
    answer = server.send(
        {
            "workflowSource": WDL,
            "workflowInputs": '{"Hello.line": "true"}',
            "workflowOnHold": "true",
        }
    )
    workflow = answer.json["id"]
    assert answer.json["status"] == "On Hold"
    server.reaches(workflow, "On Hold")
    other = server.submit()
    server.reaches(other, "Succeeded")
    assert server.status(workflow) == "On Hold"
    assert server.ask("POST", f"/{workflow}/releaseHold").json == {
        "id": workflow,
        "status": "Submitted",
    }
    server.reaches(workflow, "Succeeded")
    refusal = server.ask("POST", f"/{workflow}/releaseHold")
    assert (refusal.code, refusal.json["status"]) == (403, "error")


def test_faults_of_the_wdl_come_after_the_pick_up(shared: Server) -> None:
    answer = shared.send({"workflowSource": "version 1.0\nworkflow {"})
    assert answer.code == 201
    failed = shared.reaches(answer.json["id"], "Failed")
    assert failed["failures"][0]["message"] == "Workflow input processing failed"
    assert failed["failures"][0]["causedBy"]


@pytest.mark.parametrize(
    "inputs", ["{}", '{"Hello.line": "x", "Hello.other": 1}', '{"Hello.line": {}}']
)
def test_wrong_inputs_fail_the_workflow(shared: Server, inputs: str) -> None:
    workflow = shared.send({"workflowSource": WDL, "workflowInputs": inputs}).json["id"]
    assert shared.reaches(workflow, "Failed")["failures"]


def test_describe_judges_at_once(shared: Server) -> None:
    good = shared.send({"workflowSource": WDL}, "/api/womtool/v1/describe").json
    bad = shared.send({"workflowSource": "task"}, "/api/womtool/v1/describe").json
    assert (good["valid"], good["name"], bad["valid"]) == (True, "Hello", False)
    assert bad["errors"]
