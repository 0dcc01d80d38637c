"""What the kit adds to pytest: engines that may be missing, and the report card.

Loaded into every pytest run of an environment that has pman-core, so it imports nothing
heavy and does nothing until a test asks.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from pman_core.testing.report_card import cards_of, write_cards

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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where the report cards go."""
    parser.getgroup("pman").addoption(
        "--pman-card",
        metavar="FILE",
        help="write the report cards of BackendConformance: FILE.json, or FILE.md",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin the account."""
    config.stash[_ENGINES] = Engines()


@pytest.fixture(scope="session")
def engines(pytestconfig: pytest.Config) -> Engines:
    """The account of engines; call ``engines.need(name, why_it_is_missing)``."""
    return pytestconfig.stash[_ENGINES]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    """Add to a promise that is broken what became of its jobs."""
    report = yield
    account = getattr(getattr(item, "funcargs", {}).get("harness"), "account", None)
    if report.when == "call" and report.failed and callable(account):
        report.sections.append(("jobs of this test", account()))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell which engines were used, and how each backend kept its promises."""
    account = terminalreporter.config.stash[_ENGINES]
    cards = cards_of(_reports(terminalreporter))
    if not account.used and not cards:
        return
    terminalreporter.section("pman")
    terminalreporter.line(f"engines used: {', '.join(sorted(account.used)) or 'none'}")
    for card in cards:
        for line in card.lines():
            terminalreporter.line(line)
    if terminalreporter.config.option.pman_card:
        write_cards(cards, Path(terminalreporter.config.option.pman_card))
    report = os.environ.get(REPORT_VARIABLE)
    if report and account.used:
        with Path(report).open("a") as file:
            file.write("".join(f"{name}\n" for name in sorted(account.used)))


def _reports(terminalreporter: pytest.TerminalReporter) -> Iterator[tuple[str, pytest.TestReport]]:
    for outcome in ("passed", "failed", "skipped", "xfailed"):
        for report in terminalreporter.getreports(outcome):
            if isinstance(report, pytest.TestReport):
                yield outcome, report
