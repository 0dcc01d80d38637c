"""The file of tokens: what a line may be, who may read the file, and what a change of it does."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from access_helpers import OVER, TO_COME, Tokens

from pman_core._internal import tokens as module
from pman_core._internal.tokens import Token, TokenFile, append_token, read_tokens
from pman_core.contract.access import Principal, Role
from pman_core.contract.errors import SettingsError

TOKEN = "pman_" + "x" * 43
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()
OTHER = "f" * 64


def written(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    path.chmod(0o600)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def problems(path: Path) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_tokens(path)
    return list(caught.value.problems)


# ------------------------------------------------------------------------- what a line may be


def test_a_token_has_256_random_bits_in_letters_that_any_address_can_hold() -> None:
    made = {Token.new("a", Role.READ, None)[0] for _ in range(100)}
    assert len(made) == 100
    for token in made:
        random = re.fullmatch(r"pman_([A-Za-z0-9_-]+)", token)
        assert random, token
        assert len(random[1]) * 6 >= 256


def test_names_roles_and_times_are_read_and_comments_and_blank_lines_are_not(path: Path) -> None:
    found = read_tokens(
        written(
            path,
            "# name role digest",
            "",
            f"pfcon submit {DIGEST}",
            f"  a.b_c@d-e\tadmin\t{OTHER}   2027-12-31",
            "   # a comment",
        )
    )
    assert [(t.principal.name, t.principal.role, t.digest, t.expires) for t in found] == [
        ("pfcon", Role.SUBMIT, DIGEST, None),
        ("a.b_c@d-e", Role.ADMIN, OTHER, datetime(2027, 12, 31, tzinfo=UTC)),
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("pfcon", "must have a name, a role, a SHA-256"),
        (f"pfcon submit {DIGEST} 2027-12-31 12:00", "must have a name, a role, a SHA-256"),
        (f"-pfcon submit {DIGEST}", "must begin with a name"),
        (f"pf/con submit {DIGEST}", "must begin with a name"),
        (f"{'x' * 64} submit {DIGEST}", "must begin with a name"),
        (f"pfcon root {DIGEST}", "must have a role second: read, submit, admin"),
        (f"pfcon SUBMIT {DIGEST}", "must have a role second"),
        (f"pfcon submit {DIGEST[1:]}", "must have the SHA-256"),
        (f"pfcon submit {DIGEST.upper()}", "must have the SHA-256"),
        (f"pfcon submit {TOKEN}", "must have the SHA-256"),
        (f"{TOKEN} submit pfcon", "must have the SHA-256"),
        (f"pfcon submit {DIGEST} soon", "must end with a date"),
        (f"pfcon submit {DIGEST} {TOKEN}", "must end with a date"),
    ],
)
def test_a_wrong_line_is_named_by_its_number_and_not_quoted(
    path: Path, line: str, words: str
) -> None:
    (problem,) = problems(written(path, "# first", f"good read {OTHER}", line))
    assert f"AUTH_TOKENS_FILE: line 3 of {path} {words}" in problem
    for secret in (TOKEN, DIGEST, DIGEST[1:], DIGEST.upper(), OTHER):
        assert secret not in problem


def test_all_wrong_lines_are_reported_at_once(path: Path) -> None:
    told = problems(written(path, "a", f"good read {OTHER}", "b c", f"d x {DIGEST}"))
    assert [problem.split()[2] for problem in told] == ["1", "3", "4"]


def test_one_token_on_two_lines_is_a_fault_since_only_one_of_them_could_count(path: Path) -> None:
    (problem,) = problems(written(path, f"a read {DIGEST}", f"b admin {DIGEST}"))
    assert f"line 2 of {path} has the token of line 1 again" in problem
    assert DIGEST not in problem


def test_what_cannot_be_read_is_reported_with_what_makes_such_a_file(
    path: Path, tmp_path: Path
) -> None:
    assert "No such file" in problems(path)[0]
    assert "pman token new" in problems(path)[0]
    assert "Is a directory" in problems(tmp_path)[0]
    path.write_bytes(b"\xff\xfe")
    assert "not written in UTF-8" in problems(path)[0]


# ------------------------------------------------------------------- who may read the file


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440])
def test_its_owner_and_the_group_may_read_the_file(path: Path, mode: int) -> None:
    written(path, f"pfcon submit {DIGEST}").chmod(mode)
    assert len(read_tokens(path)) == 1


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o620, 0o602, 0o601, 0o666])
def test_a_file_that_others_may_read_or_change_is_refused(path: Path, mode: int) -> None:
    written(path, f"pfcon submit {DIGEST}").chmod(mode)
    (problem,) = problems(path)
    assert f"chmod 600 {path}" in problem
    with pytest.raises(SettingsError, match="chmod 600"):
        TokenFile(path)


# ---------------------------------------------------------------- whose a token is


def test_a_token_is_known_and_everything_else_is_not(path: Path) -> None:
    file = TokenFile(written(path, f"pfcon submit {DIGEST}"))
    assert file.principal(TOKEN) == Principal("pfcon", Role.SUBMIT)
    for wrong in (TOKEN[:-1], TOKEN + "x", TOKEN.upper(), DIGEST, "pfcon", "", "\ud800", "\0"):
        assert file.principal(wrong) is None


def test_a_token_is_valid_until_it_expires(path: Path) -> None:
    kept = Tokens(path)
    old, new = kept.add("old", expires=OVER), kept.add("new", expires=TO_COME)
    file = TokenFile(path)
    assert file.principal(old) is None
    assert file.principal(new) == Principal("new", Role.SUBMIT)


def test_a_token_ceases_to_be_valid_while_pman_runs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = Tokens(path).add("pfcon", expires=datetime(2100, 1, 1, tzinfo=UTC))
    file = TokenFile(path)
    assert file.principal(token)

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(2100, 1, 1, tzinfo=UTC)

    monkeypatch.setattr(module, "datetime", Later)
    assert file.principal(token) is None


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock shows another time than UTC."""
    monkeypatch.setenv("TZ", "UTC-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
def test_a_time_without_a_zone_is_in_utc(path: Path) -> None:
    (found,) = read_tokens(written(path, f"a read {DIGEST} 2027-12-31T12:00"))
    assert found.expires == datetime(2027, 12, 31, 12, tzinfo=UTC)
    (found,) = read_tokens(written(path, f"a read {DIGEST} 2027-12-31T12:00+02:00"))
    assert found.expires == datetime(2027, 12, 31, 10, tzinfo=UTC)


def test_two_tokens_of_one_name_are_valid_at_once_so_that_one_replaces_the_other(
    path: Path,
) -> None:
    kept = Tokens(path)
    first, second = kept.add("pfcon"), kept.add("pfcon")
    file = TokenFile(path)
    assert file.principal(first) == file.principal(second) == Principal("pfcon", Role.SUBMIT)
    path.write_text(path.read_text().splitlines(keepends=True)[1])
    assert file.principal(first) is None
    assert file.principal(second) == Principal("pfcon", Role.SUBMIT)


# ---------------------------------------------------------------- what a change does


def write(path: Path, text: str) -> None:
    path.write_text(text)


def rename(path: Path, text: str) -> None:
    """As editors save, and as a tool that writes atomically does."""
    new = path.with_name("new")
    new.write_text(text)
    new.chmod(0o600)
    new.replace(path)


@pytest.mark.parametrize("change", [write, rename])
def test_a_token_that_is_added_or_deleted_counts_at_the_next_request(
    path: Path, change: Callable[[Path, str], None]
) -> None:
    kept = Tokens(path)
    first = kept.add("first")
    file = TokenFile(path)
    _, line = Token.new("second", Role.READ, None)
    change(path, path.read_text() + f"{line}\n")
    assert file.principal(first)
    assert len(file.tokens) == 2
    change(path, f"{line}\n")
    assert file.principal(first) is None


def test_a_deleted_last_line_revokes_the_last_token(path: Path) -> None:
    kept = Tokens(path)
    token = kept.add("pfcon")
    file = TokenFile(path)
    assert file.principal(token)
    kept.revoke("pfcon")
    assert path.read_text() == ""
    assert file.principal(token) is None


def test_a_swapped_link_counts_as_kubernetes_swaps_those_of_a_secret(tmp_path: Path) -> None:
    """tokens -> ..data/tokens, ..data -> ..1; a new version is ..2, and a rename of the link."""
    kept = [Tokens(tmp_path / f"..{version}" / "tokens") for version in (1, 2)]
    for one in kept:
        one.path.parent.mkdir()
    old, new = (one.add("pfcon") for one in kept)
    os.utime(kept[0].path, ns=(0, 0))
    os.utime(kept[1].path, ns=(0, 0))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "tokens").symlink_to("..data/tokens")
    file = TokenFile(tmp_path / "tokens")
    assert file.principal(old)
    assert file.principal(new) is None
    (tmp_path / "..tmp").symlink_to("..2")
    (tmp_path / "..tmp").rename(tmp_path / "..data")
    assert file.principal(old) is None
    assert file.principal(new)


def nonsense(path: Path) -> None:
    path.write_text(path.read_text() + "nonsense\n")


def open_to_others(path: Path) -> None:
    path.chmod(0o644)


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("slip", [nonsense, open_to_others, gone])
def test_a_broken_change_keeps_the_tokens_and_is_logged_once(
    path: Path, caplog: pytest.LogCaptureFixture, slip: Callable[[Path], None]
) -> None:
    kept = Tokens(path)
    token = kept.add("pfcon")
    before = path.read_text()
    file = TokenFile(path)
    slip(path)
    with caplog.at_level(logging.INFO):
        assert all(file.principal(token) for _ in range(3))
    (told,) = caplog.messages
    assert told.startswith("the tokens stay as they were")
    assert "AUTH_TOKENS_FILE" in told
    assert before.split()[2] not in told
    caplog.clear()
    rename(path, "")
    with caplog.at_level(logging.INFO):
        assert file.principal(token) is None
    assert caplog.messages == [f"the tokens of {path} were read again: 0"]


def test_a_file_that_has_not_changed_is_not_read_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = Tokens(path).add("pfcon")
    file = TokenFile(path)
    monkeypatch.setattr(module, "read_tokens", None)
    assert all(file.principal(token) for _ in range(3))


def test_a_slow_reader_of_an_older_file_does_not_bring_back_a_revoked_token(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread has read the file before it changed, and notes that after another thread."""
    kept = Tokens(path)
    token = kept.add("pfcon")
    file = TokenFile(path)
    kept.add("other")
    has_read, may_go_on = threading.Event(), threading.Event()

    def slow(path: Path) -> tuple[Token, ...]:
        found = read_tokens(path)
        if threading.current_thread() is first:
            has_read.set()
            assert may_go_on.wait(20)
        return found

    monkeypatch.setattr(module, "read_tokens", slow)
    first = threading.Thread(target=file.principal, args=(token,))
    second = threading.Thread(target=file.principal, args=(token,))
    first.start()
    assert has_read.wait(20)
    kept.revoke("pfcon")
    second.start()
    second.join(0.2)  # it has read the file, or waits for the first
    may_go_on.set()
    first.join()
    second.join()
    assert file.principal(token) is None


# ---------------------------------------------------------------- adding to the file


def test_a_new_file_may_be_read_by_its_owner_only_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        Tokens(path).add("pfcon")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_is_added_also_to_a_file_whose_last_line_does_not_end(path: Path) -> None:
    written(path, "# mine").write_text(f"# mine\npfcon submit {DIGEST}")
    token = Tokens(path).add("other")
    assert [one.principal.name for one in read_tokens(path)] == ["pfcon", "other"]
    assert TokenFile(path).principal(token)
    assert path.read_text().startswith("# mine\n")


def test_the_token_itself_is_not_in_the_file(path: Path) -> None:
    token = Tokens(path).add("pfcon")
    assert token not in path.read_text()
    assert token.removeprefix("pman_") not in path.read_text()


@pytest.mark.parametrize("slip", [nonsense, open_to_others])
def test_nothing_is_added_to_a_file_that_pman_would_not_take(
    path: Path, slip: Callable[[Path], None]
) -> None:
    Tokens(path).add("pfcon")
    slip(path)
    before = path.read_text()
    with pytest.raises(SettingsError):
        append_token(path, Token.new("other", Role.READ, None)[1])
    assert path.read_text() == before
