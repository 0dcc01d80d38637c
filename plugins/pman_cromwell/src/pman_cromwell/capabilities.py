"""What this backend refuses and does less well, by the runtime of the nodes."""

from __future__ import annotations

from pman_core import Capabilities, Deviation, HostPath, Option
from pman_cromwell.settings import CromwellSettings

_NO_USER = "SLURM runs jobs as the user of Cromwell, and only Podman can change that"
_NO_SHM = "only Podman sets the size of /dev/shm; elsewhere it is the node's own"

_SWAP = "whether SLURM limits swap is said by ConstrainSwapSpace in its cgroup.conf"
_CPUS = "SLURM gives whole CPUs"
_SUM = (
    "the memory of several workers on one node is limited by SLURM in their sum, not for each: "
    "one may take what others leave"
)
_BROKEN_OFF = (
    "the values of a job's environment are handed to Cromwell and kept nowhere else, so a job that "
    "it was not given yet cannot be given to it without them"
)
_LINKS = "a node looks for links right before it starts a job, and Apptainer follows later ones"
_BARE = "with CROMWELL_RUNTIME=none the command runs on the node itself; this is for tests"


def capabilities(settings: CromwellSettings) -> Capabilities:
    """What the core and operators must know."""
    refusals = {}
    deviations = {Deviation.BROKEN_OFF_SUBMIT: _BROKEN_OFF}
    notes = []
    if settings.runtime != "podman":
        refusals = {Option.USER: _NO_USER, Option.SHM_SIZE: _NO_SHM}
        deviations[Deviation.SWAP_NOT_LIMITED] = _SWAP
        deviations[Deviation.WHOLE_CPUS] = _CPUS
        notes.append(_SUM)
    if settings.runtime == "apptainer":
        deviations[Deviation.LATE_LINKS_OUT] = _LINKS
        deviations[Deviation.LATE_LINKS_WITHIN] = _LINKS
    if settings.runtime == "none":
        deviations[Deviation.NO_ISOLATION] = _BARE
    return Capabilities(
        mounts={HostPath}, refusals=refusals, deviations=deviations, notes=tuple(notes)
    )
