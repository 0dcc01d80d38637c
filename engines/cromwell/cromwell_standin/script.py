"""Files of a call, and the script that runs its command."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

#: Cromwell's own template, in which it replaces these words one after the other, also those that
#: came in with the command.
_TEMPLATE = """\
#!/bin/bash
cd {folder}
tmpDir={folder}/tmp.standin
mkdir -p "$tmpDir"
chmod 777 "$tmpDir"
export _JAVA_OPTIONS=-Djava.io.tmpdir="$tmpDir"
export TMPDIR="$tmpDir"
export HOME="$HOME"
out="$tmpDir/out.$$" err="$tmpDir/err.$$"
mkfifo "$out" "$err"
trap 'rm "$out" "$err"' EXIT
touch {stdout} {stderr}
tee {stdout} < "$out" &
tee {stderr} < "$err" >&2 &
(
cd {folder}
INSTANTIATED_COMMAND
) > "$out" 2> "$err"
echo $? > {rc}.tmp
(
cd {folder}
SCRIPT_EPILOGUE
DOCKER_OUTPUT_DIR_LINK
)
SCRIPT_CLOSURE
mv {rc}.tmp {rc}
"""


@dataclass(frozen=True)
class Paths:
    """Where the files of a call are."""

    call: Path

    @classmethod
    def of(cls, root: Path, workflow: str, identity: str, call: str) -> Paths:
        """Those of the only attempt of the only shard."""
        return cls(root / workflow / identity / f"call-{call}")

    @property
    def folder(self) -> Path:
        """Where the command runs."""
        return self.call / "execution"

    def file(self, name: str) -> Path:
        """``script``, ``rc``, ``stdout``, ``stderr.submit`` ..."""
        return self.folder / name


def text(paths: Paths, command: str, epilogue: str) -> str:
    """The script."""
    filled = _TEMPLATE.format(
        **{name: shlex.quote(str(paths.file(name))) for name in ("stdout", "stderr", "rc")},
        folder=shlex.quote(str(paths.folder)),
    )
    for word, replacement in (
        ("INSTANTIATED_COMMAND", command),
        ("SCRIPT_EPILOGUE", epilogue),
        ("DOCKER_OUTPUT_DIR_LINK", ""),
        ("SCRIPT_CLOSURE", ""),
    ):
        filled = filled.replace(word, replacement)
    return filled
