"""Runtime ``podman``: command lines of Podman 4.3 and newer.

The log driver ``passthrough`` gives the container the log file itself, so both streams are in
order. Podman's containers live outside the cgroup of the SLURM job, so Podman holds the limits.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

from . import oom
from .causes import MACHINE, Cause, cause_of, pauses_s
from .directories import patiently
from .errors import NODE_ERRORS
from .job_spec import as_bytes
from .mounted import elsewhere
from .options import devices, mount_words, split_environment
from .outcome import CannotStartError, Outcome, exited, lost, out_of_memory
from .runtime import EndedError, Runtime

if TYPE_CHECKING:
    from .job_spec import Mount

#: Finds what outlived a job of SLURM.
LABEL = "pman.chrisproject.org/slurm-job"

#: What a root job keeps: it must write folders that pfcon owns, and may become another user.
_ROOT_KEEPS = "CAP_CHOWN,CAP_DAC_OVERRIDE,CAP_FOWNER,CAP_SETUID,CAP_SETGID"

#: The state of a container that has all but its program, those of one that was never started, and
#: the message for one that is not there.
_INITIALIZED = "initialized"
_UNSTARTED = ("created", "configured", _INITIALIZED)
_MISSING = "no such container"
#: What the init (catatonit 0.1.7) says of a program that it cannot run, before it ends with 1.
_NOT_EXECUTED = re.compile(r"ERROR \(catatonit:\d+\): failed to exec pid1: (.+)")
#: What Podman says of a container that is not paused.
_NOT_PAUSED = "is not paused"

#: Podman ends a container even where SLURM killed what watches it, this long after its time limit.
#: Podman counts time while suspended, too, so all suspensions together may last that long.
_SUSPENDED_S = 30 * 24 * 3600

#: How often Podman is asked how a container ended, and for how long each time.
_ATTEMPTS, _PAUSE_S, _ANSWER_S = 5, 1.0, 60.0

#: Why a job waits whose container Podman does not report.
_SILENT = Cause("", False, MACHINE, "")
_SILENCE = "Podman does not report the container's process"


class _State(NamedTuple):
    """A container as Podman has it."""

    status: str
    code: int
    out_of_memory: bool
    error: str
    process: int = 0


class Podman(Runtime):
    """A container that is created, started once and removed."""

    _notices: oom.Notices | None = None

    @property
    def name(self) -> str:
        """The container's name."""
        return f"pman-{self.spec.workflow}-{self.worker}"

    def prepare(self) -> None:
        """Pull the image if the node does not have it, and create the container."""
        if _call("image", "exists", self.spec.image).returncode:
            self.fetch(["podman", "pull", "--quiet", self.spec.image])
        for pause_s in pauses_s():
            done = self._create()
            if done.returncode == 0:
                return
            self.clean()
            cause, message = self._cause_of_failure(_last_line(done))
            if cause.reason != MACHINE:
                raise CannotStartError(message)
            self.wait_to_retry(cause, message, pause_s)

    def _cause_of_failure(self, words: str) -> tuple[Cause, str]:
        return cause_of(self.spec.causes, words), f"Podman cannot create the container: {words}"

    def _create(self) -> subprocess.CompletedProcess[bytes]:
        path = os.path.join(os.environ.get("TMPDIR", "/tmp"), f".env-{self.name}")  # noqa: S108
        simple, inherited, shown = split_environment(self.environment)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write("".join(f"{name}={value}\n" for name, value in simple.items()))
            words = self.create_words(path, inherited, shown, is_root=self._is_root())
            return _call(*words, environment={**os.environb, **as_bytes(inherited)})
        finally:
            os.unlink(path)

    def start(self, log: int) -> subprocess.Popen[bytes]:
        """Start and attach, once the container is seen to have the directories of the job."""
        has_notices = self.spec.memory_mib is not None and oom.is_needed()
        process = 0
        with self.directories() as mounts:
            if mounts:
                process = self._first_process(log)
                self._compare(process, mounts)
            elif has_notices:
                # What fails here fails in the start that comes next, which reports it.
                self._initialize(log)
                os.ftruncate(log, 0)
                state = self._answer()
                process = state.process if state else 0
        if has_notices:
            with contextlib.suppress(OSError):  # then it stays unknown
                self._notices = oom.Notices(process)
        return subprocess.Popen(
            # Its warnings would be lines of the job's log: Podman 5 has one about cgroup v1.
            ["podman", "start", "--attach", "--log-level=error", self.name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # Podman hands signals of SLURM on to the container; that is for the watch to do.
            start_new_session=True,
        )

    def _first_process(self, log: int) -> int:
        """What has the mounts of the container, and will become its program.

        Nothing of the job has begun, so a Podman that does not answer is waited for.
        """
        pauses = pauses_s()
        while True:
            self._initialize(log)
            state = self._answer()
            if state and state.status == _INITIALIZED:
                os.ftruncate(log, 0)
                return state.process
            cause, message = _SILENT, _SILENCE
            if state and state.status in (_MISSING, *_UNSTARTED):
                words = state.error or self.first_words()
                cause, message = self._cause_of_failure(words)
                if cause.reason != MACHINE:
                    raise self._not_started(state)
            os.ftruncate(log, 0)
            self.wait_to_retry(cause, message, next(pauses))

    def _initialize(self, log: int) -> None:
        """Make its mounts and its cgroup; its program does not run yet.

        Podman hands the log on to the container. There it writes the container's name, or what is
        wrong; so this comes before all else that is in the log.
        """
        process = subprocess.Popen(
            ["podman", "init", "--log-level=error", self.name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        # Nothing can be paused yet: that is left to the watch of the container.
        cause = self.watch.wait(process, lambda _: process.kill(), lambda _: False)
        if cause:
            raise EndedError(cause)

    def _compare(self, process: int, mounts: list[tuple[Mount, int]]) -> None:
        """Only the directories that were looked at may be in the container."""
        exchanged = patiently(lambda: elsewhere(process, mounts))
        if exchanged:
            words = "was exchanged, perhaps for a link, while the container was made"
            raise CannotStartError(f"the directory {exchanged.source} {words}")

    def stop(self, force: bool) -> None:
        """Signal the container."""
        _call("kill", "--signal", "KILL" if force else "TERM", self.name)

    def pause(self, held: bool) -> bool:
        """SLURM's suspension does not reach the container."""
        try:
            done = _call("pause" if held else "unpause", self.name, timeout_s=_ANSWER_S)
        except NODE_ERRORS:
            return held  # perhaps Podman did it; and what was done is undone later
        return done.returncode == 0 or _NOT_PAUSED in done.stderr.decode(errors="replace")

    def outcome(self, code: int) -> Outcome:
        """Podman itself knows how the container ended."""
        state = self._state()
        if state is None and code:
            # It is that of the container, or of Podman's own trouble.
            words = f"Podman does not report how the container ended; podman start gave {code}"
            return lost(words)
        if state is None:
            return exited(code)
        if state.status in (_MISSING, *_UNSTARTED):
            raise self._not_started(state)
        said = _NOT_EXECUTED.fullmatch(self.first_words()) if state.code == 1 else None
        if said:
            raise self._not_begun(said.group(1))
        if state.code == 0:
            return exited(0)
        was_memory = state.out_of_memory or self._was_out_of_memory()
        if was_memory:
            return out_of_memory(state.code)
        is_unknown = was_memory is None and self.spec.memory_mib is not None
        return exited(state.code, probably_memory=is_unknown)

    def _was_out_of_memory(self) -> bool | None:
        """What the kernel says where Podman says nothing; ``None`` if unknown."""
        if not oom.is_needed():
            return False  # Podman reports it
        return self._notices.happened() if self._notices else None

    def clean(self) -> None:
        """Remove the container."""
        _call("rm", "--force", "--ignore", "--volumes", self.name)

    def create_words(
        self, env_file: str, inherited: dict[str, str], shown: dict[str, str], *, is_root: bool
    ) -> list[str]:
        """The arguments of ``podman``."""
        spec = self.spec
        words = ["create", "--name", self.name, "--pull=never", "--log-driver=passthrough"]
        # An init as process 1: it reaps orphans, and signals that a job sends itself arrive.
        words += ["--init"]
        words += ["--label", f"{LABEL}={os.environ.get('SLURM_JOB_ID', '')}"]
        words += ["--security-opt=no-new-privileges", "--cap-drop=ALL"]
        # Podman would give them to any other user just as well.
        words += [f"--cap-add={_ROOT_KEEPS}"] if is_root else []
        words += ["--env-file", env_file]
        words += [f"--env={name}" for name in inherited]
        words += [f"--env={name}={value}" for name, value in shown.items()]
        if spec.uid is not None:
            group = "" if spec.gid is None else f":{spec.gid}"
            words += [f"--user={spec.uid}{group}"]
        if spec.memory_mib is not None:
            words += [f"--memory={spec.memory_mib}m", f"--memory-swap={spec.memory_mib}m"]
        if spec.cpu_millicores is not None:
            words += [f"--cpus={spec.cpu_millicores / 1000:.3f}"]
        if spec.shm_mib is not None:
            words += [f"--shm-size={spec.shm_mib}m"]
        if spec.workdir is not None:
            words += ["--workdir", spec.workdir]
        if spec.time_limit_s is not None:
            words += [f"--timeout={spec.time_limit_s + _SUSPENDED_S}"]
        for mount in spec.mounts:
            words += ["--mount", mount_words(mount.source, mount.target, mount.read_only)]
        for device in devices(spec.gpus):
            words += ["--device", device]
        return [*words, "--entrypoint", json.dumps([spec.argv[0]]), spec.image, *spec.argv[1:]]

    def _is_root(self) -> bool:
        """Whether the job is root in its container: the spec says, or else the image."""
        if self.spec.uid is not None:
            return self.spec.uid == 0
        done = _call("image", "inspect", "--format={{.User}}", self.spec.image)
        if done.returncode:
            raise CannotStartError(f"Podman cannot read the image: {_last_line(done)}")
        user = done.stdout.decode(errors="replace").strip()
        return user.partition(":")[0] in ("", "0", "root")

    def _state(self) -> _State | None:
        """The container; ``None`` if Podman does not answer, also when it is asked again."""
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_PAUSE_S)
            state = self._answer()
            # One that still runs was left by what was attached to it, and has no code yet.
            if state and state.status != "running":
                return state
        return None

    def _answer(self) -> _State | None:
        """The container; ``None`` if Podman does not answer now."""
        words = ("inspect", "--type=container", "--format={{json .State}}", self.name)
        with contextlib.suppress(*NODE_ERRORS):
            return _state_of(_call(*words, timeout_s=_ANSWER_S))
        return None

    def _not_started(self, state: _State) -> CannotStartError:
        """Podman's reason; it is in the log where the container keeps none."""
        return self._not_begun(state.error or self.first_words() or "Podman gave no reason")

    def _not_begun(self, words: str) -> CannotStartError:
        return CannotStartError(f"{self.spec.argv[0]!r} in {self.spec.image}: {words}")


def _state_of(done: subprocess.CompletedProcess[bytes]) -> _State | None:
    """What ``podman inspect`` answers; ``None`` if that makes no sense."""
    if done.returncode:
        is_missing = _MISSING in done.stderr.decode(errors="replace").lower()
        return _State(_MISSING, 0, False, "") if is_missing else None
    try:
        answer = json.loads(done.stdout)
        code, killed, error = int(answer["ExitCode"]), answer.get("OOMKilled"), answer.get("Error")
        process = int(answer.get("Pid") or 0)
        return _State(answer["Status"], code, bool(killed), error or "", process)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _call(
    *words: str, environment: dict[bytes, bytes] | None = None, timeout_s: float = 300
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["podman", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )


def _last_line(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1][:1000] if lines else "it gave no reason"
