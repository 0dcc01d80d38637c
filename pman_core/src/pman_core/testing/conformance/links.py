"""Promise 2, against attackers: no link in the storebase leads a job to what is not its own."""

from __future__ import annotations

import contextlib
import shutil
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pman_core.contract.capabilities import Deviation
from pman_core.contract.errors import ClientError
from pman_core.contract.info import Status
from pman_core.contract.job import Job
from pman_core.testing.conformance.harness import Harness
from pman_core.testing.conformance.marks import weakened_by

#: How many jobs start while links come and go: half of the time there is one. Engines that refuse
#: a link try again, so the last jobs may take long.
_STARTS = 12

_HIDDEN = b"hidden from you"


class LinkPromises:
    """What a job may not reach, whoever made a link."""

    @pytest.mark.parametrize("target", ["out", "other job"])
    def test_a_directory_that_is_a_link_is_not_mounted(self, harness: Harness, target: str) -> None:
        """An earlier job made it: in its output a program may do what it likes."""
        with _secret(harness, target) as secret:
            directory = harness.place().local_in
            for link, named in (
                (directory, f"{directory.parent.name}/in"),
                (directory.parent / "on the way", f"{directory.parent.name}/on the way/sub"),
            ):
                (secret / "sub").mkdir(exist_ok=True)
                (secret / "sub" / "file").write_bytes(_HIDDEN)
                if link.exists():
                    link.rmdir()
                link.symlink_to(secret)
                _reads_nothing(harness, f"{directory.parent.parent.name}/{named}")

    @weakened_by(Deviation.LATE_LINKS_OUT)
    def test_a_link_made_after_the_submit_does_not_lead_out_of_the_storebase(
        self, harness: Harness
    ) -> None:
        """It takes the place of a directory again and again while jobs start."""
        if not harness.deviates(Deviation.LATE_LINKS_OUT):
            follows_no_late_link(harness, "out")

    @weakened_by(Deviation.LATE_LINKS_WITHIN)
    def test_a_link_made_after_the_submit_does_not_lead_to_another_job(
        self, harness: Harness
    ) -> None:
        """Nor to what another job has in the same storebase."""
        if not harness.deviates(Deviation.LATE_LINKS_WITHIN):
            follows_no_late_link(harness, "other job")


def follows_no_late_link(harness: Harness, target: str) -> None:
    """The promise itself, for tests of engines some of which keep it and others do not.

    :param target: where the links lead to, ``out`` of the storebase or to an ``other job``.
    """
    with _secret(harness, target) as secret:
        places = [harness.place() for _ in range(_STARTS)]
        jobs = [harness.job(place, "read", f"{place.job_in}/file") for place in places]
        with _exchanged([place.local_in for place in places], secret):
            accepted = [job.jid for job in jobs if _is_accepted(harness, job)]
            harness.until(
                "most jobs to begin",
                lambda: [harness.status(jid).status for jid in accepted],
                lambda seen: seen.count(Status.NOT_STARTED) * 3 <= len(seen),
            )
        # The others begin now that the directories are their own again.
        for info in [harness.end_of(jid) for jid in accepted]:
            assert _HIDDEN not in harness.logs(info), "it read what is not its own"


def _is_accepted(harness: Harness, job: Job) -> bool:
    try:
        harness.submit(job)
    except ClientError:
        return False
    return True


def _reads_nothing(harness: Harness, directory: str) -> None:
    try:
        place = harness.place_at(directory, directory)
        info = harness.run(place, "read", f"{place.job_in}/file")
    except ClientError as error:
        assert "link" in str(error)
        return
    assert _HIDDEN not in harness.logs(info), "it read what is not its own"


@contextlib.contextmanager
def _secret(harness: Harness, target: str) -> Iterator[Path]:
    """A folder with a file that no job of the test may read."""
    storebase = harness.subject.storebase
    if target == "out":
        folder = storebase.parent / f"outside-{uuid.uuid4().hex[:12]}"
        folder.mkdir()
    else:
        folder = harness.place().local_in
    (folder / "file").write_bytes(_HIDDEN)
    for path in (folder, folder / "file"):
        path.chmod(0o755)  # whatever user the job has
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _exchanged(directories: list[Path], secret: Path) -> Iterator[None]:
    """Links to ``secret`` and the directories take each other's places, again and again."""
    done = threading.Event()

    def exchange() -> None:
        while not done.is_set():
            for directory in directories:
                directory.rename(directory.with_name("aside"))
                directory.symlink_to(secret)
            done.wait(0.002)
            for directory in directories:
                directory.unlink()
                directory.with_name("aside").rename(directory)
            done.wait(0.002)

    thread = threading.Thread(target=exchange, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
