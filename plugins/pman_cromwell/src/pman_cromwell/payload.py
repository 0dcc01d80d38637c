"""What a submission to Cromwell holds: pure translation of a job's spec.

Parts of the form: ``cromwell.yaml``, ``PartialWorkflowSources.scala`` (develop of 2025).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from pman_core.kit.causes import PULL_CAUSES
from pman_cromwell.job_spec import JobSpec, encoded, to_json
from pman_cromwell.settings import CromwellSettings

#: Podman's own processes are in the cgroup of the SLURM job, the container is not.
PODMAN_MIB = 128

#: How much longer SLURM lets a job live than its time limit: for the image to be fetched.
FETCH_MINUTES = 10

#: Nothing is taken from the cache: an equal job would not run at all. Nothing is put there.
OPTIONS = {"read_from_cache": False, "write_to_cache": False}


def document() -> str:
    """The WDL document; it is always the same."""
    return files("pman_cromwell").joinpath("pman.wdl").read_text()


def inputs(spec: JobSpec, env: Mapping[str, str], settings: CromwellSettings) -> dict[str, Any]:
    """Everything that varies; 0 and the empty text mean that nothing is asked for."""
    cpus = whole_cpus(spec)
    memory = spec.memory_mib or 0
    if memory and spec.runtime == "podman":
        memory += PODMAN_MIB
    # SLURM counts memory by node or by CPU, never by task.
    several = spec.workers > 1
    values = {
        "order": encoded(json.dumps({**json.loads(to_json(spec)), **_for_nodes(settings)})),
        "environment": encoded(json.dumps(dict(env))),
        "folder": spec.folder,
        "name": spec.name,
        "workers": spec.workers,
        "cpus": cpus,
        "memory_mib": 0 if several else memory,
        "memory_per_cpu_mib": math.ceil(memory / max(1, cpus)) if several else 0,
        "gpus": spec.gpus,
        "minutes": whole_minutes(spec),
        "partition": settings.partition or "",
        "account": settings.account or "",
    }
    return {f"pman.{name}": value for name, value in values.items()}


def _for_nodes(settings: CromwellSettings) -> dict[str, Any]:
    """What nodes need besides the spec, since pman is not installed there."""
    causes = [
        {
            "words": row.words.pattern,
            "is_final": row.is_final,
            "reason": row.reason.value,
            "wording": row.wording,
        }
        for row in PULL_CAUSES
    ]
    return {"causes": causes, "start_deadline_s": settings.start_deadline_s}


def whole_cpus(spec: JobSpec) -> int:
    """SLURM gives whole CPUs."""
    return math.ceil((spec.cpu_millicores or 0) / 1000)


def whole_minutes(spec: JobSpec) -> int:
    """SLURM's own limit, which counts in minutes and from before the image is fetched.

    The node itself ends the job to the second, and counts from the start of its container.
    """
    if spec.time_limit_s is None:
        return 0
    return math.ceil(spec.time_limit_s / 60) + FETCH_MINUTES
