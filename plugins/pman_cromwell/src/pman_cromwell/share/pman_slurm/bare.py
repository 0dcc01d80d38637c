"""Runtime ``none``: the command runs on the node itself, for tests.

Only its directories are its own: a mount namespace binds them where a container would have them.
That needs root. Nothing else is confined.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess

from .job_spec import as_bytes
from .outcome import CannotStartError
from .runtime import Runtime

# From <sched.h>, <sys/mount.h> and <sys/prctl.h>.
_CLONE_NEWNS = 0x00020000
_PR_SET_NO_NEW_PRIVS = 38
_MS_RDONLY, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Bare(Runtime):
    """No image at all."""

    _process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """There is no image to have."""
        for top in self._tops():
            os.makedirs(top, exist_ok=True)

    def workdir_on_node(self) -> str | None:
        """There is no image that could have it."""
        return super().workdir_on_node() or self.spec.workdir

    def start(self, log: int) -> subprocess.Popen[bytes]:
        """Start the program in a session of its own."""
        argv = [word.encode() for word in self.spec.argv]
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=as_bytes({"PATH": _PATH, **self.environment}),
                start_new_session=True,
                preexec_fn=self._enter,
            )
        except (OSError, subprocess.SubprocessError) as error:
            message = f"{self.spec.argv[0]!r}: {error}"
            raise CannotStartError(message) from error
        return self._process

    def stop(self, force: bool) -> None:
        """End the session."""
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL if force else signal.SIGTERM)

    def clean(self) -> None:
        """End what the job left behind."""
        self.stop(True)

    def _enter(self) -> None:
        """In the child: a mount namespace with the job's directories."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            _fail("prctl")
        if libc.unshare(_CLONE_NEWNS):
            _fail("unshare")
        _mount(libc, None, "/", None, _MS_REC | _MS_PRIVATE)
        # What is mounted first may hide the sources of what comes later.
        with self.directories() as mounts:
            for top in self._tops():
                _mount(libc, "tmpfs", top, "tmpfs", 0)
            for mount, handle in mounts:
                os.makedirs(mount.target, exist_ok=True)
                _mount(libc, f"/proc/self/fd/{handle}", mount.target, None, _MS_BIND | _MS_REC)
                if mount.read_only:
                    _mount(libc, None, mount.target, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY)
        os.chdir(self.spec.workdir or "/")

    def _tops(self) -> list[str]:
        """The folders of the node's root in which the job's directories are."""
        return sorted({_top(mount.target) for mount in self.spec.mounts})


def _top(target: str) -> str:
    return "/" + target.strip("/").split("/")[0]


def _mount(libc: ctypes.CDLL, source: str | None, at: str, kind: str | None, how: int) -> None:
    words = [None if word is None else word.encode() for word in (source, at, kind)]
    if libc.mount(*words, ctypes.c_ulong(how), None):
        _fail("mount " + at)


def _fail(what: str) -> None:
    code = ctypes.get_errno()
    raise OSError(code, f"{what}: {os.strerror(code)}")
