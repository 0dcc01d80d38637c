"""A job that has not begun says what it waits for, and fails once it can never start."""

from datetime import UTC, datetime
from typing import Any

import pytest
from k8s_objects import (
    STARTED,
    condition,
    decided,
    event,
    job,
    pod,
    unscheduled,
    waiting,
)

from pman_core import Reason, Status
from pman_core.kit.causes import pull_message
from pman_k8s.status.decision import waits_for
from pman_k8s.status.events import waiting_by_events
from pman_k8s.status.pending import NO_POD, Waiting
from pman_k8s.status.pods import Pod

Object = dict[str, Any]


@pytest.mark.parametrize(
    ("pods", "reason", "words"),
    [
        ((), None, "no pod yet"),
        ((unscheduled(),), Reason.QUEUED, "Unschedulable: 0/1 nodes are available"),
        ((pod("Pending"),), None, "Pending"),
        ((pod("Pending", startTime=STARTED),), None, "ContainerCreating"),
        ((waiting("ContainerCreating"),), None, "ContainerCreating"),
        ((waiting("PodInitializing"),), None, "PodInitializing"),
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
    told = decided(job(active=1, workers=2), *pods).info
    assert (told.status, told.reason) == (Status.NOT_STARTED, reason)
    assert words in told.message


def test_a_gated_pod_waits_in_a_queue() -> None:
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    assert decided(job(), pod("Pending", conditions=[gated])).info.reason is Reason.QUEUED


def test_a_suspended_job_waits() -> None:
    made = job(condition("Suspended", "JobSuspended", "Job suspended"))
    told = decided(made).info
    assert (told.status, told.reason) == (Status.NOT_STARTED, Reason.QUEUED)


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
def test_a_permanent_refusal_is_recognized(reason: str, message: str) -> None:
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
def test_a_cause_that_a_file_server_may_mend_is_not_permanent_at_first(message: str) -> None:
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
def test_a_transient_cause_does_not_fail_a_job(message: str) -> None:
    assert not Pod(waiting("CreateContainerConfigError", message)).waits.is_permanent
    told = waiting_by_events(
        [event("FailedMount", f"hostPath type check failed: {message}")], NO_POD
    )
    assert not told.is_permanent


def test_access_denied_by_a_registry_is_not_permanent_at_first() -> None:
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
def test_events_say_why_a_pod_is_not_made(found: Object, reason: Reason | None, words: str) -> None:
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
def test_events_say_why_there_is_no_pod(message: str, reason: Reason) -> None:
    told = waiting_by_events([event("FailedCreate", message)], NO_POD)
    assert (told.reason, told.confirm_after_s) == (reason, 0)


def test_constraints_that_are_not_read_yet_forbid_nothing_at_first() -> None:
    message = "unable to validate against any security context constraint: []"
    told = waiting_by_events([event("FailedCreate", message)], NO_POD)
    assert (told.reason, told.confirm_after_s) == (Reason.CANNOT_START, 60)


def test_the_deadline_counts_from_creation_by_the_servers_clock() -> None:
    made, found = job(pods="the-job-abcde"), unscheduled("no room")
    before = datetime(2026, 11, 21, 1, 1, 0, tzinfo=UTC)
    after = datetime(2026, 11, 21, 1, 1, 1, tzinfo=UTC)
    assert decided(made, found, now=before).patch is None
    late = decided(made, found, now=after)
    assert (late.info.status, late.info.reason) == (Status.FAILED, Reason.START_DEADLINE)
    assert late.patch
    assert late.patch["spec"]["parallelism"] == 0
    assert late.info.message == "not started within 60 s: Unschedulable: no room"


def test_a_permanent_cause_comes_first() -> None:
    pods = [Pod(unscheduled()), Pod(waiting("InvalidImageName", "x"))]
    assert waits_for(job(workers=2), pods).is_permanent
