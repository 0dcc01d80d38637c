"""Each distribution stands alone: it declares what it imports, and nothing more."""

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pman_core._internal.registry import PUBLISHED

ROOT = Path(__file__).parent.parent
FOLDERS = sorted(
    path.parent
    for pattern in ("pman_core", "plugins/*", "examples/*")
    for path in ROOT.glob(f"{pattern}/pyproject.toml")
)
every_distribution = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)

#: Distributions whose import name is another.
IMPORT_NAMES = {
    "environ-config": "environ",
    "python-dotenv": "dotenv",
    "attrs": "attrs",
}

#: What talks to an engine: the core must have nothing to do with it.
ENGINE_LIBRARIES = {"docker", "podman", "kubernetes", "openshift", "pyslurm", "cromwell_tools"}


def project(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return found


def declared(folder: Path, *, extras: bool = False) -> set[str]:
    """The import names of what a distribution depends on."""
    needs = list(project(folder)["dependencies"])
    if extras:
        needs += [need for extra in project(folder).get("optional-dependencies", {}).values()
                  for need in extra]  # fmt: skip
    names = [re.split(r"[\s<>=!~;\[]", need)[0] for need in needs]
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}


def imported(folder: Path) -> set[str]:
    found = set()
    for path in folder.glob("src/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {path.name for path in folder.glob("src/*")}


@every_distribution
def test_everything_imported_is_declared(folder: Path) -> None:
    # werkzeug comes with Flask, and _pytest with pytest.
    assert imported(folder) - declared(folder, extras=True) <= {"werkzeug"}


@every_distribution
def test_everything_declared_is_imported(folder: Path) -> None:
    assert declared(folder) - imported(folder) == set()


def test_the_core_has_no_engine_library() -> None:
    core = ROOT / "pman_core"
    assert not (imported(core) | declared(core)) & ENGINE_LIBRARIES


@every_distribution
def test_all_distributions_have_one_version(folder: Path) -> None:
    assert project(folder)["version"] == project(ROOT / "pman_core")["version"]


@every_distribution
def test_plugins_admit_this_core_and_no_later_major_one(folder: Path) -> None:
    version = project(ROOT / "pman_core")["version"]
    major = int(version.split(".")[0])
    extras = project(folder).get("optional-dependencies", {}).values()
    for need in [*project(folder)["dependencies"], *(need for extra in extras for need in extra)]:
        if need.startswith("pman-"):
            assert need.endswith(f">={version},<{major + 1}")


@every_distribution
def test_every_distribution_is_complete(folder: Path) -> None:
    package = folder / "src" / folder.name
    assert (package / "py.typed").exists()
    assert (folder / "README.md").stat().st_size > 100
    assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert list((folder / "tests").glob("test_*.py"))


def test_the_name_that_people_know_has_an_extra_for_each_backend() -> None:
    extras = project(ROOT / "plugins/pman")["optional-dependencies"]
    named = {name: re.split("[>=]", need)[0] for name, (need,) in extras.items()}
    assert named == PUBLISHED


def test_the_changelog_begins_with_what_is_not_released() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
