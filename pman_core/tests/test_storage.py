"""Storage: what a client's directory becomes, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
from rest_helpers import Service, body

from pman_core import HostPath, Mount, NfsPath, Storage
from pman_core._internal.core_storage import CoreStorage
from pman_core.contract.errors import InvalidJobError, SettingsError, UnsupportedError
from pman_core.contract.storage import clean_directory, host_storage, nfs_storage


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a", "a"),
        ("/a/b/", "a/b"),
        ("a//b", "a/b"),
        ("./a/./b/.", "a/b"),
        ("chris/feed 1/é$x", "chris/feed 1/é$x"),
        ("...", "..."),
        ("a..b/..c/d..", "a..b/..c/d.."),
        (" ", " "),
        ("a\nb", "a\nb"),
        ("~", "~"),
        ("\\..\\", "\\..\\"),
    ],
)
def test_a_directory_is_cleaned(raw: str, clean: str) -> None:
    assert clean_directory(raw) == clean


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ("", "empty"),
        ("/", "empty"),
        ("///", "empty"),
        (".", "empty"),
        ("./.", "empty"),
        ("..", "'..'"),
        ("/..", "'..'"),
        ("a/..", "'..'"),
        ("a/../b", "'..'"),
        ("../a", "'..'"),
        ("a\0b", "NUL"),
        ("\0", "NUL"),
        ("../\0", "NUL"),
    ],
)
def test_a_directory_outside_or_the_whole_storebase_is_refused(raw: str, word: str) -> None:
    with pytest.raises(InvalidJobError, match=word):
        clean_directory(raw)
    for pair in ((raw, "a"), ("a", raw)):
        with pytest.raises(InvalidJobError, match=word):
            host_storage("/data").mounts(*pair)


LONGEST = "/".join(["é" * 127] * 16)[:4095]  # of 4079 bytes


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ("x" * 256, "255"),
        ("a/" + "é" * 128, "255"),
        ("a/" * 2048 + "b", "4095"),
        (LONGEST + "/" + "x" * 16, "4095"),
    ],
)
def test_a_directory_that_no_file_system_can_hold_is_refused(raw: str, word: str) -> None:
    with pytest.raises(InvalidJobError, match=word):
        clean_directory(raw)


@pytest.mark.parametrize("raw", ["x" * 255, "é" * 127 + "x", LONGEST + "/" + "x" * 15])
def test_the_longest_directory_that_a_file_system_holds_is_taken(raw: str) -> None:
    assert clean_directory(raw) == raw


@pytest.mark.parametrize("storage", [host_storage("/data/x"), nfs_storage("nas", "/data/x")])
def test_a_path_that_is_too_long_with_the_storebase_is_refused(storage: Storage) -> None:
    longest = LONGEST + "/1234567"  # with the storebase and a slash, 4095 bytes
    storage.mounts("a", longest)  # raises nothing
    with pytest.raises(InvalidJobError) as caught:
        storage.mounts("a", longest + "8")
    assert set(caught.value.faults) == {"output_dir"}
    assert "4096 bytes" in caught.value.faults["output_dir"]


def test_input_is_read_only_and_output_is_not() -> None:
    assert host_storage("/data").mounts("/a/", "b") == (
        Mount(HostPath("/data/a", within="/data"), "/share/incoming", read_only=True),
        Mount(HostPath("/data/b", within="/data"), "/share/outgoing", read_only=False),
    )


def test_one_directory_may_be_both() -> None:
    assert len(host_storage("/data").mounts("a", "a")) == 2


def test_a_storebase_may_be_the_root() -> None:
    assert host_storage("/").mounts("a", "b")[0].source == HostPath("/a", within="/")


def test_nfs_directories_are_on_the_server() -> None:
    assert nfs_storage("nas", "/export").mounts("a", "b")[1].source == NfsPath(
        "nas", "/export/b", within="/export"
    )


def resolve(storage_type: str, **environ: str) -> Storage | None:
    return CoreStorage().pman_resolve_storage(storage_type, environ)


def test_host_and_nfs_are_the_cores() -> None:
    host = resolve("host", STOREBASE="/data//")
    assert host is not None
    assert (host.name, host.kind, host.description) == ("host", HostPath, "host folder /data")
    nfs = resolve("nfs", STOREBASE="/data", NFS_SERVER="nas")
    assert nfs is not None
    assert (nfs.name, nfs.kind, nfs.description) == ("nfs", NfsPath, "NFS export nas:/data")
    assert host.locate("x") == HostPath("/data/x", within="/data")


def test_other_types_are_left_to_others() -> None:
    assert resolve("kubernetes_pvc") is None
    assert resolve("docker_local_volume", STOREBASE="/data") is None
    assert resolve("HOST") is None


@pytest.mark.parametrize(
    ("storage_type", "environ", "problems"),
    [
        ("host", {}, ["STORAGE_TYPE=host needs STOREBASE: set it"]),
        ("host", {"STOREBASE": ""}, ["STORAGE_TYPE=host needs STOREBASE: set it"]),
        (
            "nfs",
            {},
            [
                "STORAGE_TYPE=nfs needs STOREBASE: set it",
                "STORAGE_TYPE=nfs needs NFS_SERVER: set it",
            ],
        ),
        ("nfs", {"STOREBASE": "/d"}, ["STORAGE_TYPE=nfs needs NFS_SERVER: set it"]),
        (
            "host",
            {"STOREBASE": "/d", "NFS_SERVER": "nas"},
            [
                "NFS_SERVER is set, but STORAGE_TYPE is 'host'; "
                "unset NFS_SERVER or set STORAGE_TYPE=nfs"
            ],
        ),
        (
            "host",
            {"STOREBASE": "relative"},
            ["STOREBASE must be an absolute path (it is 'relative')"],
        ),
    ],
)
def test_what_is_missing_or_contradicts_is_reported(
    storage_type: str, environ: dict[str, str], problems: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve(storage_type, **environ)
    assert list(caught.value.problems) == problems


def test_a_backend_that_mounts_host_paths_only_gets_them_as_text() -> None:
    path: str = host_storage("/data").mounts("a", "b")[0].host_path
    assert path == "/data/a"
    with pytest.raises(UnsupportedError, match="no NfsPath"):
        _ = nfs_storage("nas", "/export").mounts("a", "b")[0].host_path


def test_a_storage_cannot_be_changed() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        host_storage("/data").name = "other"  # type: ignore[misc]


def linked(storebase: Path) -> Path:
    (storebase / "made by a job").symlink_to("/etc")
    return storebase


def test_a_request_whose_directory_leads_through_a_link_is_refused_and_names_it(
    start: Callable[..., Service], storebase: Path
) -> None:
    linked(storebase)
    answer = start().post(body(input_dir="made by a job/ssl", output_dir="made by a job"))
    assert answer.status_code == 400
    assert answer.json
    assert "'made by a job'" in answer.json["message"]["input_dir"]


def test_a_site_may_let_links_be_followed(start: Callable[..., Service], storebase: Path) -> None:
    linked(storebase)
    answer = start(STOREBASE_LINKS="follow").post(body(input_dir="made by a job"))
    assert answer.status_code == 201


def test_a_storebase_that_pman_sees_elsewhere_is_looked_at_there(
    start: Callable[..., Service], storebase: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = linked(tmp_path_factory.mktemp("mount"))
    answer = start(STOREBASE_MOUNT=str(other)).post(body(input_dir="made by a job"))
    assert answer.status_code == 400


def test_a_storebase_that_is_not_mounted_where_pman_should_see_it_lets_no_job_in(
    start: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Else a link would not be seen, and nobody would know."""
    missing = tmp_path_factory.mktemp("mount") / "missing"
    answer = start(STOREBASE_MOUNT=str(missing)).post()
    assert answer.status_code == 503
    assert "STOREBASE_MOUNT" in answer.text
