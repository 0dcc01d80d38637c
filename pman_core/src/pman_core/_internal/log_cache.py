"""Keeps the ends of logs, so that many questions for one log are few questions to the engine."""

from __future__ import annotations

import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

import attrs

from pman_core._internal.shared_questions import SharedQuestions
from pman_core.contract.info import JobInfo

#: Seconds for which the log of a job that may still write is not read again.
_PAUSE_S = 1.0

#: How much is kept, in bytes.
_MOST = 32 * 2**20

#: What an empty log takes, in bytes.
_ENTRY = 1000

#: What distinguishes one run of a job, and its end, from another one.
_Key = tuple[object, ...]


@attrs.frozen
class _Kept:
    """A log as it was read.

    :param read: when that was.
    :param whole: whether it will not change any more.
    """

    text: str
    read: float
    whole: bool

    @property
    def size(self) -> int:
        return sys.getsizeof(self.text) + _ENTRY


class LogCache:
    """The logs that were read last.

    :param timeout_s: seconds to wait for others who read the same log.
    """

    def __init__(self, timeout_s: float) -> None:
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()
        self._reads: SharedQuestions[str] = SharedQuestions(timeout_s)

    def get(self, info: JobInfo, read: Callable[[], str]) -> str:
        """The log of a job; read where it is not known, or may have grown since.

        A job that has ended writes nothing more, but its engine may still be writing down what it
        wrote. So its log is kept for good once it was the same twice, some time apart.
        """
        key = _key_of(info)
        kept = self._current(key)
        if kept is not None:
            return kept.text
        return self._reads.ask(key, lambda: self._known_or_read(key, info, read))

    def _current(self, key: _Key) -> _Kept | None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is None or not (kept.whole or time.monotonic() - kept.read < _PAUSE_S):
                return None
            self._kept.move_to_end(key)
            return kept

    def _known_or_read(self, key: _Key, info: JobInfo, read: Callable[[], str]) -> str:
        kept = self._current(key)  # somebody may have read it just before
        return self._read(key, info, read) if kept is None else kept.text

    def _read(self, key: _Key, info: JobInfo, read: Callable[[], str]) -> str:
        begun = time.monotonic()
        text = read()
        with self._lock:
            before = self._kept.pop(key, None)
            self._size -= before.size if before else 0
            whole = info.status.is_final and before is not None and before.text == text
            kept = _Kept(text, begun, whole)
            if kept.size <= _MOST // 4:
                self._kept[key] = kept
                self._size += kept.size
            while self._size > _MOST:
                _, oldest = self._kept.popitem(last=False)
                self._size -= oldest.size
        return text


def _key_of(info: JobInfo) -> _Key:
    return (info.jid, info.fingerprint, info.created, info.status, info.finished, info.native)
