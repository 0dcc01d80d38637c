"""Where a job begins on its node, and what is reported where that cannot be."""

import pytest
from node_kit import Node

from pman_cromwell.job_spec import Bind
from pman_cromwell.share.pman_slurm import reasons

_OUT = "/share/outgoing"

#: An Apptainer as it says that it has not found the working directory (not run: its source).
_APPTAINER = """
case $1 in
  pull) : >"$3" ;;
  exec) echo 'FATAL:   failed to set working directory: chdir /no-such' >&2; exit 255 ;;
esac
"""


@pytest.mark.parametrize("runtime", ["podman", "apptainer", "none"])
def test_one_that_is_missing_in_a_directory_of_the_job_is_reported_and_not_made(
    node: Node, runtime: str
) -> None:
    out, inner = node.storebase / "out", node.storebase / "inner"
    (out / "inner" / "missing").mkdir(parents=True)  # the other mount hides it
    inner.mkdir()
    mounts = (Bind(str(inner), f"{_OUT}/inner", False), Bind(str(out), _OUT, False))
    ended = node.run(runtime, mounts=mounts, workdir=f"{_OUT}/inner/missing")
    assert ended.reason == reasons.CANNOT_START
    assert f"{_OUT}/inner/missing" in ended.message
    assert not (inner / "missing").exists()


def test_apptainers_message_about_one_that_the_image_does_not_have_is_understood(
    node: Node,
) -> None:
    node.has("apptainer", _APPTAINER)
    ended = node.run("apptainer", workdir="/no-such")
    assert ended.reason == reasons.CANNOT_START
    assert "the working directory /no-such cannot be had" in ended.message
    (node.folder / "begun").unlink()
    (node.folder / "verdict.json").unlink()
    (node.folder / "log.0").unlink()
    node.has("apptainer", _APPTAINER.replace("failed to set working directory", "out of sorts"))
    assert node.run("apptainer", workdir="/no-such").reason == reasons.EXIT_CODE


def test_a_singularity_that_would_begin_elsewhere_is_not_asked(node: Node) -> None:
    """But where the directory is the job's own, it is there."""
    node.has("singularity", 'case $1 in pull) : >"$3" ;; esac')
    ended = node.run("apptainer", workdir="/no-such")
    assert ended.reason == reasons.CANNOT_START
    assert "/no-such" in ended.message
    for name in ("begun", "verdict.json", "log.0"):
        (node.folder / name).unlink()
    (node.storebase / "out").mkdir()
    mounts = (Bind(str(node.storebase / "out"), _OUT, False),)
    assert node.run("apptainer", mounts=mounts, workdir=_OUT).is_success


def test_on_the_node_itself_one_that_is_missing_is_reported(node: Node) -> None:
    ended = node.run("none", argv=("/bin/true",), workdir="/no-such")
    assert ended.reason == reasons.CANNOT_START
    assert "/no-such" in ended.message
