"""Every error that pman raises, split by who must act.

::

    PmanError
    ├── ConfigurationError          the operator must act; raised at start only
    │   ├── SettingsError           a variable is missing, malformed or contradicts another
    │   ├── BackendNotFoundError    no installed distribution offers the wanted backend
    │   └── PluginLoadError         an installed plugin is broken or incomplete
    ├── ClientError                 the client must change the request
    │   ├── InvalidJobError         sent again unchanged it will fail again
    │   ├── UnsupportedError        this backend cannot honour an option of the request
    │   ├── UnknownJobError         no job of this pman has that id
    │   ├── JobExistsError          another request already has that id
    │   └── NameTakenError          something that pman did not create has the job's name
    ├── AccessError                 the client must show other credentials, or wait
    │   ├── UnauthenticatedError    it showed none, or none that are valid now
    │   ├── ForbiddenError          its role may not do that
    │   └── TooManyRequestsError    it asked too often
    ├── EngineUnavailableError      time will mend it: the engine is down, slow or overloaded
    └── PluginFaultError            the author of a plugin must act: it broke the contract

A backend raises the client errors and ``EngineUnavailableError``, and nothing else. No error shows
the user and the password of an address: see ``logins.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pman_core.kit.logins import without_logins


class PmanError(Exception):
    """The root of all errors that pman raises on purpose."""

    def __init__(self, *words: object) -> None:
        super().__init__(
            *(without_logins(word) if isinstance(word, str) else word for word in words)
        )


class ConfigurationError(PmanError):
    """pman cannot start as it is configured; the operator must act."""


class SettingsError(ConfigurationError):
    """One or more settings are wrong; ``problems`` holds one sentence for each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems: tuple[str, ...] = tuple(dict.fromkeys(map(without_logins, problems)))
        super().__init__("\n".join(self.problems))


class BackendNotFoundError(ConfigurationError):
    """No installed distribution offers the backend that ``CONTAINER_ENV`` names."""


class PluginLoadError(ConfigurationError):
    """An installed plugin cannot be loaded, or lacks a required hook."""


class ClientError(PmanError):
    """A request that cannot be done; the client must change it.

    :param message: what is wrong and what to do, for a person.
    :param faults: the same for each field of the request, where fields are to blame.
    """

    def __init__(self, message: str = "", faults: Mapping[str, str] | None = None) -> None:
        self.faults: Mapping[str, str] = {
            field: without_logins(text) for field, text in (faults or {}).items()
        }
        listed = "; ".join(f"{field}: {text}" for field, text in self.faults.items())
        super().__init__(message or listed)


class InvalidJobError(ClientError):
    """The request is malformed, or can never run here."""


class UnsupportedError(ClientError):
    """The selected backend cannot honour an option that the request asks for."""


class UnknownJobError(ClientError):
    """No job of this pman has that id."""

    def __init__(self, jid: str) -> None:
        self.jid = jid
        super().__init__(f"no job found with jid {jid!r}")


class JobExistsError(ClientError):
    """A job with that id exists, and was made from another request."""

    def __init__(self, jid: str) -> None:
        self.jid = jid
        super().__init__(
            f"a job with jid {jid!r} exists already and was made from another request; "
            "use another jid, or remove that job first"
        )


class NameTakenError(ClientError):
    """The engine holds an object of the job's name that pman did not create."""

    def __init__(self, jid: str, name: str) -> None:
        self.jid = jid
        super().__init__(
            f"job {jid!r} cannot be created: the engine already has an object named {name!r} "
            "that this pman did not create; use another jid, or remove that object by hand"
        )


class AccessError(PmanError):
    """A request that its sender may not make; the request itself may be right."""


class UnauthenticatedError(AccessError):
    """The request has no credentials, or none that are valid now.

    :param message: what to do, where that is not to send a token.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(
            message
            or 'this request needs a valid token: send it as "Authorization: Bearer TOKEN", or as '
            "the password of HTTP Basic"
        )


class ForbiddenError(AccessError):
    """The role of who asks does not allow that."""


class TooManyRequestsError(AccessError):
    """Who asks made more requests than the operator allows.

    :param retry_after_s: seconds after which the next request is allowed.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class EngineUnavailableError(PmanError):
    """The engine did not answer in time, or said that it cannot serve now.

    :param retry_after_s: seconds after which the engine asked to be tried again, if it did.
    """

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class PluginFaultError(PmanError):
    """A plugin broke its contract while a request was served."""
