"""The stand-in for Cromwell, before the real SLURM, as tests use it."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import attrs
import requests

import pman_cromwell
from pman_core import Job, JobInfo
from pman_core.contract.storage import host_storage
from pman_core.kit.names import native_name
from pman_core.testing import Subject
from pman_core.testing.faulty_registry import faulty_images
from pman_cromwell.backend import CromwellBackend
from pman_cromwell.validate import NO_IMAGE

SHARE = Path(str(files(pman_cromwell))) / "share"
CONFIGURATION = SHARE / "cromwell-slurm.conf"

#: An image with Python; ``engines/up`` makes it.
IMAGE = os.environ.get("PMAN_TEST_IMAGE", "localhost/pman-test:1")

#: ``engines/up cromwell`` prints these.
_SERVER, _PYTHON = "PMAN_CROMWELL_SERVER", "PMAN_CROMWELL_PYTHON"


def why_missing() -> str | None:
    """Why the tests cannot use Cromwell's stand-in on SLURM; ``None`` if they can."""
    for name, engine in (("PMAN_SLURM", "slurm"), (_SERVER, "cromwell")):
        if not os.environ.get(name):
            return f"{name} is unset; run engines/up slurm cromwell, not only {engine}"
    if slurm("scontrol", "ping", check=False).returncode:
        return "no slurmctld answers; run engines/up slurm"
    return None


def has_accounting() -> bool:
    return os.environ.get("PMAN_SLURM_ACCOUNTING") == "yes"


def slurm(*command: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=check)


def daemon(action: str, name: str) -> None:
    """What ``engines/slurm/daemon`` does to one daemon of SLURM."""
    slurm(os.environ["PMAN_SLURM_DAEMON"], action, name)


def runs_jobs() -> bool:
    """Whether SLURM runs a job; one that it does not run in time is withdrawn."""
    words = ("timeout", "30", "srun", "--quiet", "--mem=32", "--time=1", "true")
    return slurm(*words, check=False).returncode == 0


def until(look: Callable[[], object], patience_s: float = 60) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + patience_s
    while not look():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


#: The same order of events as with Cromwell's own times, in a hurry.
FAST = ("--times", "fast")


@attrs.define
class Server:
    """One stand-in; its state outlives its process."""

    folder: Path
    runtime: str
    options: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    port: int = attrs.field(factory=lambda: free_port())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        own = {
            "PMAN_NODE": str(SHARE / "pman-slurm"),
            "PMAN_RUNTIME": self.runtime,
            "PMAN_CROMWELL_EXECUTIONS": str(self.folder / "executions"),
        }
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [os.environ[_SERVER], os.environ[_PYTHON], *self._words()],
                env={**os.environ, **own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until(self._answers)

    def _words(self) -> list[str]:
        state = str(self.folder / "state")
        words = ["--config", str(CONFIGURATION), "--state", state, "--port", str(self.port)]
        return [*words, *self.options]

    def kill(self) -> None:
        """As kill -9 does it, in the middle of whatever it is doing."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        assert self.process
        assert self.process.poll() is None, (self.folder / "server.log").read_text()[-2000:]
        try:
            return requests.get(self.url + "/engine/v1/version", timeout=5).ok
        except requests.RequestException:
            return False


def free_port() -> int:
    """Below the ports that the kernel gives away by itself, also while the server is dead."""
    while True:
        port = random.randrange(20000, 30000)  # noqa: S311 - no secret
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


@contextlib.contextmanager
def server(folder: Path, runtime: str, *options: str) -> Iterator[Server]:
    """A stand-in of this test's own."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Server(folder, runtime, options or FAST)
    try:
        made.start()
        yield made
    finally:
        made.kill()
        shutil.rmtree(folder, ignore_errors=True)


def slurm_job(name: str) -> str:
    """The number of the SLURM job of that name, once there is one."""
    found: list[str] = []

    def look() -> bool:
        found[:] = slurm("squeue", "-h", "-o", "%A", f"--name={name}").stdout.split()
        return bool(found)

    until(look)
    return found[-1]


def run_again(made: Server, info: JobInfo) -> None:
    """Do what somebody may do to have an ended job again: ask SLURM for it, run its script."""
    name = f"--name={native_name(info.jid)}"
    ended = slurm("squeue", "--states=all", "-h", "-o", "%A", name).stdout.split()
    assert ended, f"SLURM has forgotten {info}"
    slurm("scontrol", "requeue", ended[-1], check=False)
    assert info.native
    call = made.folder / "executions" / "pman" / info.native / "call-job" / "execution"
    variables = f"PMAN_NODE={SHARE / 'pman-slurm'},PMAN_RUNTIME={made.runtime}"
    words = ["sbatch", "--wait", "--mem=256", "--time=2", "--output=/dev/null"]
    wrapped = f"--wrap=exec python3 {SHARE / 'pman-slurm'} batch {call / 'script'}"
    assert (call / "script").exists()
    slurm(*words, f"--export={variables}", wrapped, check=False)


def kill_processes(number: str) -> None:
    """Kill what a job of SLURM runs on this node; what it left in other cgroups lives on."""
    for line in slurm("scontrol", "listpids", number).stdout.splitlines()[1:]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line.split()[0]), signal.SIGKILL)


def environ(made: Server, storebase: Path, **more: str) -> dict[str, str]:
    return {
        "CROMWELL_URL": made.url,
        "CROMWELL_RUNTIME": made.runtime,
        "STOREBASE": str(storebase),
        "ENGINE_TIMEOUT": "10",
        **more,
    }


@contextlib.contextmanager
def subject_of(made: Server, folder: Path, **more: str) -> Iterator[Subject]:
    """A backend on that stand-in, with a storebase of its own."""
    storebase = folder / f"storebase-{uuid.uuid4().hex[:8]}"
    (storebase / ".pman").mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, storebase, ignore_errors=True)
        yield _subject(made, storebase, stack, more)


def _subject(
    made: Server, storebase: Path, stack: contextlib.ExitStack, more: dict[str, str]
) -> Subject:
    variables = environ(made, storebase, **more)

    @contextlib.contextmanager
    def foreign(name: str) -> Iterator[Callable[[], bool]]:
        jobs = storebase / ".pman" / "pman" / "jobs"
        jobs.mkdir(parents=True, exist_ok=True)
        (jobs / f"{name}.json").write_text("somebody else's")
        yield (jobs / f"{name}.json").exists

    def unplaceable(job: Job) -> Job:
        occupy_gpus(stack)
        return attrs.evolve(job, resources=attrs.evolve(job.resources, gpus=2))

    def lose(info: JobInfo) -> None:
        name = native_name(info.jid)
        slurm("scancel", "--signal=KILL", "--full", slurm_job(name))

    def limits_swap(info: JobInfo) -> bool:
        number = slurm_job(native_name(info.jid))
        for folder in Path("/sys/fs/cgroup/memory").glob(f"slurm*/uid_*/job_{number}/step_batch"):
            names = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
            limits = {(folder / name).read_text() for name in names if (folder / name).exists()}
            return len(limits) == 1
        return False

    def suspension(word: str) -> Callable[[JobInfo], None]:
        def act(info: JobInfo) -> None:
            slurm("scontrol", word, slurm_job(native_name(info.jid)))

        return act

    return Subject(
        factory=CromwellBackend,
        environ=variables,
        image=NO_IMAGE if made.runtime == "none" else IMAGE,
        storage=host_storage(str(storebase)),
        storebase=storebase,
        memory_mib=128,
        missing_image="localhost:1/no-such-image:1",
        make_foreign=foreign,
        unplaceable=unplaceable,
        lose_run=lose,
        restart_run=lambda info: run_again(made, info),
        suspend_run=suspension("suspend"),
        unsuspend_run=suspension("resume"),
        faulty_image=None if made.runtime == "none" else faulty_images(),
        limits_swap=limits_swap,
        stop_engine=made.kill,
        crash_engine=made.kill,
        start_engine=made.start,
        patience_s=90,
    )


def occupy_gpus(stack: contextlib.ExitStack) -> None:
    """Have a job of SLURM's hold both GPUs of the node, until the test ends."""
    words = ["sbatch", "--parsable", "--gres=gpu:2", "--mem=32", "--time=10", "--output=/dev/null"]
    job = slurm(*words, "--wrap=exec sleep 600").stdout.strip()
    stack.callback(slurm, "scancel", job)
    until(lambda: "RUNNING" in slurm("squeue", "-h", "-o", "%T", "-j", job).stdout)
