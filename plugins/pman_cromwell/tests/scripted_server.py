"""A server that answers what a test chose, in the form of Cromwell."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs


@attrs.define
class Script:
    """What the server answers, one after the other, and what it was asked.

    :param otherwise: the answer where there is no other left.
    :param drips: whether answers come a byte at a time, ten in a second.
    """

    answers: list[tuple[int, str] | None] = attrs.field(factory=list)
    drips: bool = False
    otherwise: tuple[int, str] | None = None
    asked: list[tuple[str, str, bytes]] = attrs.field(factory=list)
    credentials: list[str | None] = attrs.field(factory=list)
    url: str = ""

    def say(self, code: int, content: Any) -> None:
        text = content if isinstance(content, str) else json.dumps(content, indent=2)
        self.answers.append((code, text))

    def hang_up(self) -> None:
        self.answers.append(None)

    def methods(self) -> list[str]:
        return [method for method, _, _ in self.asked]


def fail(message: str, status: str = "fail") -> dict[str, str]:
    """The body of a refusal."""
    return {"status": status, "message": message}


@contextlib.contextmanager
def scripted() -> Iterator[Script]:
    """One server."""
    made = Script()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            made.asked.append((self.command, self.path, body))
            made.credentials.append(self.headers.get("Authorization"))
            answer = made.answers.pop(0) if made.answers else made.otherwise
            if answer is None:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(answer[0])
            self.end_headers()
            for byte in answer[1].encode():
                with contextlib.suppress(OSError):  # gone already
                    self.wfile.write(bytes([byte]))
                if made.drips:
                    time.sleep(0.1)

        do_GET = do_POST = do_PATCH = answer

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        made.url = f"http://127.0.0.1:{server.server_port}"
        yield made
        server.shutdown()
        thread.join()
