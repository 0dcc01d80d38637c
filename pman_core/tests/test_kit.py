"""What the kit shows an author whose backend breaks a promise, and what its report card holds."""

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from pman_core.contract.capabilities import Capabilities
from pman_core.contract.mounts import HostPath

pytest_plugins = ["pytester"]

#: The conformance class on a backend whose methods a test adds.
SUITE = """
    import attrs
    import pytest
    from functools import partial
    from subjects import memory_subject
    from pman_core import Capabilities, Deviation, HostPath, Option, hookimpl
    from pman_core.testing import BackendConformance, MemoryBackend, MemoryEngine

    class Mine(MemoryBackend):
        {methods}

    class TestMine(BackendConformance):
        @pytest.fixture
        def subject(self, tmp_path):
            engine = MemoryEngine()
            made = memory_subject(engine, tmp_path)
            return attrs.evolve(made, factory=partial(Mine, engine=engine), {changes})
"""


def run(
    pytester: pytest.Pytester, *options: str, methods: str = "pass", changes: str = ""
) -> pytest.RunResult:
    """Run the class on a backend."""
    suite = dedent(SUITE.format(methods=methods, changes=changes))
    pytester.makepyfile(test_mine=suite)
    pytester.syspathinsert(Path(__file__).parent)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)


def test_that_a_job_succeeds_is_asked_first(pytester: pytest.Pytester) -> None:
    found = run(pytester, "--collect-only", "-q")
    assert found.outlines[0].endswith("::test_success_is_reported")


def test_a_broken_promise_shows_what_became_of_its_jobs(pytester: pytest.Pytester) -> None:
    methods = """def _info(self, record):
            info = super()._info(record)
            return attrs.evolve(info, exit_code=info.exit_code and 1)
    """
    found = run(pytester, "-k", "test_an_exit_code_is_reported and 3", methods=methods)
    told = found.stdout.str()
    assert "finishedWithError, reason exit-code, exit code 1" in told
    assert "message: exited with code 3" in told
    assert "command: probe exit 3" in told
    assert "The program that conformance jobs run" not in told  # the source of the probe


def test_a_job_that_cannot_run_is_reported_at_once_and_with_a_hint(
    pytester: pytest.Pytester,
) -> None:
    """The test does not wait for it until its patience is over."""
    methods = """@hookimpl
        def pman_submit(self, job):
            return super().pman_submit(attrs.evolve(job, mounts=()))
    """
    found = run(
        pytester,
        "-k",
        "test_a_running_job_is_started",
        "--timeout=60",
        methods=methods,
        changes="patience_s=10_000",
    )
    found.stdout.fnmatch_lines(["*the job ended before it ran*", "*hint: *REAL_DIRECTORIES*"])


@pytest.fixture
def card(pytester: pytest.Pytester) -> dict[str, Any]:
    """The card of a backend that refuses, deviates, and has something that is not run."""
    methods = """@hookimpl
        def pman_capabilities(self):
            return Capabilities(
                mounts=[HostPath],
                freshness_s=2.0,
                refusals={Option.GPU_LIMIT: "there are no GPUs"},
                deviations={Deviation.LOG_ORDER: "two files are read"},
            )
    """
    wanted = "gpus or success_is_reported or killed_pman or streams"
    run(pytester, "-k", wanted, "--pman-card=card.json", methods=methods)
    (found,) = json.loads((pytester.path / "card.json").read_text())
    run(pytester, "-k", wanted, "--pman-card=card.md", methods=methods)
    assert isinstance(found, dict)
    return found


def test_a_card_names_what_is_kept_refused_deviating_and_not_run(
    card: dict[str, Any], pytester: pytest.Pytester
) -> None:
    assert "test_success_is_reported" in card["kept"]
    assert card["refused"] == {
        "test_more_gpus_than_there_are_is_reported": "gpu_limit: there are no GPUs"
    }
    assert card["deviating"] == {"log-order": "two files are read"}
    why = card["not_run"]["test_a_killed_pman_neither_loses_nor_doubles_a_job"]
    assert "memory of one process" in why
    assert not card["broken"]
    page = (pytester.path / "card.md").read_text()
    assert "| test_success_is_reported | kept |" in page
    assert "| log-order | deviating | two files are read |" in page


@pytest.mark.parametrize(
    "declared",
    [
        {"refusals": {"cpu-limit": "it has none"}},
        {"deviations": {"no-inti": "it has none"}},
        {"mounts": ["HostPath"]},
    ],
    ids=["option", "deviation", "kind of source"],
)
def test_what_is_misspelt_in_capabilities_is_an_error(declared: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is no (option|deviation|kind of source)"):
        Capabilities(**{"mounts": [HostPath], **declared})
