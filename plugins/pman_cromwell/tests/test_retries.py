"""What fails for a while costs no job and no end of one: storage, Podman, SLURM at a submit."""

import errno
import io
import itertools
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

from pman_core.contract.info import Reason
from pman_cromwell import payload, run_files
from pman_cromwell.job_spec import Bind
from pman_cromwell.share.pman_slurm import directories, outcome, podman, reasons, run, submit
from pman_cromwell.share.pman_slurm import run_files as node_files
from pman_cromwell.share.pman_slurm.outcome import recorded

#: A Podman whose containers end well, at once.
_PODMAN = """#!/bin/sh
[ "$1" != inspect ] || echo '{"Status": "exited", "ExitCode": 0}'
"""

#: A Podman whose containers have the directories of the machine, as if they were it, and end well.
_PODMAN_WITH_DIRECTORIES = """#!/bin/sh
echo "$1" >>"$0.calls"
count=$(grep -cx "$1" "$0.calls")
FAULT
pid=0
case $1 in
    create) state=created ;;
    init) state=initialized; echo pman-x ;;
    start) state=exited; echo words of the job ;;
    inspect)
        read -r state <"$0.state"
        [ "$state" != initialized ] || pid=$PPID
        echo "{\\"Status\\": \\"$state\\", \\"ExitCode\\": 0, \\"Pid\\": $pid}"
        exit ;;
    *) exit ;;
esac
echo $state >"$0.state"
"""

#: Answers that do not say how a container is.
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

    def has_podman_with_directories(self, fault: str = "") -> None:
        """Its containers have those of the machine.

        :param fault: what comes before an answer; ``$count`` is how often it was asked for that.
        """
        self.has_podman(_PODMAN_WITH_DIRECTORIES.replace("FAULT", fault))

    @property
    def calls(self) -> list[str]:
        """What such a Podman was asked for."""
        return (self.root / "podman.calls").read_text().split()

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


@pytest.fixture
def given(node: Node) -> Bind:
    """A directory that a job has where the node has it."""
    directory = node.root / "in"
    directory.mkdir()
    node.has_podman_with_directories()
    return Bind(str(directory), str(directory), True)


@pytest.mark.parametrize("fault", [errno.ESTALE, errno.EIO])
@pytest.mark.parametrize("in_container", [False, True])
def test_a_directory_that_cannot_be_seen_for_a_moment_is_no_missing_one(
    node: Node, given: Bind, monkeypatch: pytest.MonkeyPatch, in_container: bool, fault: int
) -> None:
    root = f"/proc/{os.getpid()}/root" if in_container else ""
    with monkeypatch.context() as patch:
        _fail_for(patch, root + given.source, fault)
        node.pauses.append(patch.undo)
        assert node.run(mounts=(given,), memory_mib=None) == 0
    assert not node.pauses


def test_a_directory_that_cannot_be_seen_at_all_is_reported_with_the_systems_message(
    node: Node, given: Bind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directories, "_PATIENCE_S", 0)
    _fail_for(monkeypatch, given.source, errno.ESTALE)
    assert node.run(mounts=(given,)) == 1
    ended = recorded(str(node.folder))
    assert ended
    assert ended.reason == reasons.CANNOT_START
    assert f"{given.source} cannot be used" in ended.message
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


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Podman that does not answer is asked again without a pause."""
    monkeypatch.setattr(podman, "pauses_s", lambda: itertools.repeat(0.0))


@pytest.mark.parametrize("answer", _TELLS_NOTHING)
@pytest.mark.usefixtures("at_once")
def test_a_job_begins_once_podman_reports_what_it_has_mounted(
    node: Node, given: Bind, answer: str
) -> None:
    node.has_podman_with_directories(
        f"[ $1 != inspect ] || [ $count -gt 2 ] || {{ {answer}; exit; }}"
    )
    assert node.run(mounts=(given,), memory_mib=None) == 0
    assert recorded(str(node.folder)) == outcome.exited(0)
    assert node.calls[: node.calls.index("start")].count("inspect") == 3
    words = "Podman does not report the container's process"
    assert run_files.read(node.folder).trouble == run_files.Trouble(Reason.QUEUED, words)


@pytest.mark.parametrize("answer", _TELLS_NOTHING)
@pytest.mark.usefixtures("at_once")
def test_a_job_whose_podman_never_answers_waits_until_pman_ends_it(
    node: Node, given: Bind, answer: str
) -> None:
    cancel = f"[ $count -lt 3 ] || : >'{node.folder}/{node_files.CANCELLED}'"
    node.has_podman_with_directories(f"[ $1 != inspect ] || {{ {cancel}; {answer}; exit; }}")
    assert node.run(mounts=(given,), memory_mib=None) == 1
    ended = recorded(str(node.folder))
    assert ended
    assert ended.reason == reasons.KILLED
    assert ended.message.startswith("ended by pman")
    assert "start" not in node.calls


@pytest.mark.usefixtures("at_once")
def test_mounts_that_cannot_be_made_now_are_made_later(node: Node, given: Bind) -> None:
    words = "Error: database is locked"
    fault = f"[ $1 != init ] || [ $count -gt 2 ] || {{ echo '{words}' >&2; exit 125; }}"
    node.has_podman_with_directories(fault)
    assert node.run(mounts=(given,), memory_mib=None) == 0
    assert node.calls.count("init") == 3
    trouble = run_files.read(node.folder).trouble
    assert trouble
    assert trouble.reason is Reason.QUEUED
    assert trouble.message.endswith(words)
    assert (node.folder / "log.0").read_text() == "words of the job\n"


def test_mounts_that_were_made_although_podman_says_otherwise_are_looked_at(
    node: Node, given: Bind
) -> None:
    """It was killed before it said so, or asked again while it did not answer."""
    words = "Error: container x has already been created in runtime"
    fault = f"[ $1 != init ] || {{ echo initialized >\"$0.state\"; echo '{words}' >&2; exit 125; }}"
    node.has_podman_with_directories(fault)
    assert node.run(mounts=(given,), memory_mib=None) == 0
    assert (node.folder / "log.0").read_text() == "words of the job\n"


def test_mounts_that_cannot_be_made_are_reported_at_once(node: Node, given: Bind) -> None:
    node.has_podman_with_directories("[ $1 != init ] || { echo 'crun: no' >&2; exit 125; }")
    assert node.run(mounts=(given,), memory_mib=None) == 1
    ended = recorded(str(node.folder))
    assert ended
    assert ended.reason == reasons.CANNOT_START
    assert "crun: no" in ended.message
    assert "start" not in node.calls


def test_an_init_that_hangs_keeps_nobody_from_ending_the_job(node: Node, given: Bind) -> None:
    cancel = f": >'{node.folder}/{node_files.CANCELLED}'"
    node.has_podman_with_directories(f"[ $1 != init ] || {{ {cancel}; exec sleep 60; }}")
    assert node.run(mounts=(given,), memory_mib=None) == 1
    ended = recorded(str(node.folder))
    assert ended
    assert ended.reason == reasons.KILLED
    assert node.calls[-2:] == ["init", "rm"]


def test_a_job_that_is_suspended_while_its_mounts_are_made_stands_still_then(
    node: Node, given: Bind
) -> None:
    wait = 'timeout 30 sh -c "until {}; do sleep 0.05; done" || exit'
    noticed = wait.format(f"[ -e '{node.folder}/{node_files.SUSPENDED}' ]")
    paused = wait.format("grep -qx pause '$0.calls'")
    node.has_podman_with_directories(f"""
[ $1 != init ] || {{ kill -TSTP $PPID; {noticed}; }}
[ $1 != start ] || {paused}
""")
    assert node.run(mounts=(given,), memory_mib=None) == 0
    assert "pause" in node.calls[node.calls.index("start") :]


def test_a_directory_that_was_exchanged_does_not_begin_a_job(node: Node, given: Bind) -> None:
    (node.root / "other").mkdir()
    changed = attrs.evolve(given, target=str(node.root / "other"))
    assert node.run(mounts=(changed,), memory_mib=None) == 1
    ended = recorded(str(node.folder))
    assert ended
    assert ended.reason == reasons.CANNOT_START
    assert f"the directory {given.source} was exchanged" in ended.message
    assert "start" not in node.calls


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
    """Have ``open`` fail for one path."""
    opened = os.open

    def failing(given: Any, *how: Any, **more: Any) -> int:
        if given == path:
            raise OSError(fault, os.strerror(fault), path)
        return opened(given, *how, **more)

    patch.setattr(os, "open", failing)
