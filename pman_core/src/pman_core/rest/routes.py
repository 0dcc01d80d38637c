"""The routes of ``/api/v1/``, a few lines each."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.routing import BaseConverter

from pman_core._internal.jobs import Jobs
from pman_core._internal.startup import Pman
from pman_core.contract.access import Role
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError, UnknownJobError
from pman_core.kit.routes import open_to_all, without_engine
from pman_core.rest import schema
from pman_core.rest.access import is_known, principal_now
from pman_core.rest.health import Readiness
from pman_core.rest.openapi import openapi_document
from pman_core.rest.query import refuse_query


def routes(pman: Pman) -> Blueprint:
    """All routes of the service, serving the jobs of ``pman``."""
    bp = Blueprint("pman", __name__)
    bp.record_once(lambda state: state.app.url_map.converters.update(jid=_Jid))
    max_bytes = pman.jobs.settings.max_body_bytes
    readiness = Readiness(pman.jobs)
    server_version = version("pman-core")
    about = {
        "server_version": server_version,
        "container_env": pman.offer.name,
        "storage_type": pman.jobs.storage.name,
        "backend": {"distribution": pman.offer.distribution, "version": pman.offer.version},
        "extensions": [offer.name for offer in pman.extensions],
    }
    document = openapi_document(server_version)

    def asked() -> Jobs:
        return pman.jobs.by(principal_now())

    @bp.get("/healthz")
    @open_to_all
    @without_engine
    def alive() -> Any:
        refuse_query(request.args)
        return {"status": "alive"}

    @bp.get("/readyz")
    @open_to_all
    def ready() -> Any:
        refuse_query(request.args)
        fault = readiness.fault()
        if fault:
            raise EngineUnavailableError(f"not ready: {fault}; pman's log says more")
        return {"status": "ready"}

    @bp.get("/api/v1/")
    @open_to_all
    @without_engine
    def server() -> Any:
        refuse_query(request.args)
        return about if is_known() else {}

    @bp.post("/api/v1/")
    def submit() -> Any:
        jobs = asked()
        jobs.insist_on(Role.SUBMIT)
        wanted, unknown = schema.read_request(_json_body(max_bytes), request.args)
        answer = schema.job_answer(jobs.submit(wanted), logs="")
        if unknown:
            answer["ignored"] = unknown
        return answer, 201

    @bp.get("/api/v1/jobs/")
    def page() -> Any:
        found = asked().list(*schema.read_list_query(request.args))
        answers = [schema.job_answer(info, logs=None) for info in found.jobs]
        return {"jobs": answers, "next": found.cursor}

    @bp.get("/api/v1/<jid:jid>/")
    def job(jid: str) -> Any:
        with_logs, fresh = schema.read_job_query(request.args)
        jobs = asked()
        info = jobs.status(_known(jid), fresh=fresh)
        return schema.job_answer(info, jobs.logs(info) if with_logs else None)

    @bp.post("/api/v1/<jid:jid>/cancel/")
    def cancel(jid: str) -> Any:
        refuse_query(request.args)
        return schema.job_answer(asked().cancel(_known(jid)), logs=None)

    @bp.delete("/api/v1/<jid:jid>/")
    def remove(jid: str) -> Any:
        refuse_query(request.args)
        asked().remove(_known(jid))
        return Response(status=204, mimetype="application/json")

    @bp.get("/openapi.json")
    @without_engine
    def openapi() -> Any:
        refuse_query(request.args)
        return jsonify(document)

    return bp


class _Jid(BaseConverter):
    """A job's id in a path. The list of jobs has its own path: other methods get a 405."""

    regex = "(?!jobs$)[^/]+"
    part_isolating = True


def _known(jid: str) -> str:
    if not schema.is_jid(jid):
        raise UnknownJobError(jid)
    return jid


class _TwiceError(Exception):
    """A key comes twice in an object, so it is not known which of the two values counts."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise _TwiceError(name)
        made[name] = value
    return made


def _json_body(max_bytes: int) -> Any:
    if not request.is_json:
        raise UnsupportedMediaType(
            "Did not attempt to load JSON data because the request Content-Type was not "
            "'application/json'."
        )
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("the body is compressed (Content-Encoding); send it as it is")
    raw = request.get_data(cache=False)
    if len(raw) > max_bytes:
        raise RequestEntityTooLarge
    try:
        return json.loads(raw, object_pairs_hook=_object)
    except RecursionError:
        raise BadRequest("the body is not acceptable: its values are nested too deeply") from None
    except UnicodeDecodeError:
        raise BadRequest("the body is not valid JSON: it is not written in UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadRequest(f"the body is not valid JSON: {error}") from None
    except _TwiceError as error:
        raise InvalidJobError(faults={error.name: "is given twice in the JSON body"}) from None
    except ValueError:  # Python refuses to read numbers of thousands of digits
        raise BadRequest("the body is not acceptable: it holds a number that is too long") from None
