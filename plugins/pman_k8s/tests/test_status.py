"""What Jobs and pods of servers from 1.20 to 1.34 say becomes what pman tells of jobs."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from k8s_jobs import BASE
from k8s_objects import (
    BACKOFF,
    COMPLETE,
    ENDED,
    LATER,
    STARTED,
    condition,
    ended,
    event,
    job,
    pod,
    running,
    unscheduled,
    waiting,
)

from pman_core import Reason, Status
from pman_core.kit.causes import pull_message
from pman_core.kit.job_labels import IMAGE_LABEL
from pman_core.kit.names import FINGERPRINT_LABEL
from pman_core.kit.times import parsed_time
from pman_k8s.labels import OUTCOME
from pman_k8s.record import MAX_MESSAGE_CHARS, end_patch, progress_patch, recorded_end
from pman_k8s.status.current import state_of, waits_for
from pman_k8s.status.events import waiting_by_events
from pman_k8s.status.info import info_of
from pman_k8s.status.pending import NO_POD, Waiting
from pman_k8s.status.pman_ends import start_deadline_end, start_failure_end
from pman_k8s.status.pods import Pod
from pman_k8s.status.state import JobState

Object = dict[str, Any]

FAILURE_TARGET = condition("FailureTarget", "BackoffLimitExceeded", "...")
SUCCESS_MET = condition("SuccessCriteriaMet", "CompletionsReached", "...")
DISRUPTION = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "EvictionByEvictionAPI",
    "message": "Eviction API: evicting",
}


def status_of(made: Object, *pods: Object) -> tuple[Status, Reason | None]:
    told = state_of(made, pods)
    return told.status, told.reason


# -------------------------------------------------------------------- before the start


@pytest.mark.parametrize(
    ("pods", "reason", "words"),
    [
        ((), None, "no pod yet"),
        ((unscheduled(),), Reason.QUEUED, "Unschedulable: 0/1 nodes are available"),
        ((pod("Pending"),), None, "Pending"),
        ((pod("Pending", startTime=STARTED),), None, "ContainerCreating"),
        ((waiting("ContainerCreating"),), None, "ContainerCreating"),
        ((waiting("PodInitializing"),), None, "PodInitializing"),
        ((waiting("ErrImagePull", "manifest unknown"),), Reason.IMAGE_NOT_FOUND, "no such image"),
        ((waiting("ErrImagePull", "toomanyrequests: no"),), Reason.PULLING, "toomanyrequests: no"),
        ((waiting("ImagePullBackOff", "Back-off"),), Reason.PULLING, "ImagePullBackOff"),
        (
            (waiting("ErrImagePull", 'exec: "helper": executable file not found in $PATH'),),
            Reason.PULLING,
            "helper",
        ),
        ((waiting("CreateContainerError", "context deadline"),), None, "context deadline"),
        ((waiting("ContainerCreating"), unscheduled()), Reason.QUEUED, "Unschedulable"),
    ],
)
def test_what_waits_is_not_started_and_says_why(
    pods: tuple[Object, ...], reason: Reason | None, words: str
) -> None:
    told = state_of(job(active=1, workers=2), pods)
    assert (told.status, told.reason) == (Status.NOT_STARTED, reason)
    assert words in told.message


def test_a_gated_pod_waits_in_a_queue() -> None:
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    assert status_of(job(), pod("Pending", conditions=[gated]))[1] is Reason.QUEUED


def test_a_suspended_job_waits() -> None:
    made = job(condition("Suspended", "JobSuspended", "Job suspended"))
    assert status_of(made) == (Status.NOT_STARTED, Reason.QUEUED)


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("InvalidImageName", "couldn't parse image reference"),
        ("ErrImagePull", "manifest for r/x:1 not found: manifest unknown: manifest unknown"),
        ("ErrImagePull", "no matching manifest for linux/amd64 in the manifest list entries"),
        # since 1.31
        ("ImagePullBackOff", 'Back-off pulling image "x": ErrImagePull: r/x:1: not found'),
        ("CreateContainerError", "invalid volume specification: '/a:b:/share/incoming:ro'"),
        ("CreateContainerError", "Error response from daemon: invalid mode: /share/outgoing"),
        ("CreateContainerError", "Error response from daemon: Cannot mkdir: /x is not a directory"),
        ("ErrImageNeverPull", "Container image is not present with pull policy of Never"),
        (
            "CreateContainerError",
            "container create failed: executable file `nope` not found in $PATH",
        ),
        (
            "CreateContainerConfigError",
            "container has runAsNonRoot and image will run as root (pod: ...)",
        ),
        ("RunContainerError", 'OCI runtime: exec: "/no/such": stat /no/such: no such file'),
    ],
)
def test_what_the_engine_refuses_for_good_is_known(reason: str, message: str) -> None:
    waits = Pod(waiting(reason, message)).waits
    assert (waits.is_permanent, waits.confirm_after_s) == (True, 0)


@pytest.mark.parametrize(
    "message",
    [
        'failed to prepare subPath for volumeMount "data-0" of container "job"',
        'failed to create subPath directory for volumeMount "data-0"',
        "stat /var/lib/kubelet/pods/uid/volumes/nfs/in: no such file or directory",
        "runc create failed: container init was OOM-killed (memory limit too low?)",
    ],
)
def test_what_a_file_server_may_mend_is_no_refusal_at_first(message: str) -> None:
    """Of a server that does not answer for a moment the kubelet says no more."""
    waits = Pod(waiting("CreateContainerConfigError", message)).waits
    assert waits.is_permanent
    assert waits.confirm_after_s >= 60


@pytest.mark.parametrize(
    "message",
    [
        'failed to prepare subPath for volumeMount "x": stat /y: stale NFS file handle',
        'failed to create subPath directory for volumeMount "x": no space left on device',
    ],
)
def test_what_passes_with_time_is_no_refusal(message: str) -> None:
    assert not Pod(waiting("CreateContainerConfigError", message)).waits.is_permanent
    told = waiting_by_events(
        [event("FailedMount", f"hostPath type check failed: {message}")], NO_POD
    )
    assert not told.is_permanent


def test_a_registry_that_refuses_access_is_not_believed_at_first() -> None:
    """The credentials of a new node may come a little later than its first pod."""
    waits = Pod(waiting("ErrImagePull", "unauthorized: authentication required")).waits
    assert (waits.is_permanent, waits.confirm_after_s) == (True, 30)
    unconfirmed = waits.unconfirmed()
    assert (unconfirmed.is_permanent, unconfirmed.reason) == (False, Reason.PULLING)
    assert unconfirmed.message == "ErrImagePull: unauthorized: authentication required"


BACK_OFF = [
    event("Pulling", 'Pulling image "r/x:1"', "Normal"),
    event("Failed", "Error: ErrImagePull"),
    event("BackOff", 'Back-off pulling image "r/x:1"', "Normal"),
    event("Failed", "Error: ImagePullBackOff"),
]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("rpc error: Error response from daemon: manifest unknown", Reason.IMAGE_NOT_FOUND),
        ("rpc error: Error response from daemon: toomanyrequests: later", Reason.PULLING),
        ("rpc error: dial tcp: lookup r: no such host", Reason.PULLING),
    ],
)
def test_a_back_off_does_not_hide_why_an_image_cannot_be_had(words: str, reason: Reason) -> None:
    """Until 1.30 the kubelet says it in an event alone; of another container's image too."""
    waits = Pod(waiting("ImagePullBackOff", 'Back-off pulling image "r/x:1"', image="r/x:1")).waits
    assert waits.is_vague
    failed = event("Failed", f'Failed to pull image "r/x:1": {words}')
    other = event("Failed", 'Failed to pull image "r/mesh:1": no matching manifest for linux/amd64')
    told = waiting_by_events([failed, other, *BACK_OFF], waits)
    assert told.reason is reason
    assert told.message == pull_message("r/x:1", words)
    assert waiting_by_events(BACK_OFF, waits).reason is Reason.PULLING


@pytest.mark.parametrize(
    ("found", "reason", "words"),
    [
        (event("Pulling", 'Pulling image "x"', "Normal"), Reason.PULLING, "Pulling image"),
        (
            event("FailedMount", "hostPath type check failed: /data/in is not a directory"),
            Reason.CANNOT_START,
            "/data/in",
        ),
        (
            event("FailedMount", "mount.nfs: reason given by server: No such file or directory"),
            Reason.CANNOT_START,
            "No such file",
        ),
        (event("FailedMount", "timed out waiting for the condition"), None, "timed out"),
        (event("Pulled", "Container image already present", "Normal"), None, "ContainerCreating"),
        (event("Scheduled", "Successfully assigned", "Normal"), None, "ContainerCreating"),
        # What holds up nothing: by 1.20 and 1.36.
        (event("MissingClusterDNS", "kubelet does not have ClusterDNS"), None, "ContainerCreating"),
        (event("DNSConfigForming", "Nameserver limits were exceeded"), None, "ContainerCreating"),
        (
            event(
                "FailedCreatePodSandBox",
                "Failed to create pod sandbox: rpc error: runc create failed: unable to start "
                "container process: container init was OOM-killed (memory limit too low?)",
            ),
            Reason.CANNOT_START,
            "memory limit too low?",
        ),
    ],
)
def test_events_tell_why_a_pod_is_not_made(
    found: Object, reason: Reason | None, words: str
) -> None:
    vague = Waiting("ContainerCreating", is_vague=True)
    before = event("FailedMount", "hostPath type check failed: what is over")
    told = waiting_by_events([before, event("Pulled", "...", "Normal"), found], vague)
    assert told.reason is reason
    assert words in told.message
    # A node or a file server may have just started.
    assert told.confirm_after_s == (60 if reason is Reason.CANNOT_START else 0)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('pods "x" is forbidden: exceeded quota: q, requested: pods=1', Reason.QUEUED),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest"', Reason.CANNOT_START),
        (
            "unable to validate against any security context constraint: [spec.x: Invalid value]",
            Reason.CANNOT_START,
        ),
        ("maximum memory usage per Container is 1Gi, but limit is 2Gi", Reason.CANNOT_START),
        ("maximum nvidia.com/gpu usage per Container is 0, but limit is 1", Reason.CANNOT_START),
        ("minimum cpu usage per Pod is 1, but request is 100m", Reason.CANNOT_START),
        (
            "cpu max limit to request ratio per Pod is 2, but provided ratio is 4",
            Reason.CANNOT_START,
        ),
    ],
)
def test_events_tell_why_there_is_no_pod(message: str, reason: Reason) -> None:
    told = waiting_by_events([event("FailedCreate", message)], NO_POD)
    assert (told.reason, told.confirm_after_s) == (reason, 0)


def test_constraints_that_are_not_read_yet_forbid_nothing_at_first() -> None:
    message = "unable to validate against any security context constraint: []"
    told = waiting_by_events([event("FailedCreate", message)], NO_POD)
    assert (told.reason, told.confirm_after_s) == (Reason.CANNOT_START, 60)


def test_the_deadline_counts_from_creation_by_the_servers_clock() -> None:
    told = JobState(status=Status.NOT_STARTED, message="Unschedulable: no room")
    before = datetime(2026, 11, 21, 1, 1, 0, tzinfo=UTC)
    after = datetime(2026, 11, 21, 1, 1, 1, tzinfo=UTC)
    assert start_deadline_end(job(), told, before, 60) is None
    late = start_deadline_end(job(), told, after, 60)
    assert late is not None
    assert (late.status, late.reason) == (Status.FAILED, Reason.START_DEADLINE)
    assert late.ends_it
    assert "no room" in late.message


# ---------------------------------------------------------------------------- running


@pytest.mark.parametrize(
    "status",
    [
        {"active": 1},  # 1.20
        {"active": 1, "ready": 1, "uncountedTerminatedPods": {}},  # 1.24
        {"active": 1, "ready": 0, "terminating": 0, "uncountedTerminatedPods": {}},  # 1.31
    ],
)
def test_a_running_job_is_started(status: dict[str, Any]) -> None:
    told = state_of(job(**status), [running()])
    assert (told.status, told.started) == (Status.STARTED, parsed_time(STARTED))
    assert (told.finished, told.exit_code) == (None, None)


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (job(active=1), ended(0)),  # the controller has not seen it yet
        (job(succeeded=1), ended(0)),  # 1.20: counted, no condition yet
        (job(uncountedTerminatedPods={"succeeded": ["uid"]}), ended(0)),  # 1.23
        (job(SUCCESS_MET, succeeded=1, terminating=0), ended(0)),  # 1.31
        (job(active=1), ended(3)),
        (job(failed=1), ended(3)),
        (job(FAILURE_TARGET, failed=1), ended(3)),  # 1.31
        (job(FAILURE_TARGET, failed=1, terminating=1), running(deleted=True)),
        (job(), ended(137, phase="Running")),
        # 1.20: one that was evicted says nothing of its container any more.
        (job(active=1), pod("Failed", reason="Evicted", message="The node was low on ...")),
        (job(active=1), pod("Failed", reason="DeadlineExceeded")),
    ],
)
def test_between_the_end_of_a_pod_and_that_of_its_job_it_is_started(
    made: Object, found: Object
) -> None:
    told = state_of(made, [found])
    assert (told.status, told.reason, told.waits) == (Status.STARTED, None, False)


def test_a_pod_that_could_not_begin_waits_for_nothing_any_more() -> None:
    """Neither a deadline nor an event may end its job: the word of the Job comes soon."""
    told = state_of(job(active=1), [pod("Failed", reason="OutOfcpu", message="not enough cpu")])
    assert (told.status, told.waits) == (Status.NOT_STARTED, False)
    assert "ending: cannot start: OutOfcpu" in told.message
    assert state_of(job(active=1), [pod("Pending")]).waits


@pytest.mark.parametrize(
    "pods",
    [[pod("Failed", reason="Evicted")], [pod("Failed", reason="OutOfcpu")], [pod("Pending")]],
)
def test_a_job_that_has_begun_never_waits_again(pods: list[Object]) -> None:
    made = job(active=1)
    seen = state_of(made, [running()])
    note(made, progress_patch(made, seen, ["the-job-abcde"]))
    told = state_of(made, pods)
    assert (told.status, told.started) == (Status.STARTED, parsed_time(STARTED))
    end = state_of(job(BACKOFF) | {"metadata": made["metadata"]}, [])
    assert (end.status, end.started) == (Status.FAILED, parsed_time(STARTED))


def test_a_node_that_does_not_answer_is_told() -> None:
    """The node controller of 1.20 says so of each pod, and gives no reason."""
    not_ready = {"type": "Ready", "status": "False"}
    ending = {"type": "Ready", "status": "False", "reason": "ContainersNotReady"}
    for condition_, words in ((not_ready, "does not answer"), (ending, "running")):
        told = state_of(job(active=1), [running(conditions=[condition_])])
        assert told.status is Status.STARTED
        assert told.message.endswith(words)


def test_one_running_worker_is_enough() -> None:
    pods = (ended(0, name="a"), running(name="b"), unscheduled())
    assert state_of(job(workers=3), pods).status is Status.STARTED


# -------------------------------------------------------------------------------- ends


@pytest.mark.parametrize("conditions", [(COMPLETE,), (SUCCESS_MET, COMPLETE)])
def test_a_complete_job_succeeded(conditions: tuple[Object, ...]) -> None:
    told = state_of(job(*conditions, succeeded=1, completionTime=LATER), [ended(0)])
    assert (told.status, told.exit_code, told.reason) == (Status.SUCCEEDED, 0, None)
    assert (told.started, told.finished) == (parsed_time(STARTED), parsed_time(LATER))
    assert not told.ends_it


def test_success_needs_no_pods() -> None:
    told = state_of(job(COMPLETE, succeeded=1, completionTime=LATER, pods="gone"), [])
    assert (told.status, told.exit_code, told.finished) == (Status.SUCCEEDED, 0, parsed_time(LATER))


@pytest.mark.parametrize(
    ("found", "reason", "code", "words"),
    [
        (ended(3), Reason.EXIT_CODE, 3, "exited with code 3"),
        (ended(137), Reason.KILLED, 137, "137"),
        (ended(137, "OOMKilled"), Reason.OUT_OF_MEMORY, 137, "memory"),
        (ended(1, "OOMKilled"), Reason.OUT_OF_MEMORY, 1, "memory limit (exit code 1)"),
        (
            ended(127, "ContainerCannotRun", 'exec: "nope": executable file not found in $PATH'),
            Reason.CANNOT_START,
            127,
            '"nope"',
        ),
        (
            ended(128, "StartError", 'exec: "nope": executable file not found in $PATH: unknown'),
            Reason.CANNOT_START,
            128,
            '"nope"',
        ),
        (ended(137, "ContainerStatusUnknown", "could not be located"), Reason.LOST, None, "lost"),
        (
            running(limit=2) | {"status": {"phase": "Failed", "reason": "DeadlineExceeded"}},
            Reason.TIME_LIMIT,
            None,
            "2 s",
        ),
        (ended(137, limit=2) | {}, Reason.KILLED, 137, "137"),
        (
            pod("Failed", reason="Evicted", message="The node was low on resource: memory."),
            Reason.LOST,
            None,
            "Evicted: The node was low",
        ),
        (
            pod("Failed", reason="OutOfcpu", message="Node didn't have enough resource: cpu"),
            Reason.CANNOT_START,
            None,
            "OutOfcpu",
        ),
        (pod("Failed", reason="NodeShutdown", message="..."), Reason.LOST, None, "NodeShutdown"),
    ],
)
@pytest.mark.parametrize("conditions", [(BACKOFF,), (FAILURE_TARGET, BACKOFF)])
def test_a_failure_is_told_with_its_reason(
    conditions: tuple[Object, ...], found: Object, reason: Reason, code: int | None, words: str
) -> None:
    told = state_of(job(*conditions, failed=1), [found])
    assert (told.status, told.reason, told.exit_code) == (Status.FAILED, reason, code)
    assert words in told.message
    assert told.finished
    assert not told.ends_it


def test_what_could_not_start_has_no_start() -> None:
    assert state_of(job(BACKOFF), [ended(127, "ContainerCannotRun")]).started is None


def test_of_several_workers_the_first_failure_counts() -> None:
    first = ended(4, name="b")
    killed = ended(137, name="a", deleted=True)  # by the controller, because of the first
    told = state_of(job(BACKOFF, workers=2), [killed, first])
    assert (told.exit_code, told.finished) == (4, parsed_time(ENDED))
    assert told.message == "worker 2 of 2: exited with code 4"


def test_a_failed_job_whose_pod_is_gone_is_lost() -> None:
    told = state_of(job(BACKOFF, failed=1, pods="gone"), [])
    assert (told.status, told.reason) == (Status.FAILED, Reason.LOST)
    assert "BackoffLimitExceeded" in told.message


def test_a_pod_failure_policy_names_the_disruption() -> None:
    """Since 1.26 a disruption fails the job."""
    policy = condition("Failed", "PodFailurePolicy", "Pod ns/x has condition DisruptionTarget")
    evicted = ended(137, deleted=True, conditions=[DISRUPTION])
    told = state_of(job(policy, failed=1), [evicted])
    assert (told.status, told.reason) == (Status.FAILED, Reason.LOST)
    assert "Eviction API: evicting" in told.message


# --------------------------------------------------------------------------- lost runs


@pytest.mark.parametrize(
    ("made", "pods"),
    [
        (job(active=1, pods="the-job-abcde"), [running(deleted=True)]),  # by hand, or evicted
        (job(active=1, pods="the-job-first"), [running()]),  # a second run
        (job(active=1, pods="the-job-first"), []),
        (job(active=1), [running(name="a"), running(name="b")]),
        (job(active=2, workers=2, pods="a b"), [running(name="a"), running(name="c")]),
        (job(active=1), [running(name="a", deleted=True), pod("Pending", name="b")]),
    ],
)
def test_a_run_that_is_taken_away_is_lost_and_never_begun_anew(
    made: Object, pods: list[Object]
) -> None:
    told = state_of(made, pods)
    assert (told.status, told.reason) == (Status.FAILED, Reason.LOST)
    assert told.ends_it


@pytest.mark.parametrize(
    ("made", "pods"),
    [
        (job(active=1, workers=2, pods="a"), [running(name="a"), running(name="b")]),
        (job(active=1, pods="the-job-abcde"), [running()]),
        # A worker fails, and the controller takes the others away before it says so.
        (job(workers=2, pods="a b"), [ended(4, name="a"), running(name="b", deleted=True)]),
        (job(pods="the-job-abcde"), [ended(0, deleted=True)]),
    ],
)
def test_a_job_is_not_lost_too_soon(made: Object, pods: list[Object]) -> None:
    assert state_of(made, pods).status is Status.STARTED


TWO_RUNS = [ended(0, name="a"), ended(0, name="b")]


@pytest.mark.parametrize(
    ("made", "pods"),
    [
        (job(COMPLETE, succeeded=2), TWO_RUNS),
        (job(COMPLETE, succeeded=1, active=1), [ended(0, name="a"), running(name="b")]),
        (job(COMPLETE, succeeded=1, pods="first", begun=True), [ended(0)]),
        (job(COMPLETE, SUCCESS_MET, succeeded=2, pods="a", begun=True), TWO_RUNS),
    ],
)
def test_a_job_that_ran_twice_did_not_succeed(made: Object, pods: list[Object]) -> None:
    """Nobody can tell what two runs at a time have left in the output."""
    told = state_of(made, pods)
    assert (told.status, told.reason) == (Status.FAILED, Reason.LOST)
    assert "begun anew" in told.message
    assert not told.ends_it


@pytest.mark.parametrize(
    ("made", "pods"),
    [
        # What was taken away had not begun, or is gone since the end.
        (job(COMPLETE, succeeded=1, pods="first"), [ended(0)]),
        (job(COMPLETE, succeeded=1), [ended(0, name="a"), pod("Pending", name="b")]),
        (job(COMPLETE, succeeded=1, pods="gone", begun=True), []),
        (job(COMPLETE, workers=2, succeeded=2, pods="a b", begun=True), [ended(0, name="a")]),
        (job(COMPLETE, workers=2, succeeded=2), TWO_RUNS),
    ],
)
def test_a_job_that_ran_once_succeeded(made: Object, pods: list[Object]) -> None:
    assert state_of(made, pods).status is Status.SUCCEEDED


# ---------------------------------------------------------------------------- verdicts


def test_what_was_told_is_read_back() -> None:
    told = state_of(job(BACKOFF), [ended(3)])
    made = job(BACKOFF)
    patch = end_patch(made, told)
    note(made, patch)
    assert recorded_end(made) == told
    assert patch["metadata"]["resourceVersion"] == "7"
    assert "spec" not in patch


def test_a_verdict_of_a_later_pman_is_read() -> None:
    """It may have reasons that this one does not know."""
    made = job(BACKOFF)
    note(made, end_patch(made, state_of(made, [ended(3)])))
    notes = made["metadata"]["annotations"]
    notes[OUTCOME] = notes[OUTCOME].replace(Reason.EXIT_CODE.value, "bad-luck")
    verdict = recorded_end(made)
    assert verdict
    assert (verdict.status, verdict.reason, verdict.exit_code) == (Status.FAILED, None, 3)


def test_a_job_that_lost_its_notes_is_told_all_the_same() -> None:
    made = job(active=1)
    for lost in (IMAGE_LABEL, FINGERPRINT_LABEL):
        del made["metadata"]["annotations"][lost]
    info = info_of(made, state_of(made, [running()]))
    assert (info.image, info.fingerprint) == (BASE.image, "")


def test_what_pman_ends_is_stopped_and_ends_for_the_engine_too() -> None:
    told = start_failure_end(job(), Waiting("no", Reason.CANNOT_START), datetime.now(UTC))
    patch = end_patch(job(), told)
    assert patch["spec"] == {"parallelism": 0, "activeDeadlineSeconds": 1}


def test_what_was_told_stays_whatever_the_engine_says_of_the_end_later() -> None:
    made = job(condition("Failed", "DeadlineExceeded", "Job was active longer than ..."))
    told = start_failure_end(
        made, Waiting("no", Reason.CANNOT_START), datetime(2026, 11, 21, 2, tzinfo=UTC)
    )
    note(made, end_patch(made, told))
    verdict = recorded_end(made)
    assert verdict
    assert (verdict.reason, verdict.message) == (Reason.CANNOT_START, "cannot start: no")


def test_a_job_without_a_verdict_has_none() -> None:
    assert recorded_end(job()) is None


def test_pods_are_noted_by_name() -> None:
    patch = progress_patch(job(), state_of(job(), []), ("a", "b"))
    assert patch["metadata"]["annotations"] == {"pman.chrisproject.org/pods": "a b"}


def note(made: Object, patch: Object) -> None:
    """What the API server does with a patch of annotations."""
    made["metadata"]["annotations"] |= patch["metadata"]["annotations"]


def test_a_job_is_told_as_it_was_given() -> None:
    info = info_of(job(), state_of(job(), []))
    assert (info.jid, info.image, info.argv) == (BASE.jid, BASE.image, BASE.argv)
    assert (info.fingerprint, info.native) == (BASE.fingerprint, "the-job")
    assert info_of(job(pods="a-pod"), state_of(job(), [])).native == "the-job/a-pod"
    assert info_of(job(pods="a b", workers=2), state_of(job(), [])).native == "the-job"
    assert info.created == parsed_time("2026-11-21T01:00:00Z")


def test_times_never_run_backwards() -> None:
    """The clock of a node may be behind that of the server."""
    early = pod("Running", {"running": {"startedAt": "2026-11-21T00:59:00Z"}})
    info = info_of(job(), state_of(job(), [early]))
    assert info.started == info.created


@pytest.mark.parametrize(
    ("found", "is_over"),
    [
        (ended(0), True),
        (ended(3), True),
        (running(), False),
        (pod("Failed", {"running": {"startedAt": STARTED}}), False),  # killed just now
        (pod("Failed", reason="Evicted"), False),
        (pod("Pending"), False),
    ],
)
def test_a_phase_alone_is_no_proof_of_an_end(found: Object, is_over: bool) -> None:
    assert Pod(found).has_ended is is_over


def test_what_a_job_waits_for_in_vain_comes_first() -> None:
    pods = [Pod(unscheduled()), Pod(waiting("InvalidImageName", "x"))]
    assert waits_for(job(workers=2), pods).is_permanent


def test_words_of_an_engine_tell_no_value_of_the_environment() -> None:
    """Neither as the Job has it, nor as the process gets it; also where a verdict is cut."""
    made = job()
    env = [{"name": "PIN", "value": "1"}, {"name": "TOKEN", "value": "se$$cret"}]
    made["spec"]["template"]["spec"]["containers"][0]["env"] = env
    quoted = json.dumps([env, "PIN=1", "TOKEN=se$cret"])
    told = JobState(status=Status.FAILED, message=f"cannot start: {quoted}")
    message = info_of(made, told).message
    assert message.count("***") == 4
    assert "cret" not in message
    long = JobState(status=Status.FAILED, message="x" * (MAX_MESSAGE_CHARS - 10) + " TOKEN=se$cret")
    assert "se$" not in end_patch(made, long)["metadata"]["annotations"][OUTCOME]
