"""How a job ended, in the same words on every engine.

A backend finds out what happened, and one of these functions says it: the status, the reason, the
exit code and the message belong together. Nodes that cannot import this quote the same words.
"""

from __future__ import annotations

import signal

import attrs

from pman_core.contract.info import Reason, Status

#: The exit code of a process that SIGKILL ended, as shells and engines report it.
SIGKILLED = 128 + signal.SIGKILL


@attrs.frozen
class Outcome:
    """The end of a job.

    :param message: for a person.
    :param reason: why it failed; ``None`` for a job that succeeded.
    :param exit_code: of the main process, 128 + N for signal N; ``None`` where there is none.
    """

    message: str
    reason: Reason | None = None
    exit_code: int | None = None

    @property
    def status(self) -> Status:
        """Succeeded or failed."""
        return Status.SUCCEEDED if self.reason is None else Status.FAILED


def exited(code: int, *, probably_memory: bool = False) -> Outcome:
    """The main process ended with this code, or an engine reports a signal as one (128 + N).

    Of these codes only that of SIGKILL is taken for a signal: a program may choose any other.

    :param probably_memory: whether the engine does not know if memory was the cause; the kernel
        is the likeliest sender of a SIGKILL that nobody asked for.
    """
    if code == 0:
        return Outcome("finished", exit_code=0)
    if code == SIGKILLED:
        killed = signalled(signal.SIGKILL)
        suspicion = ", probably out of memory" if probably_memory else ""
        return attrs.evolve(killed, message=killed.message + suspicion)
    return Outcome(f"exited with code {code}", Reason.EXIT_CODE, code)


def signalled(number: int) -> Outcome:
    """A signal ended the main process.

    :param number: of the signal.
    """
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "a real-time signal"
    code = 128 + number
    return Outcome(f"killed by signal {number} ({name}, exit code {code})", Reason.KILLED, code)


def out_of_memory(code: int | None = SIGKILLED) -> Outcome:
    """The job used more memory than its limit, and was ended for that."""
    detail = "" if code is None else f" (exit code {code})"
    message = f"out of memory: it wanted more than its memory limit{detail}"
    return Outcome(message, Reason.OUT_OF_MEMORY, code)


def over_time_limit(limit_s: int, code: int | None = SIGKILLED) -> Outcome:
    """The job ran for longer than it may.

    :param limit_s: how long it may run, in seconds.
    """
    message = f"ended: it ran for longer than its time limit of {limit_s} s"
    return Outcome(message, Reason.TIME_LIMIT, code)


def cannot_start(why: str, code: int | None = None) -> Outcome:
    """The job's process could not be started."""
    return Outcome(f"cannot start: {why}", Reason.CANNOT_START, code)


def not_started_in_time(deadline_s: int, waited_for: str) -> Outcome:
    """The job did not start within ``START_DEADLINE``.

    :param deadline_s: the seconds of ``START_DEADLINE``.
    :param waited_for: the message of the job while it waited.
    """
    return Outcome(f"not started within {deadline_s} s: {waited_for}", Reason.START_DEADLINE)


def cancelled() -> Outcome:
    """A client cancelled the job."""
    return Outcome("cancelled", Reason.CANCELLED)


def lost(why: str, code: int | None = None) -> Outcome:
    """The engine does not know how the job ended, and it does not run."""
    return Outcome(f"lost: {why}", Reason.LOST, code)
