"""For tests of plugins that are built on this kit; needs the extra ``testing``."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from pman_core import JobFilter, JobInfo, JobPage
from pman_core.contract.storage import host_storage
from pman_core.testing import Subject
from pman_kit.layout import BEGAN, ENDED, JOB, MARK
from pman_kit.supervise import supervise_command
from pman_kit.validate import IMAGE


def supervised_subject(
    factory: Callable[[Mapping[str, str]], object],
    environ: Mapping[str, str],
    root: Path,
    storebase: Path,
) -> Subject:
    """What the conformance class needs to know of a plugin, with all that it can do to the engine.

    The engine is stopped by moving the store away, and crashes by killing all supervisors. A plugin
    whose scheduler can crash as well changes that with ``attrs.evolve``.

    :param factory: what the entry point of the plugin names.
    :param environ: the variables that it gets.
    :param root: the folder of its store.
    :param storebase: the folder of the jobs' data, which is created.
    """
    storebase.mkdir(exist_ok=True)
    away = root.with_name(f"{root.name}-away")

    def folder(info: JobInfo) -> Path:
        return root / "jobs" / info.native

    def lose_run(info: JobInfo) -> None:
        os.kill(supervisor_of(folder(info)), signal.SIGKILL)

    def crash() -> None:
        for began in root.glob(f"jobs/*/{BEGAN}"):
            if not began.with_name(ENDED).exists():
                os.kill(supervisor_of(began.parent), signal.SIGKILL)
        os.rename(root, away)

    def restart_run(info: JobInfo) -> None:
        subprocess.run(supervise_command(folder(info)), check=True, timeout=60)

    def limits_swap(info: JobInfo) -> bool:
        """Address space is address space, be it in memory or in swap."""
        record = json.loads((folder(info) / JOB).read_text())
        (process,) = processes_with("environ", f"{MARK}={record['mark']}".encode())
        limits = Path(f"/proc/{process}/limits").read_text()
        return f"Max address space {record['memory_mib'] << 20} " in " ".join(limits.split())

    return Subject(
        factory=factory,
        environ=environ,
        image=IMAGE,
        storage=host_storage(str(storebase)),
        storebase=storebase,
        stop_engine=partial(os.rename, root, away),
        crash_engine=crash,
        start_engine=partial(os.rename, away, root),
        make_foreign=partial(_foreign_folder, root),
        lose_run=lose_run,
        restart_run=restart_run,
        limits_swap=limits_swap,
    )


def remove_all(
    page: Callable[[JobFilter, int, str | None], JobPage], remove: Callable[[str], bool]
) -> None:
    """End and delete all jobs of a test.

    :param page: lists the jobs, as ``pman_list`` does.
    :param remove: removes one, as ``pman_remove`` does.
    """
    for info in page(JobFilter(), 1000, None).jobs:
        remove(info.jid)


def supervisor_of(folder: Path) -> int:
    """The process id of the supervisor of a job that has begun."""
    pid: int = json.loads((folder / BEGAN).read_text())["pid"]
    return pid


def supervisors(root: Path) -> list[int]:
    """The supervisors of all jobs whose folders are below ``root``."""
    return processes_with("cmdline", os.fsencode(root))


def processes_with(file: str, wanted: bytes) -> list[int]:
    """The processes with a certain word, or a path below it, in a file of theirs.

    :param file: ``environ`` or ``cmdline``.
    """
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = Path("/proc", name, file).read_bytes().split(b"\0")
            if any(word == wanted or word.startswith(wanted + b"/") for word in words):
                found.append(int(name))
    return found


@contextlib.contextmanager
def _foreign_folder(root: Path, name: str) -> Iterator[Callable[[], bool]]:
    folder = root / "jobs" / name
    folder.mkdir()
    yield folder.exists
    folder.rmdir()
