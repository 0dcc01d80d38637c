"""Makes a job, and hands it to Cromwell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from pman_core import Job, JobInfo
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_core.kit.names import native_name
from pman_core.kit.submission import create_or_find
from pman_cromwell import payload
from pman_cromwell.client import Cromwell
from pman_cromwell.errors import RefusedError
from pman_cromwell.job_spec import JobSpec, from_inputs, spec_of
from pman_cromwell.job_store import JobStore
from pman_cromwell.labels import generation_of, is_gone, is_removed, selector, workflow_labels
from pman_cromwell.polling import until
from pman_cromwell.reconcile import Reconciler
from pman_cromwell.responses import QueryResult
from pman_cromwell.settings import CromwellSettings

#: How Cromwell's message begins for a submission that is wrong (``PartialWorkflowSources.scala``).
_INVALID = "Error(s):"


class Submission:
    """Creates jobs of one pman instance; of several processes at once, one creates a job.

    :param folder: the jobs folder of this instance, as the cluster sees it.
    """

    def __init__(
        self,
        cromwell: Cromwell,
        store: JobStore,
        jobs: Reconciler,
        settings: CromwellSettings,
        folder: str,
    ) -> None:
        self._cromwell = cromwell
        self._store = store
        self._jobs = jobs
        self._settings = settings
        self._runs = f"{folder}/runs"

    def submit(self, job: Job) -> JobInfo:
        """The job of that id, created if there is none.

        :raises NameTakenError: something else has its name.
        :raises InvalidJobError: Cromwell does not take it.
        :raises EngineUnavailableError: Cromwell or the storage does not answer.
        """
        name = self._name(job)
        return create_or_find(
            job.jid,
            name,
            create=lambda: self._created(job),
            find=lambda: self._found(job),
            is_foreign=lambda: self._store.is_foreign(name),
        )

    def create(self, job: Job) -> JobSpec | None:
        """A new job, not yet posted; ``None`` if its name is in use."""
        name = self._name(job)
        if self._store.is_taken(name):
            return None
        found = self._cromwell.query(selector(self._settings.instance, name))
        alive = [one for one in found if not is_gone(one)]
        if alive:
            self._adopt(alive[0])
            return None
        spec = spec_of(
            job,
            instance=self._settings.instance,
            generation=max(map(generation_of, found), default=-1) + 1,
            runs=self._runs,
            runtime=self._settings.runtime,
            created=datetime.now(UTC),
        )
        return spec if self._store.create(spec) else None

    def _name(self, job: Job) -> str:
        return native_name(job.jid, self._settings.instance)

    def _created(self, job: Job) -> JobInfo | None:
        spec = self.create(job)
        if spec is None:
            return None
        self._post(spec, job.env, first=True)
        return self._jobs.look(spec)

    def _found(self, job: Job) -> JobInfo | None:
        """The existing job; posted now, if the process that created it was killed before that."""
        spec = self._store.find(job.jid)
        if spec is None:
            return None
        if spec.fingerprint == job.fingerprint and self._must_be_posted(spec):
            self._post(spec, job.env, first=False)
        return self._jobs.look(spec)

    def _must_be_posted(self, spec: JobSpec) -> bool:
        """Whether Cromwell is not known to have it, and is to have it."""
        run = self._store.run_files(spec)
        return run is None or not (run.accepted or run.cancelled)

    def _post(self, spec: JobSpec, env: Mapping[str, str], *, first: bool) -> None:
        """Hand the job to Cromwell; to do that again is harmless.

        :param first: this call created the record, so no other process posted it long ago.
        """
        try:
            self._cromwell.submit(
                spec.workflow,
                payload.document(),
                payload.inputs(spec, env, self._settings),
                payload.OPTIONS,
                workflow_labels(spec),
            )
        except RefusedError as refusal:
            if first and _is_final(spec, refusal):
                self._store.delete(spec)
                raise InvalidJobError(f"Cromwell refused the job: {refusal.words}") from refusal
            self._must_be_known(spec, refusal)
        self._store.mark_accepted(spec)

    def _must_be_known(self, spec: JobSpec, refusal: RefusedError) -> None:
        """Wait until Cromwell lists it. The record stays, since the job may run.

        :raises EngineUnavailableError: Cromwell does not list it in time, or it is being removed.
        """
        timeout_s = self._settings.engine_timeout_s
        if until(lambda: self._cromwell.status(spec.workflow), timeout_s) is None:
            raise EngineUnavailableError(
                f"Cromwell refused job {spec.jid!r}, as it does with one that it has, and does "
                f"not list it; submit it again, or remove it. It said: {refusal.words}"
            ) from refusal
        for one in self._cromwell.query(selector(spec.instance, spec.name)):
            if one.id == spec.workflow and is_removed(one):
                raise EngineUnavailableError(f"job {spec.jid!r} is still being removed")

    def _adopt(self, found: QueryResult) -> None:
        """Write the record of a workflow whose record is missing."""
        workflow = self._cromwell.submitted(found.id)
        if workflow:
            spec = _submitted_spec(workflow.submitted_files.inputs)
            if spec.workflow == found.id:
                self._store.create(spec)
                self._store.mark_accepted(spec)


def _submitted_spec(inputs: str) -> JobSpec:
    """The spec of a workflow that carries our labels.

    :raises EngineUnavailableError: it has none, or its metadata is in the archive.
    """
    try:
        return from_inputs(inputs)
    except ValueError as error:
        raise EngineUnavailableError(
            "Cromwell does not give the inputs of a workflow with pman's labels: "
            "its metadata is archived, or somebody else set the labels"
        ) from error


def _is_final(spec: JobSpec, refusal: RefusedError) -> bool:
    """Whether Cromwell has looked at the job and will never take it.

    Others may refuse as well: a proxy, or Cromwell's database, which has the id already. Of those
    MySQL and PostgreSQL name the id, HSQLDB does not.
    """
    words = refusal.words
    return refusal.code == 400 and words.startswith(_INVALID) and spec.workflow not in words
