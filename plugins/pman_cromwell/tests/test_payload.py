"""What is sent to Cromwell, and what the nodes make of it."""

import base64
import itertools
import json
import os
import subprocess
from pathlib import Path

import attrs
import pytest
from cromwell_kit import why_missing
from spec_samples import CREATED, NASTY, job, settings, spec

from pman_core.contract.errors import UnsupportedError
from pman_core.contract.info import Reason
from pman_core.contract.job import User
from pman_core.contract.mounts import HostPath, Mount, VolumePath
from pman_core.kit.causes import pull_cause
from pman_core.testing.pytest_plugin import Engines
from pman_cromwell import payload
from pman_cromwell.job_spec import from_inputs, from_json, spec_of, to_json, workflow_id
from pman_cromwell.labels import NAME_LABEL, REMOVED_LABEL, workflow_labels
from pman_cromwell.share.pman_slurm.causes import cause_of
from pman_cromwell.share.pman_slurm.job_spec import decoded
from pman_cromwell.share.pman_slurm.job_spec import spec_of as node_spec


def test_the_same_job_always_has_the_same_workflow() -> None:
    assert spec().workflow == spec().workflow == workflow_id("pman", "chris-jid-1", 0)


def test_another_jid_instance_or_generation_has_another_workflow() -> None:
    ids = {
        workflow_id(*words)
        for words in itertools.product(("pman", "other"), ("1", "2", "0/1"), (0, 1))
    }
    assert len(ids) == 12


def test_a_spec_survives_being_written_down() -> None:
    made = spec(time_limit_s=5, uid=7, workdir="/a b", owner="Ünï @x/y 🧠")
    assert from_json(to_json(made)) == made


@pytest.mark.parametrize("workflow", ["../../etc", "5a3f3a44-7d0c-4f3e-9d1b-6f0c2b9d4e51"])
def test_a_spec_cannot_name_the_workflow_of_another(workflow: str) -> None:
    with pytest.raises(ValueError, match="not its workflow"):
        from_json(to_json(spec(workflow=workflow)))


def test_a_spec_of_a_newer_pman_can_be_read() -> None:
    content = {**json.loads(to_json(spec())), "novelty": [1]}
    assert from_json(json.dumps(content)) == spec()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"jid": 1}', "somebody else's"])
def test_what_is_no_spec_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="not an order"):
        from_json(text)


def test_the_spec_comes_back_from_the_inputs() -> None:
    sent = json.dumps(payload.inputs(spec(), job().env, settings()))
    assert from_inputs(sent) == spec()


def test_inputs_of_somebody_else_are_an_error() -> None:
    with pytest.raises(ValueError, match="not pman's"):
        from_inputs('{"other.order": "1"}')


def test_argv_and_environment_arrive_on_the_node_byte_for_byte() -> None:
    sent = payload.inputs(spec(), job().env, settings())
    arrived = node_spec(decoded(sent["pman.order"]))
    assert tuple(arrived.argv) == ("program", *NASTY)
    assert arrived.mounts[0] == ("/data/in, 'one'", "/share/incoming", True, "/data")
    assert decoded(sent["pman.environment"]) == dict(job().env)


def test_a_spec_of_an_older_pman_can_be_read() -> None:
    content = json.loads(to_json(spec()))
    del content["workdir"], content["owner"]
    assert from_json(json.dumps(content)) == spec()
    assert node_spec(content).workdir is None


def test_a_node_gets_the_working_directory_and_mounts_one_directory_before_another_in_it() -> None:
    mounts = tuple(
        Mount(HostPath(f"/data{target}"), target, read_only=True)
        for target in ("/share/incoming/inner", "/share/incoming", "/data/more")
    )
    made = spec_of(
        job(mounts=mounts, workdir="/work dir", owner="somebody"),
        instance="pman",
        generation=0,
        runs="/r",
        runtime="podman",
        created=CREATED,
    )
    assert (made.workdir, made.owner) == ("/work dir", "somebody")
    arrived = node_spec(decoded(payload.inputs(made, {}, settings())["pman.order"]))
    assert arrived.workdir == "/work dir"
    assert [mount.target for mount in arrived.mounts] == [
        "/data/more",
        "/share/incoming",
        "/share/incoming/inner",
    ]


def test_a_node_gets_the_table_of_causes() -> None:
    arrived = node_spec(decoded(payload.inputs(spec(), {}, settings())["pman.order"]))
    for words in ("manifest unknown", "<html> no such host", "No Such Host", "no space left", "x"):
        cause, row = pull_cause(words), cause_of(arrived.causes, words)
        assert (row.is_final, Reason(row.reason), row.wording) == (
            cause.is_final,
            cause.reason,
            cause.wording,
        )


def test_no_text_of_a_client_is_in_an_input_that_cromwell_or_a_shell_reads() -> None:
    sent = payload.inputs(spec(), job().env, settings())
    for name in ("pman.order", "pman.environment"):
        assert base64.b64decode(sent.pop(name), validate=True)
    assert sent["pman.name"] == "chris-jid-1"
    assert sent["pman.folder"] == spec().folder
    assert {type(value) for value in sent.values()} == {str, int}


def test_the_environment_is_not_in_the_spec() -> None:
    assert "secret" not in to_json(spec())
    assert "secret" not in json.dumps(workflow_labels(spec()))


def test_pmans_own_labels_cannot_be_set_by_a_job() -> None:
    labels = workflow_labels(spec(labels={REMOVED_LABEL: "x", NAME_LABEL: "x"}))
    assert labels[NAME_LABEL] == "chris-jid-1"


def test_a_name_is_ascii_whatever_the_jid() -> None:
    assert spec(jid="ünï 🧠 'x'").name.isascii()


@pytest.mark.parametrize(
    ("runtime", "workers", "memory", "per_cpu"),
    [("none", 1, 1000, 0), ("podman", 1, 1128, 0), ("none", 2, 0, 500), ("podman", 3, 0, 564)],
)
def test_memory_is_counted_as_slurm_does(
    runtime: str, workers: int, memory: int, per_cpu: int
) -> None:
    sent = payload.inputs(spec(runtime, workers=workers), {}, settings())
    assert (sent["pman.memory_mib"], sent["pman.memory_per_cpu_mib"]) == (memory, per_cpu)
    assert (sent["pman.cpus"], sent["pman.workers"]) == (2, workers)


def test_what_is_not_asked_for_is_zero() -> None:
    free = spec(cpu_millicores=None, memory_mib=None)
    sent = payload.inputs(free, {}, settings())
    zeros = ("cpus", "memory_mib", "memory_per_cpu_mib", "gpus", "minutes")
    assert [sent[f"pman.{name}"] for name in zeros] == [0] * len(zeros)
    assert sent["pman.partition"] == sent["pman.account"] == ""


@pytest.mark.parametrize(("seconds", "minutes"), [(1, 11), (60, 11), (61, 12), (None, 0)])
def test_slurms_time_limit_is_in_minutes_and_leaves_time_to_fetch_an_image(
    seconds: int | None, minutes: int
) -> None:
    sent = payload.inputs(spec(time_limit_s=seconds), {}, settings())
    assert sent["pman.minutes"] == minutes


def test_partition_and_account_are_the_sites() -> None:
    sent = payload.inputs(spec(), {}, settings(SLURM_PARTITION="gpu,big", SLURM_ACCOUNT="lab-7"))
    assert (sent["pman.partition"], sent["pman.account"]) == ("gpu,big", "lab-7")


def test_call_caching_is_off_both_ways() -> None:
    assert payload.OPTIONS == {"read_from_cache": False, "write_to_cache": False}


def test_a_volume_is_no_directory_of_a_node() -> None:
    mount = Mount(VolumePath("volume", "x"), "/share/incoming", read_only=True)
    with pytest.raises(UnsupportedError, match="VolumePath"):
        spec_of(
            job(mounts=(mount,)),
            instance="pman",
            generation=0,
            runs="/r",
            runtime="none",
            created=CREATED,
        )


def test_the_document_never_has_the_attribute_docker() -> None:
    lines = [line.strip() for line in payload.document().splitlines()]
    assert not [line for line in lines if line.startswith(("docker:", "container:"))]


_CHECK = """
import json, sys
import WDL
document = WDL.load(sys.argv[1])
for line in sys.stdin:
    given = WDL.values_from_json(
        json.loads(line),
        document.workflow.available_inputs,
        document.workflow.required_inputs,
        namespace="pman",
    )
    task = document.tasks[0]
    library = WDL.StdLib.Base(document.effective_wdl_version)
    environment = WDL.Env.Bindings()
    for binding in given:
        environment = environment.bind(binding.name, binding.value)
    command = "".join(
        part if isinstance(part, str) else part.eval(environment, library).value
        for part in task.command.parts
    )
    print(json.dumps(command))
"""


def test_every_document_and_inputs_file_is_accepted_by_miniwdl(
    engines: Engines, tmp_path: Path
) -> None:
    """By its checker, and by what reads inputs; the command is what the node gets."""
    engines.need("cromwell", why_missing())
    document = tmp_path / "pman.wdl"
    document.write_text(payload.document())
    kinds = [
        spec(runtime, workers=workers, gpus=gpus, **limits)
        for runtime in ("podman", "apptainer", "none")
        for workers, gpus in ((1, 0), (4, 1))
        for limits in ({}, {"memory_mib": None, "cpu_millicores": None}, {"time_limit_s": 61})
    ]
    sent = [payload.inputs(made, job().env, settings(SLURM_PARTITION="p")) for made in kinds]
    python = os.environ["PMAN_CROMWELL_PYTHON"]
    miniwdl = [python, "-m", "WDL", "check", "--suppress", "UnknownRuntimeKey", "--strict"]
    subprocess.run([*miniwdl, str(document)], check=True, timeout=120)
    commands = subprocess.run(
        [python, "-c", _CHECK, str(document)],
        input="\n".join(json.dumps(one) for one in sent),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout.splitlines()
    assert len(commands) == len(sent)
    for line, one in zip(commands, sent, strict=True):
        words = json.loads(line).strip().splitlines()
        assert [word.strip() for word in words[1:]] == [
            one["pman.order"],
            one["pman.environment"],
            "PMAN",
        ]


def test_a_user_is_in_the_spec() -> None:
    made = spec_of(
        job(user=User(uid=1, gid=2)),
        instance="pman",
        generation=0,
        runs="/r",
        runtime="podman",
        created=CREATED,
    )
    assert (made.uid, made.gid) == (1, 2)
    assert attrs.asdict(made)["created"] == CREATED
