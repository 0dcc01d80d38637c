"""Invisible characters that change what is seen are shown, wherever they come from."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from rest_helpers import Service, body

from pman_core import Job, JobFilter, JobInfo, JobPage, hookimpl
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_core.contract.feed import News
from pman_core.kit.printable import escaped
from pman_core.testing import MemoryBackend

#: Each such character, and how it is shown.
HIDDEN = {
    "\n": r"\n",
    "\r": r"\r",
    "\x1b": r"\x1b",
    "\x9b": r"\x9b",
    "\xad": r"\xad",
    "\u061c": r"\u061c",
    "\u200b": r"\u200b",
    "\u200e": r"\u200e",
    "\u200f": r"\u200f",
    "\u2028": r"\u2028",
    **{chr(code): rf"\u{code:x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))},
    "\ufeff": r"\ufeff",
    "\ud800": r"\ud800",
    "\U000e0041": r"\U000e0041",
}
RAW = "".join(f"a{char}" for char in HIDDEN if char != "\ud800") + "z"
SHOWN = "".join(f"a{told}" for char, told in HIDDEN.items() if char != "\ud800") + "z"


@pytest.mark.parametrize(("char", "told"), HIDDEN.items(), ids=HIDDEN.values())
def test_what_is_invisible_is_escaped(char: str, told: str) -> None:
    assert escaped(f"a{char}b") == f"a{told}b"


def test_text_of_all_languages_stays_as_it_is() -> None:
    text = "Jörg 日本語\u3000שלמ 1\u00a0€ 😀"
    assert escaped(text) == text


class Malicious(MemoryBackend):
    """Hands on what a registry said, as it is."""

    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        return attrs.evolve(super().pman_submit(job), message=RAW)

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        return attrs.evolve(super().pman_status(jid), message=RAW)

    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        page = super().pman_list(job_filter, limit, cursor)
        return JobPage(tuple(attrs.evolve(info, message=f"{RAW}\n") for info in page.jobs))

    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        return RAW.encode()


def test_the_message_of_a_job_shows_all_that_it_holds(start: Callable[..., Service]) -> None:
    service = start(Malicious({}))
    listed = (service.post(), service.get("chris-jid-1/"))
    told = [answer.json or {} for answer in listed] + (service.get("jobs/").json or {})["jobs"]
    assert [job["message"] for job in told] == [SHOWN] * 3


def test_the_message_that_a_backend_pushes_shows_all_that_it_holds(
    start: Callable[..., Service],
) -> None:
    class Watching(Malicious):
        @hookimpl
        def pman_watch(self, freshness_s: float) -> Iterator[News]:
            return iter([self.pman_status("chris-jid-1")])

    service = start(Watching({}))
    service.post()
    feed = service.pman.jobs.backend.watch(2.0)
    assert feed is not None
    assert [news.message for news in feed if isinstance(news, JobInfo)] == [SHOWN]


def test_logs_stay_exact(start: Callable[..., Service]) -> None:
    service = start(Malicious({}))
    service.post()
    assert (service.get("chris-jid-1/").json or {})["logs"] == RAW


class Failing(MemoryBackend):
    """Fails with the words of somebody else."""

    error: Exception

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        raise self.error

    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        raise self.error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (EngineUnavailableError(RAW), SHOWN),
        (InvalidJobError(RAW), SHOWN),
        (InvalidJobError(faults={f"x{RAW}": RAW}), {f"x{SHOWN}": SHOWN}),
    ],
    ids=["text", "client's fault", "fields"],
)
def test_the_message_of_an_error_shows_all_that_it_holds(
    start: Callable[..., Service], error: Exception, message: Any
) -> None:
    service = start(type("Fails", (Failing,), {"error": error})({}))
    assert (service.get("x/").json or {})["message"] == message


def test_what_a_client_sends_is_shown_in_the_error(service: Service) -> None:
    answer = service.get("jobs/?%E2%80%AEx=1")
    assert set((answer.json or {})["message"]) == {r"\u202ex"}


def test_why_logs_cannot_be_read_is_one_line(start: Callable[..., Service]) -> None:
    class Unreadable(MemoryBackend):
        @hookimpl
        def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
            raise EngineUnavailableError(RAW)

    service = start(Unreadable({}))
    service.post()
    logs = (service.get("chris-jid-1/").json or {})["logs"]
    assert logs == f"(pman could not read the logs: {SHOWN})\n"


@pytest.mark.parametrize("char", HIDDEN, ids=HIDDEN.values())
def test_a_jid_holds_none_of_it(service: Service, char: str) -> None:
    answer = service.post(body(jid=f"a{char}b"))
    assert answer.status_code == 400
    assert set((answer.json or {})["message"]) == {"jid"}
    if char != "\ud800":  # no path can hold it
        assert service.get(f"a{char}b/").status_code == 404
