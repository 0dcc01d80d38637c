"""Refuses what the page of another site has a browser send.

A browser on this machine, or in this network, reaches a pman that whoever wrote the page does not.
For any page it sends a POST without a body, and asks pman nothing before that; the header
``Origin`` comes with it (https://fetch.spec.whatwg.org, "CORS-safelisted method" and "append a
request Origin header"). Clients that are no browsers send neither it nor ``Sec-Fetch-Site``.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from pman_core._internal.authentication import is_loopback
from pman_core.contract.access import Client
from pman_core.contract.errors import ForbiddenError

#: These change nothing, and what they answer a browser hides from the page.
_READING = ("GET", "HEAD", "OPTIONS")


def refuse_foreign_page(client: Client, method: str, *, is_local_only: bool) -> None:
    """Let nothing of another site through.

    Browsers add a certificate, or the password of HTTP Basic, by themselves; a page that shows a
    bearer token has it from somebody.

    :param is_local_only: whether pman trusts all of this machine.
    :raises ForbiddenError: the request comes from a page of another site, or may do.
    """
    headers = client.headers
    host = headers.get("host", "")
    if is_local_only and is_loopback(client.address) and host and not _is_local(host):
        # Its name may be made to lead here, and then its pages are of the same site.
        raise ForbiddenError(
            "this pman serves its own machine only, by the names localhost and 127.0.0.1, not by "
            f"{host[:255]!r}; for other names its operator must set up tokens"
        )
    has_bearer = headers.get("authorization", "").lower().startswith("bearer ")
    if method not in _READING and not has_bearer and _is_of_other_site(headers, host):
        raise ForbiddenError(
            "a page of another site may not change anything here; a client that is none sends no "
            "Origin and no Sec-Fetch-Site, or a bearer token"
        )


def _is_of_other_site(headers: Mapping[str, str], host: str) -> bool:
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != host.lower()


def _is_local(host: str) -> bool:
    try:
        name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return False
    return name == "localhost" or name.endswith(".localhost") or is_loopback(name)
