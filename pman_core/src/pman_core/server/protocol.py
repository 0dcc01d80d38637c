"""Connections: how long and how large headers may be, and clients that read or send no more.

uvicorn 0.54 bounds none of this itself.
"""

from __future__ import annotations

import asyncio
from typing import Any

from httptools import HttpParserError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pman_core.server.refusals import RefusalError, headers_late, headers_too_large, not_http

#: Seconds for the headers of a request, from its first byte; and for the first byte at all.
HEADERS_S = 10.0

#: The request line and all headers together: four times what proxies let pass.
MOST_HEADER_BYTES = 32 * 1024

#: Seconds for which the rest of a body is read and dropped that was answered early: a client that
#: is cut off while it sends may lose the answer.
LINGER_S = 5.0

#: Seconds for which a client may take nothing of its answer.
STALL_S = 30.0

#: Seconds that an idle client has to end its side of TLS when the server stops.
GOODBYE_S = 1.0

#: Where the scope of a request has the certificate that its client proved to have.
CERTIFICATE_KEY = "pman.certificate"


class PmanProtocol(HttpToolsProtocol):
    """One connection."""

    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    _received_bytes = 0  # since the last request, where its headers have not ended
    _parsed_bytes = 0  # of the headers of this request
    _in_headers = True
    _in_message = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._set_timer(HEADERS_S, self._headers_are_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers with the connection."""
        self._unset_timer()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes before the end of the headers."""
        if self.transport.is_closing():
            return
        if self._in_headers:
            self._received_bytes += len(data)
        super().data_received(data)
        # The parser reports a header only when it is complete.
        if self._in_headers and self._received_bytes > MOST_HEADER_BYTES:
            self._refuse(headers_too_large(MOST_HEADER_BYTES))

    # ---------------------------------------------------------- the parser's callbacks

    def on_url(self, url: bytes) -> None:
        """A piece of the address, which the parser gives up on only beyond 64 KiB."""
        self._parsed_bytes += len(url)
        self._insist_on_size()
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._parsed_bytes += len(name) + len(value)
        self._insist_on_size()
        super().on_header(name, value)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope[CERTIFICATE_KEY] = self.transport.get_extra_info("peercert") or None
        self._in_message, self._parsed_bytes = True, 0
        self._set_timer(HEADERS_S, self._headers_are_late)

    def on_headers_complete(self) -> None:
        """The application takes over, and bounds the body."""
        self._in_headers, self._received_bytes = False, 0
        self._unset_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The whole request has come."""
        self._in_headers, self._in_message = True, False
        self._unset_timer()
        super().on_message_complete()

    # ----------------------------------------------------------------------- answers

    def on_response_complete(self) -> None:
        """An answer that came before its request had ended: read on, but not for long."""
        super().on_response_complete()
        if self._in_message:
            self._set_timer(LINGER_S, self._abort)

    def shutdown(self) -> None:
        """The server stops: a request that has not come whole is not waited for."""
        if self._in_message:
            self._abort()
        else:
            super().shutdown()
            if self.transport.is_closing():  # with TLS that waits for the other side
                self._set_timer(GOODBYE_S, self._abort)

    def pause_writing(self) -> None:
        """The client does not take its answer."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALL_S, self._abort)

    def resume_writing(self) -> None:
        """It does again."""
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Whatever the parser cannot read, or a callback does not take."""
        is_large = self._parsed_bytes > MOST_HEADER_BYTES
        self._refuse(headers_too_large(MOST_HEADER_BYTES) if is_large else not_http())

    # ------------------------------------------------------------------------ timers

    def _insist_on_size(self) -> None:
        if self._parsed_bytes > MOST_HEADER_BYTES:
            raise HttpParserError("too large")  # data_received calls send_400_response then

    def _headers_are_late(self) -> None:
        if self._in_message:
            self._refuse(headers_late(HEADERS_S))
        else:
            self.transport.close()  # nothing came at all

    def _refuse(self, refusal: RefusalError) -> None:
        """Answer in place of the application, which has not seen the request."""
        self._unset_timer()
        self.transport.write(refusal.on_the_wire())
        self.transport.close()

    def _abort(self) -> None:
        self.transport.abort()

    def _set_timer(self, seconds: float, call: Any) -> None:
        self._unset_timer()
        self._timer = self.loop.call_later(seconds, call)

    def _unset_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
