"""GET and POST /query: which workflows, and which page of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cromwell_standin import clock
from cromwell_standin.errors import ApiError
from cromwell_standin.store import Record

_STATES = ("On Hold", "Submitted", "Running", "Aborting", "Aborted", "Failed", "Succeeded")
_ARCHIVED = ("Unarchived", "TooLargeToArchive", "Archived", "ArchivedAndDeleted")
_FIELDS = ("labels", "parentWorkflowId")
_KEYS = (
    "id", "name", "status", "label", "labelor", "excludelabeland", "excludelabelor", "submission",
    "start", "end", "page", "pagesize", "additionalqueryresultfields", "includesubworkflows",
    "newestfirst", "metadataarchivestatus",
)  # fmt: skip
_PAGE_SIZE = 100

Test = Callable[[Record], bool]


class Question:
    """The parameters, sorted and checked.

    :raises ApiError: with every fault.
    """

    def __init__(self, parameters: Sequence[tuple[str, str]]) -> None:
        self._faults: list[str] = []
        self._values: dict[str, list[str]] = {}
        unknown = []
        for key, value in parameters:
            if key.lower() in _KEYS:
                self._values.setdefault(key.lower(), []).append(value)
            else:
                unknown.append(key)
        if unknown:
            self._faults.append("Unrecognized query keys: " + ", ".join(unknown))
        self._tests = list(self._all_tests())
        self.page = self._number("page")
        self.page_size = self._number("pagesize")
        self.fields = self._words("additionalqueryresultfields", _FIELDS)
        self.newest_first = self._flag("newestfirst")
        self._flag("includesubworkflows")
        if self._faults:
            raise ApiError(400, "\n".join(self._faults))

    def answer(self, summaries: Iterable[Record]) -> dict[str, Any]:
        """The page that is asked for.

        :param summaries: the newest first.
        """
        found = [one for one in summaries if all(test(one) for test in self._tests)]
        if not self.newest_first:
            found.reverse()
        total = len(found)
        if self.page is not None or self.page_size is not None:
            size = self.page_size or _PAGE_SIZE
            begin = ((self.page or 1) - 1) * size
            found = found[begin : begin + size]
        return {"results": [self._row(one) for one in found], "totalResultsCount": total}

    def _row(self, summary: Record) -> dict[str, Any]:
        return {
            key: value
            for key, value in summary.items()
            if value is not None and (key != "labels" or "labels" in self.fields)
        }

    def _all_tests(self) -> Iterable[Test]:
        for key in ("id", "name"):
            if wanted := self._values.get(key):
                yield lambda one, key=key, wanted=wanted: one[key] in wanted  # type: ignore[misc]
        for text in self._values.get("id", []):
            try:
                uuid.UUID(text)
            except ValueError:
                self._faults.append(f"Id values do match allowed workflow id pattern: {text}")
        if states := self._words("status", _STATES):
            yield lambda one: one["status"] in states
        if archived := self._words("metadataarchivestatus", _ARCHIVED):
            yield lambda one: one["metadataArchiveStatus"] in archived
        yield from self._label_tests()
        yield from self._moment_tests()

    def _label_tests(self) -> Iterable[Test]:
        every, some = self._labels("label"), self._labels("labelor")
        not_every, not_some = self._labels("excludelabeland"), self._labels("excludelabelor")
        if every:
            yield lambda one: every <= one["labels"].items()
        if some:
            yield lambda one: bool(some & one["labels"].items())
        if not_every:
            yield lambda one: not not_every <= one["labels"].items()
        if not_some:
            yield lambda one: not not_some & one["labels"].items()

    def _labels(self, key: str) -> set[tuple[str, str]]:
        """Pairs; a key cannot hold a colon, a value can."""
        found = set()
        for text in self._values.get(key, []):
            name, colon, value = text.partition(":")
            if colon:
                found.add((name, value))
            else:
                self._faults.append(
                    f"Label values do not match allowed pattern label-key:label-value: {text}"
                )
        return found

    def _moment_tests(self) -> Iterable[Test]:
        for key in ("submission", "start", "end"):
            if (text := self._single(key)) is None:
                continue
            try:
                limit = clock.parse(text)
            except ValueError:
                self._faults.append(
                    f"Value given for {key} date does not parse as a datetime: {text}"
                )
                continue

            def test(one: Record, key: str = key, limit: Any = limit) -> bool:
                if one[key] is None:
                    return False
                moment = clock.parse(one[key])
                return bool(moment <= limit if key == "end" else moment >= limit)

            yield test

    def _single(self, key: str) -> str | None:
        values = self._values.get(key, [])
        if len(values) > 1:
            self._faults.append(
                f"Found {len(values)} values for key '{key}' but at most one is allowed."
            )
        return values[0] if values else None

    def _number(self, key: str) -> int | None:
        text = self._single(key)
        if text is None:
            return None
        try:
            number = int(text)
        except ValueError:
            self._faults.append(f"Value given for {key} does not parse as a integer: {text}")
            return None
        if number < 1:
            self._faults.append("Integer value not greater than 0")
        return number

    def _flag(self, key: str) -> bool:
        text = self._single(key) or "true"
        if text.lower() not in ("true", "false"):
            self._faults.append(f"Value given for {key} does not parse as a boolean: {text}")
        return text.lower() == "true"

    def _words(self, key: str, allowed: tuple[str, ...]) -> set[str]:
        """Values out of a list, whatever their capitals."""
        known = {word.lower(): word for word in allowed}
        values = self._values.get(key, [])
        wrong = [value for value in values if value.lower() not in known]
        if wrong:
            self._faults.append(f"Unrecognized {key} values: " + ", ".join(wrong))
        return {known[value.lower()] for value in values if value.lower() in known}
