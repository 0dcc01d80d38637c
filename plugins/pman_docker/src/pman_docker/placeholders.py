"""Makes placeholders: containers that are never started and keep something of a job."""

from __future__ import annotations

from collections.abc import Mapping

from pman_core import Job
from pman_core.kit.names import JID_LABEL
from pman_core.kit.outcome import Outcome
from pman_docker import images
from pman_docker.abandonment import Abandonment
from pman_docker.client import Engine
from pman_docker.creation import Creator
from pman_docker.errors import ImageMissingError, NameInUseError, NotRecordedError, RefusedError
from pman_docker.flavors import Flavor, Payload
from pman_docker.labels import KIND, OF, PLACEHOLDER_IMAGE, end_labels, second_name, waiting_labels
from pman_docker.placeholder_image import placeholder_image
from pman_docker.settings import DockerSettings


class Placeholders:
    """Makes the placeholders of one pman instance."""

    def __init__(
        self, engine: Engine, creator: Creator, abandonment: Abandonment, settings: DockerSettings
    ) -> None:
        self._engine = engine
        self._creator = creator
        self._abandonment = abandonment
        self._settings = settings

    def create_waiting(self, name: str, job: Job) -> None:
        """Record that a job waits for its image.

        :raises NameInUseError: the job exists, or a foreign object has its name.
        """
        made = self._create(name, waiting_labels(job, self._settings.instance))
        if self._creator.is_superfluous(made, job.jid):
            self._creator.withdraw(made)

    def record_end(self, name: str, jid: str, first: str, outcome: Outcome) -> None:
        """Record that a job could not be started; what came first stands.

        :raises NotRecordedError: the engine refuses that now.
        """
        labels = end_labels(jid, self._settings.instance, first, outcome)
        self.create_second(second_name(name), labels)

    def create_second(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a placeholder that is a second object, unless there is one; what came first stands.

        :raises NotRecordedError: as above.
        """
        jid, first, kind = labels[JID_LABEL], labels[OF], labels[KIND]
        for _ in range(2):
            try:
                made = self._create(name, labels)
                if self._creator.is_superfluous(made, jid, first, kind):
                    self._engine.remove_wholly(made)
            except NameInUseError:
                if self._abandonment.clear_abandoned(name, first):
                    continue
            except RefusedError as refused:
                raise NotRecordedError(f"the engine refuses a note of it: {refused}") from refused
            return

    def _create(self, name: str, labels: Mapping[str, str]) -> str:
        def words(flavor: Flavor) -> Payload:
            return flavor.placeholder_payload(PLACEHOLDER_IMAGE, labels)

        try:
            return self._creator.create(name, words)[0]
        except ImageMissingError:
            images.load(self._engine, placeholder_image(PLACEHOLDER_IMAGE))
            return self._creator.create(name, words)[0]
