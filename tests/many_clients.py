"""Asks for many jobs as CUBE does: each job every five seconds, by a client of its own.

So many jobs run at once, until there were so many in all; those that have ended are asked for as
well, until the time is over.  It counts wrong states and errors, and measures the memory of the
server.  Run by ``./nox -s clients -- BACKEND JOBS AT_ONCE SECONDS``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import sys
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import requests
from kills import Campaign, Server, campaign

#: Seconds between two questions for one job.
EVERY_S = 5.0

#: How long a job runs, in seconds: at least, and at most where nothing else is said.
SHORTEST_S, LONGEST_S = 2, 40

#: Which state may follow which.
RANK = {"notstarted": 0, "started": 1, "finishedSuccessfully": 2, "finishedWithError": 2}


@attrs.define
class Job:
    """One job, and what its client has seen.

    :param code: the code with which it will exit.
    """

    jid: str
    code: int
    seconds: int
    next_ask: float = 0.0
    last: dict[str, Any] = attrs.field(factory=dict)

    @property
    def has_ended(self) -> bool:
        return RANK.get(self.last.get("status", ""), 0) == 2


@attrs.define
class Clients:
    """The clients of one campaign.

    :param longest_s: how long a job runs at most, in seconds.
    """

    running: Campaign
    longest_s: int = LONGEST_S
    jobs: list[Job] = attrs.field(factory=list)
    tally: Counter[str] = attrs.field(factory=Counter)
    faults: list[str] = attrs.field(factory=list)
    slowest_s: float = 0.0
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    @property
    def url(self) -> str:
        return self.running.server.url

    def submit(self, dice: random.Random) -> None:
        """Run one more job."""
        job = Job(
            f"clients-{uuid.uuid4().hex[:10]}",
            dice.choice((0, 0, 3)),
            dice.randint(SHORTEST_S, self.longest_s),
        )
        self.running.directories(job.jid)
        wanted = self.running.request(job.jid, f"sleep {job.seconds}; exit {job.code}")
        answer = requests.post(self.url, json=wanted, timeout=100)
        if answer.status_code != 201:
            self.fault("refused", f"{job.jid}: {answer.status_code} {answer.text}")
            return
        job.next_ask = time.monotonic() + EVERY_S
        with self.lock:
            self.jobs.append(job)

    def ask(self, job: Job) -> None:
        """Ask for a job, as pfcon does, and judge the answer by the one before."""
        begun = time.monotonic()
        try:
            answer = requests.get(f"{self.url}{job.jid}/", timeout=100)
        except requests.RequestException as error:
            self.fault("no answer", f"{job.jid}: {type(error).__name__}")
            return
        with self.lock:
            self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
            self.tally["answers"] += 1
        if answer.status_code != 200:
            self.fault("error", f"{job.jid}: {answer.status_code} {answer.text}")
            return
        self.judge(job, answer.json())

    def judge(self, job: Job, found: dict[str, Any]) -> None:
        """Whether a state may follow the one before."""
        before, job.last = job.last, found
        if before and RANK[found["status"]] < RANK[before["status"]]:
            self.fault("went back", f"{job.jid}: {before['status']}, then {found['status']}")
        if RANK[before.get("status", "notstarted")] == 2 and before != found:
            self.fault("end changed", f"{job.jid}: {before}, then {found}")
        if job.has_ended and found["exit_code"] != job.code:
            self.fault("wrong end", f"{job.jid}: {found['exit_code']} instead of {job.code}")

    def fault(self, kind: str, words: str) -> None:
        with self.lock:
            self.tally[kind] += 1
            self.faults.append(f"{kind}: {words}")

    def run(self, count: int, at_once: int, seconds: float) -> list[float]:
        """Ask until the time is over; what memory the server had, in MiB, from time to time."""
        dice, memory = random.Random(count), []  # noqa: S311
        ends, next_measure = time.monotonic() + seconds, 0.0
        with ThreadPoolExecutor(32) as pool:
            while time.monotonic() < ends:
                now = time.monotonic()
                if now >= next_measure:
                    memory.append(memory_mib(self.running.server))
                    next_measure = now + seconds / 10
                unfinished = sum(not job.has_ended for job in self.jobs)
                if len(self.jobs) < count and unfinished < at_once:
                    self.submit(dice)
                for job in [job for job in self.jobs if job.next_ask <= now]:
                    job.next_ask = max(job.next_ask + EVERY_S, now + EVERY_S / 2)
                    pool.submit(self.ask, job)
                time.sleep(0.01)
        return memory

    def remove_all(self) -> None:
        """Remove all jobs, and count what does not work."""

        def remove(job: Job) -> None:
            answer = self.running.server.ask_on("DELETE", f"{job.jid}/")
            if answer.status_code != 204:
                self.fault("not removed", f"{job.jid}: {answer.status_code}")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(remove, self.jobs))


def memory_mib(server: Server) -> float:
    """What memory the processes of a server hold, in MiB."""
    assert server.process
    total = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            lines = status.read_text().splitlines()
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
            if int(fields["NSsid"].split()[-1]) == server.process.pid:
                total += int(fields.get("VmRSS", "0").split()[0])
    return total / 1024


def main() -> None:
    """Run a campaign, and print what it counted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("backend", nargs="?", default="process")
    parser.add_argument("jobs", nargs="?", type=int, default=500)
    parser.add_argument("at_once", nargs="?", type=int, default=50)
    parser.add_argument("seconds", nargs="?", type=float, default=600)
    given = parser.parse_args()
    with campaign(given.backend, seed=given.jobs) as running:
        clients = Clients(running)
        memory = clients.run(given.jobs, given.at_once, given.seconds)
        ended = sum(job.has_ended for job in clients.jobs)
        clients.remove_all()
    counted = {
        "jobs": len(clients.jobs),
        "ended": ended,
        **clients.tally,
        "slowest_s": round(clients.slowest_s, 2),
        "memory_mib": [round(one) for one in memory],
    }
    print(f"{given.backend}: {json.dumps(counted)}")  # noqa: T201
    sys.exit("\n".join(clients.faults[:50]) or None)


if __name__ == "__main__":
    main()
