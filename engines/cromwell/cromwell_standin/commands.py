"""Runs the commands of the configuration file: submit, check-alive, kill."""

from __future__ import annotations

import logging
import re
import subprocess
from collections.abc import Mapping

import WDL

from cromwell_standin.config import Backend
from cromwell_standin.errors import ConfigError, WorkflowError
from cromwell_standin.script import Paths
from cromwell_standin.templates import Template, attribute_values, text

_log = logging.getLogger(__name__)

_SHELL = "/bin/bash"
#: Known whatever the configuration file declares.
_ALWAYS = {"continueOnReturnCode", "failOnStderr", "maxRetries"}


class Commands:
    """Those of one backend.

    :raises ConfigError: a command is no valid template.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        variables = ["job_name", "cwd", "out", "err", "script", "job_shell"]
        self._submit = Template("submit", backend.submit, backend.runtime_attributes, variables)
        self._check = Template("check_alive", backend.check_alive, "", ["job_id", "job_shell"])
        self._kill = Template("kill", backend.kill, "", ["job_id", "job_shell"])
        try:
            self._job_id = re.compile(backend.job_id_regex)
        except re.error as error:
            raise ConfigError(f"job-id-regex: {error}") from error

    def attributes(
        self, task: str, runtime: Mapping[str, WDL.Value.Base]
    ) -> dict[str, WDL.Value.Base]:
        """A task's runtime section as the values that submit takes.

        :raises WorkflowError: an attribute is missing, wrong, or one that is not to be had here.
        """
        if "docker" in runtime or "container" in runtime:
            raise WorkflowError(
                "Runtime validation failed",
                [
                    "this stand-in runs no task with the attribute docker or container: Cromwell "
                    "would look the image up and run its script inside"
                ],
            )
        for name in ("maxRetries", "failOnStderr"):
            if getattr(runtime.get(name), "value", None):
                raise WorkflowError("Runtime validation failed", [f"this stand-in knows no {name}"])
        declared = {decl.name for decl in self._submit.attributes}
        known = declared | _ALWAYS | {"memory" for name in declared if name.startswith("memory_")}
        if unknown := ", ".join(sorted(set(runtime) - known)):
            _log.warning("Unrecognized runtime attribute keys of task %s: %s", task, unknown)
        defaults = {key: text(value) for key, value in self._backend.default_attributes.items()}
        return attribute_values(self._submit, defaults | dict(runtime), task)

    def submit(self, paths: Paths, job_name: str, attributes: Mapping[str, WDL.Value.Base]) -> str:
        """Hand the script over; returns the job's id.

        :raises WorkflowError: the command failed, or told no id.
        """
        variables = {
            "job_name": job_name,
            "cwd": paths.call,
            "out": paths.file("stdout"),
            "err": paths.file("stderr"),
            "script": paths.file("script"),
            "job_shell": _SHELL,
        }
        values = dict(attributes) | {name: text(value) for name, value in variables.items()}
        complaints = f"Check the stderr file for possible errors: {paths.file('stderr.submit')}"
        if _run(paths, "submit", self._submit.render(values)) != 0:
            raise WorkflowError(f"Unable to start job. {complaints}")
        output = paths.file("stdout.submit").read_text(errors="replace").rstrip("\r\n")
        match = self._job_id.fullmatch(output)
        if match is None:
            told = paths.file("stdout.submit")
            raise WorkflowError(f"Could not find job ID from stdout file: {told}. {complaints}")
        return match[1]

    def alive(self, paths: Paths, job: str) -> bool:
        """What check-alive says."""
        return _run(paths, "check", self._check.render(_of_job(job))) == 0

    def kill(self, paths: Paths, job: str) -> None:
        """Run the kill command, whatever it says."""
        _run(paths, "kill", self._kill.render(_of_job(job)))


def _of_job(job: str) -> dict[str, WDL.Value.Base]:
    return {"job_id": text(job), "job_shell": text(_SHELL)}


def _run(paths: Paths, suffix: str, command: str) -> int:
    script = paths.file(f"script.{suffix}")
    script.write_text(f"#!/bin/bash\n{command}\n")
    with (
        paths.file(f"stdout.{suffix}").open("wb") as out,
        paths.file(f"stderr.{suffix}").open("wb") as err,
    ):
        return subprocess.run(
            [_SHELL, str(script)], stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=False
        ).returncode
