"""What a job is, by what Cromwell says and by the files of its run: pure.

The first of these that applies decides:

1. the end that was written down on the cluster, whatever Cromwell still says;
2. that pman cancelled the job, or ended it since it waited too long, if it had not begun to run;
3. an end that Cromwell reports, where none will be written down on the cluster any more;
4. that the container runs;
5. what it waits for: its image, SLURM, Cromwell.

``Aborting`` is no end: Cromwell says it while the job still runs.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import attrs

from pman_core import JobInfo, Reason
from pman_core.kit import job_info
from pman_core.kit.outcome import Outcome, cannot_start, exited, lost
from pman_cromwell.errors import without_payload
from pman_cromwell.job_spec import JobSpec
from pman_cromwell.responses import Workflow
from pman_cromwell.run_files import Cancelled, Ended, RunFiles

#: How long after the end that Cromwell reports the cluster may still write down its own: shared
#: storage is slow to show a new file, and SLURM gives a cancelled job time to end.
RECORD_DELAY = timedelta(seconds=5)

#: What Cromwell can still abort.
_ABORTABLE = ("On Hold", "Submitted", "Running")

#: How much of Cromwell's message is quoted, in characters.
_QUOTED = 1900


@attrs.frozen
class Observation:
    """All that is known of a job at one moment.

    :param workflow: what Cromwell says; ``None`` where it does not list it (yet), or was not asked.
    """

    spec: JobSpec
    run: RunFiles
    workflow: Workflow | None
    now: datetime


@attrs.frozen(kw_only=True)
class Due:
    """What has to be done before a job is reported.

    :param abort: whether Cromwell has to abort the workflow.
    :param end: the end that has to be written down.
    :param cancellation: why pman has to end the job.
    """

    abort: bool
    end: Ended | None
    cancellation: Cancelled | None


def work_due(seen: Observation, start_deadline_s: int) -> Due:
    """What has to be done for a job.

    :param start_deadline_s: after how many seconds a job that has not started is ended.
    """
    run = seen.run
    late = job_info.overdue(info_of(seen), seen.now, start_deadline_s)
    return Due(
        abort=bool(run.cancelled and not run.ended and _is_abortable(seen.workflow)),
        end=None if run.ended else unrecorded_end(seen),
        cancellation=Cancelled.because(late, seen.now) if late and not run.cancelled else None,
    )


def info_of(seen: Observation) -> JobInfo:
    """The job as it is."""
    spec, run = seen.spec, seen.run
    reason, message = _waiting(seen.workflow, run)
    info = job_info.waiting(
        spec.reported_job(), message, reason, created=spec.created, native=spec.workflow
    )
    end = run.ended or unrecorded_end(seen)
    is_aborting = seen.workflow is not None and seen.workflow.status == "Aborting"
    started = run.started.time if run.started else None
    if started or is_aborting:
        info = job_info.running(info, started, _running(run))
    return job_info.ended(info, _reported(end, run), end.time) if end else info


def unrecorded_end(seen: Observation) -> Ended | None:
    """The end of a job that the cluster did not write down, if it has ended."""
    run, workflow = seen.run, seen.workflow
    if run.cancelled and run.cancelled.reason and not run.begun:
        # With that file in its folder it does not begin any more.
        return Ended.with_outcome(run.cancelled.outcome, run.cancelled.time)
    if workflow is None or not workflow.has_ended:
        return None
    end = workflow.end or seen.now
    if run.begun and seen.now - end < RECORD_DELAY:
        return None
    return Ended.with_outcome(_outcome_in_cromwell(workflow, run), end)


def _outcome_in_cromwell(workflow: Workflow, run: RunFiles) -> Outcome:
    if workflow.status == "Succeeded":
        return exited(0)
    if workflow.status == "Aborted" and run.cancelled and run.cancelled.reason:
        return run.cancelled.outcome
    if workflow.status == "Aborted":
        return Outcome("aborted in Cromwell", Reason.KILLED)
    roots = dict.fromkeys(root for failure in workflow.failures for root in failure.roots())
    words = without_payload("; ".join(roots))[:_QUOTED]
    job = workflow.call.job_id
    if job is None:
        return cannot_start(f"Cromwell says: {words}")
    return lost(f"SLURM job {job} left no word of its end; Cromwell says: {words}")


def _reported(end: Ended, run: RunFiles) -> Outcome:
    """With pman's message where pman ended it: the node writes only that it was pman."""
    if run.cancelled and end.reason is run.cancelled.reason:
        return attrs.evolve(end.outcome, message=run.cancelled.message)
    return end.outcome


def _is_abortable(workflow: Workflow | None) -> bool:
    """What Cromwell does not list yet, it may have."""
    return workflow is None or workflow.status in _ABORTABLE


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
    if workflow is None and run.accepted:
        return Reason.QUEUED, "Cromwell has it and does not list it yet"
    if workflow is None:
        return Reason.QUEUED, "not handed to Cromwell yet"
    if workflow.status in ("On Hold", "Submitted"):
        return Reason.QUEUED, "waits to be picked up by Cromwell"
    return Reason.QUEUED, "waits to be started by SLURM"
