"""Start: everything that is wrong is in one message, and nothing half works."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
from plugin_helpers import Site
from rest_helpers import offer

from pman_core import Capabilities, ClaimPath, HostPath, Job, Option, Storage, hookimpl
from pman_core._internal.startup import assemble, compose
from pman_core.app import app_for, create_app
from pman_core.contract.errors import (
    EngineUnavailableError,
    InvalidJobError,
    PluginFaultError,
    PluginLoadError,
    SettingsError,
)
from pman_core.contract.storage import host_storage
from pman_core.testing import MemoryBackend

ENVIRON = {"STORAGE_TYPE": "host", "STOREBASE": "/data"}


def problems(start: Callable[[], object]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        start()
    return list(caught.value.problems)


def composed(plugin: object, *extensions: object, **environ: str) -> Any:
    named = tuple((offer(f"ext{i}"), extension) for i, extension in enumerate(extensions))
    return compose({**ENVIRON, **environ}, offer("acme"), plugin, named)


class Picky(MemoryBackend):
    """Refuses every option that settings can ask for."""

    @hookimpl
    def pman_capabilities(self) -> Capabilities:
        return Capabilities(
            mounts={HostPath}, freshness_s=2.0, refusals=dict.fromkeys(Option, "it has none")
        )


def test_faults_of_settings_plugin_storage_and_extensions_are_one_message(site: Site) -> None:
    site.install(
        "acme-bad", "bad_ext", "raise RuntimeError('boom')", extensions="bad = bad_ext:Ext"
    )
    site.install("acme-gone", "gone_ext", None, extensions="gone = gone_ext:Ext")
    told = problems(
        lambda: assemble(
            {
                "CONTAINER_ENV": "slurm",
                "SHM_SIZE": "x",
                "JOB_LABELS": "a",
                "DISABLED_EXTENSIONS": "ghost",
            }
        )
    )
    assert len(told) == 6
    for words in (
        ["CONTAINER_ENV=slurm", "no such backend"],
        ["SHM_SIZE must be"],
        ["JOB_LABELS must be"],
        ["DISABLED_EXTENSIONS names 'ghost', but no such extension is installed"],
        ["'bad' of acme-bad 1.2.3", "boom", "DISABLED_EXTENSIONS=bad"],
        ["'gone' of acme-gone 1.2.3", "DISABLED_EXTENSIONS=gone"],
    ):
        assert any(all(word in problem for word in words) for problem in told), (words, told)


def test_faults_of_backend_settings_and_storage_are_one_message() -> None:
    told = problems(
        lambda: compose({"STORAGE_TYPE": "host", "SHM_SIZE": "x"}, offer("acme"), MemoryBackend({}))
    )
    assert len(told) == 2
    assert any("SHM_SIZE" in problem for problem in told)
    assert any("needs STOREBASE" in problem for problem in told)


def test_every_extension_that_does_not_fit_is_reported() -> None:
    class Misspelt:
        @hookimpl
        def pman_amdit(self, job: Job) -> Job:
            return job

    class Usurper:
        @hookimpl
        def pman_ping(self) -> str:
            return ""

    told = problems(lambda: composed(MemoryBackend({}), Misspelt(), object(), Usurper()))
    assert len(told) == 2
    assert "pman_amdit" in told[0]
    assert "DISABLED_EXTENSIONS=ext0" in told[0]
    assert "pman_ping" in told[1]
    assert "DISABLED_EXTENSIONS=ext2" in told[1]


def test_a_broken_neighbour_is_never_imported(site: Site) -> None:
    site.install("acme-good", "good_backend", backends="good = good_backend:Backend")
    site.install("acme-bad", "bad_backend", "raise SystemExit(1)", backends="bad = bad_backend:B")
    pman = assemble({**ENVIRON, "CONTAINER_ENV": "good"})
    assert str(pman.offer) == "'good' of acme-good 1.2.3"
    assert site.imported() == {"good_backend"}
    app = create_app({**ENVIRON, "CONTAINER_ENV": "good"})
    about = app.test_client().get("/api/v1/").json
    assert about is not None
    assert about["backend"] == {"distribution": "acme-good", "version": "1.2.3"}


def test_a_broken_extension_ends_the_start_unless_it_is_disabled(site: Site) -> None:
    site.install("acme", "good_backend", backends="good = good_backend:Backend")
    site.install("acme-bad", "bad_ext", "1 / 0", extensions="bad = bad_ext:Ext")
    assert "DISABLED_EXTENSIONS=bad" in problems(lambda: assemble(ENVIRON))[0]
    pman = assemble({**ENVIRON, "DISABLED_EXTENSIONS": "bad"})
    assert pman.extensions == ()
    assert site.imported() == {"good_backend"}


@pytest.mark.parametrize("code", ["Ext = lambda environ: None", "def Ext(): pass", "Ext = 5"])
def test_a_factory_that_makes_no_plugin_ends_the_start(site: Site, code: str) -> None:
    site.install("acme", "none_backend", code, backends="acme = none_backend:Ext")
    assert "'acme' of acme 1.2.3" in problems(lambda: assemble(ENVIRON))[0]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CONTAINER_USER", "1000:1000"),
        ("SECURITYCONTEXT_RUN_AS_USER", "1000"),
        ("SECURITYCONTEXT_RUN_AS_GROUP", "0"),
        ("JOB_LABELS", "a=b"),
        ("SHM_SIZE", "64"),
        ("TIMELIMIT_MINUTES", "5"),
    ],
)
def test_a_setting_that_the_backend_refuses_ends_the_start_and_is_named(
    variable: str, value: str
) -> None:
    (problem,) = problems(lambda: composed(Picky({}), **{variable: value}))
    assert variable in problem.replace(" or _GROUP", " or SECURITYCONTEXT_RUN_AS_GROUP")
    assert "is set, but it is not supported by this backend: it has none; unset it" in problem


def test_refusals_that_no_setting_asks_for_do_not_end_the_start() -> None:
    composed(Picky({}), ENABLE_HOME_WORKAROUND="yes", JOB_LABELS=",")


def test_the_backend_judges_a_sample_job_made_from_the_settings() -> None:
    seen = []

    class Judge(MemoryBackend):
        @hookimpl
        def pman_validate(self, job: Job) -> None:
            seen.append(job)
            if "a" in job.labels:
                raise InvalidJobError("no label may be called a")

    settings = {"ENABLE_HOME_WORKAROUND": "yes", "CONTAINER_USER": "7:", "SHM_SIZE": "8"}
    composed(Judge({}), JOB_LABELS="b=c", **settings)
    (job,) = seen
    assert (job.env, job.labels, job.shm_mib) == ({"HOME": "/tmp"}, {"b": "c"}, 8)
    assert job.user is not None
    assert job.user.uid == 7
    (problem,) = problems(lambda: composed(Judge({}), JOB_LABELS="a=c"))
    assert "no label may be called a" in problem
    assert "'acme'" in problem


@pytest.mark.parametrize("hook", ["pman_capabilities", "pman_validate"])
@pytest.mark.parametrize("fault", [RuntimeError("x"), EngineUnavailableError("engine is down")])
def test_a_backend_that_breaks_at_start_is_reported_as_a_fault(hook: str, fault: Exception) -> None:
    def breaks(self: object) -> object:
        raise fault

    plugin = type("Broken", (MemoryBackend,), {hook: hookimpl(breaks)})({})
    (problem,) = problems(lambda: composed(plugin))
    assert "engine is down" in problem or "'acme'" in problem


@attrs.define(eq=False)
class Resolver:
    """Resolves the type ``shelf`` to whatever it is given."""

    answer: Any

    @hookimpl
    def pman_resolve_storage(self, storage_type: str, environ: Mapping[str, str]) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer if storage_type == "shelf" else None


def shelf(kind: Any = HostPath) -> Storage:
    return attrs.evolve(host_storage("/shelf"), name="shelf", kind=kind)


def test_an_extension_may_bring_storage() -> None:
    pman = composed(MemoryBackend({}), Resolver(shelf()), STORAGE_TYPE="shelf")
    assert pman.jobs.storage.description == "host folder /shelf"


def test_whatever_a_storage_raises_is_reported_as_its_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is asked while requests are served; what the contract allows is reported as it is."""
    told = EngineUnavailableError("the engine is down")

    def locate(directory: str) -> HostPath:
        raise told if directory == "down" else KeyError("Mountpoint")

    storage = attrs.evolve(shelf(), locate=locate, check=lambda: [][0])
    made = composed(MemoryBackend({}), Resolver(storage), STORAGE_TYPE="shelf").jobs.storage
    with pytest.raises(EngineUnavailableError) as caught:
        made.mounts("down", "out")
    assert caught.value is told
    for ask in (lambda: made.mounts("in", "out"), made.check):
        with pytest.raises(PluginFaultError, match=r"storage 'shelf' of 'ext0'.* raised \w+;"):
            ask()
    assert "Mountpoint" in caplog.text


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([], ["STORAGE_TYPE=shelf is unknown", "pman-core", "host and nfs are built in"]),
        ([shelf(), shelf()], ["is claimed by", "'ext0' of", "'ext1' of"]),
        ([shelf(ClaimPath)], ["ClaimPath", "'acme' cannot mount", "HostPath"]),
        ([RuntimeError("no shelf")], ["'ext0' of", "no shelf"]),
        (["no storage"], ["'ext0' of", "no Storage"]),
        ([SettingsError(["SHELF is not set"])], ["SHELF is not set"]),
    ],
    ids=["none", "two", "cannot be mounted", "fails", "wrong type", "settings"],
)
def test_storage_that_is_not_one_good_answer_ends_the_start(
    answers: list[Any], words: list[str]
) -> None:
    resolvers = [Resolver(answer) for answer in answers]
    (problem,) = problems(lambda: composed(MemoryBackend({}), *resolvers, STORAGE_TYPE="shelf"))
    assert all(word in problem for word in words), problem


def test_unset_storage_means_what_the_backend_prefers() -> None:
    class Prefers(MemoryBackend):
        @hookimpl
        def pman_capabilities(self) -> Capabilities:
            return Capabilities(mounts={HostPath}, freshness_s=2.0, default_storage="shelf")

    pman = composed(Prefers({}), Resolver(shelf()), STORAGE_TYPE="")
    assert pman.jobs.storage.name == "shelf"


def test_routes_that_cannot_be_served_are_reported_with_their_plugin() -> None:
    class Routes:
        @hookimpl
        def pman_routes(self) -> Iterator[None]:
            raise RuntimeError("no way")

    with pytest.raises(PluginLoadError, match=r"'ext0' of .* cannot be served.*no way"):
        app_for(composed(MemoryBackend({}), Routes()))


def test_starting_needs_no_engine(tmp_path: Path) -> None:
    from rest_helpers import memory_engine

    engine = memory_engine()
    engine.up = False
    pman = composed(MemoryBackend({}, engine))
    assert app_for(pman).test_client().get("/api/v1/").status_code == 200
