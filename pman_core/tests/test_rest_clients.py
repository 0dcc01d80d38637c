"""What pfcon and CUBE read of answers, exactly: a change here is a change for them.

pfcon takes 201 for a submission, 200 for a state and 204 for a removal, and hands the text of any
other answer on. CUBE acts on the words of states and looks for "404" in messages.
"""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from rest_helpers import Service, body

from pman_core import JobInfo, Status, hookimpl
from pman_core.contract.errors import EngineUnavailableError
from pman_core.rest.errors import STATUS
from pman_core.testing import MemoryBackend

#: Words of an engine that hold 404 by chance.
BY_CHANCE = [
    "no answer from http://10.0.0.1:4040",
    "container 7f404c cannot be removed",
    "job 'chris-jid-404' cannot be removed now",
]


@pytest.mark.parametrize("words", BY_CHANCE)
@pytest.mark.parametrize("kind", [EngineUnavailableError, RuntimeError, KeyError])
def test_only_a_removed_job_is_reported_with_404(
    start: Callable[..., Service],
    caplog: pytest.LogCaptureFixture,
    words: str,
    kind: type[Exception],
) -> None:
    """Else CUBE takes a job for gone that runs on."""

    class Failing(MemoryBackend):
        @hookimpl
        def pman_remove(self, jid: str) -> bool:
            raise kind(words)

    answer = start(Failing({})).delete("x/")
    assert answer.status_code in (500, 503)
    assert "404" not in answer.text
    assert "message" in (answer.json or {})
    with caplog.at_level(logging.WARNING):
        assert words in caplog.text, "an operator can find out why"


def test_a_state_that_is_not_known_keeps_the_words_of_the_engine(
    start: Callable[..., Service],
) -> None:
    class Failing(MemoryBackend):
        @hookimpl
        def pman_status(self, jid: str) -> JobInfo:
            raise EngineUnavailableError(BY_CHANCE[0])

    assert (start(Failing({})).get("x/").json or {})["message"] == BY_CHANCE[0]


def test_the_words_of_states_are_those_of_pman_6() -> None:
    """CUBE registers files on the one success, fails on the one error, and polls on any other."""
    assert [status.value for status in Status] == [
        "notstarted",
        "started",
        "finishedSuccessfully",
        "finishedWithError",
        "undefined",
    ]


def test_no_error_is_a_401_or_403_but_for_clients_that_may_not_do_that() -> None:
    """pfcon's clients would take it for their own token being refused."""
    codes = {kind.__name__ for kind, code in STATUS.items() if code in (401, 403)}
    assert codes == {"UnauthenticatedError", "ForbiddenError"}


def test_every_good_answer_has_the_one_code_that_pfcon_takes(service: Service) -> None:
    posted = [service.post().status_code for _ in range(2)]
    asked = [service.get(f"chris-jid-1/{query}").status_code for query in ("", "?logs=no")]
    removed = service.delete("chris-jid-1/")
    assert (posted, asked, removed.status_code) == ([201, 201], [200, 200], 204)


@pytest.mark.parametrize(
    "wanted", [{}, body(jid=""), body(type="xx"), [], body(cpu_limit="x")], ids=range(5)
)
def test_the_text_of_an_error_is_one_line_of_json(service: Service, wanted: Any) -> None:
    """pfcon puts it as it is into its own message, and that into its log."""
    text = service.post(wanted).text
    assert text.endswith("}\n")
    assert text.count("\n") == 1
    assert text.isascii()


def test_the_limits_may_be_strings_as_pfcon_sends_them(service: Service) -> None:
    limits = {name: str(body()[name]) for name in body() if name.endswith(("limit", "workers"))}
    assert len(limits) == 4
    assert service.post(body(**limits)).status_code == 201
    assert service.post().status_code == 201, "and a retry with numbers is the same request"
