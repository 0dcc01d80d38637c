"""Keeps the tests that need no engine and take no time, as a plugin of pytest: ``-p quick``."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

#: What is left out although it needs no engine, by patterns of its path: it starts processes,
#: waits, or has very many cases.
SLOW = (
    "pman_core/tests/test_access_junk.py",
    "pman_core/tests/test_access_server.py",
    "pman_core/tests/test_cli_access.py",
    "pman_core/tests/test_cli_jobs.py",
    "pman_core/tests/test_engine_http.py",
    "pman_core/tests/test_masking.py",
    "pman_core/tests/test_memory_conformance.py",
    "pman_core/tests/test_openapi_agrees.py",
    "pman_core/tests/test_rest_body.py",
    "pman_core/tests/test_rest_retry.py",
    "pman_core/tests/test_rest_secrets.py",
    "pman_core/tests/test_server.py",
    "pman_core/tests/test_surface.py",
    "pman_core/tests/test_tls.py",
    "plugins/pman/tests/*",
    "plugins/pman_cromwell/tests/test_node_faults.py",
    "plugins/pman_cromwell/tests/test_retries.py",
    "plugins/pman_cromwell/tests/test_pulls.py",
    "plugins/pman_cromwell/tests/test_submit.py",
    "plugins/pman_cromwell/tests/test_workdir.py",
    "plugins/pman_docker/tests/test_cancel.py",
    "plugins/pman_docker/tests/test_client.py",
    "plugins/pman_docker/tests/test_transient_causes.py",
    "plugins/pman_docker/tests/test_socket_access.py",
    "plugins/pman_k8s/tests/test_answers.py",
    "plugins/pman_k8s/tests/test_cancel.py",
    "plugins/pman_k8s/tests/test_credential_files.py",
    "plugins/pman_k8s/tests/test_removal.py",
    "plugins/pman_kit/tests/*",
    "plugins/pman_process/tests/*",
    "plugins/pman_swarm/tests/test_cancel.py",
    "tests/test_demo.py",
    "tests/test_docs.py",
    "tests/test_feed.py",
    "tests/test_kills.py",
    "tests/test_many_clients.py",
    "tests/test_migration.py",
    "tests/test_pman6_sites.py",
    "tests/test_secrets.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the rest out."""
    kept = [item for item in items if _is_quick(item)]
    config.hook.pytest_deselected(items=[item for item in items if not _is_quick(item)])
    items[:] = kept


def _is_quick(item: pytest.Item) -> bool:
    path = item.path.relative_to(item.config.rootpath).as_posix()
    needs_engine = "engines" in getattr(item, "fixturenames", ())
    return not needs_engine and not any(fnmatch(path, pattern) for pattern in SLOW)
