"""The settings of this backend."""

from __future__ import annotations

import platform
from collections.abc import Iterator

import environ

from pman_core.kit.settings import EngineSettings, absolute_path, names, variable, whole_number


@environ.config(prefix="", frozen=True)
class ProcessSettings(EngineSettings):
    """What an operator can say about jobs as local processes."""

    state_dir: str | None = variable(
        "PROCESS_STATE_DIR",
        absolute_path,
        None,
        "Folder that holds the jobs, on a local disk of this machine; only pman's user may "
        "have access to it. Unset means pman-process in $XDG_STATE_HOME or ~/.local/state. "
        "It is created where it does not exist.",
    )
    pass_env: tuple[str, ...] = variable(
        "PROCESS_PASS_ENV",
        names,
        "PATH,LANG,LC_ALL,TZ",
        "The variables of pman's own environment that jobs get besides those of their "
        "request, separated by commas. They get no other.",
    )
    log_max_mib: int = variable(
        "PROCESS_LOG_MAX_MIB",
        whole_number(1, 10**6),
        "1024",
        "Where the log of a job grows longer than this, its older half is dropped, in MiB.",
    )

    def problems(self) -> Iterator[str]:
        """What is wrong with this machine."""
        if platform.system() != "Linux":
            yield "CONTAINER_ENV=process needs Linux"
