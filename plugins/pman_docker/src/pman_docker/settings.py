"""The settings of this backend."""

from __future__ import annotations

import environ

from pman_core.settings import (
    EngineSettings,
    absolute_path,
    flag,
    text,
    variable,
    whole_number,
)


@environ.config(prefix="", frozen=True)
class DockerSettings(EngineSettings):
    """How to reach the engine, and how jobs are confined."""

    docker_host: str | None = variable(
        "DOCKER_HOST",
        text,
        None,
        "Where the engine listens, as unix:///path, tcp://host:port or https://host:port. Unset "
        "means /var/run/docker.sock; for podman /run/podman/podman.sock, or the socket in "
        "$XDG_RUNTIME_DIR where pman is not root.",
    )
    tls_verify: bool = variable(
        "DOCKER_TLS_VERIFY",
        flag,
        "no",
        "With yes, the engine is reached by TLS, and its certificate is verified.",
    )
    cert_path: str | None = variable(
        "DOCKER_CERT_PATH",
        absolute_path,
        None,
        "Folder with ca.pem, cert.pem and key.pem for TLS.",
    )
    pull_timeout_s: int = variable(
        "PULL_TIMEOUT",
        whole_number(1),
        "600",
        "Seconds without any news after which the pull of an image is given up and tried again.",
    )
    pids_limit: int = variable(
        "PIDS_LIMIT", whole_number(1), "4096", "How many processes and threads a job may have."
    )
    confine_jobs: bool = variable(
        "CONFINE_JOBS",
        flag,
        "yes",
        "With no, jobs keep the capabilities that the engine gives by default, and may gain "
        "privileges (setuid programs). The limit of processes stays.",
    )
