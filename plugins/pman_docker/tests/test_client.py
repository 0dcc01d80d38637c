"""What becomes of answers that a real engine gives seldom, in the wrong moment."""

from collections.abc import Callable

import pytest
from engine_standin import Answer, engine_that_says

from pman_core.contract.errors import EngineUnavailableError
from pman_docker.client import Engine
from pman_docker.errors import NotFoundError, RefusedError

#: As Podman 4.3.1 says it where a process ends while it is looked at.
ENDS = (500, {"message": "read /proc/2255/cgroup: no such process"})
BROKEN = (500, {"message": "database disk image is malformed"})
GONE = (404, {"message": "No such container: x"})
FOUND = (200, {"Id": "i"})


def test_a_container_that_ends_while_it_is_inspected_is_inspected_again() -> None:
    with engine_that_says(ENDS, ENDS, FOUND) as engine:
        assert engine.inspect("x") == FOUND[1]


def test_a_removal_waits_for_one_that_is_under_way() -> None:
    busy = (409, {"message": "removal of container x is already in progress"})
    with engine_that_says(busy, ENDS, GONE) as engine:
        engine.remove_wholly("x")
    with engine_that_says(busy) as engine, pytest.raises(RefusedError, match="already in progress"):
        engine.remove_wholly("x")


@pytest.mark.parametrize("answer", [GONE, ENDS])
def test_containers_are_listed_again_where_one_goes_away_meanwhile(answer: Answer) -> None:
    with engine_that_says(answer, answer, (200, [])) as engine:
        assert engine.labelled("x") == []


LOOKS: dict[str, Callable[[Engine], object]] = {
    "inspect": lambda engine: engine.inspect("x"),
    "labelled": lambda engine: engine.labelled("x"),
    "now": lambda engine: engine.now(),
    "ping": lambda engine: engine.ping(),
    "info": lambda engine: engine.info(),
    "volume": lambda engine: engine.volume("x"),
}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("answer", [BROKEN, ENDS], ids=["broken", "ends"])
def test_an_engine_that_cannot_look_is_not_there_for_now(look: str, answer: Answer) -> None:
    """It says nothing of the job: nobody writes down an end."""
    words = str(answer[1]["message"])  # type: ignore[index]
    with (
        engine_that_says(answer) as engine,
        pytest.raises(EngineUnavailableError, match=f"does not know now: .*{words}"),
    ):
        LOOKS[look](engine)


def test_what_is_not_there_is_reported_as_such() -> None:
    for look in ("inspect", "volume"):
        with engine_that_says(GONE) as engine, pytest.raises(NotFoundError):
            LOOKS[look](engine)


@pytest.mark.parametrize("look", sorted(LOOKS.keys() - {"inspect", "volume"}))
def test_what_nobody_looked_for_cannot_be_missing(look: str) -> None:
    """Podman says this where a container goes away while it is listed."""
    with engine_that_says(GONE) as engine, pytest.raises(EngineUnavailableError):
        LOOKS[look](engine)
