"""Settings, and what the backend declares and refuses by them."""

import attrs
import pytest
from order_samples import job, settings

from pman_core.capabilities import Deviation, Option
from pman_core.errors import InvalidJobError, SettingsError
from pman_core.job import Resources, User
from pman_cromwell.backend import CromwellBackend
from pman_cromwell.capabilities import capabilities, validate
from pman_cromwell.settings import jobs_folder


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        settings(CROMWELL_URL="cromwell", CROMWELL_RUNTIME="docker", SLURM_PARTITION="a'b")
    assert len(caught.value.problems) >= 3
    assert {"CROMWELL_URL", "CROMWELL_RUNTIME", "SLURM_PARTITION"} <= {
        problem.split()[0] for problem in caught.value.problems
    }


def test_without_an_address_it_does_not_start() -> None:
    with pytest.raises(SettingsError, match="CROMWELL_URL"):
        CromwellBackend({"STOREBASE": "/data"})


def test_without_a_folder_it_does_not_start() -> None:
    with pytest.raises(SettingsError, match="STOREBASE"):
        CromwellBackend({"CROMWELL_URL": "http://cromwell:8000"})


@pytest.mark.parametrize("path", ["/da'ta", "/da\nta"])
def test_a_path_that_the_configuration_cannot_quote_is_refused(path: str) -> None:
    with pytest.raises(SettingsError, match="quote"):
        jobs_folder(settings(), {"STOREBASE": path})


def test_each_instance_has_a_folder_of_its_own() -> None:
    assert jobs_folder(settings(INSTANCE="two"), {"STOREBASE": "/data"}) == "/data/.pman/two"
    assert jobs_folder(settings(CROMWELL_JOBS_DIR="/jobs"), {}) == "/jobs/pman"


def test_user_and_shared_memory_are_podmans_only() -> None:
    assert not capabilities(settings()).refusals
    for runtime in ("apptainer", "none"):
        refused = capabilities(settings(CROMWELL_RUNTIME=runtime)).refusals
        assert set(refused) == {Option.USER, Option.SHM_SIZE}


def test_a_pman_that_cannot_see_the_folder_says_what_it_cannot_tell() -> None:
    declared = capabilities(settings(CROMWELL_SEES_JOBS="no"))
    assert {Deviation.OOM_NOT_TOLD, Deviation.START_NOT_TOLD} <= set(declared.deviations)
    assert declared.notes


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"image": "--privileged"}, "image"),
        ({"image": "a b"}, "image"),
        ({"argv": ()}, "entrypoint"),
        ({"env": {"A=B": "c"}}, "env"),
        ({"resources": Resources(memory_mib=8)}, "memory_limit"),
        ({"user": User(gid=7)}, "CONTAINER_USER"),
        ({"labels": {"x": "y" * 256}}, "JOB_LABELS"),
    ],
)
def test_what_can_never_run_is_refused_by_its_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidJobError) as caught:
        validate(attrs.evolve(job(), **changes), "podman")  # type: ignore[arg-type]
    assert set(caught.value.faults) == {field}
    assert "secret" not in str(caught.value)


def test_an_ordinary_job_is_not_refused() -> None:
    for runtime in ("podman", "apptainer"):
        validate(job(), runtime)
    validate(job(image="local"), "none")


def test_without_images_an_image_is_refused() -> None:
    with pytest.raises(InvalidJobError, match="local"):
        validate(job(), "none")
