"""The backend docker as it is on Podman; processes of tests import this by itself."""

import attrs

from pman_core import Capabilities, hookimpl
from pman_docker.backend import DockerBackend
from pman_docker.flavors import PODMAN


class DockerOnPodman(DockerBackend):
    """What Podman does less well it cannot know at the start; so a test declares it."""

    @hookimpl
    def pman_capabilities(self) -> Capabilities:
        declared = super().pman_capabilities()
        deviations = {**PODMAN.capabilities.deviations, **declared.deviations}
        return attrs.evolve(declared, deviations=deviations)
