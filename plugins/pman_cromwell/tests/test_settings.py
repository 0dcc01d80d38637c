"""Settings, and what the backend declares and refuses by them."""

import attrs
import pytest
from spec_samples import job, settings

from pman_core import HostPath
from pman_core.contract.capabilities import Option
from pman_core.contract.errors import InvalidJobError, SettingsError
from pman_core.contract.job import Resources, User
from pman_core.contract.mounts import Mount
from pman_core.contract.storage import host_storage
from pman_cromwell.backend import CromwellBackend
from pman_cromwell.capabilities import capabilities
from pman_cromwell.settings import jobs_folder
from pman_cromwell.validate import validate

_FOLDER = "/data/.pman/pman"


@pytest.mark.parametrize("user", ["pman:secret@", "pman@"])
def test_an_address_with_a_password_is_refused_and_not_shown(user: str) -> None:
    with pytest.raises(SettingsError, match="NETRC") as caught:
        settings(CROMWELL_URL=f"https://{user}cromwell:8000/a@b")
    assert "secret" not in str(caught.value)
    assert settings(CROMWELL_URL="https://cromwell:8000/a@b").url


@pytest.mark.parametrize("login", ["pman:secret/x@", "pman:secret#x@", "pman:secret x@"])
def test_a_malformed_address_is_reported_without_its_password(login: str) -> None:
    with pytest.raises(SettingsError, match="must be an address") as caught:
        settings(CROMWELL_URL=f"https://{login}cromwell:8000")
    assert "secret" not in str(caught.value)


def test_every_fault_is_reported_at_once() -> None:
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


@pytest.mark.parametrize("jobs", ["/data", "/", "/data/x/..", "/data/store/"])
def test_a_jobs_folder_that_holds_the_storebase_is_refused(jobs: str) -> None:
    with pytest.raises(SettingsError, match="holds it"):
        jobs_folder(settings(CROMWELL_JOBS_DIR=jobs), {"STOREBASE": "/data/store"})
    jobs_folder(settings(CROMWELL_JOBS_DIR="/data/store-jobs"), {"STOREBASE": "/data/store"})


def test_user_and_shared_memory_are_podmans_only() -> None:
    assert not capabilities(settings()).refusals
    for runtime in ("apptainer", "none"):
        refused = capabilities(settings(CROMWELL_RUNTIME=runtime)).refusals
        assert set(refused) == {Option.USER, Option.SHM_SIZE}


@pytest.mark.parametrize("value", ["no", "yes"])
def test_a_removed_setting_ends_the_start_and_says_what_to_do(value: str) -> None:
    environment = {
        "CROMWELL_URL": "http://cromwell:8000",
        "STOREBASE": "/data",
        "CROMWELL_SEES_JOBS": value,
    }
    with pytest.raises(SettingsError, match="Mount that storage where pman runs"):
        CromwellBackend(environment)
    CromwellBackend({**environment, "CROMWELL_SEES_JOBS": ""})


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
        validate(attrs.evolve(job(), **changes), "podman", _FOLDER)  # type: ignore[arg-type]
    assert set(caught.value.faults) == {field}
    assert "secret" not in str(caught.value)


def test_an_ordinary_job_is_not_refused() -> None:
    for runtime in ("podman", "apptainer"):
        validate(job(), runtime, _FOLDER)
    validate(job(image="local"), "none", _FOLDER)


def test_without_images_an_image_is_refused() -> None:
    with pytest.raises(InvalidJobError, match="local"):
        validate(job(), "none", _FOLDER)


@pytest.mark.parametrize("path", ["", ".pman", ".pman/pman", ".pman/other/runs", "x/../.pman"])
def test_a_job_cannot_have_pmans_own_records(path: str) -> None:
    storage = host_storage("/data")
    reads = (Mount(HostPath(f"/data/{path}"), "/share/incoming", read_only=True),)
    writes = (Mount(HostPath(f"/data/{path}"), "/share/outgoing", read_only=False),)
    more = (*storage.mounts("in", "out"), Mount(HostPath(f"/data/{path}"), "/more", read_only=True))
    for mounts, field in ((reads, "input_dir"), (writes, "output_dir"), (more, "mounts")):
        with pytest.raises(InvalidJobError, match="pman's own records") as caught:
            validate(job(mounts=mounts), "podman", _FOLDER)
        assert set(caught.value.faults) == {field}
    validate(job(mounts=storage.mounts(".pmanx", "a/.pman")), "podman", _FOLDER)


def test_with_podman_only_a_single_worker_has_gpus() -> None:
    several = job(resources=Resources(workers=2, gpus=1))
    with pytest.raises(InvalidJobError, match="number_of_workers") as caught:
        validate(several, "podman", _FOLDER)
    assert set(caught.value.faults) == {"gpu_limit"}
    validate(several, "apptainer", _FOLDER)


def test_where_slurm_holds_the_memory_of_workers_together_that_is_noted() -> None:
    assert not capabilities(settings()).notes
    for runtime in ("apptainer", "none"):
        (note,) = capabilities(settings(CROMWELL_RUNTIME=runtime)).notes
        assert "sum" in note
