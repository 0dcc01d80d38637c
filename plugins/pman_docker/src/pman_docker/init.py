"""The init that runs as process 1 of each job.

It reaps processes that lost their parent, and it makes the job's program another process than
number 1, to which the kernel delivers no signal of its own. With an init, an engine starts a
container also where the job's program cannot be run: the init says so on stderr, and ends.

Words of tini 0.19, which is Docker's ``docker-init``, and of catatonit 0.1.7 and 0.2, Podman's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pman_core import Reason
from pman_core.kit.causes import Cause
from pman_core.kit.outcome import Outcome, cannot_start

#: Where Podman mounts the init, which it then reports as the program (4 and later; before).
_PODMAN_PATHS = ("/run/podman-init", "/dev/init")

#: Exit codes of an init that could not run the program of a job, which a program may have as well.
#: tini ends with 127 where there is no such file, 126 where it may not be run, else with 1;
#: catatonit always with 1.
CODES = (1, 126, 127)

_STDERR = 2

_CANNOT_RUN = re.compile(
    rb"(?:\[FATAL tini \(\d+\)\] exec (?P<program>.+) failed"
    rb"|ERROR \(catatonit:\d+\): failed to exec pid1): (?P<why>[^\n]+)\n?",
    re.DOTALL,
)

#: Podman refuses to create a container with an init that it does not have (4.3: "container-init
#: binary not found on the host"; 5: 'lookup init binary: could not find "catatonit" in one of').
#: Docker would fail its start, and is asked before.
NO_INIT = Cause(
    "no-init",
    is_final=False,
    reason=Reason.QUEUED,
    wording="the engine has no init for jobs: install one on its machine (tini for Docker, "
    "catatonit for Podman), or set JOB_INIT=no to run jobs without",
    words=re.compile("container-init binary not found|lookup init binary", re.IGNORECASE),
)


def argv_of(container: Mapping[str, Any]) -> tuple[str, ...]:
    """What a job runs, without the init before it."""
    argv = (container["Path"], *(container["Args"] or ()))
    if has_init(container) and argv[0] in _PODMAN_PATHS and argv[1:2] == ("--",):
        return argv[2:]
    return argv


def has_init(container: Mapping[str, Any]) -> bool:
    """Whether a container was made with an init."""
    return bool((container.get("HostConfig") or {}).get("Init"))


def may_have_failed(container: Mapping[str, Any], code: int | None) -> bool:
    """Whether a container that ended with this code may have run nothing but the init."""
    return has_init(container) and code in CODES


def why_not_run(log: Iterable[tuple[int, bytes]], program: str) -> str | None:
    """Why an init could not run a program; ``None`` if it could.

    The init's words are all that such a container writes: whatever else a log holds, a program has
    written it.

    :param log: streams and contents of the log's first frames, as many as ``log_size`` says.
    """
    frames = list(log)
    if any(stream != _STDERR for stream, _ in frames):
        return None
    found = _CANNOT_RUN.fullmatch(b"".join(content for _, content in frames))
    if found is None or found["program"] not in (None, program.encode()):
        return None
    return found["why"].decode(errors="replace")


def not_run(program: str, why: str) -> Outcome:
    """The end of a job whose init could not run the job's program.

    :param why: what ``why_not_run`` returned.
    """
    # catatonit ends with 1 then; these are a shell's codes, and tini's
    return cannot_start(f"{program}: {why}", 127 if "No such file" in why else 126)


def log_size(program: str) -> int:
    """How much of a log must be read to know that there is more than the init's words in it."""
    return len(program.encode()) + 1024
