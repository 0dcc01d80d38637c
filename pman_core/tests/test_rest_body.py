"""The body of a POST: what is no JSON, too long or too deep is a 4xx, never a 500."""

import contextlib
import gzip
import http.client
import io
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rest_helpers import URL, Service, body
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

JSON = "application/json"


def send(service: Service, raw: bytes, content_type: str = JSON) -> TestResponse:
    return service.post(data=raw, content_type=content_type)


def fault(answer: TestResponse) -> str:
    assert answer.is_json
    assert answer.json is not None
    message = answer.json["message"]
    assert isinstance(message, str)
    return message


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "x"]
)
def test_a_body_that_does_not_say_that_it_is_json_is_415(
    service: Service, content_type: str
) -> None:
    answer = send(service, json.dumps(body()).encode(), content_type)
    assert answer.status_code == 415
    assert fault(answer) == (
        "Did not attempt to load JSON data because the request Content-Type was not "
        "'application/json'."
    )


def test_no_body_at_all_is_415(service: Service) -> None:
    assert service.app.test_client().post(URL).status_code == 415


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_parameters_and_case_of_the_content_type_do_no_harm(
    service: Service, content_type: str
) -> None:
    assert send(service, json.dumps(body()).encode(), content_type).status_code == 201


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{]}",
        b"{'jid': 1}",
        b'{"jid": "a\nb"}',
        b'{"jid": "\xff"}',
        b"\xff\xfe{",
        b"\0",
        b"\x1f\x8b\x08\x00",
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"cpu_limit": ' + b"9" * 5000 + b"}",
        b"[]",
        b'[{"jid": "a"}]',
        b'"jid"',
        b"5",
        b"null",
        b"true",
        b"NaN",
    ],
    ids=lambda raw: ascii(raw)[:20],
)
def test_a_body_that_is_no_json_object_is_reported(service: Service, raw: bytes) -> None:
    answer = send(service, raw)
    assert answer.status_code == 400
    assert fault(answer)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-0.0", "9" * 4000])
@pytest.mark.parametrize("name", ["cpu_limit", "gpu_limit", "args", "env", "jid", "type"])
def test_odd_numbers_are_faults_of_their_field(service: Service, name: str, number: str) -> None:
    if (name, number) == ("gpu_limit", "-0.0"):
        return  # which is 0
    raw = json.dumps({**body(), name: "HERE"}).replace('"HERE"', number)
    answer = send(service, raw.encode())
    assert answer.status_code == 400
    assert answer.json is not None
    assert set(answer.json["message"]) == {name}


def test_values_that_are_nested_deeply_are_faults_of_their_field(service: Service) -> None:
    raw = json.dumps({**body(), "args": "HERE"}).replace('"HERE"', "[" * 300 + "]" * 300)
    assert send(service, raw.encode()).status_code == 400


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_any_encoding_of_json_is_read(service: Service, encoding: str) -> None:
    raw = json.dumps(body(jid="é"), ensure_ascii=False).encode(encoding)
    answer = send(service, raw)
    assert answer.json is not None
    assert (answer.status_code, answer.json["jid"]) == (201, "é")


def test_a_body_of_the_largest_size_is_read_and_one_more_byte_is_413(
    start: Callable[..., Service],
) -> None:
    service = start(MAX_BODY_BYTES="2000")
    raw = json.dumps(body()).encode()
    assert send(service, raw.ljust(2000)).status_code == 201
    answer = send(service, raw.ljust(2001))
    assert answer.status_code == 413
    assert fault(answer)


class Endless(io.RawIOBase):
    """A body that never ends, as far as the server has patience."""

    read_bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        assert self.read_bytes < 10**6, "the server reads on and on"
        buffer[:] = b" " * len(buffer)
        self.read_bytes += len(buffer)
        return len(buffer)


def test_no_more_is_read_than_may_be_sent(start: Callable[..., Service]) -> None:
    app = start(MAX_BODY_BYTES="2000").app
    stream = Endless()
    environ = {"wsgi.input": stream, "wsgi.input_terminated": True}
    answer = app.test_client().post(URL, content_type=JSON, environ_overrides=environ)
    assert answer.status_code == 413
    assert stream.read_bytes <= 2001


@pytest.fixture
def port(start: Callable[..., Service]) -> Iterator[int]:
    """A real server, for what a test client cannot send."""
    server = make_server("127.0.0.1", 0, start(MAX_BODY_BYTES="2000").app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("size", "code"), [(0, 201), (2000, 201), (2001, 413), (9999, 413)])
def test_a_chunked_body_has_the_same_limit(port: int, size: int, code: int) -> None:
    data = json.dumps(body()).encode().ljust(size)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    pieces = (data[i : i + 100] for i in range(0, len(data), 100))
    with contextlib.suppress(ConnectionError):  # a server that has read enough hangs up
        connection.request("POST", URL, pieces, {"Content-Type": JSON}, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == code
    assert "message" in json.loads(answer.read())
    connection.close()


@pytest.mark.parametrize("raw", ['{"jid": "a", "jid": "b"}', '{"x": [{"y": 1, "y": 1}]}'])
def test_a_key_that_comes_twice_is_reported(service: Service, raw: str) -> None:
    answer = service.post(data=raw, content_type=JSON)
    assert answer.status_code == 400
    name = "jid" if "jid" in raw else "y"
    assert (answer.json or {})["message"] == {name: "is given twice in the JSON body"}


def test_a_compressed_body_is_415(service: Service) -> None:
    how: dict[str, Any] = {"content_type": JSON, "headers": {"Content-Encoding": "gzip"}}
    answer = service.post(data=gzip.compress(json.dumps(body()).encode()), **how)
    assert answer.status_code == 415
    assert "compressed" in fault(answer)
    how["headers"] = {"Content-Encoding": "identity"}
    assert service.post(data=json.dumps(body()), **how).status_code == 201


@pytest.mark.parametrize("name", ["env", "args", "args_path_flags", "entrypoint"])
def test_a_list_in_the_query_string_is_reported(service: Service, name: str) -> None:
    answer = service.post(query=f"?{name}=x")
    assert answer.status_code == 400
    assert (answer.json or {})["message"] == {
        name: "must be in the JSON body, not in the query string"
    }
