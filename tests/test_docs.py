"""The docs tell the truth: generated pages match the code, blocks run, links lead somewhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

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


@every_page
def test_every_python_block_compiles(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block, str(page), "exec")


@every_page
def test_every_python_block_of_a_how_to_can_be_executed(page: Path) -> None:
    if page.parent.name != "how-to":
        return
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), {"__name__": "docs"})  # noqa: S102


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
def test_nobody_is_taught_to_run_jobs_without_a_memory_limit(page: str) -> None:
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
