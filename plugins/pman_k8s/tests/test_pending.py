"""What real nodes and servers say of a job that waits, or can never start."""

from collections.abc import Iterator

import pytest
from k8s_cluster import MISSING_IMAGE, admin, applied, until
from k8s_kit import K8sKit
from k8s_subjects import claim_of_tests, host_of_tests

from pman_core import HostPath, Mount, Reason, Resources, Status, Storage
from pman_core.kit.causes import cause_named
from pman_k8s.status.pending import CONFIRM_S
from pman_k8s.status.pods import Pod

pytestmark = pytest.mark.timeout(600)


def test_a_back_off_does_not_hide_why_an_image_cannot_be_had(kit: K8sKit) -> None:
    pman = kit.pman()
    job = kit.shell("true", image=MISSING_IMAGE)
    pman.pman_submit(job)
    told = cause_named("registry-not-reached").wording
    until(lambda: pman.pman_status(job.jid), lambda info: told in info.message)
    until(lambda: Pod(kit.pods(job.jid)[0]).waits.message, lambda words: "Back-off" in words)
    info = pman.pman_status(job.jid)
    assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.PULLING), info
    assert told in info.message
    assert MISSING_IMAGE in info.message


def test_a_path_that_a_runtime_cannot_mount_ends_its_job_at_once(kit: K8sKit) -> None:
    """Docker's form of a mount has no way to write a colon; containerd and CRI-O mount it."""
    folder = kit.place().folder / "a:b"
    folder.mkdir()
    (folder / "found").touch()
    mounts = (Mount(HostPath(str(folder)), "/share/incoming", True),)
    info = kit.run(kit.pman(), kit.shell("ls /share/incoming/found", mounts=mounts))
    if info.status is not Status.SUCCEEDED:
        assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START), info
        assert "invalid volume specification" in info.message or "invalid mode" in info.message


@pytest.mark.parametrize("storage", [claim_of_tests(), host_of_tests()], ids=lambda it: it.name)
def test_a_colon_in_a_directory_of_the_storebase_is_no_matter(
    kit: K8sKit, storage: Storage
) -> None:
    place = kit.place()
    folder = place.folder / "a:b"
    folder.mkdir()
    (folder / "found").touch()
    mount = storage.mount(f"{place.folder.name}/a:b", "/share/incoming", read_only=True)
    info = kit.run(kit.pman(), kit.shell("ls /share/incoming/found", mounts=(mount,)))
    assert info.status is Status.SUCCEEDED, info


def test_a_memory_limit_that_is_too_small_for_the_runtime_fails_the_job(kit: K8sKit) -> None:
    """After a minute: the machine itself might have been out of memory."""
    pman = kit.pman()
    job = kit.shell("true", resources=Resources(memory_mib=1))
    pman.pman_submit(job)
    info = kit.end_of(pman, job.jid, CONFIRM_S + 60)
    assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START), info
    assert "memory limit too low?" in info.message


@pytest.fixture
def no_gpus(kit: K8sKit) -> Iterator[None]:
    """The namespace forbids GPUs."""
    limit = {"type": "Container", "max": {"nvidia.com/gpu": "0"}}
    manifest = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": kit.instance},
        "spec": {"limits": [limit]},
    }
    with applied(manifest):
        yield


@pytest.mark.usefixtures("no_gpus")
def test_a_limit_range_on_gpus_fails_the_job(kit: K8sKit) -> None:
    pman = kit.pman()
    job = kit.shell("true", resources=Resources(memory_mib=16, gpus=1))
    pman.pman_submit(job)
    info = kit.end_of(pman, job.jid)
    assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START), info
    assert "nvidia.com/gpu" in info.message


def test_an_event_that_holds_up_nothing_is_not_what_a_job_waits_for(kit: K8sKit) -> None:
    """The nodes of the tests have no cluster DNS, and say so of each pod."""
    pman = kit.pman(START_DEADLINE="600")
    job = kit.shell("true", resources=Resources(memory_mib=1))
    pman.pman_submit(job)
    (pod,) = until(lambda: kit.pods(job.jid), bool)

    def warned() -> int:
        events = admin().events(pod["metadata"]["uid"])
        return sum(one["count"] for one in events if one["reason"] == "MissingClusterDNS")

    # Each attempt to begin brings one, so it is the latest event now and then.
    often = until(warned, bool) + 4
    seen = set()

    def look() -> int:
        seen.add(pman.pman_status(job.jid).message)
        return warned()

    until(look, lambda count: count > often)
    assert any("OOM-killed" in message for message in seen), seen
    assert not any("DNS" in message for message in seen), seen
