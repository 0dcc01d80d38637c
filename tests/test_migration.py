"""The page for those who come from pman 6 names all that they know, and says what is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pman_core._internal.core_storage import StorageSettings
from pman_core.cli.serve import serve
from pman_core.kit.core_settings import CoreSettings
from pman_core.kit.settings import variables
from pman_cromwell.settings import CromwellSettings
from pman_docker.settings import DockerSettings
from pman_k8s.settings import K8sSettings

PAGE = (Path(__file__).parent.parent / "docs/how-to/come-from-pman-6.md").read_text()

#: All that pman 6.3.1 reads, and what older versions read that is back; with its own defaults.
PMAN_6 = {
    "SECRET_KEY": "required",
    "APPLICATION_MODE": "`production`",
    "CONTAINER_ENV": "`docker`",
    "STORAGE_TYPE": "Docker: `docker_local_volume`",
    "STOREBASE": "none",
    "NFS_SERVER": "gone since 5",
    "VOLUME_NAME": "none",
    "PFCON_SELECTOR": "`org.chrisproject.role=pfcon`",
    "JOB_LOGS_TAIL": "`1000`",
    "JOB_LABELS": "none",
    "IGNORE_LIMITS": "`no`",
    "CONTAINER_USER": "none",
    "SECURITYCONTEXT_RUN_AS_USER": "gone since 5",
    "SECURITYCONTEXT_RUN_AS_GROUP": "gone since 5",
    "ENABLE_HOME_WORKAROUND": "`no`",
    "SHM_SIZE": "none",
    "REMOVE_JOBS": "`yes`",
    "JOB_NAMESPACE": "`default`",
    "NODE_SELECTOR": "none",
    "IMAGE_PULL_SECRETS": "none",
    "DOCKER_HOST": "none",
    "DOCKER_TLS_VERIFY": "none",
    "DOCKER_CERT_PATH": "none",
    "CROMWELL_URL": "none",
    "TIMELIMIT_MINUTES": "required for Cromwell",
    "KUBECFG_PATH": "none",
    "OPENSHIFTMGR_PROJECT": "`myproject`",
    "PORT": "`5010`",
}

#: What they rely on, besides, and what now is otherwise.
WORDS = (
    "INSTANCE",
    "PIDS_LIMIT",
    "capabilities",
    "CONFINE_JOBS",
    "`native`",
    "missing directory",
    "STOREBASE_MOUNT",
    "JOB_LOGS_MAX_BYTES",
    "`404: `",
    "gunicorn -b 0.0.0.0:5010 pman.wsgi:application",
    "GUNICORN_CMD_ARGS",
    "python -m pman",
    "pman serve --host 0.0.0.0",
    "group_add",
    "Helm chart",
    "CONTAINER_ENV=podman",
    "AUTH_TOKENS_FILE",
    "AUTH=none",
    "`pman token new pfcon`",
    "COMPUTE_SERVICE_URL=http://pfcon:TOKEN@pman:5010/api/v1/",
    "--enableTokenAuth",
    "--tokenPath",
    "`GET /api/v1/`",
)


def rows() -> dict[str, tuple[str, str]]:
    """What the table says of each variable: its default in pman 6, and the one now."""
    table = PAGE[PAGE.index("## Variables") :]
    found = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| (.*?) \| .+ \|$", table, re.MULTILINE)
    return {name: (before, now) for name, before, now in found}


def defaults() -> dict[str, str | None]:
    """The defaults that the code has."""
    classes = (CoreSettings, StorageSettings, DockerSettings, K8sSettings, CromwellSettings)
    known = {one.name: one.default for settings in classes for one in variables(settings)}
    (port,) = (option for option in serve.params if option.name == "port")
    return {**known, "PORT": str(port.default)}


def test_every_variable_of_pman_6_is_reported_with_its_default_there() -> None:
    assert {name: before for name, (before, _) in rows().items()} == PMAN_6


@pytest.mark.parametrize("name", PMAN_6)
def test_the_default_that_is_shown_is_that_of_the_code(name: str) -> None:
    told = rows()[name][1]
    default = defaults()[name]
    assert told == (f"`{default}`" if default else "none")


@pytest.mark.parametrize("words", WORDS)
def test_what_is_otherwise_is_named(words: str) -> None:
    assert words in PAGE
