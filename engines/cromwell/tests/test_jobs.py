"""D5 and D6: the configuration's commands, and what becomes of a task's command."""

import json

from standin_server import WDL, Server, until


def test_attributes_reach_the_submit_command(server: Server) -> None:
    workflow = server.submit()
    server.reaches(workflow, "Succeeded")
    told = (server.folder(workflow).parent / "told").read_text()
    assert told == "cpu=1 greeting=hi memory=50\n"
    assert "Unrecognized runtime attribute keys of task say: colour" in server.log


def test_the_files_of_a_call_lie_where_cromwell_puts_them(server: Server) -> None:
    workflow = server.submit("echo out; echo err >&2")
    server.reaches(workflow, "Succeeded")
    folder = server.folder(workflow)
    assert {"script", "script.submit", "stdout.submit", "stderr.submit", "rc"} <= {
        path.name for path in folder.iterdir()
    }
    assert (folder / "rc").read_text() == "0\n"
    until(lambda: (folder / "stdout").read_text() == "out\n")
    until(lambda: (folder / "stderr").read_text() == "err\n")


def test_a_submit_command_that_fails_fails_the_workflow(server: Server) -> None:
    inputs = json.dumps({"Hello.line": "true", "Hello.greeting": "hi; exit 4;"})
    workflow = server.send({"workflowSource": WDL, "workflowInputs": inputs}).json["id"]
    failed = server.reaches(workflow, "Failed")
    message = failed["calls"]["Hello.say"][0]["failures"][0]["message"]
    assert message.startswith("Unable to start job. Check the stderr file for possible errors: ")


def test_a_command_loses_its_common_indent(server: Server) -> None:
    workflow = server.submit("cat <<'X'\n    two\n      four\n    X\n    X\n    ")
    (call,) = server.reaches(workflow, "Failed", "Succeeded")["calls"]["Hello.say"]
    assert call["commandLine"].splitlines()[1:3] == ["two", "  four"]


def test_words_of_cromwells_template_are_replaced_in_the_command(server: Server) -> None:
    workflow = server.submit("echo [SCRIPT_CLOSURE]")
    server.reaches(workflow, "Succeeded")
    until(lambda: (server.folder(workflow) / "stdout").read_text() == "[]\n")


def test_characters_outside_the_basic_plane_do_not_survive_in_metadata(server: Server) -> None:
    workflow = server.submit("true \U0001f600")
    (call,) = server.reaches(workflow, "Succeeded")["calls"]["Hello.say"]
    assert call["commandLine"] == "true \ufffd"


def test_a_task_with_an_image_is_refused_in_plain_words(server: Server) -> None:
    source = WDL.replace('colour: "blue"', 'docker: "busybox"')
    form = {"workflowSource": source, "workflowInputs": '{"Hello.line": "true"}'}
    failed = server.reaches(server.send(form).json["id"], "Failed")
    assert "docker" in failed["failures"][0]["causedBy"][0]["message"]


def test_a_job_runs_through_real_slurm(slurm_server: Server) -> None:
    workflow = slurm_server.submit("echo $SLURM_JOB_ID; nproc")
    done = slurm_server.reaches(workflow, "Succeeded")
    job = done["calls"]["Hello.say"][0]["jobId"]
    until(lambda: (slurm_server.folder(workflow) / "stdout").read_text() == f"{job}\n1\n")


def test_an_abort_ends_the_job_in_slurm(slurm_server: Server) -> None:
    workflow = slurm_server.submit("touch began; exec sleep 60")
    until((slurm_server.folder(workflow) / "began").exists)
    slurm_server.reaches(workflow, "Running")
    slurm_server.ask("POST", f"/{workflow}/abort")
    slurm_server.reaches(workflow, "Aborted")


def test_a_job_that_slurm_ends_does_not_run_for_ever(slurm_server: Server) -> None:
    workflow = slurm_server.submit("scancel --signal=KILL --full $SLURM_JOB_ID; sleep 60")
    failed = slurm_server.reaches(workflow, "Failed")
    assert failed["calls"]["Hello.say"][0]["returnCode"] == 79
