"""The parts of the backend that several of its hooks share, put together once."""

from __future__ import annotations

from pman_docker.abandonment import Abandonment
from pman_docker.cancellation_record import Cancellations
from pman_docker.client import Engine
from pman_docker.containers import Containers
from pman_docker.creation import Creator
from pman_docker.current_flavor import CurrentFlavor
from pman_docker.job_objects import JobObjects
from pman_docker.placeholders import Placeholders
from pman_docker.settings import DockerSettings


class Parts:
    """What finds, makes and removes the objects of the jobs of one pman instance."""

    def __init__(self, engine: Engine, current: CurrentFlavor, settings: DockerSettings) -> None:
        self.engine = engine
        self.settings = settings
        self.objects = JobObjects(engine, settings.instance)
        self.abandonment = Abandonment(engine, self.objects, settings)
        creator = Creator(engine, current, self.objects)
        self.placeholders = Placeholders(engine, creator, self.abandonment, settings)
        self.containers = Containers(engine, creator, self.placeholders, settings)
        self.cancellations = Cancellations(self.placeholders, self.objects, settings)
