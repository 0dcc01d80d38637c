"""From Cromwell's view of a workflow, and the notes of its run, to pman's of the job: pure.

Who has the say, in this order:

1. the verdict that was written on the cluster: the run has ended, whatever Cromwell still says;
2. pman's own word that a job is cancelled or waited too long, if it had not begun to run;
3. an end that Cromwell tells, where no verdict will come any more;
4. that the container runs;
5. what it waits for: its image, SLURM, Cromwell.

``Aborting`` is no end: Cromwell says it while the job still runs.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from pman_core import JobInfo, Reason, Status
from pman_cromwell.errors import without_payload
from pman_cromwell.job_spec import JobSpec
from pman_cromwell.responses import Workflow
from pman_cromwell.run_files import Ended, RunFiles

#: How long after Cromwell's end of a run that began its verdict may still come: shared storage
#: is slow to show a new file, and SLURM gives a cancelled job time to end.
RECORD_DELAY = timedelta(seconds=5)


def info_of(spec: JobSpec, workflow: Workflow | None, run: RunFiles, now: datetime) -> JobInfo:
    """The job as it is.

    :param workflow: what Cromwell tells, or ``None`` where it knows nothing (yet).
    """
    ended = run.ended or unrecorded_end(spec, workflow, run, now)
    if ended is not None:
        return _ended(spec, ended, run)
    started = run.started.time if run.started else None
    if started or (workflow and workflow.status == "Aborting"):
        return _info(spec, Status.STARTED, _running(run), started=_after(spec, started))
    reason, message = _waiting(workflow, run)
    return _info(spec, Status.NOT_STARTED, message, reason=reason)


def unrecorded_end(
    spec: JobSpec, workflow: Workflow | None, run: RunFiles, now: datetime
) -> Ended | None:
    """The end of a job that the cluster did not write down, if it has ended."""
    cancelled = run.cancelled
    if cancelled and cancelled.reason and not run.begun:
        # With pman's word in its folder it does not begin any more.
        return Ended(cancelled.reason, cancelled.message, None, cancelled.time)
    if workflow is None or not workflow.has_ended:
        return None
    end = workflow.end or now
    if run.begun and now - end < RECORD_DELAY:
        return None
    return _cromwells(spec, workflow, run, end)


def _cromwells(spec: JobSpec, workflow: Workflow, run: RunFiles, end: datetime) -> Ended:
    if workflow.status == "Succeeded":
        return Ended(None, "finished", 0, end)
    if workflow.status == "Aborted" and run.cancelled and run.cancelled.reason:
        return Ended(run.cancelled.reason, run.cancelled.message, None, end)
    if workflow.status == "Aborted":
        return Ended(Reason.KILLED, "aborted in Cromwell", None, end)
    roots = dict.fromkeys(root for failure in workflow.failures for root in failure.roots())
    words = without_payload("; ".join(roots))
    call = workflow.call
    if call.job_id is None:
        message = f"Cromwell could not start the job: {words}"
        return Ended(Reason.CANNOT_START, message[:2000], None, end)
    message = f"lost: SLURM job {call.job_id} left no word of its end; Cromwell says: {words}"
    return Ended(Reason.LOST, message[:2000], None, end)


def _ended(spec: JobSpec, ended: Ended, run: RunFiles) -> JobInfo:
    reason, message = ended.reason, ended.message
    if run.cancelled and reason is run.cancelled.reason:
        message = run.cancelled.message  # the node says only that it was pman
    started = _after(spec, run.started.time if run.started else None)
    begin = started or spec.created
    return _info(
        spec,
        Status.SUCCEEDED if reason is None else Status.FAILED,
        message,
        reason=reason,
        exit_code=ended.code,
        # Where a container could not be started, the mark of its start was made too early.
        started=None if reason is Reason.CANNOT_START else started,
        finished=max(begin, ended.time),
    )


def _running(run: RunFiles) -> str:
    if run.suspended is None:
        return "running"
    since = f"{run.suspended.time:%Y-%m-%dT%H:%M:%SZ}"
    return f"suspended in SLURM since {since}"


def _waiting(workflow: Workflow | None, run: RunFiles) -> tuple[Reason, str]:
    if run.begun and run.suspended:
        return Reason.QUEUED, "the node prepares the job, and SLURM has suspended it"
    if run.begun and run.trouble:
        return run.trouble.reason, run.trouble.message
    if run.begun and run.pulling:
        return Reason.PULLING, "the node fetches the image"
    if run.begun:
        return Reason.QUEUED, "the node prepares the job"
    if run.waiting:
        job, reason = run.waiting.job, run.waiting.reason
        where = f"SLURM job {job} waits" if job else "SLURM does not take the job yet"
        return Reason.QUEUED, f"{where}: {reason}"
    if workflow is None:
        told = "Cromwell has it and does not list it yet"
        return Reason.QUEUED, told if run.accepted else "not handed to Cromwell yet"
    if workflow.status in ("On Hold", "Submitted"):
        return Reason.QUEUED, "waits to be picked up by Cromwell"
    return Reason.QUEUED, "waits to be started by SLURM"


def _after(spec: JobSpec, time: datetime | None) -> datetime | None:
    """A time of a node's clock, which may be behind pman's."""
    return max(spec.created, time) if time else None


def _info(
    spec: JobSpec,
    status: Status,
    message: str,
    *,
    reason: Reason | None = None,
    exit_code: int | None = None,
    started: datetime | None = None,
    finished: datetime | None = None,
) -> JobInfo:
    return JobInfo(
        jid=spec.jid,
        image=spec.image,
        argv=spec.argv,
        status=status,
        message=message,
        fingerprint=spec.fingerprint,
        exit_code=exit_code,
        reason=reason,
        created=spec.created,
        started=started,
        finished=finished,
        labels=spec.labels,
        owner=spec.owner,
        native=spec.workflow,
    )
