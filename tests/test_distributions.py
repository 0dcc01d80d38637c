"""Each distribution stands alone: it declares what it imports, and nothing more."""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hatchling.metadata.core import CoreMetadata, ProjectMetadata
from hatchling.plugin.manager import PluginManager
from packaging.requirements import Requirement
from packaging.version import Version

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


@functools.cache
def metadata(folder: Path) -> CoreMetadata:
    """What a distribution says of itself when it is built."""
    found = ProjectMetadata(str(folder), PluginManager())
    found.validate_fields()
    return found.core


def needs(folder: Path, *, extras: bool = False) -> list[Requirement]:
    """What a distribution depends on."""
    found = [*metadata(folder).dependencies]
    if extras:
        for extra in metadata(folder).optional_dependencies.values():
            found += extra
    return [Requirement(need) for need in found]


def declared(folder: Path, *, extras: bool = False) -> set[str]:
    """The import names of what a distribution depends on."""
    names = [need.name for need in needs(folder, extras=extras)]
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
    assert metadata(folder).version == metadata(ROOT / "pman_core").version


def test_the_version_stands_in_one_place() -> None:
    version = metadata(ROOT / "pman_core").version
    found = subprocess.run(
        ["git", "grep", "--untracked", "-l", "--word-regexp", "--fixed-strings", version],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(found.stdout.split()) - {"CHANGELOG.md"} == {"pman_core/pyproject.toml"}


@every_distribution
def test_distributions_need_each_other_from_their_own_version_to_the_next_major_one(
    folder: Path,
) -> None:
    version = metadata(ROOT / "pman_core").version
    for need in needs(folder, extras=True):
        if need.name.startswith("pman"):
            assert {str(bound) for bound in need.specifier} == {
                f">={version}",
                f"<{Version(version).major + 1}",
            }


@every_distribution
def test_every_distribution_is_complete(folder: Path) -> None:
    package = folder / "src" / folder.name
    assert (package / "py.typed").exists()
    assert (folder / "README.md").stat().st_size > 100
    assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert list((folder / "tests").glob("test_*.py"))


@every_distribution
def test_every_distribution_says_where_its_source_and_its_docs_are(folder: Path) -> None:
    urls = metadata(folder).urls
    assert set(urls) == {"Homepage", "Repository", "Documentation", "Changelog"}
    for url in urls.values():
        below, _, path = url.removeprefix("https://github.com/FNNDSC/pman").partition("/HEAD/")
        assert below in ("", "/tree", "/blob")
        assert (ROOT / path).exists()


def test_the_name_that_people_know_has_an_extra_for_each_backend() -> None:
    extras = metadata(ROOT / "plugins/pman").optional_dependencies
    named = {name: Requirement(need).name for name, (need,) in extras.items()}
    assert named == PUBLISHED


def test_the_changelog_begins_with_what_is_not_released() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
