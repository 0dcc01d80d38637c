"""Another pman process, which a test may kill: it submits a job, asks for it, or resumes.

Told on stdin, as a line of JSON: the engine, the environment, what to do, and the job.
It says that it is ready, begins when stdin is closed, and says when it has done it.
"""

import json
import sys
import time
from collections.abc import Callable

from engine_subjects import BACKENDS

from pman_core.kit.serial import job_from_json


def main() -> None:
    order = json.loads(sys.stdin.readline())
    pman = BACKENDS[order["engine"]](order["environ"])
    job = job_from_json(order["job"])
    deeds: dict[str, Callable[[], object]] = {
        "submit": lambda: pman.pman_submit(job),
        "ask": lambda: pman.pman_status(job.jid),
        "resume": pman.pman_resume,
    }
    tell("ready")
    sys.stdin.read()
    deeds[order["do"]]()
    tell("done")
    if order["do"] == "resume":
        time.sleep(600)  # it asks for no job
    # What it goes on with is its own until it is through with it, also if the job has ended.
    while not pman.pman_status(job.jid).status.is_final or pman._reconciler._starter._busy:
        time.sleep(0.05)


def tell(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
