"""A workflow's life after it was picked up, in steps; what is known lies in the store in between.

picked → queued → starting → running → ended.  Whoever starts again goes on with the step that is
written down; a submit command that was under way is run again, as Cromwell does it.
"""

from __future__ import annotations

import json
from pathlib import Path

from cromwell_standin import clock, ends, wdl
from cromwell_standin.commands import Commands
from cromwell_standin.config import Backend
from cromwell_standin.errors import WorkflowError
from cromwell_standin.script import Paths
from cromwell_standin.script import text as script_text
from cromwell_standin.store import Record, Store
from cromwell_standin.times import Times
from cromwell_standin.watch import Watch


class Life:
    """The steps of every workflow."""

    def __init__(self, store: Store, backend: Backend, times: Times, *, caching: bool) -> None:
        self._store = store
        self._backend = backend
        self._times = times
        self._caching = caching
        self._commands = Commands(backend)
        self._watch = Watch(store, self._commands, times, backend.exit_code_timeout)

    def recover(self, workflow: str) -> None:
        """After a start: a job is looked for at once, and given up if it is not known."""

        def change(record: Record) -> None:
            record["run"]["recovering"] = True

        self._store.update(workflow, change)

    def step(self, workflow: str) -> float | None:
        """Do what is next; returns the pause until the step after it, ``None`` at the end."""
        record = self._store.get(workflow)
        if record is None or record["store"] not in ("Running", "Aborting"):
            return None
        aborting = record["store"] == "Aborting"
        phase = record["run"]["phase"]
        try:
            if phase in ("picked", "queued") and aborting:
                ends.end(self._store, workflow, "Aborted")
                return None
            if phase == "picked":
                return self._begin(workflow, record)
            if phase == "queued":
                return self._try_start(workflow, record)
            if phase == "starting":
                return self._submit(workflow, record)
            if aborting and not record["run"].get("killed"):
                return self._watch.kill(workflow, record)
            return self._watch.poll(workflow, record)
        except WorkflowError as error:
            ends.fail(self._store, workflow, error)
            return None

    # -- picked -> queued

    def _begin(self, workflow: str, record: Record) -> float:
        files = record["metadata"]["submittedFiles"]
        program = wdl.parse(files["workflow"])
        evaluated = wdl.evaluate(program, json.loads(files["inputs"]))
        self._commands.attributes(program.task.name, evaluated.runtime)
        name = program.workflow.name

        def change(record: Record) -> None:
            metadata = record["metadata"]
            metadata.update(
                status=record["store"],
                workflowName=name,
                workflowRoot=str(self._backend.root / name / workflow),
                actualWorkflowLanguage="WDL",
                actualWorkflowLanguageVersion=program.language,
                inputs=evaluated.workflow_inputs,
            )
            call = {"executionStatus": "QueuedInCromwell", "shardIndex": -1, "attempt": 1}
            metadata["calls"] = {program.call_name: [call]}
            record["run"]["phase"] = "queued"
            if self._caching and record["options"].get("write_to_cache", True):
                record["run"]["fingerprint"] = wdl.fingerprint(
                    program, evaluated, self._backend.name
                )

        self._store.update(workflow, change)
        return self._times.token

    # -- queued -> starting, or a cached result

    def _try_start(self, workflow: str, record: Record) -> float | None:
        most = self._backend.concurrent_jobs
        if most is not None and self._jobs() >= most:
            return self._times.token
        files = record["metadata"]["submittedFiles"]
        program = wdl.parse(files["workflow"])
        evaluated = wdl.evaluate(program, json.loads(files["inputs"]))
        if self._caching and record["options"].get("read_from_cache", True):
            hit = self._cached(wdl.fingerprint(program, evaluated, self._backend.name))
            if hit is not None:
                self._copy(workflow, *hit)
                return None
        paths = self._paths(workflow, program)
        paths.folder.mkdir(parents=True, exist_ok=True)
        paths.file("script").write_text(
            script_text(paths, evaluated.command, self._backend.epilogue)
        )

        def change(record: Record) -> None:
            record["run"].update(phase="starting", call=program.call_name, paths=str(paths.call))
            ends.call(record).update(
                executionStatus="Running",
                start=clock.now(),
                backend=self._backend.name,
                commandLine=_stored(evaluated.command),
                inputs=evaluated.inputs,
                runtimeAttributes={
                    key: str(value.json) for key, value in evaluated.runtime.items()
                },
                callRoot=str(paths.call),
                stdout=str(paths.file("stdout")),
                stderr=str(paths.file("stderr")),
                callCaching={
                    "allowResultReuse": False,
                    "effectiveCallCachingMode": "CallCachingOff",
                },
                retryableFailure=False,
            )

        self._store.update(workflow, change)
        return 0

    def _jobs(self) -> int:
        records = (self._store.get(one) for one in self._store.active())
        return sum(
            one is not None and one["run"]["phase"] in ("starting", "running") for one in records
        )

    def _cached(self, fingerprint: str) -> tuple[str, Record] | None:
        """An equal call that succeeded."""
        for other in self._store.ended():
            record = self._store.get(other)
            if (
                record is not None
                and record["run"].get("fingerprint") == fingerprint
                and record["metadata"]["status"] == "Succeeded"
            ):
                return other, record
        return None

    def _copy(self, workflow: str, source: str, other: Record) -> None:
        """Take the result of an equal call: nothing runs."""
        name = next(iter(other["metadata"]["calls"]))
        reuse = {"hit": True, "result": f"Cache Hit: {source}:{name}:-1", "allowResultReuse": True}

        def change(record: Record) -> None:
            call = record["metadata"]["calls"][name][0]
            call.update(
                executionStatus="Done",
                returnCode=0,
                start=clock.now(),
                end=clock.now(),
                callCaching=reuse,
            )
            record["metadata"]["outputs"] = other["metadata"]["outputs"]

        self._store.update(workflow, change)
        ends.end(self._store, workflow, "Succeeded")

    # -- starting -> running

    def _submit(self, workflow: str, record: Record) -> float:
        files = record["metadata"]["submittedFiles"]
        program = wdl.parse(files["workflow"])
        evaluated = wdl.evaluate(program, json.loads(files["inputs"]))
        attributes = self._commands.attributes(program.task.name, evaluated.runtime)
        job_name = f"cromwell_{workflow[:8]}_{program.call.name}"
        job = self._commands.submit(Paths(Path(record["run"]["paths"])), job_name, attributes)

        def change(record: Record) -> None:
            record["run"].update(
                phase="running", job=job, pause=self._times.poll_first, recovering=False
            )
            self._watch.plan_check(record)
            ends.call(record).update(jobId=job, backendStatus="Running")

        self._store.update(workflow, change)
        return self._times.poll_first

    def _paths(self, workflow: str, program: wdl.Program) -> Paths:
        return Paths.of(self._backend.root, program.workflow.name, workflow, program.call.name)


def _stored(text: str) -> str:
    """Cromwell's database may hold no characters outside the basic plane."""
    return "".join(char if ord(char) < 0x10000 else "\ufffd" for char in text)
