"""In the core, imports point one way; plugins import only what is public."""

import ast
import re
from pathlib import Path

import pytest

import pman_core

CORE = Path(__file__).parent.parent / "pman_core/src/pman_core"

#: From the ground up; a module may import what stands above it in this list, and its own row.
LAYERS = (
    ("logins",),
    ("errors", "mounts", "background", "deadline", "printable"),
    ("job", "info", "capabilities", "request"),
    ("names", "causes", "fingerprint", "logs", "log_lines"),
    ("paging", "serial", "storage", "user", "masking", "engine_http"),
    ("hookspecs",),
    ("settings", "core_settings", "environment"),
    ("core_storage",),
    ("registry",),
    ("backend", "observers"),
    ("build",),
    ("jobs",),
    ("service",),
    ("startup",),
    ("rest",),
    ("app",),
    ("testing", "server"),
    ("cli",),
)
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}

#: What only the service may import.
WEB = {"flask", "werkzeug", "uvicorn", "a2wsgi", "httptools", "requests"}


#: What the docstring of the core names as public.
PUBLIC = set(re.findall(r"``(pman_core[a-z_.]*)``", pman_core.__doc__ or "")) | {"pman_core"}
PLUGINS = sorted((CORE.parents[2] / "plugins").glob("*/src/**/*.py"))


def modules() -> list[Path]:
    return [path for path in sorted(CORE.rglob("*.py")) if path != CORE / "__init__.py"]


def room(path: Path) -> str:
    """The module, or the sub package, that a file belongs to."""
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The full names of the modules that a file imports, not counting those for types only."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms_imported(path: Path) -> set[str]:
    parts = [name.split(".") for name in imported(path) if name.startswith("pman_core.")]
    return {part[1] for part in parts if part[1] in RANK}


def test_every_module_has_its_layer() -> None:
    assert {room(path) for path in modules()} == set(RANK)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(CORE)))
def test_imports_point_one_way(path: Path) -> None:
    own = RANK[room(path)]
    upwards = {name for name in rooms_imported(path) if RANK[name] > own}
    assert not upwards


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(CORE)))
def test_what_plugin_authors_read_imports_no_web_framework(path: Path) -> None:
    if room(path) in ("rest", "app", "cli", "server", "engine_http"):
        return
    assert not {name.split(".")[0] for name in imported(path)} & WEB


@pytest.mark.parametrize("path", PLUGINS, ids=lambda path: "/".join(path.parts[-2:]))
def test_plugins_import_only_what_is_public(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    told = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    told |= {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    assert {name for name in told if name.split(".")[0] == "pman_core"} <= PUBLIC
