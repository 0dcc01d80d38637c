"""10,000 requests without a valid token reach nothing: neither an engine nor a body's reader."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from access_helpers import OVER, Tokens, ask, basic, bearer
from rest_helpers import URL, Service, body

from pman_core import JobFilter, JobInfo, JobPage, hookimpl
from pman_core.contract.access import Role
from pman_core.contract.job import Job
from pman_core.server import asgi
from pman_core.testing import MemoryBackend, MemoryEngine

#: How many are sent to pman's own server, and to its application as any other server serves it.
OWN, OTHER = 10_000, 3_000


class Untouched(MemoryBackend):
    """Counts what it is asked on behalf of clients."""

    def __init__(self, storebase: Path, engine: MemoryEngine) -> None:
        super().__init__({"STOREBASE": str(storebase)}, engine)
        self.asked: list[str] = []

    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        self.asked.append(job.jid)
        return super().pman_submit(job)

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        self.asked.append(jid)
        return super().pman_status(jid)

    @hookimpl
    def pman_cancel(self, jid: str) -> JobInfo:
        self.asked.append(jid)
        return super().pman_cancel(jid)

    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        self.asked.append(jid)
        return super().pman_remove(jid)

    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        self.asked.append("list")
        return super().pman_list(job_filter, limit, cursor)


PATHS = [
    *(URL, f"{URL}jobs/", f"{URL}chris-jid-1/", f"{URL}chris-jid-1/cancel/", "/openapi.json"),
    *(f"{URL}chris-jid-1", f"{URL}jobs", "/api/v1", "//api/v1/jobs/", "/", "/none", "/metrics"),
    *(f"{URL}../jobs/", f"{URL}%2e%2e/jobs/", f"{URL}jobs/?limit=1", "/healthz/", "/readyz/x"),
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]
BODIES = [b"", json.dumps(body()).encode(), b"\xff" * 1000, b"{" * 100_000]
JSON = {"Content-Type": "application/json"}

#: The methods of the one path of these that is open.
OPEN = [(URL, method) for method in ("GET", "HEAD", "OPTIONS")]


def wrong_headers(right: str, expired: str, foreign: str) -> Iterator[dict[str, str]]:
    """Without end, what shows no token that is valid here."""
    chance = random.Random(0)  # noqa: S311 - the same each time
    while True:
        bent = right[:-2] + "".join(chance.choices("!\"$%&'", k=2))
        token = chance.choice(
            [
                *(expired, foreign, bent, right[5:], right[:-1], right + right, right.swapcase()),
                *("", "pman_", f"{right}\t{right}", f"{right},{right}", f"{right}\0"),
                "".join(chance.choices("\xff~ a:,=", k=9)),
            ]
        )
        yield chance.choice(
            [
                bearer(token),
                basic(token),
                basic("", right),
                {},
                {"Authorization": f"Token {right}"},
                {"Authorization": right, "X-Token": right},
                {"Cookie": f"token={right}", "Proxy-Authorization": f"Bearer {right}"},
            ]
        )


@pytest.fixture
def backend(storebase: Path, engine: MemoryEngine) -> Untouched:
    return Untouched(storebase, engine)


@pytest.fixture
def right(tokens: Tokens) -> str:
    """The one valid token."""
    return tokens.add("pfcon", Role.ADMIN)


@pytest.fixture
def service(start: Callable[..., Service], backend: Untouched, tokens: Tokens) -> Service:
    return start(backend, **tokens.setting())


@pytest.fixture
def requests(right: str, tokens: Tokens, tmp_path: Path) -> Iterator[tuple[Any, ...]]:
    """Path, method, headers and body of each, without end."""
    expired = tokens.add("old", Role.ADMIN, OVER)
    foreign = Tokens(tmp_path / "foreign").add("pfcon", Role.ADMIN)
    shapes = itertools.cycle(itertools.product(PATHS, METHODS, BODIES))
    shown = wrong_headers(right, expired, foreign)
    return ((path, method, {**JSON, **next(shown)}, data) for path, method, data in shapes)


def check(path: str, method: str, status: int, content: bytes, right: str) -> None:
    """It told nothing."""
    assert status == (200 if (path, method) in OPEN else 401), (path, method, content)
    assert status != 200 or content.strip() in (b"", b"{}")
    assert right.encode() not in content


def test_through_pmans_own_server(
    service: Service,
    requests: Iterator[tuple[Any, ...]],
    right: str,
    backend: Untouched,
    engine: MemoryEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(asgi, "SLOWED_S", 0)
    serve = asgi.application(service.app, 1, 20)

    async def send() -> Counter[int]:
        seen = Counter[int]()
        for path, method, headers, content in itertools.islice(requests, OWN):
            answer = await ask(serve, method, path, headers, content)
            check(path, method, answer.status, answer.content, right)
            assert answer.read_body == (answer.status == 200), "no stranger's body is read"
            seen[answer.status] += 1
        return seen

    seen = asyncio.run(send())
    assert seen.total() == OWN
    assert seen[401] > OWN * 0.9
    assert (backend.asked, engine.records) == ([], {})
    answer = asyncio.run(ask(serve, "GET", f"{URL}jobs/", bearer(right)))
    assert (answer.status, backend.asked) == (200, ["list"]), "it would have been noticed"


def test_through_any_other_server(
    service: Service,
    requests: Iterator[tuple[Any, ...]],
    right: str,
    backend: Untouched,
    engine: MemoryEngine,
) -> None:
    client = service.app.test_client()
    seen = Counter[int]()
    for path, method, headers, content in itertools.islice(requests, OTHER):
        answer = client.open(path, method=method, headers=headers, data=content)
        check(path, method, answer.status_code, answer.data, right)
        seen[answer.status_code] += 1
    assert seen.total() == OTHER
    assert seen[401] > OTHER * 0.9
    assert (backend.asked, engine.records) == ([], {})
    assert client.get(f"{URL}jobs/", headers=bearer(right)).status_code == 200
    assert backend.asked == ["list"], "it would have been noticed"
