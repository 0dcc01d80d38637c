"""What the refusals of a manager mean for a job."""

from __future__ import annotations

from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_docker.errors import RefusedError


def submission_error(refused: RefusedError) -> InvalidJobError | EngineUnavailableError:
    """What a refusal to create a service means; 500 is also said of jobs that are too large."""
    words = str(refused)
    if refused.code >= 500 and not any(word in words for word in ("too large", "larger than")):
        return EngineUnavailableError(f"the swarm cannot take jobs now: {words}")
    return InvalidJobError(f"the swarm refused the job: {words}")
