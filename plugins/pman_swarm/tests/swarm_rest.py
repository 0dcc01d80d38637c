"""pman on the swarm, as it is served."""

from importlib.metadata import EntryPoint
from typing import Any

from engine_kit import until
from flask.testing import FlaskClient
from swarm_kit import SwarmKit
from swarm_subjects import IMAGE

from pman_core._internal.registry import Offer
from pman_core._internal.startup import compose
from pman_core.app import app_for

JOBS = "/api/v1/"
ENTRY = EntryPoint("swarm", "pman_swarm.backend:SwarmBackend", "pman.backends")


def client_of(harness: SwarmKit, **environ: str) -> FlaskClient:
    """A client of a pman with this environment."""
    storage = {"STORAGE_TYPE": "host", "STOREBASE": str(harness.folder)}
    served = {"CONTAINER_ENV": "swarm", **storage, **environ}
    offer = Offer("swarm", ENTRY, "pman-swarm", "0")
    return app_for(
        compose({**harness.environ, **served}, offer, harness.pman(**served))
    ).test_client()


def request(harness: SwarmKit, script: str = "true", **changes: Any) -> dict[str, Any]:
    """A request as pfcon makes it, with a hard memory limit."""
    name = harness.place().name
    command = {"image": IMAGE, "entrypoint": ["/bin/sh", "-c"], "args": [script]}
    folders = {"input_dir": f"{name}/in", "output_dir": f"{name}/out"}
    limits = {"memory_limit": 64, "cpu_limit": 500, "number_of_workers": 1, "gpu_limit": 0}
    asked = {"jid": f"rest-{name}", "auid": "cube", "type": "ds"}
    return {**asked, **command, **folders, **limits, **changes}


def rest_end_of(client: FlaskClient, jid: str) -> dict[str, Any]:
    """Wait for the end of a job."""
    answer = until(
        lambda: client.get(f"{JOBS}{jid}/").get_json(),
        lambda seen: str(seen.get("status")).startswith("finished"),
    )
    return dict(answer)
