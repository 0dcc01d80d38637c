"""How FNNDSC's own deployments start pman 6: the command, and the variables.

Taken from their public repositories, at the commits that are named. What a deployment finds in its
place (sockets, volumes, ids) stands in braces; a test puts its own there.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

IMAGE_COMMAND = ("gunicorn", "--bind", "{bind}", "--workers", "8", "--timeout", "20")
CHART_COMMAND = ("gunicorn", "-b", "{bind}")
WSGI = "pman.wsgi:application"


@attrs.frozen
class Site:
    """A deployment of pman 6.

    :param engine: what it runs on.
    :param command: after ``python -m``.
    :param user: whom its jobs run as, ``None`` for root.
    """

    name: str
    engine: str
    command: tuple[str, ...]
    variables: Mapping[str, str]
    user: int | None = None

    def __str__(self) -> str:
        return self.name


SITES = (
    # FNNDSC/pman docker-compose.yml at 22e5339, docker-test-entrypoint.sh at 26b9e22.
    Site(
        name="pman's own Compose file",
        engine="swarm",
        command=("pman",),
        variables={
            "STORAGE_TYPE": "host",
            "APPLICATION_MODE": "development",
            "CONTAINER_ENV": "swarm",
            "STOREBASE": "{storebase}",
        },
    ),
    # FNNDSC/ChRIS_ultron_backEnd docker-compose_just.yml at 32dcdfd; the command is that of
    # FNNDSC/pman Dockerfile.
    Site(
        name="CUBE's Compose file for development",
        engine="docker",
        command=(*IMAGE_COMMAND, WSGI),
        variables={
            "CONTAINER_ENV": "docker",
            "CONTAINER_USER": "1001:1001",
            "ENABLE_HOME_WORKAROUND": "yes",
            "JOB_LABELS": "org.chrisproject.miniChRIS=plugininstance",
            "SECRET_KEY": "secret",
            "REMOVE_JOBS": "yes",
        },
        user=1001,
    ),
    # Likewise, where UID and GID are set to nothing: CONTAINER_USER is "${{UID}}:${{GID}}".
    Site(
        name="CUBE's Compose file without ids",
        engine="docker",
        command=(*IMAGE_COMMAND, WSGI),
        variables={
            "CONTAINER_ENV": "docker",
            "CONTAINER_USER": ":",
            "ENABLE_HOME_WORKAROUND": "yes",
            "JOB_LABELS": "org.chrisproject.miniChRIS=plugininstance",
            "SECRET_KEY": "secret",
            "REMOVE_JOBS": "yes",
        },
    ),
    # FNNDSC/miniChRIS-docker docker-compose.yml at 0080323; workarounds/storebase.sh at 0c230df
    # sets STOREBASE, and runs the image's command.
    Site(
        name="miniChRIS on a swarm",
        engine="swarm",
        command=(*IMAGE_COMMAND, WSGI),
        variables={"CONTAINER_ENV": "swarm", "SECRET_KEY": "secret", "STOREBASE": "{storebase}"},
    ),
    # FNNDSC/charts charts/pfcon: templates/deployment.yml at 4e0f351, templates/pman-config.yml at
    # 3f47fa2, values.yaml at 2077a75.
    Site(
        name="the Helm chart",
        engine="kubernetes",
        command=(*CHART_COMMAND, WSGI),
        variables={
            "CONTAINER_ENV": "kubernetes",
            "STORAGE_TYPE": "kubernetes_pvc",
            "JOB_NAMESPACE": "{namespace}",
            "VOLUME_NAME": "{claim}",
            "CONTAINER_USER": "1001:0",
            "JOB_LABELS": "chrisproject.org/job=plugininstance",
            "ENABLE_HOME_WORKAROUND": "yes",
            "REMOVE_JOBS": "yes",
            "IGNORE_LIMITS": "no",
            "GUNICORN_CMD_ARGS": "--workers=4 --timeout=30",
            "SECRET_KEY": "secret",
        },
        user=1001,
    ),
)
