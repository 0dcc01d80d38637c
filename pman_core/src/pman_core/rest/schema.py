"""The words of the wire: the only module that knows the fields of requests and answers."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pman_core.contract.errors import InvalidJobError
from pman_core.contract.info import JobFilter, JobInfo, Status
from pman_core.contract.request import JobRequest, PluginType
from pman_core.kit.names import jid_fault
from pman_core.rest import fields, shapes
from pman_core.rest.fields import REQUIRED, Field, number
from pman_core.rest.query import Query, query_faults
from pman_core.rest.shapes import count

#: Schedulers make an object for each worker at once: more of them could bring a whole one down.
MOST_WORKERS = 1000

#: Every field of a request, in the order in which pfcon sends them.
FIELDS = (
    Field("args", fields.texts, shapes.arguments("arguments"), in_query=False),
    Field(
        "args_path_flags",
        fields.flags,
        shapes.arguments("flags whose value becomes the input directory"),
        default=[],
        in_query=False,
    ),
    Field("auid", fields.text, {**shapes.TEXT, "description": "whose job it is; not used"}),
    Field(
        "number_of_workers",
        number(1, MOST_WORKERS),
        count(1, "copies of the job that run, at most 1000", MOST_WORKERS),
    ),
    Field("cpu_limit", number(1), count(1, "CPU limit in millicores")),
    Field("memory_limit", number(1), count(1, "memory limit in MiB")),
    Field("gpu_limit", number(0), count(0, "how many GPUs")),
    Field("image", fields.image, {**shapes.IMAGE, "description": "container image"}),
    Field(
        "entrypoint",
        fields.non_empty_texts,
        {**shapes.arguments("the command, before its arguments"), "minItems": 1},
        in_query=False,
    ),
    Field(
        "type",
        fields.plugin_type,
        {"enum": [kind.value for kind in PluginType], "description": "type of ChRIS plugin"},
    ),
    Field(
        "env",
        fields.env,
        {**shapes.ENV, "description": "environment variables, each as KEY=VALUE"},
        default=[],
        in_query=False,
    ),
    Field("input_dir", fields.directory, shapes.directory("input, relative to the storebase")),
    Field("output_dir", fields.directory, shapes.directory("output, relative to the storebase")),
    Field("jid", fields.jid, {**shapes.JID, "description": "the job's id; 1 to 200 characters"}),
    Field(
        "time_limit",
        number(1),
        count(1, "seconds after which the running job is ended"),
        default=None,
    ),
    Field(
        "workdir",
        fields.path,
        {**shapes.PATH, "description": "the directory in which the job begins, as it sees it"},
        default=None,
    ),
)

_NAMES = frozenset(field.name for field in FIELDS)

#: Which of them may come in the query string, and which may not.
_IN_QUERY = frozenset(field.name for field in FIELDS if field.in_query)
_IN_BODY = _NAMES - _IN_QUERY

#: What pman 3 called things, and what says the same now.
OLD_NAMES = {
    "cmd_args": "args, a list of strings",
    "cmd_path_flags": "args_path_flags, a list of strings",
    "selfexec": "entrypoint, a list of strings",
    "selfpath": "entrypoint, a list of strings",
    "execshell": "entrypoint, a list of strings",
}


def read_request(body: Any, query: Query) -> tuple[JobRequest, list[str]]:
    """The request that a body and a query string make, and the fields that mean nothing here.

    :raises InvalidJobError: with all faults, by field.
    """
    if not isinstance(body, dict):
        raise InvalidJobError("the body must be a JSON object with the fields of a job")
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for field in FIELDS:
        try:
            values[field.name] = _read_field(field, body, query)
        except ValueError as error:
            faults[field.name] = str(error)
    faults |= query_faults(query, _IN_QUERY, in_body=_IN_BODY)
    faults |= {
        old: f"was a field of pman 3; use {now}, input_dir and output_dir"
        for old, now in OLD_NAMES.items()
        if old in body
    }
    if faults:
        raise InvalidJobError(faults=faults)
    return JobRequest(**values), sorted(body.keys() - _NAMES)


def _read_field(field: Field, body: Mapping[str, Any], query: Query) -> Any:
    asked = [query[field.name]] if field.in_query and field.name in query else []
    if field.name in body:
        value = field.read(body[field.name])
        for other in asked:  # it does not count, but it must not be nonsense
            field.read(other)
        return value
    if asked:
        return field.read(asked[0])
    if field.default is REQUIRED:
        places = "JSON body or the query string" if field.in_query else "JSON body"
        raise ValueError(f"Missing required parameter in the {places}")
    return None if field.default is None else field.read(field.default)


def job_answer(info: JobInfo, logs: str | None) -> dict[str, Any]:
    """A job as the wire has it: the seven keys of pman 6 first, then newer ones.

    :param logs: left out of the answer if it is ``None``, as in lists and with ``logs=no``.
    """
    answer = {
        "jid": info.jid,
        "image": info.image,
        "cmd": shlex.join(info.argv),
        "status": info.status.value,
        "message": info.message,
        "timestamp": _time(info.finished or info.started) or "",
        "logs": logs,
        "exit_code": info.exit_code,
        "reason": info.reason.value if info.reason else None,
        "created": _time(info.created),
        "started": _time(info.started),
        "finished": _time(info.finished),
        "labels": dict(info.labels),
        "native": info.native,
        "owner": info.owner,
    }
    if logs is None:
        del answer["logs"]
    return answer


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


#: The most jobs that one page of a list holds, and how many it holds by default.
MAX_PAGE = 1000
DEFAULT_PAGE = 100


def read_list_query(query: Query) -> tuple[JobFilter, int, str | None]:
    """What a list is asked for: filter, page size and cursor.

    :raises InvalidJobError: with all faults, by parameter.
    """
    known = ("status", "label", "limit", "cursor")
    faults = query_faults(query, known, repeatable=("label",))
    wanted: dict[str, str] = {}
    for label in query.getlist("label"):
        key, separator, value = label.partition("=")
        if not separator or not key:
            faults["label"] = "must be key=value"
        if wanted.setdefault(key, value) != value:
            faults["label"] = f"asks for two values of {key!r}, which no job has"
    if query.get("status") not in (None, *list(Status)):
        faults["status"] = f"must be one of {', '.join(Status)}"
    limit = DEFAULT_PAGE
    try:
        limit = number(1, MAX_PAGE)(query.get("limit", str(DEFAULT_PAGE)))
    except ValueError as error:
        faults["limit"] = str(error)
    if faults:
        raise InvalidJobError(faults=faults)
    status = Status(query["status"]) if "status" in query else None
    return JobFilter(status=status, labels=wanted), limit, query.get("cursor")


def read_job_query(query: Query) -> tuple[bool, bool]:
    """Whether the answer about a job is to hold its logs, and whether the engine is to be asked.

    :raises InvalidJobError: for another word than yes and no, and for other parameters.
    """
    defaults = {"logs": "yes", "fresh": "no"}
    faults = query_faults(query, defaults)
    words = {name: query.get(name, default) for name, default in defaults.items()}
    for name, word in words.items():
        if word not in ("yes", "no"):
            faults.setdefault(name, "must be yes or no")
    if faults:
        raise InvalidJobError(faults=faults)
    return words["logs"] == "yes", words["fresh"] == "yes"


def is_jid(value: str) -> bool:
    """Whether a job can have that id at all."""
    return jid_fault(value) is None
