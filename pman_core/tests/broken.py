"""Deliberately broken backends: at least one for every test of the conformance class.

Each breaks one promise of the memory backend, mostly by a fault that some real backend had.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from subjects import memory_subject

from pman_core.contract.capabilities import Capabilities, Deviation
from pman_core.contract.errors import (
    EngineUnavailableError,
    InvalidJobError,
    NameTakenError,
    UnknownJobError,
)
from pman_core.contract.feed import Mark, News, Removed
from pman_core.contract.hookspecs import hookimpl
from pman_core.contract.info import JobFilter, JobInfo, JobPage, Reason, Status
from pman_core.contract.job import Job
from pman_core.contract.mounts import HostPath, Mount, NfsPath
from pman_core.contract.storage import host_storage
from pman_core.kit import outcome as outcomes
from pman_core.kit.feed import polled
from pman_core.kit.logs import tail
from pman_core.testing import MemoryBackend, MemoryEngine, Subject
from pman_core.testing.memory_engine import Record, now

#: The conformance test, and how to make the subject that it must fail.
BROKEN: dict[str, Callable[[Path], Subject]] = {}


def breaks(test: str, **changes: Any) -> Callable[[type[MemoryBackend]], type[MemoryBackend]]:
    """Declare that a backend breaks the promise of ``test``; ``changes`` go to the subject."""

    def declare(backend: type[MemoryBackend]) -> type[MemoryBackend]:
        def subject(folder: Path) -> Subject:
            engine = MemoryEngine()
            given = {"patience_s": 0.7, **changes}
            factory = partial(backend, engine=engine)
            return attrs.evolve(memory_subject(engine, folder), factory=factory, **given)

        assert test not in BROKEN
        BROKEN[test] = subject
        return backend

    return declare


def tampers_job(test: str, change: Callable[[Job], dict[str, Any]]) -> None:
    """A backend that runs another job than it was asked to."""

    class Tampering(MemoryBackend):
        @hookimpl
        def pman_submit(self, job: Job) -> JobInfo:
            info = super().pman_submit(attrs.evolve(job, **change(job)))
            return attrs.evolve(info, argv=job.argv)

    breaks(test)(Tampering)


def tampers_info(test: str, change: Callable[[JobInfo], dict[str, Any]]) -> None:
    """A backend that reports something else of a job than is true."""

    class Tampering(MemoryBackend):
        def _info(self, record: Record) -> JobInfo:
            info = super()._info(record)
            return attrs.evolve(info, **change(info))

    breaks(test)(Tampering)


def tampers_logs(test: str, change: Callable[[bytes, JobInfo], bytes]) -> None:
    """A backend that gives other logs than there are."""

    class Tampering(MemoryBackend):
        @hookimpl
        def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
            return change(super().pman_logs(info, tail_lines, max_bytes), info)

    breaks(test)(Tampering)


def end_reason(record: Record) -> Reason | None:
    """Why a job failed; ``None`` if it has not."""
    return record.outcome.reason if record.outcome else None


def resources(job: Job, **changes: Any) -> dict[str, Any]:
    return {"resources": attrs.evolve(job.resources, **changes)}


# ------------------------------------------------------------------- the command line

tampers_job(
    "test_argv_arrives_byte_for_byte",
    lambda job: {"argv": tuple(arg.replace("$$", "$") for arg in job.argv)},
)
tampers_job("test_a_thousand_arguments_arrive", lambda job: {"argv": job.argv[:500]})
tampers_job(
    "test_a_long_argument_arrives", lambda job: {"argv": tuple(a[:65536] for a in job.argv)}
)
tampers_job(
    "test_argv_replaces_the_entrypoint_of_the_image",
    lambda job: {"argv": ("/entrypoint.sh", *job.argv)},
)
tampers_info(
    "test_argv_and_image_are_reported_as_they_were_given",
    lambda info: {"argv": tuple(" ".join(info.argv).split())},
)

# ------------------------------------------------------------------- the surroundings


@breaks("test_no_value_of_a_jobs_environment_is_shown")
class QuotesTheEnvironment(MemoryBackend):
    def _info(self, record: Record) -> JobInfo:
        info = super()._info(record)
        words = f"{info.message}: {dict(record.job.env)}"
        return attrs.evolve(info, message=words if info.status is Status.FAILED else info.message)


tampers_job(
    "test_environment_arrives_byte_for_byte",
    lambda job: {"env": {key: value.strip() for key, value in job.env.items()}},
)
tampers_job(
    "test_nothing_of_pmans_own_environment_reaches_a_job",
    lambda job: {"env": {**os.environ, **job.env}},
)
tampers_job("test_a_job_begins_in_its_working_directory", lambda job: {"workdir": None})
tampers_job("test_a_working_directory_that_is_missing_is_reported", lambda job: {"workdir": None})
tampers_job("test_user_and_group_are_in_force", lambda job: {"user": None})


@breaks("test_a_job_cannot_gain_privileges")
class ConfinesNothing(MemoryBackend):
    def __init__(self, environ: Mapping[str, str], engine: MemoryEngine | None = None) -> None:
        super().__init__(environ, engine)
        self._engine.confines = False


tampers_job(
    "test_a_group_alone_is_in_force_or_refused",
    lambda job: {"user": job.user if job.user and job.user.uid else None},
)
tampers_info("test_labels_are_given_back", lambda info: {"labels": {}})
tampers_job(
    "test_shared_memory_has_the_asked_size",
    lambda job: {"shm_mib": job.shm_mib and round(job.shm_mib * 1.048576)},
)
tampers_job("test_more_gpus_than_there_are_is_reported", lambda job: resources(job, gpus=0))

# --------------------------------------------------------------------- the directories

tampers_job("test_input_can_be_read", lambda job: {"mounts": job.mounts[1:]})
tampers_job(
    "test_input_is_read_only",
    lambda job: {"mounts": tuple(attrs.evolve(m, read_only=False) for m in job.mounts)},
)
tampers_job(
    "test_output_can_be_written",
    lambda job: {"mounts": tuple(attrs.evolve(m, read_only=True) for m in job.mounts)},
)
tampers_job(
    "test_input_and_output_may_be_the_same",
    lambda job: {"mounts": tuple({mount.source: mount for mount in job.mounts}.values())},
)


def creating(job: Job) -> dict[str, Any]:
    for mount in job.mounts:
        assert isinstance(mount.source, HostPath)
        os.makedirs(mount.source.path, exist_ok=True)
    return {}


tampers_job("test_a_missing_directory_is_reported_and_not_created", creating)
tampers_job(
    "test_directories_are_where_plugins_expect_them",
    lambda job: {"mounts": tuple(attrs.evolve(m, target="/data") for m in job.mounts)},
)
tampers_job("test_a_job_may_have_more_directories", lambda job: {"mounts": job.mounts[:2]})
tampers_job(
    "test_a_job_sees_only_its_own_directories",
    lambda job: {"mounts": (*job.mounts, Mount(HostPath(""), "", read_only=False))},
)


def mounts_links(folder: Path) -> Subject:
    storage = attrs.evolve(host_storage(str(folder)), follows_links=True)
    subject = memory_subject(MemoryEngine(), folder)
    return attrs.evolve(subject, factory=partial(Unpinned, engine=MemoryEngine()), storage=storage)


class Unpinned(MemoryBackend):
    """Its engine looks at a directory whenever it is used."""

    def __init__(self, environ: Mapping[str, str], engine: MemoryEngine) -> None:
        super().__init__(environ, engine)
        engine.pins_directories = False


BROKEN["test_a_directory_that_is_a_link_is_not_mounted"] = mounts_links
breaks("test_a_link_made_after_the_submit_does_not_lead_out_of_the_storebase")(Unpinned)
breaks("test_a_link_made_after_the_submit_does_not_lead_to_another_job")(Unpinned)

# -------------------------------------------------------------------------- the limits

tampers_job(
    "test_a_job_may_use_its_memory",
    lambda job: resources(job, memory_mib=(job.resources.memory_mib or 0) // 4),
)
tampers_job("test_memory_limit_is_hard", lambda job: resources(job, memory_mib=None))
tampers_job(
    "test_memory_limit_covers_all_processes_of_a_job",
    lambda job: resources(job, memory_mib=(job.resources.memory_mib or 0) * 2),
)
tampers_info(
    "test_out_of_memory_is_reported",
    lambda info: {"reason": Reason.EXIT_CODE, "message": "exited with code 137"},
)
breaks("test_memory_limit_includes_swap", limits_swap=lambda info: False)(MemoryBackend)
tampers_job("test_cpu_limit_is_in_force", lambda job: resources(job, cpu_millicores=None))
tampers_job("test_time_limit_ends_a_job", lambda job: {"time_limit_s": None})
breaks("test_a_suspended_job_says_so_and_its_time_does_not_count", suspend_run=lambda info: None)(
    MemoryBackend
)

# ---------------------------------------------------------------------- the life cycle

tampers_info("test_success_is_reported", lambda info: {"exit_code": None})
tampers_info("test_an_exit_code_is_reported", lambda info: {"exit_code": 1})
tampers_info(
    "test_a_signal_is_reported",
    lambda info: {"exit_code": info.exit_code and 128 - info.exit_code},  # as Python has it
)


@breaks("test_descendants_of_a_job_end_with_it")
class LeavesDescendants(MemoryBackend):
    def __init__(self, environ: Mapping[str, str], engine: MemoryEngine | None = None) -> None:
        super().__init__(environ, engine)
        self._engine.ends_descendants = False


tampers_info("test_a_bad_executable_is_reported", lambda info: {"message": "failed"})
tampers_info(
    "test_a_job_that_could_not_start_has_a_time_of_end",
    lambda info: {"finished": None if info.reason is Reason.CANNOT_START else info.finished},
)


@breaks("test_orphans_are_reaped_and_own_signals_arrive")
class HasNoInit(MemoryBackend):
    def __init__(self, environ: Mapping[str, str], engine: MemoryEngine | None = None) -> None:
        super().__init__(environ, engine)
        self._engine.has_init = False


tampers_info(
    "test_a_running_job_is_started",
    lambda info: {"status": info.status if info.status.is_final else Status.NOT_STARTED},
)
tampers_info("test_the_end_stays", lambda info: {"finished": now()})


class Restarting(MemoryEngine):
    """Forgets how a job ended when it is started again, as Docker does."""

    def restart(self, name: str) -> None:
        record = self.records[name]
        assert record
        record.outcome = None
        super().restart(name)


def restarting(folder: Path) -> Subject:
    return memory_subject(Restarting(), folder)


BROKEN["test_an_end_stays_when_the_job_is_started_again"] = restarting

tampers_info(
    "test_times_are_in_utc_and_in_order",
    lambda info: {"started": info.started and info.started.replace(tzinfo=None)},
)
tampers_job("test_every_worker_runs", lambda job: resources(job, workers=1))
tampers_info(
    "test_failing_workers_fail_the_job",
    lambda info: {"status": Status.SUCCEEDED if info.status.is_final else info.status},
)


class Repeating(MemoryEngine):
    """Replaces a lost run by another, as a Kubernetes Job does."""

    def lose(self, name: str) -> None:
        super().lose(name)
        record = self.records[name]
        assert record
        again = Record(record.job, record.instance, record.created)
        self.launch(again)
        while not again.logs or b"holding" not in bytes(again.logs[0]):
            time.sleep(0.01)
        time.sleep(0.05)
        self.destroy(again)


def repeating(folder: Path) -> Subject:
    engine = Repeating()
    return attrs.evolve(memory_subject(engine, folder), patience_s=0.7)


BROKEN["test_a_lost_run_is_reported_and_not_repeated"] = repeating

# -------------------------------------------------------------------------- what waits


def waits_in_silence(info: JobInfo) -> dict[str, Any]:
    gone = info.reason in (Reason.IMAGE_NOT_FOUND, Reason.START_DEADLINE)
    return {"status": Status.NOT_STARTED, "reason": None} if gone else {}


tampers_info("test_a_missing_image_is_reported", waits_in_silence)
tampers_info(
    "test_why_an_image_cannot_be_had_is_reported",
    lambda info: {"status": Status.FAILED} if info.reason is Reason.PULLING else {},
)
tampers_info("test_a_job_that_waits_says_why", lambda info: {"reason": None})
tampers_info("test_a_job_that_waits_too_long_is_ended", waits_in_silence)

# ---------------------------------------------------------------------------- identity


@breaks("test_a_repeated_submit_finds_the_job_that_runs")
class RunsEachTime(MemoryBackend):
    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        self._engine.records.pop(self._name(job.jid), None)
        return super().pman_submit(job)


@breaks("test_another_request_finds_the_fingerprint_of_the_first")
class TellsTheNewFingerprint(MemoryBackend):
    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        return attrs.evolve(super().pman_submit(job), fingerprint=job.fingerprint)


@breaks("test_eight_submits_at_once_run_one_job")
class LooksBeforeItLeaps(MemoryBackend):
    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        name = self._name(job.jid)
        if name not in self._engine.records:
            time.sleep(0.001)  # the window between look-up and creation
            record = Record(job, self._settings.instance, now())
            self._engine.records[name] = record
            self._engine.launch(record)
        return super().pman_submit(job)


@breaks("test_a_failed_job_is_not_run_again")
class TriesAgain(MemoryBackend):
    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        record = self._engine.records.get(self._name(job.jid))
        if record and end_reason(record):
            self.pman_remove(job.jid)
        return super().pman_submit(job)


class StartsLater(MemoryBackend):
    """Notes the job first and starts it later: killed between, it never starts."""

    def __init__(self, environ: Mapping[str, str], engine: MemoryEngine | None = None) -> None:
        super().__init__(environ, engine)
        self._folder = Path(environ["FOLDER"])

    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        note = self._folder / self._name(job.jid)
        if note.exists():
            return self._info(Record(job, self._settings.instance, now()))
        note.touch()
        time.sleep(2)
        return super().pman_submit(job)

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        return self._info(Record(Job(jid=jid, image="", argv=()), "pman", now()))


def starts_later(folder: Path) -> Subject:
    return attrs.evolve(
        memory_subject(MemoryEngine(), folder),
        factory=StartsLater,
        environ={"FOLDER": str(folder)},
        other_process=True,
        patience_s=0.3,
    )


BROKEN["test_a_killed_pman_neither_loses_nor_doubles_a_job"] = starts_later


class WaitsToBeAsked(StartsLater):
    """Goes on with a job when somebody asks for it, and does nothing by itself."""

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        if (self._folder / self._name(jid)).exists():
            return self._info(Record(Job(jid=jid, image="", argv=()), "pman", now()))
        raise UnknownJobError(jid)


def waits_to_be_asked(folder: Path) -> Subject:
    return attrs.evolve(starts_later(folder), factory=WaitsToBeAsked)


BROKEN["test_what_a_killed_pman_left_undone_is_gone_on_with"] = waits_to_be_asked


@breaks("test_a_fresh_plugin_sees_every_job")
class Remembers(MemoryBackend):
    def __init__(self, environ: Mapping[str, str], engine: MemoryEngine | None = None) -> None:
        super().__init__(environ, None)


@breaks("test_a_jid_that_is_no_name_works_all_the_same")
class TellsItsOwnName(MemoryBackend):
    def _info(self, record: Record) -> JobInfo:
        return attrs.evolve(super()._info(record), jid=self._name(record.job.jid))


@breaks("test_similar_jids_stay_apart")
class SlugsWithoutHash(MemoryBackend):
    def _name(self, jid: str) -> str:
        return "".join(letter if letter.isalnum() else "-" for letter in jid.lower())


@breaks("test_an_unknown_job_is_unknown")
class MatchesByPrefix(MemoryBackend):
    def _find(self, jid: str) -> Record:
        for name, record in self._engine.records.items():
            if record and name.startswith(self._name(jid)):
                return record
        raise UnknownJobError(jid)


@breaks("test_what_pman_did_not_create_is_no_job")
class RemovesAnything(MemoryBackend):
    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        known = self._name(jid) in self._engine.records
        self._engine.records.pop(self._name(jid), None)
        return known


@breaks("test_another_instance_has_jobs_of_its_own")
class IgnoresTheInstance(MemoryBackend):
    def _name(self, jid: str) -> str:
        return jid

    def _is_mine(self, record: Record, jid: str) -> bool:
        return record.job.jid == jid


# -------------------------------------------------------------------------------- logs

tampers_logs("test_both_streams_arrive_exactly", lambda raw, _: raw.replace(b"\n", b"\r\n"))
tampers_logs(
    "test_streams_keep_the_order_in_which_they_were_written",
    lambda raw, _: b"".join(sorted(raw.splitlines(keepends=True))),
)


@breaks("test_the_last_lines_are_kept")
class CountsBytesAsLines(MemoryBackend):
    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        return super().pman_logs(info, 10**6, max_bytes)[-tail_lines:]


@breaks("test_the_last_bytes_are_kept")
class KeepsTheFirstBytes(MemoryBackend):
    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        return super().pman_logs(info, tail_lines, 10**6)[:max_bytes]


tampers_logs(
    "test_one_long_line_is_cut_to_its_last_bytes",
    lambda raw, _: b"".join(line for line in raw.splitlines(True) if len(line) < 16384),
)
tampers_logs(
    "test_long_lines_arrive_exactly",
    lambda raw, _: raw.replace(b"b" * 16384, b"b" * 16384 + b"\n"),
)


def misplaces_newlines(raw: bytes, _: JobInfo) -> bytes:
    """What an engine does that takes each block for a line."""
    return b"\n".join(raw[at : at + 8192] for at in range(0, len(raw), 8192))


tampers_logs("test_the_end_of_block_buffered_output_is_exact", misplaces_newlines)


@breaks("test_the_end_of_a_big_log_is_read_in_bounded_memory")
class ReadsAll(MemoryBackend):
    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        with self._engine.lock:
            whole = b"".join(bytes(log) for log in self._find(info.jid).logs)
        return tail([whole], tail_lines, max_bytes)


tampers_logs(
    "test_arbitrary_bytes_do_no_harm",
    lambda raw, _: raw.decode(errors="replace").encode(),
)
tampers_logs(
    "test_logs_of_a_running_job_can_be_read",
    lambda raw, info: raw if info.status.is_final else b"",
)


def only_of_containers(raw: bytes, info: JobInfo) -> bytes:
    if info.reason is Reason.CANNOT_START:
        raise EngineUnavailableError("there is no container")
    return raw


tampers_logs("test_logs_of_a_job_that_could_not_start_can_be_read", only_of_containers)


@breaks("test_each_worker_has_its_part_of_the_log")
class ShowsTheEndOfTheLastWorker(MemoryBackend):
    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        return tail([super().pman_logs(info, 10**6, 10**6)], tail_lines, max_bytes)


# ----------------------------------------------------------------------------- removal


@breaks("test_nothing_of_a_removed_job_runs_on")
class OnlyForgets(MemoryBackend):
    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        return self._engine.records.pop(self._name(jid), None) is not None


class Refusing(MemoryBackend):
    """Removes only jobs of one kind."""

    def may_remove(self, record: Record) -> bool:
        raise NotImplementedError

    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        record = self._engine.records.get(self._name(jid))
        if record and not self.may_remove(record):
            return False
        return super().pman_remove(jid)


@breaks("test_descendants_of_a_removed_job_end_with_it")
class EndsTheMainProcessAlone(MemoryBackend):
    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        record = self._engine.records.pop(self._name(jid), None)
        return record is not None  # the memory engine's descendants wait for ``kill``


@breaks("test_an_ended_job_can_be_removed")
class RemovesOnlyRunning(Refusing):
    def may_remove(self, record: Record) -> bool:
        return record.outcome is None


@breaks("test_a_job_that_could_not_start_can_be_removed")
class RemovesOnlyBegun(Refusing):
    def may_remove(self, record: Record) -> bool:
        return end_reason(record) is not Reason.CANNOT_START


@breaks("test_a_job_can_be_removed_at_once")
class RemovesOnlyEnded(Refusing):
    def may_remove(self, record: Record) -> bool:
        return record.outcome is not None


@breaks("test_removing_twice_is_no_error")
class RaisesTheSecondTime(MemoryBackend):
    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        self._find(jid)
        return super().pman_remove(jid)


@breaks("test_a_jid_can_be_used_again_at_once")
class LeavesATombstone(MemoryBackend):
    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        if "grave-of-" + self._name(job.jid) in self._engine.records:
            raise NameTakenError(job.jid, self._name(job.jid))
        return super().pman_submit(job)

    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        self._engine.records["grave-of-" + self._name(jid)] = None
        return super().pman_remove(jid)


# ------------------------------------------------------------------------ cancellation


class Cancelling(MemoryBackend):
    """A backend whose cancellations are wrong in some way."""

    def cancel(self, record: Record) -> None:
        self._engine.cancel(record)

    @hookimpl
    def pman_cancel(self, jid: str) -> JobInfo:
        record = self._find(jid)
        self.cancel(record)
        return self._info(record)


@breaks("test_a_cancelled_job_has_ended_and_is_kept_with_its_log")
class OnlyNotesTheCancellation(Cancelling):
    def cancel(self, record: Record) -> None:
        record.end(outcomes.cancelled())


@breaks("test_cancelling_what_has_ended_changes_nothing")
class OverwritesTheEnd(Cancelling):
    def cancel(self, record: Record) -> None:
        if end_reason(record):
            record.outcome = None
        super().cancel(record)


@breaks("test_cancelling_twice_answers_the_same")
class CancelsAnew(Cancelling):
    def cancel(self, record: Record) -> None:
        super().cancel(record)
        record.finished = now()


@breaks("test_a_job_that_waits_and_is_cancelled_never_starts")
class StartsWhatWaited(Cancelling):
    def cancel(self, record: Record) -> None:
        record.started = record.started or now()
        super().cancel(record)


@breaks("test_a_job_can_be_cancelled_at_once")
class TellsWhatTheEngineSays(Cancelling):
    def cancel(self, record: Record) -> None:
        record.end(outcomes.signalled(9))
        super().cancel(record)


@breaks("test_a_job_that_ends_while_it_is_cancelled_has_one_end")
class ForgetsTheOtherEnd(Cancelling):
    @hookimpl
    def pman_cancel(self, jid: str) -> JobInfo:
        info = super().pman_cancel(jid)
        return attrs.evolve(info, status=Status.FAILED, reason=Reason.CANCELLED, finished=now())


@breaks("test_a_cancelled_job_is_found_and_not_run_again")
class RunsTheCancelledAgain(MemoryBackend):
    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        record = self._engine.records.get(self._name(job.jid))
        if record and end_reason(record) is Reason.CANCELLED:
            self.pman_remove(job.jid)
        return super().pman_submit(job)


@breaks("test_a_cancelled_job_can_be_removed")
class KeepsTheCancelled(Refusing):
    def may_remove(self, record: Record) -> bool:
        return end_reason(record) is not Reason.CANCELLED


@breaks("test_a_removal_at_the_same_time_wins")
class BringsItBack(Cancelling):
    def cancel(self, record: Record) -> None:
        name = self._name(record.job.jid)
        super().cancel(record)
        time.sleep(0.1)
        self._engine.records[name] = record


@breaks("test_only_jobs_of_this_pman_are_cancelled")
class CancelsAnything(Cancelling):
    def _find(self, jid: str) -> Record:
        found = [record for record in self._engine.records.values() if record]
        return next((one for one in found if one.job.jid == jid), None) or super()._find(jid)


class KillsBeforeItNotes(MemoryBackend):
    """Ends the job first and notes why later: killed between, another end is reported."""

    def __init__(self, environ: Mapping[str, str], engine: MemoryEngine | None = None) -> None:
        super().__init__(environ, engine)
        self._killed = Path(environ["FOLDER"], "killed")

    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        for mount in job.mounts:
            assert isinstance(mount.source, HostPath)
            Path(mount.source.path, "running").touch()
        return self.pman_status(job.jid)

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        record = Record(Job(jid=jid, image="", argv=()), "pman", now(), started=now())
        if self._killed.exists():
            record.end(outcomes.signalled(9))
        return self._info(record)

    @hookimpl
    def pman_cancel(self, jid: str) -> JobInfo:
        self._killed.touch()
        time.sleep(2)
        return self.pman_status(jid)


def kills_before_it_notes(folder: Path) -> Subject:
    return attrs.evolve(starts_later(folder), factory=KillsBeforeItNotes)


BROKEN["test_a_killed_pman_leaves_no_half_cancelled_job"] = kills_before_it_notes


# ------------------------------------------------------------------------------- lists


class Listing(MemoryBackend):
    """A backend whose lists are wrong in some way."""

    def change(self, page: JobPage) -> JobPage:
        return page

    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        return self.change(super().pman_list(job_filter, limit, cursor))


@breaks("test_a_list_reports_what_the_status_reports")
class ListsLess(Listing):
    def change(self, page: JobPage) -> JobPage:
        jobs = tuple(attrs.evolve(info, message="", exit_code=None) for info in page.jobs)
        return JobPage(jobs, page.cursor)


@breaks("test_pages_hold_every_job_once")
class CountsFromTheFront(MemoryBackend):
    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        begin = int(cursor or 0)
        jobs = super().pman_list(job_filter, 10**6, None).jobs
        rest = begin + limit < len(jobs)
        return JobPage(jobs[begin : begin + limit], str(begin + limit) if rest else None)


@breaks("test_a_list_holds_no_job_of_another_instance")
class ListsAllInstances(MemoryBackend):
    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        jobs = [self._info(record) for record in self._engine.records.values() if record]
        return JobPage(tuple(filter(job_filter.matches, jobs)))


@breaks("test_a_list_can_be_filtered_by_status")
class IgnoresTheStatus(MemoryBackend):
    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        return super().pman_list(attrs.evolve(job_filter, status=None), limit, cursor)


@breaks("test_a_list_can_be_filtered_by_labels")
class IgnoresTheLabels(MemoryBackend):
    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        return super().pman_list(attrs.evolve(job_filter, labels={}), limit, cursor)


tampers_info("test_an_owner_is_given_back_and_can_be_listed", lambda info: {"owner": None})


@breaks("test_a_cursor_that_was_never_given_is_refused")
class TakesAnyCursor(MemoryBackend):
    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        try:
            return super().pman_list(job_filter, limit, cursor)
        except InvalidJobError:
            return JobPage(())


@breaks("test_an_empty_list_has_an_end")
class NeverEnds(Listing):
    def change(self, page: JobPage) -> JobPage:
        return JobPage(page.jobs, page.cursor or "more")


# -------------------------------------------------------------------------- the engine


@breaks("test_ping_names_the_engine")
class Nameless(MemoryBackend):
    @hookimpl
    def pman_ping(self) -> str:
        return ""


@breaks("test_an_engine_that_is_down_is_reported_and_nothing_is_lost")
class PretendsToReach(MemoryBackend):
    def _reach(self) -> None:
        """The engine is never asked."""


class Forgetting(MemoryEngine):
    """Has its jobs in memory alone, as task-spooler does."""

    def crash(self) -> None:
        super().crash()
        self.records.clear()


def forgetting(folder: Path) -> Subject:
    return memory_subject(Forgetting(), folder)


BROKEN["test_an_engine_that_crashes_loses_and_repeats_no_job"] = forgetting


# -------------------------------------------------------------------- the declarations


@breaks("test_every_refusal_and_deviation_has_a_reason")
class GivesNoReason(MemoryBackend):
    @hookimpl
    def pman_capabilities(self) -> Capabilities:
        reasons = {Deviation.LOG_ORDER: "yes"}
        return Capabilities(mounts=[HostPath], freshness_s=2.0, deviations=reasons)


@breaks("test_the_storage_of_the_subject_can_be_mounted")
class MountsOtherThings(MemoryBackend):
    @hookimpl
    def pman_capabilities(self) -> Capabilities:
        return Capabilities(mounts=[NfsPath], freshness_s=2.0)


# --------------------------------------------------------------------------- the feed


def tampers_feed(
    test: str, change: Callable[[Iterator[News], MemoryEngine], Iterator[News]]
) -> None:
    """A backend that has another feed than the memory backend."""

    class Tampering(MemoryBackend):
        @hookimpl
        def pman_watch(self, freshness_s: float) -> Iterator[News]:
            return change(super().pman_watch(freshness_s), self._engine)

    breaks(test, patience_s=3)(Tampering)


def without_snapshot(feed: Iterator[News], _engine: MemoryEngine) -> Iterator[News]:
    """Begins with what changes."""
    began = False
    for news in feed:
        began = began or isinstance(news, Mark)
        if began:
            yield news


def without_removals(feed: Iterator[News], _engine: MemoryEngine) -> Iterator[News]:
    return (news for news in feed if not isinstance(news, Removed))


def without_cancellations(feed: Iterator[News], _engine: MemoryEngine) -> Iterator[News]:
    cancelled = Reason.CANCELLED
    return (news for news in feed if not (isinstance(news, JobInfo) and news.reason is cancelled))


def once_for_each_id(feed: Iterator[News], _engine: MemoryEngine) -> Iterator[News]:
    """Takes a job whose id is used again for the one that it knows."""
    ended: set[str] = set()
    for news in feed:
        if isinstance(news, JobInfo):
            if news.jid in ended:
                continue
            if news.status.is_final:
                ended.add(news.jid)
        if not isinstance(news, Removed):
            yield news


def dropping(feed: Iterator[News], _engine: MemoryEngine) -> Iterator[News]:
    """Loses what comes while it is busy."""
    for count, news in enumerate(feed):
        if isinstance(news, Mark) or count % 5:
            yield news


def of_the_future(feed: Iterator[News], _engine: MemoryEngine) -> Iterator[News]:
    for news in feed:
        yield Mark(news.asked + 100) if isinstance(news, Mark) else news


def marking_always(feed: Iterator[News], engine: MemoryEngine) -> Iterator[News]:
    """Takes an engine that says nothing for one where nothing happens."""
    while True:
        try:
            yield next(feed)
        except EngineUnavailableError:
            while not engine.up:
                yield Mark(time.monotonic())
                time.sleep(0.1)
            return


tampers_feed("test_a_feed_begins_with_all_jobs", without_snapshot)
tampers_feed("test_a_feed_reports_what_changes", without_removals)
tampers_feed("test_a_feed_reports_a_cancellation", without_cancellations)
tampers_feed("test_a_feed_reports_a_job_whose_id_is_used_again", once_for_each_id)
tampers_feed("test_a_feed_misses_none_of_many_changes", dropping)
tampers_feed("test_marks_go_on_while_nothing_happens", of_the_future)
tampers_feed("test_there_are_no_marks_while_the_engine_is_down", marking_always)


@breaks("test_a_feed_holds_no_job_of_another_instance", patience_s=3)
class FeedingAll(MemoryBackend):
    """Reports the jobs of every pman."""

    @hookimpl
    def pman_watch(self, freshness_s: float) -> Iterator[News]:
        def everything() -> list[JobInfo]:
            with self._engine.lock:
                return [self._info(record) for record in self._engine.records.values() if record]

        return polled(everything, freshness_s)
