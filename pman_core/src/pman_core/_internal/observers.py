"""Admission and observation by plugins: each is asked by itself, so none spoils another."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pluggy

from pman_core.contract.errors import (
    ClientError,
    EngineUnavailableError,
    PluginFaultError,
    TooManyRequestsError,
)
from pman_core.contract.info import JobInfo
from pman_core.contract.job import Job
from pman_core.contract.service import Service
from pman_core.kit.masking import mask, masked_trace

#: How many ends a process remembers, so as not to report the same one at each poll.
_REMEMBERED_ENDS = 100_000

log = logging.getLogger(__name__)

_Callers = tuple[tuple[str, Callable[..., Any]], ...]

#: What distinguishes the end of a job from that of a later one with its id: another process may
#: have removed the first one, so ``pman_removed`` alone is not enough.
_End = tuple[str, datetime | None, datetime | None]


def each_plugin(manager: pluggy.PluginManager, hook: str) -> _Callers:
    """The name and implementation of every plugin that implements ``hook``."""
    implementers = [impl.plugin for impl in getattr(manager.hook, hook).get_hookimpls()]
    return tuple(
        (
            manager.get_name(plugin) or repr(plugin),
            manager.subset_hook_caller(hook, [p for p in implementers if p is not plugin]),
        )
        for plugin in implementers
    )


class Observers:
    """Calls the hooks ``pman_admit``, ``pman_submitted``, ``pman_removed``, ``pman_finished``."""

    def __init__(self, manager: pluggy.PluginManager) -> None:
        self._admit = each_plugin(manager, "pman_admit")
        self._submitted = each_plugin(manager, "pman_submitted")
        self._removed = each_plugin(manager, "pman_removed")
        self._finished = each_plugin(manager, "pman_finished")
        self._ends: OrderedDict[str, _End] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, job: Job, service: Service) -> Job:
        """The job as all admission policies want it.

        :raises ClientError: a policy refuses it.
        :raises TooManyRequestsError: a policy refuses it for now.
        :raises PluginFaultError: a policy failed; the job must not be submitted.
        """
        for name, ask in self._admit:
            try:
                changed = next(iter(ask(job=job, service=service)), job)
            except (ClientError, TooManyRequestsError, EngineUnavailableError) as error:
                mask(error, job.env)
                raise
            except Exception as error:
                log.error("admission by %s failed\n%s", name, masked_trace(error, job.env))
                raise PluginFaultError(
                    f"the admission policy {name} failed ({type(error).__name__}), so job "
                    f"{job.jid!r} was not submitted; pman's log says more"
                ) from error
            job = _same_job(name, job, changed)
        return job

    def submitted(self, job: Job, info: JobInfo) -> None:
        """Tell that a job was accepted."""
        _tell(self._submitted, job, info=info)

    def removed(self, jid: str) -> None:
        """Tell that a job was removed."""
        with self._lock:
            self._ends.pop(jid, None)
        _tell(self._removed, jid=jid)

    @property
    def await_ends(self) -> bool:
        """Whether any plugin wants to know of ends."""
        return bool(self._finished)

    def seen(self, info: JobInfo) -> None:
        """Remember a state; whether it is an end that this process did not know."""
        if not self._finished or not info.status.is_final:
            return
        end = (info.fingerprint, info.created, info.finished)
        with self._lock:
            if self._ends.get(info.jid) == end:
                return
            self._ends[info.jid] = end
            if len(self._ends) > _REMEMBERED_ENDS:
                self._ends.popitem(last=False)
        _tell(self._finished, info=info)


def _same_job(name: str, job: Job, changed: object) -> Job:
    if not isinstance(changed, Job):
        raise PluginFaultError(f"the admission policy {name} did not return a job")
    if (changed.jid, changed.fingerprint) != (job.jid, job.fingerprint):
        raise PluginFaultError(f"the admission policy {name} changed the identity of a job")
    return changed


def _tell(callers: _Callers, job: Job | None = None, **what: object) -> None:
    if job:
        what["job"] = job
    for name, notify in callers:
        try:
            notify(**what)
        except Exception as error:
            log.error("observer %s failed\n%s", name, masked_trace(error, job.env if job else {}))
