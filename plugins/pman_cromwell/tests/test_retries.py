"""What fails for a while costs no job and no end of one: storage, Podman, SLURM at a submit."""

import errno
import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from spec_samples import job, settings, spec

from pman_cromwell import payload, run_files
from pman_cromwell.job_spec import Bind
from pman_cromwell.share.pman_slurm import outcome, podman, reasons, run, runtime, submit
from pman_cromwell.share.pman_slurm import run_files as node_files
from pman_cromwell.share.pman_slurm.outcome import recorded

#: A Podman whose containers end well, at once.
_PODMAN = """#!/bin/sh
[ "$1" != inspect ] || echo '{"Status": "exited", "ExitCode": 0}'
"""

#: Answers that do not say how a container ended.
_TELLS_NOTHING = (
    "echo 'Error: database is locked' >&2; exit 125",
    "echo '{\"Status\": '",
    'echo \'{"Status": "exited"}\'',
    "echo null",
    'echo \'{"Status": "running", "ExitCode": 0}\'',
)


@attrs.frozen
class Node:
    """One whose jobs run in this very process.

    :param pauses: what happens while storage is waited for; nothing else lets time pass.
    """

    root: Path
    pauses: list[Callable[[], object]]

    @property
    def mount(self) -> Path:
        return self.root / "storebase"

    @property
    def folder(self) -> Path:
        return self.mount / ".pman" / "pman" / "runs" / spec().workflow

    def has(self, program: str, script: str) -> None:
        (self.root / program).write_text(script)
        (self.root / program).chmod(0o755)

    def has_podman(self, script: str) -> None:
        self.has("podman", script)

    def submit(self) -> int:
        """The exit code of a submit of Cromwell's."""
        return submit.submit(str(self.folder), str(self.root), ["sbatch"])

    def run(self, **changes: Any) -> int:
        """The exit code of a run."""
        made = spec(folder=str(self.folder), **{"mounts": (), **changes})
        sent = payload.inputs(made, job().env, settings())
        return run.run(io.StringIO(f"{sent['pman.order']}\n{sent['pman.environment']}\n"))


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    made = Node(tmp_path, [])
    made.folder.mkdir(parents=True)
    made.has_podman(_PODMAN)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PMAN_RUNTIME", "podman")
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: made.pauses.pop(0)())
    for module in (node_files, podman, submit):
        monkeypatch.setattr(module, "time", clock)
    ending = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    numbers = (*ending, signal.SIGCHLD, signal.SIGTSTP, signal.SIGCONT)
    before = {number: signal.getsignal(number) for number in numbers}
    yield made
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have some files not written, so many times."""

    def refuse(names: set[str], times: int = 10**6) -> None:
        link, left = os.link, dict.fromkeys(names, times)

        def full(source: str, path: str) -> None:
            name = os.path.basename(path)
            if left.get(name):
                left[name] -= 1
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
            link(source, path)

        monkeypatch.setattr(os, "link", full)

    return refuse


def test_an_end_is_written_down_once_there_is_room(node: Node, refuse: Callable[..., None]) -> None:
    refuse({node_files.OUTCOME}, times=2)
    node.pauses.extend([lambda: None] * 2)
    assert node.run() == 0
    assert recorded(str(node.folder)) == outcome.exited(0)


def test_a_success_that_can_never_be_written_down_is_one_to_cromwell(
    node: Node, refuse: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse({node_files.OUTCOME})
    monkeypatch.setattr(run, "_END_PATIENCE_S", 0)
    assert node.run() == 0
    node.folder.joinpath(node_files.BEGUN).unlink()
    node.has_podman(_PODMAN.replace('"ExitCode": 0', '"ExitCode": 7'))
    assert node.run() == 1
    assert recorded(str(node.folder)) is None


def test_no_end_is_insisted_on_of_a_job_that_pman_has_removed(
    node: Node, refuse: Callable[..., None]
) -> None:
    refuse({node_files.OUTCOME})
    node.pauses.append(lambda: node.folder.rename(node.folder.with_name(".removed-1")))
    assert node.run() == 0
    assert not node.pauses


def test_a_job_begins_once_its_storage_is_mounted(node: Node) -> None:
    unmounted = node.root / "elsewhere"
    node.mount.rename(unmounted)
    node.pauses.append(lambda: unmounted.rename(node.mount))
    assert node.run() == 0
    assert recorded(str(node.folder)) == outcome.exited(0)


def test_a_job_that_pman_has_removed_does_not_begin(
    node: Node, capsys: pytest.CaptureFixture[str]
) -> None:
    node.folder.rmdir()
    assert node.run() == 1
    assert "pman has removed this job" in capsys.readouterr().err


def test_files_that_only_inform_cost_no_job_where_they_cannot_be_written(
    node: Node, refuse: Callable[..., None]
) -> None:
    refuse({node_files.PULLING, node_files.STARTED})
    node.has_podman(_PODMAN.replace("#!/bin/sh", "#!/bin/sh\n[ $1 != image ] || exit 1", 1))
    assert node.run(uid=7) == 0
    assert recorded(str(node.folder)) == outcome.exited(0)
    assert not set(os.listdir(node.folder)) & {node_files.PULLING, node_files.STARTED}


def test_the_start_is_written_as_soon_as_there_is_room(
    node: Node, refuse: Callable[..., None]
) -> None:
    refuse({node_files.STARTED}, times=1)
    waits = f"""#!/bin/sh
[ "$1" != start ] || exec timeout 30 sh -c "until [ -e '{node.folder}/started.json' ]; do
    sleep 0.05; done"
"""
    node.has_podman(_PODMAN.replace("#!/bin/sh\n", waits, 1))
    before = time.time()
    assert node.run() == 0
    assert node_files.read(str(node.folder), node_files.STARTED)["time"] >= before


@pytest.mark.parametrize("fault", [errno.ESTALE, errno.EIO])
def test_a_directory_that_cannot_be_seen_for_a_moment_is_no_missing_one(
    node: Node, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    given = node.root / "in"
    given.mkdir()
    with monkeypatch.context() as patch:
        _fail_for(patch, str(given), fault)
        node.pauses.append(patch.undo)
        assert node.run(mounts=(Bind(str(given), "/share/incoming", True),)) == 0
    assert not node.pauses


def test_a_directory_that_cannot_be_seen_at_all_is_reported_with_the_systems_message(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = node.root / "in"
    given.mkdir()
    monkeypatch.setattr(runtime, "_PATIENCE_S", 0)
    _fail_for(monkeypatch, str(given), errno.ESTALE)
    assert node.run(mounts=(Bind(str(given), "/share/incoming", True),)) == 1
    ended = recorded(str(node.folder))
    assert ended
    assert ended.reason == reasons.CANNOT_START
    assert f"{given} cannot be used" in ended.message
    assert os.strerror(errno.ESTALE) in ended.message


@pytest.mark.parametrize("path", ["missing", "podman", "podman/x"])
def test_a_directory_that_is_missing_is_reported_at_once(node: Node, path: str) -> None:
    given = str(node.root / path)
    assert node.run(mounts=(Bind(given, "/share/incoming", True),)) == 1
    ended = recorded(str(node.folder))
    assert ended
    assert f"there is no directory {given}" in ended.message


# ------------------------------------------------------------------ Podman


@pytest.mark.parametrize("answer", _TELLS_NOTHING)
def test_a_podman_that_does_not_answer_for_a_moment_is_asked_again(node: Node, answer: str) -> None:
    nothing = f"#!/bin/sh\n[ $1 != inspect ] || {{ {answer}; exit; }}\n"
    node.has_podman(nothing)
    node.pauses.append(lambda: node.has_podman(_PODMAN))
    assert node.run() == 0
    assert not node.pauses


@pytest.mark.parametrize("answer", _TELLS_NOTHING)
@pytest.mark.parametrize(("code", "reason"), [(0, None), (125, reasons.LOST)])
def test_where_podman_never_answers_only_a_success_of_its_start_is_believed(
    node: Node, answer: str, code: int, reason: str | None
) -> None:
    script = f"#!/bin/sh\n[ $1 != inspect ] || {{ {answer}; exit; }}\n"
    node.has_podman(script + f"[ $1 != start ] || exit {code}\n")
    node.pauses.extend([lambda: None] * 4)
    node.run()
    ended = recorded(str(node.folder))
    assert ended
    assert ended.reason == reason
    assert reason is None or f"gave {code}" in ended.message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("echo 'Error: no such container pman-x' >&2; exit 125", "gave no reason"),
        ('echo \'{"Status": "created", "ExitCode": 0, "Error": "crun: no"}\'', "crun: no"),
    ],
)
def test_a_container_that_was_never_started_is_reported_at_once(
    node: Node, answer: str, words: str
) -> None:
    node.has_podman(f"#!/bin/sh\n[ $1 != inspect ] || {{ {answer}; exit; }}\n")
    assert node.run() == 1
    ended = recorded(str(node.folder))
    assert ended
    assert ended.reason == reasons.CANNOT_START
    assert words in ended.message


# ------------------------------------------------------------------ submit

_REFUSES = "#!/bin/sh\necho 'sbatch: error: {}' >&2\nexit 1\n"


@pytest.mark.parametrize(
    "words",
    [
        "Unable to contact slurm controller (connect failure)",
        "Slurm backup controller in standby mode",
        "If munged is up, restart with --num-threads=10",
        "Batch job submission failed: Protocol authentication error",
        "Batch job submission failed: Transport endpoint is busy, try again",
        "AssocMaxSubmitJobLimit",
        "QOSMaxSubmitJobPerUserLimit",
    ],
)
def test_a_transient_refusal_is_waited_out_and_reported(node: Node, words: str) -> None:
    node.has("sbatch", _REFUSES.format(words))
    reported = []

    def accept() -> None:
        reported.append(run_files.read(node.folder).waiting)
        node.has("sbatch", "#!/bin/sh\nexit 0\n")

    node.pauses.append(accept)
    assert node.submit() == 0
    assert reported == [run_files.Waiting("", words)]
    assert os.listdir(node.folder) == []


def test_a_refusal_that_stays_is_the_end_of_the_job(node: Node) -> None:
    node.has("sbatch", _REFUSES.format("Memory specification can not be satisfied"))
    assert node.submit() == 1
    ended = recorded(str(node.folder))
    assert ended
    assert "Memory specification" in ended.message


def test_a_submit_waits_for_storage_that_is_not_mounted(node: Node) -> None:
    node.has("sbatch", "#!/bin/sh\nexit 0\n")
    unmounted = node.root / "elsewhere"
    node.mount.rename(unmounted)
    node.pauses.append(lambda: unmounted.rename(node.mount))
    assert node.submit() == 0
    assert not node.pauses


@pytest.mark.parametrize("removed", [True, False])
def test_a_job_that_is_removed_or_cancelled_is_not_submitted(node: Node, removed: bool) -> None:
    node.has("sbatch", "#!/bin/sh\nexit 0\n")
    if removed:
        node.folder.rmdir()
    else:
        (node.folder / node_files.CANCELLED).touch()
    assert node.submit() == 1


def _fail_for(patch: pytest.MonkeyPatch, path: str, fault: int) -> None:
    """Have ``stat`` fail for one path."""
    stat = os.stat

    def failing(given: Any, **how: Any) -> os.stat_result:
        if given == path:
            raise OSError(fault, os.strerror(fault), path)
        return stat(given, **how)

    patch.setattr(os, "stat", failing)
