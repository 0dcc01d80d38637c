"""What the nodes run: command lines, outcomes, and the files between them and pman."""

import ast
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cromwell_kit import SHARE
from spec_samples import NASTY, spec

from pman_core.contract.info import Reason
from pman_cromwell import run_files
from pman_cromwell.job_spec import to_json
from pman_cromwell.share.pman_slurm import outcome, reasons, slurm
from pman_cromwell.share.pman_slurm import run_files as node_files
from pman_cromwell.share.pman_slurm.apptainer import Apptainer
from pman_cromwell.share.pman_slurm.job_spec import JobSpec, spec_of
from pman_cromwell.share.pman_slurm.options import devices, mount_words, split_environment
from pman_cromwell.share.pman_slurm.outcome import CannotStartError, Outcome, record, recorded
from pman_cromwell.share.pman_slurm.podman import Podman

_MODULES = [SHARE / "pman-slurm", *sorted((SHARE / "pman_slurm").glob("*.py"))]


def _spec(runtime: str, **changes: Any) -> JobSpec:
    return spec_of(json.loads(to_json(spec(runtime, **changes))))


def _made(kind: Any, runtime: str, environment: dict[str, str], **changes: Any) -> Any:
    return kind(_spec(runtime, **changes), environment, 0, None)


@pytest.mark.parametrize("path", _MODULES, ids=lambda path: path.name)
def test_a_node_needs_only_an_old_python(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 7))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            assert top in sys.stdlib_module_names or top == "pman_slurm", name


def test_the_script_runs_from_wherever_it_is_copied_to(tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", str(SHARE), str(tmp_path / "else where")], check=True)
    script = tmp_path / "else where" / "pman-slurm"
    done = subprocess.run(
        [sys.executable, "-I", str(script), "--help"], capture_output=True, text=True, check=True
    )
    assert "check" in done.stdout


def test_the_command_line_of_apptainer() -> None:
    made = _made(Apptainer, "apptainer", {}, gpus=1, workdir="/a b")
    assert made.run_words() == [
        "exec",
        "--containall",
        "--no-eval",
        "--writable-tmpfs",
        "--nv",
        *["--pwd", "/a b"],
        "--mount",
        "type=bind,\"source=/data/in, 'one'\",destination=/share/incoming,ro",
        "--mount",
        "type=bind,source=/data/out,destination=/share/outgoing",
        made.file,
        "program",
        *NASTY,
    ]


def test_apptainer_pulls_into_a_file_that_is_renamed_when_it_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PMAN_IMAGE_CACHE", "/cache")
    made = _made(Apptainer, "apptainer", {})
    assert made.file.startswith("/cache/")
    source = "docker://fnndsc/pl-simpledsapp:2.1.0"
    assert made.pull_words() == ["pull", "--force", made.file + ".new", source]


@pytest.mark.parametrize(
    ("program", "prefix"), [("apptainer", b"APPTAINERENV_"), ("singularity", b"SINGULARITYENV_")]
)
def test_apptainer_gets_the_environment_under_its_prefix_and_no_other(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, prefix: bytes
) -> None:
    monkeypatch.setenv("APPTAINERENV_FOREIGN", "x")
    monkeypatch.setenv("SINGULARITYENV_FOREIGN", "x")
    (tmp_path / program).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    environment = {f"NASTY_{number}": word for number, word in enumerate(NASTY)}
    variables = _made(Apptainer, "apptainer", environment).variables()
    prefixes = (b"APPTAINERENV_", b"SINGULARITYENV_")
    prefixed = {name: value for name, value in variables.items() if name.startswith(prefixes)}
    assert prefixed == {
        prefix + name.encode(): value.encode() for name, value in environment.items()
    }


def test_the_command_line_of_podman(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("SLURM_JOB_GPUS", "1,3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")  # as they are in the cgroup of the job
    made = _made(
        Podman,
        "podman",
        {},
        **{"uid": 7, "gid": 8, "gpus": 2, "shm_mib": 100, "cpu_millicores": 250},
        time_limit_s=60,
        workdir="/a b",
    )
    words = made.create_words("/tmp/env", {"TEXT": "a\nb"}, {"A B": "1"}, is_root=False)
    assert words == [
        *["create", "--name", made.name, "--pull=never", "--log-driver=passthrough"],
        "--init",
        *["--label", "pman.chrisproject.org/slurm-job=17"],
        *["--security-opt=no-new-privileges", "--cap-drop=ALL", "--env-file", "/tmp/env"],
        *["--env=TEXT", "--env=A B=1"],
        *["--user=7:8", "--memory=1000m", "--memory-swap=1000m", "--cpus=0.250"],
        *["--shm-size=100m", "--workdir", "/a b", "--timeout=2592060"],
        "--mount",
        "type=bind,\"source=/data/in, 'one'\",destination=/share/incoming,ro=true",
        "--mount",
        "type=bind,source=/data/out,destination=/share/outgoing,ro=false",
        *["--device", "nvidia.com/gpu=1", "--device", "nvidia.com/gpu=3"],
        *["--entrypoint", '["program"]', "fnndsc/pl-simpledsapp:2.1.0", *NASTY],
    ]


@pytest.mark.parametrize("given", [None, "", "0", "0,1,2"])
def test_a_job_gets_as_many_gpus_as_it_asked_for_or_does_not_run(
    monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.delenv("SLURM_JOB_GPUS", raising=False)
    if given is not None:
        monkeypatch.setenv("SLURM_JOB_GPUS", given)
    with pytest.raises(CannotStartError, match="asks for 2 GPUs"):
        devices(2)
    assert devices(0) == []


def test_tokens_are_on_no_command_line() -> None:
    simple, inherited, shown = split_environment(
        {"CHRIS_USER_TOKEN": "abc=1 #x", "TEXT": "a\r\nü", "PATH": "/ü", "A B": "1"}
    )
    assert simple == {"CHRIS_USER_TOKEN": "abc=1 #x"}
    assert inherited == {"TEXT": "a\r\nü"}
    assert shown == {"PATH": "/ü", "A B": "1"}


def test_a_variable_that_podman_would_change_is_refused() -> None:
    with pytest.raises(CannotStartError, match="PATH"):
        split_environment({"PATH": "a\rb"})


def test_a_path_may_hold_what_csv_would_split() -> None:
    words = mount_words('/a,b"c:d', "/share/incoming", read_only=True)
    assert words == 'type=bind,"source=/a,b""c:d",destination=/share/incoming,ro=true'


def test_the_first_outcome_stays(tmp_path: Path) -> None:
    folder = str(tmp_path)
    outcomes = [Outcome("killed", f"number {number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        stood = set(pool.map(lambda one: record(folder, one), outcomes))
    assert stood == {recorded(folder)}
    assert os.listdir(folder) == [node_files.OUTCOME]


def test_pman_reads_every_file_that_a_node_writes(tmp_path: Path) -> None:
    folder = str(tmp_path)
    node_files.write(folder, node_files.WAITING, {"job": "17", "reason": "Priority"})
    node_files.write_once(folder, node_files.PULLING, {"image": "x"})
    node_files.write_once(folder, node_files.STARTED, {"time": 1.5})
    (tmp_path / node_files.BEGUN).write_text("17\n")
    record(folder, Outcome(reasons.TIME_LIMIT, "words", None))
    seen = run_files.read(tmp_path)
    assert seen.waiting == run_files.Waiting("17", "Priority")
    assert (seen.begun, seen.pulling, seen.accepted) == (True, True, False)
    assert seen.started
    assert seen.started.time.timestamp() == 1.5
    assert seen.ended
    assert (seen.ended.reason, seen.ended.message) == (Reason.TIME_LIMIT, "words")


def test_a_node_reads_what_pman_writes(tmp_path: Path) -> None:
    assert node_files.CANCELLED == run_files.CANCELLED
    assert node_files.OUTCOME == run_files.ENDED


def test_every_reason_of_a_node_is_one_of_pmans() -> None:
    words = {getattr(reasons, name) for name in dir(reasons) if name.isupper()}
    words |= {one.reason for one in slurm._ENDS.values() if one.reason}
    assert {str(Reason(word)) for word in words} == words


def test_a_half_written_file_counts_as_not_written(tmp_path: Path) -> None:
    (tmp_path / node_files.OUTCOME).write_text('{"reason": "kil')
    assert run_files.read(tmp_path).ended is None


@pytest.mark.parametrize(
    ("code", "reason", "expected"), [(0, None, 0), (3, "exit-code", 3), (-9, "killed", 137)]
)
def test_a_return_code_is_reported_as_a_shell_does(
    code: int, reason: str | None, expected: int
) -> None:
    made = outcome.exited(code)
    assert (made.reason, made.code) == (reason, expected)


def test_storage_that_does_not_answer_is_no_removal(tmp_path: Path) -> None:
    """A run must not end because a mount went away."""
    folder = tmp_path / "runs" / "one"
    assert not node_files.is_gone(str(folder))
    folder.parent.mkdir()
    assert node_files.is_gone(str(folder))
    folder.mkdir()
    assert not node_files.is_gone(str(folder))
