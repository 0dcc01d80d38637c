"""Storage: the folder, volume or claim that holds all job data."""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import attrs

from pman_core.contract.errors import (
    EngineUnavailableError,
    InvalidJobError,
    PluginFaultError,
    PmanError,
)
from pman_core.contract.mounts import INPUT_TARGET, OUTPUT_TARGET, HostPath, Mount, NfsPath, Source
from pman_core.kit.directories import DirectoryChecker

log = logging.getLogger(__name__)

#: What Linux can open: ``NAME_MAX``, and ``PATH_MAX`` less the closing NUL
#: (``include/uapi/linux/limits.h``).
MAX_NAME_BYTES = 255
MAX_PATH_BYTES = 4095

#: Looks at directories of all storages; the deadline of a request may end a look sooner.
_LOOKS = DirectoryChecker(20)

P = ParamSpec("P")
T = TypeVar("T")


def _nothing_to_check() -> None:
    """Where pman cannot see a storebase, only the engine knows what is wrong with it."""


@attrs.frozen(kw_only=True)
class Storage:
    """The resolved storebase; the only maker of mounts.

    :param name: the value of ``STORAGE_TYPE``.
    :param kind: the kind of source that it makes; a backend must be able to mount it.
    :param description: where the data is, for operators.
    :param locate: turns a clean relative directory into a source. It may ask an engine,
        so it may raise :class:`~pman_core.contract.errors.EngineUnavailableError`.
    :param check: says what is wrong with the storage by raising
        :class:`~pman_core.contract.errors.PmanError`; called by ``pman check`` only.
    :param seen_at: where this machine sees the storebase; ``None``: at most where the engine does.
        The core sets it.
    :param follows_links: whether directories may lead through links. The core sets it.
    """

    name: str
    kind: type[Source]
    description: str
    locate: Callable[[str], Source]
    check: Callable[[], None] = _nothing_to_check
    seen_at: str | None = None
    follows_links: bool = False

    def mounts(self, input_dir: str, output_dir: str) -> tuple[Mount, Mount]:
        """The input (read-only) and output mounts of a job, in this order.

        :param input_dir: relative to the storebase, as the client gave it.
        :param output_dir: likewise; the two may be the same.
        :raises InvalidJobError: for a directory outside the storebase, or all of it, or that leads
            through a link, or whose path is longer than any file system can hold.
        :raises EngineUnavailableError: it cannot be looked at now.
        """
        return (
            Mount(self._source("input_dir", input_dir), INPUT_TARGET, read_only=True),
            Mount(self._source("output_dir", output_dir), OUTPUT_TARGET, read_only=False),
        )

    def mount(self, directory: str, target: str, *, read_only: bool) -> Mount:
        """One more mount of a job.

        :param directory: relative to the storebase.
        :param target: the absolute path at which the job sees it.
        :raises InvalidJobError: for a directory as above, or a target that is no absolute path.
        """
        fault = target_fault(target)
        if fault:
            raise InvalidJobError(f"the target {target!r} of a mount {fault}")
        return Mount(self._source("mounts", directory), target, read_only)

    def _source(self, field: str, directory: str) -> Source:
        clean = clean_directory(directory)
        source = self.locate(clean)
        if self.seen_at and not _LOOKS.is_dir(Path(self.seen_at)):
            raise EngineUnavailableError(
                f"STOREBASE_MOUNT is {self.seen_at}, which is no folder here: is the storebase "
                "mounted there?"
            )
        root = self.seen_at or (source.within if isinstance(source, HostPath) else "")
        if self.follows_links and isinstance(source, HostPath | NfsPath):
            source = attrs.evolve(source, within="")
        fault = None if self.follows_links or not root else _LOOKS.link_fault(root, clean)
        if fault:
            raise InvalidJobError(faults={field: fault})
        if isinstance(source, HostPath | NfsPath):
            size = _bytes(source.path)
            if size > MAX_PATH_BYTES:
                fault = f"must be shorter: with the storebase its path has {size} bytes"
                raise InvalidJobError(faults={field: f"{fault}, and {MAX_PATH_BYTES} are the most"})
        return source


def guarded(storage: Storage, plugin: str) -> Storage:
    """The same storage, whose plugin may raise anything: it is reported as its fault."""

    def guard(call: Callable[P, T]) -> Callable[P, T]:
        def ask(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return call(*args, **kwargs)
            except PmanError:
                raise
            except Exception as error:
                log.exception("storage %s of %s failed", storage.name, plugin)
                raise PluginFaultError(
                    f"storage {storage.name!r} of {plugin} broke its contract: it raised "
                    f"{type(error).__name__}; pman's log says more"
                ) from error

        return ask

    return attrs.evolve(storage, locate=guard(storage.locate), check=guard(storage.check))


def clean_directory(raw: str) -> str:
    """``raw`` as a relative path without empty and ``.`` parts.

    :raises InvalidJobError: for ``..``, NUL, a path that is the whole storebase, or one that no
        file system can hold.
    """
    fault = directory_fault(raw)
    if fault:
        raise InvalidJobError(f"directory {raw[:MAX_NAME_BYTES]!r} {fault}")
    return "/".join(part for part in raw.split("/") if part not in ("", "."))


def target_fault(raw: str) -> str | None:
    """What is wrong with a path inside a job; ``None`` if nothing is."""
    if not raw.startswith("/"):
        return "must be an absolute path"
    if "\0" in raw:
        return "must not contain NUL"
    if raw != "/" and (raw.endswith("/") or {"", ".", ".."} & set(raw.split("/")[1:])):
        return "must not contain empty, '.' or '..' parts"
    if _bytes(raw) > MAX_PATH_BYTES or any(
        _bytes(part) > MAX_NAME_BYTES for part in raw.split("/")
    ):
        return "is longer than any file system can hold"
    return None


def directory_fault(raw: str) -> str | None:
    """What is wrong with a directory that a client named; ``None`` if nothing is."""
    parts = [part for part in raw.split("/") if part not in ("", ".")]
    if "\0" in raw:
        return "must not contain NUL"
    if ".." in parts:
        return "must not contain '..'"
    if not parts:
        return "must not be empty: it would be the whole storebase"
    longest = max(_bytes(part) for part in parts)
    if longest > MAX_NAME_BYTES:
        return f"must not have a name of more than {MAX_NAME_BYTES} bytes; one has {longest}"
    size = _bytes(raw)
    if size > MAX_PATH_BYTES:
        return f"must be at most {MAX_PATH_BYTES} bytes long, not {size}"
    return None


def _bytes(path: str) -> int:
    """How long ``path`` is for a file system."""
    return len(path.encode(errors="surrogatepass"))


def host_storage(storebase: str) -> Storage:
    """A folder that is at the same absolute path wherever jobs run."""
    return Storage(
        name="host",
        kind=HostPath,
        description=f"host folder {storebase}",
        locate=lambda directory: HostPath(posixpath.join(storebase, directory), within=storebase),
    )


def nfs_storage(server: str, storebase: str) -> Storage:
    """A folder that an NFS server exports and the engine mounts."""
    return Storage(
        name="nfs",
        kind=NfsPath,
        description=f"NFS export {server}:{storebase}",
        locate=lambda directory: NfsPath(
            server, posixpath.join(storebase, directory), within=storebase
        ),
    )
