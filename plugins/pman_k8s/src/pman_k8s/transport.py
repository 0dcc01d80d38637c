"""HTTP to the API server, as a configuration of the library says: TLS, credentials, proxy.

Of the library only the configuration is used: what sends its requests has changed with its majors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from urllib.request import getproxies

import attrs
import urllib3
from kubernetes.client import Configuration
from kubernetes.config import ConfigException
from requests.utils import select_proxy, should_bypass_proxies
from urllib3.response import BaseHTTPResponse

from pman_core.kit.deadline import left
from pman_core.kit.engine_http import bound_pool

JSON = "application/json"

#: Nothing is sent twice, nor to another address: the core repeats a submission, and pman's client
#: any other request.
_RETRIES = urllib3.Retry(0, read=False, redirect=0)


@attrs.frozen
class Transport:
    """Sends requests; its connections are kept for the next one.

    :param configuration: where the server is, and the credentials.
    """

    configuration: Configuration
    _pools: urllib3.PoolManager

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: object | None,
        kind: str,
        timeout_s: float,
    ) -> BaseHTTPResponse:
        """The answer, whatever its code; its body is still to be read.

        :param body: is sent as JSON.
        :param kind: the media type of the body.
        :param timeout_s: for the whole answer; it takes no longer than the request has left either.
        """
        url = f"{self.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        return self._pools.urlopen(
            method,
            url,
            body=None if body is None else json.dumps(body).encode(),
            headers=self._headers() | ({} if body is None else {"Content-Type": kind}),
            timeout=urllib3.Timeout(total=left(timeout_s)),
            retries=_RETRIES,  # of a pool those for redirections are ignored before urllib3 2.5
            preload_content=False,
        )

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "*/*", "User-Agent": "pman"}
        # The library reads a token, or runs its program, again here when it has expired.
        token = self.configuration.auth_settings().get("BearerToken")
        if token and token["value"]:
            headers[token["key"]] = token["value"]
        return headers


def transport(configuration: Configuration, proxy_url: str | None) -> Transport:
    """What sends to the server of a configuration.

    :param proxy_url: the proxy that the kubeconfig names.
    """
    options: dict[str, Any] = {
        "cert_reqs": "CERT_REQUIRED" if configuration.verify_ssl else "CERT_NONE",
        "ca_certs": configuration.ssl_ca_cert,  # None: the authorities that the system trusts
        "cert_file": configuration.cert_file,
        "key_file": configuration.key_file,
        "maxsize": configuration.connection_pool_maxsize,
    }
    if configuration.tls_server_name:
        options["server_hostname"] = configuration.tls_server_name
    pools = _pools(proxy_of(configuration.host, proxy_url), options)
    bound_pool(pools.connection_from_url(configuration.host))
    return Transport(configuration, pools)


def proxy_of(host: str, proxy_url: str | None) -> str | None:
    """The proxy for a server: the kubeconfig's, else the environment's; ``NO_PROXY`` is for both.

    The library's own choice is not used: before 37 it ignores ``proxy-url``; before 34 it reads no
    variables, and until 36 it takes ``HTTP_PROXY`` for https too.
    """
    urllib3.util.parse_url(host)  # raises what the errors know, for what is malformed
    if should_bypass_proxies(host, no_proxy=None):
        return None
    return proxy_url or select_proxy(host, getproxies())


def _pools(proxy: str | None, options: dict[str, Any]) -> urllib3.PoolManager:
    if proxy is None:
        return urllib3.PoolManager(**options)
    if not proxy.lower().startswith("socks"):
        return urllib3.ProxyManager(proxy, **options)
    try:
        from urllib3.contrib.socks import SOCKSProxyManager
    except ImportError as error:
        raise ConfigException("a SOCKS proxy needs PySocks: pip install PySocks") from error
    return SOCKSProxyManager(proxy, **options)
