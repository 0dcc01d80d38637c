"""``pman wait``: follow jobs until they have ended."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import click

from pman_core.cli.client import Answer, Client, NoAnswerError, ServerError, client_option, jid_type
from pman_core.cli.text import cut, one_line
from pman_core.contract.info import Status

#: The answer of timeout(1), so that a script can distinguish it from a failed job.
TIMED_OUT = 124

_LONGEST_PAUSE_S = 5.0

#: The status, here only, of a job that pman does not know or cannot report now.
_UNKNOWN = "unknown"


@click.command()
@click.argument("jids", nargs=-1, required=True, type=jid_type, metavar="JID...")
@click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Wait no longer.")
@click.pass_context
@client_option
def wait(ctx: click.Context, client: Client, jids: tuple[str, ...], timeout: float | None) -> None:
    """Wait until jobs have ended, and show how they fare.

    The exit code is 0 if all succeeded, 1 if any failed, and 124 if they have not
    ended within --timeout. Jobs run on if you stop waiting. That pman or its engine does not
    answer for a while does no harm.
    """
    give_up = time.monotonic() + timeout if timeout is not None else None
    progress = Progress(jids)
    try:
        for pause in _pauses():
            progress.ask(client)
            if not progress.waiting:
                break
            if give_up is not None and time.monotonic() >= give_up:
                progress.clear()
                click.echo(f"gave up waiting for {', '.join(progress.waiting)}", err=True)
                ctx.exit(TIMED_OUT)
            progress.sleep(pause if give_up is None else min(pause, give_up - time.monotonic()))
    finally:
        progress.clear()
    ctx.exit(0 if progress.all_succeeded else 1)


def _pauses() -> Iterator[float]:
    """Short jobs end at once, long ones are asked for as often as CUBE does."""
    pause = 0.2
    while True:
        yield pause
        pause = min(_LONGEST_PAUSE_S, pause * 1.4)


class Progress:
    """What is known of the jobs, and how it is shown.

    Each change is a line on stdout. If there is a terminal, ends are, and one line at the
    bottom shows how the other jobs are.
    """

    def __init__(self, jids: tuple[str, ...]) -> None:
        self.known: dict[str, Answer] = {jid: {} for jid in jids}
        self.trouble = ""
        self._live = sys.stderr.isatty()
        self._begin = time.monotonic()

    @property
    def waiting(self) -> list[str]:
        """The jobs that have not ended."""
        return [jid for jid, answer in self.known.items() if not _has_ended(answer)]

    @property
    def all_succeeded(self) -> bool:
        """Whether every job did what it was to do."""
        return all(answer.get("status") == Status.SUCCEEDED for answer in self.known.values())

    def ask(self, client: Client) -> None:
        """Ask for every job that has not ended, and show what is new.

        :raises NoAnswerError: pman did not answer even once.
        """
        for jid in self.waiting:
            try:
                answer = client.job(jid)
            except NoAnswerError as error:
                if not any(self.known.values()):
                    raise
                self._tell_trouble(error.message)
                return
            except ServerError as error:
                answer = {"status": _UNKNOWN, "message": error.message}
            self.trouble = ""
            before, self.known[jid] = self.known[jid], answer
            if _told(before) != _told(answer) and (_has_ended(answer) or not self._live):
                self.clear()
                click.echo(one_line(f"{jid}  {_told(answer)}{_run_time(answer)}"))

    def _tell_trouble(self, trouble: str) -> None:
        if trouble != self.trouble and not self._live:
            click.echo(f"still trying: {trouble}", err=True)
        self.trouble = trouble

    def sleep(self, seconds: float) -> None:
        """Wait, while the line at the bottom goes on."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self._live:
                click.echo(f"\r{cut(one_line(self._summary()))}\x1b[K", nl=False, err=True)
            time.sleep(min(left, 1.0))

    def clear(self) -> None:
        """Take the line at the bottom away."""
        if self._live:
            click.echo("\r\x1b[K", nl=False, err=True)

    def _summary(self) -> str:
        waited = timedelta(seconds=int(time.monotonic() - self._begin))
        if self.trouble:
            said = f"still trying: {self.trouble}"
        elif len(self.known) == 1:
            said = "  ".join(f"{jid}  {_told(answer)}" for jid, answer in self.known.items())
        else:
            states = Counter(str(answer.get("status")) for answer in self.known.values())
            said = ", ".join(f"{count} {status}" for status, count in states.items())
        return f"{waited}  {said}"


def _has_ended(answer: Answer) -> bool:
    return answer.get("status") in (Status.SUCCEEDED, Status.FAILED, Status.UNDEFINED, _UNKNOWN)


def _told(answer: Answer) -> str:
    return f"{answer.get('status')}: {answer.get('message')}" if answer else ""


def _run_time(answer: Answer) -> str:
    started, finished = answer.get("started"), answer.get("finished")
    if not started or not finished:
        return ""
    ran = datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    return f" (ran for {timedelta(seconds=int(ran.total_seconds()))})"
