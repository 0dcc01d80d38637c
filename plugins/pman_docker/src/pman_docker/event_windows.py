"""The engine's own events, in windows that overlap, so that none is missed between two of them.

API reference, ``GET /events``: the engine sends the events since ``since`` that it still has, then
those that happen, and closes the stream at ``until`` by its clock. Docker keeps the last 256 of all
containers and sends an event some milliseconds after it happened; Podman reads a file, up to a
quarter of a second later. Just before its end a stream may lose one. The end of a window proves
that all events have come until the next window was open, if that was well before the end. What
comes twice counts once.
"""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from pman_core.contract.errors import EngineUnavailableError
from pman_docker.client import Engine

Event = Mapping[str, Any]

#: How many steps a window lasts; a new one begins with each step.
_STEPS = 3

#: Seconds by which a window must be open before the one before it ends. Docker sends the headers
#: of a stream before it subscribes to the events.
_MARGIN_S = 0.05

#: Seconds that a window goes back in the past.
_BACK_S = 2.0

#: Seconds by which the end of a window may be late. Later, the engine's clock was set back, or all
#: is so slow that nobody is helped.
_LATE_S = 1.5

#: By so many ends of windows the engine's clock is known.
_ENDS = 20

#: No more windows are begun while so many have not ended.
_MOST = 20

#: How many events are remembered, to know those that come twice.
_REMEMBERED = 10_000


@attrs.define(eq=False)
class _Window:
    """One stream of events; moments are those of the monotonic clock.

    :param asked: when it was asked for.
    :param until: when it ends, by the engine's clock.
    :param opened: when the engine had begun to send it.
    :param ended: when it had ended.
    :param settled: set when the engine has begun to send it, or does not.
    :param fault: why it does not, or broke.
    """

    asked: float
    until: float
    opened: float = math.inf
    ended: float = math.inf
    settled: threading.Event = attrs.field(factory=threading.Event)
    fault: Exception | None = None

    def note_opened(self) -> None:
        self.opened = time.monotonic()
        self.settled.set()

    def is_followed_by(self, other: _Window) -> bool:
        """Whether another one was open well before this one ended."""
        return not other.fault and other.opened + _MARGIN_S <= self.ended


@attrs.frozen
class WindowEnd:
    """All events until a moment have come.

    :param asked: that moment, by the monotonic clock.
    """

    asked: float


class EventWindows:
    """The events of containers that have some labels.

    :param labels: the labels, each as key or as key=value.
    :param step_s: how often a new window begins, in seconds.
    :param patience_s: seconds after which an engine that sends nothing does not answer.
    :raises EngineUnavailableError: the engine does not answer, or gives no events.
    """

    def __init__(self, engine: Engine, labels: list[str], step_s: float, patience_s: float) -> None:
        self._engine = engine
        self._labels = labels
        self._step_s = step_s
        self._patience_s = patience_s + _STEPS * step_s
        self._came: queue.SimpleQueue[tuple[_Window, Event | None]] = queue.SimpleQueue()
        self._seen: dict[tuple[object, ...], None] = {}
        self._closed = threading.Event()
        self._windows: deque[_Window] = deque()
        asked = time.monotonic()
        #: How far the engine's clock is ahead of the monotonic one, or more by as much as this may
        #: be wrong. The end of a window, which comes a little late, shows how far at least.
        self._ahead_s = engine.now().timestamp() - asked
        self._wrong_s = time.monotonic() - asked
        self._least_ahead_s: deque[float] = deque(maxlen=_ENDS)
        first = self._open()
        if not first.settled.wait(self._patience_s):
            raise self._silent()
        if first.fault:
            raise first.fault
        threading.Thread(target=self._keep_opening, name="pman-events", daemon=True).start()

    def close(self) -> None:
        """Begin no more windows; those that are open end by themselves."""
        self._closed.set()

    def events(self) -> Iterator[Event | WindowEnd]:
        """Events as they come, each once, and the ends of windows.

        :raises EngineUnavailableError: the engine does not answer, or an event may be missing.
        """
        while True:
            try:
                window, came = self._came.get(timeout=self._patience_s)
            except queue.Empty:
                raise self._silent() from None
            if window.fault:
                raise window.fault
            if came is None:
                yield self._end(window)
            elif self._is_new(came):
                yield came

    def _silent(self) -> EngineUnavailableError:
        return EngineUnavailableError(
            f"the engine at {self._engine.address} does not report its events"
        )

    def _end(self, window: _Window) -> WindowEnd:
        """The end of the oldest window, where the next one was open before.

        It was not where the engine's clock was set, or where all is slow.
        """
        oldest, following = self._windows[0], self._windows[1] if len(self._windows) > 1 else None
        ended = window.ended
        is_late = ended > window.until - self._ahead_s + self._wrong_s + _LATE_S
        if oldest is not window or not following or not window.is_followed_by(following) or is_late:
            raise EngineUnavailableError(
                f"events of the engine at {self._engine.address} may have been missed"
            )
        self._windows.popleft()
        self._least_ahead_s.append(window.until - ended)
        self._ahead_s, self._wrong_s = max(self._least_ahead_s), 0.0
        return WindowEnd(following.asked)

    def _is_new(self, event: Event) -> bool:
        actor = event.get("Actor") or {}
        key = (event.get("timeNano"), actor.get("ID"), event.get("Action"))
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return True

    def _keep_opening(self) -> None:
        """Begin a window with each step, whatever the consumer of the events is busy with."""
        while not self._closed.wait(self._step_s):
            if len(self._windows) < _MOST:
                self._open()

    def _open(self) -> _Window:
        asked = time.monotonic()
        until = asked + self._ahead_s + _STEPS * self._step_s
        if self._windows:  # they end in their order, also where the clock is known better by now
            until = max(until, self._windows[-1].until + self._step_s / 2)
        window = _Window(asked, until)
        self._windows.append(window)
        threading.Thread(target=self._read, args=(window,), name="pman-events", daemon=True).start()
        return window

    def _read(self, window: _Window) -> None:
        """Put what comes into the queue; it is read at once, as the engine drops it else."""
        since = window.asked + self._ahead_s - self._wrong_s - _BACK_S
        try:
            with contextlib.closing(
                self._engine.events(since, window.until, self._labels, window.note_opened)
            ) as events:
                for event in events:
                    self._came.put((window, event))
        except Exception as error:
            window.fault = error
            window.settled.set()
        window.ended = time.monotonic()
        self._came.put((window, None))
