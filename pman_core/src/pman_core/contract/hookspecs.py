"""The contract between pman and its plugins: every hook, and what it promises.

A *backend* implements the hooks of :class:`BackendHooks`; those of :data:`REQUIRED` it must.
Any plugin may implement those of :class:`PluginHooks`. An *extension* may wrap the hooks of
a backend (``@hookimpl(wrapper=True)``), never implement them. No plugin may wrap the hooks of
:class:`PluginHooks`: those are called for one plugin at a time, so a wrapper would not see what
it wraps.

Implementations may take fewer arguments than a hook has. Growth: a new argument or a new
optional hook is a minor release; a new required hook or a changed meaning is a major one.

Backend hooks may raise the client errors of :mod:`pman_core.contract.errors` and
``EngineUnavailableError``, and nothing else; each call to an engine has a time-out. No hook
but ``pman_watch`` may wait for a job.

The messages of these errors reach clients and logs, so they must never quote a value of a job's
environment: CUBE sends tokens there. Beware of an engine's own messages, which may.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pluggy

from pman_core.contract.access import Client, Principal
from pman_core.contract.capabilities import Capabilities
from pman_core.contract.feed import News
from pman_core.contract.info import JobFilter, JobInfo, JobPage
from pman_core.contract.job import Job
from pman_core.contract.storage import Storage

if TYPE_CHECKING:
    from flask import Blueprint

    from pman_core.contract.service import Service

PROJECT = "pman"

hookspec = pluggy.HookspecMarker(PROJECT)

#: Marks the methods of a plugin that implement hooks.
hookimpl = pluggy.HookimplMarker(PROJECT)

#: What a backend must implement.
REQUIRED = (
    "pman_submit",
    "pman_status",
    "pman_logs",
    "pman_cancel",
    "pman_remove",
    "pman_list",
    "pman_ping",
    "pman_capabilities",
)

#: What a backend may implement besides.
OPTIONAL = ("pman_validate", "pman_resume", "pman_watch")


class BackendHooks:
    """What pman asks of the one backend that is selected."""

    @hookspec(firstresult=True)
    def pman_submit(self, job: Job) -> JobInfo:
        """Fires for each accepted request. Hand ``job`` to the engine and return at once.

        Afterwards the job exists in the engine and outlives pman. Where ``job.jid`` exists
        already, nothing is created and the existing job is returned, with the fingerprint
        that it was created with: whether that is a retry, only the core decides. Of several
        calls at once, in one process or in many, one creates the job.

        An image that must be pulled is not waited for. What the engine refuses for good (no
        such executable, no such directory) is a job that failed, not an error, where the
        engine finds out after it took the job.

        :raises InvalidJobError: the engine refused the job and will refuse it again.
        :raises NameTakenError: the engine has a foreign object of the job's name.
        :raises EngineUnavailableError: the engine does not answer; the core calls again.
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def pman_status(self, jid: str) -> JobInfo:
        """Fires for each poll of a job: keep it cheap. Tell its state as it is now.

        :raises UnknownJobError: there is no such job, or it is not of this pman instance.
        :raises EngineUnavailableError: the engine does not answer.
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def pman_logs(self, info: JobInfo, tail_lines: int, max_bytes: int) -> bytes:
        """Fires after ``pman_status``. The end of what the job wrote to stdout and stderr.

        Both streams together, each exact, while the job runs and after it ended; nothing for
        one that has not begun, or one line in brackets that says what it waits for. Several
        workers one after the other, each under a header and with its share of the lines and
        bytes, as :func:`pman_core.kit.logs.tail_of_workers` puts them together.

        :param info: what ``pman_status`` or ``pman_submit`` returned.
        :param tail_lines: how many lines at most, counted from the end.
        :param max_bytes: how many bytes at most, counted from the end; hold no more in
            memory (:func:`~pman_core.kit.logs.tail`).
        :raises UnknownJobError: the job has been removed since.
        :raises EngineUnavailableError: the engine does not answer.
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def pman_cancel(self, jid: str) -> JobInfo:
        """Fires for each cancellation. End the job, and keep it with its log.

        Afterwards the job has ended, and nothing of it runs on. One that ran or waited has
        failed, with the reason ``cancelled``, the message "cancelled" and no exit code; one that
        waited never starts. One that had ended before stays as it was, a cancelled one too, so
        that this can be repeated. Note the end where a new process finds it before the engine is
        asked to end the job: a pman that is killed in between must not leave a job that failed for
        another reason. Where a job ends by itself meanwhile, either end may be reported, but always
        the same one.

        :return: the job as it ended.
        :raises UnknownJobError: there is no such job, or it is not of this pman instance.
        :raises EngineUnavailableError: the engine does not answer, or did not end it in time.
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def pman_remove(self, jid: str) -> bool:
        """Fires for each removal. End the job if it runs, and delete it from the engine.

        Afterwards nothing of it runs on, nothing of it is visible through this contract, and
        its id can be used again at once. A job that is half removed is removed wholly.

        :return: whether there was such a job; removing one twice is no error.
        :raises EngineUnavailableError: the engine does not answer.
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def pman_list(self, job_filter: JobFilter, limit: int, cursor: str | None) -> JobPage:
        """Fires for each page of a list. The jobs of this pman instance that match.

        A job that exists while all pages are read is in exactly one of them, whatever is
        created or removed meanwhile. A page may hold fewer jobs than ``limit``, even none;
        only a page without a cursor is the last.

        :param limit: how many jobs at most.
        :param cursor: from the page before; ``None`` for the first page.
        :raises InvalidJobError: with the fault ``cursor``: it is none that this backend made, or
            has expired.
        :raises EngineUnavailableError: the engine does not answer.
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def pman_ping(self) -> str:
        """Fires for ``pman check``. Ask the engine whether it can take jobs now.

        :return: the engine's name and version, for a person; further lines are what an operator
            should note.
        :raises EngineUnavailableError: it cannot, and why.
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def pman_capabilities(self) -> Capabilities:
        """Fires once, at start. What this backend refuses, and what it does less well.

        It must not need the engine, and never changes while pman runs.
        """
        raise NotImplementedError

    @hookspec
    def pman_validate(self, job: Job) -> None:
        """Optional. Fires at start with a sample job, and before and after admission.

        Can this job run here, as far as is known without asking the engine? Label syntax,
        smallest memory limit, form of the user, names of environment variables.

        :raises InvalidJobError: it can never run here.
        :raises UnsupportedError: it asks for what this backend cannot do.
        """

    @hookspec(firstresult=True)
    def pman_resume(self) -> float | None:
        """Optional. Fires when a pman process begins to serve, in a thread of its own, again when
        the engine answers after it did not, and again when the answer asks for it.

        Go on with what an earlier process left undone when it was killed, and what this one left
        when the engine went away: a job whose image was being pulled, say. Other processes may do
        the same at the same time.

        :return: the seconds after which to call again, where something may yet turn out to be left
            undone: a job that another process may still be starting, say. ``None``: nothing is.
        :raises EngineUnavailableError: the engine does not answer; the core calls again later.
        """

    @hookspec(firstresult=True)
    def pman_watch(self, freshness_s: float) -> Iterator[News]:
        """Optional. Fires in each pman process that answers from what it yields, and again whenever
        that ends. A backend that has it declares ``Capabilities.freshness_s``.

        Yield the feed of the jobs of this instance, as :mod:`pman_core.contract.feed` says: all
        jobs, then what changes, and marks. Each job is as ``pman_status`` would return it. A mark
        must be true: where you cannot know that nothing was missed, end the feed, and begin anew
        with all jobs when you are called again. While the engine does not answer there are no
        marks. The cost must not grow with the number of jobs that have ended.

        :param freshness_s: how old the last mark may become while all goes well, in seconds.
        :raises EngineUnavailableError: the feed broke; the core calls again later.
        """
        raise NotImplementedError


class PluginHooks:
    """What any plugin may do: the backend, and every installed extension."""

    @hookspec
    def pman_resolve_storage(self, storage_type: str, environ: Mapping[str, str]) -> Storage | None:
        """Fires once, at start. The storage of that type, or ``None`` if it is not yours.

        Exactly one plugin must answer. Do not ask an engine here: :class:`Storage` does that
        when a job needs it.

        :raises SettingsError: a variable that this storage needs is missing or wrong.
        """

    @hookspec
    def pman_authenticate(self, client: Client) -> Principal | None:
        """Fires for each request that shows no token of pman's own, unless its route is open.

        Say who asks, or ``None`` where you do not know: then the next plugin is asked. Once a
        plugin implements this, a request that nobody knows is refused (401). Keep it cheap: each
        poll pays for it. Headers come from the client: take those of a proxy only from the
        proxy's own address. If this raises anything else, the request is refused (500).

        :raises UnauthenticatedError: the client shows credentials of this kind that are not valid.
        :raises EngineUnavailableError: what has to be asked for it does not answer (503).
        """

    @hookspec
    def pman_admit(self, job: Job, service: Service) -> Job | None:
        """Fires before a job goes to the backend. Change or refuse it.

        Return the job, changed with :func:`attrs.evolve` or as it was; ``None`` means as it
        was. Id and fingerprint must stay. The result is validated again. If this raises
        anything but the errors below, the job is not submitted either (500). A request that has
        made its job already finds it, whatever this says now.

        :param service: all jobs of this pman, to look at; it acts for pman itself, not for who
            asks. Who that is, is the owner of the job.
        :raises InvalidJobError: the job is refused (400); the client sees the message.
        :raises TooManyRequestsError: it is refused for now (429); likewise.
        :raises EngineUnavailableError: what has to be asked for it does not answer (503).
        """

    @hookspec
    def pman_submitted(self, job: Job, info: JobInfo) -> None:
        """Fires after a job was accepted, also when a client repeated its request.

        It does not fire for a repeated request that would be refused if it were new.
        """

    @hookspec
    def pman_removed(self, jid: str) -> None:
        """Fires after a job was removed."""

    @hookspec
    def pman_finished(self, info: JobInfo) -> None:
        """Fires when this pman process first sees the end of a job.

        That is at least once for each process that sees it, be it by a client's poll or by
        ``pman_watch``. What an observer raises is logged and fails no request.
        """

    @hookspec
    def pman_routes(self, service: Service) -> Blueprint:
        """Fires once, at start. A Flask blueprint with routes of your own.

        :param service: what the routes of ``/api/v1/`` use themselves; its errors become answers.
        """
        raise NotImplementedError
