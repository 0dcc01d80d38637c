"""Removes a job: whatever of it runs ends first, then its objects go."""

from __future__ import annotations

from pman_core.contract.errors import EngineUnavailableError
from pman_docker.client import Engine
from pman_docker.errors import RefusedError
from pman_docker.job_objects import JobObjects, firsts, is_second
from pman_docker.labels import OF


def remove(engine: Engine, objects: JobObjects, jid: str) -> bool:
    """Remove a job; whether there was anything of it.

    What runs ends first, so that no run is without its record. The second object stays until the
    first is gone: its name keeps others from going on.

    :raises EngineUnavailableError: the engine refuses it; repeating this goes on.
    """
    first = objects.named_first(jid)
    try:
        if first:
            second = objects.named_second(jid, first["Id"])
            if second:
                engine.kill(second["Id"])
            engine.remove_wholly(first["Id"])
        # One that was made meanwhile is not started any more: its first object is gone.
        renamed, seconds = remainders(objects, jid)
        for container in seconds if renamed else ():
            engine.kill(container)
        for container in (*renamed, *seconds):
            engine.remove_wholly(container)
    except RefusedError as refused:
        raise EngineUnavailableError(f"job {jid!r} cannot be removed: {refused}") from refused
    return bool(first or renamed or seconds)


def remainders(objects: JobObjects, jid: str) -> tuple[list[str], list[str]]:
    """First and second objects, by id, that remain of a job whose first object had its name.

    They have been renamed, or their first object is gone. What has the job's name now is
    another job, which has been submitted meanwhile.
    """
    found = objects.of_job(jid)
    others = {one["Id"] for one in firsts(found) if objects.has_its_name(one)}
    return (
        [one["Id"] for one in firsts(found) if one["Id"] not in others],
        [one["Id"] for one in found if is_second(one) and one["Labels"][OF] not in others],
    )
