"""What becomes of answers that a real engine gives seldom, in the wrong moment."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pman_core.errors import EngineUnavailableError
from pman_core.settings import load
from pman_docker.engine import Engine
from pman_docker.errors import NotThere, Refused
from pman_docker.settings import HostSettings

Answer = tuple[int, object]

#: As Podman 4.3.1 says it where a process ends while it is looked at.
ENDS = (500, {"message": "read /proc/2255/cgroup: no such process"})
BROKEN = (500, {"message": "database disk image is malformed"})
GONE = (404, {"message": "No such container: x"})
FOUND = (200, {"Id": "i"})


@contextlib.contextmanager
def engine_that_says(*answers: Answer) -> Iterator[Engine]:
    """An engine with these answers, one after the other; the last one stays."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            code, content = 200, {"ApiVersion": "1.41"}
            if not self.path.endswith("/version"):
                code, content = left.pop(0) if len(left) > 1 else left[0]  # type: ignore[assignment]
            data = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_DELETE = answer

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        settings = load(HostSettings, {"ENGINE_TIMEOUT": "2"})
        yield Engine(settings, f"tcp://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


def test_a_container_that_ends_while_it_is_looked_at_is_looked_at_again() -> None:
    with engine_that_says(ENDS, ENDS, FOUND) as engine:
        assert engine.inspect("x") == FOUND[1]


def test_a_removal_waits_for_one_that_is_under_way() -> None:
    busy = (409, {"message": "removal of container x is already in progress"})
    with engine_that_says(busy, ENDS, GONE) as engine:
        engine.remove_wholly("x")
    with engine_that_says(busy) as engine, pytest.raises(Refused, match="already in progress"):
        engine.remove_wholly("x")


LOOKS: dict[str, Callable[[Engine], object]] = {
    "inspect": lambda engine: engine.inspect("x"),
    "labelled": lambda engine: engine.labelled("x"),
    "now": lambda engine: engine.now(),
    "ping": lambda engine: engine.ping(),
    "facts": lambda engine: engine.facts(),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("answer", [BROKEN, ENDS], ids=["broken", "ends"])
def test_an_engine_that_cannot_look_is_not_there_for_now(look: str, answer: Answer) -> None:
    """It says nothing of the job: nobody writes down an end."""
    words = str(answer[1]["message"])  # type: ignore[index]
    with (
        engine_that_says(answer) as engine,
        pytest.raises(EngineUnavailableError, match=f"cannot tell: .*{words}"),
    ):
        LOOKS[look](engine)


def test_what_is_not_there_is_told_as_such() -> None:
    with engine_that_says(GONE) as engine, pytest.raises(NotThere):
        engine.inspect("x")
