"""The command line."""

from __future__ import annotations

import argparse
import os
import sys

from .batch import batch
from .cancel import cancel
from .check_alive import check
from .epilog import epilog
from .run import run, worker_task
from .submit import submit


def main(words: list[str]) -> int:
    """Do one command; its exit code."""
    os.umask(0o007)  # only pman's group may read the job folder
    parser = argparse.ArgumentParser(prog="pman-slurm", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.required = True
    one = commands.add_parser("submit")
    one.add_argument("--folder", required=True)
    one.add_argument("--execution", required=True)
    one.add_argument("sbatch", nargs=argparse.REMAINDER)
    one = commands.add_parser("check")
    one.add_argument("job")
    one.add_argument("execution")
    one = commands.add_parser("cancel")
    one.add_argument("job")
    one.add_argument("execution")
    one = commands.add_parser("batch")
    one.add_argument("script")
    commands.add_parser("run")
    commands.add_parser("worker")
    commands.add_parser("epilog")
    given = parser.parse_args(words)
    if given.command == "submit":
        sbatch = given.sbatch[1:] if given.sbatch[:1] == ["--"] else given.sbatch
        return submit(given.folder, given.execution, sbatch)
    if given.command == "check":
        return check(given.job, given.execution)
    if given.command == "cancel":
        return cancel(given.job, given.execution)
    if given.command == "batch":
        return batch(given.script)
    if given.command == "epilog":
        return epilog()
    return run(sys.stdin) if given.command == "run" else worker_task(sys.stdin)
