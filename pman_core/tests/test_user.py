"""CONTAINER_USER: numbers, ranges, and the same user for the same job."""

import pytest

from pman_core import User
from pman_core.kit.user import IdRange, UserRule, parse_user


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("1000:1000", UserRule(IdRange(1000, 1000), IdRange(1000, 1000))),
        ("0:0", UserRule(IdRange(0, 0), IdRange(0, 0))),
        (":5", UserRule(None, IdRange(5, 5))),
        ("5:", UserRule(IdRange(5, 5), None)),
        (" 1-2:3-4 ", UserRule(IdRange(1, 2), IdRange(3, 4))),
        (":", UserRule(None, None)),
        (" : ", UserRule(None, None)),
        ("7-7:", UserRule(IdRange(7, 7), None)),
        ("4294967294:", UserRule(IdRange(4294967294, 4294967294), None)),
    ],
)
def test_numbers_ranges_and_empty_parts_are_read(value: str, rule: UserRule) -> None:
    assert parse_user(value) == rule


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1000",
        "1:2:3",
        "root:root",
        "-1:0",
        "1-:0",
        "-:0",
        "1 - 2:0",
        "1:x",
        "1.5:0",
        "2-1:",
        "4294967295:",
        "1-4294967295:",
        ":99999999999",
        "\u0661:1",
        "1\n:1",
        "0x1:1",
        "+1:1",
    ],
)
def test_anything_else_is_a_fault(value: str) -> None:
    with pytest.raises(ValueError, match="must "):
        parse_user(value)


def test_a_user_is_drawn_from_the_whole_range_and_nothing_else() -> None:
    rule = parse_user("10-19:100-109")
    users = [rule.for_job(f"job-{number}") or User() for number in range(1000)]
    assert {user.uid for user in users} == set(range(10, 20))
    assert {user.gid for user in users} == set(range(100, 110))
    assert len({(user.uid, user.gid) for user in users}) > 50, "drawn apart from each other"


def test_the_same_job_always_gets_the_same_user() -> None:
    assert parse_user("1000-60000:1000-60000").for_job("chris-jid-1") == User(uid=58341, gid=50283)


def test_no_user_at_all_is_left_to_the_image() -> None:
    assert parse_user(":").for_job("x") is None


def test_empty_parts_are_left_to_the_image() -> None:
    assert parse_user(":0").for_job("x") == User(uid=None, gid=0)
    assert parse_user("0:").for_job("x") == User(uid=0, gid=None)
