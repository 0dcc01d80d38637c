"""Promise 2: input is there and read-only, output is writable, and nothing else is seen."""

from __future__ import annotations

import pytest

from pman_core.contract.capabilities import Deviation, Option
from pman_core.contract.errors import ClientError
from pman_core.contract.info import Status
from pman_core.contract.mounts import INPUT_TARGET, OUTPUT_TARGET
from pman_core.testing.conformance.harness import Harness, Place
from pman_core.testing.conformance.marks import weakened_by


class DirectoryPromises:
    """The directories of a job."""

    def test_input_can_be_read(self, harness: Harness) -> None:
        """A file of the input directory has its content."""
        place = harness.place()
        (place.local_in / "scan with blank.txt").write_text("content")
        info = harness.run(place, "read", f"{place.job_in}/scan with blank.txt")
        assert info.status is Status.SUCCEEDED, info
        assert harness.logs_with(info, b"content") == b"content"

    @weakened_by(Deviation.INPUT_WRITABLE)
    def test_input_is_read_only(self, harness: Harness) -> None:
        """The job cannot write there."""
        place = harness.place()
        info = harness.run(place, "write", f"{place.job_in}/mine", "text")
        assert info.status.is_final
        if harness.deviates(Deviation.INPUT_WRITABLE):
            return
        assert info.exit_code == 2, info
        assert not (place.local_in / "mine").exists()

    def test_output_can_be_written(self, harness: Harness) -> None:
        """What the job writes is in the storebase."""
        place = harness.place()
        info = harness.run(place, "write", f"{place.job_out}/result", "text")
        assert info.status is Status.SUCCEEDED, info
        assert (place.local_out / "result").read_text() == "text"

    def test_input_and_output_may_be_the_same(self, harness: Harness) -> None:
        """Then neither mount is lost."""
        place = harness.place(same=True)
        (place.local_in / "there").write_text("content")
        info = harness.run(place, "read", f"{place.job_in}/there")
        assert info.status is Status.SUCCEEDED, info
        info = harness.run(place, "write", f"{place.job_out}/result", "text")
        assert info.status is Status.SUCCEEDED, info
        assert (place.local_out / "result").read_text() == "text"

    @pytest.mark.parametrize("which", ["input", "output"])
    @weakened_by(Deviation.MISSING_DIRECTORY_MADE)
    def test_a_missing_directory_is_reported_and_not_created(
        self, harness: Harness, which: str
    ) -> None:
        """The job fails, and no empty directory appears in its place."""
        real = harness.place()
        own = real.local_in.parent.relative_to(harness.subject.storebase)
        missing = f"{own.parent}/no-such-{which}"
        parts = {"input": f"{own}/in", "output": f"{own}/out"} | {which: missing}
        if harness.deviates(Deviation.MISSING_DIRECTORY_MADE):
            return
        self._fails_to_start(harness, harness.place_at(parts["input"], parts["output"]))
        assert not (harness.subject.storebase / missing).exists()

    @weakened_by(Deviation.REAL_DIRECTORIES)
    def test_directories_are_where_plugins_expect_them(self, harness: Harness) -> None:
        """At the paths that ChRIS plugins have always found in their arguments."""
        place = harness.place()
        expected = (INPUT_TARGET, OUTPUT_TARGET)
        if harness.deviates(Deviation.REAL_DIRECTORIES):
            expected = (str(place.local_in), str(place.local_out))
        info = harness.run(place, "write", f"{expected[1]}/result", "text")
        assert info.status is Status.SUCCEEDED, info
        assert (place.local_out / "result").read_text() == "text"
        assert (place.job_in, place.job_out) == expected

    def test_a_job_may_have_more_directories(self, harness: Harness) -> None:
        """Each at its own path, read-only or writable as it was asked for."""
        harness.needs(Option.MOUNTS)
        place, other = harness.place(), harness.place()
        (other.local_in / "there").write_text("content")
        folder = other.local_in.parent.relative_to(harness.subject.storebase)
        mount = harness.subject.storage.mount
        mounts = (
            *place.mounts,
            mount(f"{folder}/in", "/data/more in", read_only=True),
            mount(f"{folder}/out", "/data/out", read_only=False),
        )
        read = harness.run(place, "read", "/data/more in/there", mounts=mounts)
        assert harness.logs_with(read, b"content") == b"content"
        refused = harness.run(place, "write", "/data/more in/mine", "text", mounts=mounts)
        assert refused.exit_code == 2, refused
        written = harness.run(place, "write", "/data/out/result", "text", mounts=mounts)
        assert written.status is Status.SUCCEEDED, written
        assert (other.local_out / "result").read_text() == "text"

    @weakened_by(Deviation.NO_ISOLATION)
    def test_a_job_sees_only_its_own_directories(self, harness: Harness) -> None:
        """Not those of other jobs, by any path that the machine knows."""
        place, other = harness.place(), harness.place()
        (other.local_in / "secret").write_text("hidden")
        info = harness.run(place, "read", str(other.local_in / "secret"))
        assert info.status.is_final
        if harness.deviates(Deviation.NO_ISOLATION):
            return
        assert info.exit_code == 2, info
        assert b"hidden" not in harness.logs(info)

    @staticmethod
    def _fails_to_start(harness: Harness, place: Place) -> None:
        job = harness.job(place, "exit", "0")
        try:
            harness.submit(job)
        except ClientError as error:
            assert str(error)
            return
        info = harness.end_of(job.jid)
        assert info.status is Status.FAILED, info
        assert "no-such-" in info.message, info
