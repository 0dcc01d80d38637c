"""The feed: what the engine's events say that has changed is looked at, as a status is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from pman_core.contract.feed import Mark, News, Removed
from pman_core.kit.names import INSTANCE_LABEL, JID_LABEL
from pman_core.kit.paging import listed
from pman_docker.event_windows import Event, EventWindows, WindowEnd
from pman_docker.labels import KIND
from pman_docker.parts import Parts
from pman_docker.reconcile import Reconciler

#: What happens to containers and changes nothing of a job.
_NO_CHANGE = ("exec_", "health_status", "attach", "detach", "resize", "top", "copy", "export")

#: An end, in the words of Docker and of Podman.
_ENDS = ("die", "died")

#: A new window of events begins so often in the time that the news may be old.
_STEPS_IN_FRESHNESS = 4

#: But at least so often, in seconds: what the engine has for the windows is bounded.
_LONGEST_STEP_S = 0.5


class Feed:
    """The news of the jobs of one pman instance."""

    def __init__(self, parts: Parts, reconciler: Reconciler) -> None:
        self._parts = parts
        self._reconciler = reconciler

    def news(self, freshness_s: float) -> Iterator[News]:
        """All jobs, and from then on what changes; see ``pman_watch``."""
        settings = self._parts.settings
        windows = EventWindows(
            self._parts.engine,
            [f"{INSTANCE_LABEL}={settings.instance}", JID_LABEL, KIND],
            min(freshness_s / _STEPS_IN_FRESHNESS, _LONGEST_STEP_S),
            settings.engine_timeout_s,
        )
        with contextlib.closing(windows):
            yield from self._news(windows)

    def _news(self, windows: EventWindows) -> Iterator[News]:
        asked = time.monotonic()
        yield from self._all()
        yield Mark(asked)
        ending: set[str] = set()  # jobs whose end has been reported and cannot be seen yet
        for event in windows.events():
            if isinstance(event, WindowEnd):
                for jid in tuple(ending):
                    yield from self._look(jid, ending)
                yield Mark(event.asked)
            elif changed := self._jid_of(event):
                if event["Action"] in _ENDS:
                    ending.add(changed)
                yield from self._look(changed, ending)

    def _jid_of(self, event: Event) -> str | None:
        """The job of which an event may change something."""
        labels = event["Actor"].get("Attributes") or {}
        is_ours = labels.get(INSTANCE_LABEL) == self._parts.settings.instance and KIND in labels
        if not is_ours or str(event.get("Action")).startswith(_NO_CHANGE):
            return None
        jid: str | None = labels.get(JID_LABEL)
        return jid

    def _all(self) -> Iterator[News]:
        objects = self._parts.objects.of_all()
        for summary in self._parts.objects.by_name(objects).values():
            jid = summary["Labels"][JID_LABEL]
            info = listed(lambda jid: self._reconciler.find(jid, objects), jid)
            if info:
                yield info

    def _look(self, jid: str, ending: set[str]) -> Iterator[News]:
        info = listed(self._reconciler.find, jid)
        if info is None or info.status.is_final:
            ending.discard(jid)
        yield info or Removed(jid)
