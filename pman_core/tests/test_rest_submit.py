"""POST /api/v1/: what is accepted, what is refused, and what the answer looks like."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_helpers import URL, Service, body, without

from pman_core.rest.schema import FIELDS

REQUIRED = set(body()) - {"args_path_flags", "env"}
IN_QUERY = {field.name for field in FIELDS if field.in_query} - {"time_limit"}


def faults(answer: Any) -> dict[str, str]:
    """The faults by field; the answer must be a 400 that lists them."""
    assert answer.status_code == 400, answer.data
    assert answer.content_type == "application/json"
    assert isinstance(answer.json["message"], dict), answer.json
    found: dict[str, str] = answer.json["message"]
    return found


def test_the_answer_has_the_seven_keys_of_pman_6_first(service: Service) -> None:
    answer = service.post()
    assert answer.status_code == 201
    assert answer.content_type == "application/json"
    assert answer.text.endswith("}\n")
    seven = ["jid", "image", "cmd", "status", "message", "timestamp", "logs"]
    assert list(answer.json or {})[:7] == seven
    assert answer.json is not None
    assert all(isinstance(answer.json[key], str) for key in seven)
    assert answer.json["jid"] == "chris-jid-1"
    assert answer.json["image"] == "local"
    assert answer.json["cmd"] == "python3 /app.py --say hello /share/outgoing"
    assert answer.json["logs"] == ""


def test_all_missing_fields_are_reported_at_once(service: Service) -> None:
    found = faults(service.post({}))
    assert set(found) == REQUIRED
    for name, text in found.items():
        places = "JSON body or the query string" if name in IN_QUERY else "JSON body"
        assert text == f"Missing required parameter in the {places}"


@pytest.mark.parametrize("name", ["args_path_flags", "env"])
def test_flags_and_env_default_to_none(service: Service, name: str) -> None:
    assert service.post(without(name)).status_code == 201


@pytest.mark.parametrize("name", sorted(IN_QUERY & body().keys()))
def test_a_scalar_may_come_in_the_query_string(service: Service, name: str) -> None:
    value = body()[name]
    answer = service.post(without(name), query=f"?{name}={value}")
    assert answer.status_code == 201
    again = service.post()
    assert again.status_code == 201, "it is the same request wherever the value came from"


def test_the_body_is_preferred_to_the_query_string(service: Service) -> None:
    answer = service.post(body(jid="from-body"), query="?jid=from-query")
    assert answer.json is not None
    assert answer.json["jid"] == "from-body"


@pytest.mark.parametrize("name", sorted(REQUIRED - IN_QUERY))
def test_a_list_may_not_come_in_the_query_string(service: Service, name: str) -> None:
    found = faults(service.post(without(name), query=f"?{name}=x"))
    assert found == {name: "must be in the JSON body, not in the query string"}


def test_unknown_fields_are_reported_and_do_no_harm(service: Service) -> None:
    answer = service.post(body(surprise=1, trick=2))
    assert answer.status_code == 201
    assert answer.json is not None
    assert answer.json["ignored"] == ["surprise", "trick"]


WRONG: dict[str, list[Any]] = {
    "args": [None, 5, "abc", {}, [1], [None], [["a"]], ["a\0b"], ["\ud800"], ["x" * 131072]],
    "args_path_flags": [None, 5, "--dir", [1], ["\0"], {"--dir": 1}],
    "auid": [None, 5, ["a"], "a\0", "\udfff"],
    "number_of_workers": [0, -1, "0", 1001, "1001", 10**400],
    "cpu_limit": [0, -1000, "-1", 1e400, 2**64],
    "memory_limit": [0, -1, "00", "1" * 19, 10**4000],
    "gpu_limit": [-1, "-1", 10**400],
    "image": [None, 5, "", "  ", ["a"], "a\0", "\ud800"],
    "entrypoint": [None, 5, "sh", [], {}, [None], ["a\0"], ["x" * 131072]],
    "type": [None, 5, "", "xx", "DS", [], {}, ["ds"], True, "\ud800"],
    "env": [None, 5, "A=b", {"A": "b"}, [1], [None], ["A"], ["=b"], [""], ["A=\0"], ["A=\ud800"]],
    "input_dir": [None, 5, "", "/", "///", ".", "./.", "..", "a/../b", "/../a", "a/..", "a\0"],
    "output_dir": [None, 5, "", "/", "..", "../..", "a/../../etc", "\0", "\ud800", []],
    "jid": [None, 5, "", "/", "///", "a/b", "a/", "\n", "a\0", "\x7f", "\u2028", "x" * 201],
    "time_limit": [None, 0, -1, "soon", True, []],
    "workdir": [None, 5, "", "x", "x/y", "/x/", "//", "/x//y", "/./x", "/x/..", "/\0", "/\ud800"],
}
for _name in ("number_of_workers", "cpu_limit", "memory_limit", "gpu_limit"):
    WRONG[_name] += [None, 1.5, True, False, "1.5", "", " ", "x", "0x1", "1e3", "\u0663", [], {}]
NUMBERS = {
    "1.5": "must be a whole number",
    "many": "must be a whole number",
    "": "must be a whole number, not an empty string",
    1.5: "must be a whole number, not a fraction",
    None: "must be a whole number, not null",
}
WRONG["workdir"] += ["/" + "x" * 256, "/x" * 2500]
WRONG["input_dir"] += ["x" * 256, "x/" * 2500]
for _jid in (".", "..", "jobs", "events"):
    WRONG["jid"].append(_jid)


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in WRONG.items() for value in values],
    ids=lambda value: ascii(value)[:20],
)
def test_a_wrong_value_is_a_400_that_names_its_field(
    service: Service, name: str, value: Any
) -> None:
    assert set(faults(service.post(body(**{name: value})))) == {name}
    assert not service.engine.records


def test_all_wrong_values_are_reported_at_once(service: Service) -> None:
    assert set(faults(service.post({name: values[0] for name, values in WRONG.items()}))) == set(
        WRONG
    )


def test_there_are_wrong_values_for_every_field() -> None:
    assert set(WRONG) == {field.name for field in FIELDS}


def test_numeric_strings_are_numbers(service: Service) -> None:
    numbers = {"number_of_workers": " 2 ", "cpu_limit": "1000", "memory_limit": "+300"}
    assert service.post(body(gpu_limit="0", time_limit="60", **numbers)).status_code == 201
    job = service.job()
    assert (job.resources.workers, job.resources.cpu_millicores) == (2, 1000)
    assert (job.resources.memory_mib, job.resources.gpus, job.time_limit_s) == (300, 0, 60)


def test_a_number_without_a_fraction_is_whole(service: Service) -> None:
    """So JSON schema has it: 2.0 is an integer."""
    wanted = body(number_of_workers=2.0, cpu_limit=1e3, gpu_limit=-0.0)
    assert service.post(wanted).status_code == 201
    resources = service.job().resources
    assert (resources.workers, resources.cpu_millicores, resources.gpus) == (2, 1000, 0)
    assert service.post(body(number_of_workers=2)).status_code == 201, "it is the same request"


@pytest.mark.parametrize("name", sorted(IN_QUERY))
def test_nonsense_in_the_query_string_is_reported_also_where_the_body_counts(
    service: Service, name: str
) -> None:
    assert set(faults(service.post(query=f"?{name}=%00"))) == {name}


def test_slashes_around_directories_are_stripped(service: Service) -> None:
    assert service.post(body(input_dir="///in//", output_dir="/out/")).status_code == 201
    sources = [getattr(mount.source, "path", "") for mount in service.job().mounts]
    assert [source.rsplit("/", 1)[1] for source in sources] == ["in", "out"]
    assert service.post(body(input_dir="in", output_dir="out")).status_code == 201


def test_slashes_before_the_jid_are_stripped(service: Service) -> None:
    answer = service.post(body(jid="//chris-jid-1"))
    assert answer.json is not None
    assert (answer.status_code, answer.json["jid"]) == (201, "chris-jid-1")


@pytest.mark.parametrize(
    "jid", ["x" * 200, "Upper_Case", "a b", "ümlaut €", "..x", "%2F", "?#", "-", "'\"", "<b>", " "]
)
def test_an_awkward_jid_is_accepted(service: Service, jid: str) -> None:
    answer = service.post(body(jid=jid))
    assert answer.json is not None
    assert (answer.status_code, answer.json["jid"]) == (201, jid)


def test_ten_thousand_arguments_arrive(service: Service) -> None:
    args = [f"argument {i} $HOME {{}}" for i in range(10_000)]
    assert service.post(body(args=args)).status_code == 201
    assert service.job().argv == ("python3", "/app.py", *args, "/share/outgoing")


def test_the_longest_argument_that_linux_carries_is_accepted(service: Service) -> None:
    longest = "€" * 43690 + "x"
    assert len(longest.encode()) == 131071
    env = ["K=" + "v" * 131069]
    assert service.post(body(args=[longest, ""], env=env)).status_code == 201
    assert service.post(body(jid="b", env=["K=" + "v" * 131070])).status_code == 400


def test_no_arguments_are_no_fault(service: Service) -> None:
    assert service.post(body(args=[])).status_code == 201


def test_one_directory_may_be_input_and_output(service: Service) -> None:
    assert service.post(body(input_dir="in", output_dir="in")).status_code == 201
    assert [mount.target for mount in service.job().mounts] == [
        "/share/incoming",
        "/share/outgoing",
    ]


@pytest.mark.parametrize("value", NUMBERS)
def test_a_number_may_be_a_string_so_no_string_is_blamed_for_being_one(
    service: Service, value: Any
) -> None:
    assert faults(service.post(body(cpu_limit=value))) == {"cpu_limit": NUMBERS[value]}


def test_an_option_that_the_backend_refuses_is_a_400_of_its_field(
    start: Callable[..., Service],
) -> None:
    from pman_core import Capabilities, HostPath, Option, hookimpl
    from pman_core.testing import MemoryBackend

    class Picky(MemoryBackend):
        @hookimpl
        def pman_capabilities(self) -> Capabilities:
            no = "it has none"
            refused = {Option.CPU_LIMIT: no, Option.GPU_LIMIT: no, Option.WORKERS: no}
            return Capabilities(mounts={HostPath}, freshness_s=2.0, refusals=refused)

    wanted = body(gpu_limit=1, number_of_workers=2)
    found = faults(start(Picky({})).post(wanted))
    assert set(found) == {"cpu_limit", "gpu_limit", "number_of_workers"}
    assert "; set IGNORE_LIMITS=cpu to" in found["cpu_limit"]
    assert "IGNORE_LIMITS" not in found["gpu_limit"]
    found = faults(start(Picky({}), IGNORE_LIMITS="memory").post(wanted))
    assert "; set IGNORE_LIMITS=cpu,memory to" in found["cpu_limit"]
    unlimited = start(Picky({}), IGNORE_LIMITS="cpu")
    assert set(faults(unlimited.post(wanted))) == {"gpu_limit", "number_of_workers"}
    assert unlimited.post().status_code == 201


@pytest.mark.parametrize(
    ("ignored", "cpu", "memory"),
    [("yes", None, None), ("cpu", None, 200), ("memory", 1000, None), ("no", 1000, 200)],
)
def test_exactly_the_limits_that_are_ignored_are_dropped(
    start: Callable[..., Service], ignored: str, cpu: int | None, memory: int | None
) -> None:
    service = start(IGNORE_LIMITS=ignored)
    service.post(body(gpu_limit=0))
    resources = service.job().resources
    assert (resources.cpu_millicores, resources.memory_mib, resources.gpus) == (cpu, memory, 0)


def test_a_server_error_is_json_too(service: Service) -> None:
    # A fault of pman itself: nothing that a client could do brings it about.
    def breaks() -> str:
        raise ZeroDivisionError

    service.app.view_functions["pman.server"] = breaks
    answer = service.app.test_client().get(URL)
    assert answer.status_code == 500
    assert answer.is_json
    assert "message" in (answer.json or {})


def test_a_request_in_the_words_of_pman_3_gets_what_replaces_what(service: Service) -> None:
    old = {
        "cmd_args": "--saveinputmeta",
        "cmd_path_flags": "--dir",
        "selfexec": "app",
        "selfpath": "/usr/local/bin",
        "execshell": "python3",
    }
    wanted = {key: value for key, value in body().items() if key not in ("args", "entrypoint")}
    answer = service.post({**wanted, **old})
    assert answer.status_code == 400
    told = (answer.json or {})["message"]
    assert "use args" in told["cmd_args"]
    assert "use args_path_flags" in told["cmd_path_flags"]
    for name in ("selfexec", "selfpath", "execshell"):
        assert "use entrypoint" in told[name]
    assert "args" in told  # which is missing
