"""What pman records on a Job is read back, and stays."""

import json
from typing import Any

from k8s_jobs import BASE
from k8s_objects import (
    BACKOFF,
    condition,
    decided,
    ended,
    job,
    pod,
    record,
    running,
    state_by,
    waiting,
)

from pman_core import Reason, Status
from pman_core.kit.job_labels import IMAGE_LABEL
from pman_core.kit.names import FINGERPRINT_LABEL
from pman_k8s.labels import OUTCOME
from pman_k8s.record import MAX_MESSAGE_CHARS, end_patch, recorded_end
from pman_k8s.status.state import JobState, info_of

Object = dict[str, Any]


def test_a_recorded_end_is_read_back() -> None:
    told = state_by(job(BACKOFF), [ended(3)])
    made = job(BACKOFF)
    patch = end_patch(made, told)
    record(made, patch)
    assert recorded_end(made) == told
    assert patch["metadata"]["resourceVersion"] == "7"
    assert "spec" not in patch


def test_an_end_that_a_later_pman_recorded_is_read() -> None:
    """It may have reasons that this one does not know."""
    made = job(BACKOFF)
    record(made, end_patch(made, state_by(made, [ended(3)])))
    notes = made["metadata"]["annotations"]
    notes[OUTCOME] = notes[OUTCOME].replace(Reason.EXIT_CODE.value, "bad-luck")
    verdict = recorded_end(made)
    assert verdict
    assert (verdict.status, verdict.reason, verdict.exit_code) == (Status.FAILED, None, 3)


def test_a_job_without_its_annotations_is_still_reported() -> None:
    made = job(active=1)
    for lost in (IMAGE_LABEL, FINGERPRINT_LABEL):
        del made["metadata"]["annotations"][lost]
    info = info_of(made, state_by(made, [running()]))
    assert (info.image, info.fingerprint) == (BASE.image, "")


def test_what_pman_ends_is_stopped_and_ends_for_the_engine_too() -> None:
    patch = decided(job(), waiting("ErrImageNeverPull", "no")).patch
    assert patch
    assert patch["spec"] == {"parallelism": 0, "activeDeadlineSeconds": 1}


def test_a_recorded_end_stays_whatever_the_cluster_says_later() -> None:
    made = job()
    first = decided(made, waiting("ErrImageNeverPull", "no"))
    assert first.patch
    record(made, first.patch)
    over = condition("Failed", "DeadlineExceeded", "Job was active longer than ...")
    made["status"]["conditions"] = [over]
    later = decided(made)
    assert (later.info.reason, later.patch) == (Reason.CANNOT_START, None)
    assert later.info.message == first.info.message == "cannot start: ErrImageNeverPull: no"


def test_a_job_without_a_recorded_end_has_none() -> None:
    assert recorded_end(job()) is None


def test_pods_are_recorded_by_name() -> None:
    patch = decided(job(workers=2), *(pod("Pending", name=name) for name in "ab")).patch
    assert patch
    assert patch["metadata"]["annotations"] == {"pman.chrisproject.org/pods": "a b"}


def test_the_clusters_words_show_no_value_of_the_environment() -> None:
    """Neither as the Job has it, nor as the process gets it; also where a message is cut."""
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
