"""The image of pman and the Compose files, brought up on this machine's Docker Engine."""

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import requests

from pman_core.testing.pytest_plugin import Engines

ROOT = Path(__file__).parent.parent
BASE = os.environ.get("PMAN_TEST_IMAGE", "localhost/pman-test:1")
HOST = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
SOCKET = Path(HOST.removeprefix("unix://"))
INSTANCE_LABEL = "pman.chrisproject.org/instance"
COMPOSE = (["docker", "compose"], ["docker-compose"])

pytestmark = pytest.mark.timeout(600)  # pip fetches wheels for the image


def run(*words: str | Path, **variables: str) -> str:
    """What a command prints; the test fails with all that it said if it fails."""
    environ = {**os.environ, **variables}
    done = subprocess.run(words, capture_output=True, text=True, env=environ, timeout=500)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def succeeds(*words: str) -> bool:
    try:
        return subprocess.run(words, capture_output=True, timeout=60).returncode == 0
    except FileNotFoundError:
        return False


def compose_command() -> list[str] | None:
    return next((words for words in COMPOSE if succeeds(*words, "version")), None)


def why_missing() -> str | None:
    """Why these tests cannot run here; ``None`` if they can."""
    if not HOST.startswith("unix://"):
        return f"the engine at {HOST} is not on a socket of this machine"
    if not succeeds("docker", "image", "inspect", BASE):
        return f"docker has no image {BASE}, or does not answer; run engines/up docker"
    if compose_command() is None:
        return "there is no docker compose; install docker-compose or docker-compose-plugin"
    return None


def wait_until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    """The first answer of the condition that is true."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
    return answer


@attrs.frozen
class Machine:
    """One pman, brought up by Compose, and the names of all that belongs to it.

    :param folder: the tree whose Compose files are used.
    :param files: which of them.
    :param session: asks it as pfcon does, with its token as a password.
    """

    name: str
    image: str
    folder: Path
    files: tuple[Path, ...]
    session: requests.Session = attrs.field(factory=requests.Session)

    def compose(self, *words: str) -> str:
        command = compose_command()
        assert command is not None
        files = [word for file in self.files for word in ("-f", str(file))]
        return run(
            *command,
            *("-p", self.name, *files, *words),
            PMAN_IMAGE=self.image,
            STOREBASE_VOLUME=self.name,
            PMAN_PORT="0",
            DOCKER_SOCKET=str(SOCKET),
            DOCKER_GID=str(SOCKET.stat().st_gid),
        )

    def new_token(self) -> str:
        """A token of the name of this machine, made before there is a container."""
        return self.compose("run", "--rm", "-T", "pman", "token", "new", self.name)

    def up(self) -> None:
        self.compose("up", "-d", "--no-build")

    def down(self) -> None:
        mine = f"label={INSTANCE_LABEL}={self.name}"
        jobs = run("docker", "ps", "-aq", "--filter", mine).split()
        if jobs:
            run("docker", "rm", "-f", *jobs)
        self.compose("down", "-v", "--timeout", "5")

    @property
    def container(self) -> str:
        return self.compose("ps", "-q", "pman")

    def inspect(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run("docker", "inspect", self.container))[0]
        return found

    def is_healthy(self) -> bool:
        return bool(self.inspect()["State"]["Health"]["Status"] == "healthy")

    @property
    def url(self) -> str:
        return f"http://{self.compose('port', 'pman', '5010')}/api/v1/"

    def answer(self, url: str) -> dict[str, Any]:
        """An answer of pman; empty while it does not answer."""
        try:
            found: dict[str, Any] = self.session.get(url, timeout=10).json()
        except (requests.ConnectionError, requests.Timeout):
            return {}
        return found

    def python(self, program: str) -> str:
        """What a Python program prints that sees the storebase as ``/data``."""
        volume = f"{self.name}:/data"
        limits = ("--rm", "--memory", "64m", "--network", "none")
        return run(
            *("docker", "run", *limits, "-v", volume, "--entrypoint", "python3"),
            BASE,
            "-c",
            program,
        )


@pytest.fixture(scope="module")
def image(engines: Engines) -> Iterator[str]:
    engines.need("docker", why_missing())
    name = f"localhost/pman-deploy-test:{uuid.uuid4().hex[:12]}"
    # All images that are made from a base with this label have it too, so they can be found.
    label = f"pman.test={name}"
    base = f"{name}-base"
    try:
        subprocess.run(
            ["docker", "build", "--label", label, "-t", base, "-"],
            input=f"FROM {BASE}",
            check=True,
            text=True,
            capture_output=True,
        )
        run(ROOT / "deploy/build-offline", base, "-t", name, BACKENDS="docker")
        yield name
    finally:
        mine = ("docker", "image", "ls", "-q", "--no-trunc", "--filter", f"label={label}")
        # Children before their parents, of which some go with them.
        for found in dict.fromkeys(run(*mine).split()):
            succeeds("docker", "image", "rm", "-f", found)
        assert run(*mine) == ""


def brought_up(
    image: str, folder: Path, own: Path, *files: str, token: bool = True
) -> Iterator[Machine]:
    """A machine that is gone afterwards, in any case.

    :param own: an empty folder for a Compose file of this test.
    :param token: whether its clients need one.
    """
    name = f"pman-test-{uuid.uuid4().hex[:12]}"
    ours = own / "compose.test.yaml"
    # The instance distinguishes its jobs from those of every other pman on this engine.
    ours.write_text(f"services: {{pman: {{environment: {{INSTANCE: {name}}}}}}}\n")
    paths = (*(folder / "deploy" / file for file in files), ours)
    machine = Machine(name, image, folder, paths)
    try:
        if token:
            machine.session.auth = ("pfcon", machine.new_token())
        machine.up()
        yield machine
    finally:
        machine.down()


@pytest.fixture(scope="module")
def machine(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    yield from brought_up(image, ROOT, tmp_path_factory.mktemp("deploy"), "compose.yaml")


def runs_a_job(machine: Machine) -> None:
    """A job reads what is in the volume, and writes its answer there."""
    machine.python("import os; os.makedirs('/data/in'); os.makedirs('/data/out')")
    machine.python("open('/data/in/greeting.txt', 'w').write('hello')")
    program = (
        "import sys; from pathlib import Path; given, wanted = map(Path, sys.argv[1:]);"
        "(wanted / 'answer.txt').write_text((given / 'greeting.txt').read_text().upper())"
    )
    wanted = {
        "jid": "deploy-1",
        "image": BASE,
        "type": "ds",
        "auid": "me",
        "entrypoint": ["python3", "-c", program],
        "args": [],
        "number_of_workers": 1,
        "cpu_limit": 500,
        "memory_limit": 64,
        "gpu_limit": 0,
        "input_dir": "in",
        "output_dir": "out",
    }
    url = machine.url
    answered = machine.session.post(url, json=wanted, timeout=60)
    assert answered.status_code == 201, answered.text

    def ended() -> dict[str, Any] | None:
        job = machine.answer(f"{url}deploy-1/")
        return job if job["status"].startswith("finished") else None

    job = wait_until(ended)
    assert job["status"] == "finishedSuccessfully", job
    assert machine.python("print(open('/data/out/answer.txt').read())") == "HELLO"
    assert job["owner"] == (machine.name if machine.session.auth else None)
    assert machine.session.delete(f"{url}deploy-1/", timeout=60).status_code == 204


def test_it_becomes_healthy_and_runs_a_job_on_the_data_of_the_volume(machine: Machine) -> None:
    wait_until(machine.is_healthy)
    runs_a_job(machine)


def test_who_has_no_token_gets_nothing(machine: Machine) -> None:
    wait_until(machine.is_healthy)
    for auth in (None, ("pfcon", "wrong")):
        assert requests.get(f"{machine.url}jobs/", auth=auth, timeout=60).status_code == 401
        assert requests.post(machine.url, auth=auth, json={}, timeout=60).status_code == 401
    # What FNNDSC's chart probes.
    probed = requests.get(machine.url, timeout=60)
    assert (probed.status_code, probed.json()) == (200, {})


def test_a_token_that_is_made_while_it_runs_is_good_at_once(machine: Machine) -> None:
    wait_until(machine.is_healthy)
    token = machine.compose("exec", "-T", "pman", "pman", "token", "new", "another")
    known = {"Authorization": f"Bearer {token}"}
    assert requests.get(f"{machine.url}jobs/", headers=known, timeout=60).status_code == 200


def test_only_its_own_user_may_read_its_tokens(machine: Machine) -> None:
    found = run("docker", "exec", machine.container, "stat", "-c", "%u %a", "/var/lib/pman/tokens")
    assert found == "10001 600"
    logged = run("docker", "logs", machine.container)
    assert machine.session.auth is not None
    assert str(machine.session.auth[1]) not in logged  # type: ignore[index]


def test_it_is_confined(machine: Machine) -> None:
    container = machine.inspect()
    host = container["HostConfig"]
    assert container["Config"]["User"] == "10001:10001"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert 0 < host["Memory"] == host["MemorySwap"]
    assert host["PidsLimit"] > 0
    assert [published["HostIp"] for published in host["PortBindings"]["5010/tcp"]] == ["127.0.0.1"]

    program = (
        "import os, re; status = open('/proc/self/status').read();"
        "print(os.getuid(), re.findall('(?:CapEff|CapBnd|NoNewPrivs):.(.*)', status));"
        "open('/tmp/mark', 'w')"
    )
    tried = subprocess.run(
        ["docker", "exec", machine.container, "python3", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert tried.stdout.strip() == f"10001 {['0' * 16, '0' * 16, '1']}"
    assert "Read-only file system" in tried.stderr


def test_the_image_says_what_it_is(image: str) -> None:
    labels = json.loads(run("docker", "image", "inspect", image))[0]["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "pman"
    assert labels["org.opencontainers.image.licenses"] == "MIT"


def test_the_image_without_an_engine_says_so_and_what_to_do(image: str) -> None:
    limits = ("--rm", "--memory", "256m", "--network", "none", "--read-only")
    tried = subprocess.run(
        ["docker", "run", *limits, "-e", "VOLUME_NAME=some", image, "check"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert tried.returncode != 0
    assert "/var/run/docker.sock" in tried.stdout + tried.stderr


def test_the_image_that_knows_no_client_does_not_start_and_says_what_to_do(image: str) -> None:
    limits = ("--rm", "--memory", "256m", "--network", "none", "--read-only")
    tried = subprocess.run(
        ["docker", "run", *limits, "-e", "VOLUME_NAME=some", image],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert tried.returncode == 2
    for words in ("AUTH_TOKENS_FILE", "pman token new NAME", "AUTH=none"):
        assert words in tried.stderr


def test_the_image_starts_by_the_command_of_the_helm_chart(image: str) -> None:
    name = f"pman-test-{uuid.uuid4().hex[:12]}"
    limits = ("--memory", "512m", "--network", "none", "--read-only")
    temporary = ("-e", "GUNICORN_CMD_ARGS=--worker-tmp-dir /dev/shm")
    command = ("-b", "0.0.0.0:5010", "pman.wsgi:application")
    ask = (
        "import http.client; pman = http.client.HTTPConnection('127.0.0.1', 5010);"
        "pman.request('GET', '/api/v1/'); raise SystemExit(pman.getresponse().status != 200)"
    )
    try:
        run(
            *("docker", "run", "-d", "--name", name, *limits, *temporary, "-e", "VOLUME_NAME=some"),
            *("--entrypoint", "gunicorn", image, *command),
        )
        wait_until(lambda: succeeds("docker", "exec", name, "python3", "-c", ask))
    finally:
        run("docker", "rm", "-f", name)


@pytest.mark.parametrize(
    "command", [("gunicorn", "pman.wsgi:application"), ("python", "-m", "pman")]
)
def test_the_image_says_what_replaces_a_command_that_it_was_given(
    image: str, command: tuple[str, ...]
) -> None:
    limits = ("--rm", "--memory", "256m", "--network", "none", "--read-only")
    tried = subprocess.run(
        ["docker", "run", *limits, image, *command], capture_output=True, text=True, timeout=60
    )
    assert tried.returncode == 2
    assert "pman serve --host 0.0.0.0" in tried.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A copy of the tree, where another user than ours can read it: not below ``tmp_path``."""
    folder = Path(f"/tmp/pman-deploy-{uuid.uuid4().hex[:12]}")
    try:
        for part in ("deploy", "pman_core/src", "plugins/pman_docker/src"):
            unwanted = shutil.ignore_patterns("__pycache__", ".env")
            shutil.copytree(ROOT / part, folder / part, ignore=unwanted)
        run("chmod", "-R", "go=rX", folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def developed(image: str, checkout: Path, tmp_path: Path) -> Iterator[Machine]:
    files = ("compose.yaml", "compose.dev.yaml")
    yield from brought_up(image, checkout, tmp_path, *files, token=False)


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        (
            "pman_core/src/pman_core/rest/routes.py",
            '"server_version": server_version,',
            '"server_version": "edited",',
        ),
        (
            "plugins/pman_docker/src/pman_docker/storage.py",
            'name="docker_local_volume",',
            'name="edited",',
        ),
    ],
    ids=["core", "backend"],
)
def test_the_development_variant_runs_a_job_and_loads_changed_code(
    developed: Machine, checkout: Path, file: str, before: str, after: str
) -> None:
    url = developed.url
    first = wait_until(lambda: developed.answer(url))
    assert "edited" not in first.values()
    runs_a_job(developed)
    code = (checkout / file).read_text()
    assert before in code
    (checkout / file).write_text(code.replace(before, after))
    wait_until(lambda: "edited" in developed.answer(url).values())
