"""The same jid posted again: a retry finds its job, another request is refused."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest
from rest_helpers import Service, body

from pman_core import Capabilities, HostPath, Job, JobInfo, Option, hookimpl
from pman_core.app import app_for
from pman_core.contract.errors import InvalidJobError
from pman_core.testing import MemoryBackend, MemoryEngine
from pman_core.testing.memory_engine import MemoryMachine


def test_the_same_request_finds_its_job(service: Service) -> None:
    first, again = service.post(), service.post()
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json is not None
    assert again.json is not None
    assert first.json["created"] == again.json["created"]
    assert len(service.engine.records) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"args": ["--say", "other"]},
        {"args": ["--say hello"]},
        {"args_path_flags": ["--say"]},
        {"auid": "other"},
        {"number_of_workers": 2},
        {"cpu_limit": 1001},
        {"memory_limit": 201},
        {"gpu_limit": 1},
        {"image": "hold"},
        {"entrypoint": ["python3"]},
        {"type": "ts"},
        {"env": ["A=b"]},
        {"input_dir": "other"},
        {"output_dir": "other"},
        {"time_limit": 60},
    ],
    ids=str,
)
def test_another_request_with_the_same_jid_is_409(
    service: Service, changes: dict[str, Any]
) -> None:
    service.post()
    answer = service.post(body(**changes))
    assert answer.status_code == 409
    assert answer.json is not None
    assert "chris-jid-1" in answer.json["message"]
    assert len(service.engine.records) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"cpu_limit": "1000"},
        {"memory_limit": " 200 ", "gpu_limit": "00", "number_of_workers": "+1"},
        {"input_dir": "/in/", "output_dir": "///out"},
        {"jid": "/chris-jid-1"},
        {"unknown": "field"},
    ],
    ids=str,
)
def test_the_same_request_in_other_words_finds_its_job(
    service: Service, changes: dict[str, Any]
) -> None:
    service.post()
    assert service.post(body(**changes)).status_code == 201


def test_the_order_of_path_flags_and_of_env_means_nothing(service: Service) -> None:
    service.post(body(args_path_flags=["--a", "--b"], env=["A=1", "B=2"]))
    again = body(args_path_flags=["--b", "--a", "--b"], env=["B=2", "A=1"])
    assert service.post(again).status_code == 201


def test_other_settings_do_not_make_a_retry_another_request(
    start: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = start().post()
    changed = start(
        JOB_LABELS="a=b",
        CONTAINER_USER="1000-2000:",
        ENABLE_HOME_WORKAROUND="yes",
        SHM_SIZE="64",
        TIMELIMIT_MINUTES="9",
        IGNORE_LIMITS="yes",
        STOREBASE=str(tmp_path_factory.mktemp("elsewhere")),
    )
    again = changed.post()
    assert again.status_code == 201
    assert first.json is not None
    assert again.json is not None
    assert first.json["created"] == again.json["created"]
    assert changed.post(body(auid="other")).status_code == 409


class Stricter(MemoryBackend):
    """The same engine, after an upgrade: it refuses CPU limits, and jobs that it must validate."""

    @hookimpl
    def pman_capabilities(self) -> Capabilities:
        return Capabilities(
            mounts={HostPath}, freshness_s=2.0, refusals={Option.CPU_LIMIT: "it has no clock"}
        )

    @hookimpl
    def pman_validate(self, job: Job) -> None:
        if job.jid != "sample":
            raise InvalidJobError("not here")


class Closed:
    """A policy that admits nothing."""

    @hookimpl
    def pman_admit(self, job: Job) -> Job:
        raise InvalidJobError("we are closed")


def no_storage(service: Service) -> Service:
    """The same service, whose storage refuses every directory."""

    def locate(directory: str) -> HostPath:
        raise InvalidJobError("nobody may store anything")

    storage = attrs.evolve(service.pman.jobs.storage, locate=locate)
    pman = attrs.evolve(service.pman, jobs=attrs.evolve(service.pman.jobs, storage=storage))
    return attrs.evolve(service, pman=pman, app=app_for(pman))


#: What may change between a request and its retry, so that a new request would be refused.
CHANGES: dict[str, Callable[[Callable[..., Service], MemoryEngine], Service]] = {
    "backend": lambda start, engine: start(Stricter({}, engine)),
    "validation": lambda start, engine: start(Stricter({}, engine), IGNORE_LIMITS="yes"),
    "policy": lambda start, engine: start(extensions=(Closed(),)),
    "storage": lambda start, engine: no_storage(start()),
}
every_change = pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)


@every_change
def test_a_retry_that_would_be_refused_now_finds_its_job(
    start: Callable[..., Service],
    engine: MemoryEngine,
    change: Callable[[Callable[..., Service], MemoryEngine], Service],
) -> None:
    first = start().post()
    again = change(start, engine).post()
    assert again.status_code == 201
    assert first.json is not None
    assert again.json is not None
    assert first.json["created"] == again.json["created"]


@every_change
def test_another_request_that_would_be_refused_gets_the_reason(
    start: Callable[..., Service],
    engine: MemoryEngine,
    change: Callable[[Callable[..., Service], MemoryEngine], Service],
) -> None:
    start().post()
    changed = change(start, engine)
    for other in (body(auid="other"), body(jid="never-was")):
        assert changed.post(other).status_code == 400
    assert len(engine.records) == 1


def test_whether_it_is_a_retry_is_not_known_while_the_engine_is_down(
    start: Callable[..., Service], engine: MemoryEngine
) -> None:
    start().post()
    closed = start(extensions=(Closed(),))
    engine.up = False
    assert closed.post().status_code == 503


def test_the_end_of_a_job_that_such_a_retry_finds_is_reported(
    start: Callable[..., Service], engine: MemoryEngine
) -> None:
    ends: list[str] = []

    class Observer:
        @hookimpl
        def pman_finished(self, info: JobInfo) -> None:
            ends.append(info.jid)

    start().post()
    start().ended("chris-jid-1")
    start(extensions=(Closed(), Observer())).post()
    assert ends == ["chris-jid-1"]


def test_an_accepted_request_costs_one_call_of_the_engine(
    start: Callable[..., Service], engine: MemoryEngine
) -> None:
    class Counting(MemoryBackend):
        def _reach(self) -> None:
            calls.append(None)

    calls: list[None] = []
    service = start(Counting({}, engine))
    service.post()
    assert len(calls) == 1


def test_a_failed_job_posted_again_is_not_run_again(service: Service) -> None:
    service.post(body(image="fail"))
    failed = service.ended("chris-jid-1")
    again = service.post(body(image="fail"))
    assert again.status_code == 201
    assert again.json is not None
    assert again.json["status"] == "finishedWithError"
    assert again.json["finished"] == failed["finished"]


def test_a_jid_can_be_used_again_once_its_job_is_removed(service: Service) -> None:
    service.post(body(image="hold"))
    assert service.delete("chris-jid-1/").status_code == 204
    assert service.post(body(auid="other")).status_code == 201


def test_a_job_of_another_version_of_pman_is_taken_for_the_same(service: Service) -> None:
    service.post()
    record = next(iter(service.engine.records.values()))
    assert record is not None
    object.__setattr__(record.job, "fingerprint", "v0-something")
    assert service.post(body(auid="other")).status_code == 201


def test_a_name_that_something_else_has_is_409(service: Service) -> None:
    service.engine.records["chris-jid-1"] = None
    answer = service.post()
    assert answer.status_code == 409
    assert answer.json is not None
    assert "pman did not create" in answer.json["message"]
    assert service.get("chris-jid-1/").status_code == 404
    assert service.delete("chris-jid-1/").status_code == 404
    assert "chris-jid-1" in service.engine.records


def test_eight_requests_at_once_run_the_job_once(
    start: Callable[..., Service], engine: MemoryEngine, storebase: Path
) -> None:
    runs: list[None] = []

    def count(machine: MemoryMachine, argv: list[str]) -> int:
        runs.append(None)
        return 0

    engine.images["count"] = count
    services = [start(), start()]
    together = threading.Barrier(8)

    def post(number: int) -> int:
        together.wait(timeout=20)
        return services[number % 2].post(body(image="count")).status_code

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(post, range(8))) == [201] * 8
    services[0].ended("chris-jid-1")
    assert len(runs) == 1


def test_of_different_requests_at_once_one_wins(service: Service) -> None:
    together = threading.Barrier(8)

    def post(number: int) -> int:
        together.wait(timeout=20)
        return service.post(body(auid=str(number))).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(post, range(8))) == [201] + [409] * 7
