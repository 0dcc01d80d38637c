"""The docs are true: generated pages match the code, blocks run, links lead somewhere."""

import ast
import importlib
import json
import os
import re
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import requests
from cli_helpers import install_fake_backends, settings
from rest_helpers import body, serve

from pman_core.contract.access import Client, Principal, Role

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/*/README.md"),
                 ROOT / "pman_core/README.md")
)  # fmt: skip
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def test_the_generated_reference_is_up_to_date() -> None:
    ran = subprocess.run(
        [sys.executable, ROOT / "docs/generate.py", "--check"], capture_output=True, text=True
    )
    assert ran.returncode == 0, f"{ran.stdout}{ran.stderr}: run ./nox -s docs"


def test_the_reference_takes_a_field_of_a_docstring_for_one_and_a_role_for_none() -> None:
    marked_down = runpy.run_path(str(ROOT / "docs/generate.py"))["_marked_down"]
    doc = ":raises OSError: when\n:return: the :class:`Job`\n:class:`Job`: a line of the text"
    assert list(marked_down(doc)) == [
        "- raises `OSError`: when",
        "- return: the `Job`",
        "`Job`: a line of the text",
    ]


@every_page
def test_every_python_block_compiles(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block, str(page), "exec")


#: What authors of plugins import, and what starts pman otherwise than by ``pman serve``.
PUBLIC = {"contract", "kit", "testing", "app", "cli"}


@every_page
def test_every_python_block_imports_only_what_is_public(page: Path) -> None:
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pman_core."):
                assert (node.module or "").split(".")[1] in PUBLIC
            elif isinstance(node, ast.Import):
                roots = [alias.name.split(".") for alias in node.names]
                assert all(
                    len(root) == 1 or root[1] in PUBLIC for root in roots if root[0] == "pman_core"
                )


@every_page
def test_every_python_block_of_a_how_to_can_be_executed(page: Path) -> None:
    if page.parent.name != "how-to":
        return
    for block in blocks(page, "python"):
        if FILE.match(block):
            continue  # it needs its distribution, and is run with it below
        exec(compile(block, str(page), "exec"), {"__name__": "docs"})  # noqa: S102


#: The first line of a block that is a whole file.
FILE = re.compile(r"# (\S+\.(?:py|toml))\n")


@pytest.fixture
def printed(page: Path, tmp_path: Path) -> Path:
    """The distribution whose files a page shows, and beside it as it is installed, in ``site``."""
    for block in (*blocks(page, "toml"), *blocks(page, "python")):
        if name := FILE.match(block):
            file = tmp_path / name[1]
            file.parent.mkdir(exist_ok=True)
            file.write_text(block)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"]
    run(build, tmp_path)
    for wheel in (tmp_path / "dist").iterdir():
        zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    return tmp_path


def run(command: list[str], folder: Path, **env: str) -> str:
    environ = {**os.environ, "PYTHONPATH": "site", **env}
    ran = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=240
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


PMAN = [sys.executable, "-c", "from pman_core.cli import main; main()"]


@pytest.mark.parametrize("page", [ROOT / "docs/how-to/write-a-backend.md"], ids=["backend"])
def test_the_printed_backend_can_be_installed_and_keeps_every_promise(printed: Path) -> None:
    found = json.loads(run([*PMAN, "backends", "--json"], printed))
    (echo,) = (backend for backend in found if backend["distribution"] == "pman-echo")
    assert (echo["name"], echo["state"]) == ("echo", "ok")
    told = run([sys.executable, "-m", "pytest", "-q", "tests"], printed)
    kept = re.search(r"TestEcho: .*?(\d+) promises kept.*deviations: none", told)
    assert kept, told
    assert int(kept[1]) > 80


@pytest.mark.parametrize("page", [ROOT / "docs/how-to/write-an-extension.md"], ids=["extension"])
def test_the_printed_extension_can_be_installed_and_admits_what_it_says(printed: Path) -> None:
    submit = """
import os
from pman_core.app import create_app
fields = dict.fromkeys(("auid", "input_dir", "output_dir", "jid"), "x") | {"type": "fs"}
fields |= dict.fromkeys(("number_of_workers", "cpu_limit", "memory_limit"), 100) | {"gpu_limit": 0}
client = create_app(os.environ).test_client()
for image in ("elsewhere/x", "registry.example.org/x"):
    wanted = {**fields, "image": image, "args": [], "entrypoint": ["true"]}
    print(client.post("/api/v1/", json=wanted).json["message"])
"""
    (printed / "x").mkdir()
    (printed / "memory.py").write_text("from pman_core.testing import MemoryBackend as Backend")
    info = printed / "site/memory-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: memory\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pman.backends]\nmemory = memory:Backend\n")
    settings = {"CONTAINER_ENV": "memory", "STORAGE_TYPE": "host", "STOREBASE": str(printed)}
    told = run([sys.executable, "-c", submit], printed, **settings).splitlines()
    assert told[0] == "{'image': 'must come from registry.example.org'}"
    assert set(told[1:]) == {"no such image: registry.example.org/x", "x finishedWithError"}


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the settings of a backend that is in memory, for commands that run there."""
    folder = tmp_path / "work"
    folder.mkdir()
    fakes = install_fake_backends(tmp_path / "fakes")
    commands = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    known = {"PATH": commands, "PYTHONPATH": str(fakes), **settings(tmp_path / "storebase")}
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    return folder


def certificate(folder: Path) -> None:
    """``pman.crt`` and ``pman.key`` of this machine, signed by themselves."""
    names = ["-subj", "/CN=pman", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["-keyout", "pman.key", "-out", "pman.crt", "-newkey", "rsa:2048", "-nodes", *names]
    run(["openssl", "req", "-x509", *made], folder)


@pytest.mark.parametrize("name", ["docker", "swarm", "slurm"])
def test_the_lines_that_run_pman_safely_let_in_who_has_the_token_alone(
    name: str, memory: Path
) -> None:
    (block,) = blocks(ROOT / f"docs/how-to/run-with-{name}.md", "sh")
    assert len(block.splitlines()) == 5
    certificate(memory)
    block = block.replace("/etc/pman", str(memory)).replace("pman serve", "exec pman serve")
    with subprocess.Popen(
        ["bash", "-euc", block],
        cwd=memory,
        env={**os.environ, "PORT": "0"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            token = process.stdout.readline().strip()
            told = process.stdout.readline()
            found = re.search(r"https://0\.0\.0\.0:(\d+)/api/v1/", told)
            assert found, told
            url = f"https://127.0.0.1:{found[1]}/api/v1/"
            client = requests.Session()
            client.trust_env = False  # or this machine's own authorities take the place of these
            client.verify = str(memory / "pman.crt")
            assert client.get(f"{url}jobs/", timeout=60).status_code == 401
            client.auth = ("pfcon", token)
            made = client.post(url, json=body(image="demo", entrypoint=["ok"]), timeout=60)
            assert (made.status_code, made.json()["owner"]) == (201, "pfcon")
        finally:
            process.terminate()


CLIENTS = ROOT / "docs/how-to/authenticate-clients.md"


@pytest.mark.timeout(300)
def test_every_shell_block_about_clients_runs(memory: Path) -> None:
    script = "set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"
    words = ["bash", "-c", script + "\n".join(blocks(CLIENTS, "sh"))]
    told = run(words, memory, PYTHONPATH=os.environ["PYTHONPATH"])
    assert told.splitlines()[-1] == "no certificate, no answer"


@pytest.mark.parametrize("page", [CLIENTS], ids=["clients"])
def test_the_printed_extension_takes_the_header_of_the_proxy_from_the_proxy_alone(
    printed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(printed / "site")
    ours = importlib.import_module("our_clients")
    environ = {"OUR_PROXIES": "10.0.0.7, 10.0.0.8", "OUR_ADMINS": "ann"}
    proxy, certificates = ours.Proxy(environ), ours.Certificates(environ)
    for folder in ("in", "out"):
        (printed / folder).mkdir()
    client = serve(printed, extensions=(proxy, certificates)).app.test_client()

    def answer(address: str, *names: str) -> int:
        headers = [("X-Remote-User", name) for name in names]
        base = {"REMOTE_ADDR": address}
        return client.get("/api/v1/jobs/", headers=headers, environ_base=base).status_code

    assert answer("10.0.0.7", "bob") == answer("10.0.0.8", "ann") == 200
    for address in ("127.0.0.1", "10.0.0.70", "10.0.0.9", ""):
        assert answer(address, "ann") == 401
    assert answer("10.0.0.7") == 401
    assert answer("10.0.0.7", "bob", "ann") == 401

    def principal(plugin: Any, *shown: Any) -> Any:
        return plugin.pman_authenticate(Client(*shown))

    assert principal(proxy, {"x-remote-user": "ann"}, "10.0.0.7") == Principal("ann", Role.ADMIN)
    subject = {"subject": ((("countryName", "US"),), (("commonName", "pfcon"),))}
    assert principal(certificates, {}, "10.1.1.1", subject) == Principal("pfcon", Role.SUBMIT)
    assert principal(certificates, {}, "10.1.1.1") is None


def test_the_printed_routes_know_who_asks_but_for_the_open_one(tmp_path: Path) -> None:
    page = ROOT / "docs/how-to/write-an-extension.md"
    (block,) = (block for block in blocks(page, "python") if not FILE.match(block))
    found: dict[str, Any] = {"__name__": "docs"}
    exec(compile(block, str(page), "exec"), found)  # noqa: S102
    extension = found["Greeting"]()
    nobody = {"REMOTE_ADDR": "192.0.2.1"}  # without tokens pman knows its own machine only
    client = serve(tmp_path, extensions=(extension,)).app.test_client()
    assert client.get("/greeting/motto", environ_base=nobody).text == "One job for one id."
    assert client.get("/greeting/").json == {"name": "", "jobs": 0}
    assert client.get("/greeting/", environ_base=nobody).status_code == 401


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


@pytest.mark.parametrize(
    "page", ["README.md", "docs/tutorial/first-job.md", "examples/demo/demo.py"]
)
def test_no_page_shows_how_to_run_jobs_without_a_memory_limit(page: str) -> None:
    told = re.findall(r"IGNORE_LIMITS\W+(\w+)", (ROOT / page).read_text())
    assert set(told) == {"cpu"}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/tutorial/*.md")), ids=lambda p: p.stem)
def test_every_shell_block_of_a_tutorial_runs(page: Path) -> None:
    script = "set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n" + "\n".join(
        blocks(page, "sh")
    )
    folder = Path("/tmp/pman-tutorial")  # the place that the page names
    subprocess.run(["rm", "-rf", folder], check=True)
    try:
        ran = subprocess.run(
            ["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=280
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)
