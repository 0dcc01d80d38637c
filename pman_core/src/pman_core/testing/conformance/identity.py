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
from pman_core.testing.conformance.marks import weakened_by
from pman_core.testing.conformance.workbench import Place, Workbench

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

    def test_a_repeated_submit_finds_the_job_that_runs(self, bench: Workbench) -> None:
        """It runs once, however often and whenever it is repeated."""
        place = bench.place()
        job = bench.job(place, "count", place.job_out)
        first = bench.submit(job)
        again = bench.submit(job, bench.fresh())
        assert again.fingerprint == first.fingerprint == job.fingerprint
        assert bench.end_of(job.jid).status is Status.SUCCEEDED
        after = bench.submit(job, bench.fresh())
        assert (after.status, after.fingerprint) == (Status.SUCCEEDED, job.fingerprint)
        assert place.runs() == 1

    def test_another_request_finds_the_fingerprint_of_the_first(self, bench: Workbench) -> None:
        """Nothing of the second request is run or stored; the core then answers 409."""
        place = bench.place()
        job = bench.job(place, "exit", "0")
        bench.submit(job)
        other = bench.job(place, "count", place.job_out, jid=job.jid)
        assert other.fingerprint != job.fingerprint
        assert bench.submit(other, bench.fresh()).fingerprint == job.fingerprint
        assert bench.end_of(job.jid).argv == job.argv
        assert place.runs() == 0

    def test_eight_submits_at_once_run_one_job(self, bench: Workbench) -> None:
        """Each from a plugin of its own; all are answered. One round hits a race by luck only."""
        backends = [bench.fresh() for _ in range(8)]
        rounds: list[tuple[Job, Place]] = []
        with ThreadPoolExecutor(8) as pool:
            for _ in range(_ROUNDS):
                place = bench.place()
                job = bench.job(place, "count", place.job_out)
                rounds.append((job, place))
                infos = pool.map(bench.submit, itertools.repeat(job), backends)
                assert {info.fingerprint for info in infos} == {job.fingerprint}
        for job, place in rounds:
            assert bench.end_of(job.jid).status is Status.SUCCEEDED
            assert place.runs() == 1

    def test_a_failed_job_is_not_run_again(self, bench: Workbench) -> None:
        """The client removes it first."""
        place = bench.place()
        job = bench.job(place, "count", place.job_out, "3")
        bench.submit(job)
        assert bench.end_of(job.jid).status is Status.FAILED
        assert bench.submit(job).status is Status.FAILED
        assert place.runs() == 1

    def test_a_killed_pman_neither_loses_nor_doubles_a_job(self, bench: Workbench) -> None:
        """Killed at any moment of a submit; the client then repeats its request."""
        if not bench.subject.other_process:
            bench.not_run("the jobs of this backend live in the memory of one process")
        dice = random.Random(20)  # noqa: S311 - the same moments in every run
        for _ in range(8):
            place = bench.place()
            job = bench.job(place, "count", place.job_out)
            assert bench.begin_and_kill(job, dice.uniform(0.0, 0.3))
            seen = bench.submit(job)
            assert seen.fingerprint == job.fingerprint
            assert bench.end_of(job.jid).status is Status.SUCCEEDED
            assert place.runs() == 1

    @weakened_by(Deviation.BROKEN_OFF_SUBMIT)
    def test_what_a_killed_pman_left_undone_is_gone_on_with(self, bench: Workbench) -> None:
        """A pman that begins to serve is enough: no client asks for the jobs."""
        if not bench.subject.other_process:
            bench.not_run("the jobs of this backend live in the memory of one process")
        dice = random.Random(21)  # noqa: S311 - the same moments in every run
        places = [bench.place() for _ in range(12)]
        jobs = [bench.job(place, "count", place.job_out) for place in places]
        for job in jobs:
            # Most of what can be left half done is so within some hundredths of a second.
            assert bench.begin_and_kill(job, 0.3 * dice.random() ** 2)
        bench.resume(lambda: all(place.runs() for place in places))
        # What has not begun by now must be a job that the killed pman had not made yet.
        for place, job in zip(places, jobs, strict=True):
            if place.runs():
                assert bench.end_of(job.jid).status is Status.SUCCEEDED
            elif bench.deviates(Deviation.BROKEN_OFF_SUBMIT):
                bench.submit(job)
                assert bench.end_of(job.jid).status is Status.SUCCEEDED
            else:
                with pytest.raises(UnknownJobError):
                    bench.status(job.jid)
        assert max(place.runs() for place in places) <= 1

    def test_a_fresh_plugin_sees_every_job(self, bench: Workbench) -> None:
        """Running or ended, with all that is known of it."""
        place = bench.place()
        running = bench.hold(place)
        ended = bench.run(bench.place(), "exit", "3")
        fresh = bench.fresh()
        for info in (running, ended):
            seen = fresh.status(info.jid)
            assert attrs.evolve(seen, native="") == attrs.evolve(info, native="")
        place.release()

    @pytest.mark.parametrize("jid", AWKWARD_JIDS, ids=range(len(AWKWARD_JIDS)))
    def test_a_jid_that_is_no_name_works_all_the_same(self, bench: Workbench, jid: str) -> None:
        """It is reported as it was given, and found again."""
        place = bench.place()
        bench.submit(bench.job(place, "count", place.job_out, jid=jid))
        assert bench.end_of(jid).jid == jid
        assert place.runs() == 1
        assert jid in {info.jid for info in bench.backend.list(JobFilter(), 1000, None).jobs}
        assert bench.backend.remove(jid)

    def test_similar_jids_stay_apart(self, bench: Workbench) -> None:
        """Also where their names in the engine could look alike."""
        jids = ["Same-name", "same-name", "same_name", "same.name", native_name("Same-name")]
        for code, jid in enumerate(jids):
            bench.submit(bench.job(bench.place(), "exit", str(code), jid=jid))
        assert [bench.end_of(jid).exit_code for jid in jids] == list(range(len(jids)))

    def test_an_unknown_job_is_unknown(self, bench: Workbench) -> None:
        """Not an empty one, and not one with a longer id."""
        bench.submit(bench.job(bench.place(), "exit", "0", jid="known-1"))
        for jid in ("known", "known-", "known-11", "nobody"):
            with pytest.raises(UnknownJobError):
                bench.backend.status(jid)
            assert bench.backend.remove(jid) is False
        assert bench.end_of("known-1").status is Status.SUCCEEDED

    def test_what_pman_did_not_create_is_no_job(self, bench: Workbench) -> None:
        """It is not seen, not removed, and its name is not taken from it."""
        if bench.subject.make_foreign is None:
            bench.not_run("the subject has no make_foreign")
        with bench.subject.make_foreign("foreign-object") as exists:
            with pytest.raises(UnknownJobError):
                bench.backend.status("foreign-object")
            assert bench.backend.remove("foreign-object") is False
            listed = bench.backend.list(JobFilter(), 1000, None).jobs
            assert "foreign-object" not in {info.jid for info in listed}
            with pytest.raises(NameTakenError, match="foreign-object"):
                bench.backend.submit(bench.job(bench.place(), "exit", "0", jid="foreign-object"))
            assert exists()

    def test_another_instance_has_jobs_of_its_own(self, bench: Workbench) -> None:
        """Two pmans on one engine, with different INSTANCE, even with the same jid."""
        other = bench.fresh(INSTANCE="conformance-other")
        first = bench.job(bench.place(), "exit", "0")
        bench.submit(first)
        with pytest.raises(UnknownJobError):
            other.status(first.jid)
        assert other.remove(first.jid) is False
        bench.submit(bench.job(bench.place(), "exit", "5", jid=first.jid), other)
        assert other.list(JobFilter(), 1000, None).jobs[0].jid == first.jid
        own = bench.until(
            "the end of the job of the other instance",
            lambda: other.status(first.jid),
            lambda info: info.status.is_final,
        )
        assert own.exit_code == 5
        assert other.remove(first.jid) is True
        ended = bench.until(
            "the end of the first job",
            lambda: bench.backend.status(first.jid),
            lambda info: info.status.is_final,
        )
        assert ended.exit_code == 0
