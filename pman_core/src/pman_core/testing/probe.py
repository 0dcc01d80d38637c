"""The program that conformance jobs run: it looks around and writes what it sees.

It travels as text in a job's argv (``python3 -c TEXT COMMAND ...``), so it stands alone and
keeps to the standard library of any Python 3.7 or newer. The memory backend, which has no
processes, runs the same commands on a :class:`Machine` of its own.
"""

from __future__ import annotations

import binascii
import fcntl
import json
import os
import sys
import time
import uuid
from typing import Callable  # noqa: UP035 - Python 3.7 has no other


class Machine:
    """What a command may do; here it is done for real."""

    def environ(self) -> dict[str, str]:
        return {os.fsencode(k).hex(): os.fsencode(v).hex() for k, v in os.environ.items()}

    def ids(self) -> list[int]:
        return [os.getuid(), os.getgid()]

    def cwd(self) -> str:
        return os.getcwd()

    def shm_mib(self) -> float:
        stat = os.statvfs("/dev/shm")
        return stat.f_frsize * stat.f_blocks / 2**20

    def cannot_gain_privileges(self) -> bool:
        with open("/proc/self/status") as file:
            return any(line.split() == ["NoNewPrivs:", "1"] for line in file)

    def path(self, path: str) -> str:
        return path

    def for_writing(self, path: str) -> str:
        return path

    def emit(self, stream: int, data: bytes) -> None:
        while data:
            data = data[os.write(stream, data) :]

    def pause(self) -> None:
        time.sleep(0.02)

    def allocate(self, mib: int) -> object:
        block = bytearray(mib * 2**20)
        block[::4096] = b"x" * len(block[::4096])  # each page is touched, so it is really used
        return block

    def fork_eaters(self, count: int, mib: int) -> int:
        """Have ``count`` children hold ``mib`` each at the same time; how many could not."""
        children = []
        ready, go = os.pipe(), os.pipe()
        for _ in range(count):
            child = os.fork()
            if child == 0:
                held = self.allocate(mib)
                os.write(ready[1], b"." if held else b"!")
                os.close(ready[1])  # so that the parent sees when a sibling has been killed
                os.read(go[0], 1)
                os._exit(0)
            children.append(child)
        os.close(ready[1])
        eaten = 0
        while eaten < count:
            seen = os.read(ready[0], count)
            if not seen:
                break
            eaten += len(seen)
        os.write(go[1], b"." * count)
        return sum(os.waitpid(child, 0)[1] != 0 for child in children)

    def cpu_share(self, seconds: float) -> float:
        """CPU time per wall time while two processes compute as much as they may.

        Both measure the same while: of two, each might have the machine to itself for a part.
        """
        wall = time.monotonic()
        child = os.fork()
        begin = time.process_time()
        while time.monotonic() - wall < seconds:
            pass
        share = (time.process_time() - begin) / (time.monotonic() - wall)
        if child == 0:
            os._exit(min(254, int(share * 100)))
        return share + (os.waitpid(child, 0)[1] >> 8) / 100

    def unreaped_orphans(self, count: int) -> int:
        """Have children leave ``count`` grandchildren behind; how many of these stay as zombies."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            for _ in range(count):
                if os.fork() == 0:
                    os.write(writer, b"%8d" % os.getpid())
                    os._exit(0)
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writer)
        orphans = [int(os.read(reader, 8)) for _ in range(count)]
        end = time.monotonic() + 10
        while time.monotonic() < end and any(map(self._is_there, orphans)):
            time.sleep(0.05)
        return sum(map(self._is_there, orphans))

    def descend(self, run: Callable[[], object]) -> None:
        """Do something in a process that has left its parent, its session and its streams."""
        child = os.fork()
        if child == 0:
            os.setsid()
            if os.fork() == 0:
                nothing = os.open(os.devnull, os.O_RDWR)
                for stream in range(3):
                    os.dup2(nothing, stream)
                run()
            os._exit(0)
        os.waitpid(child, 0)

    @staticmethod
    def _is_there(pid: int) -> bool:
        return os.path.exists("/proc/%d" % pid)  # noqa: UP031 - it may be a zombie

    def kill_self(self, signal: int) -> int:
        os.kill(os.getpid(), signal)
        return 99


def dump(machine: Machine, out: str, *args: str) -> int:
    """Write down what surrounds this process; ``args`` are there to be seen."""
    seen = {
        "argv": [os.fsencode(arg).hex() for arg in args],
        "env": machine.environ(),
        "ids": machine.ids(),
        "cwd": machine.cwd(),
        "shm_mib": machine.shm_mib(),
        "cannot_gain_privileges": machine.cannot_gain_privileges(),
    }
    _write(machine, out + "/dump.json", json.dumps(seen), "w")
    return 0


def exits(machine: Machine, code: str) -> int:
    return int(code)


def say(machine: Machine, *pieces: str) -> int:
    """Write pieces like ``1:68690a`` (stream, bytes in hex), each with its own system call."""
    for piece in pieces:
        stream, data = piece.split(":")
        machine.emit(int(stream), binascii.unhexlify(data))
    return 0


def flood(machine: Machine, lines: str) -> int:
    """Write many numbered lines."""
    block = b""
    for number in range(int(lines)):
        block += b"line %d\n" % number
        if len(block) > 60000:
            machine.emit(1, block)
            block = b""
    machine.emit(1, block)
    return 0


def gush(machine: Machine, lines: str, size: str) -> int:
    """Write so many lines of so many bytes each, and ``end``."""
    line = b"x" * (int(size) - 1) + b"\n"
    for _ in range(int(lines)):
        machine.emit(1, line)
    machine.emit(1, b"end\n")
    return 0


def hold(machine: Machine, out: str, *also: str) -> int:
    """Run, and hold a lock that ends with this process, until ``release`` appears."""
    with open(machine.for_writing(out + "/lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        machine.emit(1, b"holding\n")
        _write(machine, out + "/running", "", "w")
        while not os.path.exists(machine.path(out + "/release")):
            machine.pause()
    return int(also[0]) if also else 0


def leave(machine: Machine, out: str, also: str = "") -> int:
    """Leave a descendant behind that does ``hold``; ``stay`` as well, or end."""
    machine.descend(lambda: hold(machine, out))
    while not os.path.exists(machine.path(out + "/running")):
        machine.pause()
    while also == "stay" and not os.path.exists(machine.path(out + "/release")):
        machine.pause()
    return 0


def read(machine: Machine, path: str) -> int:
    """Write down what a file holds; end with 2 if it cannot be read."""
    try:
        with open(machine.path(path)) as file:
            machine.emit(1, file.read().encode())
    except OSError as error:
        machine.emit(2, str(error).encode())
        return 2
    return 0


def write(machine: Machine, path: str, text: str) -> int:
    """Write a file; end with 2 if that is not allowed."""
    try:
        _write(machine, path, text, "w")
    except OSError as error:
        machine.emit(2, str(error).encode())
        return 2
    return 0


def count(machine: Machine, out: str, code: str = "0") -> int:
    """Leave a line in ``runs``, so that it shows how often this ran."""
    _write(machine, out + "/runs", "run\n", "a")
    return int(code)


def worker(machine: Machine, out: str, lines: str = "0") -> int:
    """Leave a file of its own, and its name in the log, after so many lines and without an end."""
    name = "worker-" + uuid.uuid4().hex
    _write(machine, out + "/" + name, "", "w")
    flood(machine, lines)
    machine.emit(1, name.encode())
    return 0


def eat(machine: Machine, mib: str) -> int:
    """Hold that much memory."""
    held = machine.allocate(int(mib))
    machine.emit(1, b"ate\n" if held else b"")
    return 0


def feast(machine: Machine, children: str, mib: str) -> int:
    """Have several processes hold that much memory each."""
    return 1 if machine.fork_eaters(int(children), int(mib)) else 0


def burn(machine: Machine, out: str, seconds: str) -> int:
    """Compute with two processes, and write down how much CPU they got."""
    _write(machine, out + "/share", str(machine.cpu_share(float(seconds))), "w")
    return 0


def orphans(machine: Machine, count: str) -> int:
    """Fail if processes that lost their parent are not reaped."""
    return 1 if machine.unreaped_orphans(int(count)) else 0


def die(machine: Machine, signal: str) -> int:
    return machine.kill_self(int(signal))


def _write(machine: Machine, path: str, text: str, mode: str) -> None:
    with open(machine.for_writing(path), mode) as file:
        file.write(text)


COMMANDS: dict[str, Callable[..., int]] = {
    "dump": dump,
    "exit": exits,
    "say": say,
    "flood": flood,
    "gush": gush,
    "hold": hold,
    "leave": leave,
    "read": read,
    "write": write,
    "count": count,
    "worker": worker,
    "eat": eat,
    "feast": feast,
    "burn": burn,
    "orphans": orphans,
    "die": die,
}


def main(machine: Machine, args: list[str]) -> int:
    """Run the command that ``args`` begin with; its exit code."""
    return COMMANDS[args[0]](machine, *args[1:])


if __name__ == "__main__":
    sys.exit(main(Machine(), sys.argv[1:]))
