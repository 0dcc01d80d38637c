"""Promise 2: the job runs in the surroundings that were asked for."""

from __future__ import annotations

import os
import uuid

import pytest

from pman_core.contract.capabilities import Deviation, Option
from pman_core.contract.errors import ClientError
from pman_core.contract.info import JobFilter, Reason, Status
from pman_core.contract.job import User
from pman_core.testing.conformance.argv import NASTY
from pman_core.testing.conformance.harness import Harness, Place
from pman_core.testing.conformance.marks import weakened_by

_SECRET = "PMAN_CONFORMANCE_SECRET"  # noqa: S105 - the name of a variable


class SurroundingsPromises:
    """Environment, user, privileges, labels, shared memory, GPUs."""

    def test_environment_arrives_byte_for_byte(self, harness: Harness) -> None:
        """Nothing on the way interprets a value."""
        place = harness.place()
        env = {f"NASTY_{index}": value for index, value in enumerate(NASTY)}
        info = harness.run(place, "dump", place.job_out, env=env)
        assert info.status is Status.SUCCEEDED, info
        seen = _environment(place)
        assert {key: seen.get(key) for key in env} == env

    def test_no_value_of_a_jobs_environment_is_shown(self, harness: Harness) -> None:
        """It may be a token: neither a message nor a label holds it, however the job ends."""
        secret = f"hidden-{uuid.uuid4().hex}"
        jobs = [
            harness.job(harness.place(), "exit", "0", env={"TOKEN": secret}),
            harness.job(harness.place(), "exit", "3", env={"TOKEN": secret}),
            harness.job(
                harness.place(), "exit", "0", env={"TOKEN": secret}, argv=("no-such-program",)
            ),
        ]
        seen = [harness.submit(job) for job in jobs]
        seen += [harness.end_of(job.jid) for job in jobs]
        seen += harness.backend.list(JobFilter(), 1000, None).jobs
        assert not [info.jid for info in seen if secret in repr(info)]

    def test_nothing_of_pmans_own_environment_reaches_a_job(
        self, harness: Harness, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It may hold what no client should see."""
        monkeypatch.setenv(_SECRET, "hidden")
        place = harness.place()
        job = harness.job(place, "dump", place.job_out)
        backend = harness.fresh(**{_SECRET: "hidden"})
        harness.submit(job, backend)
        assert harness.end_of(job.jid).status is Status.SUCCEEDED
        seen = _environment(place)
        assert _SECRET not in seen
        assert "hidden" not in seen.values()

    def test_a_job_begins_in_its_working_directory(self, harness: Harness) -> None:
        """The one that was asked for, not that of the image."""
        harness.needs(Option.WORKDIR)
        place = harness.place()
        info = harness.run(place, "dump", place.job_out, workdir=place.job_out)
        assert info.status is Status.SUCCEEDED, info
        assert place.dump()["cwd"] == place.job_out

    @weakened_by(Deviation.WORKDIR_MADE)
    def test_a_working_directory_that_is_missing_is_reported(self, harness: Harness) -> None:
        """The job cannot start, and the message names the directory."""
        harness.needs(Option.WORKDIR)
        missing = f"/no-such-directory-{uuid.uuid4().hex[:8]}"
        info = harness.run(harness.place(), "exit", "0", workdir=missing)
        if harness.deviates(Deviation.WORKDIR_MADE) and info.status is Status.SUCCEEDED:
            return
        assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START), info
        assert missing in info.message

    def test_user_and_group_are_in_force(self, harness: Harness) -> None:
        """Both are the job's real ids, seen from inside."""
        harness.needs(Option.USER)
        place = harness.place()
        info = harness.run(place, "dump", place.job_out, user=User(uid=12345, gid=23456))
        assert info.status is Status.SUCCEEDED, info
        assert place.dump()["ids"] == [12345, 23456]

    @weakened_by(Deviation.PRIVILEGES_GAINABLE)
    def test_a_job_cannot_gain_privileges(self, harness: Harness) -> None:
        """No setuid program of the image makes its user another one, root least of all."""
        place = harness.place()
        info = harness.run(place, "dump", place.job_out)
        assert info.status is Status.SUCCEEDED, info
        allowed = harness.deviates(Deviation.PRIVILEGES_GAINABLE)
        assert place.dump()["cannot_gain_privileges"] or allowed

    def test_a_group_alone_is_in_force_or_refused(self, harness: Harness) -> None:
        """It is never dropped, or made a supplementary group only."""
        harness.needs(Option.USER)
        place = harness.place()
        job = harness.job(place, "dump", place.job_out, user=User(gid=23456))
        try:
            harness.submit(job)
        except ClientError as error:
            assert str(error)
            return
        assert harness.end_of(job.jid).status is Status.SUCCEEDED
        assert place.dump()["ids"][1] == 23456

    def test_labels_are_given_back(self, harness: Harness) -> None:
        """From the engine, by any plugin."""
        harness.needs(Option.LABELS)
        place = harness.place()
        labels = {"org.example.role": "conformance", "plain": "yes"}
        job = harness.job(place, "exit", "0", labels=labels)
        assert dict(harness.submit(job).labels) == labels
        assert dict(harness.fresh().status(job.jid).labels) == labels

    def test_shared_memory_has_the_asked_size(self, harness: Harness) -> None:
        """In MiB, which are not megabytes."""
        harness.needs(Option.SHM_SIZE)
        place = harness.place()
        info = harness.run(place, "dump", place.job_out, shm_mib=100)
        assert info.status is Status.SUCCEEDED, info
        assert place.dump()["shm_mib"] == pytest.approx(100, abs=0.1)

    def test_more_gpus_than_there_are_is_reported(self, harness: Harness) -> None:
        """A request for GPUs is never dropped: the job does not run without them."""
        harness.needs(Option.GPU_LIMIT)
        place = harness.place()
        job = harness.resources(harness.job(place, "count", place.job_out), gpus=64)
        try:
            harness.submit(job)
        except ClientError as error:
            assert str(error)
            return
        info = harness.until(
            "a word about the GPUs",
            lambda: harness.status(job.jid),
            lambda info: (
                info.status.is_final
                or (info.status is Status.NOT_STARTED and info.reason is not None)
            ),
        )
        assert info.status is not Status.SUCCEEDED
        assert info.message
        assert place.runs() == 0


def _environment(place: Place) -> dict[str, str]:
    return {
        os.fsdecode(bytes.fromhex(key)): os.fsdecode(bytes.fromhex(value))
        for key, value in place.dump()["env"].items()
    }
