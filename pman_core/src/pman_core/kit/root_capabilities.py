"""The capabilities of Linux that a job keeps which runs as root in a container."""

from __future__ import annotations

#: It must write folders that pfcon owns, and may become another user. All others are dropped.
ROOT_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETUID", "SETGID")
