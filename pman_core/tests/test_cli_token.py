"""``pman token``: makes the tokens that clients show, and lists them without showing them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pman_core._internal.tokens import TokenFile, read_tokens
from pman_core.cli import cli
from pman_core.contract.access import Principal, Role

Run = Callable[..., Result]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


@pytest.fixture
def run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``pman token``, with the file in AUTH_TOKENS_FILE."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str, **env: str | None) -> Result:
        env = {"AUTH_TOKENS_FILE": str(path), **env}
        return CliRunner().invoke(cli, ("token", *args), env=env)

    return run


def test_new_prints_the_token_as_the_only_line_of_standard_output(run: Run, path: Path) -> None:
    told = run("new", "pfcon")
    assert told.exit_code == 0
    token = told.stdout.removesuffix("\n")
    assert token.split() == [token]
    assert token not in told.stderr
    assert TokenFile(path).principal(token) == Principal("pfcon", Role.SUBMIT)


@pytest.mark.parametrize("role", list(Role))
def test_new_takes_a_role(run: Run, path: Path, role: Role) -> None:
    token = run("new", "a", "--role", role.value).stdout.strip()
    assert TokenFile(path).principal(token) == Principal("a", role)


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("2099-12-31", datetime(2099, 12, 31, tzinfo=UTC)),
        ("2099-12-31T12:00+02:00", datetime(2099, 12, 31, 10, tzinfo=UTC)),
    ],
)
def test_new_takes_the_time_up_to_which_the_token_is_valid(
    run: Run, path: Path, when: str, expected: datetime
) -> None:
    assert run("new", "a", "--expires", when).exit_code == 0
    assert [one.expires for one in read_tokens(path)] == [expected]


def test_new_takes_a_number_of_days(run: Run, path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert run("new", "a", "--expires", "90d").exit_code == 0
    (found,) = read_tokens(path)
    assert found.expires
    assert before <= found.expires - timedelta(days=90) <= datetime.now(UTC)


@pytest.mark.parametrize("when", ["2020-01-01", "0d", "90", "soon", "99999999d", "", "-1d"])
def test_new_makes_no_token_that_could_never_be_valid(run: Run, path: Path, when: str) -> None:
    told = run("new", "a", "--expires", when)
    assert told.exit_code == 2
    assert "--expires" in told.stderr
    assert not path.exists()


@pytest.mark.parametrize("name", ["", "a b", "a/b", "-", ".a", "x" * 64, "a\n", "ä"])
def test_new_refuses_a_name_that_the_file_could_not_hold(run: Run, path: Path, name: str) -> None:
    told = run("new", "--", name)
    assert told.exit_code == 2
    assert "NAME" in told.stderr
    assert not told.stdout
    assert not path.exists()


def test_new_adds_to_a_file_that_exists_also_without_an_end_of_its_last_line(
    run: Run, path: Path
) -> None:
    path.write_text("# mine")
    path.chmod(0o600)
    first, second = (run("new", "pfcon").stdout.strip() for _ in range(2))
    file = TokenFile(path)
    assert file.principal(first) == file.principal(second) == Principal("pfcon", Role.SUBMIT)
    assert path.read_text().splitlines()[0] == "# mine"


def test_a_file_that_is_named_is_used_instead_and_one_of_them_is_needed(
    run: Run, path: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    assert run("new", "a", "--file", str(other)).exit_code == 0
    assert other.exists()
    assert not path.exists()
    (tmp_path / ".env").write_text(f"AUTH_TOKENS_FILE={other}\n")
    # As pman serve reads it.
    assert "a " in run("list", AUTH_TOKENS_FILE=None).stdout
    (tmp_path / ".env").unlink()
    told = run("new", "a", AUTH_TOKENS_FILE=None)
    assert told.exit_code == 2
    assert "AUTH_TOKENS_FILE" in told.stderr


@pytest.mark.parametrize("command", [("new", "b"), ("list",)])
@pytest.mark.parametrize("slip", ["rights", "nonsense"])
def test_a_file_that_pman_would_not_take_is_an_error_and_stays(
    run: Run, path: Path, command: tuple[str, ...], slip: str
) -> None:
    run("new", "a")
    if slip == "rights":
        path.chmod(0o644)
    else:
        path.write_text(path.read_text() + "nonsense\n")
    before = path.read_text()
    told = run(*command)
    assert told.exit_code == 1
    assert "AUTH_TOKENS_FILE" in told.stderr
    assert not told.stdout
    assert path.read_text() == before


def test_a_folder_that_is_not_there_is_an_error_in_one_line(run: Run, tmp_path: Path) -> None:
    told = run("new", "a", "--file", str(tmp_path / "none" / "tokens"))
    assert told.exit_code == 1
    assert "cannot be written: No such file or directory" in told.stderr
    assert "Traceback" not in told.output
    assert not told.stdout


def test_list_shows_names_roles_and_times_and_nothing_that_is_secret(run: Run, path: Path) -> None:
    tokens = [
        run("new", "pfcon", "--expires", "2099-12-31").stdout.strip(),
        run("new", "monitor", "--role", "read").stdout.strip(),
    ]
    digest = hashlib.sha256(b"old").hexdigest()
    with path.open("a") as file:
        file.write(f"old admin {digest} 2020-01-01\n")
    told = run("list")
    assert [line.split() for line in told.stdout.splitlines()] == [
        ["NAME", "ROLE", "VALID", "UNTIL"],
        ["pfcon", "submit", "2099-12-31T00:00:00+00:00"],
        ["monitor", "read", "-"],
        ["old", "admin", "2020-01-01T00:00:00+00:00", "(expired)"],
    ]
    for secret in (*tokens, *(one.digest for one in read_tokens(path))):
        assert secret not in told.output
