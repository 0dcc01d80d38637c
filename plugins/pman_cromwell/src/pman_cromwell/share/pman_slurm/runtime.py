"""What each way to run an image does."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time

from . import cgroup, reasons
from .causes import Cause, cause_of, pauses_s
from .directories import open_directory, opened
from .job_spec import JobSpec, Mount
from .outcome import CannotStartError, Outcome, exited, not_started_in_time, out_of_memory
from .pull_output import PullOutput
from .run_files import PULLING, TROUBLE, jobs_folder, open_log, write, write_once
from .watch import Watch


class Runtime:
    """One worker's container; here what they have in common.

    :param environment: the job's variables; they are never written anywhere by this.
    :param worker: its number, from 0.
    """

    def __init__(
        self,
        spec: JobSpec,
        environment: dict[str, str],
        worker: int,
        watch: Watch,
    ) -> None:
        self.spec = spec
        self.environment = environment
        self.worker = worker
        self.watch = watch
        self._began = time.monotonic()
        self._kills_before = cgroup.oom_kills()

    def prepare(self) -> None:
        """Have the image; raises ``CannotStartError``."""
        raise NotImplementedError

    def start(self, log: int) -> subprocess.Popen[bytes]:
        """Begin, with both streams in the file ``log``; raises ``CannotStartError``."""
        raise NotImplementedError

    def stop(self, force: bool) -> None:
        """End what runs, gently or not."""
        raise NotImplementedError

    def pause(self, held: bool) -> bool:
        """SLURM suspends the job, or lets it go on; whether all is done.

        What runs in the cgroup of the SLURM job needs nothing.
        """
        return True

    def outcome(self, code: int) -> Outcome:
        """What a process that ended with ``code`` means."""
        outcome = exited(code)
        if not outcome.is_success and cgroup.oom_kills() != self._kills_before:
            return out_of_memory(outcome.code)
        return outcome

    def clean(self) -> None:
        """Leave nothing behind on the node."""

    def check_directories(self) -> None:
        """Report a directory that is missing or not for this job, before the image is got."""
        with self.directories():
            pass

    def directories(self) -> contextlib.AbstractContextManager[list[tuple[Mount, int]]]:
        """The job's mounts, each with its directory open; raises ``CannotStartError``."""
        return opened(self.spec.mounts, jobs_folder(self.spec.folder))

    def first_words(self) -> str:
        """The first line of the log, where engines say why nothing was started."""
        with open(open_log(self.spec.folder, self.worker, os.O_RDONLY), "rb") as log:
            said = log.read(4096).decode(errors="replace").splitlines()
        return said[0] if said else ""

    def check_workdir(self) -> None:
        """In a directory of the job it must be there: the runtimes of containers would make it."""
        path = self.workdir_on_node()
        if path is not None:
            try:
                os.close(open_directory(path))
            except CannotStartError as missing:
                words = f"the working directory {self.spec.workdir} cannot be had: {missing}"
                raise CannotStartError(words) from missing

    def workdir_on_node(self) -> str | None:
        """Where the node has the working directory; ``None`` if it is the image's."""
        workdir = self.spec.workdir or ""
        for mount in reversed(self.spec.mounts):  # the innermost first
            if (workdir + "/").startswith(mount.target + "/"):
                return mount.source + workdir[len(mount.target) :]
        return None

    def fetch(self, command: list[str]) -> None:
        """Run the command that gets the image, again after a transient failure."""
        with contextlib.suppress(OSError):  # it only informs
            write_once(self.spec.folder, PULLING, {"image": self.spec.image})
        for pause_s in pauses_s():
            words = self._try(command)
            if words is None:
                return
            cause, message = self._cause(words)
            if cause.is_final:
                raise CannotStartError(message, reasons.IMAGE_NOT_FOUND)
            self.wait_to_retry(cause, message, pause_s)

    def wait_to_retry(self, trouble: Cause, message: str, pause_s: float) -> None:
        """Report why the job cannot start now, and wait; raises ``EndedError``."""
        limit_s = self.spec.start_deadline_s
        if limit_s is not None and time.monotonic() - self._began > limit_s:
            raise EndedError(not_started_in_time(limit_s, message))
        self._report_trouble(trouble, message)
        cause = self.watch.idle(pause_s)
        if cause:
            raise EndedError(cause._replace(message=f"{cause.message}; {message}"))

    def _cause(self, words: str) -> tuple[Cause, str]:
        cause = cause_of(self.spec.causes, words)
        return cause, f"cannot get image {self.spec.image}: {cause.wording} ({words})"

    def _report_trouble(self, trouble: Cause, message: str) -> None:
        """Only a transient cause: a final one is in the outcome of the job."""
        if not trouble.is_final:
            with contextlib.suppress(OSError):  # it only informs
                content = {"reason": trouble.reason, "message": message}
                write(self.spec.folder, TROUBLE, content)

    def _try(self, command: list[str]) -> str | None:
        """Run a command; what it complained of, if it failed."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        words = PullOutput(process, lambda retry: self._report_trouble(*self._cause(retry)))
        cause = self.watch.wait(process, lambda force: process.kill())
        if cause:
            raise EndedError(cause)
        return words.end() if process.returncode else None


class EndedError(Exception):
    """The run was ended before its container began."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome
