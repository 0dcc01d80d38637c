"""The end of a log in files is exact, and no more than that is read."""

import os
from pathlib import Path

import pytest

from pman_core.kit.log_files import tail_of_files, tail_of_path


def test_the_end_of_a_file_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"line %d\n" % number for number in range(100_000)))
    assert tail_of_path(path, 2, 1000) == b"line 99998\nline 99999\n"
    assert tail_of_path(path, 1000, 8) == b"e 99999\n"


def test_a_log_that_was_cut_is_read_across_its_files(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"a\nb")
    (tmp_path / "new").write_bytes(b"c\nd\n")
    files = [os.open(tmp_path / name, os.O_RDONLY) for name in ("new", "old")]
    try:
        assert tail_of_files(files, 2, 100) == b"bc\nd\n"
    finally:
        for file in files:
            os.close(file)


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert tail_of_path(tmp_path / "log", 10, 10) == b""


def test_a_link_in_place_of_a_log_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "log").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="log"):
        tail_of_path(tmp_path / "log", 10, 10)
