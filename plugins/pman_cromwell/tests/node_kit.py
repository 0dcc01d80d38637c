"""A node as tests make it: its programs are what the test says."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
from cromwell_kit import SHARE
from spec_samples import CREATED, job, settings, spec

from pman_core import Reason
from pman_cromwell import payload, run_files
from pman_cromwell.share.pman_slurm.outcome import Outcome, recorded


@attrs.frozen
class Node:
    """Its programs are in a folder of the test's; a run has its folder in a storebase."""

    root: Path

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def storebase(self) -> Path:
        return self.root / "storebase"

    @property
    def folder(self) -> Path:
        return self.storebase / ".pman" / "pman" / "runs" / spec().workflow

    def has(self, program: str, script: str) -> None:
        """Give it a program."""
        (self.bin / program).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / program).chmod(0o755)

    def cancel(self, reason: str | None) -> None:
        """Have pman end the run."""
        why = run_files.Cancelled(Reason(reason) if reason else None, "words", CREATED)
        (self.folder / run_files.CANCELLED).write_text(run_files.as_json(why))

    def do(
        self, *words: str, text: str = "", **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """One command of pman-slurm, with nothing in its environment."""
        return subprocess.run(
            [sys.executable, "-I", str(SHARE / "pman-slurm"), *words],
            input=text,
            env={"PATH": str(self.bin), **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def run(self, runtime: str, **changes: Any) -> Outcome:
        """What comes of a job."""
        made = spec(runtime, folder=str(self.folder), **{"mounts": (), **changes})
        sent = payload.inputs(made, job().env, settings())
        lines = f"{sent['pman.order']}\n{sent['pman.environment']}\n"
        cache = str(self.root / "cache")
        done = self.do("run", text=lines, PMAN_RUNTIME=runtime, PMAN_IMAGE_CACHE=cache)
        ended = recorded(str(self.folder))
        assert ended, done.stderr
        assert "secret" not in ended.message + done.stderr
        return ended
