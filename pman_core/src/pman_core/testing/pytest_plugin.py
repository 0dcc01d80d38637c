"""What the kit adds to pytest: engines that may be missing, and the report card.

Loaded into every pytest run of an environment that has pman-core, so it imports nothing
heavy and does nothing until a test asks.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

#: Engines whose tests must not be skipped, separated by commas.
REQUIRED_VARIABLE = "PMAN_REQUIRE_ENGINES"

#: A file to which the names of the engines that were used are appended.
REPORT_VARIABLE = "PMAN_ENGINES_REPORT"

# Assertions of the shipped tests explain themselves as those of any test do.
pytest.register_assert_rewrite("pman_core.testing.conformance")


class Engines:
    """Keeps account of the engines that the tests of this run really used."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        required = os.environ.get(REQUIRED_VARIABLE, "")
        self.required = {name.strip() for name in required.split(",") if name.strip()}

    def need(self, name: str, missing: str | None) -> None:
        """Go on with a test that needs an engine, or skip it; fail if the engine is required.

        :param missing: why the engine cannot be used; ``None`` if it can.
        """
        if missing is None:
            self.used.add(name)
        elif name in self.required:
            pytest.fail(f"{REQUIRED_VARIABLE} names {name}, but {missing}")
        else:
            pytest.skip(f"needs {name}: {missing}")


_ENGINES = pytest.StashKey[Engines]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin the account."""
    config.stash[_ENGINES] = Engines()


@pytest.fixture(scope="session")
def engines(pytestconfig: pytest.Config) -> Engines:
    """The account of engines; call ``engines.need(name, why_it_is_missing)``."""
    return pytestconfig.stash[_ENGINES]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell which engines were used, and how each backend kept its promises."""
    account = terminalreporter.config.stash[_ENGINES]
    cards = _report_cards(terminalreporter)
    if not account.used and not cards:
        return
    terminalreporter.section("pman")
    terminalreporter.line(f"engines used: {', '.join(sorted(account.used)) or 'none'}")
    for line in cards:
        terminalreporter.line(line)
    report = os.environ.get(REPORT_VARIABLE)
    if report and account.used:
        with Path(report).open("a") as file:
            file.write("".join(f"{name}\n" for name in sorted(account.used)))


def _report_cards(terminalreporter: pytest.TerminalReporter) -> list[str]:
    outcomes: dict[str, Counter[str]] = {}
    deviations: dict[str, set[str]] = {}
    for outcome in ("passed", "failed", "skipped", "xfailed"):
        for report in terminalreporter.getreports(outcome):
            for key, value in report.user_properties:
                if key == "pman-conformance" and (report.when == "call" or outcome != "passed"):
                    outcomes.setdefault(str(value), Counter())[_word(outcome, report)] += 1
            told = dict(report.user_properties).get("pman-conformance")
            deviations.setdefault(str(told), set()).update(
                str(value) for key, value in report.user_properties if key == "pman-deviation"
            )
    return [
        f"{name}: {', '.join(f'{count} {word}' for word, count in sorted(counts.items()))}"
        f"; deviations: {', '.join(sorted(deviations[name])) or 'none'}"
        for name, counts in sorted(outcomes.items())
    ]


def _word(outcome: str, report: pytest.TestReport) -> str:
    if outcome != "skipped":
        return {"passed": "promises kept", "failed": "BROKEN", "xfailed": "known broken"}[outcome]
    return "refused" if "refused:" in str(report.longrepr) else "not run"
