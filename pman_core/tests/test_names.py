"""Ids of jobs, and the names by which an engine carries them."""

import functools
import random
import re
import string

import pytest

from pman_core.kit.names import jid_fault, native_name

DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@functools.cache
def sample() -> set[str]:
    """Many ids: random ones, neighbours of them, and what an attacker would try."""
    chance = random.Random(6)  # noqa: S311
    letters = string.ascii_letters + string.digits + "-_. :ümlaut€😀"
    found = {
        "".join(chance.choices(letters, k=chance.choice([1, 2, 5, 20, 62, 63, 64, 200])))
        for _ in range(3_000)
    }
    plain = {"aa", "job", "00", "chris-jid-1", "a-b", "x" * 63, "abc-0123456789abcde", "a--b"}
    odd = {
        "A",
        "_",
        "-",
        "--",
        "a-",
        "-a",
        "a_b",
        "a.b",
        "a b",
        "x" * 64,
        "x" * 200,
        "ÄÖ",
        "a\u0301",
    }
    found |= plain | odd | {jid.upper() for jid in plain} | {jid.swapcase() for jid in found}
    # A request with the name of another job must not get that job.
    return found | {native_name(jid) for jid in found}


def test_different_jids_get_different_names() -> None:
    jids = sample()
    for length in (63, 40, 20):
        assert len({native_name(jid, max_length=length) for jid in jids}) == len(jids)


def test_the_same_jid_of_two_instances_gets_different_names() -> None:
    jids = sample()
    names = {native_name(jid, instance) for jid in jids for instance in ("pman", "p", "other")}
    assert len(names) == 3 * len(jids)


def test_instance_and_jid_cannot_be_shifted_into_each_other() -> None:
    assert native_name("b", "a-b") != native_name("b-b", "a")


@pytest.mark.parametrize("length", [20, 21, 40, 63])
def test_every_name_is_a_dns_label_within_its_length(length: int) -> None:
    for jid in sample():
        for instance in ("pman", "other"):
            name = native_name(jid, instance, length)
            assert DNS_LABEL.fullmatch(name), (jid, name)
            assert len(name) <= length, (jid, name)


@pytest.mark.parametrize("jid", ["aa", "00", "chris-jid-1", "a--b", "x" * 63, "a-0123456789abcde"])
def test_a_plain_jid_stays_as_it_is(jid: str) -> None:
    assert native_name(jid) == jid


@pytest.mark.parametrize(
    "jid", ["x-0123456789abcdef", "-0123456789abcdef", "a" * 64, "A", "", "a", "0"]
)
def test_a_jid_that_is_not_plain_or_looks_derived_gets_a_hash(jid: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{16}", native_name(jid))
    assert native_name(jid) != jid


def test_a_name_never_changes_between_versions() -> None:
    assert native_name("Chris_JID 1") == "chris-jid-1-978b63c421102995"
    assert native_name("chris-jid-1", "blue") == "chris-jid-1-41346080aacb34bf"


@pytest.mark.parametrize(
    "jid", ["a", "x" * 200, " ", "ü", "😀", "a.b", "...", "Jobs", "%00", "\\", "~"]
)
def test_a_jid_may_be_almost_anything(jid: str) -> None:
    assert jid_fault(jid) is None


@pytest.mark.parametrize(
    ("jid", "word"),
    [
        ("", "empty"),
        ("x" * 201, "201"),
        ("a/b", "'/'"),
        *((f"a{chr(code)}", "control") for code in (*range(32), *range(0x7F, 0xA0))),
        ("a\u2028", "control"),
        ("a\u2029", "control"),
        ("a\ud800", "control"),
        *((word, "reserved") for word in (".", "..", "jobs", "events")),
    ],
)
def test_a_jid_that_cannot_be_one_gets_the_reason(jid: str, word: str) -> None:
    assert word in (jid_fault(jid) or "")
