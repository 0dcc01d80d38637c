"""An image that a node cannot get: a transient cause is tried again, and reported."""

import json

import pytest
from node_kit import Node
from spec_samples import settings, spec

from pman_core.contract.info import Reason
from pman_core.kit.causes import pull_message
from pman_cromwell import payload, run_files
from pman_cromwell.job_spec import encoded
from pman_cromwell.share.pman_slurm import outcome, reasons
from pman_cromwell.share.pman_slurm import run_files as node_files
from pman_cromwell.share.pman_slurm.job_spec import decoded

#: A Podman without the image, whose containers end well, at once; each call is counted.
_PODMAN = """
echo $1 >>'{folder}/calls'
[ "$1" != image ] || exit 1
[ "$1" != inspect ] || echo '{{"Status": "exited", "ExitCode": 0}}'
[ "$(/bin/grep -c "^$1" '{folder}/calls')" = 1 ] || exit 0
[ "$1" != {command} ] || {{ {fault}; }}
"""

_IMAGE = spec().image


def _has_podman(node: Node, command: str, fault: str) -> None:
    """The first call of ``command`` has a fault."""
    node.has("podman", _PODMAN.format(folder=node.folder, command=command, fault=fault))


def _trouble(node: Node) -> run_files.Trouble:
    found = run_files.read(node.folder).trouble
    assert found
    return found


def _calls(node: Node, command: str) -> int:
    return (node.folder / "calls").read_text().split().count(command)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("Error: pinging registry: dial tcp: lookup r: no such host", Reason.PULLING),
        ("Error: writing blob: no space left on device", Reason.QUEUED),
        ("words that nobody knows", Reason.PULLING),
    ],
)
def test_a_transient_cause_is_reported_and_tried_again(
    node: Node, words: str, reason: Reason
) -> None:
    _has_podman(node, "pull", f"echo '{words}' >&2; exit 125")
    assert node.run("podman", uid=7) == outcome.exited(0)
    assert _calls(node, "pull") == 2
    assert _trouble(node) == run_files.Trouble(reason, pull_message(_IMAGE, words))


@pytest.mark.parametrize(
    "words",
    [
        "Error: reading manifest 1 in x: manifest unknown",
        "Error: reading manifest 1 in x: unauthorized: authentication required",
    ],
)
def test_a_final_cause_ends_the_job(node: Node, words: str) -> None:
    _has_podman(node, "pull", f"echo 'Trying to pull'; echo '{words}' >&2; exit 125")
    ended = node.run("podman", uid=7)
    assert (ended.reason, ended.message) == (reasons.IMAGE_NOT_FOUND, pull_message(_IMAGE, words))
    assert _calls(node, "pull") == 1


def test_an_error_of_several_lines_is_reported_whole(node: Node) -> None:
    page = "Error: reading manifest: StatusCode: 403, <html>\n<h1>No</h1>\n</html>"
    _has_podman(node, "pull", f"printf '{page}\n' >&2; exit 125")
    node.run("podman", uid=7)
    assert _trouble(node).message == pull_message(_IMAGE, page.replace("\n", " "))


def test_why_podman_tries_again_itself_is_reported_meanwhile(node: Node) -> None:
    told = f"[ -e '{node.folder}/{node_files.TROUBLE}' ]"
    warning = 'level=warning msg="Failed, retrying in 1s ... (1/3). Error: toomanyrequests: x"'
    wait = f'exec /bin/timeout 30 /bin/sh -c "until {told}; do /bin/sleep 0.05; done"'
    _has_podman(node, "pull", f"echo '{warning}' >&2; {wait}")
    assert node.run("podman", uid=7) == outcome.exited(0)
    assert _calls(node, "pull") == 1
    assert _trouble(node).message == pull_message(_IMAGE, "Error: toomanyrequests: x")


def test_a_container_that_cannot_be_made_now_is_made_later(node: Node) -> None:
    _has_podman(node, "create", "echo 'Error: mkdir /x: no space left on device' >&2; exit 125")
    assert node.run("podman", uid=7) == outcome.exited(0)
    assert _calls(node, "create") == 2
    assert _trouble(node).reason is Reason.QUEUED


def test_a_run_that_is_ended_while_it_waits_for_its_image_says_so(node: Node) -> None:
    gone = f": >'{node.folder}/{node_files.CANCELLED}'"
    _has_podman(node, "pull", f"{gone}; echo 'dial tcp: no such host' >&2; exit 125")
    ended = node.run("podman", uid=7)
    assert ended.reason == reasons.KILLED
    assert ended.message.startswith("ended by pman")


def test_a_run_that_is_cancelled_while_it_waits_for_its_image_says_so(node: Node) -> None:
    node.cancel("cancelled")
    word = node.folder / node_files.CANCELLED
    word.rename(node.root / "word")
    _has_podman(node, "pull", f"/bin/mv {node.root}/word {word}; echo 'no such host' >&2; exit 125")
    assert node.run("podman", uid=7).reason == Reason.CANCELLED


def test_a_node_does_not_try_for_longer_than_a_job_may_wait(node: Node) -> None:
    """Also where pman is away, or cannot see that the job waits."""
    node.has("podman", "echo 'dial tcp: no such host' >&2; exit 1")
    sent = payload.inputs(
        spec(folder=str(node.folder), mounts=()), {}, settings(START_DEADLINE="1")
    )
    lines = f"{sent['pman.order']}\n{sent['pman.environment']}\n"
    node.do("run", text=lines, PMAN_RUNTIME="podman")
    ended = outcome.recorded(str(node.folder))
    assert ended
    assert ended.reason == reasons.START_DEADLINE
    assert "no such host" in ended.message


def test_without_a_table_of_causes_nothing_is_tried_again(node: Node) -> None:
    """The order is that of a pman that is older than the node's scripts."""
    _has_podman(node, "pull", "echo 'dial tcp: no such host' >&2; exit 125")
    sent = payload.inputs(spec(folder=str(node.folder), mounts=()), {}, settings())
    old = decoded(sent["pman.order"])
    del old["causes"]
    lines = f"{encoded(json.dumps(old))}\n{sent['pman.environment']}\n"
    node.do("run", text=lines, PMAN_RUNTIME="podman")
    ended = outcome.recorded(str(node.folder))
    assert ended
    assert ended.reason == reasons.IMAGE_NOT_FOUND
    assert "no such host" in ended.message
