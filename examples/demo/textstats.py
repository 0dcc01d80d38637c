#!/usr/bin/env python3
"""A ChRIS-style plugin: counts the words of text files, and writes what it found.

Like every plugin of type ``ds`` it gets the input and the output directory as its last two
arguments, and knows nothing of pman. It needs only the standard library.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path


def main() -> int:
    """Read each matching file of the input, and write two files into the output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pattern", default="*.md", help="which files to read")
    parser.add_argument("--top", type=int, default=5, help="how many words to list")
    parser.add_argument("inputdir", type=Path)
    parser.add_argument("outputdir", type=Path)
    args = parser.parse_args()

    words: Counter[str] = Counter()
    report = {}
    for path in sorted(args.inputdir.rglob(args.pattern)):
        found = re.findall(r"[^\W\d_]{4,}", path.read_text(errors="replace").lower())
        words.update(found)
        report[str(path.relative_to(args.inputdir))] = len(found)
        sys.stdout.write(f"{path.name}: {len(found)} words\n")
        sys.stdout.flush()
    if not report:
        sys.stderr.write(f"no file of the input matches {args.pattern!r}\n")
        return 1
    (args.outputdir / "words.json").write_text(json.dumps(report, indent=2) + "\n")
    top = "".join(f"{count:6} {word}\n" for word, count in words.most_common(args.top))
    (args.outputdir / "top.txt").write_text(top)
    sys.stdout.write(f"{len(report)} files, {words.total()} words\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
