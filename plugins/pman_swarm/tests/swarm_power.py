"""Plays what happens to the nodes of ``engines/up swarm``, and has them repaired."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from engine_kit import until
from swarm_subjects import RealSwarm

UP = Path(__file__).parents[3] / "engines" / "up"

MANAGER, WORKER = 0, 1


@attrs.frozen
class Power:
    """The nodes, as the machine sees them that they run on."""

    swarm: RealSwarm

    def id(self, node: int) -> str:
        found = self.swarm.nodes[node].info()["Swarm"]["NodeID"]
        return str(found)

    def is_down(self, node_id: str) -> bool:
        return bool(self.swarm.manager.inspect_node(node_id)["Status"]["State"] == "down")

    def change(self, node_id: str, **spec: Any) -> None:
        """What ``docker node update`` does, also where nothing changes."""
        found = self.swarm.manager.inspect_node(node_id)
        spec = {**found["Spec"], **spec}
        self.swarm.manager.update_node(node_id, found["Version"]["Index"], spec)

    def drain(self, node_id: str) -> None:
        """What ``docker node update --availability drain`` does."""
        self.change(node_id, Availability="drain")

    def cut(self, node: int) -> None:
        """A power failure: all that runs on the node ends in an instant."""
        process = _process(self.swarm, node)
        os.kill(process, signal.SIGKILL)
        until(lambda: Path(f"/proc/{process}/exe").exists(), lambda there: not there)

    def repair(self) -> None:
        """All is as before, however it is now."""
        done = subprocess.run([UP, "swarm"], capture_output=True, text=True, timeout=250)
        assert done.returncode == 0, done.stderr


def why_no_power(swarm: RealSwarm) -> str | None:
    """Why the nodes cannot be cut off here; ``None`` if they can."""
    for node, _ in enumerate(swarm.hosts):
        with contextlib.suppress(OSError, ValueError):
            _process(swarm, node)
            continue
        return "the nodes are not those of engines/up swarm"
    return None


@contextlib.contextmanager
def power_over(swarm: RealSwarm) -> Iterator[Power]:
    """Whatever a test does to the nodes is repaired in the end."""
    power = Power(swarm)
    try:
        yield power
    finally:
        power.repair()


def _process(swarm: RealSwarm, node: int) -> int:
    """The first process of a node; see ``start`` in engines/lib.sh."""
    socket = Path(swarm.hosts[node].removeprefix("unix://"))
    file = socket.parents[1] / "run" / f"swarm-{socket.stem}.pid"
    process, birth = file.read_text().split()
    stat = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    if stat[19] != birth.partition("@")[0]:
        raise ValueError(f"{file} is of a process that has ended")
    return int(process)
