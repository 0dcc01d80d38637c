"""What a node takes for a directory of a job: no link, and what it looked at."""

import json
import os
from pathlib import Path

import pytest
from node_kit import Node
from spec_samples import spec

from pman_core.kit.directories import link_fault
from pman_cromwell.job_spec import Bind, to_json
from pman_cromwell.share.pman_slurm import reasons
from pman_cromwell.share.pman_slurm.directories import open_directory
from pman_cromwell.share.pman_slurm.job_spec import Mount, spec_of
from pman_cromwell.share.pman_slurm.mounted import elsewhere, resolved
from pman_cromwell.share.pman_slurm.outcome import CannotStartError


@pytest.fixture
def storebase(tmp_path: Path) -> Path:
    """It has links of all kinds, and leads through one itself."""
    real = tmp_path / "real"
    (real / "job" / "in").mkdir(parents=True)
    (real / "job" / "file").touch()
    (real / "job" / "link").symlink_to("in")
    (real / "job" / "out of it").symlink_to("/")
    (real / "job" / "to nothing").symlink_to("nothing")
    (real / "way").symlink_to("job")
    (tmp_path / "storebase").symlink_to("real")
    return tmp_path / "storebase"


@pytest.mark.parametrize(
    "directory", ["job/in", "job/link", "job/out of it", "job/out of it/etc", "job/to nothing"]
)
@pytest.mark.parametrize("through", ["", "way/../"])
def test_a_node_takes_for_a_link_what_pman_takes_for_one(
    storebase: Path, directory: str, through: str
) -> None:
    directory = directory.replace("job", "way") if through else directory
    fault = link_fault(str(storebase), directory)
    path = str(storebase / directory)
    if fault is None:
        handle = open_directory(path, str(storebase))
        assert os.path.samestat(os.fstat(handle), os.stat(path))
        os.close(handle)
    else:
        with pytest.raises(CannotStartError) as ended:
            open_directory(path, str(storebase))
        assert str(ended.value) == f"the directory {path} {fault}"


@pytest.mark.parametrize("missing", ["job/none", "job/file", "job/file/below", "none/at all"])
@pytest.mark.parametrize("knows_storebase", [True, False])
def test_what_is_missing_on_a_node_is_no_link(
    storebase: Path, missing: str, knows_storebase: bool
) -> None:
    within = str(storebase) if knows_storebase else ""
    with pytest.raises(CannotStartError, match="there is no directory"):
        open_directory(str(storebase / missing), within)


def test_a_link_is_followed_where_no_storebase_is_known(storebase: Path) -> None:
    handle = open_directory(str(storebase / "way" / "link"))
    assert os.path.samestat(os.fstat(handle), os.stat(storebase / "job" / "in"))
    os.close(handle)


def test_the_spec_of_an_older_pman_knows_no_storebase() -> None:
    content = json.loads(to_json(spec()))
    for mount in content["mounts"]:
        del mount["within"]
    assert {mount.within for mount in spec_of(content).mounts} == {""}


def test_a_job_with_a_link_ends_and_the_part_is_named(node: Node) -> None:
    (node.storebase / "job").mkdir()
    (node.storebase / "job" / "in").symlink_to("/")
    bind = Bind(f"{node.storebase}/job/in/etc", "/share/incoming", True, str(node.storebase))
    ended = node.run("none", mounts=(bind,))
    assert ended.reason == reasons.CANNOT_START
    assert "leads through a link, which pman does not follow: 'job/in'" in ended.message


# ------------------------------------------------------------------ what a container got


def _elsewhere(directory: Path, *targets: Path) -> Mount | None:
    """What this process, as a container, has from another place than ``directory``."""
    handle = open_directory(str(directory))
    mounts = [Mount(str(directory), str(target), True) for target in targets]
    try:
        return elsewhere(os.getpid(), [(mount, handle) for mount in mounts])
    finally:
        os.close(handle)


def test_a_container_that_has_another_directory_is_found_out(storebase: Path) -> None:
    assert _elsewhere(storebase / "job", storebase / "job") is None
    assert _elsewhere(storebase / "job", storebase / "way") is None
    found = _elsewhere(storebase / "job" / "in", storebase / "job")
    assert found
    assert found.target == str(storebase / "job")


def test_a_directory_that_was_only_moved_to_the_target_is_found_out(storebase: Path) -> None:
    """In a directory of the job, one that is mounted already, somebody may do that."""
    found = _elsewhere(storebase / "job", storebase / "job", storebase / "way")
    assert found
    assert found.target == str(storebase / "way")


def test_the_links_of_an_image_are_those_of_its_own_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "run" / "job").mkdir(parents=True)
    (root / "var" / "lib").mkdir(parents=True)
    (root / "var" / "run").symlink_to("/run")
    (root / "var" / "lib" / "up").symlink_to("../../../../run/./")
    (root / "loop").symlink_to("loop")
    for path in ("/run/job", "/var/run/job", "/var/lib/up/job", "/var/run/../run/job/"):
        assert resolved(str(root), path) == "/run/job"
    assert resolved(str(root), "/var/run/..") == ""
    with pytest.raises(OSError, match="Too many levels"):
        resolved(str(root), "/loop")
    with pytest.raises(FileNotFoundError):
        resolved(str(root), "/none")
