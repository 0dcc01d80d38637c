"""A job in the words of the engine: pure translation.

``POST /services/create``, Engine API 1.41. The mode is ``Replicated`` and not ``ReplicatedJob``:
with the latter, 20.10 runs failed tasks again in spite of their restart condition (when another
task of the service ends, when a manager restarts), and runs everything again at any update of
the service, even of its labels. With the restart condition ``none``, ``Replicated`` runs each
replica once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pman_core import Job, Mount, Resources
from pman_core.kit.names import INSTANCE_LABEL
from pman_docker.container_fields import confinement, docker_mount, user_words, volume_name
from pman_swarm.escaping import escaped
from pman_swarm.labels import container_labels, service_labels
from pman_swarm.settings import SwarmSettings

#: Holds for no node: the swarm makes their ids itself.
NOWHERE = "node.id==ended-by-pman"

_MIB = 2**20

Payload = dict[str, Any]


def service_payload(name: str, job: Job, settings: SwarmSettings) -> Payload:
    """The body of the create request. argv takes the place of the image's ENTRYPOINT."""
    return {
        "Name": name,
        "Labels": service_labels(job, settings.instance),
        "TaskTemplate": {
            "ContainerSpec": _container(job, settings),
            "Resources": _resources(job.resources, settings),
            # The API's default is to run a task that ended again, for ever. Nothing is ever tried
            # again; that it could be makes the swarm keep as many tasks of each worker, with their
            # logs, whatever its history limit, and also where the service is updated.
            "RestartPolicy": {"Condition": "none", "MaxAttempts": 99},
            "Placement": {"Constraints": _constraints(settings)},
            # json-file, the usual default, spoils bytes that are no UTF-8 (seen with 20.10).
            "LogDriver": {"Name": "local"},
        },
        "Mode": {"Replicated": {"Replicas": job.resources.workers}},
    }


def _container(job: Job, settings: SwarmSettings) -> Payload:
    drop, add = confinement(job, settings)
    mounts = [_mount(mount, settings) for mount in job.mounts]
    if job.shm_mib is not None:
        # The API of services has no ShmSize.
        options = {"SizeBytes": job.shm_mib * _MIB, "Mode": 0o1777}
        mounts.append({"Type": "tmpfs", "Target": "/dev/shm", "TmpfsOptions": options})  # noqa: S108
    return {
        "Image": job.image,
        "Labels": container_labels(job, settings.instance),
        "Command": list(job.argv[:1]),
        "Args": list(job.argv[1:]),
        "Env": [f"{key}={escaped(value)}" for key, value in job.env.items()],
        "User": user_words(job),
        "Dir": job.workdir or "",
        "Mounts": mounts,
        "TTY": False,
        # Reaps processes without a parent, and lets the signals that the job sends itself arrive.
        "Init": settings.job_init,
        # With one that the image may have, a task counts as started only once it is healthy, and
        # is killed if it is not.
        "HealthCheck": {"Test": ["NONE"]},
        "CapabilityDrop": drop,
        "CapabilityAdd": add,
        # Engines before API 1.44 do not know it; the backend says so.
        "Privileges": {"NoNewPrivileges": settings.confine_jobs},
        # A removal kills at once; by default it waits ten seconds for the job to end itself.
        "StopGracePeriod": 0,
    }


def _resources(wanted: Resources, settings: SwarmSettings) -> Payload:
    """Limits, and the same as reservations: a job that finds no room waits for it."""
    limits: Payload = {}
    if wanted.memory_mib is not None:
        limits["MemoryBytes"] = wanted.memory_mib * _MIB
    if wanted.cpu_millicores is not None:
        limits["NanoCPUs"] = wanted.cpu_millicores * 1_000_000
    reserved: Payload = dict(limits)
    if wanted.gpus:
        gpu = {"Kind": settings.gpu_resource, "Value": wanted.gpus}
        reserved["GenericResources"] = [{"DiscreteResourceSpec": gpu}]
    # The init does not count among the processes that a job may have.
    limits = {**limits, "Pids": settings.pids_limit + settings.job_init}
    return {"Limits": limits, "Reservations": reserved}


def _constraints(settings: SwarmSettings) -> list[str]:
    selector = settings.node_selector or {}
    return [f"node.labels.{key}=={value}" for key, value in sorted(selector.items())]


def _mount(mount: Mount, settings: SwarmSettings) -> Payload:
    translated = {**docker_mount(mount), "Target": escaped(mount.target)}
    if translated["Type"] == "volume":
        return _volume(translated, settings)
    return {**translated, "Source": escaped(translated["Source"])}


def _volume(translated: Payload, settings: SwarmSettings) -> Payload:
    """A volume that all tasks of this pman with that directory share on a node.

    Without a name, the swarm makes one more for each task, which it never removes.
    """
    driver = translated["VolumeOptions"]["DriverConfig"]
    expanding = {key: escaped(value) for key, value in driver["Options"].items()}
    return {
        **translated,
        "Source": volume_name(settings.instance, driver["Options"]),
        "VolumeOptions": {
            "DriverConfig": {**driver, "Options": expanding},
            "Labels": {INSTANCE_LABEL: settings.instance},
        },
    }


def ended(spec: Payload, labels: Mapping[str, str]) -> Payload:
    """The specification of a service that is ended, and keeps why on its labels.

    The engine stops its tasks then, all at once, and keeps them with their logs, as it does not
    where a service is scaled to nothing. Those that it makes in their place find no node, ever.
    """
    task = spec["TaskTemplate"]
    placement = task.get("Placement") or {}
    constraints = [*(placement.get("Constraints") or ()), NOWHERE]
    return {
        **spec,
        "Labels": {**spec["Labels"], **labels},
        "TaskTemplate": {**task, "Placement": {**placement, "Constraints": constraints}},
        "UpdateConfig": {"Parallelism": 0, "Order": "stop-first"},
    }


def recorded(spec: Payload, labels: Mapping[str, str]) -> Payload:
    """The specification of a service with more labels; its tasks stay as they are."""
    return {**spec, "Labels": {**spec["Labels"], **labels}}
