"""The jobs folder, on storage that pman and the cluster share.

::

    jobs/NAME.json     the record of a job: its spec. Its name is the lock.
    runs/WORKFLOW/     what the nodes write of its run, and its logs
    runs/.removed-*    what is being deleted; NFS may keep files that somebody has open

A record appears whole or not at all, by ``link``; the first of several wins on any file server.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable
from pathlib import Path

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.names import native_name
from pman_cromwell import run_files
from pman_cromwell.errors import storage_errors
from pman_cromwell.job_spec import JobSpec, from_json, to_json
from pman_cromwell.logs import log_end
from pman_cromwell.run_files import Cancelled, Ended, RunFiles

_SUFFIX = ".json"

#: How the names of runs begin that are being deleted.
_REMOVED = ".removed-"


class JobStore:
    """What pman keeps of its jobs: specs by their names, and the files of their runs.

    All methods raise :class:`~pman_core.contract.errors.EngineUnavailableError` where the folder
    cannot be used.

    :param root: the part of the jobs folder that belongs to this instance.
    """

    def __init__(self, root: str, instance: str) -> None:
        self._root = Path(root)
        self._instance = instance
        self._jobs = self._root / "jobs"
        self._runs = self._root / "runs"

    def check(self) -> None:
        """Whether it can be used now: write to it."""
        with storage_errors(str(self._root)):
            self._prepare()
            for folder in (self._jobs, self._runs):
                with tempfile.NamedTemporaryFile(prefix=".new-", dir=folder):
                    pass

    def names(self) -> Iterable[str]:
        """The names of all jobs: one for each record."""
        with storage_errors(str(self._root)):
            self._prepare()
            return [
                name.removesuffix(_SUFFIX)
                for name in os.listdir(self._jobs)
                if name.endswith(_SUFFIX)
            ]

    def spec(self, name: str) -> JobSpec | None:
        """The job of that name, if its record is one of this instance."""
        with storage_errors(str(self._root)):
            try:
                text = self._record(name).read_bytes()
            except FileNotFoundError:
                self._must_be_mounted()
                return None
            except IsADirectoryError:
                return None
        with contextlib.suppress(ValueError):
            spec = from_json(text.decode())
            if spec.instance == self._instance and spec.name == name:
                return spec
        return None

    def find(self, jid: str) -> JobSpec | None:
        """The job of that id."""
        spec = self.spec(native_name(jid, self._instance))
        return spec if spec and spec.jid == jid else None

    def is_taken(self, name: str) -> bool:
        """Whether something has that name, a job or not."""
        with storage_errors(str(self._root)):
            self._must_be_mounted()
            return os.path.lexists(self._record(name))

    def is_foreign(self, name: str) -> bool:
        """Whether there is a file of that name that is no record of ours."""
        with storage_errors(str(self._root)):
            return os.path.lexists(self._record(name)) and self.spec(name) is None

    def create(self, spec: JobSpec) -> bool:
        """Keep a new job: make the run's folder, then link the record.

        ``False`` if its name is taken; of several at once one succeeds.
        """
        with storage_errors(str(self._root)):
            self._prepare()
            _make(self._run_folder(spec))
            return self._write_once(self._record(spec.name), to_json(spec))

    def mark_accepted(self, spec: JobSpec) -> None:
        """Mark that Cromwell has taken the job."""
        self._write(spec, run_files.ACCEPTED, "")

    def run_files(self, spec: JobSpec) -> RunFiles | None:
        """The files in the run's folder; ``None`` if the job has been removed meanwhile."""
        with storage_errors(str(self._root)):
            try:
                return run_files.read(self._run_folder(spec))
            except OSError:
                if self._is_gone(spec):
                    return None
            # NFS loses a file at times that has just been replaced.
            return run_files.read(self._run_folder(spec))

    def is_running(self, spec: JobSpec) -> bool:
        """Whether the batch job goes on: it holds a lock, which ends with it."""
        with storage_errors(str(self._root)), contextlib.ExitStack() as stack:
            try:
                begun = stack.enter_context((self._run_folder(spec) / run_files.BEGUN).open("rb"))
                fcntl.flock(begun, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            except OSError:  # it has not begun, or this storage has no locks
                return False
            return False

    def cancel(self, spec: JobSpec, why: Cancelled) -> None:
        """Keep the run from beginning, or end it; the first reason stays.

        The run looks for this file before it begins, and every second while it runs.
        """
        self._write(spec, run_files.CANCELLED, run_files.as_json(why))

    def unfinished_cancellations(self) -> Iterable[str]:
        """The names of jobs that pman ended and that have no end yet, without removed ones."""
        for name in self.names():
            spec = self.spec(name)
            seen = self.run_files(spec) if spec else None
            if seen and seen.cancelled and seen.cancelled.reason and not seen.ended:
                yield name

    def record_end(self, spec: JobSpec, ended: Ended) -> None:
        """Write an end that the cluster did not write; the first one stays."""
        self._write(spec, run_files.ENDED, run_files.as_json(ended))

    def delete(self, spec: JobSpec) -> None:
        """First the record, then the run, under a name by which leftovers are found."""
        with storage_errors(str(self._root)):
            self._record(spec.name).unlink(missing_ok=True)
            self._discard(spec.workflow)

    def delete_leftovers(self) -> None:
        """Delete what removals left: only cancelled runs, since a new one has no record yet."""
        kept = {spec.workflow for spec in map(self.spec, self.names()) if spec}
        with storage_errors(str(self._root)):
            for run in set(os.listdir(self._runs)) - kept:
                if run.startswith(_REMOVED):
                    shutil.rmtree(self._runs / run, ignore_errors=True)
                elif (self._runs / run / run_files.CANCELLED).exists():
                    self._discard(run)

    def log(self, spec: JobSpec, tail_lines: int, max_bytes: int) -> bytes:
        """The end of the log, from the files that the workers write."""
        with storage_errors(str(self._root)):
            return log_end(self._run_folder(spec), spec.workers, tail_lines, max_bytes)

    def _record(self, name: str) -> Path:
        return self._jobs / (name + _SUFFIX)

    def _run_folder(self, spec: JobSpec) -> Path:
        # Not spec.folder: that is the cluster's path for it.
        return self._runs / spec.workflow

    def _discard(self, run: str) -> None:
        removed = self._runs / f"{_REMOVED}{uuid.uuid4()}"
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            (self._runs / run).rename(removed)
        shutil.rmtree(removed, ignore_errors=True)

    def _is_gone(self, spec: JobSpec) -> bool:
        """Whether the run was deleted; that cannot be known of storage that is not there."""
        try:
            os.stat(self._run_folder(spec))
        except FileNotFoundError:
            os.stat(self._runs)
            return True
        return False

    def _write(self, spec: JobSpec, name: str, text: str) -> None:
        with storage_errors(str(self._root)):
            try:
                self._write_once(self._run_folder(spec) / name, text)
            except FileNotFoundError:
                if not self._is_gone(spec):
                    raise

    def _write_once(self, path: Path, text: str) -> bool:
        handle, draft = tempfile.mkstemp(prefix=".new-", dir=path.parent)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(text)
            _give(Path(draft), 0o640)
            os.link(draft, path)
        except FileExistsError:
            return False
        finally:
            os.unlink(draft)
        return True

    def _prepare(self) -> None:
        self._must_be_mounted()
        for folder in (self._root, self._jobs, self._runs):
            if not folder.is_dir():
                _make(folder)

    def _must_be_mounted(self) -> None:
        """pman never makes the base: what it writes below an empty mount point would be hidden."""
        base = self._root.parent
        try:
            os.stat(base)
        except FileNotFoundError as error:
            raise EngineUnavailableError(
                f"there is no {base}: is the shared storage mounted here? If so, make that folder"
            ) from error


def _make(folder: Path) -> None:
    """A folder for whomever its parent is for: pman's user and Cromwell's may differ."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        _give(folder, 0o770)


def _give(path: Path, mode: int) -> None:
    """To the owner of the folder that it is in, where pman may do that."""
    parent = path.parent.stat()
    if os.geteuid() == 0:
        os.chown(path, parent.st_uid, parent.st_gid)
    os.chmod(path, mode | (parent.st_mode & 0o2000 if path.is_dir() else 0))
