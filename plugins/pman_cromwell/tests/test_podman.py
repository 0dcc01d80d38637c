"""Containers of Podman in jobs of SLURM: promises that the way to run an image decides."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from cromwell_kit import (
    IMAGE,
    SHARE,
    Server,
    kill_processes,
    server,
    slurm,
    slurm_job,
    subject_of,
    why_missing,
)
from node_kit import Node

from pman_core import User
from pman_core.contract.info import JobInfo, Reason, Status
from pman_core.kit.names import native_name
from pman_core.testing.conformance import Harness
from pman_core.testing.conformance.argv import ArgvPromises
from pman_core.testing.conformance.cancelling import CancelPromises
from pman_core.testing.conformance.directories import DirectoryPromises
from pman_core.testing.conformance.lifecycle import LifecyclePromises, WaitingPromises
from pman_core.testing.conformance.limits import LimitPromises
from pman_core.testing.conformance.links import LinkPromises
from pman_core.testing.conformance.logs import LogPromises
from pman_core.testing.conformance.surroundings import SurroundingsPromises
from pman_core.testing.pytest_plugin import Engines
from pman_cromwell.job_spec import Bind
from pman_cromwell.share.pman_slurm import reasons


@pytest.fixture(scope="module")
def podman(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A stand-in whose nodes run containers of Podman."""
    missing = why_missing()
    for name in ("slurm", "cromwell"):
        engines.need(name, missing)
    engines.need("podman", _why_no_podman())
    with server(tmp_path_factory.mktemp("podman"), "podman") as made:
        yield made


@pytest.fixture
def harness(podman: Server, tmp_path: Path) -> Iterator[Harness]:
    """The tools of a test; what they made is removed afterwards."""
    with subject_of(podman, tmp_path) as subject:
        made = Harness(subject)
        yield made
        made.clean_up()


class TestPodmanOnSlurm:
    """The promises that the way to run an image decides."""

    test_argv_arrives_byte_for_byte = ArgvPromises.test_argv_arrives_byte_for_byte
    test_a_long_argument_arrives = ArgvPromises.test_a_long_argument_arrives

    test_environment_arrives_byte_for_byte = (
        SurroundingsPromises.test_environment_arrives_byte_for_byte
    )
    test_nothing_of_pmans_own_environment_reaches_a_job = (
        SurroundingsPromises.test_nothing_of_pmans_own_environment_reaches_a_job
    )
    test_user_and_group_are_in_force = SurroundingsPromises.test_user_and_group_are_in_force
    test_shared_memory_has_the_asked_size = (
        SurroundingsPromises.test_shared_memory_has_the_asked_size
    )

    test_input_is_read_only = DirectoryPromises.test_input_is_read_only
    test_input_and_output_may_be_the_same = DirectoryPromises.test_input_and_output_may_be_the_same
    _fails_to_start = staticmethod(DirectoryPromises._fails_to_start)
    test_a_missing_directory_is_reported_and_not_created = (
        DirectoryPromises.test_a_missing_directory_is_reported_and_not_created
    )
    test_a_job_sees_only_its_own_directories = (
        DirectoryPromises.test_a_job_sees_only_its_own_directories
    )

    test_a_directory_that_is_a_link_is_not_mounted = (
        LinkPromises.test_a_directory_that_is_a_link_is_not_mounted
    )
    test_a_link_made_after_the_submit_does_not_lead_out_of_the_storebase = (
        LinkPromises.test_a_link_made_after_the_submit_does_not_lead_out_of_the_storebase
    )
    test_a_link_made_after_the_submit_does_not_lead_to_another_job = (
        LinkPromises.test_a_link_made_after_the_submit_does_not_lead_to_another_job
    )

    test_a_job_may_have_more_directories = DirectoryPromises.test_a_job_may_have_more_directories
    test_a_job_begins_in_its_working_directory = (
        SurroundingsPromises.test_a_job_begins_in_its_working_directory
    )
    test_a_working_directory_that_is_missing_is_reported = (
        SurroundingsPromises.test_a_working_directory_that_is_missing_is_reported
    )

    test_memory_limit_covers_all_processes_of_a_job = (
        LimitPromises.test_memory_limit_covers_all_processes_of_a_job
    )
    test_a_suspended_job_says_so_and_its_time_does_not_count = (
        LimitPromises.test_a_suspended_job_says_so_and_its_time_does_not_count
    )
    test_out_of_memory_is_reported = LimitPromises.test_out_of_memory_is_reported
    test_cpu_limit_is_in_force = LimitPromises.test_cpu_limit_is_in_force
    test_time_limit_ends_a_job = LimitPromises.test_time_limit_ends_a_job

    test_a_cancelled_job_has_ended_and_is_kept_with_its_log = (
        CancelPromises.test_a_cancelled_job_has_ended_and_is_kept_with_its_log
    )
    test_a_job_that_ends_while_it_is_cancelled_has_one_end = (
        CancelPromises.test_a_job_that_ends_while_it_is_cancelled_has_one_end
    )

    test_orphans_are_reaped_and_own_signals_arrive = (
        LifecyclePromises.test_orphans_are_reaped_and_own_signals_arrive
    )
    test_a_missing_image_is_reported = WaitingPromises.test_a_missing_image_is_reported
    test_why_an_image_cannot_be_had_is_reported = (
        WaitingPromises.test_why_an_image_cannot_be_had_is_reported
    )
    test_an_end_stays_when_the_job_is_started_again = (
        LifecyclePromises.test_an_end_stays_when_the_job_is_started_again
    )

    test_streams_keep_the_order_in_which_they_were_written = (
        LogPromises.test_streams_keep_the_order_in_which_they_were_written
    )
    test_arbitrary_bytes_do_no_harm = LogPromises.test_arbitrary_bytes_do_no_harm
    test_logs_of_a_running_job_can_be_read = LogPromises.test_logs_of_a_running_job_can_be_read
    test_each_worker_has_its_part_of_the_log = LogPromises.test_each_worker_has_its_part_of_the_log

    @pytest.mark.parametrize(
        ("user", "kept"),
        # CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID: bits 0, 1, 3, 6, 7 of linux/capability.h.
        [(None, 0b11001011), (User(uid=0, gid=0), 0b11001011), (User(uid=1001, gid=1002), 0)],
    )
    def test_a_job_keeps_no_capability_that_it_does_not_need(
        self, harness: Harness, user: User | None, kept: int
    ) -> None:
        info = harness.run(harness.place(), "read", "/proc/self/status", user=user)
        seen = _status_of(harness, info)
        assert [int(seen[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")] == [kept] * 3
        assert seen["NoNewPrivs"] == "1"

    def test_a_user_of_the_image_keeps_no_capability(
        self, harness: Harness, tmp_path: Path
    ) -> None:
        image = f"localhost/pman-user-{uuid.uuid4().hex[:8]}:1"
        file = tmp_path / "Containerfile"
        file.write_text(f"FROM {IMAGE}\nUSER 1000:1000\n")
        built = _podman("build", "--quiet", "--tag", image, "--file", str(file), str(tmp_path))
        assert built.returncode == 0, built.stderr
        try:
            info = harness.run(harness.place(), "read", "/proc/self/status", image=image)
            seen = _status_of(harness, info)
        finally:
            _podman("rmi", "--force", image)
        assert seen["Uid"].split() == ["1000"] * 4
        assert [int(seen[name], 16) for name in ("CapEff", "CapPrm", "CapBnd")] == [0] * 3

    def test_an_exit_code_is_reported(self, harness: Harness) -> None:
        info = harness.run(harness.place(), "exit", "3")
        assert (info.status, info.exit_code, info.reason) == (
            Status.FAILED,
            3,
            Reason.EXIT_CODE,
        )

    def test_a_process_that_ran_out_of_memory_is_reported_whatever_the_exit_code(
        self, harness: Harness
    ) -> None:
        """Also where it is not the main one, and in the first moment of a container."""
        words = ["sh", "-c", "python3 -c 'bytearray(2**30)[::4096]=b\"x\"*2**18' || exit 3"]
        job = harness.job(harness.place(), "exit", "0", argv=tuple(words))
        harness.submit(job)
        info = harness.end_of(job.jid)
        assert (info.reason, info.exit_code) == (Reason.OUT_OF_MEMORY, 3), info

    def test_a_container_that_somebody_kills_is_not_reported_as_out_of_memory(
        self, harness: Harness
    ) -> None:
        info = harness.hold(harness.place())
        containers = _containers(slurm_job(native_name(info.jid)))
        assert _podman("kill", *containers).returncode == 0
        info = harness.end_of(info.jid)
        assert (info.reason, info.exit_code) == (Reason.KILLED, 137)
        assert info.message == "killed by signal 9 (SIGKILL, exit code 137)"

    def test_a_bad_executable_is_reported(self, harness: Harness) -> None:
        job = harness.job(harness.place(), "exit", "0", argv=("no-such-executable",))
        harness.submit(job)
        info = harness.end_of(job.jid)
        assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START), info
        assert "no-such-executable" in info.message

    def test_a_working_directory_in_a_directory_of_the_job_is_not_made(
        self, harness: Harness
    ) -> None:
        place = harness.place()
        workdir = f"{place.job_out}/missing"
        info = harness.run(place, "exit", "0", workdir=workdir)
        assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START), info
        assert workdir in info.message
        assert not (place.local_out / "missing").exists()
        (place.local_out / "missing").mkdir()
        info = harness.run(place, "dump", place.job_out, workdir=workdir)
        assert place.dump()["cwd"] == workdir, info

    def test_a_removed_job_leaves_no_container(self, harness: Harness) -> None:
        place = harness.place()
        info = harness.hold(place)
        number = slurm_job(native_name(info.jid))
        assert harness.backend.remove(info.jid)
        harness.until("the process to end", place.is_held, lambda held: not held)
        harness.until("no container", lambda: _containers(number), lambda left: not left)

    def test_a_suspended_container_stands_still(self, harness: Harness) -> None:
        place = harness.place()
        info = harness.hold(place)
        number = slurm_job(native_name(info.jid))
        slurm("scontrol", "suspend", number)
        try:
            harness.until(
                "it stands still", lambda: _states(number), lambda seen: seen == ["paused"]
            )
        finally:  # what is removed while it is suspended leaves its container
            slurm("scontrol", "resume", number)
        harness.until("it goes on", lambda: _states(number), lambda seen: seen == ["running"])
        place.release()
        assert harness.end_of(info.jid).status is Status.SUCCEEDED

    def test_the_epilog_removes_a_container_whose_job_was_cancelled_while_suspended(
        self, harness: Harness
    ) -> None:
        """SLURM kills such a job at once, so nobody else can."""
        place = harness.place()
        info = harness.hold(place)
        number = slurm_job(native_name(info.jid))
        try:
            slurm("scontrol", "suspend", number)
            harness.until(
                "it stands still", lambda: _states(number), lambda seen: seen == ["paused"]
            )
            slurm("scancel", number)
            assert harness.end_of(info.jid).status is Status.FAILED
            _srun("sh", "-c", _EPILOG, "epilog", number)
            harness.until("the process to end", place.is_held, lambda held: not held)
            assert _containers(number) == []
        finally:
            for container in _containers(number):
                _podman("rm", "--force", container)

    def test_the_epilog_removes_what_outlived_its_job(self, harness: Harness) -> None:
        place = harness.place()
        info = harness.hold(place)
        number = slurm_job(native_name(info.jid))
        try:
            kill_processes(number)
            assert harness.end_of(info.jid).status is Status.FAILED
            assert place.is_held()
            _srun("sh", "-c", _EPILOG, "epilog", number)
            harness.until("the process to end", place.is_held, lambda held: not held)
            assert _containers(number) == []
        finally:
            for container in _containers(number):
                _podman("rm", "--force", container)


@pytest.mark.skipif(
    "PMAN_ENGINES_NETNS" in os.environ,
    reason="the node is a machine of its own, and this runs its script here; the class of "
    "conformance has the same attack there",
)
def test_a_link_that_takes_a_place_after_the_look_is_not_mounted(
    podman: Server, node: Node
) -> None:
    """It does so between the node's look and Podman's."""
    job, secret = node.storebase / "job", node.storebase / "secret"
    for folder in (job / "in", secret):
        folder.mkdir(parents=True)
        (folder / "file").write_text(folder.name)
    exports = [line for line in _srun("env").stdout.splitlines() if line.startswith("CONTAINERS_")]
    exchange = f"cd '{job}' && mv in aside && ln -s '{secret}' in"
    node.has("podman", f"""
export PATH=/usr/sbin:/usr/bin:/sbin:/bin {" ".join(exports)}
[ "$1" != init ] || [ ! -e '{node.root}/exchange' ] || ({exchange}) || exit 1
exec podman "$@"
""")  # fmt: skip
    mounts = (Bind(str(job / "in"), "/share/incoming", True, str(node.storebase)),)
    words = {"image": IMAGE, "argv": ("cat", "/share/incoming/file"), "mounts": mounts}
    assert node.run("podman", memory_mib=64, **words).is_success
    log = node.folder / "log.0"
    assert log.read_text() == "in"
    for file in node.folder.iterdir():
        file.unlink()
    (node.root / "exchange").touch()
    ended = node.run("podman", memory_mib=64, **words)
    assert (job / "in").is_symlink()
    assert (ended.reason, log.read_text()) == (reasons.CANNOT_START, "")
    assert f"the directory {job}/in was exchanged" in ended.message
    left = _podman("ps", "--all", "--quiet", "--filter", f"name={node.folder.name}")
    assert (left.returncode, left.stdout) == (0, "")


def _status_of(harness: Harness, info: JobInfo) -> dict[str, str]:
    """What a job showed of its ``/proc/self/status``."""
    lines = harness.logs_with(info, b"NoNewPrivs").decode().splitlines()
    return dict(line.split(":\t", 1) for line in lines)


#: As slurmd calls it after a job.
_EPILOG = f"SLURM_JOB_ID=$1 exec python3 {SHARE / 'pman-slurm'} epilog"


def _why_no_podman() -> str | None:
    try:
        done = _podman("image", "exists", "localhost/pman-test:1")
    except OSError as error:
        return str(error)
    return None if done.returncode == 0 else "it has no image; run engines/up podman"


def _podman(*words: str) -> "subprocess.CompletedProcess[str]":
    return _srun("podman", *words)


def _srun(*words: str) -> "subprocess.CompletedProcess[str]":
    """A command with the environment that jobs of SLURM have."""
    command = ["srun", "--quiet", "--mem=256", "--time=2", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def _containers(number: str) -> list[str]:
    label = f"label=pman.chrisproject.org/slurm-job={number}"
    done = _podman("ps", "--all", "--quiet", "--filter", label)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def _states(number: str) -> list[str]:
    """How the containers of a job of SLURM are."""
    containers = _containers(number)
    if not containers:
        return []
    return _podman("inspect", "--format={{.State.Status}}", *containers).stdout.split()
