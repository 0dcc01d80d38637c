"""Lets a request in only if it is known who sent it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextvars import ContextVar
from typing import cast

import attrs
from flask import Flask, Response, current_app, g, has_request_context, request
from werkzeug.exceptions import HTTPException

from pman_core._internal.authentication import Authenticator
from pman_core.contract.access import UNRESTRICTED, Client, Principal
from pman_core.contract.errors import UnauthenticatedError
from pman_core.kit.routes import is_open_to_all
from pman_core.rest.pages import refuse_foreign_page

#: Where the server keeps, in the scope of a request, who sent it; it asks before it reads the body.
SCOPE_KEY = "pman.principal"

#: Where the application keeps who authenticates, for the server.
AUTHENTICATOR = "pman.authenticator"

View = Callable[..., object]

#: For whom the piece of a stream is made that is made now, outside of all requests.
_asked_by: ContextVar[Principal | None] = ContextVar("pman_asked_by", default=UNRESTRICTED)


@attrs.frozen
class Gate:
    """What every request has to go through."""

    authenticator: Authenticator

    def principal(self, client: Client, view: View | None, method: str) -> Principal | None:
        """Who sent a request; ``None``: it is not known, and the view is open to all.

        No plugin is asked for an open view: whether pman is alive is nothing that another server
        should decide.

        :raises PmanError: the request is not let in.
        """
        local = self.authenticator.is_local_only
        refuse_foreign_page(client, method, is_local_only=local)
        if _is_open(view):
            return self.authenticator.known(client)
        return self.authenticator.principal(client)

    def may_wait(self, client: Client, view: View | None) -> bool:
        """Whether that may take its time."""
        return not _is_open(view) and self.authenticator.asks_plugins(client)


def _is_open(view: View | None) -> bool:
    return view is not None and is_open_to_all(view)


def install_access(app: Flask, authenticator: Authenticator) -> None:
    """Send each request through a gate, also where its address is none that pman has."""
    app.extensions[AUTHENTICATOR] = authenticator
    gate = Gate(authenticator)

    @app.before_request
    def _authenticate() -> None:
        scope = request.environ.get("asgi.scope", {})
        if SCOPE_KEY in scope:
            g.principal = scope[SCOPE_KEY]
        else:
            view = app.view_functions.get(request.endpoint or "")
            g.principal = gate.principal(_client(), view, request.method)

    @app.after_request
    def _stay_who_asks(answer: Response) -> Response:
        """A stream of an extension is made after its view has returned."""
        if answer.is_streamed and not answer.direct_passthrough:
            pieces = cast(Iterable[bytes], answer.response)
            answer.response = _made_for(g.get("principal"), pieces)
        return answer


def _made_for(principal: Principal | None, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same pieces; each is made for that principal, and not for pman itself."""
    left = iter(pieces)
    try:
        while True:
            with _asked(principal):
                piece = next(left, None)
            if piece is None:
                return
            yield piece
    finally:
        if isinstance(pieces, Generator):
            with _asked(principal):
                pieces.close()


@contextlib.contextmanager
def _asked(principal: Principal | None) -> Iterator[None]:
    before = _asked_by.set(principal)
    try:
        yield
    finally:
        _asked_by.reset(before)


def principal_now() -> Principal:
    """Who sent the request that is served now; pman itself where none is.

    :raises UnauthenticatedError: it is not known, since the route is open to all.
    """
    found: Principal | None = g.principal if has_request_context() else _asked_by.get()
    if found is None and has_request_context():
        authenticator: Authenticator = current_app.extensions[AUTHENTICATOR]
        raise authenticator.unknown()
    if found is None:
        raise UnauthenticatedError
    return found


def is_known() -> bool:
    """Whether it is known who sent the request that is served now."""
    return g.principal is not None


def view_of(app: Flask) -> Callable[[str, str], View | None]:
    """Finds the view of a path and a method; ``None`` if there is none."""
    urls = app.url_map.bind("")

    def find(path: str, method: str) -> View | None:
        try:
            endpoint, _ = urls.match(path, method)
        except HTTPException:  # no such path or method, or another form of the path
            return None
        found: View = app.view_functions[endpoint]
        return found

    return find


def _client() -> Client:
    """The client, where another server than pman's own serves pman."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Client(headers=headers, address=request.remote_addr)
