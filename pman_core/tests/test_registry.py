"""Which plugins are found, which is chosen, and which are refused."""

import re

import pytest
from plugin_helpers import Site
from rest_helpers import offer

from pman_core._internal import registry
from pman_core._internal.registry import BACKENDS, EXTENSIONS, Offer, choose
from pman_core.contract.errors import BackendNotFoundError, PluginLoadError, SettingsError


@pytest.mark.parametrize(
    ("wanted", "names", "chosen"),
    [
        (None, ["docker", "podman", "process"], "docker"),
        ("", ["docker", "process"], "docker"),
        (None, ["process"], "process"),
        (None, ["docker"], "docker"),
        ("podman", ["docker", "podman"], "podman"),
        ("process", ["docker", "process"], "process"),
    ],
)
def test_the_wanted_backend_is_chosen_or_docker_or_the_only_one(
    wanted: str | None, names: list[str], chosen: str
) -> None:
    assert choose(wanted, [offer(name) for name in names]).name == chosen


@pytest.mark.parametrize(
    ("wanted", "names", "message"),
    [
        (
            None,
            [],
            "CONTAINER_ENV is not set, which means docker, but no such backend is installed "
            "(none is installed); ",
        ),
        (
            None,
            ["kubernetes", "process"],
            "CONTAINER_ENV is not set, which means docker, but no such backend is installed "
            "(installed backends: kubernetes, process); ",
        ),
        (
            "process",
            [],
            "CONTAINER_ENV=process, but no such backend is installed (none is installed); "
            "pip install pman-process",
        ),
        (
            "process",
            ["other"],
            "CONTAINER_ENV=process, but no such backend is installed (installed backends: other); "
            "pip install pman-process, or set CONTAINER_ENV to one that is installed",
        ),
        (
            "slurm",
            ["other"],
            "CONTAINER_ENV=slurm, but no such backend is installed (installed backends: other); "
            "install a distribution that offers it, or set CONTAINER_ENV to one that is installed",
        ),
        ("Docker", ["docker"], "CONTAINER_ENV=Docker, but no such backend is installed"),
    ],
)
def test_a_backend_that_is_not_there_is_reported_with_what_is(
    wanted: str | None, names: list[str], message: str
) -> None:
    with pytest.raises(BackendNotFoundError) as caught:
        choose(wanted, [offer(name) for name in names])
    assert str(caught.value).startswith(message)


def test_a_package_is_suggested_only_for_names_that_we_publish() -> None:
    for name in ("slurm", "pman-evil", "nomad"):
        with pytest.raises(BackendNotFoundError) as caught:
            choose(name, [])
        assert "pip install" not in str(caught.value)
    assert all(package.startswith("pman-") for package in registry.PUBLISHED.values())


def test_a_misspelt_name_is_asked_about() -> None:
    with pytest.raises(BackendNotFoundError, match=r"CONTAINER_ENV=dokcer.*did you mean docker\?$"):
        choose("dokcer", [offer("docker")])
    with pytest.raises(BackendNotFoundError, match=r"did you mean echo\?$"):
        choose("ehco", [offer("docker"), offer("echo")])


def test_a_name_that_two_distributions_offer_is_refused() -> None:
    with pytest.raises(PluginLoadError) as caught:
        choose(None, [offer("docker", "one"), offer("docker", "two"), offer("process")])
    assert str(caught.value) == (
        "backend 'docker' is offered by one 1.0 and two 1.0; remove one of them"
    )
    assert choose("process", [offer("docker", "a"), offer("docker", "b"), offer("process")])


def test_what_is_installed_is_found_without_importing_it(site: Site) -> None:
    site.install("acme-b", "acme_b", backends="beta = acme_b:Backend\nalpha = acme_b:Backend")
    site.install("acme-x", "acme_x", extensions="quota = acme_x:Quota")
    assert [str(offer) for offer in registry.installed(BACKENDS)] == [
        "'alpha' of acme-b 1.2.3",
        "'beta' of acme-b 1.2.3",
    ]
    assert [offer.name for offer in registry.installed(EXTENSIONS)] == ["quota"]
    assert [offer.name for offer in registry.enabled_extensions(["quota"])] == []
    assert site.imported() == set()


BROKEN = {
    "there is no module": ("gone_plugin", None, "Backend", "ModuleNotFoundError"),
    "there is no such name": ("empty_plugin", "", "Backend", "AttributeError"),
    "a syntax error": ("odd_plugin", "def (", "Backend", "SyntaxError"),
    "an error": ("bad_plugin", "raise RuntimeError('no clock')", "Backend", "RuntimeError"),
    "a missing library": ("lib_plugin", "import not_installed_lib", "Backend", "not_installed_lib"),
}


@pytest.mark.parametrize("why", BROKEN)
def test_an_import_that_fails_names_distribution_and_version(site: Site, why: str) -> None:
    module, code, name, told = BROKEN[why]
    site.install("acme-broken", module, code, backends=f"acme = {module}:{name}")
    with pytest.raises(PluginLoadError) as caught:
        choose("acme", registry.installed(BACKENDS)).load()
    assert "acme-broken 1.2.3" in str(caught.value)
    assert told in str(caught.value)


def made(factory: object) -> object:
    return offer("acme", "acme-dist").make(factory, {})


def test_a_factory_that_fails_names_distribution_and_version() -> None:
    def factory(environ: object) -> object:
        raise KeyError("clock")

    for wrong in (factory, lambda environ: None, lambda: object(), "no callable"):
        with pytest.raises(PluginLoadError, match=re.escape("'acme' of acme-dist 1.0")):
            made(wrong)


def test_settings_that_a_factory_refuses_are_reported_as_they_are() -> None:
    def factory(environ: object) -> object:
        raise SettingsError(["ACME_URL is not set"])

    with pytest.raises(SettingsError, match=r"^ACME_URL is not set$"):
        made(factory)


def test_an_offer_of_an_unknown_distribution_is_no_crash() -> None:
    assert isinstance(offer("x"), Offer)
    assert "of pman-x 1.0" in str(offer("x"))
