"""Promises 5, 6, 7 and 10: one job for one id, and only pman's own."""

from __future__ import annotations

import itertools
import random
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest

from pman_core.contract.capabilities import Deviation
from pman_core.contract.errors import NameTakenError, UnknownJobError
from pman_core.contract.info import JobFilter, Status
from pman_core.contract.job import Job
from pman_core.kit.names import native_name
from pman_core.testing.conformance.harness import Harness, Place
from pman_core.testing.conformance.marks import weakened_by

#: How often eight submit the same job at once.
_ROUNDS = 50

AWKWARD_JIDS = (
    "Upper_Case",
    "chris.jid.1",
    "with blank and ünïcode ☃",
    "-leading-and-trailing-",
    "x" * 200,
    "plain-0123456789abcdef",
    "percent%20 plus+ #hash ?query &and",
    "'quoted' \"twice\" $HOME {{.ID}}",
)


class IdentityPromises:
    """Which job is which."""

    def test_a_repeated_submit_finds_the_job_that_runs(self, harness: Harness) -> None:
        """It runs once, however often and whenever it is repeated."""
        place = harness.place()
        job = harness.job(place, "count", place.job_out)
        first = harness.submit(job)
        again = harness.submit(job, harness.fresh())
        assert again.fingerprint == first.fingerprint == job.fingerprint
        assert harness.end_of(job.jid).status is Status.SUCCEEDED
        after = harness.submit(job, harness.fresh())
        assert (after.status, after.fingerprint) == (Status.SUCCEEDED, job.fingerprint)
        assert place.runs() == 1

    def test_another_request_finds_the_fingerprint_of_the_first(self, harness: Harness) -> None:
        """Nothing of the second request is run or stored; the core then answers 409."""
        place = harness.place()
        job = harness.job(place, "exit", "0")
        harness.submit(job)
        other = harness.job(place, "count", place.job_out, jid=job.jid)
        assert other.fingerprint != job.fingerprint
        assert harness.submit(other, harness.fresh()).fingerprint == job.fingerprint
        assert harness.end_of(job.jid).argv == job.argv
        assert place.runs() == 0

    def test_eight_submits_at_once_run_one_job(self, harness: Harness) -> None:
        """Each from a plugin of its own; all are answered. One round hits a race by luck only."""
        backends = [harness.fresh() for _ in range(8)]
        rounds: list[tuple[Job, Place]] = []
        with ThreadPoolExecutor(8) as pool:
            for _ in range(_ROUNDS):
                place = harness.place()
                job = harness.job(place, "count", place.job_out)
                rounds.append((job, place))
                infos = pool.map(harness.submit, itertools.repeat(job), backends)
                assert {info.fingerprint for info in infos} == {job.fingerprint}
        for job, place in rounds:
            assert harness.end_of(job.jid).status is Status.SUCCEEDED
            assert place.runs() == 1

    def test_a_failed_job_is_not_run_again(self, harness: Harness) -> None:
        """The client removes it first."""
        place = harness.place()
        job = harness.job(place, "count", place.job_out, "3")
        harness.submit(job)
        assert harness.end_of(job.jid).status is Status.FAILED
        assert harness.submit(job).status is Status.FAILED
        assert place.runs() == 1

    def test_a_killed_pman_neither_loses_nor_doubles_a_job(self, harness: Harness) -> None:
        """Killed at any moment of a submit; the client then repeats its request."""
        if not harness.subject.other_process:
            harness.not_run("the jobs of this backend live in the memory of one process")
        dice = random.Random(20)  # noqa: S311 - the same moments in every run
        for _ in range(8):
            place = harness.place()
            job = harness.job(place, "count", place.job_out)
            assert harness.begin_and_kill(job, dice.uniform(0.0, 0.3))
            seen = harness.submit(job)
            assert seen.fingerprint == job.fingerprint
            assert harness.end_of(job.jid).status is Status.SUCCEEDED
            assert place.runs() == 1

    @weakened_by(Deviation.BROKEN_OFF_SUBMIT)
    def test_what_a_killed_pman_left_undone_is_gone_on_with(self, harness: Harness) -> None:
        """A pman that begins to serve is enough: no client asks for the jobs."""
        if not harness.subject.other_process:
            harness.not_run("the jobs of this backend live in the memory of one process")
        dice = random.Random(21)  # noqa: S311 - the same moments in every run
        places = [harness.place() for _ in range(12)]
        jobs = [harness.job(place, "count", place.job_out) for place in places]
        for job in jobs:
            # Most of what can be left half done is so within some hundredths of a second.
            assert harness.begin_and_kill(job, 0.3 * dice.random() ** 2)
        harness.resume(lambda: all(place.runs() for place in places))
        # What has not begun by now must be a job that the killed pman had not made yet.
        for place, job in zip(places, jobs, strict=True):
            if place.runs():
                assert harness.end_of(job.jid).status is Status.SUCCEEDED
            elif harness.deviates(Deviation.BROKEN_OFF_SUBMIT):
                harness.submit(job)
                assert harness.end_of(job.jid).status is Status.SUCCEEDED
            else:
                with pytest.raises(UnknownJobError):
                    harness.status(job.jid)
        assert max(place.runs() for place in places) <= 1

    def test_a_fresh_plugin_sees_every_job(self, harness: Harness) -> None:
        """Running or ended, with all that is known of it."""
        place = harness.place()
        running = harness.hold(place)
        ended = harness.run(harness.place(), "exit", "3")
        fresh = harness.fresh()
        for info in (running, ended):
            seen = fresh.status(info.jid)
            assert attrs.evolve(seen, native="") == attrs.evolve(info, native="")
        place.release()

    @pytest.mark.parametrize("jid", AWKWARD_JIDS, ids=range(len(AWKWARD_JIDS)))
    def test_a_jid_that_is_no_name_works_all_the_same(self, harness: Harness, jid: str) -> None:
        """It is reported as it was given, and found again."""
        place = harness.place()
        harness.submit(harness.job(place, "count", place.job_out, jid=jid))
        assert harness.end_of(jid).jid == jid
        assert place.runs() == 1
        assert jid in {info.jid for info in harness.backend.list(JobFilter(), 1000, None).jobs}
        assert harness.backend.remove(jid)

    def test_similar_jids_stay_apart(self, harness: Harness) -> None:
        """Also where their names in the engine could look alike."""
        jids = ["Same-name", "same-name", "same_name", "same.name", native_name("Same-name")]
        for code, jid in enumerate(jids):
            harness.submit(harness.job(harness.place(), "exit", str(code), jid=jid))
        assert [harness.end_of(jid).exit_code for jid in jids] == list(range(len(jids)))

    def test_an_unknown_job_is_unknown(self, harness: Harness) -> None:
        """Not an empty one, and not one with a longer id."""
        harness.submit(harness.job(harness.place(), "exit", "0", jid="known-1"))
        for jid in ("known", "known-", "known-11", "nobody"):
            with pytest.raises(UnknownJobError):
                harness.backend.status(jid)
            assert harness.backend.remove(jid) is False
        assert harness.end_of("known-1").status is Status.SUCCEEDED

    def test_what_pman_did_not_create_is_no_job(self, harness: Harness) -> None:
        """It is not seen, not removed, and its name is not taken from it."""
        if harness.subject.make_foreign is None:
            harness.not_run("the subject has no make_foreign")
        with harness.subject.make_foreign("foreign-object") as exists:
            with pytest.raises(UnknownJobError):
                harness.backend.status("foreign-object")
            assert harness.backend.remove("foreign-object") is False
            listed = harness.backend.list(JobFilter(), 1000, None).jobs
            assert "foreign-object" not in {info.jid for info in listed}
            with pytest.raises(NameTakenError, match="foreign-object"):
                harness.backend.submit(
                    harness.job(harness.place(), "exit", "0", jid="foreign-object")
                )
            assert exists()

    def test_another_instance_has_jobs_of_its_own(self, harness: Harness) -> None:
        """Two pmans on one engine, with different INSTANCE, even with the same jid."""
        other = harness.fresh(INSTANCE="conformance-other")
        first = harness.job(harness.place(), "exit", "0")
        harness.submit(first)
        with pytest.raises(UnknownJobError):
            other.status(first.jid)
        assert other.remove(first.jid) is False
        harness.submit(harness.job(harness.place(), "exit", "5", jid=first.jid), other)
        assert other.list(JobFilter(), 1000, None).jobs[0].jid == first.jid
        own = harness.until(
            "the end of the job of the other instance",
            lambda: other.status(first.jid),
            lambda info: info.status.is_final,
        )
        assert own.exit_code == 5
        assert other.remove(first.jid) is True
        ended = harness.until(
            "the end of the first job",
            lambda: harness.backend.status(first.jid),
            lambda info: info.status.is_final,
        )
        assert ended.exit_code == 0
