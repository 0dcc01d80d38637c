"""A job that unit tests change, and what all cancelled jobs have in common."""

from pman_core import ClaimPath, Job, JobInfo, Mount, Reason, Resources, Status

CLAIMS = (
    Mount(ClaimPath("storebase", "a b/in"), "/share/incoming", True),
    Mount(ClaimPath("storebase", "a b/out"), "/share/outgoing", False),
)
BASE = Job(
    jid="Some Job ☃",
    image="some/image:1",
    argv=("program", "", "$HOME"),
    env={"TOKEN": "se$cret"},
    resources=Resources(memory_mib=64),
    mounts=CLAIMS,
    fingerprint="v1-abc",
)


def assert_cancelled(info: JobInfo) -> None:
    assert (info.status, info.reason) == (Status.FAILED, Reason.CANCELLED), info
    assert (info.message, info.exit_code) == ("cancelled", None), info
