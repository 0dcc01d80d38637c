"""The policy: it refuses, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pman_admission.images import has_digest, is_listed
from pman_admission.settings import AdmissionSettings
from pman_core import Job, JobFilter, JobInfo, Status, hookimpl
from pman_core.contract.errors import InvalidJobError, TooManyRequestsError
from pman_core.contract.service import Service
from pman_core.kit.settings import load

#: Jobs are looked at by so many.
_PAGE = 100

#: Seconds after which a client that has too many jobs may try again; nobody knows when one ends.
_TRY_AGAIN_S = 30


class AdmissionPolicy:
    """Admits images by their names and digests, and so many jobs of one owner."""

    settings_class = AdmissionSettings

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.settings = load(AdmissionSettings, environ)

    @hookimpl
    def pman_admit(self, job: Job, service: Service) -> None:
        """Refuse what this site does not want."""
        faults = list(self._image_faults(job.image))
        if faults:
            raise InvalidJobError(faults={"image": "; ".join(faults)})
        most = self.settings.running_per_owner
        if most and len(not_ended(service, job)) >= most:
            raise TooManyRequestsError(
                f"{job.owner or 'who has no name'} has {most} jobs that have not ended, which is "
                "as many as are allowed; try again when one has ended",
                _TRY_AGAIN_S,
            )

    def _image_faults(self, image: str) -> Iterator[str]:
        if self.settings.images is not None and not is_listed(image, self.settings.images):
            yield "is not on the list of images that may run here"
        if self.settings.digests_only and not has_digest(image):
            yield "must be named with its digest, as NAME@sha256:..."


def not_ended(service: Service, job: Job) -> set[str]:
    """The other jobs of this job's owner that wait or run.

    Those that wait come first: one that begins meanwhile is found twice, and missed never.
    """
    return {
        info.jid
        for status in (Status.NOT_STARTED, Status.STARTED)
        for info in every(service, JobFilter(status=status, owner=job.owner))
        if info.owner == job.owner and info.jid != job.jid
    }


def every(service: Service, job_filter: JobFilter) -> Iterator[JobInfo]:
    """All jobs that match, page after page."""
    cursor: str | None = None
    while True:
        page = service.list(job_filter, _PAGE, cursor)
        yield from page.jobs
        cursor = page.cursor
        if cursor is None:
            return
