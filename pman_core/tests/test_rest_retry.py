"""The same jid posted again: a retry finds its job, another request is told so."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from rest_helpers import Service, body

from pman_core.testing import MemoryEngine
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
