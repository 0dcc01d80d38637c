"""What goes wrong: answers of the API, and ends of workflows."""

from __future__ import annotations

from collections.abc import Sequence


class ApiError(Exception):
    """An answer that is an error.

    :param kind: ``fail`` or ``error``, as Cromwell calls its two sorts.
    """

    def __init__(self, code: int, message: str, *, kind: str = "fail") -> None:
        super().__init__(message)
        self.code = code
        self.kind = kind
        self.message = message

    def body(self) -> dict[str, str]:
        """What the client gets."""
        return {"status": self.kind, "message": self.message}


class WorkflowError(Exception):
    """Ends a workflow as Failed.

    :param title: what went wrong in general; Cromwell's metadata has the causes below it.
    """

    def __init__(self, title: str, causes: Sequence[str] = ()) -> None:
        super().__init__(title, *causes)
        self.title = title
        self.causes = list(causes)

    def failures(self) -> list[dict[str, object]]:
        """The ``failures`` of the metadata."""
        below = [{"message": cause, "causedBy": []} for cause in self.causes]
        return [{"message": self.title, "causedBy": below}]


class ConfigError(Exception):
    """The configuration file cannot be used; ends the start."""
