"""What can be done with this repository; ``./nox --list`` tells it in a line each."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PathDistribution
from pathlib import Path

import nox

nox.needs_version = ">=2026.4"
nox.options.default_venv_backend = "uv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "tests"]

HERE = Path(__file__).parent
PROJECT = nox.project.load_toml("pyproject.toml")

CORE = "pman_core"
PLUGINS = sorted(path.parent.name for path in HERE.glob("plugins/*/pyproject.toml"))
EXAMPLES = sorted(path.parent.name for path in HERE.glob("examples/*/pyproject.toml"))
FOLDERS = {
    CORE: CORE,
    **{name: f"plugins/{name}" for name in PLUGINS},
    **{name: f"examples/{name}" for name in EXAMPLES},
}

#: Shell scripts that are not below engines/.
SCRIPTS = (HERE / "nox", HERE / ".ci/run", HERE / "deploy/build-offline")

#: What a plugin needs besides the core: the distributions that it builds upon.
NEEDS: dict[str, list[str]] = {"pman_swarm": ["pman_docker"], "pman_process": ["pman_kit"]}

#: Parts whose tests check documents of WDL.
WITH_WDL = ("pman_cromwell", "standin")

#: What ``engines/up`` makes of newer Debian suites, the part that is tested there, and on what.
NEWER = {
    "trixie": ("pman_docker", "docker,podman,registry"),
    "sid": ("pman_docker", "docker,podman,registry"),
    "slurm-trixie": ("pman_cromwell", "slurm,cromwell,podman"),
}

#: Benchmarks whose file has another name: ``docker.py`` would hide Docker's SDK.
BENCHMARKS = {"docker": "docker_engine"}

#: The stand-in for Cromwell, a tool for tests that has tests of its own.
STANDIN = "engines/cromwell"


@nox.session
def demo(session: nox.Session) -> None:
    """Run a real job: start pman, submit over HTTP, watch, show results, remove."""
    backend = _option(session.posargs, "--backend", "process")
    plugin = f"pman_{'docker' if backend == 'podman' else backend}"
    install(session, CORE, *NEEDS.get(plugin, []), plugin)
    session.run("python", "examples/demo/demo.py", *session.posargs)


@nox.session
@nox.parametrize("part", [*FOLDERS, "standin", "whole"])
def tests(session: nox.Session, part: str) -> None:
    """Run every test that this machine can run, each distribution's by itself."""
    session.install(*nox.project.dependency_groups(PROJECT, *_groups(part)))
    if part == "whole":
        install(session, *FOLDERS)
        folder = "tests"
    elif part == "standin":
        install(session, CORE)
        folder = f"{STANDIN}/tests"
    else:
        install(session, *dict.fromkeys([CORE, *NEEDS.get(part, []), part]))
        folder = f"{FOLDERS[part]}/tests"
    report = Path(session.cache_dir).resolve() / "engines-used"
    if part == CORE:
        report.unlink(missing_ok=True)
    environ = {"PMAN_ALONE": part, "PMAN_ENGINES_REPORT": str(report)}
    session.run(*_pytest(os.environ), folder, *session.posargs, env=environ, external=True)
    if part == "whole":
        used = sorted(set(report.read_text().split())) if report.exists() else []
        session.log(f"engines really used by all tests: {', '.join(used) or 'none'}")


@nox.session
def quick(session: nox.Session) -> None:
    """Run the tests that need no engine and take no time; under a minute."""
    session.install(*nox.project.dependency_groups(PROJECT, "tests", "wdl", "docs"))
    session.install(*(word for folder in FOLDERS.values() for word in ("-e", folder)))
    folders = session.posargs or [*FOLDERS.values(), STANDIN, "tests"]
    session.run("pytest", "-q", "-p", "quick", *folders, env={"PYTHONPATH": "tests"})


@nox.session
@nox.parametrize("part", [*FOLDERS])
def lowest(session: nox.Session, part: str) -> None:
    """Run the quick tests with the lowest versions that a distribution allows.

    ``-- --engines`` runs those that need an engine or time as well; other words go to pytest.
    """
    names = [*dict.fromkeys([CORE, *NEEDS.get(part, []), part])]
    groups = nox.project.dependency_groups(PROJECT, *_groups(part))
    install(session, *names, more=["--upgrade", "--resolution=lowest-direct", *groups])
    session.run("uv", "pip", "list", external=True)
    words = [word for word in session.posargs if word != "--engines"]
    quick = [] if "--engines" in session.posargs else ["-p", "quick"]
    command = [*_pytest(os.environ), *quick, f"{FOLDERS[part]}/tests", *words]
    # A part may have no quick test: code 5.
    session.run(*command, env={"PYTHONPATH": "tests"}, success_codes=[0, 5], external=True)


@nox.session
def coverage(session: nox.Session) -> None:
    """Show how much of each distribution its own tests run; ``-- pman_docker`` measures that."""
    session.install(*nox.project.dependency_groups(PROJECT, "tests", "wdl", "coverage"))
    install(session, *FOLDERS)
    network = _network(os.environ)
    session.run(*network, "python", "tests/coverage_table.py", *session.posargs, external=True)


@nox.session
@nox.parametrize("machine", [*NEWER])
def newer(session: nox.Session, machine: str) -> None:
    """Run tests on newer engines: Docker, Podman, and SLURM behind the stand-in for Cromwell.

    ``engines/up`` makes each a machine of a newer Debian suite, prints the versions that it found,
    and leaves it running.  Needs root, and much time; CI runs a part of it.
    """
    part, required = NEWER[machine]
    session.install(*nox.project.dependency_groups(PROJECT, *_groups(part)))
    install(session, CORE, part)
    environ = {"PMAN_REQUIRE_ENGINES": required, **_engines("registry", machine)}
    command = [*_pytest(environ), f"{FOLDERS[part]}/tests", *session.posargs]
    session.run(*command, env=environ, external=True)


@nox.session
def kills(session: nox.Session) -> None:
    """Kill ``pman serve`` again and again, and count what became of its jobs; ``-- BACKEND COUNT``.

    Needs the variables that ``engines/up`` prints.
    """
    _campaign(session, "tests/kills.py")


@nox.session
def clients(session: nox.Session) -> None:
    """Ask for many jobs as CUBE does, and count faults; ``-- BACKEND JOBS AT_ONCE SECONDS``.

    Needs the variables that ``engines/up`` prints.
    """
    _campaign(session, "tests/many_clients.py")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and likely mistakes; ``-- --fix`` mends what it can."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    fix = "--fix" in session.posargs
    session.run("ruff", "check", ".", *(["--fix"] if fix else []))
    session.run("ruff", "format", ".", *([] if fix else ["--check"]))
    scripts = [str(path.relative_to(HERE)) for path in SCRIPTS]
    engines = [str(p.relative_to(HERE)) for p in HERE.glob("engines/**/*") if _is_script(p)]
    session.run("shellcheck", "-x", *scripts, *sorted(engines))


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly, in source, tests and this file."""
    session.install(*nox.project.dependency_groups(PROJECT, "types"))
    install(session, *FOLDERS)
    session.run("mypy", "noxfile.py", "pman_core/plugin_metadata.py")
    for folder in FOLDERS.values():
        targets = [
            f"{folder}/{part}" for part in ("src", "tests") if (HERE / folder / part).is_dir()
        ]
        session.run("mypy", *targets)
    session.run("mypy", f"{STANDIN}/cromwell_standin", f"{STANDIN}/tests")
    session.run("mypy", "tests", "bench", "examples/demo", "docs", "release")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Throw generated requests at a server; ``-- 2000`` says how many for each operation."""
    session.install(*nox.project.dependency_groups(PROJECT, "fuzz"))
    install(session, CORE)
    session.run("python", "pman_core/tests/fuzz.py", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build sdists and wheels into dist/, twice to the same bytes, and check and try them."""
    session.install(*nox.project.dependency_groups(PROJECT, "build"))
    session.run("python", "release/build.py")
    session.run("twine", "check", "--strict", *map(str, sorted(HERE.glob("dist/*"))))


@nox.session
def docs(session: nox.Session) -> None:
    """Write the generated parts of the reference anew."""
    install(session, *FOLDERS)
    session.run("python", "docs/generate.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure, and print a table with ratios; ``-- docker`` measures an engine."""
    session.install(*nox.project.dependency_groups(PROJECT, "bench"))
    install(session, *FOLDERS)
    names = session.posargs or ["core"]
    for name in names:
        session.run("python", f"bench/{BENCHMARKS.get(name, name)}.py")


def _campaign(session: nox.Session, script: str) -> None:
    """Run a script whose first argument is a backend, with what that needs."""
    backend = session.posargs[0] if session.posargs else "process"
    plugins = {"podman": ["pman_docker"], "kubernetes": ["pman_k8s"]}
    needed = plugins.get(backend, [*NEEDS.get(f"pman_{backend}", []), f"pman_{backend}"])
    install(session, CORE, *needed)
    session.run("python", script, *session.posargs)


def install(session: nox.Session, *names: str, more: Sequence[str] = ()) -> None:
    """Install distributions from wheels, as their users get them.

    :param more: options and requirements; with any, what the distributions need is named as well,
        so that options for direct requirements hold for it.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            session.run(
                "uv", "build", "--quiet", "--wheel", "--out-dir", folder, FOLDERS[name],
                external=True, silent=True,
            )  # fmt: skip
        wheels = {path.name.split("-")[0]: path for path in Path(folder).glob("*.whl")}
        extras = {CORE: "[testing]"}
        needs = [need for name in names for need in _needs(wheels[name])] if more else []
        session.install(
            *more,
            *needs,
            *(f"--reinstall-package={name}" for name in names),
            *(f"{name}{extras.get(name, '')} @ {wheels[name].as_uri()}" for name in names),
        )


def _needs(wheel: Path) -> list[str]:
    """What a wheel needs of others, without its extras."""
    (info,) = (path for path in zipfile.Path(wheel).iterdir() if path.name.endswith(".dist-info"))
    needs = PathDistribution(info).requires or []
    return [need for need in needs if not need.startswith("pman") and "extra ==" not in need]


def _groups(part: str) -> list[str]:
    if part == "whole":
        return ["tests", "docs"]
    return ["tests", "wdl"] if part in WITH_WDL else ["tests"]


def _engines(*names: str) -> dict[str, str]:
    """What ``engines/up`` exports when it has brought up these."""
    told = subprocess.run(["engines/up", *names], stdout=subprocess.PIPE, text=True, check=True)
    exports = (shlex.split(line)[1].partition("=") for line in told.stdout.splitlines())
    return {name: value for name, _, value in exports}


def _pytest(environ: Mapping[str, str]) -> list[str]:
    """Pytest, in the network of the engines."""
    return [*_network(environ), "pytest", "-q"]


def _network(environ: Mapping[str, str]) -> list[str]:
    """What puts a command into the network of the engines: from its localhost they pull."""
    network = environ.get("PMAN_ENGINES_NETNS")
    return ["nsenter", f"--net={network}"] if network else []


def _option(arguments: list[str], name: str, default: str) -> str:
    return arguments[arguments.index(name) + 1] if name in arguments else default


def _is_script(path: Path) -> bool:
    """Whether a file below engines/ is of shell."""
    if not path.is_file():
        return False
    first = path.read_bytes()[:80].partition(b"\n")[0]
    return path.suffix == ".sh" or (first.startswith(b"#!") and first.endswith(b"sh"))
