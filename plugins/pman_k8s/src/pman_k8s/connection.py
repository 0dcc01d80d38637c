"""How pman reaches the API server: the library's client, made again when its files change.

The library's code for kubeconfigs, service accounts, tokens and TLS is used. Its generated API
classes are not: they put every body into models of one version of Kubernetes, refuse fields that
this version does not know, and take seconds to import (seen with 37.0.2).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import attrs
import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException, load_kube_config
from kubernetes.config.incluster_config import (
    SERVICE_CERT_FILENAME,
    SERVICE_HOST_ENV_NAME,
    SERVICE_TOKEN_FILENAME,
    InClusterConfigLoader,
)

from pman_core.contract.errors import SettingsError
from pman_core.kit.engine_http import bound_pool
from pman_k8s import credential_files
from pman_k8s.settings import K8sSettings

#: Identifies the content of a file; ``None`` if it is not there.
_Stamp = tuple[int, int, int] | None


@attrs.frozen
class _Made:
    """A client, and the files that it was made of, as they were then."""

    client: ApiClient
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

    def client(self) -> ApiClient:
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
        read = self._load(configuration)
        files = (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)
        read.update(path for path in files if path)
        # The core repeats a submission; any other request is repeated by pman's client.
        configuration.retries = urllib3.Retry(0, read=False, redirect=0)
        client = ApiClient(configuration)
        bound_pool(client.rest_client.pool_manager.connection_from_url(configuration.host))
        return _Made(client, {path: _stamp(path) for path in read})

    def _load(self, configuration: Configuration) -> set[str]:
        """Fill a configuration, and return the files that it was read from.

        A token file that a kubeconfig names is not among them: it is read again when the server
        no longer accepts its token.
        """
        if self._files:
            try:
                load_kube_config(  # type: ignore[no-untyped-call]
                    config_file=os.pathsep.join(self._files),
                    client_configuration=configuration,
                    persist_config=False,
                    temp_file_path=credential_files.folder(),
                )
            except Exception as error:  # a malformed file may raise anything
                raise ConfigException(str(error) or type(error).__name__) from error
            if "@" in configuration.host:
                raise ConfigException(
                    "the address of its server holds a user or a password, which no client sends "
                    "to an API server: remove it"
                )
            return set(self._files)
        loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]
            token_filename=SERVICE_TOKEN_FILENAME,
            cert_filename=SERVICE_CERT_FILENAME,
            environ=self._environ,
        )
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        return {SERVICE_TOKEN_FILENAME}


def _stamp(path: str) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
