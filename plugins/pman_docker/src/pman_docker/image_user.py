"""The user of an image, for jobs where ``CONTAINER_USER`` names a group alone.

Both engines then take root for the user, whatever the image says (seen with Docker 20.10 and Podman
4.3), so pman names the image's own user.
"""

from __future__ import annotations

from urllib.parse import quote

from pman_core import Job
from pman_docker.client import Engine


def image_user(engine: Engine, job: Job) -> str:
    """The user that a job takes from its image: a name or a number; nothing if it takes none.

    :raises ImageMissingError: the engine does not have the image.
    :raises RefusedError: there can be no such image.
    """
    if job.user is None or job.user.uid is not None:
        return ""
    found = engine.get(f"/images/{quote(job.image, safe='/:@')}/json")
    user, _, _ = str((found.get("Config") or {}).get("User") or "").partition(":")
    return user
