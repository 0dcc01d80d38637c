"""How pman reaches the API server: what the library reads, and again when its files change.

The library's code for kubeconfigs, service accounts and tokens is used. Its generated API classes
are not: they put every body into models of one version of Kubernetes, and refuse fields that this
version does not know (seen with 37.0.2).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, load_kube_config
from kubernetes.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_HOST_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)
from kubernetes.config.kube_config import KubeConfigMerger

from pman_core.contract.errors import SettingsError
from pman_k8s import credential_files
from pman_k8s.settings import K8sSettings
from pman_k8s.transport import Transport, transport

#: Identifies the content of a file; ``None`` if it is not there.
_Stamp = tuple[int, int, int] | None


@attrs.frozen
class _Made:
    """A client, and the files that it was made of, as they were then."""

    client: Transport
    stamps: Mapping[str, _Stamp]


class Connection:
    """Makes the client when it is first needed.

    :raises SettingsError: nothing says where the cluster is.
    """

    def __init__(self, settings: K8sSettings, environ: Mapping[str, str]) -> None:
        self._files = settings.config_files
        self._environ = dict(environ)
        self._made: _Made | None = None
        if not self._files and SERVICE_HOST_ENV_NAME not in environ:
            usual = Path(environ.get("HOME") or "~").expanduser() / ".kube" / "config"
            if not usual.is_file():
                raise SettingsError(
                    ["there is no cluster: set KUBECONFIG, or run pman in a pod of the cluster"]
                )
            self._files = (str(usual),)

    @property
    def address(self) -> str:
        """Where the API server is, as far as that is known; for messages."""
        made = self._made  # another thread may set it to None
        return made.client.configuration.host if made else "(see the kubeconfig)"

    def client(self) -> Transport:
        """The client; a new one where a token, a certificate or the kubeconfig has changed.

        Several threads may make one at once; the last one stays.
        """
        made = self._made
        if made is None or any(_stamp(path) != seen for path, seen in made.stamps.items()):
            made = self._made = self._make()
        return made.client

    def forget(self) -> None:
        """Make a new client next time: the server no longer accepts this one."""
        self._made = None

    def _make(self) -> _Made:
        configuration = Configuration()
        proxy_url = None
        if self._files:
            proxy_url = self._load_kubeconfig(configuration)
            # A token file that a kubeconfig names is not among these: it is read again when the
            # server no longer accepts its token.
            read = set(self._files)
        else:
            self._load_account(configuration)
            read = {SERVICE_TOKEN_FILENAME}
        files = (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)
        read.update(path for path in files if path)
        client = transport(configuration, proxy_url)
        return _Made(client, {path: _stamp(path) for path in read})

    def _load_kubeconfig(self, configuration: Configuration) -> str | None:
        """Fill a configuration from the kubeconfig, and return the proxy that it names."""
        files = os.pathsep.join(self._files)
        try:
            load_kube_config(  # type: ignore[no-untyped-call]
                config_file=files,
                client_configuration=configuration,
                persist_config=False,
                temp_file_path=credential_files.folder(),
            )
            proxy_url = _proxy_url(files)
        except Exception as error:  # a malformed file may raise anything
            raise ConfigException(str(error) or type(error).__name__) from error
        if "@" in configuration.host:
            raise ConfigException(
                "the address of its server holds a user or a password, which no client sends "
                "to an API server: remove it"
            )
        return proxy_url

    def _load_account(self, configuration: Configuration) -> None:
        """Fill a configuration from the service account of the pod that pman runs in."""
        loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]
            token_filename=SERVICE_TOKEN_FILENAME,
            cert_filename=SERVICE_CERT_FILENAME,
            environ=self._environ,
        )
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]


def _proxy_url(files: str) -> str | None:
    """The ``proxy-url`` of the current context's cluster, which the library reads since 37 only."""
    config: Any = KubeConfigMerger(files).config  # type: ignore[no-untyped-call]
    context = config["contexts"].get_with_name(config["current-context"])["context"]
    cluster = config["clusters"].get_with_name(context["cluster"])["cluster"]
    found = cluster.safe_get("proxy-url")
    return str(found) if found else None


def _stamp(path: str) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
