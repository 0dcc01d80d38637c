"""In every plugin a subject has the name that docs/explanation/plugins.md gives it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/explanation/plugins.md").read_text()

#: The modules that any plugin may have, and those that one plugin has.
COMMON = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
OWN = set(re.findall(r"^\| (\w+) \| `(\w+)` \|", PAGE, re.MULTILINE))

#: ``pman`` is no backend: it only starts the core.
PLUGINS = sorted(path for path in ROOT.glob("plugins/*/src/*") if path.name != "pman")


def rooms(plugin: Path) -> set[str]:
    """The modules and packages of a plugin."""
    packages = {path.parent.name for path in plugin.glob("*/__init__.py")}
    folders = {path.name for path in plugin.iterdir() if path.is_dir() and path.name == "share"}
    modules = {path.stem for path in plugin.glob("*.py")} - {"__init__"}
    return packages | folders | modules


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_each_module_of_a_plugin_is_in_the_plan(plugin: Path) -> None:
    own = {module for name, module in OWN if name == plugin.name}
    assert rooms(plugin) - COMMON - own == set()


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_the_plan_has_no_module_that_is_not_there(plugin: Path) -> None:
    own = {module for name, module in OWN if name == plugin.name}
    assert own - rooms(plugin) == set()
    assert not own & COMMON


def test_the_plan_is_of_these_plugins() -> None:
    assert {name for name, _ in OWN} <= {path.name for path in PLUGINS}
    assert {"settings", "capabilities", "validate", "payload", "client", "status"} <= COMMON
