"""What looks like a Go template arrives as it is: in a model, and on a real swarm."""

import json

import attrs
import pytest
from swarm_escaping import BRACES, TemplateError, expanded
from swarm_kit import SwarmKit

from pman_core import Status
from pman_swarm.escaping import escaped


@pytest.mark.parametrize("text", BRACES)
def test_what_is_escaped_expands_to_itself(text: str) -> None:
    assert expanded(escaped(text)) == text


def test_the_model_knows_a_template() -> None:
    with pytest.raises(TemplateError):
        expanded("{{.Node.ID}}")


def test_what_holds_no_braces_stays_as_it_is() -> None:
    assert escaped("$HOME {} { %s }}") == "$HOME {} { %s }}"


def test_no_template_is_expanded_in_the_environment(harness: SwarmKit) -> None:
    env = {f"NASTY_{index}": text for index, text in enumerate(BRACES)}
    env |= {"{{.Node.ID}}": "in a name", "{": "{.Node.ID}}", "LAST": "{"}
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    info = harness.run(harness.job("python3", "-c", script, env=env))
    assert info.status is Status.SUCCEEDED, info
    seen = json.loads(harness.log(info))
    assert {key: seen.get(key) for key in env} == env


def test_no_template_is_expanded_where_a_directory_is_seen(harness: SwarmKit) -> None:
    place = harness.place()
    (place / "in" / "given").write_text("words")
    folder = place.relative_to(harness.folder)
    mount = harness.storage.mount(f"{folder}/in", "/data/{{.Node.ID}} {{", read_only=True)
    job = harness.shell("cat '/data/{{.Node.ID}} {{/given'", place)
    info = harness.run(attrs.evolve(job, mounts=(*job.mounts, mount)))
    assert harness.log(info) == b"words"


def test_no_template_is_expanded_in_a_directory(harness: SwarmKit) -> None:
    name = "{{.Node.ID}} {{{.Task.Slot}}"
    for part in ("in", "out"):
        (harness.folder / name / part).mkdir(parents=True)
    (harness.folder / name / "in" / "given").write_text("words")
    job = harness.shell("cat /share/incoming/given > /share/outgoing/made")
    job = attrs.evolve(job, mounts=harness.storage.mounts(f"{name}/in", f"{name}/out"))
    info = harness.run(job)
    assert info.status is Status.SUCCEEDED, info
    assert (harness.folder / name / "out" / "made").read_text() == "words"
