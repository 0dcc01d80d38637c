"""A storebase whose server hangs holds up few requests, and none for ever."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rest_helpers import until

from pman_core.contract.errors import EngineUnavailableError
from pman_core.kit.directories import DirectoryChecker, link_fault, mode


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Below a folder ``hung`` no look is answered before the test sets this."""
    answered = threading.Event()

    def late(path: Path) -> int:
        if "hung" in path.parts:
            answered.wait(60)
        return mode(path)

    monkeypatch.setattr("pman_core.kit.directories.mode", late)
    yield answered
    answered.set()


def test_a_directory_is_distinguished_from_a_file_and_from_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    directories = DirectoryChecker(20)
    seen = [directories.is_dir(tmp_path / name) for name in ("", "file", "file/below", "nothing")]
    assert seen == [True, False, False, False]


def test_an_empty_directory_is_distinguished_from_one_with_content(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    directories = DirectoryChecker(20)
    assert [directories.holds_anything(tmp_path / name) for name in ("", "empty", "nothing")] == [
        True,
        False,
        False,
    ]


def test_a_machine_without_threads_is_reported_and_looks_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    directories = DirectoryChecker(20)
    with monkeypatch.context() as patched:
        patched.setattr("threading.Thread.start", fail)
        for _ in range(5):
            with pytest.raises(EngineUnavailableError, match="can't start new thread"):
                directories.is_dir(tmp_path)
    assert directories.is_dir(tmp_path)


def test_a_directory_that_cannot_be_looked_at_is_not_reported_as_missing(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for name in ("loop", "x" * 300):
        with pytest.raises(EngineUnavailableError, match="cannot be looked at"):
            DirectoryChecker(20).is_dir(tmp_path / name)


def test_a_server_that_hangs_is_given_up(hung: threading.Event, tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailableError, match="no answer in time"):
        DirectoryChecker(0.1).is_dir(tmp_path / "hung")


def test_a_server_that_hangs_holds_up_few_and_is_asked_again_once_it_answers(
    hung: threading.Event, tmp_path: Path
) -> None:
    (tmp_path / "hung").mkdir()
    directories = DirectoryChecker(60)
    with ThreadPoolExecutor(4) as pool:
        try:
            held = [pool.submit(directories.is_dir, tmp_path / "hung") for _ in range(4)]
            until(lambda: directories._free._value, lambda free: free == 0)
            with pytest.raises(EngineUnavailableError, match="earlier looks"):
                directories.is_dir(tmp_path)
        finally:
            hung.set()
        assert [one.result() for one in held] == [True] * 4
    assert directories.is_dir(tmp_path)


@pytest.mark.parametrize(
    ("directory", "words"),
    [
        ("real/below", None),
        ("real/missing/below", None),
        ("real/file/below", None),
        ("link", "'link'"),
        ("link/below", "'link'"),
        ("real/inner/below", "'real/inner'"),
        ("real/dangling", "'real/dangling'"),
        ("real/loop", "'real/loop'"),
        ("real/up/below", "'real/up'"),
    ],
)
def test_a_directory_that_leads_through_a_link_is_a_fault_that_names_it(
    tmp_path: Path, directory: str, words: str | None
) -> None:
    root = tmp_path / "by a link"
    (tmp_path / "storebase/real/below").mkdir(parents=True)
    root.symlink_to("storebase")  # the storebase itself is the operator's
    (root / "real/file").touch()
    (root / "link").symlink_to("real")
    (root / "real/inner").symlink_to(root / "real")
    (root / "real/dangling").symlink_to("/nonexistent")
    (root / "real/loop").symlink_to("loop")
    (root / "real/up").symlink_to("..")
    fault = DirectoryChecker(20).link_fault(str(root), directory)
    assert (fault is None) if words is None else words in str(fault)


def test_a_storebase_that_is_not_seen_here_has_no_fault(tmp_path: Path) -> None:
    assert DirectoryChecker(20).link_fault(str(tmp_path / "elsewhere"), "a/b") is None


def test_a_part_that_is_exchanged_during_the_look_leads_nowhere(tmp_path: Path) -> None:
    """Whatever the look sees, it never opens what a link leads to."""
    for name in ("storebase/part/below", "outside"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "outside/below").symlink_to("/")
    part, done = tmp_path / "storebase/part", threading.Event()

    def exchange() -> None:
        while not done.is_set():
            part.rename(tmp_path / "aside")
            part.symlink_to(tmp_path / "outside")
            part.unlink()
            (tmp_path / "aside").rename(part)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        faults = {link_fault_or_none(tmp_path / "storebase") for _ in range(3000)}
    finally:
        done.set()
        thread.join()
    assert None in faults
    assert not any("part/below" in str(fault) for fault in faults)


def link_fault_or_none(root: Path) -> str | None:
    with contextlib.suppress(FileNotFoundError):
        return link_fault(str(root), "part/below")
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_what_a_job_hides_from_pman_is_a_fault() -> None:
    """A job may take the rights to its own directory away, and hide a link in it."""
    with tempfile.TemporaryDirectory() as root:  # pytest's own folders are root's alone
        Path(root, "hidden/below").mkdir(parents=True)
        Path(root, "hidden").chmod(0)
        Path(root).chmod(0o755)
        code = f"""
import os
from pman_core.kit.directories import link_fault
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(link_fault({root!r}, "hidden/below"))
"""
        seen = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
        )
    assert "'hidden/below'" in seen.stdout, seen.stderr
