"""Starts jobs in the background whose first object will not run.

Their image is missing, or the first object is abandoned. Each job has a thread, since a pull may
take long. No promise depends on these threads: any pman process that looks at the job begins one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any

from pman_core import Job, Reason
from pman_core.contract.errors import ClientError, EngineUnavailableError
from pman_core.kit.causes import pull_cause, pull_message
from pman_core.kit.outcome import Outcome
from pman_docker import images
from pman_docker.errors import ImageMissingError, NameInUseError, RefusedError, transient_cause
from pman_docker.labels import job_of, second_name
from pman_docker.parts import Parts
from pman_docker.pull_backoff import PullBackoff

log = logging.getLogger(__name__)

#: How often the second object is tried at once, while others are at the same.
_ATTEMPTS = 5


class BackgroundStarter:
    """Starts jobs in threads of this process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._failed = PullBackoff(parts.settings.start_deadline_s)
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def is_free(self, first: str) -> bool:
        """Whether this process would go on with a job now, and is not at it already."""
        return first not in self._busy and not self._failed.are_too_many(first)

    def go_on(self, name: str, first: Mapping[str, Any]) -> None:
        """In a thread of its own, bring a job to run whose first object will not.

        :raises EngineUnavailableError: this machine has no thread left.
        """
        with self._lock:
            if first["Id"] in self._busy or self._failed.are_too_many(first["Id"]):
                return
            self._busy.add(first["Id"])
        try:
            threading.Thread(
                target=self._go_on, args=(name, first), name=f"pman-{name}", daemon=True
            ).start()
        except RuntimeError as error:
            with self._lock:
                self._busy.discard(first["Id"])
            raise EngineUnavailableError(f"no job can be gone on with: {error}") from error

    def last_fault(self, first: str) -> tuple[Reason, str] | None:
        """Why a job that waits could not be brought to run, as far as this process knows."""
        return self._failed.last(first)

    def _go_on(self, name: str, first: Mapping[str, Any]) -> None:
        before = self._failed.last(first["Id"])
        try:
            self._bring_about(name, job_of(first["Config"]["Labels"]), first["Id"])
        except EngineUnavailableError as error:
            # The same again and again is one warning: a job may wait for days.
            level = logging.DEBUG if before and before[1] == str(error) else logging.WARNING
            log.log(level, "job %s: interrupted, until somebody asks for it: %s", name, error)
        except Exception:
            log.exception("job %s: interrupted, until somebody asks for it", name)
        finally:
            with self._lock:
                self._busy.discard(first["Id"])

    def _bring_about(self, name: str, job: Job, first: str) -> None:
        """Make the second object: the running job, or a placeholder of its end."""
        pulled = False
        for _ in range(_ATTEMPTS):  # the next look at the job begins anew
            try:
                self._parts.containers.run_second(name, job, first)
                return
            except NameInUseError:
                if self._parts.abandonment.clear_abandoned(second_name(name), first):
                    continue
                return
            except ImageMissingError as missing:
                words = str(missing) if pulled else self._pull(job.image, first)
                pulled = True
                if not words:
                    continue
                end = Outcome(pull_message(job.image, words), Reason.IMAGE_NOT_FOUND)
            except ClientError as refusal:  # of Podman, where the job was submitted to Docker
                end = Outcome(f"cannot create: {refusal}", Reason.CANNOT_START)
            except RefusedError as refused:
                cause = transient_cause(refused)
                if cause:
                    message = f"it cannot be created now: {cause.wording} ({refused})"
                    self._failed.add(first, cause.reason, message)
                    raise EngineUnavailableError(message) from refused
                end = Outcome(f"cannot create: {refused}", Reason.CANNOT_START)
            self._parts.placeholders.record_end(name, job.jid, first, end)
            return

    def _pull(self, image: str, first: str) -> str:
        """Pull an image; the engine's words if it cannot be had.

        :raises EngineUnavailableError: it cannot be had now.
        """
        try:
            images.pull(self._parts.engine, image, self._parts.settings.pull_timeout_s)
        except RefusedError as refused:
            cause = pull_cause(str(refused))
            if not cause.is_final:
                message = pull_message(image, str(refused))
                self._failed.add(first, cause.reason, message, pause=True)
                raise EngineUnavailableError(message) from refused
            return str(refused)
        return ""
