"""The settings of this backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker.errors
import docker.tls
import docker.utils
import environ

from pman_core.kit.settings import (
    EngineSettings,
    absolute_path,
    flag,
    text,
    variable,
    whole_number,
)

#: Where pfcon sees the volume with the job data, in its own container.
PFCON_MOUNT = "/var/local/storeBase"

_SCHEMES = ("unix://", "tcp://", "http://", "https://")


def engine_address(value: str) -> str:
    """Where an engine listens."""
    if not value.startswith(_SCHEMES):
        raise ValueError(f"must begin with one of {', '.join(_SCHEMES)}")
    if "@" in value and not value.startswith("unix://"):
        raise ValueError(
            "must hold no user and no password: Docker's client sends none; where an engine must "
            "know who asks, give pman a certificate (DOCKER_CERT_PATH)"
        )
    try:
        docker.utils.parse_host(value)
    except (docker.errors.DockerException, ValueError) as error:
        raise ValueError("is no address of an engine, like tcp://host:2375") from error
    return value


@environ.config(prefix="", frozen=True)
class VolumeSettings(EngineSettings):
    """Which volume holds the job data, for STORAGE_TYPE=docker_local_volume."""

    volume_name: str | None = variable(
        "VOLUME_NAME", text, None, "The volume that holds all job data; its driver must be local."
    )
    pfcon_selector: str = variable(
        "PFCON_SELECTOR",
        text,
        "org.chrisproject.role=pfcon",
        "Without VOLUME_NAME: a label of pfcon's container, whose mount at "
        f"{PFCON_MOUNT} is taken.",
    )


@environ.config(prefix="", frozen=True)
class HostSettings(VolumeSettings):
    """How to reach an engine that speaks Docker's API, and how jobs are confined."""

    docker_host: str | None = variable(
        "DOCKER_HOST",
        engine_address,
        None,
        "Where the engine listens, as unix:///path, tcp://host:port or https://host:port. Unset "
        "means /var/run/docker.sock; for podman /run/podman/podman.sock, or the socket in "
        "$XDG_RUNTIME_DIR where pman is not root, and /var/run/docker.sock where that is missing.",
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
    pids_limit: int = variable(
        "PIDS_LIMIT", whole_number(1), "4096", "How many processes and threads a job may have."
    )
    job_init: bool = variable(
        "JOB_INIT",
        flag,
        "yes",
        "With no, jobs run without an init (docker-init, catatonit), for engines that have none: "
        "processes that lose their parent are not reaped, and signals that a job's main process "
        "sends itself may have no effect.",
    )
    confine_jobs: bool = variable(
        "CONFINE_JOBS",
        flag,
        "yes",
        "With no, jobs keep the capabilities that the engine gives by default, and may gain "
        "privileges (setuid programs). The limit of processes stays.",
    )

    def tls(self) -> docker.tls.TLSConfig | None:
        """How TLS is done; ``None`` without it."""
        folder = self.cert_path
        if not (self.tls_verify or folder):
            return None
        return docker.tls.TLSConfig(
            client_cert=(f"{folder}/cert.pem", f"{folder}/key.pem") if folder else None,
            ca_cert=f"{folder}/ca.pem" if folder else None,
            verify=self.tls_verify,
        )

    def problems(self) -> Iterator[str]:
        """What is wrong with combinations of these variables."""
        wanted = ("ca.pem", "cert.pem", "key.pem") if self.cert_path else ()
        missing = [name for name in wanted if not Path(self.cert_path or "", name).is_file()]
        if missing:
            yield f"DOCKER_CERT_PATH is {self.cert_path}, which has no {', '.join(missing)}"
        if self.tls_verify and not (self.docker_host or "").startswith(("tcp://", "https://")):
            yield (
                "DOCKER_TLS_VERIFY is set, but DOCKER_HOST is no tcp:// or https:// address; "
                "only these are reached by TLS"
            )


@environ.config(prefix="", frozen=True)
class DockerSettings(HostSettings):
    """The settings of the backends docker and podman."""

    pull_timeout_s: int = variable(
        "PULL_TIMEOUT",
        whole_number(1),
        "600",
        "Seconds without any news after which the pull of an image is given up and tried again.",
    )
