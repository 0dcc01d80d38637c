"""pman: one small REST request becomes a job on whatever scheduler a site has.

The folders say whom a module is for:

- ``pman_core.contract``: what authors of plugins read. The names below are from there.
- ``pman_core.kit``: what authors of plugins use.
- ``pman_core.testing``: what tests of plugins use.
- ``pman_core.app``, ``pman_core.cli``, ``pman_core.log_lines``: what starts pman.
- All others, ``_internal`` and ``rest`` among them, are pman itself. They may change in any
  release, and no plugin imports them.

A job holds all that the core's own settings say of it: a backend reads ``kit.core_settings`` only
to explain to an operator what they mean for it.
"""

from pman_core.contract.capabilities import Capabilities, Deviation, Option
from pman_core.contract.hookspecs import hookimpl
from pman_core.contract.info import JobFilter, JobInfo, JobPage, Reason, Status
from pman_core.contract.job import Job, Resources, User
from pman_core.contract.mounts import ClaimPath, HostPath, Mount, NfsPath, Source, VolumePath
from pman_core.contract.storage import Storage

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
