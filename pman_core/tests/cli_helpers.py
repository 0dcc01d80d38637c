"""What the tests of the command line share: a distribution with backends, made on the fly."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

METADATA = "Metadata-Version: 2.1\nName: fake-backend\nVersion: 1.0\n"

ENTRY_POINTS = """\
[pman.backends]
memory = fake_backend:Memory
picky = fake_backend:Picky
down = fake_backend:Down
broken = fake_backend_that_is_missing:Backend
"""

MODULE = '''\
import logging
import attrs
import environ
from pman_core import Capabilities, Deviation, HostPath, Option, hookimpl
from pman_core.kit.settings import EngineSettings, Secret, load, text, variable
from pman_core.testing.memory import MemoryBackend
from pman_core.testing.memory_engine import MemoryEngine


def play(machine, argv):
    """The program of the image demo: ok, fail, hold, say TEXT, env NAME."""
    machine.emit(1, repr(argv).encode() + b"\\n")
    if argv[0] == "say":
        machine.emit(1, argv[1].encode())
    if argv[0] == "env":
        machine.emit(1, machine.job.env[argv[1]].encode())
    while argv[0] == "hold":
        machine.pause()
    return 3 if argv[0] == "fail" else 0


class Memory(MemoryBackend):
    """Has an image to play with, and logs whenever it is asked for a job."""

    def __init__(self, environ):
        super().__init__(environ, MemoryEngine({"demo": play}))

    @hookimpl
    def pman_status(self, jid):
        log = logging.getLogger("fake_backend.part")
        log.debug("a debug line of a plugin")
        log.info("an info line of a plugin")
        return super().pman_status(jid)


@environ.config(prefix="", frozen=True)
class PickySettings(EngineSettings):
    token: Secret = variable("PICKY_TOKEN", Secret, None, "The engine's token.")


class Picky(MemoryBackend):
    """Refuses and deviates."""

    settings_class = PickySettings

    def __init__(self, environ):
        super().__init__(environ)
        load(PickySettings, environ)

    @hookimpl
    def pman_capabilities(self):
        return Capabilities(
            mounts={HostPath},
            freshness_s=2.0,
            refusals={Option.CPU_LIMIT: "it has no clock"},
            deviations={Deviation.LOG_ORDER: "it has two pens"},
            notes=("It is made of wood.",),
        )

    @hookimpl
    def pman_ping(self):
        return "wood 1.0\\nit is wet\\nit is old"


class Down(MemoryBackend):
    """Its engine is switched off."""

    def __init__(self, environ):
        super().__init__(environ)
        self._engine.up = False
'''


def install_fake_backends(folder: Path) -> Path:
    """Make ``folder`` hold a distribution that Python finds once the folder is on its path."""
    info = folder / "fake_backend-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "fake_backend.py").write_text(MODULE)
    return folder


def settings(folder: Path, **more: str) -> Mapping[str, str]:
    """What pman needs to start on the memory backend, with its data in ``folder``."""
    for name in ("in", "out"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {"CONTAINER_ENV": "memory", "STORAGE_TYPE": "host", "STOREBASE": str(folder), **more}
