"""The OpenAPI document of the service, made from the same tables that requests are read by."""

from __future__ import annotations

from typing import Any

from pman_core.contract.info import Reason, Status
from pman_core.rest.fields import REQUIRED
from pman_core.rest.schema import DEFAULT_PAGE, FIELDS, MAX_PAGE, OLD_NAMES
from pman_core.rest.shapes import JID_IN_PATH, count

_BEYOND_SCHEMAS = (
    "What no schema can say: the lengths of strings in a request are in bytes of UTF-8, and a "
    "directory's includes that of the storebase; a string has no lone surrogates; of a JSON "
    "object no key comes twice. What a submission requires may also come in its query string, "
    "where that has such a parameter; the body is preferred. One label is not asked for with two "
    "values. Paths end with a slash; without it the answer is a redirect (308)."
)

_TIME = {"type": ["string", "null"], "format": "date-time"}
_UNKNOWN = "null where it is not known"
_TEXT = {"type": "string"}

_MESSAGE = {
    "type": "object",
    "required": ["message"],
    "properties": {
        "message": {
            "description": "what is wrong; an object where fields are to blame",
            "oneOf": [_TEXT, {"type": "object", "additionalProperties": _TEXT}],
        }
    },
}

_JOB_PROPERTIES: dict[str, Any] = {
    "jid": {**_TEXT, "description": "the job's id, as the client gave it"},
    "image": {**_TEXT, "description": "the container image, as the client named it"},
    "cmd": {**_TEXT, "description": "the command line, quoted for a shell"},
    "status": {
        "enum": [status.value for status in Status],
        "description": "notstarted: it waits, for room or for its image; started: it runs; "
        "finishedSuccessfully: every worker exited with 0; finishedWithError: any other end. "
        "An end stays. undefined is never answered",
    },
    "message": {**_TEXT, "description": "for a person: why it failed, or what it waits for"},
    "timestamp": {**_TEXT, "description": "of the end, else of the start, else empty"},
    "exit_code": {
        "type": ["integer", "null"],
        "description": f"of the main process, once it ended; {_UNKNOWN}",
    },
    "reason": {
        "enum": [*(reason.value for reason in Reason), None],
        "description": "for programs: why it failed, or what it waits for; else null",
    },
    "created": {**_TIME, "description": f"when the engine took the job, in UTC; {_UNKNOWN}"},
    "started": {**_TIME, "description": "when it began to run, in UTC; null before that"},
    "finished": {**_TIME, "description": "when it ended, in UTC; null before that"},
    "labels": {
        "type": "object",
        "additionalProperties": _TEXT,
        "description": "the labels that pman's settings and admission policies gave it",
    },
    "native": {**_TEXT, "description": "the engine's own name or id"},
    "owner": {
        "type": ["string", "null"],
        "description": "who submitted it; null where clients need no credentials",
    },
}

_LOGS = {**_TEXT, "description": "the last lines of stdout and stderr; absent with `logs=no`"}

_SERVER = {
    "type": "object",
    "description": "without credentials, where they are needed elsewhere, it is empty",
    "properties": {
        "server_version": _TEXT,
        "container_env": _TEXT,
        "storage_type": _TEXT,
        "backend": {
            "type": "object",
            "properties": {"distribution": _TEXT, "version": _TEXT},
        },
        "extensions": {"type": "array", "items": _TEXT},
    },
}


def openapi_document(version: str) -> dict[str, Any]:
    """The document, in OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "pman",
            "version": version,
            "license": {"name": "MIT"},
            "description": _BEYOND_SCHEMAS,
        },
        "paths": {
            "/api/v1/": {"get": _about(), "post": _submit()},
            "/api/v1/jobs/": {"get": _list()},
            "/api/v1/{jid}/": {"parameters": [_JID], "get": _status(), "delete": _remove()},
            "/api/v1/{jid}/cancel/": {"parameters": [_JID], "post": _cancel()},
            "/openapi.json": {"get": _document()},
            "/healthz": {"get": _health("alive", "Whether the process of pman is alive")},
            "/readyz": {
                "get": _health("ready", "Whether engine and storage answer; asked once a second")
            },
        },
        "security": [{"bearer": []}, {"basic": []}, {}],
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "the token is the password; the user is not looked at",
                },
            },
            "schemas": {
                "Server": _SERVER,
                "Request": _request(),
                "Job": _job(with_logs=True),
                "SubmittedJob": _submitted_job(),
                "ListedJob": _job(with_logs=False),
                "Page": _page(),
                "Error": _MESSAGE,
            },
        },
    }


_JID = {"name": "jid", "in": "path", "required": True, "schema": JID_IN_PATH}


def _request() -> dict[str, Any]:
    return {
        "type": "object",
        # No schema can say that those may come in the query string instead.
        "required": [field.name for field in FIELDS if field.default is REQUIRED],
        "properties": {field.name: field.schema for field in FIELDS},
        "propertyNames": {"not": {"enum": list(OLD_NAMES)}},
    }


def _job(*, with_logs: bool) -> dict[str, Any]:
    properties = {**_JOB_PROPERTIES, "logs": _LOGS} if with_logs else _JOB_PROPERTIES
    return {"type": "object", "required": list(_JOB_PROPERTIES), "properties": properties}


def _submitted_job() -> dict[str, Any]:
    ignored = {
        "type": "array",
        "items": _TEXT,
        "description": "fields of the request that mean nothing here; absent if there are none",
    }
    job = _job(with_logs=True)
    return {**job, "properties": {**job["properties"], "ignored": ignored}}


def _page() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["jobs", "next"],
        "properties": {
            "jobs": {"type": "array", "items": {"$ref": "#/components/schemas/ListedJob"}},
            "next": {
                "type": ["string", "null"],
                "description": "the cursor of the next page; null on the last one",
            },
        },
    }


def _answer(schema: str, description: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"description": description, "content": content}


#: Answers that any request may get, some of them from the server before it looks at the path.
COMMON_ERRORS = {
    "400": _answer("Error", "the request is wrong; it says what to change"),
    "401": _answer("Error", "it is not known who asks; of paths that are open never answered"),
    "403": _answer("Error", "the role of who asks does not allow it"),
    "408": _answer("Error", "the request did not come in time"),
    "413": _answer("Error", "the body is too large"),
    "429": _answer("Error", "who asks sends too many requests"),
    "431": _answer("Error", "the address and the headers are too large"),
    "500": _answer("Error", "pman or a plugin has a fault"),
    "503": _answer("Error", "the engine does not answer, or pman is too busy; try again later"),
}
_OTHER_ERRORS = {
    "404": _answer("Error", "there is no such job"),
    "405": _answer("Error", "the path is that of the list of jobs"),
    "409": _answer("Error", "the id is taken"),
    "415": _answer("Error", "the body is not JSON, or is compressed"),
}


def _errors(*codes: str) -> dict[str, Any]:
    return dict(sorted({**COMMON_ERRORS, **{code: _OTHER_ERRORS[code] for code in codes}}.items()))


def _about() -> dict[str, Any]:
    return {
        "operationId": "about",
        "summary": "What this server is",
        "responses": {"200": _answer("Server", "the server"), **_errors()},
    }


def _health(word: str, summary: str) -> dict[str, Any]:
    schema = {"type": "object", "required": ["status"], "properties": {"status": {"const": word}}}
    content = {"application/json": {"schema": schema}}
    return {
        "operationId": word,
        "summary": summary,
        "security": [{}],
        "responses": {"200": {"description": word, "content": content}, **_errors()},
    }


def _document() -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    return {
        "operationId": "document",
        "summary": "This document",
        "responses": {"200": {"description": "the document", "content": content}, **_errors()},
    }


def _in_query(name: str, schema: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _submit() -> dict[str, Any]:
    query = [_in_query(field.name, field.schema) for field in FIELDS if field.in_query]
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Request"}}}
    return {
        "operationId": "submit",
        "summary": "Run a job; an equal request with the same jid finds the job that exists",
        "parameters": query,
        "requestBody": {"required": True, "content": body},
        "responses": {
            "201": _answer("SubmittedJob", "the job"),
            **_errors("409", "415"),
        },
    }


def _list() -> dict[str, Any]:
    parameters: dict[str, dict[str, Any]] = {
        "status": {
            "enum": [status.value for status in Status],
            "description": "only jobs in this state",
        },
        "label": {
            "type": "array",
            "items": {**_TEXT, "pattern": "^[^=]+="},
            "description": "only jobs with this label, as key=value; may come several times",
        },
        "limit": {
            **count(
                1,
                f"how many jobs a page holds at most; 1 to {MAX_PAGE}, default {DEFAULT_PAGE}",
                MAX_PAGE,
            ),
            "default": DEFAULT_PAGE,
        },
        "cursor": {**_TEXT, "minLength": 1, "description": "`next` of the page before"},
    }
    return {
        "operationId": "list",
        "summary": "The jobs of this pman, page by page; a page may be short or empty",
        "parameters": [_in_query(name, schema) for name, schema in parameters.items()],
        "responses": {"200": _answer("Page", "a page"), **_errors()},
    }


def _status() -> dict[str, Any]:
    return {
        "operationId": "status",
        "summary": "State and logs of a job",
        "parameters": [
            _in_query(
                "logs",
                {
                    "enum": ["yes", "no"],
                    "default": "yes",
                    "description": "with no, the logs are neither read nor answered: what a "
                    "client that only polls should say",
                },
            ),
            _in_query(
                "fresh",
                {
                    "enum": ["yes", "no"],
                    "default": "no",
                    "description": "with yes, the engine itself is asked for the state; else it "
                    "may be as old as the server's FRESHNESS",
                },
            ),
        ],
        "responses": {"200": _answer("Job", "the job"), **_errors("404")},
    }


def _cancel() -> dict[str, Any]:
    return {
        "operationId": "cancel",
        "summary": "End a job, and keep it with its logs; one that has ended stays as it is",
        "responses": {"200": _answer("ListedJob", "the job"), **_errors("404")},
    }


def _remove() -> dict[str, Any]:
    return {
        "operationId": "remove",
        "summary": "End a job if it runs, and delete it",
        "responses": {"204": {"description": "removed"}, **_errors("404", "405")},
    }
