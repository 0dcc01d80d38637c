"""GET /api/v1/jobs/: filters, and pages that stay stable."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_helpers import Service, body


def page(service: Service, query: str = "") -> Any:
    answer = service.get(f"jobs/{query}")
    assert answer.status_code == 200, answer.data
    return answer.json


def listed(service: Service, query: str = "") -> set[str]:
    return {job["jid"] for job in page(service, query)["jobs"]}


def all_pages(service: Service, limit: int) -> list[str]:
    """The ids on all pages, in their order."""
    found: list[str] = []
    cursor = ""
    while True:
        answer = service.app.test_client().get(
            "/api/v1/jobs/", query_string={"limit": limit, **({"cursor": cursor} if cursor else {})}
        )
        assert answer.json is not None
        assert len(answer.json["jobs"]) <= limit
        found += [job["jid"] for job in answer.json["jobs"]]
        cursor = answer.json["next"]
        if not cursor:
            return found


def test_an_empty_list_is_one_page(service: Service) -> None:
    assert page(service) == {"jobs": [], "next": None}


def test_a_listed_job_is_reported_as_by_its_status_but_without_logs(service: Service) -> None:
    service.post()
    job = service.ended("chris-jid-1")
    del job["logs"]
    assert page(service)["jobs"] == [job]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 1000])
def test_every_job_is_on_exactly_one_page(service: Service, limit: int) -> None:
    jids = {"Upper", "ümlaut", "a b", "plain", "x" * 200, "%", "z"}
    for jid in jids:
        service.post(body(jid=jid))
    found = all_pages(service, limit)
    assert sorted(found) == sorted(jids)
    assert found == all_pages(service, 1000), "the order does not depend on the size of pages"


def test_what_comes_and_goes_does_not_disturb_the_others(service: Service) -> None:
    for number in range(0, 10, 2):
        service.post(body(jid=f"j{number}"))
    first = page(service, "?limit=2")
    service.post(body(jid="j1"))
    service.delete("j2/")
    service.post(body(jid="j9"))
    rest = page(service, f"?limit=1000&cursor={first['next']}")
    found = [job["jid"] for job in first["jobs"] + rest["jobs"]]
    assert sorted(set(found) - {"j1", "j9", "j2"}) == ["j0", "j4", "j6", "j8"]
    assert len(found) == len(set(found))


def test_a_filter_by_state_holds_on_every_page(service: Service) -> None:
    for number in range(6):
        service.post(body(jid=f"j{number}", image="hold" if number % 2 else "local"))
    for number in range(0, 6, 2):
        service.ended(f"j{number}")
    assert listed(service, "?status=started") == {"j1", "j3", "j5"}
    assert listed(service, "?status=finishedSuccessfully") == {"j0", "j2", "j4"}
    assert listed(service, "?status=finishedWithError") == set()


def test_a_filter_by_labels_wants_all_of_them(start: Callable[..., Service]) -> None:
    start().post(body(jid="none"))
    start(JOB_LABELS="a=1").post(body(jid="one"))
    service = start(JOB_LABELS="a=1,b=x=y,c=")
    service.post(body(jid="two"))
    assert listed(service) == {"none", "one", "two"}
    assert listed(service, "?label=a=1") == {"one", "two"}
    assert listed(service, "?label=a=1&label=b=x=y") == {"two"}
    assert listed(service, "?label=c=") == {"two"}
    assert listed(service, "?label=a=2") == set()
    assert listed(service, "?label=d=") == set()


def test_two_pmans_on_one_engine_do_not_see_each_others_jobs(
    start: Callable[..., Service],
) -> None:
    mine, other = start(), start(INSTANCE="other")
    assert mine.post(body(image="hold")).status_code == 201
    assert listed(other) == set()
    assert other.get("chris-jid-1/").status_code == 404
    assert other.delete("chris-jid-1/").status_code == 404
    assert other.post(body(auid="else")).status_code == 201
    assert (len(listed(mine)), len(listed(other))) == (1, 1)
    assert other.delete("chris-jid-1/").status_code == 204
    assert mine.get("chris-jid-1/").status_code == 200


WRONG = {
    "?limit=0": "limit",
    "?limit=-1": "limit",
    "?limit=1001": "limit",
    "?limit=x": "limit",
    "?limit=1.5": "limit",
    "?limit=": "limit",
    "?limit=" + "9" * 5000: "limit",
    "?status=": "status",
    "?status=Started": "status",
    "?label=": "label",
    "?label=a": "label",
    "?label==b": "label",
    "?label=a=1&label=a=2": "label",
    "?page=2": "page",
    "?cursor=": "cursor",
    "?cursor=chris-jid-1": "cursor",
}


@pytest.mark.parametrize("query", WRONG, ids=lambda query: query[:20])
def test_a_wrong_parameter_is_a_400_that_names_it(service: Service, query: str) -> None:
    answer = service.get(f"jobs/{query}")
    assert answer.status_code == 400
    assert answer.json is not None
    assert set(answer.json["message"]) == {WRONG[query]}


def test_all_wrong_parameters_are_reported_at_once(service: Service) -> None:
    answer = service.get("jobs/?limit=0&status=x&label=a&page=2")
    assert answer.json is not None
    assert set(answer.json["message"]) == {"limit", "status", "label", "page"}


@pytest.mark.parametrize("cursor", ["%ff", "%00", "x" * 5000, "../..", "😀", "null"])
def test_a_cursor_from_nowhere_is_reported(service: Service, cursor: str) -> None:
    service.post()
    answer = service.get(f"jobs/?cursor={cursor}")
    assert answer.status_code == 400
    assert "is none that this server gave" in (answer.json or {})["message"]["cursor"]
