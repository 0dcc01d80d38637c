"""A node, or Cromwell's machine, that is not as it should be: programs, folders and disks."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cromwell_kit import CONFIGURATION, SHARE
from node_kit import Node

from pman_cromwell.job_spec import Bind
from pman_cromwell.share.pman_slurm import check_alive, epilog, errors, outcome, reasons
from pman_cromwell.share.pman_slurm import run_files as node_files

_ALIVE, _GONE = 0, 3


# ------------------------------------------------------------------ check


@pytest.fixture
def execution(node: Node, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where Cromwell runs a script."""
    monkeypatch.setenv("PATH", str(node.bin))
    (node.root / node_files.POINTER).write_text(str(node.folder))
    return str(node.root)


UNKNOWN = "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"


def squeue(node: Node, state: str | None, folder: Path | None = None) -> None:
    """Have SLURM know a job by its state, reason and folder, or not know it."""
    known = f"echo '{state}|{folder or node.root}'"
    node.has("squeue", known if state else UNKNOWN)


@pytest.mark.parametrize("has_squeue", [False, True])
def test_a_missing_command_is_no_death(node: Node, execution: str, has_squeue: bool) -> None:
    if has_squeue:
        squeue(node, None)
    assert check_alive.check("17", execution) == _ALIVE
    assert os.listdir(node.folder) == []


@pytest.mark.parametrize(
    ("state", "name", "answer"),
    [
        ("PENDING|Priority", node_files.WAITING, _ALIVE),
        ("TIMEOUT|TimeLimit", node_files.OUTCOME, _GONE),
    ],
)
def test_a_file_that_cannot_be_written_does_not_change_the_answer(
    node: Node,
    execution: str,
    capsys: pytest.CaptureFixture[str],
    state: str,
    name: str,
    answer: int,
) -> None:
    squeue(node, state)
    assert check_alive.check("17", execution) == answer
    assert os.listdir(node.folder) == [name]
    node.folder.joinpath(name).unlink()
    node.folder.rmdir()
    node.folder.symlink_to("/dev/fd")  # a folder in which nobody can make a file
    assert check_alive.check("17", execution) == answer
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("CANCELLED|None", outcome.Outcome("cancelled", "ended by pman")),
        (None, outcome.Outcome("cancelled", "ended by pman")),
        ("OUT_OF_MEMORY|None", outcome.out_of_memory()),
    ],
)
def test_what_slurm_ended_since_pman_asked_for_it_has_pmans_reason(
    node: Node, execution: str, state: str | None, expected: outcome.Outcome
) -> None:
    squeue(node, state)
    node.has("sacct", "")
    node.cancel("cancelled")
    assert check_alive.check("17", execution) == _GONE
    assert outcome.recorded(str(node.folder)) == expected


def test_a_file_that_cannot_be_written_leaves_no_draft(node: Node) -> None:
    (node.folder / node_files.WAITING / "x").mkdir(parents=True)
    with pytest.raises(OSError, match=node_files.WAITING):
        node_files.write(str(node.folder), node_files.WAITING, {})
    assert os.listdir(node.folder) == [node_files.WAITING]


@pytest.mark.parametrize(
    ("state", "is_alive"),
    [("RUNNING|None", True), ("NODE_FAIL|None", False), (None, False)],
)
def test_the_shipped_check_alive_gives_a_job_up_that_is_gone_and_no_other(
    node: Node, execution: str, state: str | None, is_alive: bool
) -> None:
    squeue(node, state)
    node.has("sacct", "echo 'Slurm accounting storage is disabled' >&2; exit 1")
    assert _says_alive(node, SHARE / "pman-slurm") is is_alive


def test_the_shipped_check_alive_gives_no_job_up_while_slurm_is_silent(
    node: Node, execution: str
) -> None:
    node.has("squeue", "exit 1")
    assert _says_alive(node, SHARE / "pman-slurm")


@pytest.mark.parametrize("who", ["squeue", "sacct"])
def test_the_number_of_a_job_that_slurm_forgot_may_be_that_of_another(
    node: Node, execution: str, who: str
) -> None:
    squeue(node, "RUNNING|None" if who == "squeue" else None, Path("/other/call-job/execution"))
    node.has("sacct", "echo 'RUNNING|/other/call-job/execution'")
    node.has("scancel", f"touch '{node.root}/cancelled'")
    assert check_alive.check("17", execution) == _GONE
    assert _shipped(node, "kill", SHARE / "pman-slurm") == 0
    assert not (node.root / "cancelled").exists()


def test_the_shipped_kill_ends_the_job_of_its_folder(node: Node, execution: str) -> None:
    squeue(node, "RUNNING|None", Path("/mounted/elsewhere", *node.root.parts[-3:]))
    node.has("scancel", f"echo $* >'{node.root}/cancelled'")
    (node.bin / "touch").symlink_to("/usr/bin/touch")
    assert _shipped(node, "kill", SHARE / "pman-slurm") == 0
    assert (node.root / "cancelled").read_text() == "17\n"


def test_a_job_is_not_killed_while_slurm_is_silent(node: Node, execution: str) -> None:
    node.has("squeue", "exit 1")
    assert _shipped(node, "kill", SHARE / "pman-slurm") == 1


@pytest.mark.parametrize("missing", ["python3", "pman-slurm", "a module"])
def test_a_check_alive_that_cannot_be_run_is_no_death(node: Node, missing: str) -> None:
    squeue(node, "NODE_FAIL|None")
    script = node.root / "pman-slurm"
    if missing == "a module":
        script.write_text((SHARE / "pman-slurm").read_text())
    elif missing == "python3":
        script = SHARE / "pman-slurm"
    assert _says_alive(node, script, has_python=missing != "python3")


def _says_alive(node: Node, script: Path, *, has_python: bool = True) -> bool:
    """What the shipped check-alive says."""
    return not _shipped(node, "check-alive", script, has_python=has_python)


def _shipped(node: Node, word: str, script: Path, *, has_python: bool = True) -> int:
    """Run a command of the shipped configuration, as Cromwell does; its exit code."""
    found = re.search(rf'\b{word} = """(.*?)"""\n', CONFIGURATION.read_text(), re.DOTALL)
    assert found
    command = found[1].replace('"""${pman.node}"""', str(script)).replace("${job_id}", "17")
    (node.root / "script.command").write_text(f"#!/bin/bash\n{command}\n")
    if has_python:
        (node.bin / "python3").symlink_to(sys.executable)
    (node.bin / "dirname").symlink_to("/usr/bin/dirname")
    words = ["/bin/bash", "-e", str(node.root / "script.command")]
    return subprocess.run(words, env={"PATH": str(node.bin)}, timeout=60, check=False).returncode


# ------------------------------------------------------------------ epilog


@pytest.mark.parametrize(
    ("podman", "variables"),
    [(None, {"SLURM_JOB_ID": "17"}), ("exit 125", {"SLURM_JOB_ID": "17"}), ("exit 0", {})],
)
def test_an_epilog_that_fails_drains_no_node(
    node: Node, podman: str | None, variables: dict[str, str]
) -> None:
    if podman:
        node.has("podman", podman)
    done = node.do("epilog", **variables)
    assert done.returncode == 0
    assert "may be left" in done.stderr


def test_an_epilog_waits_for_no_podman_that_hangs(
    node: Node, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    node.has("podman", "exec /bin/sleep 60")
    monkeypatch.setenv("PATH", str(node.bin))
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setattr(epilog, "_PATIENCE_S", 0.1)
    assert epilog.epilog() == 0
    assert "may be left" in capsys.readouterr().err


# ------------------------------------------------------------------ run


@pytest.mark.parametrize(
    ("runtime", "workers", "program"),
    [("podman", 1, "podman"), ("apptainer", 1, "singularity"), ("none", 2, "srun")],
)
def test_a_node_without_the_program_that_it_needs_says_so(
    node: Node, runtime: str, workers: int, program: str
) -> None:
    ended = node.run(runtime, workers=workers)
    assert ended.reason == reasons.CANNOT_START
    assert f"node {platform.node()}" in ended.message
    assert f"{program}: No such file" in ended.message


def test_an_error_while_cleaning_up_does_not_change_the_outcome(node: Node) -> None:
    node.has("podman", '[ "$1" = pull ] && /bin/rm "$0" && echo unauthorized >&2; exit 1')
    ended = node.run("podman")
    assert ended.reason == reasons.IMAGE_NOT_FOUND
    assert "unauthorized" in ended.message


#: A Podman whose container does not run before somebody has tried to kill it at once.
_SLOW_TO_START = """
case $1 in
    start) echo $$ >pid; exec /bin/sleep 30 ;;
    kill)
        echo $3 >>kills
        [ -e runs ] && read -r pid <pid && kill -9 $pid
        [ $3 = TERM ] || : >runs ;;
esac
"""


def test_a_container_that_could_not_be_killed_before_it_ran_is_killed_then(node: Node) -> None:
    node.has("podman", f"cd '{node.root}'" + _SLOW_TO_START)
    assert node.run("podman", time_limit_s=1).reason == reasons.TIME_LIMIT
    assert (node.root / "kills").read_text().split()[:3] == ["TERM", "KILL", "KILL"]


#: A Podman whose container SLURM suspends as soon as it runs, and which pman removes then.
_SUSPENDED = """
echo $1 >>calls
case $1 in
    start) echo $$ >pid; kill -TSTP $PPID; exec /bin/sleep 30 ;;
    pause) : >'{folder}/cancelled' ;;
    kill) read -r pid <pid; kill -9 $pid ;;
esac
"""


def test_a_container_that_stands_still_goes_on_before_it_is_asked_to_end(node: Node) -> None:
    """SLURM has not stopped yet what watches it."""
    node.has("podman", f"cd '{node.root}'" + _SUSPENDED.format(folder=node.folder))
    assert node.run("podman").reason == reasons.KILLED
    calls = (node.root / "calls").read_text().split()
    assert calls[calls.index("pause") :][:3] == ["pause", "unpause", "kill"]


def test_a_command_that_does_not_answer_is_reported_without_its_arguments() -> None:
    fault = subprocess.TimeoutExpired(["podman", "create", "--env=TOKEN=secret"], 300)
    for started, reason in ((False, reasons.CANNOT_START), (True, reasons.LOST)):
        ended = errors.outcome_of(fault, started=started)
        assert ended.reason == reason
        assert "podman did not answer within 300 s" in ended.message
        assert "secret" not in ended.message


@pytest.mark.parametrize("leads_to", [".", ".pman", ".pman/other/runs"])
def test_a_link_into_pmans_records_is_not_mounted(node: Node, leads_to: str) -> None:
    (node.storebase / ".pman" / "other" / "runs").mkdir(parents=True)
    (node.storebase / "job").mkdir()
    out = node.storebase / "job" / "out"
    out.symlink_to(node.storebase / leads_to)
    ended = node.run("none", mounts=(Bind(str(out), "/share/outgoing", False),))
    assert ended.reason == reasons.CANNOT_START
    assert "pman's own records" in ended.message


def test_a_log_is_never_written_through_a_link(node: Node) -> None:
    other = node.root / "other"
    other.touch()
    (node.folder / "log.0").symlink_to(other)
    ended = node.run("none", argv=("/bin/echo", "words"))
    assert ended.reason == reasons.CANNOT_START
    assert "log.0" in ended.message
    assert other.read_text() == ""
