"""Another pman process, which a test may kill: it submits a job, asks for it, or resumes.

Told on stdin, as JSON: the engine, the environment, what to do, and the job or its id.
"""

import json
import sys
import time

from engine_subjects import BACKENDS

from pman_core.serial import job_from_json


def main() -> None:
    order = json.load(sys.stdin)
    pman = BACKENDS[order["engine"]](order["environ"])
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    if order["do"] == "resume":
        pman.pman_resume()
        time.sleep(600)
    if order["do"] == "submit":
        pman.pman_submit(job_from_json(order["job"]))
        sys.stdout.write("submitted\n")
        sys.stdout.flush()
    while True:
        info = pman.pman_status(order["jid"])
        if info.status.is_final:
            return
        time.sleep(0.05)


if __name__ == "__main__":
    main()
