"""A storebase whose server hangs holds up few requests, and none for ever."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from k8s_cluster import until

from pman_core.contract.errors import EngineUnavailableError
from pman_k8s.directory_check import DirectoryChecker, mode


@pytest.fixture
def hung(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Below a folder ``hung`` no look is answered before the test sets this."""
    answered = threading.Event()

    def late(path: Path) -> int:
        if "hung" in path.parts:
            answered.wait(60)
        return mode(path)

    monkeypatch.setattr("pman_k8s.directory_check.mode", late)
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
