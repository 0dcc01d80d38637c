"""pman_swarm imports only the modules that pman_docker declares as public."""

import ast
import re
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parent.parent / "plugins"
DOCKER = PLUGINS / "pman_docker/src/pman_docker"
SWARM = sorted((PLUGINS / "pman_swarm/src/pman_swarm").glob("*.py"))

#: A line of the list in pman_docker's docstring.
DECLARED = re.compile(r"^- ``(\w+)``: ", re.MULTILINE)


def public() -> set[str]:
    """The modules that pman_docker declares as public."""
    docstring = ast.get_docstring(ast.parse((DOCKER / "__init__.py").read_text()))
    return set(DECLARED.findall(docstring or ""))


def imported(path: Path) -> set[str]:
    """The modules of pman_docker that a file imports."""
    modules = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "pman_docker":
            modules |= {f"pman_docker.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return {name.split(".")[1] for name in modules if name.startswith("pman_docker.")}


def test_each_public_module_is_there() -> None:
    assert public()
    assert all((DOCKER / name).with_suffix(".py").is_file() for name in public())


def test_each_public_module_is_used_by_the_swarm() -> None:
    assert public() == set().union(*map(imported, SWARM))


@pytest.mark.parametrize("path", SWARM, ids=lambda path: path.name)
def test_the_swarm_imports_only_what_is_public(path: Path) -> None:
    assert imported(path) <= public()
