"""Builds all distributions into ``dist/``, and checks that they are what a release must be.

``python release/build.py``, or ``./nox -s build``, fails unless
- two builds in different folders come to the same bytes,
- each sdist holds every file that git knows of its folder, and builds the same wheel,
- each wheel holds every file of its packages, and the licence,
- the wheels can be installed together, and ``pman`` then finds every backend.

Needs git and uv.  The time in the archives is ``SOURCE_DATE_EPOCH``, by default that of the last
commit.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"


class BuildError(Exception):
    """What was built is not what a release must be."""


def main() -> None:
    """Build, check, and leave the result in ``dist/``."""
    with tempfile.TemporaryDirectory() as work:
        try:
            built = build_twice(Path(work))
            for folder in folders():
                check_sdist(folder, built)
                check_wheel(folder, built)
            check_wheels_of_sdists(Path(work), built)
            try_out(Path(work), built)
        except BuildError as error:
            sys.exit(f"Error: {error}")
        shutil.rmtree(DIST, ignore_errors=True)
        shutil.copytree(built, DIST)
    for path in sorted(DIST.iterdir()):
        sys.stdout.write(f"{digest(path)}  {path.relative_to(ROOT)}\n")


def folders() -> list[str]:
    """The folders of the distributions."""
    found = [*ROOT.glob("*/pyproject.toml"), *ROOT.glob("plugins/*/pyproject.toml")]
    return sorted(str(path.parent.relative_to(ROOT)) for path in found)


def files(folder: str = ".") -> list[str]:
    """The files below a folder that git knows, or would: relative to it."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard",
                 cwd=ROOT / folder)  # fmt: skip
    return [name for name in listed.split("\0") if name and (ROOT / folder / name).exists()]


def build_twice(work: Path) -> Path:
    """Build from two copies that differ in place and permissions; the folder with the result.

    :raises BuildError: some archive came out differently.
    """
    outcomes = []
    for copy, mode in (("a", 0o644), ("another/place", 0o600)):
        source, out = work / copy, work / copy.replace("/", "-") / "built"
        for name in files():
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target, follow_symlinks=False)
            if not target.is_symlink():
                target.chmod(mode)
        build("--sdist", "--wheel", sources=[source / folder for folder in folders()], out=out)
        outcomes.append(out)
    first, second = ({path.name: digest(path) for path in out.iterdir()} for out in outcomes)
    if different := [
        name for name in sorted(first | second) if first.get(name) != second.get(name)
    ]:
        raise BuildError(f"two builds differ in {', '.join(different)}")
    return outcomes[0]


def check_sdist(folder: str, built: Path) -> None:
    """:raises BuildError: a file of the folder is not in its sdist."""
    with tarfile.open(one(folder, built, "*.tar.gz")) as archive:
        held = {member.name.partition("/")[2] for member in archive if member.isfile()}
    demand(f"the sdist of {folder}", {*files(folder), "PKG-INFO", "LICENSE", "README.md"}, held)


def check_wheel(folder: str, built: Path) -> None:
    """:raises BuildError: a file of the packages, or the licence, is not in the wheel."""
    held = set(zipfile.ZipFile(one(folder, built, "*.whl")).namelist())
    wanted = {name.removeprefix("src/") for name in files(folder) if name.startswith("src/")}
    packages = {name.partition("/")[0] for name in wanted}
    held |= {name.partition(".dist-info/licenses/")[2] for name in held}
    demand(
        f"the wheel of {folder}", {*wanted, "LICENSE", *(f"{p}/py.typed" for p in packages)}, held
    )


def demand(what: str, wanted: set[str], held: set[str]) -> None:
    """:raises BuildError: not all that is wanted is held."""
    if missing := sorted(wanted - held):
        raise BuildError(f"{what} lacks {', '.join(missing)}")


def check_wheels_of_sdists(work: Path, built: Path) -> None:
    """:raises BuildError: an sdist builds another wheel than its folder."""
    again = work / "of-sdists"
    build("--wheel", sources=sorted(built.glob("*.tar.gz")), out=again)
    for wheel in sorted(built.glob("*.whl")):
        if digest(wheel) != digest(again / wheel.name):
            raise BuildError(f"the sdist builds another {wheel.name} than the folder")


def try_out(work: Path, built: Path) -> None:
    """Install all wheels into an empty environment, and use them.

    :raises BuildError: a command fails, or does not know a backend.
    """
    home = work / "installed"
    python = home / "bin/python"
    run("uv", "venv", "--quiet", home)
    run("uv", "pip", "install", "--quiet", "--python", python, *built.glob("*.whl"))
    run("uv", "pip", "check", "--quiet", "--python", python)
    said = {word: run(home / "bin/pman", word, cwd=work) for word in ("--version", "backends")}
    projects = [
        tomllib.loads((ROOT / f / "pyproject.toml").read_text())["project"] for f in folders()
    ]
    (version,) = (project["version"] for project in projects if "version" in project)
    backends = {b for p in projects for b in p.get("entry-points", {}).get("pman.backends", ())}
    demand("pman --version", {version}, set(said["--version"].split()))
    demand("pman backends", backends, {line.split(" ")[0] for line in said["backends"].split("\n")})


def one(folder: str, built: Path, pattern: str) -> Path:
    """The archive of a folder."""
    (found,) = built.glob(f"{Path(folder).name}-{pattern}")
    return found


def build(*options: str, sources: list[Path], out: Path) -> None:
    """Build from each of these, two at a time."""

    def build_one(source: Path) -> None:
        run("uv", "build", "--quiet", *options, "--out-dir", out, source)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(build_one, sources))
    (out / ".gitignore").unlink(missing_ok=True)


def run(*words: str | Path, cwd: Path = ROOT) -> str:
    """What a command prints.

    :raises BuildError: it fails; with all that it said.
    """
    environ = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "VIRTUAL_ENV": ""}
    done = subprocess.run(words, cwd=cwd, env=environ, capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"{' '.join(map(str, words))} failed\n{done.stdout}{done.stderr}")
    return done.stdout


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


#: Seconds since 1970.
EPOCH = (
    os.environ.get("SOURCE_DATE_EPOCH")
    or subprocess.run(
        ["git", "log", "-1", "--format=%ct"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.strip()
)


if __name__ == "__main__":
    main()
