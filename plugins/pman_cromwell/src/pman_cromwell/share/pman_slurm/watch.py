"""Waits for a process, and ends it when it must not go on."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable

from . import reasons
from .clock import Clock
from .outcome import Outcome, by_pman, over_time_limit
from .run_files import (
    OUTCOME,
    STARTED,
    SUSPENDED,
    exists,
    is_gone,
    remove,
    write,
    write_once,
)
from .slurm import NoAnswerError, ask

#: Between two looks for the file ``cancelled``, which is on shared storage.
_LOOK_S = 1.0

#: Between asking a job to end and ending it; SLURM's own is KillWait, 30 s unless a site says else.
_GRACE_S = 3.0

#: SLURM warns a job with the first of these; the others come from people.
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

#: SLURM stops this process two seconds after SIGTSTP (22.05, ``slurmstepd/req.c``). Where it still
#: runs after this time, SLURM is asked whether the job is suspended at all.
_DOUBT_S = 10.0

#: The return codes of a process, or of a container, that SIGTERM ended.
_BY_SIGTERM = (-signal.SIGTERM, 128 + signal.SIGTERM)


class Watch:
    """What may end a run before its time: pman, its time limit, and SLURM.

    Make one per process, in the main thread, before any child.
    """

    def __init__(self, folder: str, time_limit_s: int | None) -> None:
        self._folder = folder
        self._limit_s = time_limit_s
        self._clock = Clock()
        self._paused = False  # whether the job was made to stand still
        self._suspension_reported = False
        self._unreported_start: float | None = None  # when the job began, until that is written
        self._signalled = False
        self._next_look = 0.0
        self._woken, wake = os.pipe()
        for end in (self._woken, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # it only wakes
        for number in _ENDING:
            signal.signal(number, self._on_signal)
        # Suspended time does not count; SLURM's own limit does not count it either.
        signal.signal(signal.SIGTSTP, lambda *_: self._clock.hold())
        signal.signal(signal.SIGCONT, lambda *_: self._clock.go())

    def start_clock(self) -> None:
        """The job begins now; that is written for pman as soon as its storage allows."""
        self._unreported_start = time.time()
        self._report_start()
        self._clock.begin()

    def wait(
        self,
        process: subprocess.Popen[bytes],
        stop: Callable[[bool], None],
        pause: Callable[[bool], bool] = lambda _: True,
    ) -> Outcome | None:
        """Wait for the end of ``process``; why it was ended, if it was.

        :param stop: ends it; gently first, then, with ``True``, at once.
        :param pause: for what SLURM does not suspend itself: lets it stand still, or, with
            ``False``, go on; whether that is done.
        """
        while process.poll() is None:
            self._follow_suspension(pause)
            cause = self._own_cause()
            if cause or self._signalled:
                if self._paused:  # what stands still hears nothing
                    pause(False)
                self._end(process, stop)
                return cause or self._cause_of_signal()
            self._sleep(min(_LOOK_S, self._left_s()))
        # SLURM signals all processes of a job at once: the container may be the quickest.
        if process.returncode in _BY_SIGTERM and not self._signalled:
            self._sleep(_GRACE_S / 10)
        return self._cause_of_signal() if self._signalled and process.returncode else None

    def idle(self, seconds: float) -> Outcome | None:
        """Wait so long, or until the run has to end; why it has to."""
        deadline = time.monotonic() + seconds
        while True:
            self._follow_suspension(lambda _: True)
            cause, left = self.cause(), deadline - time.monotonic()
            if cause or left <= 0:
                return cause
            self._sleep(min(_LOOK_S, left))

    def cause(self) -> Outcome | None:
        """Why the run has to end now, if it has to."""
        return self._own_cause() or (self._cause_of_signal() if self._signalled else None)

    def _follow_suspension(self, pause: Callable[[bool], bool]) -> None:
        """Do to the job what SLURM does to this process, and report it to pman."""
        if self._clock.held_s > _DOUBT_S and not _is_suspended():
            self._clock.go()
        held = self._clock.is_held
        if held is not self._paused and pause(held):
            self._paused = held
        if held is not self._suspension_reported:
            with contextlib.suppress(OSError):
                if held:
                    write(self._folder, SUSPENDED, {"time": time.time()})
                else:
                    remove(self._folder, SUSPENDED)
                self._suspension_reported = held

    def _end(self, process: subprocess.Popen[bytes], stop: Callable[[bool], None]) -> None:
        stop(False)
        self._wait(process, _GRACE_S)
        # Podman may take long to start a container, which cannot be killed before it runs.
        while process.poll() is None:
            stop(True)
            self._wait(process, _LOOK_S)

    def _wait(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        """For its end, and at most so long."""
        deadline = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < deadline:
            self._sleep(deadline - time.monotonic())

    def _own_cause(self) -> Outcome | None:
        if self._limit_s is not None and self._left_s() <= 0:
            return over_time_limit(self._limit_s)
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK_S
            self._report_start()
            outcome = by_pman(self._folder)
            if outcome:
                return outcome
            if is_gone(self._folder):
                return Outcome(reasons.KILLED, "ended by pman")
            if exists(self._folder, OUTCOME):
                # This node was thought to be lost: what was reported of the job has to stay true.
                return Outcome(reasons.KILLED, "ended: it had been reported as ended")
        return None

    def _cause_of_signal(self) -> Outcome:
        """pman writes its reason down before it has SLURM end a job."""
        return by_pman(self._folder) or _slurms_cause()

    def _report_start(self) -> None:
        if self._unreported_start is not None:
            with contextlib.suppress(OSError):
                write_once(self._folder, STARTED, {"time": self._unreported_start})
                self._unreported_start = None

    def _left_s(self) -> float:
        return _LOOK_S if self._limit_s is None else self._limit_s - self._clock.seconds()

    def _on_signal(self, *_: object) -> None:
        self._signalled = True

    def _sleep(self, seconds: float) -> None:
        """Until a signal comes, and at most so long."""
        select.select([self._woken], [], [], max(0.0, seconds))
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 1024)


def _is_suspended() -> bool:
    """Whether SLURM suspends this job, as far as it is known."""
    try:
        found = ask(os.environ.get("SLURM_JOB_ID", ""))
    except NoAnswerError:
        return True
    return found is not None and found.state == "SUSPENDED"


def _slurms_cause() -> Outcome:
    """SLURM ends this job: ask it why, which takes long where slurmctld is away.

    While a job completes, only its reason is of use.
    """
    try:
        found = ask(os.environ.get("SLURM_JOB_ID", ""))
    except NoAnswerError:
        found = None
    if found and found.has_ended:
        return found.outcome()
    if found and found.reason == "TimeLimit":
        return Outcome(reasons.TIME_LIMIT, "ended by SLURM at its time limit")
    detail = f" ({found.reason})" if found and found.reason not in ("", "None") else ""
    return Outcome(reasons.KILLED, "cancelled in SLURM" + detail)
