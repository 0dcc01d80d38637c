"""The runtime none, which only tests use: the job's directories are its own all the same."""

from pman_core.contract.info import Status
from pman_core.testing.conformance import Harness


def test_a_directory_may_lie_over_the_place_of_another(harness: Harness) -> None:
    place, other = harness.place(), harness.place()
    folder = other.local_out.relative_to(harness.subject.storebase)
    over = f"/{place.local_out.parts[1]}/pman-over"
    mounts = (*place.mounts, harness.subject.storage.mount(str(folder), over, read_only=False))
    info = harness.run(place, "write", f"{over}/result", "text", mounts=mounts)
    assert info.status is Status.SUCCEEDED, harness.account_of(info)
    assert (other.local_out / "result").read_text() == "text"
    info = harness.run(place, "write", f"{place.job_out}/result", "text", mounts=mounts)
    assert (place.local_out / "result").read_text() == "text", harness.account_of(info)
