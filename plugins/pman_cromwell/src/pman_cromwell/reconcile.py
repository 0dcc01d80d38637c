"""What happens to a job: it is posted, looked at, given up, cancelled, removed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pman_core import Job, JobInfo, Reason, Status
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError, NameTakenError
from pman_core.kit.names import native_name
from pman_cromwell import payload
from pman_cromwell.client import Cromwell
from pman_cromwell.errors import RefusedError
from pman_cromwell.job_spec import JobSpec, from_inputs, spec_of
from pman_cromwell.job_store import JobStore
from pman_cromwell.polling import until
from pman_cromwell.removal import Removal
from pman_cromwell.responses import QueryResult, Workflow
from pman_cromwell.run_files import Cancelled, RunFiles
from pman_cromwell.settings import CromwellSettings
from pman_cromwell.status import info_of, unrecorded_end

#: Cromwell's first word on a submission that is wrong (``PartialWorkflowSources.scala``).
_INVALID = "Error(s):"

_ABORTABLE = ("On Hold", "Submitted", "Running")


class Jobs:
    """The jobs of one pman instance; nothing is kept in memory.

    :param folder: the jobs folder of this instance, as the cluster sees it.
    """

    def __init__(
        self, cromwell: Cromwell, store: JobStore, settings: CromwellSettings, folder: str
    ) -> None:
        self._cromwell = cromwell
        self._store = store
        self._settings = settings
        self._removal = Removal(cromwell, store, settings)
        self._runs = f"{folder}/runs"

    def find(self, jid: str) -> JobSpec | None:
        """The job of that id."""
        spec = self._store.spec(native_name(jid, self._settings.instance))
        return spec if spec and spec.jid == jid else None

    # ------------------------------------------------------------ submitting

    def create(self, job: Job) -> JobSpec | None:
        """A new job, not yet posted; ``None`` if another process made it meanwhile.

        :raises NameTakenError: its name belongs to somebody else.
        """
        name = native_name(job.jid, self._settings.instance)
        if self._store.is_foreign(name):
            raise NameTakenError(job.jid, name)
        found = self._workflows(name)
        alive = [one for one in found if not payload.is_gone(one)]
        if alive:
            self._adopt(alive[0])
            return None
        generations = [int(one.labels.get(payload.GENERATION_LABEL, "0")) for one in found]
        spec = spec_of(
            job,
            instance=self._settings.instance,
            generation=max(generations, default=-1) + 1,
            runs=self._runs,
            runtime=self._settings.runtime,
            created=datetime.now(UTC),
        )
        return spec if self._store.create(spec) else None

    def post(self, spec: JobSpec, env: Mapping[str, str], *, first: bool) -> None:
        """Hand the job to Cromwell; to do that again is harmless.

        :param first: this very call made the order, so nobody can have posted it long ago.
        :raises InvalidJobError: Cromwell does not take it.
        """
        try:
            self._cromwell.submit(
                spec.workflow,
                payload.document(),
                payload.inputs(spec, env, self._settings),
                payload.OPTIONS,
                payload.labels(spec),
            )
        except RefusedError as refusal:
            if first and _is_final(spec, refusal):
                self._store.delete(spec)
                raise InvalidJobError(f"Cromwell refused the job: {refusal.words}") from refusal
            self._must_be_known(spec, refusal)
        self._store.mark_accepted(spec)

    def must_be_posted(self, spec: JobSpec) -> bool:
        """Whether Cromwell is not known to have it, and is to have it."""
        run = self._store.run(spec)
        return run is None or not (run.accepted or run.cancelled)

    def _adopt(self, found: QueryResult) -> None:
        """A workflow whose record is missing: write it anew."""
        workflow = self._cromwell.submitted(found.id)
        if workflow:
            spec = _submitted_spec(workflow.submitted_files.inputs)
            if spec.workflow == found.id:
                self._store.create(spec)
                self._store.mark_accepted(spec)

    def _must_be_known(self, spec: JobSpec, refusal: RefusedError) -> None:
        """Wait for the summary; the record stays, since a job may run by it.

        :raises EngineUnavailableError: Cromwell does not list it in time, or it is being removed.
        """
        timeout_s = self._settings.engine_timeout_s
        if until(lambda: self._cromwell.status(spec.workflow), timeout_s) is None:
            raise EngineUnavailableError(
                f"Cromwell refused job {spec.jid!r}, as it does with one that it has, and does "
                f"not list it; submit it again, or remove it. It said: {refusal.words}"
            ) from refusal
        for one in self._workflows(spec.name):
            if one.id == spec.workflow and payload.REMOVED_LABEL in one.labels:
                raise EngineUnavailableError(f"job {spec.jid!r} is still being removed")

    # -------------------------------------------------------------- looking

    def look(self, spec: JobSpec, *, listing: bool = False) -> JobInfo | None:
        """The job as it is; ``None`` if it has been removed meanwhile.

        :param listing: what cannot be written down of this job is no fault of the whole list.
        """
        run = self._store.run(spec)
        if run is None:
            return None
        now = datetime.now(UTC)
        workflow = None if run.ended else self._workflow(spec)
        if run.cancelled and run.ended is None and _is_abortable(workflow):
            self._cromwell.abort(spec.workflow)  # before it is told to have ended
        if run.ended is None:
            try:
                run = self._recorded(spec, workflow, run, now)
            except EngineUnavailableError:
                if not listing:
                    raise
        info = info_of(spec, workflow, run, now)
        waited_s = (now - spec.created).total_seconds()
        limit_s = self._settings.start_deadline_s
        if info.status is Status.NOT_STARTED and waited_s > limit_s and not run.cancelled:
            message = f"ended: it waited for more than {limit_s} s to start ({info.message})"
            self._store.cancel(spec, Cancelled(Reason.START_DEADLINE, message, now))
            return self.look(spec, listing=listing)
        return info

    def _workflow(self, spec: JobSpec) -> Workflow | None:
        """As cheaply as it can be had."""
        workflow = self._cromwell.status(spec.workflow)
        if workflow and workflow.has_ended:
            return self._cromwell.state(spec.workflow)
        return workflow

    def _recorded(
        self, spec: JobSpec, workflow: Workflow | None, run: RunFiles, now: datetime
    ) -> RunFiles:
        """The notes with an end in them, where there will be no other than Cromwell's."""
        ended = unrecorded_end(spec, workflow, run, now)
        if ended is None:
            return run
        self._store.record_end(spec, ended)
        return self._store.run(spec) or run

    # --------------------------------------------------------------- ending

    def cancel(self, spec: JobSpec) -> JobInfo | None:
        """End it and keep it; ``None`` if it has been removed meanwhile. It may be repeated.

        :raises EngineUnavailableError: it has not ended in time.
        """
        info = self.look(spec)
        if info and not info.status.is_final:
            cancelled = Cancelled(Reason.CANCELLED, "cancelled", datetime.now(UTC))
            self._store.cancel(spec, cancelled)
        if self._is_leaving(spec):
            self.remove(spec)
            return None
        timeout_s = self._settings.engine_timeout_s
        if not until(lambda: self._is_over(spec), timeout_s):
            raise EngineUnavailableError(
                f"job {spec.jid!r} did not end within {timeout_s:g} s; cancel it again"
            )
        return self.look(spec)

    def _is_leaving(self, spec: JobSpec) -> bool:
        """Whether somebody began to remove it."""
        run = self._store.run(spec)
        return bool(run and run.cancelled and run.cancelled.reason is None)

    def _is_over(self, spec: JobSpec) -> bool:
        info = self.look(spec)
        return info is None or (info.status.is_final and not self._store.is_running(spec))

    def resume(self) -> None:
        """Go on with the removals and the ends that a killed pman began."""
        self._store.delete_leftovers()
        for name in self._store.unfinished_cancellations():
            spec = self._store.spec(name)
            if spec:
                self.look(spec)

    def remove(self, spec: JobSpec) -> None:
        """End it and forget it; every step may be repeated."""
        self._removal.remove(spec)

    def _workflows(self, name: str) -> list[QueryResult]:
        return self._cromwell.query(payload.asked(self._settings.instance, name))


def _submitted_spec(inputs: str) -> JobSpec:
    """The order of a workflow that carries our labels.

    :raises EngineUnavailableError: it has none, or its metadata is in the archive.
    """
    try:
        return from_inputs(inputs)
    except ValueError as error:
        raise EngineUnavailableError(
            "Cromwell does not give the inputs of a workflow with pman's labels: "
            "its metadata is archived, or somebody else set the labels"
        ) from error


def _is_abortable(workflow: Workflow | None) -> bool:
    """What Cromwell does not list yet, it may have."""
    return workflow is None or workflow.status in _ABORTABLE


def _is_final(spec: JobSpec, refusal: RefusedError) -> bool:
    """Whether Cromwell has looked at the job and will never take it.

    Others may refuse as well: a proxy, or Cromwell's database, which has the id already. Of those
    MySQL and PostgreSQL name the id, HSQLDB does not.
    """
    words = refusal.words
    return refusal.code == 400 and words.startswith(_INVALID) and spec.workflow not in words
