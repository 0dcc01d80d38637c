"""In the core, imports point one way; plugins import only what is public."""

import ast
from pathlib import Path

import pytest

CORE = Path(__file__).parent.parent / "pman_core/src/pman_core"

#: From the ground up; a module may import what stands above it in this list, and its own row.
#: A package that is named as a whole is one room.
LAYERS = (
    ("kit.logins",),
    ("contract.errors", "contract.mounts", "kit.deadline", "kit.printable"),
    ("_internal.background",),
    (
        "contract.access",
        "contract.job",
        "contract.info",
        "contract.capabilities",
        "contract.request",
    ),
    (
        "kit.names",
        "kit.root_capabilities",
        "kit.causes",
        "kit.logs",
        "kit.outcome",
        "kit.routes",
        "kit.times",
        "log_lines",
    ),
    ("kit.structuring", "kit.job_faults", "kit.submission", "kit.commands", "kit.log_files"),
    ("contract.feed",),
    ("kit.job_info", "kit.job_labels", "kit.feed"),
    ("kit.directories",),
    ("kit.paging", "kit.serial", "contract.storage", "kit.user", "kit.masking", "kit.engine_http"),
    ("contract.service",),
    ("contract.hookspecs",),
    ("kit.settings", "kit.core_settings"),
    ("_internal.fingerprint", "_internal.environment", "_internal.core_storage"),
    ("_internal.registry", "_internal.rate", "_internal.tokens", "_internal.writes"),
    ("_internal.clock", "_internal.held_answers", "_internal.job_table"),
    ("_internal.shared_questions",),
    ("_internal.log_cache",),
    ("_internal.backend", "_internal.observers"),
    ("_internal.job_builder", "_internal.authentication"),
    ("_internal.lookup", "_internal.feed_thread"),
    ("_internal.jobs",),
    ("_internal.startup",),
    ("_internal.following",),
    ("rest",),
    ("app",),
    ("testing", "server"),
    ("cli",),
)
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}

#: The packages whose modules are rooms of their own.
GROUPS = ("contract", "kit", "_internal")

#: The packages that authors of plugins import from.
PUBLIC = {"contract", "kit", "testing"}

#: What starts pman otherwise than by ``pman serve`` imports these as well.
STARTING = {"app", "cli", "log_lines"}

#: What only the service may import.
WEB = {"flask", "werkzeug", "uvicorn", "a2wsgi", "httptools", "requests"}


PLUGINS = sorted((CORE.parents[2] / "plugins").glob("*/src/**/*.py"))
EXAMPLES = sorted((CORE.parents[2] / "examples").glob("**/*.py"))


def modules() -> list[Path]:
    own = {CORE / "__init__.py", *(CORE / group / "__init__.py" for group in GROUPS)}
    return [path for path in sorted(CORE.rglob("*.py")) if path not in own]


def room(path: Path) -> str:
    """The module, or the package that is one room, to which a file belongs."""
    parts = path.relative_to(CORE).with_suffix("").parts
    return ".".join(parts[:2] if parts[0] in GROUPS else parts[:1])


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
    """The rooms of the core that a file imports from."""
    names = [name.split(".")[1:] for name in imported(path) if name.startswith("pman_core.")]
    return {".".join(name[:2] if name[0] in GROUPS else name[:1]) for name in names} & set(RANK)


def test_every_module_has_its_layer() -> None:
    assert {room(path) for path in modules()} == set(RANK)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(CORE)))
def test_imports_point_one_way(path: Path) -> None:
    own = RANK[room(path)]
    upwards = {name for name in rooms_imported(path) if RANK[name] > own}
    assert not upwards


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(CORE)))
def test_what_plugin_authors_read_imports_no_web_framework(path: Path) -> None:
    if room(path) in ("rest", "app", "cli", "server", "kit.engine_http"):
        return
    assert not {name.split(".")[0] for name in imported(path)} & WEB


def test_each_layer_of_the_core_is_there() -> None:
    assert all(
        (CORE / name.replace(".", "/")).with_suffix(".py").exists() or (CORE / name).is_dir()
        for name in RANK
    )


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(CORE)))
def test_what_is_public_imports_nothing_that_is_not(path: Path) -> None:
    if room(path).split(".")[0] not in ("contract", "kit"):
        return  # the test kit plays the part of pman itself
    assert {name.split(".")[0] for name in rooms_imported(path)} <= PUBLIC


@pytest.mark.parametrize("path", [*PLUGINS, *EXAMPLES], ids=lambda path: "/".join(path.parts[-2:]))
def test_plugins_and_examples_import_only_what_is_public(path: Path) -> None:
    rooms = {name.split(".")[0] for name in rooms_imported(path)}
    starts = path.is_relative_to(CORE.parents[2] / "plugins/pman/src")
    assert rooms <= PUBLIC | (STARTING if starts else set())
