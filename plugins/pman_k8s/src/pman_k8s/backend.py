"""The hooks of the two backends."""

from __future__ import annotations

from collections.abc import Mapping

from pman_core import Capabilities, Job, JobFilter, JobInfo, JobPage, Storage, hookimpl
from pman_core.contract.errors import UnknownJobError
from pman_core.kit.directories import DirectoryChecker
from pman_core.kit.settings import load
from pman_k8s.capabilities import capabilities
from pman_k8s.client import Cluster
from pman_k8s.errors import NotFoundError, refusal_errors
from pman_k8s.listing import Lister
from pman_k8s.logs import log_end
from pman_k8s.payload import job_payload
from pman_k8s.platform import KUBERNETES, OPENSHIFT, Platform
from pman_k8s.preflight import ping
from pman_k8s.reconcile import Reconciler
from pman_k8s.removal import remove_wholly
from pman_k8s.settings import K8sSettings
from pman_k8s.storage import claim_storage
from pman_k8s.submission import submit
from pman_k8s.termination import end_all_remaining_pods
from pman_k8s.validate import validate


class KubernetesBackend:
    """Jobs as Jobs of Kubernetes; ``CONTAINER_ENV=kubernetes``.

    All state is on the Jobs: another process can go on at any moment.

    :raises SettingsError: a setting is wrong.
    """

    settings_class = K8sSettings
    platform: Platform = KUBERNETES

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._settings = load(K8sSettings, environ)
        self._cluster = Cluster(self._settings, environ)
        self._reconciler = Reconciler(self._cluster, self._settings)
        self._directories = DirectoryChecker(self._settings.engine_timeout_s)
        self._lister = Lister(self._cluster, self._reconciler, self._settings)

    @hookimpl
    def pman_capabilities(self) -> Capabilities:
        """See ``capabilities.py``."""
        return capabilities(self.platform, self._settings, self._environ)

    @hookimpl
    def pman_validate(self, job: Job) -> None:
        """Labels, ids and sizes that Kubernetes takes, and directories that are there."""
        validate(job, self._settings, self._directories)

    @hookimpl
    def pman_resolve_storage(self, storage_type: str) -> Storage | None:
        """Resolve ``kubernetes_pvc``."""
        if storage_type != "kubernetes_pvc":
            return None
        return claim_storage(self._cluster, self._settings, self._directories)

    @hookimpl
    def pman_ping(self) -> str:
        """Ask for the version, and for each permission that pman needs."""
        with refusal_errors("the API server refuses"):
            return ping(self._cluster, self.platform)

    @hookimpl
    def pman_submit(self, job: Job) -> JobInfo:
        """Create the Job, or find it; see ``submission.py``."""
        name = self._reconciler.name(job.jid)
        body = job_payload(name, job, self._settings, self.platform)
        return submit(self._cluster, self._reconciler, job, body)

    @hookimpl
    def pman_status(self, jid: str) -> JobInfo:
        """One call for a job whose end is recorded, else two or three."""
        with refusal_errors(f"job {jid!r} cannot be read"):
            info = self._reconciler.look(jid)
        if info is None:
            raise UnknownJobError(jid)
        return info

    @hookimpl
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        """The end of the pods' logs."""
        with refusal_errors("the log cannot be read"):
            try:
                return log_end(self._cluster, info, tail_lines, max_bytes)
            except NotFoundError:
                raise UnknownJobError(info.jid) from None

    @hookimpl
    def pman_cancel(self, jid: str) -> JobInfo:
        """Record the end on the Job; then end its pods."""
        with refusal_errors(f"job {jid!r} cannot be cancelled"):
            info = self._reconciler.cancel(jid)
        if info is None:
            raise UnknownJobError(jid)
        return info

    @hookimpl
    def pman_resume(self) -> None:
        """End what an earlier process, which was killed, had begun to end."""
        with refusal_errors("the jobs cannot be listed"):
            end_all_remaining_pods(self._cluster, self._settings.instance)

    @hookimpl
    def pman_remove(self, jid: str) -> bool:
        """Delete the Job once its pods are gone; see ``removal.py``."""
        with refusal_errors(f"job {jid!r} cannot be removed"):
            answer = self._reconciler.own_job(jid)
            if answer is None:
                return False
            remove_wholly(self._cluster, answer.body, self._settings.engine_timeout_s)
            return True

    @hookimpl
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """The API server's own pages, in its order and with its cursor."""
        with refusal_errors("the jobs cannot be listed"):
            return self._lister.page(job_filter, limit, cursor)


class OpenShiftBackend(KubernetesBackend):
    """Jobs as Jobs of OpenShift; ``CONTAINER_ENV=openshift``."""

    platform = OPENSHIFT
