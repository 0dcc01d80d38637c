"""The calls to the API server, each with a time-out and with pman's errors."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import attrs

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.deadline import left
from pman_k8s.connection import Connection
from pman_k8s.errors import (
    ConflictError,
    NotFoundError,
    UnauthorizedError,
    engine_errors,
    raise_for,
)
from pman_k8s.labels import CONTAINER
from pman_k8s.settings import K8sSettings

Object = dict[str, Any]

#: How much of a log is read at once.
_CHUNK = 65536

_JSON = "application/json"
_MERGE = "application/merge-patch+json"

#: Up to so many pods are read one by one: for a list the server searches the whole namespace.
FEW_PODS = 10

#: The resourceVersion of a list from the server's cache: cheap, and perhaps some milliseconds old.
_ANY_VERSION = "0"


@attrs.frozen
class Answer:
    """What the server answered, and when by its own clock."""

    body: Object
    date: datetime


class Cluster:
    """One namespace of a cluster; the connection is made when it is first needed."""

    def __init__(self, settings: K8sSettings, environ: Mapping[str, str]) -> None:
        self.namespace = settings.namespace
        self._connection = Connection(settings, environ)
        self._timeout_s = settings.engine_timeout_s

    @property
    def address(self) -> str:
        """Where the API server is, for a person."""
        return self._connection.address

    # ------------------------------------------------------------------ any path

    def ask(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        kind: str = _JSON,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """The JSON that the server answers.

        :raises RefusedError: the server answered with an error.
        :raises EngineUnavailableError: it did not answer, or cannot serve now.
        """
        try:
            return self._answer(method, path, body, kind, query or {})
        except UnauthorizedError:
            # The token was replaced just now, or has expired.
            self._connection.forget()
        try:
            return self._answer(method, path, body, kind, query or {})
        except UnauthorizedError as refused:
            raise EngineUnavailableError(
                f"the API server at {self.address} does not accept pman's credentials (401): "
                f"{refused}"
            ) from refused

    def _answer(
        self, method: str, path: str, body: Object | None, kind: str, query: Mapping[str, str]
    ) -> Answer:
        with engine_errors(lambda: self.address):
            response = self._send(method, path, body, kind, query)
            content = response.read()
            raise_for(response.status, response.headers, content)
            found = json.loads(content)
            # An answer that is no object of the API is the server's version.
            if not isinstance(found, dict) or not found.keys() & {"kind", "gitVersion"}:
                raise EngineUnavailableError(
                    f"the API server at {self.address} answers what no API server does"
                )
            return Answer(found, _date(response.headers.get("Date")))

    def _send(
        self, method: str, path: str, body: Object | None, kind: str, query: Mapping[str, str]
    ) -> Any:
        client = self._connection.client()
        headers = {"Accept": "*/*"} | ({"Content-Type": kind} if body is not None else {})
        request = client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        return client.call_api(*request, _request_timeout=left(self._timeout_s))

    def _path(self, group: str, kind: str, name: str = "", part: str = "") -> str:
        path = f"/{group}/namespaces/{self.namespace}/{kind}"
        return path + "".join(f"/{quote(word, safe='')}" for word in (name, part) if word)

    # ---------------------------------------------------------------------- Jobs

    def create(self, job: Object) -> Answer:
        """Create a Job.

        :raises ConflictError: there is one of that name.
        """
        return self.ask("POST", self._path("apis/batch/v1", "jobs"), job)

    def job(self, name: str) -> Answer:
        """A Job, as it is now.

        :raises NotFoundError: there is none.
        """
        return self.ask("GET", self._path("apis/batch/v1", "jobs", name))

    def patch(self, name: str, change: Object) -> Answer:
        """Change a Job (JSON merge patch); a resourceVersion in ``change`` must be its own.

        :raises ConflictError: it has been changed since.
        :raises NotFoundError: there is none.
        """
        return self.ask("PATCH", self._path("apis/batch/v1", "jobs", name), change, _MERGE)

    def jobs(self, selector: str, limit: int, continue_: str) -> Answer:
        """A page of Jobs.

        :raises ExpiredError: the next page is no longer there.
        """
        query = {"labelSelector": selector, "limit": str(limit)}
        if continue_:
            query["continue"] = continue_
        return self.ask("GET", self._path("apis/batch/v1", "jobs"), query=query)

    def delete_job(self, name: str, uid: str, *, after_pods: bool = False) -> None:
        """Delete that very Job; one that is gone is no error.

        :param after_pods: whether the Job stays, as one that is being deleted, until its pods are
            gone.
        """
        policy = "Foreground" if after_pods else "Background"
        how = {"propagationPolicy": policy, "preconditions": {"uid": uid}}
        with contextlib.suppress(NotFoundError, ConflictError):  # another has its name now
            self.ask("DELETE", self._path("apis/batch/v1", "jobs", name), how)

    # ---------------------------------------------------------------------- pods

    def pods_named(self, names: Iterable[str]) -> list[Object]:
        """These pods as they are now; those that are gone are left out."""
        found = []
        for name in names:
            with contextlib.suppress(NotFoundError):
                found.append(self.ask("GET", self._path("api/v1", "pods", name)).body)
        return found

    def pods(self, selector: str, *, fresh: bool) -> list[Object]:
        """The pods that match a selector, the oldest first.

        :param fresh: whether to ask etcd, not the server's cache.
        """
        query = {"labelSelector": selector}
        if not fresh:
            query["resourceVersion"] = _ANY_VERSION
        found: list[Object] = self.ask("GET", self._path("api/v1", "pods"), query=query).body[
            "items"
        ]
        return sorted(
            found, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"])
        )

    def delete_pod(self, name: str, grace_s: int | None = None) -> None:
        """Delete a pod; one that is gone is no error.

        :param grace_s: 0 takes it out of the API at once, whether its process has ended or not.
        """
        how: Object = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
        with contextlib.suppress(NotFoundError):
            self.ask("DELETE", self._path("api/v1", "pods", name), how)

    def end_pod(self, name: str) -> None:
        """Make a node end what still runs of a pod; one that is gone is no error.

        The pod stays, and the logs of its containers, as they do after any time limit; a pod that
        is deleted takes them with it. A deadline may only be lowered (API reference, PodSpec).
        """
        change = {"spec": {"activeDeadlineSeconds": 1}}
        with contextlib.suppress(NotFoundError):
            self.ask("PATCH", self._path("api/v1", "pods", name), change, _MERGE)

    def log(self, pod: str, tail_lines: int) -> Generator[bytes]:
        """The end of a pod's log so far, in chunks.

        :raises RefusedError: there is none yet.
        :raises NotFoundError: there is no such pod.
        :raises EngineUnavailableError: the server does not answer, or not in time.
        """
        query = {"container": CONTAINER, "tailLines": str(tail_lines)}
        with engine_errors(lambda: self.address):
            response = self._send(
                "GET", self._path("api/v1", "pods", pod, "log"), None, _JSON, query
            )
            with contextlib.closing(response.response) as stream:
                if response.status >= 400:
                    raise_for(response.status, response.headers, stream.read())
                yield from stream.stream(_CHUNK)

    def wait_for_end(self, pod: str, container: str) -> None:
        """Return once a container does not run, which the end of its log shows.

        A pod that is gone is no error.

        :raises EngineUnavailableError: it still runs when the time is over, or that is unknown.
        """
        query = {"container": container, "tailLines": "0", "follow": "true"}
        path = self._path("api/v1", "pods", pod, "log")
        with engine_errors(lambda: self.address), contextlib.suppress(NotFoundError):
            response = self._send("GET", path, None, _JSON, query)
            with contextlib.closing(response.response) as stream:
                if response.status >= 400:
                    raise_for(response.status, response.headers, stream.read())
                for _ in stream.stream(_CHUNK):
                    pass  # only the end matters

    # -------------------------------------------------------------------- others

    def events(self, uid: str) -> list[Object]:
        """The events of an object, the latest last."""
        query = {"fieldSelector": f"involvedObject.uid={uid}"}
        path = self._path("api/v1", "events")
        found: list[Object] = self.ask("GET", path, query=query).body["items"]
        return sorted(found, key=lambda event: str(_last(event)))

    def claim(self, name: str) -> Object:
        """A persistent volume claim.

        :raises NotFoundError: there is none.
        """
        return self.ask("GET", self._path("api/v1", "persistentvolumeclaims", name)).body

    def version(self) -> str:
        """The server's version, like v1.20.2."""
        return str(self.ask("GET", "/version").body["gitVersion"])

    def api_groups(self) -> list[str]:
        """The names of the API groups that it serves."""
        return [str(group["name"]) for group in self.ask("GET", "/apis").body["groups"]]

    def may(self, verb: str, group: str, resource: str, part: str = "") -> bool:
        """Whether pman has a permission in the namespace."""
        wanted = {
            "namespace": self.namespace,
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": part,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        return bool(self.ask("POST", path, review).body["status"]["allowed"])


def _date(header: str | None) -> datetime:
    """The time by the server's clock, which also sets the times of its objects."""
    try:
        return parsedate_to_datetime(header or "").astimezone(UTC)
    except ValueError:
        return datetime.now(UTC)


def _last(event: Object) -> Any:
    times = (event.get("lastTimestamp"), event.get("eventTime"))
    return next(filter(None, times), event["metadata"]["creationTimestamp"])
