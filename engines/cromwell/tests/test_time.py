"""D3: what happens when."""

import json
import os
import signal
from datetime import datetime

from standin_server import Serve, Server, until


def test_nothing_is_known_of_a_workflow_before_the_summary(serve: Serve) -> None:
    options = ("--times", "fast", "--summary", "600")
    server = serve("plain.conf", *options)
    workflow = server.submit("touch ran")
    until((server.folder(workflow) / "ran").exists)
    for what in ("status", "metadata", "logs", "labels"):
        assert server.get(f"/{workflow}/{what}").code == 404
    assert server.ask("PATCH", f"/{workflow}/labels", b'{"a": "b"}').code == 404
    assert server.query().json == {"results": [], "totalResultsCount": 0}


def test_one_workflow_is_picked_up_at_a_time(serve: Serve) -> None:
    options = ("--times", "fast", "--pick-up", "2")
    server = serve("plain.conf", *options)
    both = server.submit(), server.submit()
    first, second = (server.reaches(one, "Succeeded")["start"] for one in both)
    # By the server's own clock: they lie one look apart, however late we are to see it.
    apart = datetime.fromisoformat(second) - datetime.fromisoformat(first)
    assert apart.total_seconds() > 1.9


def test_the_shapes_of_metadata_follow_each_other(serve: Serve) -> None:
    # Each shape lasts until the server starts again in a hurry; the last word counts.
    server = serve("plain.conf", "--times", "fast", "--pick-up", "600")
    workflow = server.submit("sleep 60", labels='{"a": "b"}')
    submitted = server.reaches(workflow, "Submitted")
    assert submitted["calls"] == {}
    assert not {"start", "workflowName"} & set(submitted)
    assert json.loads(submitted["submittedFiles"]["labels"]) == {"a": "b"}
    _again(server, "--pick-up", "0.1", "--token", "600")
    queued = server.reaches(workflow, "Running")
    waiting = {"executionStatus": "QueuedInCromwell", "shardIndex": -1, "attempt": 1}
    assert queued["calls"] == {"Hello.say": [waiting]}
    assert queued["workflowName"] == "Hello"
    _again(server, "--token", "0")
    until(lambda: "jobId" in server.get(f"/{workflow}/metadata").text)
    (call,) = server.metadata(workflow)["calls"]["Hello.say"]
    assert (call["executionStatus"], call["backendStatus"]) == ("Running", "Running")
    assert {"jobId", "commandLine", "stdout", "stderr", "callRoot"} <= set(call)
    assert not {"returnCode", "end"} & set(call)


def _again(server: Server, *options: str) -> None:
    """Kill it, and start it with further options."""
    server.kill()
    server.command += options
    server.start()


def test_a_command_that_fails_fails_the_workflow(server: Server) -> None:
    failed = server.reaches(server.submit("exit 3"), "Failed")
    (call,) = failed["calls"]["Hello.say"]
    assert (call["executionStatus"], call["returnCode"]) == ("Failed", 3)
    assert "return code 3" in call["failures"][0]["message"]
    assert failed["failures"] == [{"message": "Workflow failed", "causedBy": call["failures"]}]
    assert "end" in failed


def test_a_return_code_of_a_signal_counts_as_an_abort_from_outside(server: Server) -> None:
    failed = server.reaches(server.submit("exit 137"), "Failed")
    (call,) = failed["calls"]["Hello.say"]
    assert "returnCode" not in call
    assert call["failures"][0]["message"] == "The job was aborted from outside Cromwell"


def test_a_job_that_is_gone_ends_after_the_time_out(server: Server) -> None:
    workflow = server.submit("kill -9 -- -$(ps -o pgid= $$ | tr -d ' ')")
    failed = server.reaches(workflow, "Failed")
    assert failed["calls"]["Hello.say"][0]["returnCode"] == 79


def test_a_job_that_is_gone_runs_for_ever_without_the_time_out(serve: Serve) -> None:
    options = (
        "--summary",
        "0.1",
        "--pick-up",
        "0.1",
        "--token",
        "0",
        "--poll-first",
        "0.1",
        "--poll-last",
        "0.1",
    )
    server = serve("plain.conf", *options)
    lost = server.submit("kill -9 -- -$(ps -o pgid= $$ | tr -d ' ')")
    until(lambda: "jobId" in server.get(f"/{lost}/metadata").text)
    other = server.submit("sleep 2")
    server.reaches(other, "Succeeded")
    assert server.status(lost) == "Running"


def test_an_equal_call_is_not_run_again_unless_the_options_say_so(server: Server) -> None:
    off = json.dumps({"read_from_cache": False, "write_to_cache": False})
    first = server.submit()
    server.reaches(first, "Succeeded")
    second = server.submit()
    (call,) = server.reaches(second, "Succeeded")["calls"]["Hello.say"]
    assert call["callCaching"]["hit"] is True
    assert not server.folder(second).exists()
    third = server.submit(workflowOptions=off)
    server.reaches(third, "Succeeded")
    assert server.folder(third).exists()


def test_a_killed_server_goes_on_where_it_was(server: Server) -> None:
    running = server.submit("until [ -e go ]; do sleep 0.1; done")
    server.reaches(running, "Running")
    until(lambda: "jobId" in server.get(f"/{running}/metadata").text)
    job = server.metadata(running)["calls"]["Hello.say"][0]["jobId"]
    held = server.submit(workflowOnHold="true")
    server.kill()
    (server.folder(running) / "go").touch()
    server.start()
    done = server.reaches(running, "Succeeded")
    assert done["calls"]["Hello.say"][0]["jobId"] == job
    server.reaches(held, "On Hold")


def test_a_restarted_server_gives_up_a_job_that_nobody_knows(server: Server) -> None:
    lost = server.submit("sleep 60")
    server.reaches(lost, "Running")
    until(lambda: "jobId" in server.get(f"/{lost}/metadata").text)
    job = server.metadata(lost)["calls"]["Hello.say"][0]["jobId"]
    server.kill()
    # The group of the job: its leader is the script.
    os.killpg(int(job), signal.SIGKILL)
    server.start()
    failed = server.reaches(lost, "Failed")
    assert "Unable to determine" in failed["failures"][0]["causedBy"][0]["message"]
