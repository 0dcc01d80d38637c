"""An extension can be a second API: it gets what the routes of ``/api/v1/`` use themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, request
from rest_helpers import Service as Running
from rest_helpers import until

from pman_core import JobFilter, JobInfo, hookimpl
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError
from pman_core.contract.request import JobRequest, WantedMount
from pman_core.contract.service import Service


class SecondApi:
    """Jobs by other words."""

    @hookimpl
    def pman_routes(self, service: Service) -> Blueprint:
        bp = Blueprint("second", __name__, url_prefix="/second")

        @bp.post("/<jid>")
        def run(jid: str) -> Any:
            more = WantedMount(request.args.get("more", "in"), "/more")
            return told(service.submit(wanted(jid, request.args["image"], more), owner="somebody"))

        @bp.get("/<jid>")
        def look(jid: str) -> Any:
            info = service.status(jid)
            return {**told(info), "log": service.logs(info)}

        @bp.post("/<jid>/end")
        def end(jid: str) -> Any:
            return told(service.cancel(jid))

        @bp.delete("/<jid>")
        def remove(jid: str) -> Any:
            service.remove(jid)
            return {}

        @bp.get("/")
        def everything() -> Any:
            page = service.list(JobFilter(owner="somebody"), 10)
            refused = [option.value for option in service.capabilities.refusals]
            return {"jobs": [told(i) for i in page.jobs], "on": service.health(), "not": refused}

        return bp


def wanted(jid: str, image: str, *mounts: WantedMount) -> JobRequest:
    return JobRequest(
        jid=jid,
        image=image,
        entrypoint=("anything",),
        cpu_limit=1000,
        memory_limit=200,
        input_dir="in",
        output_dir="out",
        mounts=mounts,
    )


def told(info: JobInfo) -> dict[str, Any]:
    return {"id": info.jid, "state": info.status, "why": info.message, "argv": info.argv}


@pytest.fixture
def running(start: Callable[..., Running]) -> Running:
    return start(extensions=(SecondApi(),))


def test_a_second_api_runs_looks_at_cancels_lists_and_removes_jobs(running: Running) -> None:
    client = running.app.test_client()
    assert (client.post("/second/a?image=hold").json or {})["argv"] == ["anything"]
    assert running.job("a").owner == "somebody"
    assert [(m.target, m.read_only) for m in running.job("a").mounts][2:] == [("/more", True)]
    assert (client.post("/second/a/end").json or {})["why"] == "cancelled"
    client.post("/second/b?image=babble")
    seen = until(lambda: client.get("/second/b").json or {}, lambda seen: "end" in seen["log"])
    assert "good" in seen["log"]
    running.post()  # a job without an owner, by the first API
    listed = client.get("/second/").json or {}
    assert [job["id"] for job in listed["jobs"]] == ["a", "b"]
    assert (listed["on"], listed["not"]) == ("memory engine", [])
    assert client.delete("/second/a").status_code == 200
    assert running.get("a/").status_code == 404


def test_errors_of_the_service_are_answers(running: Running) -> None:
    client = running.app.test_client()
    assert client.get("/second/nobody").status_code == 404
    assert client.post("/second/a?image=hold&more=../x").status_code == 400
    running.engine.up = False
    assert client.get("/second/").status_code == 503


@pytest.mark.parametrize(
    ("mounts", "words"),
    [
        ((WantedMount("in", "more"),), "absolute"),
        ((WantedMount("in", "/a/../b"),), "parts"),
        ((WantedMount("in", "/"),), "taken"),
        ((WantedMount("in", "/share/incoming"),), "taken"),
        ((WantedMount("in", "/a"), WantedMount("out", "/a")), "taken"),
        ((WantedMount("/", "/a"),), "whole storebase"),
    ],
)
def test_a_mount_that_cannot_be_is_refused(
    service: Running, mounts: tuple[WantedMount, ...], words: str
) -> None:
    with pytest.raises(InvalidJobError, match=words):
        Service(lambda: service.pman.jobs).submit(wanted("a", "local", *mounts))


def test_an_engine_that_is_away_is_no_health(service: Running) -> None:
    service.engine.up = False
    with pytest.raises(EngineUnavailableError):
        Service(lambda: service.pman.jobs).health()
