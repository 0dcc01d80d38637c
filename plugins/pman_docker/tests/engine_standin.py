"""Engines that are played: for answers that a real one gives seldom, and in the wrong moment."""

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs
from engine_kit import until

from pman_core import Job
from pman_core.kit.settings import load
from pman_docker.backend import DockerBackend, PodmanBackend
from pman_docker.client import Engine
from pman_docker.settings import HostSettings

Answer = tuple[int, object]

NEVER = "0001-01-01T00:00:00Z"
BEGIN = "2026-11-21T01:00:00Z"
#: When whatever was killed ended.
KILLED = "2026-11-21T01:30:00Z"

#: Asks for the version, which the client does before anything else.
_VERSION = re.compile(r"/version$")


@contextlib.contextmanager
def served(
    answer: Callable[[str, str, dict[str, Any]], Answer], title: Callable[[], str] = lambda: "x/1"
) -> Iterator[str]:
    """The address of a server that answers a method, a path and a body.

    :param title: what it says in each answer that it is.
    """
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            is_json = self.headers.get("Content-Type") == "application/json"
            asked = json.loads(body) if body and is_json else {}
            url = urlsplit(self.path)
            asked |= {key: values[0] for key, values in parse_qs(url.query).items()}
            with lock:
                code, content = answer(self.command, url.path, asked)
            data = b"" if code == 204 else json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = reply  # names of http.server

        def version_string(self) -> str:
            return title()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"tcp://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def engine_that_says(*answers: Answer) -> Iterator[Engine]:
    """An engine with these answers, one after the other; the last one stays."""
    left = list(answers)

    def answer(method: str, path: str, asked: dict[str, Any]) -> Answer:
        if _VERSION.search(path):
            return 200, {"ApiVersion": "1.41"}
        return left.pop(0) if len(left) > 1 else left[0]

    with served(answer) as address:
        yield Engine(load(HostSettings, {"ENGINE_TIMEOUT": "2"}), address)


@attrs.define
class Fault:
    """What the engine says instead, to requests that match, so many times."""

    request: re.Pattern[str]
    answer: Answer
    times: int
    quotes: bool = False


class Standin:
    """An engine that keeps containers, and fails as a test wants it."""

    def __init__(self, name: str = "docker") -> None:
        self.name = name
        self.version = "1"
        self.now = BEGIN
        #: The least and the greatest version of the API that it takes.
        self.versions = (24, 41)
        self.images = {"here:1"}
        #: The volumes, as it describes them.
        self.volumes: dict[str, dict[str, Any]] = {}
        self.image_labels: dict[str, dict[str, str]] = {}
        #: More of what it says of itself.
        self.info: dict[str, Any] = {}
        #: What the end of a pull says; without an error the image is there then.
        self.pulled: dict[str, str] = {"status": "Download complete"}
        self.containers: dict[str, dict[str, Any]] = {}
        #: Method, path and name of each request, in one word each.
        self.asked: list[str] = []
        #: The last request to create a container, as JSON.
        self.created = ""
        #: The name of each container that was started, each time.
        self.started: list[str] = []
        self._faults: list[Fault] = []
        self._made = 0

    def fail(self, request: str, words: str, code: int = 500, times: int = 1) -> None:
        """Refuse requests, which are ``METHOD path name``, that match."""
        self._faults.append(Fault(re.compile(request), (code, {"message": words}), times))

    def fail_quoting(self, request: str, words: str, code: int = 500, times: int = 1) -> None:
        """Likewise, with the body of the last create request after the words."""
        self.fail(request, words, code, times)
        self._faults[-1].quotes = True

    def mend(self) -> None:
        """Refuse nothing any more."""
        self._faults.clear()

    def title(self) -> str:
        """What it says in each answer that it is."""
        return f"{self.name}/{self.version}"

    def names(self) -> list[str]:
        return sorted(made["Name"] for made in self.containers.values())

    def count(self, request: str) -> int:
        """How many requests have matched."""
        return sum(re.search(request, asked) is not None for asked in self.asked)

    def answer(self, method: str, path: str, asked: dict[str, Any]) -> Answer:
        version = re.match(r"/v1\.(\d+)/", path)
        refusal = self._refuse_version(int(version[1])) if version else None
        if refusal:
            return refusal
        if self.name == "docker" and "/libpod/" in path:
            return 404, {"message": "page not found"}
        path = re.sub(r"^/v[\d.]+|/libpod", "", path)
        name = asked.get("name") or self._find(path).get("Name", "")
        self.asked.append(f"{method} {path} {name}")
        if path == "/containers/create":
            self.created = json.dumps(asked)
        for fault in self._faults:
            if fault.times and fault.request.search(self.asked[-1]):
                fault.times -= 1
                refused = self._quoting(fault) if fault.quotes else fault.answer
                self._keep(path, refused)
                return refused
        return self.reply(method, path, asked)

    def _quoting(self, fault: Fault) -> Answer:
        code, content = fault.answer
        assert isinstance(content, dict)
        return code, {"message": f"{content['message']}: {self.created}"}

    def _refuse_version(self, version: int) -> Answer | None:
        """In the words of Docker 20.10 and 26.1."""
        least, most = self.versions
        told = f"client version 1.{version} is too"
        if version > most:
            words = f"{told} new. Maximum supported API version is 1.{most}"
        elif version < least:
            words = f"{told} old. Minimum supported API version is 1.{least}, please upgrade"
        else:
            return None
        return 400, {"message": words}

    def reply(self, method: str, path: str, asked: dict[str, Any]) -> Answer:
        match path.split("/")[1:]:
            case ["version"]:
                part = "Podman Engine" if self.name == "podman" else "Engine"
                api = f"1.{self.versions[1]}"
                return 200, {
                    "ApiVersion": api,
                    "Version": self.version,
                    "Components": [{"Name": part}],
                }
            case ["_ping"]:
                return 200, "OK"
            case ["info"]:
                return 200, {"SystemTime": self.now, **self.info}
            case ["images", "create"]:
                if "error" not in self.pulled:
                    self.images.add(f"{asked['fromImage']}:{asked['tag']}")
                return 200, self.pulled
            case ["images", "load"]:
                self.images.add("localhost/pman-note:1")
                return 200, {"stream": "loaded"}
            case ["volumes", "create"]:
                labels, options = asked["Labels"], asked["DriverOpts"]
                made = {"Name": asked["Name"], "Labels": labels, "Options": options}
                return 201, self.volumes.setdefault(asked["Name"], made)
            case ["volumes", name] if name in self.volumes:
                return 200, self.volumes[name]
            case ["containers", "create"]:
                return self._create(asked)
            case ["images", image, "json"]:
                return 200, {"Config": {"Labels": self.image_labels.get(image)}}
            case ["containers", "json"]:
                wanted = json.loads(asked["filters"])["label"]
                return 200, [
                    self._summary(made)
                    for made in self.containers.values()
                    if {f"{key}={value}" for key, value in _labels(made).items()} >= set(wanted)
                ]
            case ["containers", _, *what]:
                return self._container(method, path, what)
        return 404, {"message": "page not found"}

    def _create(self, asked: dict[str, Any]) -> Answer:
        name, image = asked["name"], asked.get("Image") or asked["image"]
        if name in self.names():
            return 409, {"message": f'the container name "{name}" is already in use'}
        if image not in self.images:
            return 404, {"message": f"No such image: {image}"}
        self._made += 1
        self.containers[f"id{self._made}"] = {
            "Id": f"id{self._made}",
            "Name": name,
            "Created": self.now,
            "Image": image.replace("/", "-"),  # an id, in truth
            "Path": "true",
            "Args": [],
            "Config": {
                "Labels": asked.get("Labels") or asked["labels"],
                "Env": ["PATH=/usr/bin:/bin", *_env(asked)],
            },
            "State": {"Status": "created", "StartedAt": NEVER, "FinishedAt": NEVER},
        }
        return 201, {"Id": f"id{self._made}", "Warnings": []}

    def _container(self, method: str, path: str, what: list[str]) -> Answer:
        found = self._find(path)
        if not found:
            return 404, {"message": "No such container: x"}
        if what == ["json"]:
            return 200, found
        if what == ["start"]:
            self.started.append(found["Name"])
            found["State"] = {"Status": "running", "StartedAt": self.now, "FinishedAt": NEVER}
        if what == ["kill"] and found["State"]["Status"] == "running":
            self.end(found["Name"], 137)
        if method == "DELETE":
            del self.containers[found["Id"]]
        return 204, None

    def end(self, name: str, code: int, at: str = KILLED) -> None:
        """End what runs."""
        state = self._find(f"/containers/{name}")["State"]
        state |= {"Status": "exited", "ExitCode": code, "FinishedAt": at}

    def _keep(self, path: str, answer: Answer) -> None:
        """Docker keeps why a start failed, as Podman does since 5."""
        _, content = answer
        if self.name == "docker" and path.endswith("/start") and isinstance(content, dict):
            self._find(path)["State"] |= {"Error": content["message"], "ExitCode": 128}

    def _find(self, path: str) -> dict[str, Any]:
        parts = path.split("/")
        wanted = parts[2] if parts[1] == "containers" and len(parts) > 2 else None
        for made in self.containers.values():
            if wanted in (made["Id"], made["Name"]):
                return made
        return {}

    def _summary(self, made: dict[str, Any]) -> dict[str, Any]:
        return {
            "Id": made["Id"],
            "Names": [f"/{made['Name']}"],
            "Created": 0,
            "ImageID": made["Image"],
            "Labels": _labels(made),
            "State": made["State"]["Status"],
        }


def _env(asked: dict[str, Any]) -> list[str]:
    """What was asked for, in the words of either."""
    told = asked.get("Env") or asked.get("env") or ()
    return [f"{key}={value}" for key, value in told.items()] if isinstance(told, dict) else [*told]


def _labels(made: dict[str, Any]) -> dict[str, str]:
    return made["Config"]["Labels"] or {}


@attrs.define
class Play:
    """A played engine, and a pman that talks to it."""

    engine: Standin
    pman: DockerBackend

    def until_quiet(self) -> None:
        """Wait until pman goes on with no job any more."""
        until(lambda: self.pman._reconciler._starter._busy, lambda busy: not busy)


@contextlib.contextmanager
def play(name: str = "docker", **environ: str) -> Iterator[Play]:
    """pman on an engine that is played."""
    engine = Standin(name)
    backend = {"docker": DockerBackend, "podman": PodmanBackend}[name]
    with served(engine.answer, engine.title) as address:
        made = Play(engine, backend({"DOCKER_HOST": address, "ENGINE_TIMEOUT": "5", **environ}))
        try:
            yield made
        finally:
            made.until_quiet()


def job(jid: str = "aa", image: str = "here:1", **env: str) -> Job:
    """A job; of ``far:1`` it must be pulled."""
    return Job(jid=jid, image=image, argv=("true",), env=env, fingerprint=f"v1-{jid}")
