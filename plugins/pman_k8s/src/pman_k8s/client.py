"""The calls to the API server."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from pman_k8s.errors import ConflictError, NotFoundError
from pman_k8s.labels import CONTAINER
from pman_k8s.server import Answer, Object, Server
from pman_k8s.settings import K8sSettings

__all__ = ["FEW_PODS", "Answer", "Cluster", "Object"]

_MERGE = "application/merge-patch+json"

#: Up to so many pods are read one by one: for a list the server searches the whole namespace.
FEW_PODS = 10

#: The resourceVersion of a list from the server's cache: cheap, and perhaps some milliseconds old.
_ANY_VERSION = "0"


class Cluster(Server):
    """One namespace of a cluster."""

    def __init__(self, settings: K8sSettings, environ: Mapping[str, str]) -> None:
        super().__init__(settings, environ)
        self.namespace = settings.namespace

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
        return self.stream(self._path("api/v1", "pods", pod, "log"), query)

    def wait_for_end(self, pod: str, container: str) -> None:
        """Return once a container does not run, which the end of its log shows.

        A pod that is gone is no error.

        :raises EngineUnavailableError: it still runs when the time is over, or that is unknown.
        """
        query = {"container": container, "tailLines": "0", "follow": "true"}
        with contextlib.suppress(NotFoundError):
            for _ in self.stream(self._path("api/v1", "pods", pod, "log"), query):
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


def _last(event: Object) -> Any:
    times = (event.get("lastTimestamp"), event.get("eventTime"))
    return next(filter(None, times), event["metadata"]["creationTimestamp"])
