"""Turns a new process into the main process of a job."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
import stat
import time
from typing import Any, NoReturn

from pman_kit.supervisor.outcome import Outcome, cannot_start

#: How long a directory is waited for that is neither seen nor seen to be missing, as NFS has it.
_PATIENCE_S = 60.0

_MISSING = (errno.ENOENT, errno.ENOTDIR)

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 36, 38


def start(job: dict[str, Any], environment: dict[str, str], log: int) -> tuple[int, Outcome | None]:
    """Start the main process: its id, and the end of the job if it could not be started."""
    for role, path in job["directories"]:
        why = _fault_of(path)
        if why:
            return 0, cannot_start(f"{why}: the {role} {path}")
    read, write = os.pipe()
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    supervisor = os.getpid()
    main = os.fork()
    if main == 0:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(1)  # the supervisor was killed before this process could get this signal
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  # pman's user may have sudo, a client has not
        become(job, environment, log, write)
    os.close(write)
    with open(read, "rb") as fault:
        found = fault.read().decode()
    return main, _end_at(job, *found.split(" ")) if found else None


def _fault_of(directory: str) -> str:
    """Why a job cannot have that directory; empty if it can."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            is_directory = stat.S_ISDIR(os.stat(directory).st_mode)
            return "" if is_directory else "no such directory"
        except OSError as error:
            if error.errno in _MISSING:
                return "no such directory"
            if time.monotonic() > deadline:
                return os.strerror(error.errno or 0)
        time.sleep(1)


def become(job: dict[str, Any], environment: dict[str, str], log: int, faults: int) -> NoReturn:
    """Turn this process into the job's; where that fails, write the step and errno, and end.

    :param faults: the descriptor that gets them; a successful start closes it.
    """
    step = "argv"
    try:
        argv = [_bytes(arg) for arg in job["argv"]]
        env = {_bytes(name): _bytes(value) for name, value in environment.items()}
        os.setsid()  # so that the job can signal its own group and not reach the supervisor
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.umask(0o022)
        for target, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
            os.dup2(source, target)
        step = "cwd"
        os.chdir(job["cwd"])
        step = "exec"
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if job["memory_mib"]:
            _limit_memory(job["memory_mib"] << 20)
        os.execvpe(argv[0], argv, env)  # noqa: S606 - no shell is what is wanted
    except OSError as error:
        os.write(faults, f"{step} {error.errno}".encode())
    except MemoryError:
        os.write(faults, f"{step} {errno.ENOMEM}".encode())
    except ValueError:
        os.write(faults, f"{step} {errno.EINVAL}".encode())
    finally:
        os._exit(127)


def _limit_memory(limit: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _end_at(job: dict[str, Any], step: str = "", number: str = "0") -> Outcome:
    name, why = job["argv"][0], os.strerror(int(number))
    if step == "cwd":
        return cannot_start(f"cannot enter {job['cwd']}: {why}", 126)
    if int(number) == errno.ENOENT:
        return cannot_start(f"no such executable: {name}", 127)
    return cannot_start(f"cannot run {name}: {why}", 126)
