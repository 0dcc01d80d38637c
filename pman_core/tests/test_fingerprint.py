"""The fingerprint of a request: what enters it, and that it stays the same for ever."""

import logging
from typing import Any

import attrs
import pytest

from pman_core._internal.fingerprint import fingerprint, same_request
from pman_core.contract.request import JobRequest, PluginType, WantedMount

REQUEST = JobRequest(
    jid="chris-jid-1",
    image="fnndsc/pl-simple",
    entrypoint=("python3", "/app.py"),
    args=("--say", "hé\0"),
    args_path_flags=frozenset(f"--{letter}" for letter in "hgfedcba"),
    type=PluginType.DS,
    auid="cube",
    number_of_workers=1,
    cpu_limit=1000,
    memory_limit=200,
    gpu_limit=0,
    env={"B": "2", "A": "1"},
    input_dir="in",
    output_dir="out",
)

#: Jobs of earlier releases carry such values: a change of what this test holds must
#: raise the version in pman_core._internal.fingerprint.
GOLDEN = "v1-b5594b198aa66c47826f5102eb9b593a1845346dd5b70661f62caf1f8d44b7d8"


def test_a_fingerprint_never_changes_by_accident() -> None:
    assert fingerprint(REQUEST) == GOLDEN


def test_the_order_of_flags_and_variables_means_nothing() -> None:
    turned = attrs.evolve(
        REQUEST,
        env={"A": "1", "B": "2"},
        args_path_flags=frozenset(f"--{letter}" for letter in "abcdefgh"),
    )
    assert fingerprint(turned) == fingerprint(REQUEST)


def test_every_field_but_the_jid_enters() -> None:
    other: dict[str, Any] = {
        "image": "x",
        "entrypoint": ("x",),
        "args": ("x",),
        "args_path_flags": frozenset({"x"}),
        "type": PluginType.FS,
        "auid": "x",
        "number_of_workers": 2,
        "cpu_limit": 2,
        "memory_limit": 2,
        "gpu_limit": 2,
        "env": {"A": "2"},
        "input_dir": "x",
        "output_dir": "x",
        "time_limit": 2,
        "workdir": "/x",
        "mounts": (WantedMount("x", "/x"),),
    }
    assert set(other) == {field.name for field in attrs.fields(JobRequest)} - {"jid"}
    seen = {fingerprint(attrs.evolve(REQUEST, **{name: value})) for name, value in other.items()}
    assert len(seen | {fingerprint(REQUEST)}) == len(other) + 1


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"args": ("a b",)}, {"args": ("a", "b")}),
        ({"args": ("a",), "entrypoint": ("x", "b")}, {"args": ("b", "a"), "entrypoint": ("x",)}),
        ({"env": {"A": "1,B=2"}}, {"env": {"A": "1", "B": "2"}}),
        ({"env": {"A": ""}}, {"env": {}}),
        ({"input_dir": "a", "output_dir": "b"}, {"input_dir": "b", "output_dir": "a"}),
    ],
)
def test_values_cannot_be_shifted_into_each_other(one: dict[str, Any], two: dict[str, Any]) -> None:
    first, second = (attrs.evolve(REQUEST, **changes) for changes in (one, two))
    assert fingerprint(first) != fingerprint(second)


def test_no_value_can_be_read_from_a_fingerprint() -> None:
    assert len(fingerprint(REQUEST)) == len("v1-") + 64


def test_only_equal_fingerprints_of_one_version_are_the_same() -> None:
    mine = fingerprint(REQUEST)
    assert same_request(mine, mine)
    assert not same_request("v1-" + "0" * 64, mine)
    assert not same_request("v1", mine)
    assert not same_request("v1-", mine)


@pytest.mark.parametrize("stored", ["", "v0-abc", "v2-abc", "v11-abc", "nonsense", "-", "V1-abc"])
def test_another_version_counts_as_the_same_and_is_logged(
    stored: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "pman_core"):
        assert same_request(stored, fingerprint(REQUEST))
    assert "another version" in caplog.text
