"""The tree of errors, and the code that each of them has on the wire."""

import inspect
import re

import pytest

from pman_core.contract import errors
from pman_core.rest.errors import STATUS

CLASSES: dict[str, type[errors.PmanError]] = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.PmanError)
}


def drawn() -> dict[str, str | None]:
    """The tree in the docstring: each class and the one above it."""
    parents: dict[str, str | None] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"    ((?:│   |    )*)(?:[├└]── )?([A-Z]\w+Error)\b", line)
        if found:
            depth = len(found[1]) // 4 + ("── " in line)
            above[depth:] = [found[2]]
            parents[found[2]] = above[depth - 1] if depth else None
    return parents


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    real = {
        name: None if kind is errors.PmanError else kind.__bases__[0].__name__
        for name, kind in CLASSES.items()
    }
    assert drawn() == real
    assert all(len(kind.__bases__) == 1 for kind in CLASSES.values())


def served() -> set[type[errors.PmanError]]:
    """What can be raised while a request is served: leaves, and no errors of the start."""
    parents = {kind.__bases__[0] for kind in CLASSES.values()}  # plugins have kinds of their own
    return {
        kind
        for kind in CLASSES.values()
        if kind not in parents and not issubclass(kind, errors.ConfigurationError)
    }


def test_every_error_of_a_request_has_a_status_and_no_other_has() -> None:
    assert set(STATUS) == served()


def test_the_code_says_who_must_act() -> None:
    for kind, code in STATUS.items():
        expected = {True: range(400, 500), False: range(500, 600)}
        assert code in expected[issubclass(kind, errors.ClientError | errors.AccessError)]
    assert STATUS[errors.EngineUnavailableError] == 503
    assert STATUS[errors.PluginFaultError] == 500


def test_every_error_is_documented() -> None:
    assert all(inspect.getdoc(kind) for kind in CLASSES.values())


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (errors.UnknownJobError("j 1"), ["'j 1'", "no job"]),
        (errors.JobExistsError("j 1"), ["'j 1'", "another jid", "remove that job"]),
        (errors.NameTakenError("j 1", "j-1"), ["'j 1'", "'j-1'", "another jid", "remove"]),
    ],
)
def test_a_message_says_what_happened_and_what_to_do(error: Exception, words: list[str]) -> None:
    assert all(word in str(error) for word in words)


def test_faults_of_fields_are_reported_in_the_message_too() -> None:
    error = errors.InvalidJobError(faults={"a": "must be b", "c": "must be d"})
    assert str(error) == "a: must be b; c: must be d"
    assert dict(error.faults) == {"a": "must be b", "c": "must be d"}
    assert str(errors.UnsupportedError("no", {"a": "b"})) == "no"


def test_a_problem_is_reported_once() -> None:
    assert errors.SettingsError(["a", "b", "a"]).problems == ("a", "b")
    assert str(errors.SettingsError(["a", "b", "a"])) == "a\nb"
