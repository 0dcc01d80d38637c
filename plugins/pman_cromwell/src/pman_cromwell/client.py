"""Cromwell's REST API (``/api/workflows/v1``): the calls that pman makes, each with a time-out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import requests

from pman_core.kit.engine_http import BoundedSession, is_late
from pman_cromwell.errors import RefusedError, check, engine_errors
from pman_cromwell.responses import (
    QueryResult,
    QueryResults,
    Version,
    Workflow,
    WorkflowStatus,
    structured,
)

T = TypeVar("T")

_API = "/api/workflows/v1"
_PAGE = 1000

#: How often a list is read again that changes while it is read.
_ATTEMPTS = 5

#: All that a status needs; ``includeKey`` takes prefixes of keys, of workflow and calls alike.
_STATE_KEYS = ("id", "status", "end", "failures", "jobId")


class Cromwell:
    """One server.

    All methods raise :class:`~pman_core.contract.errors.EngineUnavailableError` where it does not
    answer or gives an answer that makes no sense.

    :param timeout_s: for each whole call, in seconds.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self.url = url
        self._timeout_s = timeout_s

    def version(self) -> str:
        """Whether it can serve, and its version."""
        self._get("/engine/v1/status", (), dict)
        return self._get("/engine/v1/version", (), Version).cromwell

    def submit(
        self,
        workflow: str,
        source: str,
        inputs: Mapping[str, Any],
        options: Mapping[str, Any],
        labels: Mapping[str, str],
    ) -> None:
        """Submit under an id of our own, so that asking twice makes one workflow.

        :raises RefusedError: it does not take it; also where it has that id already.
        """
        parts = {
            "workflowSource": source,
            "workflowType": "WDL",
            "workflowTypeVersion": "1.0",
            "workflowInputs": json.dumps(dict(inputs)),
            "workflowOptions": json.dumps(dict(options)),
            "labels": json.dumps(dict(labels)),
            "requestedWorkflowId": workflow,
        }
        form = {name: (None, content) for name, content in parts.items()}
        with engine_errors(self.url):
            structured(self._ask("POST", _API, files=form).json(), WorkflowStatus)

    def status(self, workflow: str) -> Workflow | None:
        """Only id and status; ``None`` before the summary has it."""
        try:
            found = self._get(f"{_API}/{workflow}/status", (), WorkflowStatus)
        except RefusedError as refusal:
            _must_be_unknown(workflow, refusal)
            return None
        return Workflow(id=found.id, status=found.status)

    def state(self, workflow: str) -> Workflow | None:
        """All that the status of its job depends on."""
        return self._metadata(workflow, _STATE_KEYS)

    def submitted(self, workflow: str) -> Workflow | None:
        """What was submitted, and the labels."""
        return self._metadata(workflow, ("id", "status", "submittedFiles"))

    def query(self, labels: Mapping[str, str]) -> list[QueryResult]:
        """The workflows that have all these labels, with their labels."""
        asked = [("label", f"{key}:{value}") for key, value in labels.items()]
        asked += [("additionalQueryResultFields", "labels"), ("includeSubworkflows", "false")]
        for _ in range(_ATTEMPTS):
            found, still = self._all_pages(tuple(asked))
            if still:
                break
        return found

    def _all_pages(self, asked: tuple[tuple[str, str], ...]) -> tuple[list[QueryResult], bool]:
        """All results, and whether none came or went meanwhile: that would move others."""
        found: dict[str, QueryResult] = {}
        totals: set[int] = set()
        page = 0
        while not totals or page * _PAGE < max(totals):
            page += 1
            place = (("page", str(page)), ("pageSize", str(_PAGE)))
            answer = self._get(f"{_API}/query", (*asked, *place), QueryResults)
            totals.add(answer.total_results_count)
            found.update((one.id, one) for one in answer.results)
        return list(found.values()), len(totals) == 1

    def abort(self, workflow: str) -> bool:
        """End it; ``False`` where there is nothing to end. It needs no summary."""
        try:
            with engine_errors(self.url):
                self._ask("POST", f"{_API}/{workflow}/abort")
        except RefusedError as refusal:
            _must_be_unknown(workflow, refusal)
            return False
        return True

    def label(self, workflow: str, labels: Mapping[str, str]) -> bool:
        """Set labels; ``False`` before the summary has the workflow.

        :raises RefusedError: it cannot be labelled, since it is archived.
        """
        try:
            with engine_errors(self.url):
                self._ask("PATCH", f"{_API}/{workflow}/labels", json=dict(labels))
        except RefusedError as refusal:
            _must_be_unknown(workflow, refusal)
            return False
        return True

    def _metadata(self, workflow: str, keys: tuple[str, ...]) -> Workflow | None:
        try:
            asked = tuple(("includeKey", key) for key in keys)
            return self._get(f"{_API}/{workflow}/metadata", asked, Workflow)
        except RefusedError as refusal:
            _must_be_unknown(workflow, refusal)
            return None

    def _get(self, path: str, asked: tuple[tuple[str, str], ...], kind: type[T]) -> T:
        with engine_errors(self.url):
            try:
                answer = self._ask("GET", path, params=asked)
            except requests.ConnectionError as error:
                if is_late(error):
                    raise
                # A server or a proxy may close a connection that was just being opened.
                answer = self._ask("GET", path, params=asked)
            return structured(answer.json(), kind)

    def _ask(self, method: str, path: str, **content: Any) -> requests.Response:
        # A session of its own for each call: none is left open, and threads share nothing.
        with BoundedSession() as session:
            answer = session.request(method, self.url + path, timeout=self._timeout_s, **content)
        check(answer)
        return answer


def _must_be_unknown(workflow: str, refusal: RefusedError) -> None:
    """Cromwell names an unknown workflow; a proxy before it may answer 404 while it restarts."""
    if refusal.code != 404 or workflow not in refusal.words:
        raise refusal
