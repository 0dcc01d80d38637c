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
from pman_cromwell.job_spec import Order
from pman_cromwell.responses import Workflow
from pman_cromwell.run_files import Notes, Verdict

#: How long after Cromwell's end of a run that began its verdict may still come: shared storage
#: is slow to show a new file, and SLURM gives a cancelled job time to end.
VERDICT_DELAY = timedelta(seconds=5)


def info_of(order: Order, workflow: Workflow | None, notes: Notes, now: datetime) -> JobInfo:
    """The job as it is.

    :param workflow: what Cromwell tells, or ``None`` where it knows nothing (yet).
    """
    verdict = notes.verdict or end_without_verdict(order, workflow, notes, now)
    if verdict is not None:
        return _ended(order, verdict, notes)
    started = notes.started.time if notes.started else None
    if started or (workflow and workflow.status == "Aborting"):
        return _info(order, Status.STARTED, _running(notes), started=_after(order, started))
    reason, message = _waiting(workflow, notes)
    return _info(order, Status.NOT_STARTED, message, reason=reason)


def end_without_verdict(
    order: Order, workflow: Workflow | None, notes: Notes, now: datetime
) -> Verdict | None:
    """The end of a job that the cluster did not write down, if it has ended."""
    cancelled = notes.cancelled
    if cancelled and cancelled.reason and not notes.begun:
        # With pman's word in its folder it does not begin any more.
        return Verdict(cancelled.reason, cancelled.message, None, cancelled.time)
    if workflow is None or not workflow.has_ended:
        return None
    end = workflow.end or now
    if notes.begun and now - end < VERDICT_DELAY:
        return None
    return _cromwells(order, workflow, notes, end)


def _cromwells(order: Order, workflow: Workflow, notes: Notes, end: datetime) -> Verdict:
    if workflow.status == "Succeeded":
        return Verdict(None, "finished", 0, end)
    if workflow.status == "Aborted" and notes.cancelled and notes.cancelled.reason:
        return Verdict(notes.cancelled.reason, notes.cancelled.message, None, end)
    if workflow.status == "Aborted":
        return Verdict(Reason.KILLED, "aborted in Cromwell", None, end)
    roots = dict.fromkeys(root for failure in workflow.failures for root in failure.roots())
    words = without_payload("; ".join(roots))
    call = workflow.call
    if call.job_id is None:
        message = f"Cromwell could not start the job: {words}"
        return Verdict(Reason.CANNOT_START, message[:2000], None, end)
    message = f"lost: SLURM job {call.job_id} left no word of its end; Cromwell says: {words}"
    return Verdict(Reason.LOST, message[:2000], None, end)


def _ended(order: Order, verdict: Verdict, notes: Notes) -> JobInfo:
    reason, message = verdict.reason, verdict.message
    if notes.cancelled and reason is notes.cancelled.reason:
        message = notes.cancelled.message  # the node says only that it was pman
    started = _after(order, notes.started.time if notes.started else None)
    begin = started or order.created
    return _info(
        order,
        Status.SUCCEEDED if reason is None else Status.FAILED,
        message,
        reason=reason,
        exit_code=verdict.code,
        # Where a container could not be started, the mark of its start was made too early.
        started=None if reason is Reason.CANNOT_START else started,
        finished=max(begin, verdict.time),
    )


def _running(notes: Notes) -> str:
    if notes.suspended is None:
        return "running"
    since = f"{notes.suspended.time:%Y-%m-%dT%H:%M:%SZ}"
    return f"suspended in SLURM since {since}"


def _waiting(workflow: Workflow | None, notes: Notes) -> tuple[Reason, str]:
    if notes.begun and notes.suspended:
        return Reason.QUEUED, "the node prepares the job, and SLURM has suspended it"
    if notes.begun and notes.trouble:
        return notes.trouble.reason, notes.trouble.message
    if notes.begun and notes.pulling:
        return Reason.PULLING, "the node fetches the image"
    if notes.begun:
        return Reason.QUEUED, "the node prepares the job"
    if notes.waiting:
        job, reason = notes.waiting.job, notes.waiting.reason
        where = f"SLURM job {job} waits" if job else "SLURM does not take the job yet"
        return Reason.QUEUED, f"{where}: {reason}"
    if workflow is None:
        told = "Cromwell has it and does not list it yet"
        return Reason.QUEUED, told if notes.accepted else "not handed to Cromwell yet"
    if workflow.status in ("On Hold", "Submitted"):
        return Reason.QUEUED, "waits to be picked up by Cromwell"
    return Reason.QUEUED, "waits to be started by SLURM"


def _after(order: Order, moment: datetime | None) -> datetime | None:
    """A time of a node's clock, which may be behind pman's."""
    return max(order.created, moment) if moment else None


def _info(
    order: Order,
    status: Status,
    message: str,
    *,
    reason: Reason | None = None,
    exit_code: int | None = None,
    started: datetime | None = None,
    finished: datetime | None = None,
) -> JobInfo:
    return JobInfo(
        jid=order.jid,
        image=order.image,
        argv=order.argv,
        status=status,
        message=message,
        fingerprint=order.fingerprint,
        exit_code=exit_code,
        reason=reason,
        created=order.created,
        started=started,
        finished=finished,
        labels=order.labels,
        owner=order.owner,
        native=order.workflow,
    )
