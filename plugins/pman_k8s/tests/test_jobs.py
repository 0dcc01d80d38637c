"""What a real cluster does with jobs beyond the conformance class."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from k8s_cluster import MISSING_IMAGE, OTHER_NAMESPACE, STOREBASE, admin, applied, until
from k8s_kit import K8sKit, kit_on
from k8s_subjects import claim_of_tests

from pman_core import HostPath, JobFilter, Mount, Reason, Status, User
from pman_core.contract.errors import EngineUnavailableError, InvalidJobError, UnknownJobError
from pman_core.contract.storage import host_storage, nfs_storage
from pman_k8s.errors import NotFoundError, RefusedError
from pman_k8s.status.job import is_being_deleted

pytestmark = pytest.mark.timeout(600)


def test_a_job_finds_no_token_and_no_service(kit: K8sKit) -> None:
    script = "ls /var/run/secrets/kubernetes.io 2>&1; env | grep _SERVICE_HOST="
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": kit.instance},
        "spec": {"ports": [{"port": 80}]},
    }
    pman = kit.pman()
    with applied(service):
        info = kit.run(pman, kit.shell(script))
    told, *services = pman.pman_logs(info, 100, 10000).decode().splitlines()
    assert "No such file" in told
    # Every pod knows the API server's own service.
    assert [line.partition("=")[0] for line in services] == ["KUBERNETES_SERVICE_HOST"]


def test_a_job_of_another_user_has_no_capabilities(kit: K8sKit) -> None:
    pman = kit.pman()
    words = "grep -E 'CapEff|NoNewPrivs' /proc/self/status; id -u; id -g"
    info = kit.run(pman, kit.shell(words, user=User(uid=1001, gid=1002)))
    lines = pman.pman_logs(info, 100, 10000).decode().split()
    assert lines == ["CapEff:", "0000000000000000", "NoNewPrivs:", "1", "1001", "1002"]


def test_a_root_job_can_write_a_folder_of_somebody_else(kit: K8sKit) -> None:
    place = kit.place()
    place.path("").chmod(0o755)
    os.chown(place.path(""), 1001, 1001)
    info = kit.run(kit.pman(), kit.shell("echo made > /share/outgoing/made", place))
    assert info.status is Status.SUCCEEDED, info
    assert place.path("made").read_text() == "made\n"


def test_where_links_are_followed_a_missing_host_directory_is_reported_and_not_made(
    kit: K8sKit,
) -> None:
    place = kit.place()
    missing = place.folder / "no-such-input"
    mounts = (Mount(HostPath(str(missing)), "/share/incoming", True),)
    info = kit.run(kit.pman(), kit.shell("true", place, mounts=mounts))
    assert (info.status, info.reason) == (Status.FAILED, Reason.CANNOT_START), info
    assert "no-such-input" in info.message
    assert not missing.exists()


def test_where_links_are_followed_host_directories_are_mounted(kit: K8sKit) -> None:
    place = kit.place()
    mounts = (
        Mount(HostPath(str(place.folder / "in")), "/share/incoming", True),
        Mount(HostPath(str(place.folder / "out")), "/share/outgoing", False),
    )
    script = "echo x > /share/outgoing/made; echo x > /share/incoming/made"
    info = kit.run(kit.pman(), kit.shell(script, place, mounts=mounts))
    assert (info.status, info.reason) == (Status.FAILED, Reason.EXIT_CODE)
    assert place.path("made").exists()
    assert not (place.folder / "in" / "made").exists()


def test_a_storebase_that_is_itself_a_link_is_mounted(kit: K8sKit) -> None:
    """Nodes may have it in another place: only what is below it must be free of links."""
    place = kit.place()
    link = STOREBASE.with_name(kit.instance)
    link.symlink_to(STOREBASE)
    try:
        name = place.folder.name
        mounts = host_storage(str(link)).mounts(f"{name}/in", f"{name}/out")
        info = kit.run(kit.pman(), kit.shell("echo x > /share/outgoing/made", mounts=mounts))
    finally:
        link.unlink()
    assert info.status is Status.SUCCEEDED, info
    assert place.path("made").exists()


@contextlib.contextmanager
def quota(name: str, hard: str, forbidden: dict[str, Any]) -> Iterator[None]:
    """A quota of nothing, from when the server refuses what is forbidden."""
    spec = {"hard": {hard: "0"}}
    api = admin()
    path = f"/{forbidden['path']}/namespaces/{api.namespace}/{forbidden['kind'].lower()}s"
    body = {"metadata": {"name": name}, "kind": forbidden["kind"], "spec": forbidden["spec"]}

    def is_refused() -> bool:
        try:
            api.ask("POST", path, body, query={"dryRun": "All"})
        except RefusedError as refused:
            return "exceeded quota" in str(refused)
        return False

    made = {"kind": "ResourceQuota", "apiVersion": "v1", "metadata": {"name": name}, "spec": spec}
    with applied(made):
        until(is_refused, bool)
        yield


POD = {
    "restartPolicy": "Never",
    "containers": [{"name": "c", "image": "i", "resources": {"limits": {"memory": "64Mi"}}}],
}


def test_a_used_up_quota_is_waited_for_and_said(kit: K8sKit) -> None:
    pman = kit.pman(START_DEADLINE="600")
    place = kit.place()
    job = kit.hold(place)
    forbidden = {"path": "api/v1", "kind": "Pod", "spec": POD}
    with quota(kit.instance, "limits.memory", forbidden):
        pman.pman_submit(job)
        info = until(lambda: pman.pman_status(job.jid), lambda info: "quota" in info.message)
        assert (info.status, info.reason) == (Status.NOT_STARTED, Reason.QUEUED)
        assert kit.instance in info.message
        late = kit.pman(START_DEADLINE="1")
        other = kit.hold(kit.place())
        late.pman_submit(other)
        end = kit.end_of(late, other.jid)
        assert (end.status, end.reason) == (Status.FAILED, Reason.START_DEADLINE)
    until(place.runs, bool)
    place.path("release").touch()
    assert kit.end_of(pman, job.jid).status is Status.SUCCEEDED


def test_a_quota_for_jobs_that_is_used_up_is_503(kit: K8sKit) -> None:
    forbidden = {"path": "apis/batch/v1", "kind": "Job", "spec": {"template": {"spec": POD}}}
    with (
        quota(kit.instance, "count/jobs.batch", forbidden),
        pytest.raises(EngineUnavailableError, match="exceeded quota"),
    ):
        kit.pman().pman_submit(kit.shell("true"))


def test_fields_that_the_server_refuses_are_named(kit: K8sKit) -> None:
    with pytest.raises(InvalidJobError, match=r"env.*name"):
        kit.pman().pman_submit(kit.shell("true", env={"ünï": "secret-value"}))


def test_logs_say_why_there_are_none(kit: K8sKit) -> None:
    pman = kit.pman(START_DEADLINE="600")
    job = kit.shell("true", image=MISSING_IMAGE)
    pman.pman_submit(job)
    info = until(lambda: pman.pman_status(job.jid), lambda info: MISSING_IMAGE in info.message)
    assert info.reason is Reason.PULLING
    assert b"(waiting: " in pman.pman_logs(info, 100, 10000)
    late = kit.pman(START_DEADLINE="1")
    end = kit.end_of(late, job.jid)
    assert end.reason is Reason.START_DEADLINE
    assert MISSING_IMAGE.encode() in pman.pman_logs(end, 100, 10000)
    until(kit.pods, lambda pods: not pods)  # the cluster has stopped it


def test_a_log_that_went_with_its_pod_says_so(kit: K8sKit) -> None:
    pman = kit.pman()
    job = kit.shell("echo words")
    info = kit.run(pman, job)
    assert pman.pman_logs(info, 100, 10000) == b"words\n"
    for pod in kit.pods(job.jid):
        admin().delete_pod(pod["metadata"]["name"], 0)
    assert kit.pman().pman_status(job.jid) == info
    assert b"gone with its pod" in pman.pman_logs(info, 100, 10000)


def test_the_end_of_a_failed_job_stays_without_its_pods(kit: K8sKit) -> None:
    pman = kit.pman()
    info = kit.run(pman, kit.shell("exit 3"))
    for pod in kit.pods(info.jid):
        admin().delete_pod(pod["metadata"]["name"], 0)
    until(lambda: kit.pods(info.jid), lambda pods: not pods)
    assert kit.pman().pman_status(info.jid) == info
    assert info.exit_code == 3


def test_two_namespaces_do_not_see_each_others_jobs(kit: K8sKit, tmp_path: Path) -> None:
    with kit_on(tmp_path, OTHER_NAMESPACE) as other:
        theirs = other.pman(INSTANCE=kit.instance)
        job = kit.shell("exit 1")
        pman = kit.pman()
        pman.pman_submit(job)
        with pytest.raises(UnknownJobError):
            theirs.pman_status(job.jid)
        theirs.pman_submit(attrs.evolve(job, argv=("/bin/sh", "-c", "exit 2")))
        assert other.end_of(theirs, job.jid).exit_code == 2
        assert kit.end_of(pman, job.jid).exit_code == 1
        assert theirs.pman_remove(job.jid)
        assert theirs.pman_list(JobFilter(), 10, None).jobs == ()
        assert pman.pman_status(job.jid).exit_code == 1


def test_what_the_site_says_of_every_job_is_in_force(kit: K8sKit) -> None:
    """And the cluster cleans up what pman ended, as it does what ended by itself."""
    name = kit.instance
    needed: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Secret"},
        {"apiVersion": "v1", "kind": "ServiceAccount"},
        {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 7},
    ]
    pman = kit.pman(
        NODE_SELECTOR="kubernetes.io/os=linux",
        TOLERATIONS="pman-test/lost=yes:NoExecute",
        IMAGE_PULL_SECRETS=name,
        SERVICE_ACCOUNT=name,
        PRIORITY_CLASS=name,
        JOB_TTL="1",
        START_DEADLINE="1",
    )
    with contextlib.ExitStack() as site:
        for one in needed:
            site.enter_context(applied({**one, "metadata": {"name": name}}))
        place = kit.place()
        running = kit.hold(place)
        pman.pman_submit(running)
        waiting = kit.shell("true", image=MISSING_IMAGE)
        pman.pman_submit(waiting)
        until(place.runs, bool)
        (pod,) = kit.pods(running.jid)
        assert pod["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
        assert "pman-test/lost" in [one["key"] for one in pod["spec"]["tolerations"]]
        assert pod["spec"]["imagePullSecrets"] == [{"name": name}]
        assert pod["spec"]["serviceAccountName"] == name
        assert pod["spec"]["priority"] == 7
        end = kit.end_of(pman, waiting.jid)
        assert end.reason is Reason.START_DEADLINE
        place.path("release").touch()
        # The cluster takes its time for the pods, and keeps the Jobs until they are gone.
        kept = [kit.name(job.jid) for job in (waiting, running)]
        until(lambda: [name for name in kept if stays(name)], lambda left: not left)


def stays(name: str) -> bool:
    """Whether a Job is there and not being deleted."""
    try:
        return not is_being_deleted(admin().job(name).body)
    except NotFoundError:
        return False


def test_a_time_limit_leaves_its_words(kit: K8sKit) -> None:
    place = kit.place()
    info = kit.run(kit.pman(), kit.hold(place, time_limit_s=2))
    assert (info.reason, info.status) == (Reason.TIME_LIMIT, Status.FAILED)
    assert "2 s" in info.message


def test_a_job_that_is_scaled_away_by_hand_is_lost(kit: K8sKit) -> None:
    place = kit.place()
    pman = kit.pman()
    job = kit.hold(place)
    kit.start(pman, job, place)
    admin().patch(kit.name(job.jid), {"spec": {"parallelism": 0}})
    info = kit.end_of(pman, job.jid)
    assert info.reason is Reason.LOST, info
    assert place.runs() == 1


def test_a_server_of_nfs_that_is_not_there_is_waited_for(kit: K8sKit) -> None:
    mounts = nfs_storage("127.0.0.1", "/no-such-export").mounts("a/in", "a/out")
    pman = kit.pman(START_DEADLINE="600")
    job = kit.shell("true", mounts=mounts)
    pman.pman_submit(job)
    info = until(lambda: pman.pman_status(job.jid), lambda info: "FailedMount" in info.message)
    assert (info.status, info.reason) == (Status.NOT_STARTED, None)


def test_the_storage_finds_its_claim(kit: K8sKit) -> None:
    storage = kit.pman().pman_resolve_storage("kubernetes_pvc")
    assert storage
    storage.check()
    assert storage.mounts("a/in", "a/out") == claim_of_tests().mounts("a/in", "a/out")
    missing = kit.pman(VOLUME_NAME="no-such-claim").pman_resolve_storage("kubernetes_pvc")
    assert missing
    with pytest.raises(EngineUnavailableError, match="no-such-claim"):
        missing.check()
