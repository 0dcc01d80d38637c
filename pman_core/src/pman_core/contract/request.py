"""What a client asks for, after the wire's words have been checked and normalised."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

import attrs

from pman_core.contract.job import frozen_mapping


class PluginType(enum.StrEnum):
    """The kinds of ChRIS plugin; they differ in what is appended to the command line."""

    DS = "ds"
    FS = "fs"
    TS = "ts"


@attrs.frozen
class WantedMount:
    """One more directory of a job, beside its input and its output.

    :param directory: relative to the storebase.
    :param target: the absolute path at which the job sees it.
    """

    directory: str
    target: str
    read_only: bool = True


@attrs.frozen(kw_only=True)
class JobRequest:
    """One request for a job; the units are those of :class:`~pman_core.contract.job.Job`.

    :param type: what is appended to the command line; ``None`` is nothing.
    :param args_path_flags: the value after each of these flags becomes the input directory.
    :param input_dir: relative to the storebase, as is ``output_dir``.
    :param workdir: the absolute path of the directory in which the job begins.
    :param mounts: more directories; only extensions can ask for them.
    """

    jid: str
    image: str
    entrypoint: tuple[str, ...]
    args: tuple[str, ...] = ()
    args_path_flags: frozenset[str] = frozenset()
    type: PluginType | None = None
    auid: str = ""
    number_of_workers: int = 1
    cpu_limit: int
    memory_limit: int
    gpu_limit: int = 0
    env: Mapping[str, str] = attrs.field(
        factory=dict,
        converter=frozen_mapping,
        repr=lambda env: f"<{', '.join(env)}>",
        hash=False,
    )
    input_dir: str
    output_dir: str
    time_limit: int | None = None
    workdir: str | None = None
    mounts: tuple[WantedMount, ...] = ()


def command_line(request: JobRequest, input_path: str, output_path: str) -> tuple[str, ...]:
    """The argv of a job whose directories are at these two paths inside the job."""
    argv = [*request.entrypoint, *localized(request.args, request.args_path_flags, input_path)]
    if request.type is PluginType.DS:
        argv.append(input_path)
    if request.type is not None:
        argv.append(output_path)
    return tuple(argv)


def localized(args: Iterable[str], path_flags: frozenset[str], input_path: str) -> list[str]:
    """``args``, with the value of each path flag replaced by the input directory.

    The value of a path flag is never itself read as a flag, and a path flag at the
    very end gets a value.
    """
    result: list[str] = []
    remaining = iter(args)
    for arg in remaining:
        result.append(arg)
        if arg in path_flags:
            result.append(input_path)
            next(remaining, None)
    return result
