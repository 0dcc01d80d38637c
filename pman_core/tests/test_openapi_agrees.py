"""What the OpenAPI document allows the service takes; what it forbids is refused.

Each request is a good one with one value in its place changed: to every kind of JSON value, to the
borders that the document names, and to what has been misread before.
"""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator
from rest_helpers import URL, Service, body, serve
from werkzeug.test import TestResponse

from pman_core.testing.memory_engine import MemoryEngine, Record

TEXTS = [
    *("", " ", "\t", "a", "a b", "\xe9", "\U0001f600", "-", "--x", "null", "true", "[]", "{}"),
    *("yes", "no", "/", "//", ".", "./", "..", "...", "....", "/../", "a/..", "../a", "a/../b"),
    *("a/..b", "./.", "a/.", "a/", "/a", "//a", "a//b", "jobs", "/jobs", "jobs/", "Jobs"),
    *("events", "//events", "/.", "/...", "\x00", "a\x00", "\n", "a\n", "jobs\n", "..\n"),
    *("a/..\n", "\r\n", "\x1b[m", "\x7f", "\x85", "\xa0", "\x1c", "\xad", "\u2028", "\u202e"),
    *("a\u200db", "\ufeff", "\u3000", "\U000e0041", "\u0663", "=", "A", "A=", "=b", "A=b"),
    *("A=b=c", "\n=", "A\x00=b", "A=\x00", "ds", "fs", "ts", "DS", "fs\n", "0", "-0", "+0"),
    *("00", "1", "-1", "+1", " 1 ", "1\n", "\x0b1", "\u30001", "01", "0" * 30 + "1", "1.0"),
    *("1.5", "1e3", "0x1", "1_000", "1,0", "+-1", "+", "9" * 18, "9" * 19, "9" * 4400, "NaN"),
    *("started", "Started", "undefined", "finished", "a=1", "next", "chris-jid-1"),
]
OTHERS: list[Any] = [
    *(None, True, False, {}, {"a": 1}, [], [[]], [None], [1], [{}], ["a", 1], 0, 1, -1, 2, 0.0),
    *(-0.0, 1.0, 2.0, 1.5, -1.0, 1000.0, 1000000000.0, 1e18, 1e300, 2**31, 2**63, 2**64),
    *(10**30,),
]


def borders(schema: Any) -> Iterator[Any]:
    """Values at the borders that a schema names, and one step beyond."""
    if isinstance(schema, list):
        for part in schema:
            yield from borders(part)
    elif isinstance(schema, dict):
        for name, value in schema.items():
            if name in ("maximum", "minimum"):
                for number in (value - 1, value, value + 1):
                    yield from (number, float(number), str(number), f"+00{number}", f" {number}")
            elif name in ("maxLength", "minLength"):
                yield from ("x" * max(0, value + step) for step in (-1, 0, 1))
                names = "/".join(["x" * 200] * (value // 201 + 2))
                yield from (names[: value - 200], names[: value + 1])  # a storebase counts, too
            elif name == "enum":
                yield from value
            else:
                yield from borders(value)


def values(schema: Any) -> list[Any]:
    """What to put in the place of a value; each once."""
    found = [*TEXTS, *OTHERS, *borders(schema), "x" * 200, "x" * 201, "x" * 255, "x" * 256]
    if schema.get("type") == "array":
        found += [[text] for text in found if isinstance(text, str)] + [["A=b", "A=c", "D="]]
    return list({json.dumps(value): value for value in found}.values())


class StillEngine(MemoryEngine):
    """Takes jobs and starts none."""

    def launch(self, record: Record) -> None:
        return


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    storebase = tmp_path_factory.mktemp("storebase")
    return serve(storebase, engine=StillEngine())


@pytest.fixture(scope="module")
def document(service: Service) -> Any:
    return service.app.test_client().get("/openapi.json").json


class Agreement:
    """Sends requests of one operation, and compares what comes back with the document."""

    def __init__(self, document: Any, path: str, method: str) -> None:
        self.document = document
        self.item = document["paths"][path]
        self.operation = self.item[method]
        self.faults: list[str] = []
        self.allowed = self.forbidden = 0

    def validator(self, schema: Any) -> Draft202012Validator:
        return Draft202012Validator({**schema, "components": self.document["components"]})

    def parameters(self) -> dict[str, Any]:
        return {found["name"]: found["schema"] for found in self.operation.get("parameters", ())}

    def compare(self, what: object, allows: bool, answer: TestResponse) -> None:
        """Record where the answer is not in the document, or is not what it says of the request."""
        if allows:
            self.allowed += 1
        else:
            self.forbidden += 1
        code = answer.status_code
        described = self.operation["responses"].get(str(code))
        if described is None:
            self.faults.append(f"{what!r:.80}: {code} is not described")
            return
        if "content" in described:
            schema = described["content"][answer.content_type]["schema"]
            if not self.validator(schema).is_valid(answer.json):
                self.faults.append(f"{what!r:.80}: the {code} is not as described: {answer.data!r}")
        if allows != (code < 400):
            word = "allowed" if allows else "forbidden"
            self.faults.append(f"{what!r:.80}: {word}, and answered {code}: {answer.data!r:.200}")

    def settle(self) -> None:
        assert not self.faults, "\n".join(self.faults)
        assert self.allowed, "something good must have been sent"
        assert self.forbidden, "and something wrong"


FIELDS = [*body(), "time_limit", "workdir"]
fresh = count()


def good(name: str, value: Any) -> dict[str, Any]:
    """A request with one value changed. Each is another job, or a retry would be compared."""
    return {**body(jid=f"agreed-{next(fresh)}"), name: value}


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_is_read_as_described(service: Service, document: Any, name: str) -> None:
    submit = Agreement(document, URL, "post")
    check = submit.validator({"$ref": "#/components/schemas/Request"})
    for value in values(document["components"]["schemas"]["Request"]["properties"][name]):
        service.engine.records.clear()
        wanted = good(name, value)
        submit.compare({name: value}, check.is_valid(wanted), service.post(wanted))
    submit.settle()


@pytest.mark.parametrize("name", [*FIELDS, "unknown", "cmd_args", "selfexec", "execshell"])
def test_which_fields_there_must_and_may_be_is_as_described(
    service: Service, document: Any, name: str
) -> None:
    check = Agreement(document, URL, "post").validator({"$ref": "#/components/schemas/Request"})
    wanted = good("unknown", 1) if name == "unknown" else good(name, ["x"])
    if name in FIELDS:
        del wanted[name]
    assert (service.post(wanted).status_code == 201) == check.is_valid(wanted)


@pytest.mark.parametrize("whole", [*OTHERS, "text"], ids=repr)
def test_no_other_body_is_taken(service: Service, document: Any, whole: Any) -> None:
    submit = Agreement(document, URL, "post")
    check = submit.validator({"$ref": "#/components/schemas/Request"})
    submit.compare(
        whole,
        check.is_valid(whole),
        service.post(data=json.dumps(whole), content_type="application/json"),
    )
    assert not submit.faults


def in_query(schema: Any) -> Iterator[str]:
    """The strings among the values that a query string can hold."""
    for value in values(schema):
        if isinstance(value, str) and len(value) < 5000:
            yield value


def test_each_parameter_of_a_submission_is_read_as_described(
    service: Service, document: Any
) -> None:
    submit = Agreement(document, URL, "post")
    for name, schema in submit.parameters().items():
        check = submit.validator(schema)
        for value in in_query(schema):
            service.engine.records.clear()
            wanted = good("auid", "somebody")
            answer = service.post(wanted, query=f"?{name}={quote(value, safe='')}")
            submit.compare({name: value}, check.is_valid(value), answer)
    submit.settle()


#: What stands for a value in the document, where only the one that a server gave will do.
GIVEN = {"cursor"}


@pytest.mark.parametrize("path", [URL, URL + "jobs/", URL + "{jid}/", "/openapi.json"])
def test_each_parameter_of_a_question_is_read_as_described(
    service: Service, document: Any, path: str
) -> None:
    ask = Agreement(document, path, "get")
    client = service.app.test_client()
    service.engine.records.clear()
    service.post(body(jid="asked"))
    real = path.replace("{jid}", "asked")
    ask.compare("nothing", True, client.get(real))
    ask.compare("unknown", False, client.get(f"{real}?unknown=1"))
    for name, schema in ask.parameters().items():
        # A parameter that may come several times is described as a list of its values.
        check = ask.validator(schema["items"] if schema.get("type") == "array" else schema)
        for value in in_query(schema):
            allows = check.is_valid(value) and name not in GIVEN
            ask.compare({name: value}, allows, client.get(f"{real}?{name}={quote(value, safe='')}"))
    ask.settle()


@pytest.mark.parametrize("method", ["get", "delete"])
def test_each_id_in_a_path_is_read_as_described(
    service: Service, document: Any, method: str
) -> None:
    """A job of that id is there wherever the document allows one."""
    ask = Agreement(document, URL + "{jid}/", method)
    (jid,) = ask.item["parameters"]
    check = ask.validator(jid["schema"])
    for value in in_query(jid["schema"]):
        if "/" in value or not value or value == "jobs":
            continue  # these are other paths
        service.engine.records.clear()
        service.post(body(jid=value))
        path = f"{URL}{quote(value, safe='')}/"
        answer = service.app.test_client().open(path, method=method.upper())
        ask.compare({"jid": value}, check.is_valid(value), answer)
    ask.settle()


def test_what_no_schema_can_say_is_refused(service: Service, document: Any) -> None:
    """Lengths are in bytes, and strings have no lone surrogates: the document says so in words."""
    submit = Agreement(document, URL, "post")
    check = submit.validator({"$ref": "#/components/schemas/Request"})
    for name, value in [
        ("args", ["é" * 70_000]),
        ("input_dir", "é" * 128),
        ("input_dir", "/".join(["é" * 100] * 21)),
        ("auid", "\ud800"),
        ("jid", "\ud800"),
    ]:
        wanted = good(name, value)
        assert check.is_valid(wanted)
        assert service.post(wanted).status_code == 400
    told = document["info"]["description"]
    assert "bytes" in told
    assert "surrogates" in told
