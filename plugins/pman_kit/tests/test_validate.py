"""What a job without a container can be, and what is declared of it."""

from __future__ import annotations

import os

import pytest
from jobs_kit import Harness

from pman_core.contract.errors import InvalidJobError
from pman_kit.capabilities import capabilities
from pman_kit.validate import validate


def test_only_the_image_local_can_be_run(harness: Harness) -> None:
    validate(harness.job("true"))
    with pytest.raises(InvalidJobError) as caught:
        validate(harness.job("true", image="fnndsc/pl-app", env={"A=": ""}))
    assert set(caught.value.faults) == {"image", "env"}
    assert "'local'" in caught.value.faults["image"]


def test_the_mark_of_processes_cannot_be_set_by_a_client(harness: Harness) -> None:
    with pytest.raises(InvalidJobError, match="PMAN_PROCESS_JOB"):
        validate(harness.job("true", env={"PMAN_PROCESS_JOB": "x"}))


def test_the_notes_say_whose_rights_the_jobs_have() -> None:
    notes = " ".join(capabilities().notes)
    assert f"uid {os.getuid()}" in notes
