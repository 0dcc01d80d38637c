"""A job that unit tests change."""

from pman_core import ClaimPath, Job, Mount, Resources

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
