"""The report card of a backend: which promises of the contract it keeps, and in what form."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

#: What the conformance class notes of each of its tests.
SUBJECT, DEVIATION = "pman-conformance", "pman-deviation"


@dataclass
class Card:
    """What became of each test of one subclass of ``BackendConformance``.

    :param kept: tests that passed.
    :param broken: tests that failed.
    :param known_broken: tests that fail as the plugin says.
    :param refused: tests of options that the backend refuses, and why.
    :param not_run: tests that could not be run, and why.
    :param deviating: promises in a weaker form, and why.
    """

    name: str
    kept: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    known_broken: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)
    deviating: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """For a terminal: the numbers, and the names of what is not simply kept."""
        counts = {
            "promises kept": self.kept,
            "BROKEN": self.broken,
            "known broken": self.known_broken,
            "refused": self.refused,
            "not run": self.not_run,
        }
        counted = ", ".join(f"{len(tests)} {word}" for word, tests in counts.items() if tests)
        deviating = ", ".join(sorted(self.deviating)) or "none"
        return [
            f"{self.name}: {counted}; deviations: {deviating}",
            *(f"  refused: {test}: {why}" for test, why in self.refused.items()),
            *(f"  not run: {test}: {why}" for test, why in self.not_run.items()),
        ]

    def markdown(self) -> str:
        """For a README."""
        rows = [
            *((test, "BROKEN", "") for test in self.broken),
            *((test, "known broken", "") for test in self.known_broken),
            *((test, "refused", why) for test, why in self.refused.items()),
            *((name, "deviating", why) for name, why in sorted(self.deviating.items())),
            *((test, "not run", why) for test, why in self.not_run.items()),
            *((test, "kept", "") for test in self.kept),
        ]
        table = "".join(f"| {name} | {what} | {why} |\n" for name, what, why in rows)
        return f"## {self.name}\n\n| promise | | why |\n|---|---|---|\n{table}"


def cards_of(reports: Iterable[tuple[str, pytest.TestReport]]) -> list[Card]:
    """The cards of a test run, from its reports and their outcomes in pytest's words."""
    cards: dict[str, Card] = {}
    for outcome, report in reports:
        noted = [(key, value) for key, value in report.user_properties]
        subject = dict(noted).get(SUBJECT)
        if subject is None or (outcome == "passed" and report.when != "call"):
            continue
        card = cards.setdefault(str(subject), Card(str(subject)))
        for key, value in noted:
            if key == DEVIATION and isinstance(value, (tuple, list)):
                card.deviating[str(value[0])] = str(value[1])
        _enter(card, outcome, report)
    return [cards[name] for name in sorted(cards)]


def write_cards(cards: Iterable[Card], path: Path) -> None:
    """Write cards as JSON or as Markdown, as the name of the file says."""
    if path.suffix == ".json":
        path.write_text(json.dumps([asdict(card) for card in cards], indent=2) + "\n")
    else:
        path.write_text("\n".join(card.markdown() for card in cards))


def _enter(card: Card, outcome: str, report: pytest.TestReport) -> None:
    test = report.nodeid.rpartition("::")[2]
    if outcome == "skipped":
        why = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        kind, _, rest = why.removeprefix("Skipped: ").partition(": ")
        (card.refused if kind == "refused" else card.not_run)[test] = rest or kind
    else:
        {"passed": card.kept, "failed": card.broken, "xfailed": card.known_broken}[outcome].append(
            test
        )
