"""The typed face of the backend hooks: no other module calls them, or sees pluggy."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

import attrs
import pluggy

from pman_core.contract.capabilities import Capabilities
from pman_core.contract.errors import ClientError, EngineUnavailableError, PluginFaultError
from pman_core.contract.feed import Mark, News, Removed
from pman_core.contract.info import JobFilter, JobInfo, JobPage, Status
from pman_core.contract.job import Job
from pman_core.kit.logins import without_logins
from pman_core.kit.masking import mask, masked, masked_trace
from pman_core.kit.printable import escaped

T = TypeVar("T")

#: Seconds to wait before a submission is handed to a flickering engine again. Repeating is
#: safe: the contract makes ``pman_submit`` idempotent.
_SUBMIT_AGAIN_AFTER_S = (0.2, 0.8)

#: Seconds after which a submission is not tried again: an engine that is slow to fail does not
#: flicker, and clients wait for an answer.
_SUBMIT_NO_LONGER_S = 5.0

#: The hooks that ask the engine for a client.
_ASKING = frozenset(
    ("pman_submit", "pman_status", "pman_logs", "pman_cancel", "pman_remove", "pman_list")
)

log = logging.getLogger(__name__)


class Backend:
    """Calls the selected backend, and lets nothing through that the contract forbids.

    Each method does what the hook of the same name promises, raises the errors named there,
    and ``PluginFaultError`` where the plugin breaks the contract.
    """

    def __init__(self, manager: pluggy.PluginManager, name: str) -> None:
        self.name = name
        self._hook = manager.hook
        self._is_away = False
        #: Set when a process begins, and whenever the engine answers again after it did not.
        self.resume_wanted = threading.Event()
        self.resume_wanted.set()
        self.capabilities: Capabilities = self._ask("pman_capabilities", Capabilities)
        has_feed = bool(self._hook.pman_watch.get_hookimpls())
        if has_feed != (self.capabilities.freshness_s is not None):
            which = "no freshness_s, but there is a" if has_feed else "a freshness_s without"
            raise self._fault("pman_capabilities", f"answered {which} pman_watch")

    def submit(self, job: Job) -> JobInfo:
        """Hand a job to the engine, again if it flickers; see ``pman_submit``."""
        begun = time.monotonic()
        for delay in _SUBMIT_AGAIN_AFTER_S:
            try:
                return self._checked(job.jid, "pman_submit", job)
            except EngineUnavailableError as error:
                if time.monotonic() - begun > _SUBMIT_NO_LONGER_S:
                    raise
                log.warning("job %s: the engine did not take it (%s), again", job.jid, error)
                time.sleep(delay)
        return self._checked(job.jid, "pman_submit", job)

    def status(self, jid: str) -> JobInfo:
        """The state of a job; see ``pman_status``."""
        return self._checked(jid, "pman_status", jid=jid)

    def logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        """The end of a job's log; see ``pman_logs``."""
        return self._ask("pman_logs", bytes, info=info, tail_lines=tail_lines, max_bytes=max_bytes)

    def cancel(self, jid: str) -> JobInfo:
        """End a job and keep it; see ``pman_cancel``."""
        info = self._checked(jid, "pman_cancel", jid=jid)
        if not info.status.is_final:
            raise self._fault("pman_cancel", "answered a job that has not ended")
        return info

    def remove(self, jid: str) -> bool:
        """End and delete a job; see ``pman_remove``."""
        return self._ask("pman_remove", bool, jid=jid)

    def list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """One page of jobs; see ``pman_list``."""
        page = self._ask("pman_list", JobPage, job_filter=job_filter, limit=limit, cursor=cursor)
        if not all(isinstance(info, JobInfo) for info in page.jobs):
            raise self._fault("pman_list", "answered a page that holds something else than jobs")
        return attrs.evolve(page, jobs=tuple(self._sound("pman_list", info) for info in page.jobs))

    def ping(self) -> str:
        """The engine's name and version; see ``pman_ping``."""
        return without_logins(self._ask("pman_ping", str))

    def validate(self, job: Job) -> None:
        """Refuse a job that can never run here; see ``pman_validate``."""
        self._guarded("pman_validate", job)

    def resume(self) -> float | None:
        """Go on with what an earlier process left undone; see ``pman_resume``."""
        again_s: object = self._guarded("pman_resume")
        if again_s is None:
            return None
        if not (isinstance(again_s, int | float) and again_s > 0):
            raise self._fault("pman_resume", "answered something else than a number of seconds")
        return float(again_s)

    def keep_resuming(self) -> None:
        """Resume whenever that is wanted; returns only by raising what keeps it from being done."""
        again_s: float | None = None
        while True:
            self.resume_wanted.wait(again_s)
            self.resume_wanted.clear()
            try:
                again_s = self.resume()
            except Exception:
                self.resume_wanted.set()  # the caller calls this again
                raise

    def watch(self, freshness_s: float) -> Generator[News] | None:
        """The feed of the backend, if it has one; see ``pman_watch``."""
        feed: Iterator[News] | None = self._guarded("pman_watch", freshness_s=freshness_s)
        return None if feed is None else self._news(feed)

    def _news(self, feed: Iterator[News]) -> Generator[News]:
        try:
            for news in feed:
                if isinstance(news, JobInfo):
                    yield self._sound("pman_watch", news)
                elif isinstance(news, Removed | Mark):
                    yield news
                else:
                    raise self._fault("pman_watch", f"yielded {type(news).__name__}")
        except (EngineUnavailableError, PluginFaultError):
            raise
        except Exception as error:
            log.error("pman_watch of backend %s failed\n%s", self.name, masked_trace(error, {}))
            raise self._fault("pman_watch", f"raised {type(error).__name__}") from error
        finally:
            close = getattr(feed, "close", None)  # of a generator, to free what it holds
            if close:
                close()

    def _checked(
        self, wanted: str, hook: str, job: Job | None = None, **arguments: object
    ) -> JobInfo:
        info = self._ask(hook, JobInfo, job, **arguments)
        if info.jid != wanted:
            raise self._fault(hook, f"answered about job {info.jid!r} instead of {wanted!r}")
        return self._sound(hook, info, job)

    def _sound(self, hook: str, info: JobInfo, job: Job | None = None) -> JobInfo:
        """The same, whose message is one line that shows all that it holds, and holds no secret.

        Its words may be those of an image, an engine or a registry, and clients print them.
        """
        if not isinstance(info.status, Status):
            raise self._fault(hook, "answered a status that is no Status")
        if not isinstance(info.message, str):
            raise self._fault(hook, "answered a message that is no text")
        message = without_logins(info.message)
        if job:  # else the plugin takes the values out: it alone knows them then
            message = masked(message, job.env)
        message = escaped(message.strip())  # last: it changes what the others look for
        return info if message == info.message else attrs.evolve(info, message=message)

    def _ask(self, hook: str, expected: type[T], job: Job | None = None, **arguments: object) -> T:
        answer = self._guarded(hook, job, **arguments)
        if not isinstance(answer, expected):
            # Only the type is named: the answer itself may hold a job's environment.
            said = type(answer).__name__
            raise self._fault(hook, f"answered {said} instead of {expected.__name__}")
        return answer

    def _guarded(self, hook: str, job: Job | None = None, **arguments: object) -> Any:
        call: Callable[..., Any] = getattr(self._hook, hook)
        if job:
            arguments["job"] = job
        try:
            answer = call(**arguments)
            self._noticed(hook, is_away=False)
            return answer
        except (ClientError, EngineUnavailableError) as error:
            self._noticed(hook, is_away=isinstance(error, EngineUnavailableError))
            if job:
                mask(error, job.env)
            raise
        except Exception as error:  # a plugin may raise anything; it is logged and mapped
            log.error(
                "%s of backend %s failed\n%s",
                hook,
                self.name,
                masked_trace(error, job.env if job else {}),
            )
            raise self._fault(hook, f"raised {type(error).__name__}") from error

    def _noticed(self, hook: str, *, is_away: bool) -> None:
        if hook in _ASKING:
            if self._is_away and not is_away:
                self.resume_wanted.set()
            self._is_away = is_away

    def _fault(self, hook: str, what: str) -> PluginFaultError:
        return PluginFaultError(
            f"backend {self.name!r} broke its contract: {hook} {what}; pman's log says more"
        )
