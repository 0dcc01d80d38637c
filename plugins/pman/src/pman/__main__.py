"""``python -m pman``: alone it serves on every network, as it did in pman 6."""

from __future__ import annotations

import sys

from pman_core.cli import main

#: The port is that of ``PORT``, or 5010, as it was.
SERVE = ("serve", "--host", "0.0.0.0")  # noqa: S104 - as pman 6, in containers

if __name__ == "__main__":
    arguments = sys.argv[1:]
    if not arguments:
        sys.stderr.write(f"python -m pman is now: pman {' '.join(SERVE)}\n")
    main(arguments or SERVE)
