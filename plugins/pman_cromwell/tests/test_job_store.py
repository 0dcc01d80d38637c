"""The jobs folder: what is written there, by whom, and what is deleted."""

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest
from spec_samples import CREATED, spec

from pman_core.contract.errors import EngineUnavailableError
from pman_core.contract.info import Reason
from pman_cromwell import run_files
from pman_cromwell.job_spec import JobSpec, to_json, workflow_id
from pman_cromwell.job_store import JobStore
from pman_cromwell.run_files import Cancelled, Ended

_REMOVED = Cancelled(None, "removed", CREATED)


def _spec(jid: str) -> JobSpec:
    return spec(jid=jid, workflow=workflow_id("pman", jid, 0))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "storebase" / ".pman").mkdir(parents=True)
    return tmp_path / "storebase" / ".pman" / "pman"


@pytest.fixture
def store(root: Path) -> JobStore:
    return JobStore(str(root), "pman")


def test_a_record_is_made_once(store: JobStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: store.create(spec()), range(8)))
    assert sorted(made) == [False] * 7 + [True]
    assert store.spec("chris-jid-1") == spec()
    assert list(store.names()) == ["chris-jid-1"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"somebody else's",
        b"\xff\xfe",
        to_json(spec(instance="other")).encode(),
        to_json(spec(jid="other")).encode(),
    ],
)
def test_a_file_that_is_no_record_is_foreign(store: JobStore, root: Path, text: bytes) -> None:
    list(store.names())
    (root / "jobs" / "chris-jid-1.json").write_bytes(text)
    assert store.spec("chris-jid-1") is None
    assert store.is_foreign("chris-jid-1")
    assert not store.create(spec())
    store.delete_leftovers()


def test_new_files_have_the_owner_and_group_of_the_folder(store: JobStore, root: Path) -> None:
    base = root.parent
    base.chmod(0o2770)
    if os.geteuid() == 0:
        os.chown(base, 1234, 5678)
    store.create(spec())
    run = root / "runs" / spec().workflow
    for folder in (root, root / "jobs", root / "runs", run):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o2770
        assert folder.stat().st_gid == base.stat().st_gid
    record = root / "jobs" / "chris-jid-1.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o640
    assert (record.stat().st_uid, record.stat().st_gid) == (base.stat().st_uid, base.stat().st_gid)


def test_the_first_end_and_the_first_cancellation_stay(store: JobStore) -> None:
    store.create(spec())
    first = Ended(Reason.LOST, "first", None, CREATED)
    for ended in (first, attrs.evolve(first, message="second")):
        store.record_end(spec(), ended)
    deadline = Cancelled(Reason.START_DEADLINE, "waited", CREATED)
    for why in (deadline, _REMOVED):
        store.cancel(spec(), why)
    seen = store.run_files(spec())
    assert seen
    assert (seen.ended, seen.cancelled, seen.accepted) == (first, deadline, False)


def test_a_cancellation_is_unfinished_until_the_job_has_an_end(store: JobStore) -> None:
    for jid in ("1", "2", "3"):
        store.create(_spec(jid))
    store.cancel(_spec("1"), Cancelled(Reason.CANCELLED, "cancelled", CREATED))
    store.cancel(_spec("2"), _REMOVED)
    assert list(store.unfinished_cancellations()) == [_spec("1").name]
    store.record_end(_spec("1"), Ended(Reason.CANCELLED, "cancelled", None, CREATED))
    assert list(store.unfinished_cancellations()) == []


def test_nothing_is_written_for_a_job_that_is_gone(store: JobStore, root: Path) -> None:
    store.create(spec())
    store.delete(spec())
    store.delete(spec())
    store.mark_accepted(spec())
    assert store.run_files(spec()) is None
    assert os.listdir(root / "runs") == os.listdir(root / "jobs") == []


def test_only_what_a_removal_left_is_deleted(store: JobStore, root: Path) -> None:
    store.create(spec())
    store.cancel(spec(), _REMOVED)  # its record is still there
    for name in ("new", "left", ".removed-1"):
        (root / "runs" / name).mkdir()
    (root / "runs" / "left" / "cancelled").touch()
    store.delete_leftovers()
    assert set(os.listdir(root / "runs")) == {spec().workflow, "new"}


def test_what_an_unfinished_removal_left_is_deleted(
    store: JobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after its first files, among them the mark; or NFS keeps one that is open."""

    def some(folder: Path, **_: object) -> None:
        (folder / "cancelled").unlink()

    store.create(spec())
    store.cancel(spec(), _REMOVED)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", some)
        store.delete(spec())
    assert len(os.listdir(root / "runs")) == 1
    assert store.run_files(spec()) is None
    assert store.create(spec())
    store.delete_leftovers()
    assert os.listdir(root / "runs") == [spec().workflow]


def test_a_log_is_never_read_through_a_link(store: JobStore, root: Path) -> None:
    store.create(spec())
    (root / "secret").write_text("secret")
    (root / "runs" / spec().workflow / "log.0").symlink_to(root / "secret")
    with pytest.raises(EngineUnavailableError):
        store.log(spec(), 10, 100)


def test_the_lock_of_a_run_shows_whether_it_goes_on(store: JobStore, root: Path) -> None:
    store.create(spec())
    assert not store.is_running(spec())
    with (root / "runs" / spec().workflow / "begun").open("w") as begun:
        fcntl.flock(begun, fcntl.LOCK_EX)
        assert store.is_running(spec())
    assert not store.is_running(spec())


def test_storage_without_locks_keeps_no_job_from_being_removed(
    store: JobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    store.create(spec())
    (root / "runs" / spec().workflow / "begun").touch()
    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert not store.is_running(spec())


def test_storage_that_is_not_mounted_is_unavailable_and_nothing_is_made_there(
    store: JobStore, root: Path
) -> None:
    store.create(spec())
    mount = root.parent.parent
    mount.rename(mount.with_name("elsewhere"))
    mount.mkdir()  # the mount point, which is empty
    uses: list[Callable[[], object]] = [
        store.check,
        store.names,
        store.delete_leftovers,
        lambda: store.spec(spec().name),
        lambda: store.run_files(spec()),
        lambda: store.create(spec()),
        lambda: store.mark_accepted(spec()),
        lambda: store.cancel(spec(), _REMOVED),
    ]
    for use in uses:
        with pytest.raises(EngineUnavailableError, match=str(mount)):
            use()
    assert os.listdir(mount) == []


def test_a_storage_without_a_job_yet_knows_none(store: JobStore) -> None:
    assert store.spec(spec().name) is None


def test_a_lost_file_of_a_run_is_no_removal(store: JobStore, root: Path) -> None:
    """As NFS shows a file that has just been replaced."""
    store.create(spec())
    note = root / "runs" / spec().workflow / "waiting.json"
    note.symlink_to("nowhere")
    with pytest.raises(EngineUnavailableError):
        store.run_files(spec())
    note.unlink()
    assert store.run_files(spec())


def test_a_file_of_a_run_that_is_lost_for_a_moment_is_read_again(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create(spec())
    read, faults = run_files.read, [errno.ESTALE]

    def stale(folder: Path) -> run_files.RunFiles:
        if faults:
            raise OSError(faults.pop(), "stale")
        return read(folder)

    monkeypatch.setattr(run_files, "read", stale)
    assert store.run_files(spec())


def test_a_log_is_read_from_its_end(store: JobStore, root: Path) -> None:
    store.create(spec())
    run = root / "runs" / spec().workflow
    assert store.log(spec(), 10, 100) == b""
    (run / "log.0").write_bytes(b"x" * 200_000 + b"\nlast\n")
    assert store.log(spec(), 1, 100) == b"last\n"
    assert len(store.log(spec(), 10, 100)) == 100
    (run / "log.1").write_bytes(b"other\n")
    several = spec(workers=2)
    assert store.log(several, 2, 100) == b"==> worker 2 of 2 <==\nother\n"
