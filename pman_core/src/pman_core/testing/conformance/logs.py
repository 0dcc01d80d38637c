"""Promise 8: logs."""

from __future__ import annotations

import re
import tracemalloc

from pman_core.contract.capabilities import Deviation, Option
from pman_core.contract.info import Status
from pman_core.testing.conformance.harness import Harness
from pman_core.testing.conformance.marks import weakened_by


class LogPromises:
    """What the job wrote to stdout and stderr."""

    def test_both_streams_arrive_exactly(self, harness: Harness) -> None:
        """Nothing is added, not even a carriage return, and nothing is lost at the end."""
        out, err = b"out 1\n\n  out 2\tout\n", b"err 1\nerr without end"
        info = harness.run(harness.place(), "say", f"1:{out.hex()}", f"2:{err.hex()}")
        logs = harness.logs_with(info, b"err without end")
        assert sorted(logs) == sorted(out + err)
        for stream in (out, err):
            # Where the engine does not keep their order, the lines of both may stand mixed.
            lines = stream.splitlines(keepends=True)
            pieces = lines if harness.deviates(Deviation.LOG_ORDER) else [stream]
            at = 0
            for piece in pieces:
                at = logs.find(piece, at) + len(piece)
                assert at >= len(piece), logs

    @weakened_by(Deviation.LOG_ORDER)
    def test_streams_keep_the_order_in_which_they_were_written(self, harness: Harness) -> None:
        """Lines of stdout and stderr stand as the job wrote them."""
        lines = [b"line %d\n" % number for number in range(20)]
        pieces = [f"{1 + number % 2}:{line.hex()}" for number, line in enumerate(lines)]
        info = harness.run(harness.place(), "say", *pieces)
        logs = harness.logs_with(info, lines[-1])
        if harness.deviates(Deviation.LOG_ORDER):
            assert sorted(logs.splitlines(keepends=True)) == sorted(lines)
        else:
            assert logs == b"".join(lines)

    def test_the_last_lines_are_kept(self, harness: Harness) -> None:
        """As many as were asked for, counted from the end."""
        info = harness.run(harness.place(), "flood", "5000")
        harness.logs_with(info, b"line 4999\n")
        logs = harness.logs(info, lines=10)
        assert logs == b"".join(b"line %d\n" % number for number in range(4990, 5000))

    def test_the_last_bytes_are_kept(self, harness: Harness) -> None:
        """At most as many as were asked for, counted from the end."""
        info = harness.run(harness.place(), "flood", "5000")
        whole = harness.logs_with(info, b"line 4999\n")
        logs = harness.logs(info, size=100)
        assert 50 < len(logs) <= 100
        assert whole.endswith(logs)

    def test_one_long_line_is_cut_to_its_last_bytes(self, harness: Harness) -> None:
        """A line may be longer than everything that is kept."""
        piece = f"1:{(b'x' * 40000).hex()}"
        info = harness.run(harness.place(), "say", piece, f"1:{b'end'.hex()}")
        harness.logs_with(info, b"xend")
        logs = harness.logs(info, lines=1, size=30000)
        assert logs == (b"x" * 40000 + b"end")[-len(logs) :]
        assert 20000 < len(logs) <= 30000

    def test_long_lines_arrive_exactly(self, harness: Harness) -> None:
        """Also where the engine splits them; 16 KiB is the usual size of such a piece."""
        piece = 16384
        texts = [b"a" * piece, b"", b"b" * 2 * piece, b"c" * (piece + 1), b"d", b"e" * piece]
        lines = [text + b"\n" for text in texts]
        info = harness.run(harness.place(), "say", *(f"1:{line.hex()}" for line in lines))
        assert harness.logs_with(info, lines[-1]) == b"".join(lines)

    @weakened_by(Deviation.LOG_TAIL)
    def test_the_end_of_block_buffered_output_is_exact(self, harness: Harness) -> None:
        """Programs write to a pipe in blocks, which end in the midst of a line."""
        count, size = 30_000, 100_000
        written = b"".join(b"line %d\n" % number for number in range(count))
        info = harness.run(harness.place(), "flood", str(count))
        harness.logs_with(info, b"line %d\n" % (count - 1))
        logs = harness.logs(info, lines=count, size=size)
        assert len(logs) > size // 2
        assert written.endswith(logs) or harness.deviates(Deviation.LOG_TAIL)

    def test_the_end_of_a_big_log_is_read_in_bounded_memory(self, harness: Harness) -> None:
        """Of 16 MiB in long lines no more is held at once than a few times what is asked for."""
        size = 2**20
        info = harness.run(harness.place(), "gush", "512", str(2**15))
        harness.logs_with(info, b"end\n")
        tracemalloc.start()
        try:
            logs = harness.logs(info, size=size)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(logs) <= size
        assert logs.endswith(b"x\nend\n")
        assert peak < 8 * size, f"{peak / size:.1f} MiB of memory for the last MiB of a log"

    @weakened_by(Deviation.LOG_BYTES)
    def test_arbitrary_bytes_do_no_harm(self, harness: Harness) -> None:
        """Bytes that are no text arrive as they are."""
        data = bytes(range(256)) + b"\xff\xfe\x00end\n"
        info = harness.run(harness.place(), "say", f"1:{data.hex()}")
        logs = harness.logs_with(info, b"end\n")
        if harness.deviates(Deviation.LOG_BYTES):
            assert logs.startswith(data[:128])
        else:
            assert logs == data

    def test_logs_of_a_running_job_can_be_read(self, harness: Harness) -> None:
        """What has been written so far."""
        place = harness.place()
        info = harness.hold(place)
        assert harness.logs_with(info, b"holding") == b"holding\n"
        assert harness.status(info.jid).status is Status.STARTED
        place.release()

    def test_logs_of_a_job_that_could_not_start_can_be_read(self, harness: Harness) -> None:
        """They may be empty; reading them is no error."""
        job = harness.job(harness.place(), "exit", "0", argv=("no-such-executable",))
        harness.submit(job)
        assert isinstance(harness.logs(harness.end_of(job.jid)), bytes)

    def test_each_worker_has_its_part_of_the_log(self, harness: Harness) -> None:
        """One after the other, under a header each; one that writes much hides no other."""
        harness.needs(Option.WORKERS)
        place = harness.place()
        job = harness.job(place, "worker", place.job_out, "30")
        harness.submit(harness.resources(job, workers=2))
        info = harness.end_of(job.jid)
        names = sorted(path.name for path in place.local_out.glob("worker-*"))
        logs = harness.until(
            "the lines of both workers",
            lambda: harness.logs(info).decode(),
            lambda logs: all(name in logs for name in names),
        )
        lines = "".join(f"line {number}\n" for number in range(30))
        for given, before in ((logs, lines), (harness.logs(info, lines=10).decode(), "line 29\n")):
            part = r"==> worker {} of 2 <==\n(?:line \d+\n)*" + before + r"(worker-\w+)"
            found = re.fullmatch(part.format(1) + "\n" + part.format(2), given)
            assert found, given
            assert sorted(found.groups()) == names
        assert given.count("\n") < 10
