"""The runtime none, which only tests use: the job's directories are its own all the same."""

from pman_core.contract.info import Status
from pman_core.testing.conformance import Workbench


def test_a_directory_may_lie_over_the_place_of_another(bench: Workbench) -> None:
    place, other = bench.place(), bench.place()
    folder = other.local_out.relative_to(bench.subject.storebase)
    over = f"/{place.local_out.parts[1]}/pman-over"
    mounts = (*place.mounts, bench.subject.storage.mount(str(folder), over, read_only=False))
    info = bench.run(place, "write", f"{over}/result", "text", mounts=mounts)
    assert info.status is Status.SUCCEEDED, bench.account_of(info)
    assert (other.local_out / "result").read_text() == "text"
    info = bench.run(place, "write", f"{place.job_out}/result", "text", mounts=mounts)
    assert (place.local_out / "result").read_text() == "text", bench.account_of(info)
