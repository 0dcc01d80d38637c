"""The settings of this backend."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import normpath
from urllib.parse import urlsplit

import environ

from pman_core.contract.errors import SettingsError
from pman_core.kit.settings import EngineSettings, absolute_path, one_of, variable

#: The ways in which nodes can run an image.
RUNTIMES = ("podman", "apptainer", "none")


def address(value: str) -> str:
    """Where Cromwell listens."""
    try:
        is_address = bool(urlsplit(value).hostname) and urlsplit(value).port != 0
    except ValueError:
        is_address = False
    if not is_address or not re.fullmatch(r"https?://[^\s?#]+", value):
        raise ValueError("must be an address like http://cromwell:8000")
    return value.rstrip("/")


def slurm_name(value: str) -> str:
    """A name of SLURM's, as its configuration could hold it."""
    if not re.fullmatch(r"[A-Za-z0-9_.,-]{1,200}", value):
        raise ValueError("must be letters, digits and _ . - with commas between several names")
    return value


def shared_path(value: str) -> str:
    """An absolute path that a command of the Cromwell configuration can quote."""
    path = absolute_path(value)
    if re.search(r"['\x00-\x1f\x7f]", path):
        raise ValueError("must hold no single quote and no control character")
    return path


@environ.config(prefix="", frozen=True)
class CromwellSettings(EngineSettings):
    """How to reach Cromwell, and what the cluster behind it is like."""

    url: str | None = variable(
        "CROMWELL_URL", address, None, "Where Cromwell listens, like http://cromwell:8000."
    )
    runtime: str = variable(
        "CROMWELL_RUNTIME",
        one_of(*RUNTIMES),
        "podman",
        "How nodes run images: podman, apptainer, or none (for tests: the command runs on the "
        "node itself). The Cromwell configuration says the same.",
    )
    partition: str | None = variable(
        "SLURM_PARTITION", slurm_name, None, "The partition of all jobs. Unset means SLURM's own."
    )
    account: str | None = variable(
        "SLURM_ACCOUNT", slurm_name, None, "The account that jobs are charged to."
    )
    jobs_dir: str | None = variable(
        "CROMWELL_JOBS_DIR",
        shared_path,
        None,
        "Folder for pman's records and for logs, at this path for pman, for Cromwell and on every "
        "node. Unset means .pman in STOREBASE.",
    )

    def problems(self) -> Iterator[str]:
        """What is wrong with combinations of these variables."""
        if not self.url:
            yield "CROMWELL_URL is unset: set it to the address of the Cromwell server"
        elif re.match("https?://[^/]*@", self.url):
            yield (
                "CROMWELL_URL must hold no user and no password: pman shows it to clients and in "
                "its log. If a proxy before Cromwell wants them, write them into ~/.netrc, or into "
                "the file that NETRC names"
            )


def jobs_folder(settings: CromwellSettings, environment: Mapping[str, str]) -> str:
    """Where this pman's records, and the logs of its jobs, are.

    :raises SettingsError: neither CROMWELL_JOBS_DIR nor STOREBASE is set, or the variable is set
        that once said that pman cannot see this folder.
    """
    if environment.get("CROMWELL_SEES_JOBS"):
        raise SettingsError(
            [
                "CROMWELL_SEES_JOBS is no setting any more: pman always reads and writes the jobs "
                "folder (CROMWELL_JOBS_DIR). Mount that storage where pman runs, and unset "
                "CROMWELL_SEES_JOBS"
            ]
        )
    base = settings.jobs_dir
    storebase = environment.get("STOREBASE")
    if base and storebase and lies_in(storebase, base):
        raise SettingsError(
            ["CROMWELL_JOBS_DIR is STOREBASE or holds it: jobs would reach pman's own records"]
        )
    if not base:
        if not storebase:
            raise SettingsError(["CROMWELL_JOBS_DIR is unset, and so is STOREBASE: set STOREBASE"])
        try:
            base = shared_path(storebase).rstrip("/") + "/.pman"
        except ValueError as error:
            raise SettingsError([f"STOREBASE {error} (it is {storebase!r})"]) from error
    return f"{base}/{settings.instance}"


def lies_in(path: str, folder: str) -> bool:
    """Whether a path is that folder, or below it, by their names alone."""
    return (normpath(path) + "/").startswith(normpath(folder).rstrip("/") + "/")
