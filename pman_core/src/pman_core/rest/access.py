"""Lets a request in only if it is known who sent it."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask, g, has_request_context, request
from werkzeug.exceptions import HTTPException

from pman_core._internal.authentication import Authenticator
from pman_core.contract.access import UNRESTRICTED, Client, Principal
from pman_core.contract.errors import AccessError, UnauthenticatedError
from pman_core.kit.routes import is_open_to_all

#: Where the server keeps, in the scope of a request, who sent it; it asks before it reads the body.
SCOPE_KEY = "pman.principal"

#: Where the application keeps who authenticates, for the server.
AUTHENTICATOR = "pman.authenticator"

#: Answers who sent a request; ``None``: nobody who is known, and the view is open to all.
Gate = Callable[[Client, Callable[..., object] | None], Principal | None]


def gate_of(authenticator: Authenticator) -> Gate:
    """What every request has to go through."""

    def gate(client: Client, view: Callable[..., object] | None) -> Principal | None:
        """:raises AccessError: it is not let in."""
        try:
            return authenticator.principal(client)
        except AccessError:
            if view is not None and is_open_to_all(view):
                return None
            raise

    return gate


def install_access(app: Flask, authenticator: Authenticator) -> None:
    """Send each request through a gate, also where its address is none that pman has."""
    app.extensions[AUTHENTICATOR] = authenticator
    gate = gate_of(authenticator)

    @app.before_request
    def _authenticate() -> None:
        scope = request.environ.get("asgi.scope", {})
        if SCOPE_KEY in scope:
            g.principal = scope[SCOPE_KEY]
        else:
            g.principal = gate(_client(), app.view_functions.get(request.endpoint or ""))


def principal_now() -> Principal:
    """Who sent the request that is served now; pman itself where none is.

    :raises UnauthenticatedError: it is not known, since the route is open to all.
    """
    if not has_request_context():
        return UNRESTRICTED
    if g.principal is None:
        raise UnauthenticatedError
    found: Principal = g.principal
    return found


def is_known() -> bool:
    """Whether it is known who sent the request that is served now."""
    return g.principal is not None


def view_of(app: Flask) -> Callable[[str, str], Callable[..., object] | None]:
    """Finds the view of a path and a method; ``None`` if there is none."""
    urls = app.url_map.bind("")

    def find(path: str, method: str) -> Callable[..., object] | None:
        try:
            endpoint, _ = urls.match(path, method)
        except HTTPException:  # no such path or method, or another form of the path
            return None
        found: Callable[..., object] = app.view_functions[endpoint]
        return found

    return find


def _client() -> Client:
    """The client, where another server than pman's own serves pman."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Client(headers=headers, address=request.remote_addr)
