"""The commands that look at this installation: backends, config and check."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from cli_helpers import install_fake_backends, settings
from click.testing import CliRunner, Result

from pman_core._internal import registry
from pman_core.cli import cli

Run = Callable[..., Result]

LOG_ORDER = "lines of stdout and stderr may change places with one another"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in an empty folder, with these settings and nothing else of ours."""
    monkeypatch.syspath_prepend(install_fake_backends(tmp_path / "dist"))
    monkeypatch.delitem(sys.modules, "fake_backend", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def run(*args: str, **env: str) -> Result:
        wanted: Mapping[str, str] = {**settings(tmp_path / "data"), **env}
        return CliRunner().invoke(cli, args, env=wanted)

    return run


def test_help_names_every_command_and_imports_nothing_slow() -> None:
    code = (
        "import sys; from pman_core.cli import cli; cli(['--help'], standalone_mode=False);"
        "print('slow:', sorted({'requests', 'flask', 'uvicorn'} & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert all(command in told for command in cli.commands)
    assert told.endswith("slow: []\n")


def test_backends_shows_a_broken_one_without_losing_the_others(run: Run) -> None:
    told = run("backends")
    assert told.exit_code == 0
    # Other backends may be installed here, and make the columns wider.
    rows = [line.split() for line in told.output.splitlines()]
    assert ["broken", "fake-backend", "1.0", "broken"] in rows
    assert ["memory", "fake-backend", "1.0", "ok"] in rows
    assert "No module named 'fake_backend_that_is_missing'" in told.output.replace("\n   ", "")


def test_without_any_backend_each_package_is_named_once(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pman_core._internal.registry.installed", lambda group: ())
    told = run("backends").output
    assert told.count("pman-docker") == told.count("pman-k8s") == 1


def test_backends_shows_refusals_and_deviations_with_their_reasons(run: Run) -> None:
    told = run("backends").output
    assert "refuses cpu_limit: it has no clock" in told
    assert f"deviates, log-order: {LOG_ORDER} (it has two pens)" in " ".join(told.split())


def test_backends_as_json_holds_the_same(run: Run) -> None:
    found = {backend["name"]: backend for backend in json.loads(run("backends", "--json").output)}
    assert found["picky"]["refusals"] == {"cpu_limit": "it has no clock"}
    assert found["picky"]["deviations"] == {"log-order": "it has two pens"}
    assert found["broken"]["state"] == "broken"
    assert found["memory"]["mounts"] == ["HostPath"]


def test_backends_shows_what_a_backend_lacks_to_start(run: Run) -> None:
    found = json.loads(run("backends", "--json", ENGINE_TIMEOUT="never").output)
    lacking = {backend["state"] for backend in found if backend["name"] != "broken"}
    assert lacking == {"needs settings"}


def test_config_shows_where_each_value_came_from(run: Run) -> None:
    Path(".env").write_text("SHM_SIZE=64\nJOB_LOGS_TAIL=5\n")
    shown = json.loads(run("config", "--json", JOB_LOGS_TAIL="7").output)
    found = {entry["name"]: (entry["value"], entry["origin"]) for entry in shown["settings"]}
    assert found["SHM_SIZE"] == ("64", ".env")
    assert found["JOB_LOGS_TAIL"] == ("7", "environment")
    assert found["REMOVE_JOBS"] == ("yes", "default")
    assert found["NFS_SERVER"] == (None, "default")
    assert shown["faults"] == []


def test_config_shows_the_variables_of_the_selected_backend_each_once(run: Run) -> None:
    shown = json.loads(run("config", "--json", CONTAINER_ENV="picky").output)
    names = [entry["name"] for entry in shown["settings"]]
    assert "PICKY_TOKEN" in names
    assert len(names) == len(set(names))


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_config_masks_secrets(run: Run, options: tuple[str, ...]) -> None:
    address = "http://somebody:silence@storage"
    secrets = {"PICKY_TOKEN": "hush", "SECRET_KEY": "quiet", "NFS_SERVER": address}
    told = run("config", *options, CONTAINER_ENV="picky", **secrets)
    assert "***" in told.output
    assert "hush" not in told.output
    assert "quiet" not in told.output
    assert "silence" not in told.output


def test_config_shows_all_faults_and_still_the_rest(run: Run) -> None:
    told = run("config", IGNORE_LIMITS="maybe", SHM_SIZE="-1", CONTAINER_ENV="broken")
    assert told.exit_code == 2
    for part in ("IGNORE_LIMITS must be", "SHM_SIZE must be", "cannot be imported", "JOB_LABELS"):
        assert part in told.output


def kinds(told: Result) -> set[tuple[str, str]]:
    """The kind and the subject of each line of a report."""
    lines = [line.replace(":", "").split() for line in told.stdout.splitlines()]
    return {(line[0], line[1]) for line in lines}


def test_check_is_content_when_jobs_can_run(run: Run) -> None:
    told = run("check")
    assert told.exit_code == 0
    subjects = {"settings", "backend", "access", "engine", "storage"}
    if registry.installed(registry.EXTENSIONS):  # where all distributions share an environment
        subjects.add("extension")
    assert kinds(told) == {("ok", subject) for subject in subjects}


def test_check_shows_each_wrong_setting_and_answers_2(run: Run) -> None:
    told = run("check", IGNORE_LIMITS="maybe", SHM_SIZE="-1")
    assert told.exit_code == 2
    assert "IGNORE_LIMITS must be" in told.stdout
    assert "SHM_SIZE must be" in told.stdout


def test_check_asks_whether_a_misspelt_variable_was_meant_for_it(run: Run) -> None:
    told = run("check", STORE_BASE="/data", IGNORE_LIMIT="cpu", PICKY_TOKENS="x", HOMEPAGE="x")
    assert told.exit_code == 0
    asked = [line for line in told.stdout.splitlines() if "did you mean" in line]
    assert [(line.split()[2], line.split()[-1]) for line in asked] == [
        ("IGNORE_LIMIT", "IGNORE_LIMITS?"),
        ("STORE_BASE", "STOREBASE?"),
    ]
    told = run("check", CONTAINER_ENV="picky", PICKY_TOKENS="x", IGNORE_LIMITS="cpu")
    assert "did you mean PICKY_TOKEN?" in told.stdout
    assert "did you mean" not in run("check").stdout


def test_check_answers_1_when_the_engine_does_not(run: Run) -> None:
    told = run("check", CONTAINER_ENV="down")
    assert told.exit_code == 1
    assert ("FAULT", "engine") in kinds(told)
    assert ("ok", "storage") in kinds(told)


def test_check_notes_what_a_ping_says_besides(run: Run) -> None:
    told = run("check", CONTAINER_ENV="picky", IGNORE_LIMITS="cpu").stdout.splitlines()
    about = [line.split(maxsplit=1) for line in told if " engine: " in line]
    assert about == [
        ["ok", "engine: wood 1.0"],
        ["note", "engine: it is wet"],
        ["note", "engine: it is old"],
    ]


def test_check_finds_that_every_request_would_be_refused(run: Run) -> None:
    told = run("check", CONTAINER_ENV="picky")
    assert told.exit_code == 2
    assert told.stdout.count("set IGNORE_LIMITS=cpu\n") == 1
    for enough in ("yes", "cpu", "cpu,memory"):
        assert run("check", CONTAINER_ENV="picky", IGNORE_LIMITS=enough).exit_code == 0
    told = run("check", CONTAINER_ENV="picky", IGNORE_LIMITS="memory")
    assert told.exit_code == 2
    assert "set IGNORE_LIMITS=cpu,memory\n" in told.stdout


@pytest.mark.parametrize(
    ("backend", "ignored", "better"),
    [("picky", "yes", "cpu"), ("memory", "memory", "no"), ("memory", "yes", "cpu")],
)
def test_check_notes_that_jobs_have_no_memory_limit(
    run: Run, backend: str, ignored: str, better: str
) -> None:
    told = run("check", CONTAINER_ENV=backend, IGNORE_LIMITS=ignored)
    assert told.exit_code == 0
    assert f"IGNORE_LIMITS={better} would keep the limit" in told.stdout
    assert "would keep" not in run("check", CONTAINER_ENV="picky", IGNORE_LIMITS="cpu").stdout


def test_check_notes_refusals_deviations_and_what_the_backend_has_to_say(run: Run) -> None:
    told = run("check", CONTAINER_ENV="picky", IGNORE_LIMITS="yes").stdout
    assert f"note   deviation log-order: {LOG_ORDER} (it has two pens)" in told
    assert "note   refuses cpu_limit: it has no clock" in told
    assert "note   It is made of wood." in told


def test_serve_reports_all_faults_at_once_and_answers_2(run: Run) -> None:
    told = run("serve", "--port", "0", IGNORE_LIMITS="maybe", SHM_SIZE="-1", STOREBASE="")
    assert told.exit_code == 2
    for name in ("IGNORE_LIMITS", "SHM_SIZE", "STOREBASE"):
        assert f"- {name} " in told.output or f"needs {name}" in told.output
    assert "Traceback" not in told.output


def test_serve_reports_that_a_port_is_taken(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = run("serve", "--port", str(port))
    assert told.exit_code == 1
    assert f"port {port}: Address already in use; choose" in told.output


@pytest.mark.parametrize(
    "words",
    [
        ("--ip", "::", "--port", "30010"),
        ("--rawmode", "1", "--http", "--port", "5010"),
        ("gunicorn", "-b", "0.0.0.0:5010", "pman.wsgi:application"),
        ("python", "-m", "pman"),
    ],
    ids=lambda words: words[0],
)
def test_a_command_line_of_an_older_pman_gets_what_replaces_it(
    run: Run, words: tuple[str, ...]
) -> None:
    told = run(*words)
    assert told.exit_code == 2
    assert words[0] in told.output
    assert "pman serve --host 0.0.0.0" in told.output


def test_serve_says_that_the_arguments_of_gunicorn_have_no_effect(run: Run) -> None:
    told = run("serve", CONTAINER_ENV="none", GUNICORN_CMD_ARGS="--workers=4")
    assert "GUNICORN_CMD_ARGS has no effect" in told.output
    assert "--workers" in told.output


def test_check_reports_a_storebase_that_is_not_mounted_where_pman_should_see_it(
    run: Run, tmp_path: Path
) -> None:
    told = run("check", STOREBASE_MOUNT=str(tmp_path / "missing"))
    assert told.exit_code == 2
    assert "STOREBASE_MOUNT" in told.output
