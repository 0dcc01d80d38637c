"""What the settings of this backend do."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import attrs
import pytest
from process_kit import end_of, job

from pman_core.contract.errors import EngineUnavailableError, InvalidJobError, SettingsError
from pman_core.kit.settings import load, variables
from pman_kit.settings import state_folder
from pman_process.backend import ProcessBackend
from pman_process.settings import ProcessSettings


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PROCESS_STATE_DIR": "/x/"}, "/x"),
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/pman-process"),
        ({"HOME": "/h"}, "/h/.local/state/pman-process"),
    ],
)
def test_the_state_folder_is_where_the_user_keeps_such_things(
    environ: dict[str, str], expected: str
) -> None:
    configured = load(ProcessSettings, environ).state_dir
    assert state_folder(configured, environ, "pman-process") == Path(expected)


def test_the_backend_uses_the_default_state_folder(tmp_path: Path) -> None:
    ProcessBackend({"HOME": str(tmp_path)})
    assert (tmp_path / ".local/state/pman-process/jobs").is_dir()


def test_every_setting_is_in_the_readme() -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    for variable in variables(ProcessSettings):
        if variable.name.startswith("PROCESS_"):
            assert f"`{variable.name}`" in readme


def test_a_state_folder_that_others_can_enter_ends_the_start(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    with pytest.raises(SettingsError, match="let PROCESS_STATE_DIR name a folder"):
        ProcessBackend({"PROCESS_STATE_DIR": str(tmp_path)})
    tmp_path.chmod(0o700)


def test_a_state_folder_that_is_away_is_named(environ: dict[str, str]) -> None:
    backend, state = ProcessBackend(environ), Path(environ["PROCESS_STATE_DIR"])
    assert backend.pman_ping().startswith("local processes on ")
    state.rename(state.with_name("away"))
    with pytest.raises(EngineUnavailableError, match=str(state)):
        backend.pman_ping()
    state.with_name("away").rename(state)


def test_a_job_gets_the_variables_of_pman_that_were_chosen_and_no_other(
    environ: dict[str, str], tmp_path: Path
) -> None:
    environ.update(CHOSEN="yes", OTHER="hidden", PROCESS_PASS_ENV="PATH,CHOSEN")  # noqa: S106
    look = f"import json, os; json.dump(dict(os.environ), open({str(tmp_path / 'seen')!r}, 'w'))"
    backend = ProcessBackend(environ)
    assert backend.pman_submit(job(sys.executable, "-c", look)).jid == "job-1"
    assert end_of(backend).exit_code == 0
    seen = json.loads((tmp_path / "seen").read_text())
    assert set(seen) - {"LC_CTYPE"} == {"PATH", "CHOSEN", "PMAN_PROCESS_JOB"}


def test_the_limit_of_a_log_is_the_operators(environ: dict[str, str]) -> None:
    environ["PROCESS_LOG_MAX_MIB"] = "1"
    backend = ProcessBackend(environ)
    backend.pman_submit(job("seq", "1000000"))
    assert end_of(backend).exit_code == 0
    folder = Path(environ["PROCESS_STATE_DIR"], "jobs", "job-1")
    assert sum(os.path.getsize(path) for path in folder.glob("log*")) < 3 << 19


def test_a_job_that_no_process_could_run_is_refused(environ: dict[str, str]) -> None:
    backend = ProcessBackend(environ)
    backend.pman_validate(job("true"))
    with pytest.raises(InvalidJobError, match="'local'"):
        backend.pman_validate(attrs.evolve(job("true"), image="fnndsc/pl-app"))
    assert f"uid {os.getuid()}" in " ".join(backend.pman_capabilities().notes)
