"""Watches over a job until its return code is there, or kills it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from cromwell_standin import clock, ends, wdl
from cromwell_standin.commands import Commands
from cromwell_standin.errors import WorkflowError
from cromwell_standin.script import Paths
from cromwell_standin.store import Record, Store
from cromwell_standin.times import Times

#: Return codes that Cromwell takes for an abort: SIGINT, SIGKILL, SIGTERM.
ABORTS = (130, 137, 143)
#: What Cromwell writes for a job that is gone without a return code.
LOST = 79


class Watch:
    """Over every job of a server.

    :param timeout: ``exit-code-timeout-seconds`` of the configuration.
    """

    def __init__(
        self, store: Store, commands: Commands, times: Times, timeout: float | None
    ) -> None:
        self._store = store
        self._commands = commands
        self._times = times
        self._timeout = times.exit_code_timeout or timeout

    def poll(self, workflow: str, record: Record) -> float | None:
        """Look for the return code; returns the pause until the next look."""
        run = record["run"]
        paths = Paths(Path(run["paths"]))
        code = paths.file("rc")
        if (
            run.pop("recovering", False)
            and not self._commands.alive(paths, run["job"])
            and not code.exists()
        ):
            raise WorkflowError(
                f"Unable to determine that {run['job']} is alive, and {code} does not exist."
            )
        if code.exists():
            if record["store"] == "Aborting":
                ends.end(self._store, workflow, "Aborted")
            else:
                self._judge(workflow, record, code.read_text())
            return None
        status = self._check(paths, run)

        def change(record: Record) -> None:
            record["run"] = run
            ends.call(record)["backendStatus"] = status

        run["pause"] = min(run["pause"] * self._times.poll_factor, self._times.poll_last)
        self._store.update(workflow, change)
        return float(run["pause"])

    def plan_check(self, record: Record) -> None:
        """Set the clock for check-alive."""
        record["run"]["check"] = None if self._timeout is None else time.time() + self._timeout

    def _check(self, paths: Paths, run: dict[str, Any]) -> str:
        """Look whether the job is there at all, where and when the configuration wants it."""
        waiting = run.get("waiting", False)
        if run["check"] is not None and self._timeout is not None and time.time() >= run["check"]:
            if waiting:
                _publish(paths, f"{LOST}\n")
            elif not self._commands.alive(paths, run["job"]):
                run["waiting"] = waiting = True
            run["check"] = time.time() + self._timeout
        return "WaitingForReturnCode" if waiting else "Running"

    def _judge(self, workflow: str, record: Record, text: str) -> None:
        program = wdl.parse(record["metadata"]["submittedFiles"]["workflow"])
        tag = f"{program.call_name}:NA:1"
        try:
            code = int(text)
        except ValueError:
            raise WorkflowError(f"job {tag} has an invalid return code: {text}") from None
        if code in ABORTS:
            raise WorkflowError("The job was aborted from outside Cromwell")
        self._store.update(workflow, lambda record: ends.call(record).update(returnCode=code))
        inputs = json.loads(record["metadata"]["submittedFiles"]["inputs"])
        evaluated = wdl.evaluate(program, inputs)
        if not _continues(evaluated.runtime.get("continueOnReturnCode"), code):
            raise WorkflowError(
                f"Job {tag} exited with return code {code} which has not been declared as a valid "
                "return code. See 'continueOnReturnCode' runtime attribute for more details."
            )
        results = wdl.outputs(program, evaluated.environment)

        def change(record: Record) -> None:
            ends.call(record).update(
                outputs=results, executionStatus="Done", backendStatus="Done", end=clock.now()
            )
            record["metadata"]["outputs"] = {
                f"{program.call_name}.{k}": v for k, v in results.items()
            }

        self._store.update(workflow, change)
        ends.end(self._store, workflow, "Succeeded")

    def kill(self, workflow: str, record: Record) -> float:
        """Begin an abort; the next look for the return code ends it."""
        run = record["run"]
        paths = Paths(Path(run["paths"]))
        # A job that has just ended keeps its own return code.
        _publish(paths, "143\n")
        self._commands.kill(paths, run["job"])
        self._store.update(workflow, lambda record: record["run"].update(killed=True))
        return float(run["pause"])


def _publish(paths: Paths, text: str) -> None:
    """Write a return code in the job's place, unless it has written one."""
    made = paths.file("rc.kill")
    made.write_text(text)
    try:
        os.link(made, paths.file("rc"))
    except FileExistsError:
        pass
    finally:
        made.unlink()


def _continues(attribute: Any, code: int) -> bool:
    if attribute is None:
        return code == 0
    if isinstance(attribute.json, bool):
        return attribute.json or code == 0
    return code in (attribute.json if isinstance(attribute.json, list) else [attribute.json])
