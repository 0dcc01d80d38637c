"""The ways in which a node can run an image; the site's Cromwell configuration chooses one."""

from __future__ import annotations

from .apptainer import Apptainer
from .bare import Bare
from .job_spec import JobSpec
from .podman import Podman
from .runtime import Runtime
from .watch import Watch

_KINDS: dict[str, type[Runtime]] = {
    "podman": Podman,
    "apptainer": Apptainer,
    "none": Bare,
}


def make(
    spec: JobSpec,
    environment: dict[str, str],
    worker: int,
    watch: Watch,
) -> Runtime:
    """The runtime that the spec names."""
    return _KINDS[spec.runtime](spec, environment, worker, watch)
