"""Runs the server: ``python -m cromwell_standin --config FILE --state FOLDER``."""

from __future__ import annotations

import argparse
import fcntl
import logging
import sys
from dataclasses import replace
from pathlib import Path

from cromwell_standin import VERSION, config
from cromwell_standin.api import Api
from cromwell_standin.engine import Engine
from cromwell_standin.errors import ConfigError
from cromwell_standin.store import Store
from cromwell_standin.times import FAST, REAL
from cromwell_standin.web import Server

_TIMES = {
    "summary": "seconds between two refreshes of the metadata summary",
    "pick-up": "seconds between two looks for new workflows",
    "token": "seconds that a call waits before it may run",
    "poll-first": "seconds until the first look for a return code",
    "poll-last": "seconds between two such looks at most",
    "exit-code-timeout": "in the place of exit-code-timeout-seconds of the configuration file",
    "archive-after": "seconds after a workflow's end until its metadata is archived; else never",
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cromwell_standin", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="a Cromwell configuration file")
    parser.add_argument(
        "--state", type=Path, required=True, help="where the server keeps its state"
    )
    parser.add_argument("--root", type=Path, help="in the place of the backend's root")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0: any that is free")
    parser.add_argument(
        "--times", choices=("real", "fast"), default="real", help="Cromwell's, or short ones"
    )
    for name, text in _TIMES.items():
        parser.add_argument(f"--{name}", type=float, help=text)
    parser.add_argument(
        "--launch-count", type=int, help="workflows that one look for new ones picks up"
    )
    parser.add_argument(
        "--call-caching", choices=("on", "off"), help="else as the file says, else on"
    )
    return parser.parse_args()


def main() -> None:
    """Listen for ever; the file ``url`` in the state folder holds its address."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    overrides = {name.replace("-", "_") for name in _TIMES} | {"launch_count"}
    chosen = {name: getattr(given, name) for name in overrides if getattr(given, name) is not None}
    times = replace(REAL if given.times == "real" else FAST, **chosen)
    given.state.mkdir(parents=True, exist_ok=True)
    with (given.state / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit(f"another server uses {given.state}")
        try:
            site = config.load(given.config, given.root)
            # On by default, so that it cannot be forgotten.
            caching = site.call_caching is not False
            if given.call_caching:
                caching = given.call_caching == "on"
            store = Store(given.state / "workflows.sqlite")
            engine = Engine(store, site, times, caching=caching)
        except ConfigError as error:
            sys.exit(str(error))
        server = Server(given.port, Api(store, engine, site))
        engine.run()
        logging.info(
            "%s, NOT Cromwell: a tool for tests; listening on %s; %s", VERSION, server.url, times
        )
        made = given.state / "url.new"
        made.write_text(server.url)
        made.rename(given.state / "url")
        server.serve_forever()


if __name__ == "__main__":
    main()
