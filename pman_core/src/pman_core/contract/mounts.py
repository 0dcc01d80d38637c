"""Where the directories of a job come from, and where the job sees them."""

from __future__ import annotations

import attrs

from pman_core.contract.errors import UnsupportedError

#: Where a job finds its input and output, unless its backend has no mounts.
INPUT_TARGET = "/share/incoming"
OUTPUT_TARGET = "/share/outgoing"


@attrs.frozen
class HostPath:
    """A directory on the machine, or on every node, that runs the job.

    :param within: the storebase, if no link may lead the job out of it; else empty. An engine that
        can mount a part of a folder, and refuses what leaves it, is asked for that.
    """

    path: str
    within: str = ""

    @property
    def sub_path(self) -> str:
        """The path relative to ``within``; empty where that is not known."""
        return _below(self.path, self.within)


@attrs.frozen
class VolumePath:
    """A directory inside a named volume of a container engine."""

    volume: str
    sub_path: str


@attrs.frozen
class ClaimPath:
    """A directory inside a Kubernetes persistent volume claim."""

    claim: str
    sub_path: str


@attrs.frozen
class NfsPath:
    """A directory that an NFS server exports.

    :param within: as of :class:`HostPath`.
    """

    server: str
    path: str
    within: str = ""

    @property
    def sub_path(self) -> str:
        """The path relative to ``within``; empty where that is not known."""
        return _below(self.path, self.within)


def _below(path: str, folder: str) -> str:
    return path.removeprefix(folder.rstrip("/") + "/") if folder else ""


Source = HostPath | VolumePath | ClaimPath | NfsPath


@attrs.frozen
class Mount:
    """One directory of a job. Only :class:`pman_core.contract.storage.Storage` makes these.

    :param source: where the data is.
    :param target: absolute path at which the job sees it.
    :param read_only: whether the job is kept from writing there.
    """

    source: Source
    target: str
    read_only: bool

    @property
    def host_path(self) -> str:
        """The path of a source that is a :class:`HostPath`.

        For backends that mount nothing else. With only ``HostPath`` in ``Capabilities.mounts``
        they get no storage of another kind; an admission policy might still change a job.

        :raises UnsupportedError: the source is of another kind.
        """
        if isinstance(self.source, HostPath):
            return self.source.path
        raise UnsupportedError(
            f"this backend mounts directories of the host only, and no {type(self.source).__name__}"
        )
