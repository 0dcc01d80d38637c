"""The jobs folder: what is written there, by whom, and what is swept."""

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
from spec_samples import CREATED, order

from pman_core.contract.errors import EngineUnavailableError
from pman_core.contract.info import Reason
from pman_cromwell import run_files
from pman_cromwell.job_spec import Order, to_json, workflow_id
from pman_cromwell.job_store import Shelf
from pman_cromwell.run_files import Cancelled, Verdict

_REMOVED = Cancelled(None, "removed", CREATED)


def _order(jid: str) -> Order:
    return order(jid=jid, workflow=workflow_id("pman", jid, 0))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "storebase" / ".pman").mkdir(parents=True)
    return tmp_path / "storebase" / ".pman" / "pman"


@pytest.fixture
def shelf(root: Path) -> Shelf:
    return Shelf(str(root), "pman")


def test_a_record_is_made_once(shelf: Shelf) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: shelf.create(order()), range(8)))
    assert sorted(made) == [False] * 7 + [True]
    assert shelf.order("chris-jid-1") == order()
    assert list(shelf.names()) == ["chris-jid-1"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"somebody else's",
        b"\xff\xfe",
        to_json(order(instance="other")).encode(),
        to_json(order(jid="other")).encode(),
    ],
)
def test_a_file_that_is_no_record_is_foreign(shelf: Shelf, root: Path, text: bytes) -> None:
    list(shelf.names())
    (root / "jobs" / "chris-jid-1.json").write_bytes(text)
    assert shelf.order("chris-jid-1") is None
    assert shelf.is_foreign("chris-jid-1")
    assert not shelf.create(order())
    shelf.sweep()


def test_what_is_made_is_for_whom_the_folder_is_for(shelf: Shelf, root: Path) -> None:
    base = root.parent
    base.chmod(0o2770)
    if os.geteuid() == 0:
        os.chown(base, 1234, 5678)
    shelf.create(order())
    run = root / "runs" / order().workflow
    for folder in (root, root / "jobs", root / "runs", run):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o2770
        assert folder.stat().st_gid == base.stat().st_gid
    record = root / "jobs" / "chris-jid-1.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o640
    assert (record.stat().st_uid, record.stat().st_gid) == (base.stat().st_uid, base.stat().st_gid)


def test_the_first_end_and_the_first_word_stand(shelf: Shelf) -> None:
    shelf.create(order())
    first = Verdict(Reason.LOST, "first", None, CREATED)
    for verdict in (first, attrs.evolve(first, message="second")):
        shelf.settle(order(), verdict)
    deadline = Cancelled(Reason.START_DEADLINE, "waited", CREATED)
    for why in (deadline, _REMOVED):
        shelf.cancel(order(), why)
    seen = shelf.notes(order())
    assert seen
    assert (seen.verdict, seen.cancelled, seen.accepted) == (first, deadline, False)


def test_a_job_that_pman_ended_is_unended_until_it_has_a_verdict(shelf: Shelf) -> None:
    for jid in ("1", "2", "3"):
        shelf.create(_order(jid))
    shelf.cancel(_order("1"), Cancelled(Reason.CANCELLED, "cancelled", CREATED))
    shelf.cancel(_order("2"), _REMOVED)
    assert list(shelf.unended()) == [_order("1").name]
    shelf.settle(_order("1"), Verdict(Reason.CANCELLED, "cancelled", None, CREATED))
    assert list(shelf.unended()) == []


def test_a_job_that_is_gone_gets_no_notes(shelf: Shelf, root: Path) -> None:
    shelf.create(order())
    shelf.delete(order())
    shelf.delete(order())
    shelf.accept(order())
    assert shelf.notes(order()) is None
    assert os.listdir(root / "runs") == os.listdir(root / "jobs") == []


def test_only_what_a_removal_left_is_swept(shelf: Shelf, root: Path) -> None:
    shelf.create(order())
    shelf.cancel(order(), _REMOVED)  # its record is still there
    for name in ("new", "left", ".removed-1"):
        (root / "runs" / name).mkdir()
    (root / "runs" / "left" / "cancelled").touch()
    shelf.sweep()
    assert set(os.listdir(root / "runs")) == {order().workflow, "new"}


def test_a_removal_that_was_not_brought_to_its_end_is_swept(
    shelf: Shelf, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after its first files, among them the mark; or NFS keeps one that is open."""

    def some(folder: Path, **_: object) -> None:
        (folder / "cancelled").unlink()

    shelf.create(order())
    shelf.cancel(order(), _REMOVED)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", some)
        shelf.delete(order())
    assert len(os.listdir(root / "runs")) == 1
    assert shelf.notes(order()) is None
    assert shelf.create(order())
    shelf.sweep()
    assert os.listdir(root / "runs") == [order().workflow]


def test_a_log_is_never_read_through_a_link(shelf: Shelf, root: Path) -> None:
    shelf.create(order())
    (root / "secret").write_text("secret")
    (root / "runs" / order().workflow / "log.0").symlink_to(root / "secret")
    with pytest.raises(EngineUnavailableError):
        shelf.log(order(), 10, 100)


def test_the_lock_of_a_run_tells_whether_it_goes_on(shelf: Shelf, root: Path) -> None:
    shelf.create(order())
    assert not shelf.is_running(order())
    with (root / "runs" / order().workflow / "begun").open("w") as begun:
        fcntl.flock(begun, fcntl.LOCK_EX)
        assert shelf.is_running(order())
    assert not shelf.is_running(order())


def test_storage_without_locks_keeps_no_job_from_being_removed(
    shelf: Shelf, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    shelf.create(order())
    (root / "runs" / order().workflow / "begun").touch()
    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert not shelf.is_running(order())


def test_storage_that_is_not_mounted_is_unavailable_and_nothing_is_made_there(
    shelf: Shelf, root: Path
) -> None:
    shelf.create(order())
    mount = root.parent.parent
    mount.rename(mount.with_name("elsewhere"))
    mount.mkdir()  # the mount point, which is empty
    uses: list[Callable[[], object]] = [
        shelf.check,
        shelf.names,
        shelf.sweep,
        lambda: shelf.order(order().name),
        lambda: shelf.notes(order()),
        lambda: shelf.create(order()),
        lambda: shelf.accept(order()),
        lambda: shelf.cancel(order(), _REMOVED),
    ]
    for use in uses:
        with pytest.raises(EngineUnavailableError, match=str(mount)):
            use()
    assert os.listdir(mount) == []


def test_a_storage_without_a_job_yet_knows_none(shelf: Shelf) -> None:
    assert shelf.order(order().name) is None


def test_a_note_that_is_lost_is_no_removal(shelf: Shelf, root: Path) -> None:
    """As NFS shows a file that has just been replaced."""
    shelf.create(order())
    note = root / "runs" / order().workflow / "waiting.json"
    note.symlink_to("nowhere")
    with pytest.raises(EngineUnavailableError):
        shelf.notes(order())
    note.unlink()
    assert shelf.notes(order())


def test_a_note_that_is_lost_for_a_moment_is_read_again(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.create(order())
    read, faults = run_files.read, [errno.ESTALE]

    def stale(folder: Path) -> run_files.Notes:
        if faults:
            raise OSError(faults.pop(), "stale")
        return read(folder)

    monkeypatch.setattr(run_files, "read", stale)
    assert shelf.notes(order())


def test_a_log_is_read_from_its_end(shelf: Shelf, root: Path) -> None:
    shelf.create(order())
    run = root / "runs" / order().workflow
    assert shelf.log(order(), 10, 100) == b""
    (run / "log.0").write_bytes(b"x" * 200_000 + b"\nlast\n")
    assert shelf.log(order(), 1, 100) == b"last\n"
    assert len(shelf.log(order(), 10, 100)) == 100
    (run / "log.1").write_bytes(b"other\n")
    several = order(workers=2)
    assert shelf.log(several, 2, 100) == b"==> worker 2 of 2 <==\nother\n"
