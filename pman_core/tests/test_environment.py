"""The process's variables and those of a .env file: which wins, and what is taken literally."""

from pathlib import Path

import pytest

from pman_core._internal.environment import read_environment
from pman_core.app import create_app
from pman_core.contract.errors import SettingsError


def read(folder: Path, text: str, **process: str) -> dict[str, str]:
    (folder / ".env").write_text(text)
    return dict(read_environment(process, folder))


def test_without_a_file_the_process_is_all(tmp_path: Path) -> None:
    assert dict(read_environment({"A": "1"}, tmp_path)) == {"A": "1"}


def test_the_process_wins_even_with_nothing(tmp_path: Path) -> None:
    found = read(tmp_path, "A=file\nB=file\nC=file\n", A="process", B="")
    assert found == {"A": "process", "B": "", "C": "file"}


def test_a_dollar_has_no_meaning_in_the_file(tmp_path: Path) -> None:
    text = "A=$HOME\nB='${HOME}'\nC=\"$$x\"\nD=pa$$word$\n"
    assert read(tmp_path, text, HOME="/root") == {
        "HOME": "/root",
        "A": "$HOME",
        "B": "${HOME}",
        "C": "$$x",
        "D": "pa$$word$",
    }


def test_the_forms_of_the_file(tmp_path: Path) -> None:
    text = "# comment\n\nexport A=1\nB = 2 # comment\nC='a b'\nD=\nE\nF=x=y\n"
    assert read(tmp_path, text) == {"A": "1", "B": "2", "C": "a b", "F": "x=y"}


def test_the_origin_of_each_variable_is_known(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=file\nB=file\nC=file\n")
    environment = read_environment({"A": "process", "B": ""}, tmp_path)
    assert [environment.origin(name) for name in "ABCD"] == [
        "environment",
        "default",
        ".env",
        "default",
    ]
    assert len(environment) == 3


def test_a_file_that_is_no_text_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe\0")
    with pytest.raises(SettingsError, match=r"\.env cannot be read"):
        read_environment({}, tmp_path)


def test_the_service_reads_the_file_in_its_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("CONTAINER_ENV=backend-of-the-file\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONTAINER_ENV", raising=False)
    with pytest.raises(SettingsError, match="backend-of-the-file"):
        create_app()
