"""The networks of the nodes of ``engines/up swarm``, which no other machine reaches."""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

from pman_core.testing.faulty_registry import faulty_images

MANAGER, WORKER = Path("/run/netns/pman-manager"), Path("/run/netns/pman-worker")

_NETWORK = 0x40000000  # CLONE_NEWNET


@contextlib.contextmanager
def inside(network: Path) -> Iterator[None]:
    """What this thread opens meanwhile is in that network."""
    with Path("/proc/thread-self/ns/net").open() as own, network.open() as other:
        _enter(other.fileno())
        try:
            yield
        finally:
            _enter(own.fileno())


@contextlib.contextmanager
def faulty_image(fault: str) -> Iterator[str]:
    """An image of a registry on the first node; on the second, nobody answers."""
    with contextlib.ExitStack() as stack:
        with inside(MANAGER):
            image = stack.enter_context(faulty_images()(fault))
        yield image


def _enter(namespace: int) -> None:
    """``os.setns``, which Python has from 3.12 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _NETWORK):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
