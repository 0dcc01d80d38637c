"""Where Kubernetes and OpenShift differ."""

from __future__ import annotations

import attrs


@attrs.frozen
class Platform:
    """One of the two.

    :param name: the value of ``CONTAINER_ENV``.
    :param gives_users: whether the cluster gives a user to a pod that names none: OpenShift's
        constraint restricted-v2 does, and allows no root.
    """

    name: str
    gives_users: bool


KUBERNETES = Platform("kubernetes", gives_users=False)
OPENSHIFT = Platform("openshift", gives_users=True)
