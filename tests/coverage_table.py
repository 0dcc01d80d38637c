"""Shows how much of each distribution its own tests run: ``python tests/coverage_table.py [NAME]``.

Only what runs in the process of the tests counts: not ``pman serve``, a supervisor or a job that
they start.  Tests of engines that are missing are skipped, and what only they run counts as missed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = {
    path.parent.name: path.parent
    for pattern in ("*/pyproject.toml", "plugins/*/pyproject.toml")
    for path in sorted(ROOT.glob(pattern))
}


def main() -> None:
    """Measure the distributions that are named, or all, and print a table."""
    rows = {name: measured(name) for name in sys.argv[1:] or FOLDERS}
    sys.stdout.write(
        f"{'distribution':<14} {'statements':>10} {'missed':>7} {'covered':>8}  tests\n"
    )
    for name, (code, totals) in rows.items():
        statements, missed = totals["num_statements"], totals["missing_lines"]
        covered = f"{totals['percent_covered']:.1f}%"
        outcome = "passed" if code == 0 else f"failed ({code})"
        sys.stdout.write(f"{name:<14} {statements:>10} {missed:>7} {covered:>8}  {outcome}\n")


def measured(name: str) -> tuple[int, dict[str, float]]:
    """The exit code of the tests of a distribution, and coverage's totals, with branches."""
    with tempfile.TemporaryDirectory() as folder:
        data, report = Path(folder, "data"), Path(folder, "report")
        tests = ["-m", "pytest", "-q", str(FOLDERS[name] / "tests")]
        code = coverage("run", "--branch", f"--source={name}", f"--data-file={data}", *tests)
        coverage("json", "--quiet", f"--data-file={data}", "-o", str(report))
        totals: dict[str, float] = json.loads(report.read_text())["totals"]
        return code, totals


def coverage(*words: str) -> int:
    """Run coverage.py; its exit code."""
    return subprocess.run([sys.executable, "-m", "coverage", *words], cwd=ROOT).returncode


if __name__ == "__main__":
    main()
