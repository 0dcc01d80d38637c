"""pman: one small REST request becomes a job on whatever scheduler a site has.

Authors of plugins import from here, and from ``pman_core.causes``, ``pman_core.core_settings``,
``pman_core.deadline``, ``pman_core.engine_http``, ``pman_core.errors``, ``pman_core.logs``,
``pman_core.masking``, ``pman_core.names``, ``pman_core.paging``, ``pman_core.request``,
``pman_core.serial``, ``pman_core.service``, ``pman_core.settings``, ``pman_core.storage`` and
``pman_core.testing``. What starts pman otherwise than by ``pman serve`` imports ``pman_core.app``,
``pman_core.cli`` and ``pman_core.log_lines``. Other modules may change in any release. A job holds
all that the core's own settings say of it: a backend reads these only to tell an operator what they
mean for it.
"""

from pman_core.capabilities import Capabilities, Deviation, Option
from pman_core.hookspecs import hookimpl
from pman_core.info import JobFilter, JobInfo, JobPage, Reason, Status
from pman_core.job import Job, Resources, User
from pman_core.mounts import ClaimPath, HostPath, Mount, NfsPath, Source, VolumePath
from pman_core.storage import Storage

__all__ = [
    "Capabilities",
    "ClaimPath",
    "Deviation",
    "HostPath",
    "Job",
    "JobFilter",
    "JobInfo",
    "JobPage",
    "Mount",
    "NfsPath",
    "Option",
    "Reason",
    "Resources",
    "Source",
    "Status",
    "Storage",
    "User",
    "VolumePath",
    "hookimpl",
]
