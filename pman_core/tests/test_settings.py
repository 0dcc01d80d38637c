"""Settings: how each variable is read, and that all faults are reported at once."""

import re
from typing import Any

import environ as env_config
import pytest

from pman_core._internal.core_storage import StorageSettings
from pman_core.contract.capabilities import Option
from pman_core.contract.errors import SettingsError
from pman_core.kit.core_settings import CoreSettings
from pman_core.kit.settings import EngineSettings, Secret, load, variable, variables

FLAGS = {"yes": True, "No": False, "on": True, "off": False, "1": True, "0": False, " TRUE ": True}
BOTH = {Option.CPU_LIMIT, Option.MEMORY_LIMIT}
NOT_NUMBERS = ["x", "1.5", "1e3", "0x10", "\u0663", "1_000", "9" * 5000, "--1", "1 000"]

#: Of each variable: values that are read, and values that are faults.
GOOD: dict[str, dict[str, Any]] = {
    "INSTANCE": {"pman": "pman", "a": "a", "x" * 40: "x" * 40, "a-1": "a-1"},
    "ENGINE_TIMEOUT": {"1": 1, "90": 90, " 20 ": 20, "+5": 5},
    "START_DEADLINE": {"1": 1, "1000000000": 10**9},
    "CONTAINER_ENV": {"docker": "docker", "x y": "x y"},
    "STORAGE_TYPE": {"host": "host"},
    "STOREBASE_MOUNT": {"/data": "/data", "/data/": "/data"},
    "STOREBASE_LINKS": {"refuse": "refuse", "follow": "follow"},
    "REMOVE_JOBS": FLAGS,
    "IGNORE_LIMITS": {
        **{value: BOTH if yes else frozenset() for value, yes in FLAGS.items()},
        "cpu": {Option.CPU_LIMIT},
        "memory": {Option.MEMORY_LIMIT},
        "cpu,memory": BOTH,
        " Memory , CPU ,": BOTH,
    },
    "ENABLE_HOME_WORKAROUND": FLAGS,
    "JOB_LOGS_TAIL": {"1": 1, "1000": 1000},
    "JOB_LOGS_MAX_BYTES": {"1": 1, str(2**30): 2**30},
    "JOB_LABELS": {
        "a=b": {"a": "b"},
        "a=b,c=d": {"a": "b", "c": "d"},
        " a = b , c=d=e ,": {"a": "b", "c": "d=e"},
        "a=": {"a": ""},
        "org.chrisproject.miniChRIS=plugininstance": {
            "org.chrisproject.miniChRIS": "plugininstance"
        },
        ",": {},
    },
    "SECURITYCONTEXT_RUN_AS_USER": {"0": 0, "4294967294": 2**32 - 2},
    "SECURITYCONTEXT_RUN_AS_GROUP": {"0": 0},
    "SHM_SIZE": {"1": 1, "2048": 2048},
    "TIMELIMIT_MINUTES": {"1": 1},
    "MAX_BODY_BYTES": {"1024": 1024},
    "AUTH_TOKENS_FILE": {"/etc/pman/tokens": "/etc/pman/tokens"},
    "AUTH": {"none": "none"},
    "JOBS_VISIBLE_TO": {"all": "all", "owner": "owner"},
    "REQUESTS_PER_SECOND": {"1": 1, "200": 200},
    "FRESHNESS": {"0": 0, "60": 60},
    "REPLICAS": {"1": 1, "3": 3},
    "DISABLED_EXTENSIONS": {"a": ("a",), " a , b,": ("a", "b")},
    "APPLICATION_MODE": {"production": "production", "development": "development"},
}
BAD: dict[str, list[str]] = {
    "INSTANCE": ["A", "a_b", "-a", "a-", "x" * 41, "a/b", "a\n", " a"],
    "ENGINE_TIMEOUT": ["0", "91", "-1", *NOT_NUMBERS],
    "START_DEADLINE": ["0", *NOT_NUMBERS],
    "STOREBASE_MOUNT": ["data", "./data"],
    "STOREBASE_LINKS": ["yes", "no", "Follow"],
    "REMOVE_JOBS": ["maybe", "2", "yes!", "ja"],
    "IGNORE_LIMITS": ["maybe", ",", "cpu,yes", "cpu memory", "gpu", "cpu_limit"],
    "ENABLE_HOME_WORKAROUND": ["maybe"],
    "JOB_LOGS_TAIL": ["0", "-5", *NOT_NUMBERS],
    "JOB_LOGS_MAX_BYTES": ["0", str(2**30 + 1), *NOT_NUMBERS],
    "JOB_LABELS": ["a", "=b", "a=b,c", "a=b,a=c", "a=b,=c"],
    "CONTAINER_USER": ["1000", "root:root", "2-1:"],
    "SECURITYCONTEXT_RUN_AS_USER": ["-1", "4294967295", "root", *NOT_NUMBERS],
    "SECURITYCONTEXT_RUN_AS_GROUP": ["-1", "4294967295"],
    "SHM_SIZE": ["0", "-1", "64m", *NOT_NUMBERS],
    "TIMELIMIT_MINUTES": ["0", *NOT_NUMBERS],
    "MAX_BODY_BYTES": ["1023", str(2**30 + 1)],
    "AUTH_TOKENS_FILE": ["tokens", "./tokens"],
    "AUTH": ["no", "off", "None", "yes"],
    "JOBS_VISIBLE_TO": ["nobody", "Owner", "yes"],
    "REQUESTS_PER_SECOND": ["0", "-1", *NOT_NUMBERS],
    "FRESHNESS": ["-1", "61", *NOT_NUMBERS],
    "REPLICAS": ["0", "-1", *NOT_NUMBERS],
    "APPLICATION_MODE": ["prod", "Production"],
}
FIELD = {field.converter.name: field.name for field in CoreSettings.__attrs_attrs__}  # type: ignore[attr-defined]
NAMES = {variable.name for variable in variables(CoreSettings)}


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(CoreSettings, environ)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


def test_every_variable_is_tested_here() -> None:
    assert set(GOOD) | {"CONTAINER_USER", "SECRET_KEY"} == NAMES
    assert (
        set(BAD)
        | {
            "CONTAINER_ENV",
            "STORAGE_TYPE",
            "DISABLED_EXTENSIONS",
            "SECRET_KEY",
        }
        == NAMES
    )


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in GOOD.items() for value in values]
)
def test_a_good_value_is_read(name: str, value: str) -> None:
    assert getattr(load(CoreSettings, {name: value}), FIELD[name]) == GOOD[name][value]


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_a_bad_value_is_one_sentence_that_names_its_variable(name: str, value: str) -> None:
    (problem,) = problems(**{name: value})
    assert re.match(rf"{name} (must|names) ", problem)
    assert problem.endswith(f"(it is {value!r})")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("http://me:hush@host:1/a@b", "http://***@host:1/a@b"),
        ("htp//hush@host", "htp//***@host"),
        ("me:hush@host", "***@host"),
        ("name/image@sha256:1", "name/image@sha256:1"),
    ],
)
def test_no_login_of_an_address_is_shown(value: str, shown: str) -> None:
    (problem,) = problems(SHM_SIZE=value)
    assert problem.endswith(f"(it is {shown!r})")


def test_all_faults_are_reported_at_once() -> None:
    told = problems(**{name: values[0] for name, values in BAD.items()})
    assert {problem.split()[0] for problem in told} == set(BAD)
    assert len(told) == len(BAD)


def test_faulty_combinations_are_reported_besides_faulty_values() -> None:
    told = problems(
        SHM_SIZE="x", CONTAINER_USER="1:1", SECURITYCONTEXT_RUN_AS_USER="1", JOB_LABELS="a"
    )
    assert len(told) == 3
    assert any("SECURITYCONTEXT_RUN_AS_*" in problem for problem in told)


def test_the_defaults_are_those_of_pman_6() -> None:
    settings = load(CoreSettings, {})
    assert (settings.container_env, settings.storage_type) == (None, None)
    assert (settings.job_logs_tail, settings.job_logs_max_bytes) == (1000, 2**20)
    assert (settings.remove_jobs, settings.ignore_limits) == (True, frozenset())
    assert (settings.enable_home_workaround, settings.shm_size) == (False, None)
    assert (settings.user_rule, settings.time_limit_s, settings.secret_key) == (None, None, None)
    assert (settings.instance, settings.engine_timeout_s) == ("pman", 20)
    assert (settings.start_deadline_s, settings.application_mode) == (86400, "production")


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_empty_value_counts_as_unset(name: str) -> None:
    assert load(CoreSettings, {name: ""}) == load(CoreSettings, {})


def test_variables_of_others_are_left_alone() -> None:
    assert load(CoreSettings, {"PATH": "/bin", "JOB_LABEL": "x"}) == load(CoreSettings, {})


@pytest.mark.parametrize(
    ("user", "group", "expected"),
    [("5", "6", (5, 6)), ("0", "0", (0, 0)), ("5", "", (5, None)), ("", "6", (None, 6))],
)
def test_the_older_names_of_user_and_group_still_hold(
    user: str, group: str, expected: tuple[int | None, int | None]
) -> None:
    older = {"SECURITYCONTEXT_RUN_AS_USER": user, "SECURITYCONTEXT_RUN_AS_GROUP": group}
    rule = load(CoreSettings, older).user_rule
    assert rule is not None
    drawn = rule.for_job("x")
    assert drawn is not None
    assert (drawn.uid, drawn.gid) == expected


@pytest.mark.parametrize("older", ["SECURITYCONTEXT_RUN_AS_USER", "SECURITYCONTEXT_RUN_AS_GROUP"])
def test_a_user_by_two_names_is_a_contradiction(older: str) -> None:
    assert problems(**{"CONTAINER_USER": "1:1", older: "0"}) == [
        "CONTAINER_USER and SECURITYCONTEXT_RUN_AS_* are both set; keep CONTAINER_USER"
    ]


def test_labels_of_pmans_own_cannot_be_set() -> None:
    (problem,) = problems(JOB_LABELS="pman.chrisproject.org/jid=x,a=b")
    assert "JOB_LABELS must not set 'pman.chrisproject.org/jid'" in problem


def test_a_secret_is_in_no_message_and_no_repr() -> None:
    settings = load(CoreSettings, {"SECRET_KEY": "hunter2"})
    assert "hunter2" not in f"{settings} {settings!r} {settings.secret_key}"
    assert settings.secret_key is not None
    assert settings.secret_key.reveal() == "hunter2"
    assert "hunter2" not in str(problems(SECRET_KEY="hunter2", SHM_SIZE="x"))  # noqa: S106


def test_a_class_may_have_secrets_and_combinations_of_its_own() -> None:
    @env_config.config(prefix="", frozen=True)
    class Acme(EngineSettings):
        token: Secret | None = variable("ACME_TOKEN", Secret, None, "A token.")

        def problems(self) -> list[str]:
            return ["ACME_TOKEN is needed; set it"] if self.token is None else []

    assert "hunter2" not in repr(load(Acme, {"ACME_TOKEN": "hunter2"}))
    with pytest.raises(SettingsError) as caught:
        load(Acme, {"ENGINE_TIMEOUT": "0"})
    assert len(caught.value.problems) == 2
    assert [v.secret for v in variables(Acme) if v.name == "ACME_TOKEN"] == [True]


@pytest.mark.parametrize("settings_class", [CoreSettings, StorageSettings, EngineSettings])
def test_every_variable_has_a_help_text_of_whole_sentences(settings_class: type) -> None:
    for declared in variables(settings_class):
        assert re.fullmatch(r"[A-Z].*\.", declared.help), declared


@pytest.mark.parametrize(
    "login", ["me:hush", "me:hu/sh", "me:hu#sh", "me:hu sh", "hush", "me:hu:sh"]
)
def test_no_login_is_shown_by_a_parser_that_quotes_it(login: str) -> None:
    def quotes(value: str) -> str:
        parts = re.split("[:/#@]", value)
        raise ValueError(f"must be shorter than {value} or {login} or {parts}, for some reason")

    @env_config.config(prefix="")
    class Quoting:
        where: str = variable("WHERE", quotes, None, "An address.")

    for value in (f"tcp://{login}@host:1", f"//{login}@host"):
        with pytest.raises(SettingsError) as caught:
            load(Quoting, {"WHERE": value})
        assert "hu" not in str(caught.value)
        assert str(caught.value).startswith("WHERE must be shorter than ")
        assert str(caught.value).endswith(
            f"for some reason (it is {value.replace(login, '***')!r})"
        )
