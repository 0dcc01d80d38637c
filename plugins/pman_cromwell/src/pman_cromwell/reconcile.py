"""Looks at a job: gathers what is known, has ``status`` decide, and writes down what is due."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs

from pman_core import JobInfo
from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.paging import UnsettledError
from pman_cromwell.client import Cromwell
from pman_cromwell.job_spec import JobSpec
from pman_cromwell.job_store import JobStore
from pman_cromwell.responses import Workflow
from pman_cromwell.status import Observation, info_of, work_due


class Reconciler:
    """The jobs of one pman instance, as they are.

    :param start_deadline_s: after how many seconds a job that has not started is ended.
    """

    def __init__(self, cromwell: Cromwell, store: JobStore, start_deadline_s: int) -> None:
        self._cromwell = cromwell
        self._store = store
        self._start_deadline_s = start_deadline_s

    def look(self, spec: JobSpec) -> JobInfo | None:
        """The job as it is; ``None`` if it has been removed meanwhile.

        :raises UnsettledError: what is due cannot be written down now.
        :raises EngineUnavailableError: Cromwell or the storage does not answer.
        """
        seen = self._gathered(spec)
        if seen is None:
            return None
        due = work_due(seen, self._start_deadline_s)
        if due.abort:
            self._cromwell.abort(spec.workflow)  # before its end is reported
        try:
            if due.end:
                self._store.record_end(spec, due.end)
                # The end that stands in the run's folder counts: the first one.
                seen = attrs.evolve(seen, run=self._store.run_files(spec) or seen.run)
            if due.cancellation:
                self._store.cancel(spec, due.cancellation)
        except EngineUnavailableError as error:
            raise UnsettledError(info_of(seen), error) from error
        return self.look(spec) if due.cancellation else info_of(seen)

    def resume(self) -> None:
        """Go on with the removals and the ends that a killed pman began."""
        self._store.delete_leftovers()
        for name in self._store.unfinished_cancellations():
            spec = self._store.spec(name)
            if spec:
                self.look(spec)

    def _gathered(self, spec: JobSpec) -> Observation | None:
        run = self._store.run_files(spec)
        if run is None:
            return None
        workflow = None if run.ended else self._workflow(spec)
        return Observation(spec, run, workflow, datetime.now(UTC))

    def _workflow(self, spec: JobSpec) -> Workflow | None:
        """Its whole state only when it has ended: that is a larger question to Cromwell."""
        workflow = self._cromwell.status(spec.workflow)
        if workflow and workflow.has_ended:
            return self._cromwell.state(spec.workflow)
        return workflow
