"""Runtime ``apptainer``: command lines of Apptainer 1.1 and newer, or SingularityCE 3.10.

Apptainer's processes stay in the cgroup of the SLURM job, so SLURM holds the limits.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess

from .options import mount_words
from .outcome import CannotStartError, Outcome
from .runtime import Runtime

#: Where images are kept, one file each; the site may choose another folder.
CACHE_VARIABLE = "PMAN_IMAGE_CACHE"

#: The return code of what goes wrong in Apptainer itself, and what it says of a missing directory
#: (``engine/apptainer/process_linux.go`` of 2022).
_FAILED, _NO_WORKDIR = 255, "failed to set working directory"

#: SingularityCE begins elsewhere where the directory is missing (its ``process_linux.go``).
_IGNORES = (
    "the working directory {} may be missing in the image, and singularity would not report it: it "
    "needs Apptainer on the nodes, or a directory of the job"
)


class Apptainer(Runtime):
    """One process, which becomes the job."""

    _process: subprocess.Popen[bytes] | None = None

    @property
    def program(self) -> str:
        """Apptainer, or its older self."""
        return "apptainer" if shutil.which("apptainer") else "singularity"

    @property
    def file(self) -> str:
        """The image, once it has been pulled."""
        default = os.path.join(os.path.expanduser("~"), ".cache", "pman-images")
        cache = os.environ.get(CACHE_VARIABLE) or default
        digest = hashlib.sha256(self.spec.image.encode()).hexdigest()
        return os.path.join(cache, digest + ".sif")

    def prepare(self) -> None:
        """Pull the image, unless somebody has; of several at once one does."""
        os.makedirs(os.path.dirname(self.file), exist_ok=True)
        with open(self.file + ".lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(self.file):
                self.fetch([self.program, *self.pull_words()])
                os.rename(self.file + ".new", self.file)

    def start(self, log: int) -> subprocess.Popen[bytes]:
        """Start it in a session of its own."""
        is_images = self.spec.workdir is not None and self.workdir_on_node() is None
        if is_images and self.program == "singularity":
            raise CannotStartError(_IGNORES.format(self.spec.workdir))
        try:
            self._process = subprocess.Popen(
                [self.program.encode(), *[word.encode() for word in self.run_words()]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.variables(),
                start_new_session=True,
            )
        except OSError as error:
            message = f"{self.program} cannot be run on this node: {error}"
            raise CannotStartError(message) from error
        return self._process

    def outcome(self, code: int) -> Outcome:
        """Only its message says that it did not find the working directory."""
        if code == _FAILED and _NO_WORKDIR in self.first_words():
            words = f"the working directory {self.spec.workdir} cannot be had"
            raise CannotStartError(f"{words}: {self.first_words()}")
        return super().outcome(code)

    def stop(self, force: bool) -> None:
        """End the session."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL if force else signal.SIGTERM)

    def pull_words(self) -> list[str]:
        """The arguments that get the image."""
        return ["pull", "--force", self.file + ".new", "docker://" + self.spec.image]

    def run_words(self) -> list[str]:
        """The arguments that run the job.

        ``exec`` ignores the image's own entrypoint; ``--no-eval`` keeps it from reading ``$``
        in values of the environment.
        """
        words = ["exec", "--containall", "--no-eval", "--writable-tmpfs"]
        words += ["--nv"] if self.spec.gpus else []
        words += ["--pwd", self.spec.workdir] if self.spec.workdir else []
        for mount in self.spec.mounts:
            value = mount_words(mount.source, mount.target, mount.read_only)
            # It knows the word ro, and takes no value for it.
            value = value.replace(",ro=true", ",ro").replace(",ro=false", "")
            words += ["--mount", value]
        return [*words, self.file, *self.spec.argv]

    def variables(self) -> dict[bytes, bytes]:
        """The environment: what carries the program's prefix is what the job gets.

        Each reads its own only; Apptainer takes the other with a warning, in the job's log.
        """
        foreign = tuple(_PREFIXES.values())
        own = {name: value for name, value in os.environb.items() if not name.startswith(foreign)}
        for name, value in self.environment.items():
            own[_PREFIXES[self.program] + name.encode()] = value.encode()
        return own


_PREFIXES = {"apptainer": b"APPTAINERENV_", "singularity": b"SINGULARITYENV_"}
