"""D2: what a client can read."""

import json
import uuid

import pytest

from standin_server import WDL, Serve, Server, until

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("what", ["status", "metadata", "logs", "outputs", "labels"])
def test_an_unknown_workflow_is_404_and_a_wrong_id_400(shared: Server, what: str) -> None:
    unknown, wrong = shared.get(f"/{UNKNOWN}/{what}"), shared.get(f"/foo/{what}")
    assert (unknown.code, unknown.json) == (
        404,
        {"status": "fail", "message": f"Unrecognized workflow ID: {UNKNOWN}"},
    )
    assert (wrong.code, wrong.json["message"]) == (400, "Invalid workflow ID: 'foo'.")


def test_metadata_can_be_narrowed_by_the_beginnings_of_keys(server: Server) -> None:
    workflow = server.submit()
    server.reaches(workflow, "Succeeded")
    assert set(server.metadata(workflow, "?includeKey=status&includeKey=subm")) == {
        "id", "status", "submission", "submittedFiles",
    }  # fmt: skip
    assert server.metadata(workflow, "?includeKey=submittedFiles:lab")["submittedFiles"] == {
        "labels": "{}"
    }
    codes = server.metadata(workflow, "?includeKey=returnCode")
    assert codes["calls"] == {"Hello.say": [{"returnCode": 0, "shardIndex": -1, "attempt": 1}]}
    without = server.metadata(workflow, "?excludeKey=calls&excludeKey=submittedFiles")
    assert "calls" not in without
    assert "submittedFiles" not in without
    assert server.get(f"/{workflow}/metadata?includeKey=a&excludeKey=a").code == 400


def test_logs_are_paths_only(server: Server) -> None:
    workflow = server.submit("echo hello")
    server.reaches(workflow, "Succeeded")
    (call,) = server.get(f"/{workflow}/logs").json["calls"]["Hello.say"]
    assert call["stdout"] == str(server.folder(workflow) / "stdout")
    assert set(call) == {"stdout", "stderr", "shardIndex", "attempt"}


def test_queries_know_all_their_keys(server: Server) -> None:
    one = server.submit(labels='{"jid": "a:b", "who": "me"}')
    server.reaches(one, "Succeeded")
    two = server.submit("exit 1", labels='{"jid": "c", "who": "me"}')
    server.reaches(two, "Failed")
    middle = server.metadata(two)["submission"]

    def found(*pairs: tuple[str, str]) -> list[str]:
        return [row["id"] for row in server.query(*pairs).json["results"]]

    assert found() == [two, one]
    assert found(("newestFirst", "false")) == [one, two]
    assert found(("ID", one)) == [one]
    assert found(("name", "Hello"), ("status", "failed")) == [two]
    assert found(("status", "Failed"), ("status", "Succeeded")) == [two, one]
    assert found(("label", "jid:a:b")) == [one]
    assert found(("label", "who:me"), ("label", "jid:c")) == [two]
    assert found(("labelor", "jid:a:b"), ("labelor", "jid:c")) == [two, one]
    assert found(("excludeLabelAnd", "who:me"), ("excludeLabelAnd", "jid:c")) == [one]
    assert found(("excludeLabelOr", "jid:a:b"), ("excludeLabelOr", "jid:c")) == []
    assert found(("submission", middle)) == [two]
    assert found(("start", middle)) == [two]
    assert found(("end", middle)) == [one]
    assert found(("metadataArchiveStatus", "Unarchived"), ("includeSubworkflows", "true")) == [
        two,
        one,
    ]
    page = server.query(("page", "2"), ("pageSize", "1")).json
    assert ([row["id"] for row in page["results"]], page["totalResultsCount"]) == ([one], 2)


def test_rows_of_a_query_hold_labels_only_if_asked(server: Server) -> None:
    workflow = server.submit(labels='{"a": "b"}')
    server.reaches(workflow, "Succeeded")
    (bare,) = server.query().json["results"]
    (full,) = server.query(("additionalQueryResultFields", "labels")).json["results"]
    assert set(bare) == {
        "id",
        "name",
        "status",
        "submission",
        "start",
        "end",
        "metadataArchiveStatus",
    }
    assert full["labels"]["a"] == "b"


def test_a_query_can_be_posted(server: Server) -> None:
    workflow = server.submit(labels='{"a": "b"}')
    server.submit()
    server.reaches(workflow, "Succeeded")
    body = json.dumps([{"label": "a:b"}, {"status": "Succeeded"}]).encode()
    assert [row["id"] for row in server.ask("POST", "/query", body).json["results"]] == [workflow]


@pytest.mark.parametrize(
    "pair",
    [
        ("colour", "blue"),
        ("status", "Blue"),
        ("page", "0"),
        ("label", "x"),
        ("start", "today"),
        ("id", "x"),
    ],
)
def test_a_wrong_query_is_refused(shared: Server, pair: tuple[str, str]) -> None:
    answer = shared.query(pair)
    assert (answer.code, answer.json["status"]) == (400, "fail")


def test_labels_can_be_changed_within_their_limits(server: Server) -> None:
    workflow = server.submit("sleep 60", labels='{"a": "b"}')
    server.reaches(workflow, "Running")
    changed = server.ask("PATCH", f"/{workflow}/labels", b'{"a": "c", "d": "e"}')
    assert changed.json["labels"]["a"] == "c"
    until(lambda: server.get(f"/{workflow}/labels").json["labels"].get("d") == "e")
    until(lambda: server.query(("label", "a:c")).json["totalResultsCount"] == 1)
    wrong = json.dumps({"k" * 256: "x"}).encode()
    assert server.ask("PATCH", f"/{workflow}/labels", wrong).code == 400
    assert server.ask("PATCH", f"/{workflow}/labels", b'{"a": 1}').code == 400
    assert server.ask("PATCH", f"/{UNKNOWN}/labels", b'{"a": "b"}').code == 404


def test_archived_metadata_is_a_message(serve: Serve) -> None:
    server = serve("plain.conf", "--times", "fast", "--archive-after", "0")
    workflow = server.submit()
    until(
        lambda: (
            "message" in server.get(f"/{workflow}/metadata").text
            and server.status(workflow) == "Succeeded"
        )
    )
    found = server.metadata(workflow)
    assert set(found) == {"id", "metadataArchiveStatus", "message"}
    assert (
        server.query(("metadataArchiveStatus", "ArchivedAndDeleted")).json["totalResultsCount"] == 1
    )
    assert server.ask("PATCH", f"/{workflow}/labels", b'{"a": "b"}').code == 400


def test_an_abort_of_what_is_not_in_progress_is_404_and_called_an_error(server: Server) -> None:
    workflow = server.submit()
    server.reaches(workflow, "Succeeded")
    for one in (workflow, UNKNOWN):
        answer = server.ask("POST", f"/{one}/abort")
        assert answer.code == 404
        assert answer.json == {
            "status": "error",
            "message": f"Couldn't abort {one} because no workflow with that ID is in progress",
        }


def test_what_was_not_picked_up_is_aborted_at_once(serve: Serve) -> None:
    server = serve("plain.conf", "--times", "fast", "--pick-up", "600")
    workflow = server.submit(requestedWorkflowId=str(uuid.uuid4()))
    answer = server.ask("POST", f"/{workflow}/abort")
    assert answer.json == {"id": workflow, "status": "Aborted"}
    server.reaches(workflow, "Aborted")
    held = server.send({"workflowSource": WDL, "workflowOnHold": "true"}).json["id"]
    assert server.ask("POST", f"/{held}/abort").json["status"] == "Aborted"


def test_an_abort_of_a_running_workflow_is_begun_and_kills_its_job(server: Server) -> None:
    workflow = server.submit("echo $$ > pid; exec sleep 60")
    pid = server.folder(workflow) / "pid"
    until(lambda: pid.exists() and pid.read_text())
    server.reaches(workflow, "Running")
    answer = server.ask("POST", f"/{workflow}/abort")
    assert (answer.code, answer.json["status"]) == (200, "Aborting")
    assert (
        server.reaches(workflow, "Aborted")["calls"]["Hello.say"][0]["executionStatus"] == "Aborted"
    )
    assert (server.folder(workflow) / "rc").read_text() == "143\n"


def test_the_engine_tells_of_itself(shared: Server) -> None:
    assert shared.get("/backends").json == {
        "supportedBackends": ["PLAIN"],
        "defaultBackend": "PLAIN",
    }
    assert shared.get("/engine/v1/status").json == {"Engine Database": {"ok": True}}
    assert shared.get("/engine/v1/stats").code == 403
    assert shared.get("/nothing/at/all").code == 404
    assert shared.ask("PATCH", "/query").code == 405
