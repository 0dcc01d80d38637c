"""From a request to the job that the engine gets: command line, environment, mounts, user."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_helpers import Service, body

from pman_core import HostPath, Mount, User
from pman_core.contract.request import localized

IN, OUT = "/share/incoming", "/share/outgoing"


def argv(service: Service, **changes: Any) -> tuple[str, ...]:
    assert service.post(body(entrypoint=["run"], **changes)).status_code == 201
    return service.job().argv


def test_a_ds_plugin_gets_input_and_output(service: Service) -> None:
    assert argv(service, type="ds", args=["a"]) == ("run", "a", IN, OUT)


@pytest.mark.parametrize("kind", ["fs", "ts"])
def test_other_plugins_get_only_output(service: Service, kind: str) -> None:
    assert argv(service, type=kind, args=["a"]) == ("run", "a", OUT)


def test_the_command_line_is_taken_as_it_is(service: Service) -> None:
    odd = ["", " ", "$HOME", "$$", "$(x)", "{{.Node.ID}}", "~{}", "%s", ";", "\n", "'\"\\", "é€😀"]
    assert argv(service, args=odd) == ("run", *odd, OUT)


def test_the_value_of_a_path_flag_becomes_the_input(service: Service) -> None:
    given = ["--dir", "/old", "--x", "y"]
    assert argv(service, args=given, args_path_flags=["--dir"]) == (
        *("run", "--dir", IN, "--x", "y"),
        OUT,
    )


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ([], []),
        (["a"], ["a"]),
        (["--d"], ["--d", IN]),
        (["a", "--d"], ["a", "--d", IN]),
        (["--d", "--d"], ["--d", IN]),
        (["--d", "--d", "--d"], ["--d", IN, "--d", IN]),
        (["--d", "--e", "x"], ["--d", IN, "x"]),
        (["--d", "", "--e", ""], ["--d", IN, "--e", IN]),
        (["--d=x", "--D", "x"], ["--d=x", "--D", "x"]),
    ],
)
def test_path_flags_at_every_place(args: list[str], expected: list[str]) -> None:
    assert localized(args, frozenset({"--d", "--e"}), IN) == expected


def test_a_hundred_thousand_arguments_are_no_recursion() -> None:
    assert localized(["--d", "x"] * 50_000, frozenset({"--d"}), IN) == ["--d", IN] * 50_000


def test_environment_arrives_byte_for_byte(service: Service) -> None:
    env = ["A=b=c", "EMPTY=", "D=$HOME {{.x}} $$", "N=one\ntwo", "U=é", "lower-case.x= y "]
    service.post(body(env=env))
    assert dict(service.job().env) == dict(entry.split("=", 1) for entry in env)


def test_of_a_variable_that_comes_twice_the_last_one_holds(service: Service) -> None:
    service.post(body(env=["A=1", "A=2"]))
    assert service.job().env == {"A": "2"}


def test_home_is_set_only_by_the_workaround(start: Callable[..., Service]) -> None:
    start().post(body(jid="without"))
    service = start(ENABLE_HOME_WORKAROUND="yes")
    service.post(body(jid="with", env=["A=b"]))
    assert service.job("without").env == {}
    assert service.job("with").env == {"A": "b", "HOME": "/tmp"}


@pytest.mark.parametrize("home", ["/home/me", ""])
def test_the_workaround_never_overrides_the_home_of_the_client(
    start: Callable[..., Service], home: str
) -> None:
    service = start(ENABLE_HOME_WORKAROUND="yes")
    service.post(body(env=[f"HOME={home}"]))
    assert service.job().env == {"HOME": home}


def test_directories_become_mounts_inside_the_storebase(
    start: Callable[..., Service], storebase: Any
) -> None:
    service = start()
    service.post(body(input_dir="/chris/feed 1/./x", output_dir="key-1//outgoing/"))
    assert service.job().mounts == (
        Mount(HostPath(f"{storebase}/chris/feed 1/x", within=str(storebase)), IN, read_only=True),
        Mount(HostPath(f"{storebase}/key-1/outgoing", within=str(storebase)), OUT, read_only=False),
    )


def test_settings_of_all_jobs_are_in_every_job(start: Callable[..., Service]) -> None:
    service = start(
        CONTAINER_USER="1001:0", JOB_LABELS="a=b, c=d=e", SHM_SIZE="2048", TIMELIMIT_MINUTES="5"
    )
    service.post()
    job = service.job()
    assert job.user == User(uid=1001, gid=0)
    assert job.labels == {"a": "b", "c": "d=e"}
    assert (job.shm_mib, job.time_limit_s) == (2048, 300)
    service.post(body(jid="own", time_limit=7))
    assert service.job("own").time_limit_s == 7


def test_nothing_is_set_that_was_not_asked_for(service: Service) -> None:
    service.post()
    job = service.job()
    assert (job.user, job.labels, job.shm_mib, job.time_limit_s) == (None, {}, None, None)


def test_a_user_from_a_range_is_the_same_at_every_retry(start: Callable[..., Service]) -> None:
    for number in range(20):
        start(CONTAINER_USER="1000-100000:").post(body(jid=f"j{number}"))
    service = start(CONTAINER_USER="1000-100000:")
    users = {number: service.job(f"j{number}").user for number in range(20)}
    assert len(set(users.values())) > 10
    for number, user in users.items():
        service.delete(f"j{number}/")
        service.post(body(jid=f"j{number}"))
        assert service.job(f"j{number}").user == user
