"""Promise 1: the command line arrives as it was given."""

from __future__ import annotations

import os

from pman_core.contract.info import Status
from pman_core.testing.conformance.harness import Harness, Place

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

    def test_argv_arrives_byte_for_byte(self, harness: Harness) -> None:
        """Nothing on the way interprets an argument."""
        place = harness.place()
        info = harness.run(place, "dump", place.job_out, *NASTY)
        assert info.status is Status.SUCCEEDED, info
        assert _arrived(place) == list(NASTY)

    def test_a_thousand_arguments_arrive(self, harness: Harness) -> None:
        """Many arguments are no trouble."""
        place = harness.place()
        args = [f"argument {number}" for number in range(1000)]
        info = harness.run(place, "dump", place.job_out, *args)
        assert info.status is Status.SUCCEEDED, info
        assert _arrived(place) == args

    def test_a_long_argument_arrives(self, harness: Harness) -> None:
        """One argument may have 100,000 bytes."""
        place = harness.place()
        info = harness.run(place, "dump", place.job_out, "x" * 100_000)
        assert info.status is Status.SUCCEEDED, info
        assert _arrived(place) == ["x" * 100_000]

    def test_argv_replaces_the_entrypoint_of_the_image(self, harness: Harness) -> None:
        """The image's own ENTRYPOINT, which would spoil the job, has no part in it."""
        place = harness.place()
        info = harness.run(place, "dump", place.job_out, "alone")
        assert info.status is Status.SUCCEEDED, info
        assert _arrived(place) == ["alone"]

    def test_argv_and_image_are_reported_as_they_were_given(self, harness: Harness) -> None:
        """What an engine made of them is undone on reading."""
        place = harness.place()
        job = harness.job(place, "dump", place.job_out, *NASTY)
        for info in (harness.submit(job), harness.end_of(job.jid), harness.fresh().status(job.jid)):
            assert info.argv == job.argv
            assert info.image == job.image


def _arrived(place: Place) -> list[str]:
    return [os.fsdecode(bytes.fromhex(arg)) for arg in place.dump()["argv"]]
