"""Promise 1: the command line arrives as it was given."""

from __future__ import annotations

import os

from pman_core.contract.info import Status
from pman_core.testing.conformance.workbench import Place, Workbench

#: What shells, Kubernetes, Swarm, WDL and string formatting would change.
NASTY = (
    "",
    " ",
    "two words",
    "'single' \"double\" `back`",
    "$HOME ${HOME} $$ $(HOME) $$(HOME) $$$(id)",
    "{{.Node.ID}} {{ .Task.Name }} {}",
    "~{HOME} >>> <<< @@",
    "%s %d %% %(x)s",
    "; echo no && true | cat > /dev/null &",
    "line\nbreak\ttab\r\n",
    "back\\slash \\n \\",
    "--flag=value",
    "-",
    "--",
    "*?[a-z]! #",
    "ünïcödé ☃ 🧠",
    "\x01\x7f",
    "",
)


class ArgvPromises:
    """The command line."""

    def test_argv_arrives_byte_for_byte(self, bench: Workbench) -> None:
        """Nothing on the way interprets an argument."""
        place = bench.place()
        info = bench.run(place, "dump", place.job_out, *NASTY)
        assert info.status is Status.SUCCEEDED, info
        assert _arrived(place) == list(NASTY)

    def test_a_thousand_arguments_arrive(self, bench: Workbench) -> None:
        """Many arguments are no trouble."""
        place = bench.place()
        args = [f"argument {number}" for number in range(1000)]
        info = bench.run(place, "dump", place.job_out, *args)
        assert info.status is Status.SUCCEEDED, info
        assert _arrived(place) == args

    def test_a_long_argument_arrives(self, bench: Workbench) -> None:
        """One argument may have 100,000 bytes."""
        place = bench.place()
        info = bench.run(place, "dump", place.job_out, "x" * 100_000)
        assert info.status is Status.SUCCEEDED, info
        assert _arrived(place) == ["x" * 100_000]

    def test_argv_replaces_the_entrypoint_of_the_image(self, bench: Workbench) -> None:
        """The image's own ENTRYPOINT, which would spoil the job, has no part in it."""
        place = bench.place()
        info = bench.run(place, "dump", place.job_out, "alone")
        assert info.status is Status.SUCCEEDED, info
        assert _arrived(place) == ["alone"]

    def test_argv_and_image_are_reported_as_they_were_given(self, bench: Workbench) -> None:
        """What an engine made of them is undone on reading."""
        place = bench.place()
        job = bench.job(place, "dump", place.job_out, *NASTY)
        for info in (bench.submit(job), bench.end_of(job.jid), bench.fresh().status(job.jid)):
            assert info.argv == job.argv
            assert info.image == job.image


def _arrived(place: Place) -> list[str]:
    return [os.fsdecode(bytes.fromhex(arg)) for arg in place.dump()["argv"]]
