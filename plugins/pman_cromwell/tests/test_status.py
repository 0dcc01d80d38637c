"""Which state a job is in, by what Cromwell and the files of its run say."""

from datetime import timedelta
from typing import Any

import attrs
import pytest
from spec_samples import CREATED, spec

from pman_core.contract.info import JobInfo, Reason, Status
from pman_cromwell.job_spec import encoded
from pman_cromwell.responses import Failure, Workflow, structured
from pman_cromwell.run_files import Cancelled, Ended, RunFiles, Started, Suspended, Trouble, Waiting
from pman_cromwell.status import RECORD_DELAY, Due, Observation, info_of, work_due

_LATER = CREATED + timedelta(minutes=5)
_NOW = CREATED + timedelta(hours=1)

# The four shapes of GET /metadata in pman 6's own examples, recorded from Cromwell 74: their
# keys and values, without what depends on a site.
_SUBMITTED: dict[str, Any] = {
    "submittedFiles": {"workflow": "version 1.0 ...", "inputs": "{}", "labels": '{"a": "b"}'},
    "calls": {},
    "outputs": {},
    "status": "Submitted",
    "submission": "2021-12-15T18:00:49.184Z",
    "workflowProcessingEvents": [],
    "inputs": {},
    "id": "a7d3f6d0-4d33-4b4e-8ea4-bd9e7b6b6f06",
    "labels": {"cromwell-workflow-id": "cromwell-a7d3f6d0-4d33-4b4e-8ea4-bd9e7b6b6f06"},
}
_QUEUED = {
    **_SUBMITTED,
    "workflowName": "ChRISJob",
    "actualWorkflowLanguage": "WDL",
    "status": "Running",
    "start": "2021-12-15T19:03:20.311Z",
    "calls": {
        "ChRISJob.plugin_instance": [
            {"executionStatus": "QueuedInCromwell", "shardIndex": -1, "attempt": 1}
        ]
    },
}
_RUNNING = {
    **_QUEUED,
    "calls": {
        "ChRISJob.plugin_instance": [
            {
                "executionStatus": "Running",
                "backendStatus": "Running",
                "backend": "SLURM",
                "jobId": "3421",
                "commandLine": "simpledsapp /share/incoming /share/outgoing",
                "stdout": "/cromwell-executions/ChRISJob/a7d3/execution/stdout",
                "stderr": "/cromwell-executions/ChRISJob/a7d3/execution/stderr",
                "runtimeAttributes": {"cpu": "1", "slurm_partition": "short"},
                "attempt": 1,
                "shardIndex": -1,
                "start": "2021-12-15T19:03:22.311Z",
            }
        ]
    },
}
_FAILED = {
    **_RUNNING,
    "status": "Failed",
    "end": "2021-12-15T19:04:01.011Z",
    "failures": [
        {
            "message": "Workflow failed",
            "causedBy": [
                {
                    "message": "Job ChRISJob.plugin_instance:NA:1 exited with return code 1",
                    "causedBy": [],
                }
            ],
        }
    ],
    "calls": {
        "ChRISJob.plugin_instance": [
            {
                **_RUNNING["calls"]["ChRISJob.plugin_instance"][0],
                "executionStatus": "Failed",
                "backendStatus": "Done",
                "returnCode": 1,
                "retryableFailure": False,
                "end": "2021-12-15T19:04:00.011Z",
            }
        ]
    },
}


def _workflow(shape: dict[str, Any], **changes: Any) -> Workflow:
    return attrs.evolve(structured(shape, Workflow), **changes)


def _look(workflow: Workflow | None, **run: Any) -> JobInfo:
    return info_of(Observation(spec(), RunFiles(accepted=True, **run), workflow, _NOW))


_CANCELLED = Cancelled(Reason.CANCELLED, "cancelled", _LATER)


def _ended_with(reason: Reason | None, message: str, code: int | None) -> Ended:
    return Ended(reason, message, code, _LATER)


def test_a_submitted_workflow_is_not_started() -> None:
    info = _look(_workflow(_SUBMITTED))
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED)
    assert "picked up" in info.message


def test_a_queued_workflow_is_not_started() -> None:
    assert _look(_workflow(_QUEUED)).status is Status.NOT_STARTED


def test_a_workflow_that_runs_is_started_when_its_container_is() -> None:
    workflow = _workflow(_RUNNING)
    assert _look(workflow).status is Status.NOT_STARTED
    info = _look(workflow, begun=True, started=Started(_LATER))
    assert (info.status, info.started, info.exit_code) == (Status.STARTED, _LATER, None)


def test_a_failed_workflow_without_an_outcome_is_lost() -> None:
    info = _look(_workflow(_FAILED))
    assert (info.status, info.reason) == (Status.FAILED, Reason.LOST)
    assert "3421" in info.message
    assert "exited with return code 1" in info.message


def test_a_workflow_that_failed_before_slurm_had_it_could_not_start() -> None:
    calls = {"call": [attrs.evolve(_workflow(_FAILED).call, job_id=None)]}
    info = _look(_workflow(_FAILED, calls=calls))
    assert info.reason is Reason.CANNOT_START
    assert "exited with return code 1" in info.message


@pytest.mark.parametrize("status", ["Submitted", "Running", "Failed", "Aborting", "Succeeded"])
@pytest.mark.parametrize(
    ("reason", "code", "expected"),
    [
        (None, 0, Status.SUCCEEDED),
        (Reason.EXIT_CODE, 3, Status.FAILED),
        (Reason.OUT_OF_MEMORY, 137, Status.FAILED),
        (Reason.LOST, None, Status.FAILED),
    ],
)
def test_an_outcome_on_the_cluster_decides(
    status: str, reason: Reason | None, code: int | None, expected: Status
) -> None:
    info = _look(
        _workflow(_RUNNING, status=status),
        begun=True,
        started=Started(CREATED),
        ended=_ended_with(reason, "words", code),
    )
    assert (info.status, info.reason, info.exit_code) == (expected, reason, code)
    assert (info.message, info.finished) == ("words", _LATER)


def test_an_outcome_needs_no_cromwell() -> None:
    assert _look(None, ended=_ended_with(None, "finished", 0)).status is Status.SUCCEEDED


def test_aborting_is_no_end() -> None:
    info = _look(_workflow(_RUNNING, status="Aborting"), begun=True, started=Started(_LATER))
    assert info.status is Status.STARTED


def test_an_abort_by_somebody_else_is_reported() -> None:
    info = _look(_workflow(_SUBMITTED, status="Aborted", end=_LATER))
    assert (info.status, info.reason, info.finished) == (Status.FAILED, Reason.KILLED, _LATER)


def test_the_end_of_a_run_that_began_waits_for_its_outcome() -> None:
    run = {"begun": True, "started": Started(_LATER)}
    just_now = _workflow(_FAILED, end=_NOW)
    assert _look(just_now, **run).status is Status.STARTED
    long_ago = _workflow(_FAILED, end=_NOW - RECORD_DELAY)
    assert _look(long_ago, **run).status is Status.FAILED


def test_the_image_on_its_way_is_not_started() -> None:
    info = _look(_workflow(_RUNNING), begun=True, pulling=True)
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.PULLING)


def test_why_an_image_cannot_be_had_now_is_reported() -> None:
    trouble = Trouble(Reason.QUEUED, "cannot get image x: a disk of the engine is full (words)")
    info = _look(_workflow(_RUNNING), begun=True, pulling=True, trouble=trouble)
    assert (info.status, info.reason, info.message) == (
        Status.NOT_STARTED,
        trouble.reason,
        trouble.message,
    )


def test_a_job_that_slurm_suspends_says_so() -> None:
    suspended = {"begun": True, "suspended": Suspended(_LATER)}
    info = _look(_workflow(_RUNNING), started=Started(CREATED), **suspended)
    assert info.status is Status.STARTED
    assert "suspended" in info.message
    info = _look(_workflow(_RUNNING), **suspended)
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED)
    assert "suspended" in info.message


def test_slurms_reason_to_wait_is_reported() -> None:
    info = _look(_workflow(_RUNNING), waiting=Waiting("17", "PartitionDown"))
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED)
    assert "17" in info.message
    assert "PartitionDown" in info.message


def test_why_slurm_does_not_take_a_job_yet_is_reported() -> None:
    info = _look(_workflow(_QUEUED), waiting=Waiting("", "AssocMaxSubmitJobLimit"))
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED)
    assert info.message == "SLURM does not take the job yet: AssocMaxSubmitJobLimit"


def test_a_workflow_that_cromwell_does_not_list_yet_waits() -> None:
    info = _look(None)
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED)


def test_a_job_that_runs_stays_started_when_cromwell_forgets_it() -> None:
    assert _look(None, begun=True, started=Started(_LATER)).status is Status.STARTED


def test_a_job_that_waited_too_long_keeps_its_end() -> None:
    cancelled = Cancelled(Reason.START_DEADLINE, "waited", _LATER)
    for workflow in (None, _workflow(_QUEUED), _workflow(_QUEUED, status="Aborted", end=_NOW)):
        info = _look(workflow, cancelled=cancelled)
        assert (info.status, info.reason) == (Status.FAILED, Reason.START_DEADLINE)
        assert (info.message, info.finished) == ("waited", _LATER)


def test_a_job_that_began_at_its_deadline_is_ended_first() -> None:
    cancelled = Cancelled(Reason.START_DEADLINE, "waited", _LATER)
    assert _look(_workflow(_RUNNING), begun=True, cancelled=cancelled).status is Status.NOT_STARTED
    ended = _ended_with(Reason.START_DEADLINE, "ended by pman", None)
    info = _look(_workflow(_RUNNING), begun=True, cancelled=cancelled, ended=ended)
    assert (info.reason, info.message) == (Reason.START_DEADLINE, "waited")
    done = _look(None, begun=True, cancelled=cancelled, ended=_ended_with(None, "finished", 0))
    assert done.status is Status.SUCCEEDED


def test_a_cancelled_job_that_runs_goes_on_until_its_node_says_that_it_ended() -> None:
    began = {"cancelled": _CANCELLED, "begun": True, "started": Started(CREATED)}
    assert _look(_workflow(_RUNNING), **began).status is Status.STARTED
    ended = _ended_with(Reason.CANCELLED, "worker 1 of 2: ended by pman", None)
    info = _look(None, **began, ended=ended)
    assert (info.reason, info.message, info.exit_code) == (Reason.CANCELLED, "cancelled", None)
    assert (info.started, info.finished) == (CREATED, _LATER)


@pytest.mark.parametrize(
    "ended",
    [
        _ended_with(None, "finished", 0),
        _ended_with(Reason.KILLED, "killed by signal 9 (SIGKILL, exit code 137)", 137),
        _ended_with(Reason.KILLED, "cancelled in SLURM", None),
    ],
)
def test_an_end_that_was_written_down_before_a_cancellation_stays(ended: Ended) -> None:
    info = _look(None, cancelled=_CANCELLED, begun=True, ended=ended)
    assert (info.reason, info.message) == (ended.reason, ended.message)


def test_a_cancelled_job_without_an_outcome_has_ended_when_cromwell_says_so() -> None:
    begun = {"cancelled": _CANCELLED, "begun": True, "started": Started(_LATER)}
    for status in ("Running", "Aborting"):
        running = _workflow(_RUNNING, status=status)
        assert _look(running, **begun).status is Status.STARTED
    end = _NOW - RECORD_DELAY
    info = _look(_workflow(_RUNNING, status="Aborted", end=end), **begun)
    assert (info.reason, info.message) == (Reason.CANCELLED, "cancelled")
    assert info.finished == end
    succeeded = _workflow(_RUNNING, status="Succeeded", end=end)
    assert _look(succeeded, **begun).status is Status.SUCCEEDED


def _due(workflow: Workflow | None, deadline_s: int = 10**6, **run: Any) -> Due:
    return work_due(Observation(spec(), RunFiles(**run), workflow, _NOW), deadline_s)


def test_nothing_is_due_for_a_job_that_waits_or_runs_or_has_its_end() -> None:
    nothing = Due(abort=False, end=None, cancellation=None)
    running = {"begun": True, "started": Started(_LATER)}
    end = _ended_with(None, "finished", 0)
    assert _due(_workflow(_QUEUED)) == nothing
    assert _due(_workflow(_RUNNING), deadline_s=1, **running) == nothing
    assert _due(None, deadline_s=1, ended=end, cancelled=_CANCELLED) == nothing


@pytest.mark.parametrize("shape", [None, _SUBMITTED, _RUNNING])
def test_a_cancelled_job_has_to_be_aborted_while_cromwell_may_have_it(
    shape: dict[str, Any] | None,
) -> None:
    workflow = _workflow(shape) if shape else None
    assert _due(workflow, cancelled=_CANCELLED).abort
    assert not _due(_workflow(_FAILED), cancelled=_CANCELLED).abort


def test_an_end_that_the_cluster_did_not_write_has_to_be_written() -> None:
    end = _due(_workflow(_FAILED)).end
    assert end
    assert end.reason is Reason.LOST
    assert _due(None, cancelled=_CANCELLED).end == Ended(
        Reason.CANCELLED, "cancelled", None, _CANCELLED.time
    )


def test_a_job_that_waits_too_long_has_to_be_ended_once() -> None:
    waited_s = int((_NOW - CREATED).total_seconds())
    due = _due(_workflow(_QUEUED), deadline_s=waited_s - 1)
    assert due.cancellation
    assert due.cancellation.reason is Reason.START_DEADLINE
    assert due.cancellation.message.startswith(f"not started within {waited_s - 1} s: ")
    assert _due(_workflow(_QUEUED), deadline_s=waited_s).cancellation is None
    begun = {"begun": True, "cancelled": _CANCELLED}
    assert _due(_workflow(_QUEUED), deadline_s=1, **begun).cancellation is None


def test_the_clocks_of_nodes_may_be_behind() -> None:
    early = CREATED - timedelta(minutes=1)
    ended = Ended(None, "finished", 0, early)
    info = _look(None, begun=True, started=Started(early), ended=ended)
    assert info.created == info.started == info.finished == CREATED


def test_a_container_that_could_not_start_was_never_started() -> None:
    ended = _ended_with(Reason.CANNOT_START, "no such program", 127)
    assert _look(None, begun=True, started=Started(_LATER), ended=ended).started is None


def test_everything_else_is_reported_as_the_job_had_it() -> None:
    info, made = _look(None), spec()
    assert (info.jid, info.image, info.argv) == (made.jid, made.image, made.argv)
    assert (info.fingerprint, dict(info.labels), info.created) == (
        made.fingerprint,
        made.labels,
        CREATED,
    )


def test_a_response_with_unknown_keys_is_read() -> None:
    assert structured({**_FAILED, "novelty": {"a": 1}}, Workflow).call.job_id == "3421"


@pytest.mark.parametrize("shape", [[], None, {}, {"id": "x", "end": "yesterday"}])
def test_a_response_of_another_form_is_an_error(shape: Any) -> None:
    with pytest.raises(ValueError, match="no Workflow"):
        structured(shape, Workflow)


@pytest.mark.parametrize(
    "secret",
    [
        encoded('{"TOKEN": "abc"}'),
        encoded('{"1TOKEN": "abc"}'),
        encoded('{"TOKEN": "abcdefghijklmnopqrstuvwxyz"}')[7:],
    ],
)
def test_what_a_client_sent_is_not_quoted_from_cromwells_message(secret: str) -> None:
    calls = {"call": [attrs.evolve(_workflow(_FAILED).call, job_id=None)]}
    failure = Failure(f"cannot evaluate {secret} in job")
    info = _look(_workflow(_FAILED, calls=calls, failures=[failure]))
    assert info.message.endswith("cannot evaluate ... in job")
