"""The Cromwell configuration file: the sections that decide how a job runs."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyhocon  # type: ignore[import-untyped]

from cromwell_standin.errors import ConfigError

_log = logging.getLogger(__name__)

_FACTORY = "cromwell.backend.impl.sfs.config.ConfigBackendLifecycleActorFactory"

#: Keys of a backend's configuration that are used here, or mean nothing to a single job.
_KNOWN = {
    "root", "runtime-attributes", "default-runtime-attributes", "submit", "kill", "check-alive",
    "job-id-regex", "exit-code-timeout-seconds", "script-epilogue", "concurrent-job-limit",
    "run-in-background", "submit-docker", "filesystems",
}  # fmt: skip


@dataclass(frozen=True)
class Backend:
    """One backend of the kind that is made of commands."""

    name: str
    root: Path
    runtime_attributes: str
    default_attributes: Mapping[str, Any]
    submit: str
    kill: str
    check_alive: str
    job_id_regex: str
    exit_code_timeout: float | None
    epilogue: str
    concurrent_jobs: int | None


@dataclass(frozen=True)
class Site:
    """What the file says; ``None`` where it says nothing."""

    backend: Backend
    call_caching: bool | None
    summary: float | None
    pick_up: float | None
    launch_count: int | None
    max_workflows: int | None


def load(path: Path, root: Path | None = None) -> Site:
    """Read the file.

    :param root: takes the place of the backend's ``root``.
    :raises ConfigError: the file, or the backend that it chooses, cannot be used.
    """
    # Cromwell's own defaults are in its jar, so there is nothing here to include.
    text = re.sub(
        r"(?m)^\s*include required\(classpath\(\"application\"\)\)\s*$", "", path.read_text()
    )
    try:
        tree = pyhocon.ConfigFactory.parse_string(text, basedir=str(path.parent))
        name = str(tree["backend.default"])
        provider = tree[f"backend.providers.{name}"]
    except Exception as error:
        raise ConfigError(f"{path}: {type(error).__name__}: {error}") from error
    if provider.get("actor-factory", None) != _FACTORY:
        raise ConfigError(
            f"{path}: the stand-in only knows backends whose actor-factory is {_FACTORY}"
        )
    return Site(
        backend=_backend(path, name, provider["config"], root),
        call_caching=tree.get("call-caching.enabled", None),
        summary=_seconds(
            tree.get("services.MetadataService.config.metadata-summary-refresh-interval", None)
        ),
        pick_up=_seconds(tree.get("system.new-workflow-poll-rate", None)),
        launch_count=tree.get("system.max-workflow-launch-count", None),
        max_workflows=tree.get("system.max-concurrent-workflows", None),
    )


def _backend(path: Path, name: str, config: Any, root: Path | None) -> Backend:
    missing = {"submit", "kill", "check-alive", "job-id-regex"} - set(config)
    if missing:
        raise ConfigError(f"{path}: backend {name} has no {', '.join(sorted(missing))}")
    if config.get("run-in-background", False):
        raise ConfigError(f"{path}: the stand-in does not know run-in-background")
    for key in sorted(set(config) - _KNOWN):
        _log.warning("%s: %s of backend %s is ignored by this stand-in", path, key, name)
    return Backend(
        name=name,
        root=root or Path(config.get("root", "cromwell-executions")).absolute(),
        runtime_attributes=config.get("runtime-attributes", ""),
        default_attributes=dict(config.get("default-runtime-attributes", {})),
        submit=config["submit"],
        kill=config["kill"],
        check_alive=config["check-alive"],
        job_id_regex=config["job-id-regex"],
        exit_code_timeout=_seconds(config.get("exit-code-timeout-seconds", None)),
        epilogue=config.get("script-epilogue", "sync"),
        concurrent_jobs=config.get("concurrent-job-limit", None),
    )


def _seconds(value: object) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    # The parser leaves it as text where a word follows that it does not know.
    return None if value is None else float(str(value))
