"""The ASGI application: lets requests in, reads them whole, and then takes a thread for Flask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from a2wsgi import WSGIMiddleware
from flask import Flask

from pman_core._internal.held_answers import HeldAnswer, holding
from pman_core._internal.rate import Rate
from pman_core.contract.access import Client, Principal
from pman_core.contract.errors import EngineUnavailableError, PmanError, UnauthenticatedError
from pman_core.kit.deadline import within
from pman_core.kit.routes import asks_no_engine
from pman_core.rest.access import AUTHENTICATOR, SCOPE_KEY, Gate, View, view_of
from pman_core.server.protocol import CERTIFICATE_KEY
from pman_core.server.refusals import (
    RefusalError,
    body_late,
    body_too_large,
    not_let_in,
    too_many_large_bodies,
)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

#: Seconds for the whole body of a request.
BODY_S = 60.0

#: A body beyond so many bytes is large. Of large ones only a few are held at once, so that clients
#: which stall after many megabytes cannot fill the memory.
LARGE_BYTES = 64 * 1024
LARGE_AT_ONCE = 4


#: So many wrong tokens may come from one address, at once and in each second after that.
WRONG_AT_ONCE = 10
WRONG_PER_SECOND = 0.5

#: Seconds after which each further one is answered.
SLOWED_S = 2.0

#: Threads for requests that need no engine.
THREADS_WITHOUT_ENGINE = 2


class ClientGoneError(Exception):
    """The client hung up before it had sent its request."""


def application(flask: Flask, threads: int, engine_timeout_s: float) -> Application:
    """Flask behind ASGI.

    :param threads: how many requests it works on at once.
    :param engine_timeout_s: seconds for a request that has come whole, for its wait for a thread
        and all that is asked of the engine for it.
    """
    most: int = flask.config["MAX_CONTENT_LENGTH"] - 1
    wsgi: Any = flask  # a2wsgi has types of its own for what WSGI is
    behind: Any = WSGIMiddleware(wsgi, workers=threads)
    # An engine that hangs holds all threads of the others.
    beside: Any = WSGIMiddleware(wsgi, workers=THREADS_WITHOUT_ENGINE)
    view = view_of(flask)
    entrance = Entrance(Gate(flask.extensions[AUTHENTICATOR]), engine_timeout_s)
    large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def serve(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await behind(scope, receive, send)  # type: ignore[no-any-return]
        found = view(scope["path"], scope["method"])
        body = Body(scope, receive, most, large)
        try:
            with within(engine_timeout_s):
                await entrance.let_in(scope, found)
            async with asyncio.timeout(BODY_S):
                await body.read()
        except ClientGoneError:
            return None
        except TimeoutError:
            return await _answer(body_late(BODY_S), send)
        except RefusalError as refusal:
            return await _answer(refusal, send)
        else:
            asks_engine = found and scope["method"] != "OPTIONS" and not asks_no_engine(found)
            pool = behind if asks_engine else beside
            # a2wsgi hands the context on to the thread
            with within(engine_timeout_s), holding() as held:
                return await pool(scope, body.replay, _held(send, held))  # type: ignore[no-any-return]
        finally:
            body.close()

    return serve


class Entrance:
    """Lets requests in, before their body is read and without a thread of Flask.

    Whoever guesses at tokens from one address is answered late: nobody else waits for that.
    """

    def __init__(self, gate: Gate, plugins_timeout_s: float) -> None:
        self._gate = gate
        self._plugins_timeout_s = plugins_timeout_s
        self._wrong = Rate(WRONG_PER_SECOND, WRONG_AT_ONCE / WRONG_PER_SECOND)

    async def let_in(self, scope: MutableMapping[str, Any], view: View | None) -> None:
        """Note in the scope who sent the request.

        :raises RefusalError: it is not let in.
        """
        client = _client(scope)
        try:
            found = scope[SCOPE_KEY] = await self._principal(client, view, scope["method"])
        except PmanError as error:
            if isinstance(error, UnauthenticatedError):
                await self._slow_guesses(client)
            raise not_let_in(error, scope["method"], scope["path"]) from error
        if found is None:  # an open view may show, too, whether a token is right
            await self._slow_guesses(client)

    async def _principal(self, client: Client, view: View | None, method: str) -> Principal | None:
        """:raises PmanError: the request is not let in."""
        if not self._gate.may_wait(client, view):
            return self._gate.principal(client, view, method)
        try:
            async with asyncio.timeout(self._plugins_timeout_s):
                return await asyncio.to_thread(self._gate.principal, client, view, method)
        except TimeoutError:
            raise EngineUnavailableError(
                f"who asks could not be found out in {self._plugins_timeout_s:g} s; try again later"
            ) from None

    async def _slow_guesses(self, client: Client) -> None:
        if "authorization" in client.headers and self._wrong.wait_s(client.address or ""):
            await asyncio.sleep(SLOWED_S)


def _client(scope: MutableMapping[str, Any]) -> Client:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin1").lower(), raw_value.decode("latin1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    address = scope["client"][0] if scope.get("client") else None
    return Client(headers, address, scope.get(CERTIFICATE_KEY))


class Body:
    """The body of one request, held in memory until it has come whole.

    :param most: bytes, beyond which it is refused.
    """

    def __init__(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,
        most: int,
        large: asyncio.Semaphore,
    ) -> None:
        self._receive, self._most, self._large = receive, most, large
        self._content = bytearray()
        self._has_slot = False
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        self._announced = int(lengths[0]) if lengths and lengths[0].isdigit() else 0

    async def read(self) -> None:
        """Read it whole.

        :raises RefusalError: it is too long, or too many are.
        :raises ClientGoneError: the client hung up.
        """
        await self._make_room(self._announced)
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            piece = message.get("body", b"")
            await self._make_room(len(self._content) + len(piece))
            self._content += piece
            if not message.get("more_body", False):
                return

    async def replay(self) -> Message:
        """The whole body at once, for the application behind."""
        content, self._content = bytes(self._content), bytearray()
        return {"type": "http.request", "body": content, "more_body": False}

    def close(self) -> None:
        """Let the next large body in."""
        if self._has_slot:
            self._large.release()
            self._has_slot = False

    async def _make_room(self, size: int) -> None:
        if size > self._most:
            raise body_too_large(self._most)
        if size > LARGE_BYTES and not self._has_slot:
            if self._large.locked():
                raise too_many_large_bodies()
            await self._large.acquire()
            self._has_slot = True


def _held(send: Send, held: HeldAnswer) -> Send:
    """Sends an answer when it is held back no longer."""

    async def later(message: Message) -> None:
        if held.seconds and message["type"] == "http.response.start":
            await asyncio.sleep(held.seconds)
        await send(message)

    return later


async def _answer(refusal: RefusalError, send: Send) -> None:
    start = {"status": refusal.status.value, "headers": refusal.headers()}
    await send({"type": "http.response.start", **start})
    await send({"type": "http.response.body", "body": refusal.body()})
