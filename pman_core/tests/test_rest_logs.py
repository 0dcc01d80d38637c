"""Logs in the answer about a job: as long as wanted, of any bytes, and never a reason to fail."""

from collections.abc import Callable

import pytest
from rest_helpers import Service, body, until

from pman_core import JobInfo, hookimpl
from pman_core.contract.errors import EngineUnavailableError, UnknownJobError
from pman_core.testing import MemoryBackend, MemoryEngine


def test_logs_with_invalid_utf8_are_reported_with_replacements(service: Service) -> None:
    service.post(body(image="babble"))
    service.ended("chris-jid-1")
    job = service.get("chris-jid-1/").json
    assert job is not None
    assert job["logs"] == "good\n\ufffd\ufffd\0 \ufffd\nend\n"


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [("JOB_LOGS_TAIL", "1", "end\n"), ("JOB_LOGS_MAX_BYTES", "3", "nd\n")],
)
def test_logs_are_as_short_as_the_settings_say(
    start: Callable[..., Service], setting: str, value: str, expected: str
) -> None:
    service = start(**{setting: value})
    service.post(body(image="babble"))
    service.ended("chris-jid-1")
    job = service.get("chris-jid-1/").json
    assert job is not None
    assert job["logs"] == expected


class Logless(MemoryBackend):
    """Breaks between status and logs."""

    fault: Exception = RuntimeError("secret detail")
    answer: object = None

    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        if self.answer is not None:
            return self.answer  # type: ignore[return-value]
        raise self.fault


@pytest.mark.parametrize(
    "fault",
    [RuntimeError("x"), EngineUnavailableError("gone away"), UnknownJobError("chris-jid-1")],
)
def test_a_log_read_that_fails_never_fails_a_status(
    start: Callable[..., Service], engine: MemoryEngine, fault: Exception
) -> None:
    plugin = Logless({}, engine)
    plugin.fault = fault
    service = start(plugin)
    service.post()
    job = service.ended("chris-jid-1")
    assert job["status"] == "finishedSuccessfully"
    assert job["logs"].startswith("(pman could not read the logs: ")
    assert job["logs"].count("\n") == 1
    assert job["logs"].endswith(")\n")


def test_logs_that_are_not_wanted_are_neither_answered_nor_read(
    start: Callable[..., Service], engine: MemoryEngine
) -> None:
    class Counting(MemoryBackend):
        @hookimpl
        def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
            reads.append(None)
            return b"log"

    reads: list[None] = []
    service = start(Counting({}, engine))
    service.post()
    whole = until(
        lambda: service.get("chris-jid-1/?logs=no").json or {},
        lambda seen: "finished" in seen["status"],
    )
    assert ("logs" in whole, reads) == (False, [])
    assert service.get("chris-jid-1/?logs=yes").json == {**whole, "logs": "log"}
    assert reads == [None]


@pytest.mark.parametrize("word", ["", "No", "0", "maybe"])
def test_another_word_than_yes_and_no_is_reported(service: Service, word: str) -> None:
    service.post()
    answer = service.get(f"chris-jid-1/?logs={word}")
    assert answer.status_code == 400
    assert answer.json == {"message": {"logs": "must be yes or no"}}


def test_a_log_of_the_wrong_type_never_fails_a_status(
    start: Callable[..., Service], engine: MemoryEngine
) -> None:
    plugin = Logless({}, engine)
    plugin.answer = "text"
    service = start(plugin)
    service.post()
    assert "instead of bytes" in service.ended("chris-jid-1")["logs"]
