"""Jobs and specs that tests share."""

from datetime import UTC, datetime

import attrs

from pman_core import HostPath, Job
from pman_core.contract.job import Resources
from pman_core.contract.mounts import Mount
from pman_core.kit.settings import load
from pman_cromwell.job_spec import JobSpec, spec_of
from pman_cromwell.settings import CromwellSettings

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

#: What WDL, shells, JSON and CSV would change.
NASTY = (
    "",
    "~{x} ${y} }}}",
    ">>> PMAN\nPMAN",
    "SCRIPT_EPILOGUE",
    "'\"\\ $(id) `id`",
    "ü ☃ 🧠",
    "\x01",
)


def settings(**variables: str) -> CromwellSettings:
    return load(CromwellSettings, {"CROMWELL_URL": "http://cromwell:8000", **variables})


def job(**changes: object) -> Job:
    made = Job(
        jid="chris-jid-1",
        image="fnndsc/pl-simpledsapp:2.1.0",
        argv=("program", *NASTY),
        env={"TOKEN": "secret", **{f"NASTY_{n}": value for n, value in enumerate(NASTY)}},
        resources=Resources(workers=1, cpu_millicores=1500, memory_mib=1000, gpus=0),
        mounts=(
            Mount(HostPath("/data/in, 'one'", within="/data"), "/share/incoming", read_only=True),
            Mount(HostPath("/data/out", within="/data"), "/share/outgoing", read_only=False),
        ),
        labels={"org.example.role": "test"},
        fingerprint="v1-abc",
    )
    return attrs.evolve(made, **changes)  # type: ignore[arg-type]


def spec(runtime: str = "podman", **changes: object) -> JobSpec:
    made = spec_of(
        job(),
        instance="pman",
        generation=0,
        runs="/data/.pman/pman/runs",
        runtime=runtime,
        created=CREATED,
    )
    return attrs.evolve(made, **changes)  # type: ignore[arg-type]
