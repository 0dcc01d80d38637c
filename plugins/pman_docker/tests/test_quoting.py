"""Engines that quote what they were asked: no message, error or log tells a value of ``env``."""

import logging

import pytest
from engine_kit import until
from engine_standin import job, play

from pman_core import Job, Status

BOTH = pytest.mark.parametrize("name", ["docker", "podman"])

#: One that is short, one that JSON escapes, and one that is a word of the engine's.
ENV = {"PIN": "1234", "TOKEN": 'hush"hush\n', "WORD": "refuses"}
SECRETS = ("1234", "hush")

START = "POST /containers/id1/start"


def secret(image: str = "here:1") -> Job:
    return job(image=image, **ENV)


def tells_no_value(caplog: pytest.LogCaptureFixture, *told: str) -> None:
    assert "TOKEN" in told[0], "it quotes at all"
    lines = [logging.Formatter().format(record) for record in caplog.records]
    for text in (*told, *lines):
        assert not [value for value in SECRETS if value in text], text


@BOTH
def test_a_job_that_cannot_be_started(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with play(name) as made, caplog.at_level(logging.DEBUG):
        made.engine.fail_quoting(START, "OCI runtime refuses")
        infos = [made.pman.pman_submit(secret()), made.pman.pman_status("aa")]
        kept = [info.message for info in infos]
    assert [info.status for info in infos] == [Status.FAILED] * 2
    assert kept[0].startswith("cannot start: OCI runtime refuses")
    assert kept[0] == kept[1]
    tells_no_value(caplog, *kept)


@BOTH
def test_a_job_that_is_pulled_and_cannot_be_created(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with play(name) as made, caplog.at_level(logging.DEBUG):
        made.engine.fail_quoting("POST /containers/create aa.run", "no", code=400)
        made.pman.pman_submit(secret("far:1"))
        made.until_quiet()
        info = made.pman.pman_status("aa")
    assert info.status is Status.FAILED
    tells_no_value(caplog, info.message)


@BOTH
def test_a_job_that_is_pulled_and_cannot_be_started(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    with play(name) as made, caplog.at_level(logging.DEBUG):
        made.engine.fail_quoting("/start", "no")
        made.pman.pman_submit(secret("far:1"))
        info = until(lambda: made.pman.pman_status("aa"), lambda info: info.status is Status.FAILED)
    tells_no_value(caplog, info.message)


@BOTH
def test_a_job_that_waits_for_a_moment_of_rest(name: str, caplog: pytest.LogCaptureFixture) -> None:
    words = "too many open files"
    with play(name) as made, caplog.at_level(logging.DEBUG):
        made.engine.fail_quoting("POST /containers/create aa.run", words, times=-1)
        made.pman.pman_submit(secret("far:1"))
        made.until_quiet()
        info = made.pman.pman_status("aa")
        made.until_quiet()
        made.engine.mend()
    assert info.status is Status.NOT_STARTED
    assert words in info.message
    tells_no_value(caplog, info.message)


def test_words_that_an_image_has_in_its_environment_stay() -> None:
    with play() as made:
        made.engine.fail(START, 'exec "/usr/bin:/bin/x" of PATH=/usr/bin:/bin: no such file')
        info = made.pman.pman_submit(secret())
    assert info.message.endswith('exec "/usr/bin:/bin/x" of PATH=/usr/bin:/bin: no such file')
