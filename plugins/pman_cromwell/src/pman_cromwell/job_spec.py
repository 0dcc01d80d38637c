"""The spec of a job: one JSON object, which pman keeps and the nodes read."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

import attrs
from cattrs import Converter
from cattrs.preconf.json import make_converter

from pman_core import HostPath, Job, Mount
from pman_core.kit.names import native_name

#: Names of workflows derive from this one (made once, at random).
_NAMESPACE = uuid.UUID("5a3f3a44-7d0c-4f3e-9d1b-6f0c2b9d4e51")


@attrs.frozen
class Bind:
    """A directory of the cluster, and where the job sees it.

    :param within: the storebase, if no part of the path below it may be a link; else empty.
    """

    source: str
    target: str
    read_only: bool
    within: str = ""


@attrs.frozen(kw_only=True)
class JobSpec:
    """One job without its environment, which may hold tokens and is not kept by pman.

    ``share/pman_slurm/job_spec.py`` reads the same names. Units are those of ``Job``.

    :param generation: how many jobs of this id were removed before.
    :param workflow: Cromwell's id; it derives from instance, jid and generation.
    :param folder: the run's folder, as the nodes see it.
    """

    jid: str
    instance: str
    generation: int
    workflow: str
    created: datetime
    fingerprint: str
    labels: dict[str, str]
    image: str
    argv: tuple[str, ...]
    mounts: tuple[Bind, ...]
    folder: str
    runtime: str
    workers: int
    memory_mib: int | None
    cpu_millicores: int | None
    gpus: int
    shm_mib: int | None
    uid: int | None
    gid: int | None
    time_limit_s: int | None
    workdir: str | None = None
    owner: str | None = None

    @property
    def name(self) -> str:
        """The job's name in SLURM, and that of its record."""
        return native_name(self.jid, self.instance)

    def reported_job(self) -> Job:
        """What a report quotes of the job, and nothing else of it."""
        return Job(
            jid=self.jid,
            image=self.image,
            argv=self.argv,
            labels=self.labels,
            owner=self.owner,
            fingerprint=self.fingerprint,
        )


def workflow_id(instance: str, jid: str, generation: int) -> str:
    """Always the same for the same job, so that asking Cromwell twice is harmless."""
    return str(uuid.uuid5(_NAMESPACE, f"{instance}/{generation}/{jid}"))


def spec_of(
    job: Job, *, instance: str, generation: int, runs: str, runtime: str, created: datetime
) -> JobSpec:
    """The spec of a new job.

    :param runs: the folder that holds those of all runs.
    """
    workflow = workflow_id(instance, job.jid, generation)
    limits = job.resources
    return JobSpec(
        jid=job.jid,
        instance=instance,
        generation=generation,
        workflow=workflow,
        created=created,
        fingerprint=job.fingerprint,
        labels=dict(job.labels),
        image=job.image,
        argv=job.argv,
        mounts=_binds(job),
        folder=f"{runs}/{workflow}",
        runtime=runtime,
        workers=limits.workers,
        memory_mib=limits.memory_mib,
        cpu_millicores=limits.cpu_millicores,
        gpus=limits.gpus,
        shm_mib=job.shm_mib,
        uid=job.user.uid if job.user else None,
        gid=job.user.gid if job.user else None,
        time_limit_s=job.time_limit_s,
        workdir=job.workdir,
        owner=job.owner,
    )


def _binds(job: Job) -> tuple[Bind, ...]:
    return tuple(_bind(mount) for mount in job.mounts)


def _bind(mount: Mount) -> Bind:
    source = mount.host_path
    within = mount.source.within if isinstance(mount.source, HostPath) else ""
    return Bind(source, mount.target, mount.read_only, within)


def to_json(spec: JobSpec) -> str:
    """The spec as ASCII text."""
    return json.dumps(_converter().unstructure(spec))


def from_json(text: str) -> JobSpec:
    """The spec that :func:`to_json` wrote.

    :raises ValueError: the text is something else.
    """
    try:
        spec = _converter().structure(json.loads(text), JobSpec)
    except Exception as error:  # cattrs raises groups of whatever the parts raised
        raise ValueError("not an order as pman writes it down") from error
    # It becomes a part of paths and addresses, so it must be the one that pman derives.
    if spec.workflow != workflow_id(spec.instance, spec.jid, spec.generation):
        raise ValueError("not an order as pman writes it down: this is not its workflow")
    return spec


def encoded(value: str) -> str:
    """One line that nothing on the way can change."""
    return base64.b64encode(value.encode()).decode()


def from_inputs(inputs: str) -> JobSpec:
    """The spec in the inputs of a workflow, as Cromwell gives them back.

    :raises ValueError: there is none.
    """
    content: Any = json.loads(inputs)
    if not isinstance(content, Mapping) or not isinstance(content.get("pman.order"), str):
        raise ValueError("these inputs are not pman's")
    return from_json(base64.b64decode(content["pman.order"]).decode())


@cache
def _converter() -> Converter:
    return make_converter()
